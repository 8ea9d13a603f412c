"""The duty phone of each unit (单位值班电话), under seal: what is called where nobody is filed.

A work phone: who dispatches and urges sees it in clear; it is in no event and no log.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime, LargeBinary, Table, Text, delete, exists, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_common.http import PageRequest
from tongban_common.privacy import Sealer
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.store.contact_rounds import unit_without_contact
from tongban_hotline_dispatch.store.contacts import active, unit_contact
from tongban_hotline_dispatch.store.reference import metadata, unit

unit_duty_phone = Table(
    "unit_duty_phone",
    metadata,
    Column("unit_code", Text, primary_key=True),
    Column("phone", LargeBinary, nullable=False),
    Column("filed_at", DateTime(timezone=True), nullable=False),
    Column("filed_by", Text, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyPhone:
    unit_code: str
    unit_name: str | None
    phone: str
    filed_at: datetime
    is_fallback: bool  # nobody is in post: it is what is called now

    @property
    def key(self) -> list[str]:
        return [self.unit_code]


class DutyPhones:
    def __init__(self, tx: Transaction, sealer: Sealer) -> None:
        self._tx = tx
        self._sealer = sealer

    async def keep(self, unit_code: str, phone: str, *, by: str, at: datetime) -> None:
        sealed = self._sealer.seal(phone, context=_context(unit_code))
        values = {"phone": sealed, "filed_at": at, "filed_by": by}
        await self._tx.connection.execute(
            insert(unit_duty_phone)
            .values(unit_code=unit_code, **values)
            .on_conflict_do_update(index_elements=["unit_code"], set_=values)
        )

    async def remove(self, unit_code: str) -> None:
        await self._tx.connection.execute(
            delete(unit_duty_phone).where(unit_duty_phone.c.unit_code == unit_code)
        )


async def falling_back(reads: AsyncConnection, codes: Sequence[str], *, at: datetime) -> set[str]:
    """Which of the units are reached by their duty phone only (hotline.md 7)."""
    rows = await reads.execute(
        select(unit_duty_phone.c.unit_code).where(
            unit_duty_phone.c.unit_code.in_(codes), _nobody_is_there(at)
        )
    )
    return set(rows.scalars())


async def duty_phones(
    reads: AsyncConnection,
    *,
    unit_code: str | None,
    page: PageRequest | None,
    at: datetime,
    sealer: Sealer,
) -> list[DutyPhone]:
    """By unit."""
    statement = (
        select(unit_duty_phone, unit.c.name, _nobody_is_there(at).label("is_fallback"))
        .select_from(unit_duty_phone.outerjoin(unit, unit.c.code == unit_duty_phone.c.unit_code))
        .order_by(unit_duty_phone.c.unit_code)
    )
    if unit_code is not None:
        statement = statement.where(unit_duty_phone.c.unit_code == unit_code)
    if page is not None:
        statement = statement.limit(page.limit)
        if page.after is not None:
            statement = statement.where(unit_duty_phone.c.unit_code > page.after[0])
    return [
        DutyPhone(
            unit_code=row.unit_code,
            unit_name=row.name,
            phone=sealer.open(row.phone, context=_context(row.unit_code)),
            filed_at=row.filed_at,
            is_fallback=row.is_fallback,
        )
        for row in await reads.execute(statement)
    ]


def _nobody_is_there(at: datetime) -> Any:
    """A night found it without a contact that it needs, or it has none at all."""
    today = at.astimezone(SHANGHAI).date()
    code = unit_duty_phone.c.unit_code
    found_missing = exists().where(unit_without_contact.c.unit_code == code)
    has_any = exists().where(unit_contact.c.unit_code == code, active(today))
    return or_(found_missing, ~has_any)


def _context(unit_code: str) -> str:
    return f"unit_duty_phone:{unit_code}"
