"""The tables of a bulletin with its scores, and the names of units and windows."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as insert_or_not

from tongban_common.db import Transaction
from tongban_common.errors import NotFound
from tongban_common.foundation import named_metadata
from tongban_publishing.domain.bulletin import Bulletin, Kind, Score, Status

metadata = named_metadata()
bulletin = Table(
    "bulletin",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("period_id", Uuid, nullable=False),
    Column("run", Integer, nullable=False),
    Column("labels", JSONB, nullable=False),
    Column("period_code", Text, nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date, nullable=False),
    Column("title", Text, nullable=False),
    Column("drafted_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("status", Text, nullable=False),
    Column("index_no", Text, unique=True),
    Column("reviewed_by", Text),
    Column("reviewed_at", DateTime(timezone=True)),
    Column("approved_by", Text),
    Column("published_at", DateTime(timezone=True)),
    Column("withdrawn_at", DateTime(timezone=True)),
    Column("withdrawal", Text),
    Column("version", Integer, nullable=False),
    UniqueConstraint("period_id", "run"),
)
Index("ix_bulletin_published", bulletin.c.published_at.desc(), bulletin.c.id.desc())
bulletin_score = Table(
    "bulletin_score",
    metadata,
    Column("bulletin_id", ForeignKey("bulletin.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("scorecard_id", Uuid, nullable=False),
    Column("window_code", Text, nullable=False),
    Column("unit_code", Text, nullable=False),
    Column("score", Numeric(8, 2), nullable=False),
    Column("grade", Text, nullable=False),
    Column("rank", Integer),
)
bulletin_result = Table(
    "bulletin_result",
    metadata,
    Column("bulletin_id", ForeignKey("bulletin.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("unit_code", Text, nullable=False),
    Column("group", Text, nullable=False),
    Column("tier", Text),
    Column("rank", Integer),
    Column("listed", Text),
    Column("indicators", JSONB, nullable=False),
    Column("needs_rectification", Boolean, nullable=False),
)
name = Table(
    "name",
    metadata,
    Column("kind", Text, primary_key=True),  # unit, window
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False),
)


class BulletinNotFound(NotFound):
    code = "bulletin.not_found"


class Bulletins:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def add(self, drafted: Bulletin) -> bool:
        """False when the period has its bulletin already."""
        added = await self._tx.connection.execute(
            insert_or_not(bulletin)
            .values(
                id=drafted.id,
                kind=drafted.kind,
                period_id=drafted.period_id,
                period_code=drafted.period_code,
                starts_on=drafted.starts_on,
                ends_on=drafted.ends_on,
                title=drafted.title,
                **_changing(drafted),
            )
            .on_conflict_do_nothing()
            .returning(bulletin.c.id)
        )
        if added.one_or_none() is None:
            return False
        rows = [
            {
                "bulletin_id": drafted.id,
                "position": position,
                "scorecard_id": each.scorecard_id,
                "window_code": each.window_code,
                "unit_code": each.unit_code,
                "score": each.score,
                "grade": each.grade,
                "rank": each.rank,
            }
            for position, each in enumerate(drafted.scores, start=1)
        ]
        if rows:
            await self._tx.connection.execute(insert(bulletin_score), rows)
        await self._add_results(drafted)
        return True

    async def latest_of(self, period_id: UUID) -> Bulletin | None:
        """The newest bulletin of a period, locked; without its results."""
        rows = await self._tx.connection.execute(
            select(bulletin)
            .where(bulletin.c.period_id == period_id)
            .order_by(bulletin.c.run.desc())
            .limit(1)
            .with_for_update()
        )
        row = rows.one_or_none()
        return None if row is None else bulletin_of(row, ())

    async def replace(self, redrafted: Bulletin) -> None:
        """With its results; the old ones were never public."""
        await self.save(redrafted)
        table = bulletin_result
        await self._tx.connection.execute(delete(table).where(table.c.bulletin_id == redrafted.id))
        await self._add_results(redrafted)

    async def _add_results(self, drafted: Bulletin) -> None:
        rows = [
            {"bulletin_id": drafted.id, "position": position, **asdict(each)}
            for position, each in enumerate(drafted.results, start=1)
        ]
        if rows:
            await self._tx.connection.execute(insert(bulletin_result), rows)

    async def get(self, bulletin_id: UUID) -> Bulletin:
        """Locks the bulletin; without its scores, which never change. Raises BulletinNotFound."""
        rows = await self._tx.connection.execute(
            select(bulletin).where(bulletin.c.id == bulletin_id).with_for_update()
        )
        row = rows.one_or_none()
        if row is None:
            raise BulletinNotFound("没有这份通报")
        return bulletin_of(row, ())

    async def save(self, moved: Bulletin) -> None:
        await self._tx.connection.execute(
            update(bulletin).where(bulletin.c.id == moved.id).values(_changing(moved))
        )

    async def next_serial(self, day: date) -> int:
        """The next index serial of a month; one publication at a time takes one."""
        execute = self._tx.connection.execute
        await execute(text("SELECT pg_advisory_xact_lock(hashtext('tongban index number'))"))
        month = f"%/{day:%Y%m}-%"
        found = await execute(
            select(func.count()).select_from(bulletin).where(bulletin.c.index_no.like(month))
        )
        return int(found.scalar_one()) + 1

    async def keep_name(self, kind: str, code: str, known_as: str) -> None:
        await self._tx.connection.execute(
            insert_or_not(name)
            .values(kind=kind, code=code, name=known_as)
            .on_conflict_do_update(index_elements=["kind", "code"], set_={"name": known_as})
        )


def bulletin_of(row: Any, scores: Sequence[Score]) -> Bulletin:
    return Bulletin(
        id=row.id,
        kind=Kind(row.kind),
        period_id=row.period_id,
        run=row.run,
        labels=row.labels,
        period_code=row.period_code,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        title=row.title,
        scores=scores,
        drafted_at=row.drafted_at,
        due_at=row.due_at,
        status=Status(row.status),
        index_no=row.index_no,
        reviewed_by=row.reviewed_by,
        reviewed_at=row.reviewed_at,
        approved_by=row.approved_by,
        published_at=row.published_at,
        withdrawn_at=row.withdrawn_at,
        withdrawal=row.withdrawal,
        version=row.version,
    )


def _changing(moved: Bulletin) -> dict[str, object]:
    return {
        "run": moved.run,
        "labels": dict(moved.labels),
        "drafted_at": moved.drafted_at,
        "due_at": moved.due_at,
        "status": moved.status,
        "index_no": moved.index_no,
        "reviewed_by": moved.reviewed_by,
        "reviewed_at": moved.reviewed_at,
        "approved_by": moved.approved_by,
        "published_at": moved.published_at,
        "withdrawn_at": moved.withdrawn_at,
        "withdrawal": moved.withdrawal,
        "version": moved.version,
    }
