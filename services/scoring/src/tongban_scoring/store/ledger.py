"""The ledger and the count of matters handled: append-only, each fact once."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
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
    any_,
    exists,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from tongban_common.db import Transaction
from tongban_common.errors import NotFound
from tongban_common.working_days import SHANGHAI
from tongban_scoring.domain.entries import Entry, Evidence, Responsibility, State
from tongban_scoring.domain.rules import Side, Wording
from tongban_scoring.store.reference import metadata

entry = Table(
    "entry",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("window_code", Text, nullable=False),
    Column("rule_id", Text, nullable=False),
    Column("amount", Numeric(8, 2), nullable=False),
    Column("quantity", Numeric(8, 2), nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("fact", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("staff_code", Text),
    Column("evidence", JSONB),
    Column("reverses", ForeignKey("entry.id")),
    Column("rule", JSONB),  # as it read then
    Column("responsibility", Text),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("recorded_by", Text),
    Column("decided_at", DateTime(timezone=True)),
    Column("decided_by", Text),
    Column("counted_in", Text),  # the period whose card holds it
    Column("version", Integer, nullable=False, server_default="1"),
    UniqueConstraint("rule_id", "source", "window_code"),
)
Index("ix_entry_open", entry.c.occurred_at, postgresql_where=text("counted_in IS NULL"))
Index("ix_entry_fact", entry.c.fact)
Index("ix_entry_reverses", entry.c.reverses, postgresql_where=text("reverses IS NOT NULL"))
Index("ix_entry_newest", entry.c.recorded_at.desc(), entry.c.id.desc())
activity = Table(
    "activity",
    metadata,
    Column("window_code", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("handled", Integer, nullable=False),
)

# A fact that names only a unit goes to its first active window; a unit without one stands for
# itself.
_WINDOW = """
    coalesce(
      CAST(:window AS text),
      (SELECT code FROM service_window WHERE unit_code = :unit AND is_active ORDER BY code LIMIT 1),
      :unit
    )
"""
_ADD = text(
    f"""
    INSERT INTO entry (id, window_code, rule_id, amount, quantity, occurred_at, fact, source,
                       state, staff_code, evidence, reverses, rule, recorded_at, recorded_by)
    VALUES (:id, {_WINDOW}, :rule_id, :amount, :quantity, :occurred_at, :fact, :source,
            :state, :staff_code, CAST(:evidence AS jsonb), :reverses, CAST(:rule AS jsonb),
            :recorded_at, :recorded_by)
    ON CONFLICT (rule_id, source, window_code) DO NOTHING
    RETURNING id
    """  # noqa: S608 - the fragment is our own
)
_COUNT = text(
    f"""
    INSERT INTO activity AS a (window_code, day, handled) VALUES ({_WINDOW}, :day, 1)
    ON CONFLICT (window_code, day) DO UPDATE SET handled = a.handled + 1
    """  # noqa: S608 - the fragment is our own
)
_ADOPT = text(  # topics are not ordered among each other: facts may come before their window
    """
    UPDATE entry SET window_code = :window
    WHERE window_code = :unit AND counted_in IS NULL AND occurred_at >= :since
    """
)
_ADOPT_ACTIVITY = text(
    """
    WITH taken AS (
      DELETE FROM activity WHERE window_code = :unit AND day >= :day RETURNING day, handled
    )
    INSERT INTO activity AS a (window_code, day, handled) SELECT :window, day, handled FROM taken
    ON CONFLICT (window_code, day) DO UPDATE SET handled = a.handled + EXCLUDED.handled
    """
)


class EntryNotFound(NotFound):
    code = "entry.not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a fact concerns: a window, or a unit whose first window stands for it."""

    unit_code: str
    window_code: str | None = None

    def values(self) -> dict[str, str | None]:
        return {"unit": self.unit_code, "window": self.window_code}


class Ledger:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def add(
        self, new: Entry, subject: Subject, *, recorded_at: datetime, recorded_by: str | None = None
    ) -> bool:
        """False when this fact is in the ledger already. `new.window_code` is not looked at."""
        added = await self._tx.connection.execute(
            _ADD,
            {
                **subject.values(),
                "id": new.id,
                "rule_id": new.rule_id,
                "amount": new.amount,
                "quantity": new.quantity,
                "occurred_at": new.occurred_at,
                "fact": new.fact,
                "source": new.source,
                "state": new.state,
                "staff_code": new.staff_code,
                "evidence": None if new.evidence is None else _json(new.evidence.values()),
                "reverses": new.reverses,
                "rule": None if new.rule is None else _json(asdict(new.rule)),
                "recorded_at": recorded_at,
                "recorded_by": recorded_by,
            },
        )
        return added.one_or_none() is not None

    async def get(self, entry_id: UUID) -> tuple[Entry, int]:
        """Locks the entry; with its version. Raises EntryNotFound."""
        rows = await self._tx.connection.execute(
            select(entry).where(entry.c.id == entry_id).with_for_update()
        )
        row = rows.one_or_none()
        if row is None:
            raise EntryNotFound("没有这条考核记录")
        return entry_of(row), row.version

    async def standing(self, *, rule_id: str, fact: str, window_code: str) -> UUID | None:
        """The confirmed entry of a rule about a fact that nothing reverses yet, locked."""
        reversal = entry.alias("reversal")
        rows = await self._tx.connection.execute(
            select(entry.c.id)
            .where(entry.c.rule_id == rule_id, entry.c.fact == fact)
            .where(entry.c.window_code == window_code, entry.c.state == State.CONFIRMED)
            .where(entry.c.reverses.is_(None))
            .where(~exists().where(reversal.c.reverses == entry.c.id))
            .order_by(entry.c.id)
            .limit(1)
            .with_for_update()
        )
        return rows.scalar_one_or_none()

    async def save(self, decided: Entry, *, at: datetime, by: str | None) -> None:
        evidence = None if decided.evidence is None else decided.evidence.values()
        await self._tx.connection.execute(
            update(entry)
            .where(entry.c.id == decided.id)
            .values(
                state=decided.state,
                evidence=evidence,
                responsibility=decided.responsibility,
                decided_at=at,
                decided_by=by,
                version=entry.c.version + 1,
            )
        )

    async def count(self, subject: Subject, day: date) -> None:
        """One more matter handled that day."""
        await self._tx.connection.execute(_COUNT, {**subject.values(), "day": day})

    async def adopt(self, subject: Subject, *, since: datetime) -> None:
        """What stood for the unit itself from then on belongs to this window of it."""
        day = since.astimezone(SHANGHAI).date()
        await self._tx.connection.execute(_ADOPT, {**subject.values(), "since": since})
        await self._tx.connection.execute(_ADOPT_ACTIVITY, {**subject.values(), "day": day})

    async def countable(self, *, before: datetime) -> Sequence[Entry]:
        """Confirmed entries of facts before this instant that no card holds yet, locked."""
        rows = await self._tx.connection.execute(
            select(entry)
            .where(entry.c.counted_in.is_(None), entry.c.state == State.CONFIRMED)
            .where(entry.c.occurred_at < before)
            .order_by(entry.c.id)
            .with_for_update()
        )
        return [entry_of(row) for row in rows]

    async def handled(self, starts_on: date, ends_on: date) -> dict[str, int]:
        """Matters handled by each window in a span of days."""
        rows = await self._tx.connection.execute(
            text(
                "SELECT window_code, sum(handled) AS handled FROM activity "
                "WHERE day BETWEEN :starts_on AND :ends_on GROUP BY window_code"
            ),
            {"starts_on": starts_on, "ends_on": ends_on},
        )
        return {row.window_code: int(row.handled) for row in rows}

    async def mark_counted(self, entry_ids: Sequence[UUID], period_code: str) -> None:
        """One array for all ids: a parameter each would end at 32,767 of them."""
        await self._tx.connection.execute(
            update(entry).where(entry.c.id == any_of(entry_ids)).values(counted_in=period_code)
        )


def any_of(ids: Sequence[UUID]) -> ColumnElement[bool]:
    return any_(literal(list(ids), ARRAY(Uuid())))


def entry_of(row: Any) -> Entry:
    return Entry(
        id=row.id,
        window_code=row.window_code,
        rule_id=row.rule_id,
        amount=row.amount,
        quantity=row.quantity,
        occurred_at=row.occurred_at,
        fact=row.fact,
        source=row.source,
        state=State(row.state),
        staff_code=row.staff_code,
        evidence=evidence_of(row.evidence),
        reverses=row.reverses,
        rule=None if row.rule is None else Wording(**{**row.rule, "side": Side(row.rule["side"])}),
        responsibility=None if row.responsibility is None else Responsibility(row.responsibility),
    )


def evidence_of(stored: Mapping[str, Any] | None) -> Evidence | None:
    if stored is None:
        return None
    return Evidence(text=stored["text"], references=tuple(stored["references"]))


def _json(value: Mapping[str, object]) -> str:
    return orjson.dumps(value).decode()
