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
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import orjson
import structlog
from pydantic import ValidationError
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Row,
    SmallInteger,
    Table,
    Text,
    func,
    text,
    update,
)

from tongban_common.db import Database, Transaction, is_transient
from tongban_common.errors import Conflict, NotFound, Refusal
from tongban_common.events import Envelope, Reading
from tongban_common.foundation import foundation
from tongban_common.telemetry import CONSUMED, GAPS, trace
from tongban_common.wire import by_shard

if TYPE_CHECKING:
    from collections.abc import Iterable

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
dead_letter = Table(
    "dead_letter",
    foundation,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("consumer", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("shard", SmallInteger),
    Column("n", BigInteger),
    Column("subject", Text),
    Column("type", Text),
    Column("body", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    # dead: failed itself; parked: waits behind one; replayed, skipped: settled
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="1"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("settled_at", DateTime(timezone=True)),
)
Index(
    "ix_dead_letter_waiting",
    dead_letter.c.consumer,
    dead_letter.c.topic,
    dead_letter.c.subject,
    postgresql_where=text("state IN ('dead', 'parked')"),
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
_BLOCKED = text(
    """
    SELECT DISTINCT topic, subject FROM dead_letter
    WHERE consumer = :consumer AND topic = ANY(:topics) AND state IN ('dead', 'parked')
      AND reason <> 'unknown_type' AND subject IS NOT NULL
    """
)

_WAITING = text(
    """
    SELECT id, body, state FROM dead_letter
    WHERE consumer = :consumer AND topic = :topic AND subject = :subject
      AND state IN ('dead', 'parked') AND reason <> 'unknown_type'
    ORDER BY n FOR UPDATE
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
_REFUSE = text(  # once for each offset, however often the broker delivers it
    """
    INSERT INTO dead_letter (consumer, topic, body, reason, detail, state)
    SELECT :consumer, :topic, :body, 'undecodable', :detail, 'dead'
    WHERE NOT EXISTS (
      SELECT FROM dead_letter
      WHERE consumer = :consumer AND topic = :topic AND detail = :detail
    )
    """
)
_LOCK_SHARD = text(
    """
    SELECT w.applied FROM inbox_watermark w JOIN dead_letter d USING (consumer, topic, shard)
    WHERE d.consumer = :consumer AND d.id = :id FOR UPDATE OF w
    """
)
_LOCK_LETTER = text(
    "SELECT * FROM dead_letter WHERE id = :id AND consumer = :consumer AND state = 'dead' "
    "FOR UPDATE"
).columns(*dead_letter.columns)


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
        values = {
            "consumer": self._consumer,
            "topic": topic,
            "body": raw,
            "detail": f"{reason} (partition {partition}, offset {offset})",
        }
        async with self._db.transaction() as tx:
            await tx.connection.execute(_REFUSE, values)
        self._count("dead", "undecodable")

    async def _apply_together(
        self, groups: Sequence[tuple[Place, list[Envelope]]], *, carefully: bool = False
    ) -> list[GapInShard]:
        gaps: list[GapInShard] = []
        outcomes: list[tuple[str, str]] = []
        async with self._db.transaction() as tx:
            applied = await self._lock_watermarks(tx, [place for place, _ in groups])
            before = dict(applied)
            blocked = await self._blocked(tx)
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
            await self._bury(tx, envelope, reason=reason, detail=envelope.type)
            if newer:
                blocked.add((envelope.topic, envelope.subject))
            return "dead"
        if subscription.handler is None:
            return "ignored"
        if (envelope.topic, envelope.subject) in blocked:
            await self._bury(tx, envelope, reason="behind", detail="waits", state="parked")
            return "parked"
        if not carefully:
            await _handle(tx, subscription, envelope)
            return "applied"
        fault = await self._try(tx, subscription, envelope)
        if fault is None:
            return "applied"
        await self._bury(tx, envelope, reason="poison", detail=_describe(fault))
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

    async def _bury(
        self, tx: Transaction, envelope: Envelope, *, reason: str, detail: str, state: str = "dead"
    ) -> None:
        await tx.connection.execute(
            dead_letter.insert().values(
                consumer=self._consumer,
                topic=envelope.topic,
                shard=envelope.shard,
                n=envelope.n,
                subject=envelope.subject,
                type=envelope.type,
                body=envelope.to_bytes(),
                reason=reason,
                detail=detail,
                state=state,
            )
        )
        _log.warning(
            "inbox.dead_letter",
            consumer=self._consumer,
            event_type=envelope.type,
            event_id=envelope.id,
            reason=reason,
        )

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

    async def _blocked(self, tx: Transaction) -> set[tuple[str, str]]:
        values = {"consumer": self._consumer, "topics": list(self.topics)}
        rows: Iterable[Any] = await tx.connection.execute(_BLOCKED, values)
        return {(row.topic, row.subject) for row in rows}

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

    async def replay(self, letter_id: int) -> int:
        """Apply a dead letter and then what is parked behind it. Returns how many were applied.

        Raises LetterNotFound, or the fault of the letter when it fails again; then all waits on.
        """
        async with self._db.transaction() as tx:
            letter = await _lock_letter(tx, self._consumer, letter_id)
            await self._apply_again(tx, Envelope.from_bytes(letter.body, topic=letter.topic))
            await _settle(tx, letter_id, "replayed")
            return 1 + await self._release(tx, letter.topic, letter.subject)

    async def skip(self, letter_id: int) -> int:
        """Give a dead letter up, and apply what is parked behind it. Raises LetterNotFound."""
        async with self._db.transaction() as tx:
            letter = await _lock_letter(tx, self._consumer, letter_id)
            await _settle(tx, letter_id, "skipped")
            return await self._release(tx, letter.topic, letter.subject)

    async def _release(self, tx: Transaction, topic: str, subject: str | None) -> int:
        """Apply the parked events of an aggregate in order, up to the next one that fails."""
        values = {"consumer": self._consumer, "topic": topic, "subject": subject}
        waiting = (await tx.connection.execute(_WAITING, values)).all()
        released = 0
        for letter in waiting:
            if letter.state == "dead":
                break
            try:
                async with tx.savepoint():
                    await self._apply_again(tx, Envelope.from_bytes(letter.body, topic=topic))
            except Exception as fault:
                if is_transient(fault):
                    raise
                await _settle(tx, letter.id, "dead", reason="poison", detail=_describe(fault))
                break
            await _settle(tx, letter.id, "replayed")
            released += 1
        return released

    async def _apply_again(self, tx: Transaction, envelope: Envelope) -> None:
        subscription = self._subscriptions.get((envelope.topic, envelope.type))
        if subscription is None:
            raise StillUnknown(f"本服务仍不认识事件类型 {envelope.type}")
        if subscription.handler is not None:
            await _handle(tx, subscription, envelope)

    def _count(self, outcome: str, type_: str) -> None:
        self.outcomes[outcome] += 1
        CONSUMED.labels(self._consumer, type_, outcome).inc()


class LetterNotFound(NotFound):
    code = "dlq.not_found"


class StillUnknown(Conflict):
    code = "dlq.still_unknown"


async def waiting_letters(db: Database, *, limit: int = 200) -> list[dict[str, Any]]:
    """The dead letters that nobody has settled, oldest first, without their bodies."""
    async with db.reading() as connection:
        rows = await connection.execute(
            text(
                "SELECT id, consumer, topic, shard, n, subject, type, reason, detail, state, "
                "created_at FROM dead_letter WHERE state IN ('dead', 'parked') "
                "ORDER BY id LIMIT :limit"
            ),
            {"limit": limit},
        )
        return [dict(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name


async def show_letter(db: Database, letter_id: int) -> dict[str, Any]:
    """One dead letter with its body. Raises LetterNotFound."""
    async with db.reading() as connection:
        rows = await connection.execute(dead_letter.select().where(dead_letter.c.id == letter_id))
        row = rows.one_or_none()
    if row is None:
        raise LetterNotFound(f"没有编号为 {letter_id} 的死信")
    return dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name


async def _handle(tx: Transaction, subscription: Subscription[Any], envelope: Envelope) -> None:
    if subscription.reading is None or subscription.handler is None:
        return
    reading = subscription.reading.model_validate(
        {**envelope.data, "occurred_at": envelope.time, "event_id": envelope.id}
    )
    with trace(envelope.traceparent):
        await subscription.handler(tx, reading)


async def _lock_letter(tx: Transaction, consumer: str, letter_id: int) -> Row[Any]:
    """Lock the letter's shard, so that nothing is parked meanwhile, and then the letter."""
    values = {"consumer": consumer, "id": letter_id}
    await tx.connection.execute(_LOCK_SHARD, values)
    row = (await tx.connection.execute(_LOCK_LETTER, values)).one_or_none()
    if row is None:
        raise LetterNotFound(f"没有编号为 {letter_id} 的待处理死信")
    return row


async def _settle(tx: Transaction, letter_id: int, state: str, **more: str) -> None:
    await tx.connection.execute(
        update(dead_letter)
        .where(dead_letter.c.id == letter_id)
        .values(state=state, settled_at=func.now(), **more)
    )


def _stem(type_: str) -> str:
    """A type without its version: `….case-accepted.v1` → `….case-accepted`."""
    return type_.rpartition(".v")[0]


def _describe(fault: Exception) -> str:
    """What went wrong, without any value of the event."""
    if isinstance(fault, ValidationError):
        faults = [
            {"at": list(each["loc"]), "type": each["type"]}
            for each in fault.errors(include_input=False, include_url=False)
        ]
        return f"ValidationError {orjson.dumps(faults).decode()}"
    if isinstance(fault, Refusal):
        return f"{type(fault).__name__} {fault.code}"
    return type(fault).__name__
