"""Periods and scorecards with their lines: written once, when a period ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    Uuid,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, ExcludeConstraint
from sqlalchemy.dialects.postgresql import insert as insert_or_not

from tongban_common.db import Transaction
from tongban_common.errors import Conflict, NotFound
from tongban_scoring.domain.card import Paid, Scorecard
from tongban_scoring.domain.period import Period
from tongban_scoring.domain.rules import RuleBook
from tongban_scoring.store.ledger import any_of
from tongban_scoring.store.reference import metadata

period = Table(
    "period",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date, nullable=False),
    Column("rule_book", Text, nullable=False),
    Column("rule_book_version", Integer, nullable=False),
    Column("finished_at", DateTime(timezone=True), nullable=False),
    Column("bulletin_id", Uuid),  # of the bulletin that made its cards public
    # A day is assessed once: no two periods may share one.
    ExcludeConstraint(
        (text("daterange(starts_on, ends_on, '[]')"), "&&"), name="ex_period_days", using="gist"
    ),
)
scorecard = Table(
    "scorecard",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("period_id", ForeignKey("period.id"), nullable=False),
    Column("window_code", Text, nullable=False),
    Column("unit_code", Text, nullable=False),
    Column("score", Numeric(8, 2), nullable=False),
    Column("grade", Text, nullable=False),
    Column("rank", Integer),
    Column("bonus", Numeric(8, 2), nullable=False),
    Column("deduction", Numeric(8, 2), nullable=False),
    Column("correction", Numeric(8, 2), nullable=False),
    Column("formula", Text, nullable=False),
    Column("handled", Integer, nullable=False),
)
Index("uq_scorecard_period_window", scorecard.c.period_id, scorecard.c.window_code, unique=True)
scorecard_line = Table(
    "scorecard_line",
    metadata,
    Column("scorecard_id", ForeignKey("scorecard.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("entry_id", ForeignKey("entry.id"), nullable=False),
    Column("rule_id", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("clause", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("quantity", Numeric(8, 2), nullable=False),
    Column("amount", Numeric(8, 2), nullable=False),
    Column("points", Numeric(8, 2), nullable=False),
    Column("day", Text, nullable=False),
    Column("notes", JSONB, nullable=False),
)
Index("ix_scorecard_line_entry", scorecard_line.c.entry_id)


class PeriodNotFound(NotFound):
    code = "period.not_found"


class PeriodOverlaps(Conflict):
    code = "period.overlaps"


class ScorecardNotFound(NotFound):
    code = "scorecard.not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowCard:
    """A computed card with whose it is."""

    id: UUID
    window_code: str
    unit_code: str
    rank: int | None
    handled: int
    card: Scorecard


class Cards:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def open_period(
        self, period_id: UUID, wanted: Period, book: RuleBook, *, now: datetime
    ) -> bool:
        """False when this period is finished already. Raises PeriodOverlaps."""
        added = await self._tx.connection.execute(
            insert_or_not(period)
            .values(
                id=period_id,
                code=wanted.code,
                starts_on=wanted.starts_on,
                ends_on=wanted.ends_on,
                rule_book=book.name,
                rule_book_version=book.version,
                finished_at=now,
            )
            .on_conflict_do_nothing()
            .returning(period.c.id)
        )
        if added.one_or_none() is not None:
            return True
        same = select(period.c.id).where(
            period.c.code == wanted.code,
            period.c.starts_on == wanted.starts_on,
            period.c.ends_on == wanted.ends_on,
        )
        if (await self._tx.connection.execute(same)).one_or_none() is None:
            raise PeriodOverlaps("这些日期已在另一个考核周期中结算过，不能重复结算")
        return False

    async def publish(self, period_code: str, bulletin_id: UUID) -> None:
        """The cards of the period are for everybody now."""
        published = update(period).where(period.c.code == period_code)
        await self._tx.connection.execute(published.values(bulletin_id=bulletin_id))

    async def withdraw(self, bulletin_id: UUID) -> None:
        withdrawn = update(period).where(period.c.bulletin_id == bulletin_id)
        await self._tx.connection.execute(withdrawn.values(bulletin_id=None))

    async def paid(self, entry_ids: Sequence[UUID]) -> dict[UUID, Paid]:
        """What the cards of finished periods hold of these entries, all their lines together."""
        rows = await self._tx.connection.execute(
            select(
                scorecard_line.c.entry_id,
                scorecard_line.c.label,
                scorecard_line.c.clause,
                scorecard_line.c.points,
                period.c.code,
            )
            .join(scorecard, scorecard.c.id == scorecard_line.c.scorecard_id)
            .join(period, period.c.id == scorecard.c.period_id)
            .where(scorecard_line.c.entry_id == any_of(entry_ids))
            .order_by(scorecard_line.c.position.desc())
        )
        paid: dict[UUID, Paid] = {}
        for row in rows:  # the entry's own line comes last, and names it
            more = paid[row.entry_id].points if row.entry_id in paid else 0
            paid[row.entry_id] = Paid(
                period_code=row.code,
                label=row.label,
                clause=row.clause,
                points=row.points + more,
            )
        return paid

    async def add(self, period_id: UUID, cards: Sequence[WindowCard]) -> None:
        """All cards of a period at once."""
        if not cards:
            return
        execute = self._tx.connection.execute
        await execute(insert(scorecard), [_card_row(period_id, each) for each in cards])
        lines = [row for each in cards for row in _line_rows(each)]
        if lines:
            await execute(insert(scorecard_line), lines)


def _card_row(period_id: UUID, each: WindowCard) -> dict[str, object]:
    return {
        "id": each.id,
        "period_id": period_id,
        "window_code": each.window_code,
        "unit_code": each.unit_code,
        "score": each.card.score,
        "grade": each.card.grade,
        "rank": each.rank,
        "bonus": each.card.bonus,
        "deduction": each.card.deduction,
        "correction": each.card.correction,
        "formula": each.card.formula,
        "handled": each.handled,
    }


def _line_rows(each: WindowCard) -> list[dict[str, object]]:
    return [
        {
            "scorecard_id": each.id,
            "position": position,
            "entry_id": line.entry_id,
            "rule_id": line.rule_id,
            "label": line.label,
            "clause": line.clause,
            "side": line.side,
            "quantity": line.quantity,
            "amount": line.amount,
            "points": line.points,
            "day": line.day,
            "notes": list(line.notes),
        }
        for position, line in enumerate(each.card.lines, start=1)
    ]
