"""Durable deadlines: armed, warned, fired exactly once, never early, disarmed, re-dated.

A timer is armed and disarmed in the transaction that opens and closes the matter. The sweep locks
the matter first, as every operation does, and only then takes the timer by compare-and-set: so
closing and firing never deadlock, and exactly one of them wins.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

import structlog
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    Row,
    Table,
    Text,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Database, Transaction, is_transient
from tongban_common.foundation import foundation
from tongban_common.telemetry import DEADLINES
from tongban_common.working_days import SHANGHAI, Limit, Unit, WorkingCalendar

_log = structlog.get_logger()
AggregateT = TypeVar("AggregateT")
BATCH = 100
Chore = Callable[[datetime], Awaitable[object]]  # done beside the sweeps of a process

timer = Table(
    "timer",
    foundation,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("start_at", DateTime(timezone=True), nullable=False),
    Column("amount", Integer, nullable=False),
    Column("unit", Text, nullable=False),
    Column("clause", Text, nullable=False),
    Column("calendar_version", Text, nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("warn_at", DateTime(timezone=True)),
    # armed; fired: missed; disarmed: the matter was closed in time or given up
    Column("state", Text, nullable=False),
    Column("warned_at", DateTime(timezone=True)),
    Column("settled_at", DateTime(timezone=True)),
    Column("retry_at", DateTime(timezone=True)),
    Column("attempts", Integer, nullable=False, server_default="0"),
)
_ARMED = text("state = 'armed'")
Index("uq_timer_armed", timer.c.subject, timer.c.kind, unique=True, postgresql_where=_ARMED)
Index("ix_timer_due", timer.c.due_at, postgresql_where=_ARMED)
Index(
    "ix_timer_warn", timer.c.warn_at, postgresql_where=text("state='armed' AND warned_at IS NULL")
)

# Claimed by advisory locks, not row locks: a row lock held while waiting for the matter's lock
# would deadlock with the transaction that holds the matter and disarms the timer. A lock is tried
# only of what the first part has found: as a condition on the table itself, the planner may try one
# of every timer that there is. It finds more than a batch, so that sweepers do not queue for one.
_CLAIM = """
    WITH due AS MATERIALIZED (
      SELECT id FROM timer WHERE state = 'armed' AND {condition}
        AND (retry_at IS NULL OR retry_at <= :now)
      ORDER BY {column}, id LIMIT :batch * 8
    ), mine AS MATERIALIZED (
      SELECT id FROM due WHERE pg_try_advisory_xact_lock(id) LIMIT :batch
    )
    SELECT t.* FROM mine JOIN timer t USING (id) ORDER BY t.subject, t.id
"""
_CLAIM_DUE = text(_CLAIM.format(condition="due_at < :now", column="due_at")).columns(*timer.columns)
_CLAIM_WARN = text(
    _CLAIM.format(
        condition="warned_at IS NULL AND warn_at <= :now AND due_at >= :now", column="warn_at"
    )
).columns(*timer.columns)
_NEXT = text(
    """
    SELECT least(
      (SELECT min(due_at) FROM timer WHERE state = 'armed'),
      (SELECT min(warn_at) FROM timer WHERE state = 'armed' AND warned_at IS NULL)
    )
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """What to arm: the result and everything that it was computed from."""

    kind: str
    subject: str  # the aggregate's id
    start_at: datetime
    limit: Limit
    due_at: datetime
    warn_at: datetime | None
    calendar_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Due(Deadline):
    """An armed deadline whose moment has come; `now` is the moment of the sweep."""

    id: int
    now: datetime


@dataclass(frozen=True, slots=True)
class OnDue(Generic[AggregateT]):
    kind: str
    lock: Callable[[Transaction, str], Awaitable[AggregateT]]
    missed: Callable[[Transaction, AggregateT, Due], Awaitable[object]]
    approaching: Callable[[Transaction, AggregateT, Due], Awaitable[object]] | None = None
    rescheduled: Callable[[Transaction, AggregateT, Due, datetime], Awaitable[object]] | None = None
    due_of: Callable[[AggregateT, Due, WorkingCalendar], datetime] | None = None


def on_due(
    kind: str,
    *,
    lock: Callable[[Transaction, str], Awaitable[AggregateT]],
    missed: Callable[[Transaction, AggregateT, Due], Awaitable[object]],
    approaching: Callable[[Transaction, AggregateT, Due], Awaitable[object]] | None = None,
    rescheduled: Callable[[Transaction, AggregateT, Due, datetime], Awaitable[object]]
    | None = None,
    due_of: Callable[[AggregateT, Due, WorkingCalendar], datetime] | None = None,
) -> OnDue[AggregateT]:
    """What a service does about one kind of deadline. `rescheduled` gets the old due moment.

    `due_of` computes the due moment under a new calendar where start and limit alone do not say it.
    """
    return OnDue(kind, lock, missed, approaching, rescheduled, due_of)


async def arm(tx: Transaction, deadline: Deadline) -> None:
    await tx.connection.execute(
        timer.insert().values(
            kind=deadline.kind,
            subject=deadline.subject,
            start_at=deadline.start_at,
            amount=deadline.limit.amount,
            unit=deadline.limit.unit,
            clause=deadline.limit.clause,
            calendar_version=deadline.calendar_version,
            due_at=deadline.due_at,
            warn_at=deadline.warn_at,
            state="armed",
        )
    )


async def disarm(tx: Transaction, *, subject: str, now: datetime, kind: str | None = None) -> None:
    """Settle the matter's open timers (of one kind, or all), in the transaction that closes it.

    One that has run out stays armed: the matter was late, and the sweep will say so, however soon
    after its end the matter was closed.
    """
    statement = update(timer).where(
        timer.c.subject == subject, timer.c.state == "armed", timer.c.due_at >= now
    )
    if kind is not None:
        statement = statement.where(timer.c.kind == kind)
    await tx.connection.execute(statement.values(state="disarmed", settled_at=now))


_WIND = text(
    """
    WITH armed AS (
      SELECT * FROM unnest(
        CAST(:kinds AS text[]), CAST(:subjects AS text[]), CAST(:starts AS timestamptz[]),
        CAST(:amounts AS integer[]), CAST(:units AS text[]), CAST(:clauses AS text[]),
        CAST(:calendars AS text[]), CAST(:dues AS timestamptz[]), CAST(:warns AS timestamptz[])
      ) AS a (kind, subject, start_at, amount, unit, clause, calendar_version, due_at, warn_at)
    ), overtaken AS (
      SELECT t.subject, t.kind, t.due_at FROM timer t JOIN armed USING (subject, kind)
      WHERE t.state = 'armed' AND t.due_at < :now
    ), gone AS (
      UPDATE timer t SET state = 'disarmed', settled_at = :now
      FROM unnest(CAST(:gone_subjects AS text[]), CAST(:gone_kinds AS text[])) AS g (subject, kind)
      WHERE t.subject = g.subject AND t.kind = g.kind AND t.state = 'armed' AND t.due_at >= :now
    ), wound AS (
      INSERT INTO timer (kind, subject, start_at, amount, unit, clause, calendar_version, due_at,
                         warn_at, state)
      SELECT armed.*, 'armed' FROM armed
      ON CONFLICT (subject, kind) WHERE state = 'armed' DO UPDATE SET
        start_at = excluded.start_at, amount = excluded.amount, unit = excluded.unit,
        clause = excluded.clause, calendar_version = excluded.calendar_version,
        due_at = excluded.due_at, warn_at = excluded.warn_at, warned_at = NULL
    )
    SELECT * FROM overtaken
    """
).columns(timer.c.subject, timer.c.kind, timer.c.due_at)


@dataclass(frozen=True, slots=True)
class Overtaken:
    """A timer that had run out, unseen by any sweep, when it was set anew: say so, for it will not.

    The caller holds the lock of its matter, so that no sweep is just about to.
    """

    subject: str
    kind: str
    due_at: datetime


async def wind(
    tx: Transaction,
    *,
    armed: Sequence[Deadline] = (),
    gone: Sequence[tuple[str, str]] = (),
    now: datetime,
) -> list[Overtaken]:
    """Arm (or set anew) some timers and disarm others, by (subject, kind), in one statement."""
    if not armed and not gone:
        return []
    rows = await tx.connection.execute(
        _WIND,
        {
            "now": now,
            "gone_subjects": [subject for subject, _ in gone],
            "gone_kinds": [kind for _, kind in gone],
            "kinds": [each.kind for each in armed],
            "subjects": [each.subject for each in armed],
            "starts": [each.start_at for each in armed],
            "amounts": [each.limit.amount for each in armed],
            "units": [each.limit.unit for each in armed],
            "clauses": [each.limit.clause for each in armed],
            "calendars": [each.calendar_version for each in armed],
            "dues": [each.due_at for each in armed],
            "warns": [each.warn_at for each in armed],
        },
    )
    return [Overtaken(row.subject, row.kind, row.due_at) for row in rows]


async def next_due(connection: AsyncConnection) -> datetime | None:
    """The next moment at which a sweep has something to do."""
    moment: datetime | None = (await connection.execute(_NEXT)).scalar_one()
    return moment


class Sweeper:
    """Fires and warns what has come due. Any number may run side by side."""

    def __init__(
        self, db: Database, handlers: Sequence[OnDue[Any]], *, chore: Chore | None = None
    ) -> None:
        self._db, self._chore = db, chore
        self._handlers = {each.kind: each for each in handlers}

    async def sweep(self, *, now: datetime) -> int:
        """Warn and fire everything whose moment lies before `now`. Returns how many."""
        total = 0
        for claim, act in ((_CLAIM_WARN, self._warn), (_CLAIM_DUE, self._fire)):
            while (done := await self._some(claim, act, now)) > 0:
                total += done
        return total

    async def redate(self, calendar: WorkingCalendar, *, now: datetime) -> int:
        """Recompute every open deadline under a new calendar. Returns how many moved."""
        async with self._db.reading() as connection:
            rows = (await connection.execute(timer.select().where(_ARMED))).all()
        moved = 0
        for row in rows:
            due = _due(row, now)
            new_due_at = calendar.due(due.start_at, due.limit)
            if new_due_at != due.due_at:
                moved += await self._move(due, new_due_at, calendar)
        return moved

    async def run(self, *, stop: asyncio.Event, poll_seconds: float) -> None:
        """Sweep until told to stop, by the database's clock."""
        while not stop.is_set():
            try:
                await self.sweep(now=(now := await self._db.now()))
                if self._chore is not None:
                    await self._chore(now)
            except Exception as fault:  # noqa: BLE001 - a process edge: timers stay armed
                _log.warning("timers.failed", fault=type(fault).__name__)
            try:
                async with asyncio.timeout(poll_seconds):
                    await stop.wait()
            except TimeoutError:
                continue

    async def _some(
        self,
        claim: Any,
        act: Callable[[Transaction, OnDue[Any], Due], Awaitable[None]],
        now: datetime,
    ) -> int:
        """One claimed batch in one transaction; a timer whose handler fails waits for a retry."""
        async with self._db.transaction() as tx:
            rows = await tx.connection.execute(claim, {"now": now, "batch": BATCH})
            claimed = [_due(row, now) for row in rows]
            for due in claimed:
                try:
                    async with tx.savepoint():
                        await act(tx, self._handlers[due.kind], due)
                except Exception as fault:
                    if is_transient(fault):
                        raise
                    _log.exception("timers.handler_failed", kind=due.kind, subject=due.subject)
                    await _postpone(tx, due)
        return len(claimed)

    async def _fire(self, tx: Transaction, handler: OnDue[Any], due: Due) -> None:
        aggregate = await handler.lock(tx, due.subject)
        if await _set(tx, due, "due_at < :now", state="fired", settled_at=due.now):
            await handler.missed(tx, aggregate, due)
            DEADLINES.labels(due.kind, "missed").inc()

    async def _warn(self, tx: Transaction, handler: OnDue[Any], due: Due) -> None:
        aggregate = await handler.lock(tx, due.subject)
        if await _set(tx, due, "warned_at IS NULL AND warn_at <= :now", warned_at=due.now):
            if handler.approaching is not None:
                await handler.approaching(tx, aggregate, due)
            DEADLINES.labels(due.kind, "approaching").inc()

    async def _move(self, due: Due, new_due_at: datetime, calendar: WorkingCalendar) -> int:
        handler = self._handlers[due.kind]
        async with self._db.transaction() as tx:
            aggregate = await handler.lock(tx, due.subject)
            if handler.due_of is not None:
                new_due_at = handler.due_of(aggregate, due, calendar)
            if new_due_at == due.due_at:
                return 0
            moved = _moved(due, new_due_at, calendar)
            taken = await _set(
                tx,
                due,
                None,
                due_at=moved.due_at,
                warn_at=moved.warn_at,
                calendar_version=moved.calendar_version,
            )
            if not taken:
                return 0
            if handler.rescheduled is not None:
                await handler.rescheduled(tx, aggregate, moved, due.due_at)
        DEADLINES.labels(due.kind, "rescheduled").inc()
        return 1


def _moved(due: Due, new_due_at: datetime, calendar: WorkingCalendar) -> Due:
    shift = new_due_at - due.due_at
    return replace(
        due,
        due_at=new_due_at,
        warn_at=None if due.warn_at is None else due.warn_at + shift,
        calendar_version=calendar.version_for(
            due.start_at.astimezone(SHANGHAI).date(), new_due_at.astimezone(SHANGHAI).date()
        ),
    )


async def _set(tx: Transaction, due: Due, condition: str | None, **values: object) -> bool:
    """Compare and set: True when this sweep took the timer, False when it was settled meanwhile."""
    statement = update(timer).where(timer.c.id == due.id, _ARMED, timer.c.due_at == due.due_at)
    if condition is not None:
        statement = statement.where(text(f"({condition})").bindparams(now=due.now))
    taken = await tx.connection.execute(statement.values(**values).returning(timer.c.id))
    return taken.one_or_none() is not None


async def _postpone(tx: Transaction, due: Due) -> None:
    await tx.connection.execute(
        text(
            "UPDATE timer SET attempts = attempts + 1, retry_at = CAST(:now AS timestamptz) "
            "+ interval '1 minute' * power(2, least(attempts, 8)) WHERE id = :id"
        ),
        {"now": due.now, "id": due.id},
    )


def _due(row: Row[Any], now: datetime) -> Due:
    return Due(
        id=row.id,
        kind=row.kind,
        subject=row.subject,
        start_at=row.start_at,
        limit=Limit(amount=row.amount, unit=Unit(row.unit), clause=row.clause),
        due_at=row.due_at,
        warn_at=row.warn_at,
        calendar_version=row.calendar_version,
        now=now,
    )
