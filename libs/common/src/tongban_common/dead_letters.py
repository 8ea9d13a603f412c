"""Dead letters: what a consumer could not apply, kept until somebody replays it or gives it up.

A letter is `dead` when it failed itself and `parked` when it waits behind a dead one of its
aggregate; `replayed` and `skipped` are settled. The inbox writes them in its own transactions.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

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
from tongban_common.events import Envelope
from tongban_common.foundation import foundation

_log = structlog.get_logger()
Apply = Callable[[Transaction, Envelope], Awaitable[None]]  # raises StillUnknown

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


class LetterNotFound(NotFound):
    code = "dlq.not_found"


class StillUnknown(Conflict):
    code = "dlq.still_unknown"


class DeadLetters:
    """One consumer's dead letters."""

    def __init__(self, db: Database, *, consumer: str, apply: Apply) -> None:
        self._db = db
        self._consumer = consumer
        self._apply = apply

    async def blocked(self, tx: Transaction, topics: Sequence[str]) -> set[tuple[str, str]]:
        """The aggregates, as (topic, subject), whose later events must wait."""
        values = {"consumer": self._consumer, "topics": list(topics)}
        rows: Iterable[Any] = await tx.connection.execute(_BLOCKED, values)
        return {(row.topic, row.subject) for row in rows}

    async def bury(
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

    async def refuse(self, topic: str, raw: bytes, detail: str) -> None:
        """Keep what is not even an envelope: it cannot be applied and may not be lost."""
        values = {"consumer": self._consumer, "topic": topic, "body": raw, "detail": detail}
        async with self._db.transaction() as tx:
            await tx.connection.execute(_REFUSE, values)

    async def replay(self, letter_id: int) -> int:
        """Apply a dead letter and then what is parked behind it. Returns how many were applied.

        Raises LetterNotFound, or the fault of the letter when it fails again; then all waits on.
        """
        async with self._db.transaction() as tx:
            letter = await self._lock(tx, letter_id)
            await self._apply(tx, Envelope.from_bytes(letter.body, topic=letter.topic))
            await _settle(tx, letter_id, "replayed")
            return 1 + await self._release(tx, letter.topic, letter.subject)

    async def skip(self, letter_id: int) -> int:
        """Give a dead letter up, and apply what is parked behind it. Raises LetterNotFound."""
        async with self._db.transaction() as tx:
            letter = await self._lock(tx, letter_id)
            await _settle(tx, letter_id, "skipped")
            return await self._release(tx, letter.topic, letter.subject)

    async def _lock(self, tx: Transaction, letter_id: int) -> Row[Any]:
        """Lock the letter's shard, so that nothing is parked meanwhile, and then the letter."""
        values = {"consumer": self._consumer, "id": letter_id}
        await tx.connection.execute(_LOCK_SHARD, values)
        row = (await tx.connection.execute(_LOCK_LETTER, values)).one_or_none()
        if row is None:
            raise LetterNotFound(f"没有编号为 {letter_id} 的待处理死信")
        return row

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
                    await self._apply(tx, Envelope.from_bytes(letter.body, topic=topic))
            except Exception as fault:
                if is_transient(fault):
                    raise
                await _settle(tx, letter.id, "dead", reason="poison", detail=describe(fault))
                break
            await _settle(tx, letter.id, "replayed")
            released += 1
        return released


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


def describe(fault: Exception) -> str:
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


async def _settle(tx: Transaction, letter_id: int, state: str, **more: str) -> None:
    await tx.connection.execute(
        update(dead_letter)
        .where(dead_letter.c.id == letter_id)
        .values(state=state, settled_at=func.now(), **more)
    )
