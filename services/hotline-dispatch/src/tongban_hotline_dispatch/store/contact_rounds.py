"""What is done about contacts by the calendar: the nightly check and the quarterly confirmation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Column,
    Date,
    DateTime,
    Integer,
    Row,
    Table,
    Text,
    and_,
    delete,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_common.errors import NotFound
from tongban_hotline_dispatch.domain.contacts import ContactRole
from tongban_hotline_dispatch.store.contacts import active, unit_contact
from tongban_hotline_dispatch.store.reference import metadata, unit

contact_check = Table(
    "contact_check",
    metadata,
    Column("day", Date, primary_key=True),
    Column("checked_at", DateTime(timezone=True), nullable=False),
    Column("units", Integer, nullable=False),
    Column("missing", Integer, nullable=False),
)
unit_without_contact = Table(
    "unit_without_contact",
    metadata,
    Column("unit_code", Text, primary_key=True),
    Column("roles", ARRAY(Text), nullable=False),
    Column("since", Date, nullable=False),
    Column("found_on", Date, nullable=False),
    Column("nights", Integer, nullable=False),
)
contact_round = Table(
    "contact_round",
    metadata,
    Column("quarter", Text, primary_key=True),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("closed_at", DateTime(timezone=True)),
)
contact_confirmation = Table(
    "contact_confirmation",
    metadata,
    Column("quarter", Text, primary_key=True),
    Column("unit_code", Text, primary_key=True),
    Column("confirmed_at", DateTime(timezone=True)),
    Column("confirmed_by", Text),
    Column("missed_at", DateTime(timezone=True)),
)


class RoundNotFound(NotFound):
    code = "contact.round_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A unit without an active contact in roles that it needs."""

    unit_code: str
    roles: tuple[ContactRole, ...]
    since: date
    found_on: date
    nights: int
    unit_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    quarter: str
    due_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    quarter: str
    unit_code: str
    unit_name: str | None
    due_at: datetime
    confirmed_at: datetime | None
    is_missed: bool


class Rounds:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def begin_check(self, day: date, at: datetime) -> bool:
        """False where this day had its check: there is one a day, whoever asks."""
        begun = await self._tx.connection.execute(
            insert(contact_check)
            .values(day=day, checked_at=at, units=0, missing=0)
            .on_conflict_do_nothing()
            .returning(contact_check.c.day)
        )
        return begun.one_or_none() is not None

    async def end_check(self, day: date, *, units: int, missing: int) -> None:
        await self._tx.connection.execute(
            update(contact_check)
            .where(contact_check.c.day == day)
            .values(units=units, missing=missing)
        )

    async def active_units(self) -> list[str]:
        rows = await self._tx.connection.execute(
            select(unit.c.code).where(unit.c.is_active).order_by(unit.c.code)
        )
        return list(rows.scalars())

    async def roles_by_unit(self, on: date) -> dict[str, set[str]]:
        """The roles in which each unit has an active contact."""
        rows = await self._tx.connection.execute(
            select(unit_contact.c.unit_code, unit_contact.c.role).where(active(on)).distinct()
        )
        found: dict[str, set[str]] = {}
        for row in rows:
            found.setdefault(row.unit_code, set()).add(row.role)
        return found

    async def gaps(self) -> dict[str, Gap]:
        rows = await self._tx.connection.execute(select(unit_without_contact))
        return {row.unit_code: _gap(row) for row in rows}

    async def keep_gaps(self, found: Sequence[Gap]) -> None:
        """What this night found; what it did not find any more is over."""
        await self._tx.connection.execute(delete(unit_without_contact))
        if found:
            await self._tx.connection.execute(
                insert(unit_without_contact), [_gap_row(each) for each in found]
            )

    async def forget_gap(self, unit_code: str, role: ContactRole) -> None:
        """A contact was appointed: the gap is narrower, or closed, before the next night."""
        where = unit_without_contact.c.unit_code == unit_code
        left = text("array_remove(roles, :role)").bindparams(role=role.value)
        await self._tx.connection.execute(
            update(unit_without_contact).where(where).values(roles=left)
        )
        await self._tx.connection.execute(
            delete(unit_without_contact).where(where, text("cardinality(roles) = 0"))
        )

    async def open_round(self, quarter: str, *, due_at: datetime, now: datetime) -> list[str]:
        """The units that are asked; none where the quarter's round was opened before."""
        opened = await self._tx.connection.execute(
            insert(contact_round)
            .values(quarter=quarter, opened_at=now, due_at=due_at)
            .on_conflict_do_nothing()
            .returning(contact_round.c.quarter)
        )
        if opened.one_or_none() is None:
            return []
        asked = await self._tx.connection.execute(
            insert(contact_confirmation)
            .from_select(
                ["quarter", "unit_code"],
                select(literal(quarter), unit.c.code).where(unit.c.is_active),
            )
            .returning(contact_confirmation.c.unit_code)
        )
        return sorted(asked.scalars())

    async def get_round(self, quarter: str) -> Round:
        """Locks it. Raises RoundNotFound."""
        rows = await self._tx.connection.execute(
            select(contact_round).where(contact_round.c.quarter == quarter).with_for_update()
        )
        row = rows.one_or_none()
        if row is None:
            raise RoundNotFound("没有这个季度的确认任务")
        return Round(quarter=row.quarter, due_at=row.due_at, closed_at=row.closed_at)

    async def redate_round(self, quarter: str, due_at: datetime) -> None:
        await self._tx.connection.execute(
            update(contact_round).where(contact_round.c.quarter == quarter).values(due_at=due_at)
        )

    async def close_round(self, quarter: str, now: datetime) -> list[str]:
        """The units that did not confirm."""
        await self._tx.connection.execute(
            update(contact_round).where(contact_round.c.quarter == quarter).values(closed_at=now)
        )
        missed = await self._tx.connection.execute(
            update(contact_confirmation)
            .where(
                contact_confirmation.c.quarter == quarter,
                contact_confirmation.c.confirmed_at.is_(None),
            )
            .values(missed_at=now)
            .returning(contact_confirmation.c.unit_code)
        )
        return sorted(missed.scalars())

    async def confirm(self, quarter: str, unit_code: str, *, by: str, now: datetime) -> bool:
        """False where it was confirmed before. Raises RoundNotFound for a unit not asked."""
        rows = await self._tx.connection.execute(
            select(contact_confirmation)
            .where(
                contact_confirmation.c.quarter == quarter,
                contact_confirmation.c.unit_code == unit_code,
            )
            .with_for_update()
        )
        row = rows.one_or_none()
        if row is None:
            raise RoundNotFound("本季度没有要求该单位确认")
        if row.confirmed_at is not None:
            return False
        await self._tx.connection.execute(
            update(contact_confirmation)
            .where(
                contact_confirmation.c.quarter == quarter,
                contact_confirmation.c.unit_code == unit_code,
            )
            .values(confirmed_at=now, confirmed_by=by)
        )
        return True


async def units_without_contact(reads: AsyncConnection, *, unit_code: str | None) -> Sequence[Gap]:
    """What the last night found and nobody has mended since, the longest first."""
    statement = (
        select(unit_without_contact, unit.c.name.label("unit_name"))
        .outerjoin_from(unit_without_contact, unit, unit.c.code == unit_without_contact.c.unit_code)
        .order_by(unit_without_contact.c.since, unit_without_contact.c.unit_code)
    )
    if unit_code is not None:
        statement = statement.where(unit_without_contact.c.unit_code == unit_code)
    return [_gap(row, row.unit_name) for row in await reads.execute(statement)]


async def last_check(reads: AsyncConnection) -> datetime | None:
    rows = await reads.execute(
        select(contact_check.c.checked_at).order_by(contact_check.c.day.desc()).limit(1)
    )
    found: datetime | None = rows.scalar_one_or_none()
    return found


async def confirmations(
    reads: AsyncConnection, *, quarter: str | None, unit_code: str | None, is_open: bool | None
) -> Sequence[Confirmation]:
    """Of one quarter, or of the latest; by unit."""
    statement = (
        select(
            contact_confirmation,
            contact_round.c.due_at,
            unit.c.name.label("unit_name"),
        )
        .join(contact_round, contact_round.c.quarter == contact_confirmation.c.quarter)
        .outerjoin(unit, unit.c.code == contact_confirmation.c.unit_code)
        .order_by(contact_confirmation.c.unit_code)
    )
    latest = select(contact_round.c.quarter).order_by(contact_round.c.opened_at.desc()).limit(1)
    wanted = latest.scalar_subquery() if quarter is None else literal(quarter)
    conditions = [contact_confirmation.c.quarter == wanted]
    if unit_code is not None:
        conditions.append(contact_confirmation.c.unit_code == unit_code)
    if is_open is not None:
        is_confirmed = contact_confirmation.c.confirmed_at.is_not(None)
        conditions.append(~is_confirmed if is_open else is_confirmed)
    return [_confirmation(row) for row in await reads.execute(statement.where(and_(*conditions)))]


def _gap(row: Row[Any], unit_name: str | None = None) -> Gap:
    return Gap(
        unit_code=row.unit_code,
        roles=tuple(ContactRole(each) for each in row.roles),
        since=row.since,
        found_on=row.found_on,
        nights=row.nights,
        unit_name=unit_name,
    )


def _gap_row(gap: Gap) -> dict[str, object]:
    return {
        "unit_code": gap.unit_code,
        "roles": [each.value for each in gap.roles],
        "since": gap.since,
        "found_on": gap.found_on,
        "nights": gap.nights,
    }


def _confirmation(row: Row[Any]) -> Confirmation:
    return Confirmation(
        quarter=row.quarter,
        unit_code=row.unit_code,
        unit_name=row.unit_name,
        due_at=row.due_at,
        confirmed_at=row.confirmed_at,
        is_missed=row.missed_at is not None,
    )
