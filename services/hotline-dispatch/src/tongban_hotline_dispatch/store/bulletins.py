"""The monthly bulletins, each version as it was made; and the counts that no run of figures has."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import (
    Column,
    DateTime,
    Integer,
    Row,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    insert,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_common.errors import NotFound
from tongban_common.http import PageRequest
from tongban_hotline_dispatch.domain.bulletins import CardCount, Document, Totals, UnitMonth
from tongban_hotline_dispatch.domain.periods import Period
from tongban_hotline_dispatch.store.reference import metadata

bulletin = Table(
    "bulletin",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("period_code", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("run_id", Uuid, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    Column("document", JSONB, nullable=False),
    UniqueConstraint("period_code", "version"),
)
_DOCUMENT = TypeAdapter(Document)
_TOTALS = text(
    """
    SELECT count(*) AS received,
      count(*) FILTER (WHERE status = 'answered') AS answered,
      count(*) FILTER (WHERE status = 'routed_out') AS routed_out,
      (SELECT count(DISTINCT ticket_id) FROM assignment
        WHERE role = 'lead' AND assigned_at >= :since AND assigned_at < :before) AS dispatched
    FROM ticket WHERE registered_at >= :since AND registered_at < :before
    """
)
_BY_UNIT = text(
    """
    SELECT unit_code, count(*) FILTER (WHERE assigned_at >= :since) AS dispatched,
      count(*) FILTER (WHERE due_at < :before AND state IN
        ('waiting', 'signed', 'contacted', 'return_requested', 'rework')) AS open_overdue
    FROM assignment WHERE role = 'lead' AND assigned_at < :before
      AND (assigned_at >= :since OR state IN
        ('waiting', 'signed', 'contacted', 'return_requested', 'rework'))
    GROUP BY unit_code
    """
)
_CARDS = text(
    """
    SELECT c.unit_code, c.colour, count(*) AS given,
      count(*) FILTER (WHERE EXISTS (SELECT FROM supervision_card_line l
        WHERE l.card_id = c.id AND l.act IN ('revoked', 'waived'))) AS waived
    FROM supervision_card c WHERE c.issued_at >= :since AND c.issued_at < :before
    GROUP BY c.unit_code, c.colour
    """
)
_CALLBACKS = text(
    """
    SELECT unit_code, count(*) AS callbacks, count(*) FILTER (WHERE outcome = 'reached') AS reached
    FROM callback_task
    WHERE done_at >= :since AND done_at < :before AND outcome IS NOT NULL AND unit_code IS NOT NULL
    GROUP BY unit_code
    """
)


class BulletinNotFound(NotFound):
    code = "bulletin.not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulletin:
    id: UUID
    period: Period
    version: int
    run_id: UUID
    made_at: datetime
    made_by: str
    document: Document

    @property
    def key(self) -> list[str | int]:
        return [self.period.code, self.version]


class Bulletins:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def next_version(self, period: Period) -> int:
        """The caller holds the assessment of the period: one is made after the other."""
        newest = select(func.coalesce(func.max(bulletin.c.version), 0)).where(
            bulletin.c.period_code == period.code
        )
        return int((await self._tx.connection.execute(newest)).scalar_one()) + 1

    async def add(self, new: Bulletin) -> None:
        await self._tx.connection.execute(
            insert(bulletin).values(
                id=new.id,
                period_code=new.period.code,
                version=new.version,
                run_id=new.run_id,
                made_at=new.made_at,
                made_by=new.made_by,
                document=asdict(new.document),
            )
        )


async def totals(reads: AsyncConnection, period: Period) -> Totals:
    row = (await reads.execute(_TOTALS, _within(period))).one()
    return Totals(**row._mapping)  # noqa: SLF001 - the public name of a row's columns


async def unit_months(reads: AsyncConnection, period: Period) -> dict[str, UnitMonth]:
    found: dict[str, dict[str, Any]] = {}
    for query in (_BY_UNIT, _CALLBACKS):
        for row in await reads.execute(query, _within(period)):
            values = dict(row._mapping)  # noqa: SLF001 - the public name of a row's columns
            found.setdefault(values.pop("unit_code"), {}).update(values)
    for row in await reads.execute(_CARDS, _within(period)):
        count = CardCount(given=row.given, waived=row.waived)
        found.setdefault(row.unit_code, {})[row.colour] = count
    return {code: UnitMonth(**values) for code, values in found.items()}


async def bulletins(reads: AsyncConnection, page: PageRequest) -> Sequence[Bulletin]:
    """The latest month first, the newest version of each first."""
    order = (bulletin.c.period_code, bulletin.c.version)
    query = select(bulletin).order_by(*(each.desc() for each in order)).limit(page.limit)
    if page.after is not None:
        query = query.where(tuple_(*order) < tuple(page.after))
    return [_bulletin(row) for row in await reads.execute(query)]


async def one(reads: AsyncConnection, period: Period, version: int | None) -> Bulletin:
    """The version asked for, or the newest. Raises BulletinNotFound."""
    query = (
        select(bulletin)
        .where(bulletin.c.period_code == period.code)
        .order_by(bulletin.c.version.desc())
        .limit(1)
    )
    if version is not None:
        query = query.where(bulletin.c.version == version)
    row = (await reads.execute(query)).one_or_none()
    if row is None:
        raise BulletinNotFound("没有这期通报")
    return _bulletin(row)


def _within(period: Period) -> dict[str, datetime]:
    return {"since": period.starts_at, "before": period.ends_at}


def _bulletin(row: Row[Any]) -> Bulletin:
    return Bulletin(
        id=row.id,
        period=Period.of(row.period_code),
        version=row.version,
        run_id=row.run_id,
        made_at=row.made_at,
        made_by=row.made_by,
        document=_DOCUMENT.validate_python(row.document),
    )
