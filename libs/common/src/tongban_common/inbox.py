"""The inbox: events applied exactly once, in order, whatever the wire does.

Per (consumer, topic, shard) one watermark row: `n <= applied` is a duplicate, `n == applied + 1`
is applied, a larger `n` is a gap, reported and repaired from the producer's outbox. Effects,
watermark and the consumer's own announcements commit in one transaction, a batch at a time.

A poison event (one that fails the same way each time) becomes a dead letter in that same
transaction and counts as applied; later events of its aggregate are parked behind it until it is
replayed or skipped. An unknown type becomes a dead letter too, but parks nothing.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)

from tongban_common.db import Database, Transaction, is_transient
from tongban_common.dead_letters import DeadLetters, StillUnknown, describe
from tongban_common.events import Envelope, Reading
from tongban_common.foundation import foundation
from tongban_common.telemetry import CONSUMED, GAPS, trace
from tongban_common.wire import by_shard

_log = structlog.get_logger()
ReadingT = TypeVar("ReadingT", bound=Reading)
Place = tuple[str, int]  # topic, shard
Repair = Callable[[str, int, int, int], Awaitable[list[Envelope]]]  # topic, shard, after, upto

inbox_watermark = Table(
    "inbox_watermark",
    foundation,
    Column("consumer", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("shard", SmallInteger, primary_key=True),
    Column("applied", BigInteger, nullable=False),
    postgresql_with={"fillfactor": 50},
)
inbox_gap = Table(
    "inbox_gap",
    foundation,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("consumer", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("shard", SmallInteger, nullable=False),
    Column("expected", BigInteger, nullable=False),
    Column("got", BigInteger, nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("repaired_at", DateTime(timezone=True)),
)

_LOCK = text(
    """
    SELECT topic, shard, applied FROM inbox_watermark
    WHERE consumer = :consumer AND (topic, shard) IN (
      SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:shards AS smallint[]))
    )
    ORDER BY topic, shard FOR UPDATE
    """
)
_START = text(
    """
    INSERT INTO inbox_watermark (consumer, topic, shard, applied)
    SELECT :consumer, w.topic, w.shard, 0
    FROM unnest(CAST(:topics AS text[]), CAST(:shards AS smallint[])) AS w (topic, shard)
    ORDER BY w.topic, w.shard
    ON CONFLICT DO NOTHING
    """
)
_MOVE = text(  # a gap is closed by whatever fills it: a repair, or what was missing came late
    """
    WITH m AS (
      SELECT * FROM unnest(
        CAST(:topics AS text[]), CAST(:shards AS smallint[]), CAST(:applied AS bigint[])
      ) AS m (topic, shard, applied)
    ), closed AS (
      UPDATE inbox_gap g SET repaired_at = now() FROM m
      WHERE g.consumer = :consumer AND g.topic = m.topic AND g.shard = m.shard
        AND g.repaired_at IS NULL AND g.got <= m.applied + 1
    )
    UPDATE inbox_watermark w SET applied = m.applied FROM m
    WHERE w.consumer = :consumer AND w.topic = m.topic AND w.shard = m.shard
    """
)
_REPORT_GAP = text(  # once, however often the batch behind it is tried again
    """
    INSERT INTO inbox_gap (consumer, topic, shard, expected, got)
    SELECT :consumer, :topic, :shard, :expected, :got
    WHERE NOT EXISTS (
      SELECT FROM inbox_gap
      WHERE consumer = :consumer AND topic = :topic AND shard = :shard
        AND expected = :expected AND repaired_at IS NULL
    )
    """
)


class GapInShard(Exception):
    """An event before this one never arrived: that is a loss or a misrouting, never normal."""

    def __init__(self, topic: str, shard: int, *, expected: int, got: int) -> None:
        super().__init__(f"{topic} shard {shard}: expected {expected}, got {got}")
        self.topic, self.shard, self.expected, self.got = topic, shard, expected, got


@dataclass(frozen=True, slots=True)
class Subscription(Generic[ReadingT]):
    """A type that a service reads, with its handler; without one, a type it leaves unread."""

    topic: str
    event_type: str
    reading: type[ReadingT] | None = None
    handler: Callable[[Transaction, ReadingT], Awaitable[object]] | None = None


def on(
    reading: type[ReadingT], handler: Callable[[Transaction, ReadingT], Awaitable[object]]
) -> Subscription[ReadingT]:
    return Subscription(reading.topic, reading.type, reading, handler)


def ignore(topic: str, *types: str) -> tuple[Subscription[Any], ...]:
    """Types of a subscribed topic that are deliberately left unread: `*ignore(TOPIC, …)`."""
    return tuple(Subscription(topic, type_) for type_ in types)


class Inbox:
    """One consumer's way in: what a wire delivers is applied to the consumer's own database."""

    def __init__(
        self,
        db: Database,
        *,
        consumer: str,
        subscriptions: Sequence[Subscription[Any]],
        repair: Repair | None = None,
        attempts: int = 3,
    ) -> None:
        self._db = db
        self._consumer = consumer
        self._subscriptions = {(each.topic, each.event_type): each for each in subscriptions}
        self._stems = {(each.topic, _stem(each.event_type)) for each in subscriptions}
        self._repair = repair
        self._attempts = attempts
        self.letters = DeadLetters(db, consumer=consumer, apply=self._apply_again)
        self.topics = tuple(sorted({each.topic for each in subscriptions}))
        self.outcomes: Counter[str] = Counter()  # applied, ignored, duplicate, dead, parked, gap

    async def apply(self, envelopes: Sequence[Envelope]) -> None:
        """Apply in order per (topic, shard).

        Raises what is transient (try again) and GapInShard (what came before the gap is applied).
        """
        groups = by_shard([each for each in envelopes if each.topic in self.topics])
        if not groups:
            return
        try:
            gaps = await self._apply_together(groups)
        except Exception as fault:
            if is_transient(fault):
                raise
            gaps = []
            for group in groups:
                gaps += await self._apply_together([group], carefully=True)
        for gap in gaps:
            await self._close_gap(gap, envelopes)

    async def refuse(
        self, *, topic: str, partition: int, offset: int, raw: bytes, reason: str
    ) -> None:
        """Keep what is not even an envelope: it cannot be applied and may not be lost."""
        detail = f"{reason} (partition {partition}, offset {offset})"
        await self.letters.refuse(topic, raw, detail)
        self._count("dead", "undecodable")

    async def _apply_together(
        self, groups: Sequence[tuple[Place, list[Envelope]]], *, carefully: bool = False
    ) -> list[GapInShard]:
        gaps: list[GapInShard] = []
        outcomes: list[tuple[str, str]] = []
        async with self._db.transaction() as tx:
            applied = await self._lock_watermarks(tx, [place for place, _ in groups])
            before = dict(applied)
            blocked = await self.letters.blocked(tx, self.topics)
            for place, batch in groups:
                for envelope in batch:
                    if envelope.n <= applied[place]:
                        outcomes.append(("duplicate", envelope.type))
                        continue
                    expected = applied[place] + 1
                    if envelope.n > expected:
                        gaps.append(GapInShard(*place, expected=expected, got=envelope.n))
                        break
                    outcome = await self._take(tx, envelope, blocked, carefully=carefully)
                    outcomes.append((outcome, envelope.type))
                    applied[place] = envelope.n
            await self._move_watermarks(tx, before, applied)
        for outcome, type_ in outcomes:
            self._count(outcome, type_)
        return gaps

    async def _take(
        self,
        tx: Transaction,
        envelope: Envelope,
        blocked: set[tuple[str, str]],
        *,
        carefully: bool,
    ) -> str:
        """One event: applied, ignored, dead or parked. Raises when `carefully` is off."""
        subscription = self._subscriptions.get((envelope.topic, envelope.type))
        if subscription is None:
            newer = (envelope.topic, _stem(envelope.type)) in self._stems
            reason = "newer_version" if newer else "unknown_type"
            await self.letters.bury(tx, envelope, reason=reason, detail=envelope.type)
            if newer:
                blocked.add((envelope.topic, envelope.subject))
            return "dead"
        if subscription.handler is None:
            return "ignored"
        if (envelope.topic, envelope.subject) in blocked:
            await self.letters.bury(tx, envelope, reason="behind", detail="waits", state="parked")
            return "parked"
        if not carefully:
            await _handle(tx, subscription, envelope)
            return "applied"
        fault = await self._try(tx, subscription, envelope)
        if fault is None:
            return "applied"
        await self.letters.bury(tx, envelope, reason="poison", detail=describe(fault))
        blocked.add((envelope.topic, envelope.subject))
        return "dead"

    async def _try(
        self, tx: Transaction, subscription: Subscription[Any], envelope: Envelope
    ) -> Exception | None:
        last: Exception | None = None
        for _ in range(self._attempts):
            try:
                async with tx.savepoint():
                    await _handle(tx, subscription, envelope)
            except Exception as fault:
                if is_transient(fault):
                    raise
                last = fault
            else:
                return None
        return last

    async def _lock_watermarks(self, tx: Transaction, places: list[Place]) -> dict[Place, int]:
        values = {
            "consumer": self._consumer,
            "topics": [topic for topic, _ in places],
            "shards": [shard for _, shard in places],
        }
        rows = (await tx.connection.execute(_LOCK, values)).all()
        if len(rows) < len(places):
            await tx.connection.execute(_START, values)
            rows = (await tx.connection.execute(_LOCK, values)).all()
        return {(row.topic, row.shard): row.applied for row in rows}

    async def _move_watermarks(
        self, tx: Transaction, before: dict[Place, int], after: dict[Place, int]
    ) -> None:
        moved = {place: n for place, n in after.items() if n != before[place]}
        if moved:
            values = {
                "consumer": self._consumer,
                "topics": [topic for topic, _ in moved],
                "shards": [shard for _, shard in moved],
                "applied": list(moved.values()),
            }
            await tx.connection.execute(_MOVE, values)

    async def _close_gap(self, gap: GapInShard, envelopes: Sequence[Envelope]) -> None:
        """Report it, fetch what is missing from the producer, and take the rest again."""
        values = {
            "consumer": self._consumer,
            "topic": gap.topic,
            "shard": gap.shard,
            "expected": gap.expected,
            "got": gap.got,
        }
        async with self._db.transaction() as tx:
            await tx.connection.execute(_REPORT_GAP, values)
        self.outcomes["gap"] += 1
        GAPS.labels(self._consumer, gap.topic).inc()
        _log.error("inbox.gap", consumer=self._consumer, topic=gap.topic, shard=gap.shard)
        missing = await self._fetch(gap)
        if [each.n for each in missing] != list(range(gap.expected, gap.got)):
            raise gap
        rest = [
            each
            for each in envelopes
            if each.topic == gap.topic and each.shard == gap.shard and each.n >= gap.got
        ]
        await self.apply([*missing, *rest])

    async def _fetch(self, gap: GapInShard) -> list[Envelope]:
        if self._repair is None:
            return []
        return await self._repair(gap.topic, gap.shard, gap.expected - 1, gap.got - 1)

    async def _apply_again(self, tx: Transaction, envelope: Envelope) -> None:
        subscription = self._subscriptions.get((envelope.topic, envelope.type))
        if subscription is None:
            raise StillUnknown(f"本服务仍不认识事件类型 {envelope.type}")
        if subscription.handler is not None:
            await _handle(tx, subscription, envelope)

    def _count(self, outcome: str, type_: str) -> None:
        self.outcomes[outcome] += 1
        CONSUMED.labels(self._consumer, type_, outcome).inc()


async def _handle(tx: Transaction, subscription: Subscription[Any], envelope: Envelope) -> None:
    if subscription.reading is None or subscription.handler is None:
        return
    reading = subscription.reading.model_validate(
        {**envelope.data, "occurred_at": envelope.time, "event_id": envelope.id}
    )
    with trace(envelope.traceparent):
        await subscription.handler(tx, reading)


def _stem(type_: str) -> str:
    """A type without its version: `….case-accepted.v1` → `….case-accepted`."""
    return type_.rpartition(".v")[0]
