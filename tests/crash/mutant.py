"""`python -m tests.crash.mutant <bug> <service> <command…>`: the command, with a planted bug.

Each bug is one that outboxes and inboxes have had in real life. The two that need a crash at the
vulnerable point crash there themselves, once, in the first life of the process. The checker has to
catch all of them in each run.
"""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Identity, MetaData, Table, text

from tongban_common import outbox
from tongban_common.events import Envelope
from tongban_common.inbox import GapInShard, Inbox, Place
from tongban_common.kafka import _Feed
from tongban_common.outbox import Relay

from .shifted import run_script

BATCHES_BEFORE = 3  # the crash comes with the third batch, in the middle of the load
EFFECTS_BEFORE = 20


def _is_first_life() -> bool:
    return os.environ.get("CRASH_LIFE") == "0"


def _crash() -> None:
    os._exit(137)


def cursor_before_send() -> None:
    """The relay moves its cursor before the brokers have the events."""
    batches = 0

    async def send_some(self: Relay) -> int:
        nonlocal batches
        async with self._db.reading() as connection:
            rows = (await connection.execute(outbox._PENDING, {"batch": self._batch})).all()
        envelopes = [outbox._envelope(row, self._source) for row in outbox._dense(rows)]
        if not envelopes:
            return 0
        await self._move_cursor(envelopes)
        batches += 1
        if batches == BATCHES_BEFORE and _is_first_life():
            _crash()
        await self._wire.send(envelopes)
        return len(envelopes)

    Relay._send_some = send_some  # type: ignore[method-assign]
    outbox.LEASE_SECONDS = 1  # the second life need not wait for the lease of the first


def watermark_unchecked() -> None:
    """The inbox applies whatever it gets; Kafka delivers again what a crash left uncommitted."""
    applied = 0

    async def apply_together(
        self: Inbox, groups: Sequence[tuple[Place, list[Envelope]]], *, carefully: bool = False
    ) -> list[GapInShard]:
        nonlocal applied
        async with self._db.transaction() as tx:
            before = await self._lock_watermarks(tx, [place for place, _ in groups])
            blocked = await self.letters.blocked(tx, self.topics)
            for _, batch in groups:
                for envelope in batch:
                    done = await self._take(tx, envelope, blocked, carefully=carefully)
                    applied += done == "applied"
            after = {place: batch[-1].n for place, batch in groups}
            await self._move_watermarks(tx, before, after)
        return []

    async def commit(self: _Feed, partition: object, offset: int) -> None:
        if not _is_first_life():
            await committed(self, partition, offset)
        elif applied >= EFFECTS_BEFORE:
            await self._consumer.stop()  # the group learns at once that this member is gone
            _crash()

    committed: Any = _Feed._commit
    Inbox._apply_together = apply_together  # type: ignore[method-assign]
    _Feed._commit = commit  # type: ignore[method-assign]


def offset_before_effects() -> None:
    """The consumer commits the Kafka offset and only then applies the batch."""
    batches = 0

    async def take(self: _Feed, partition: Any, records: Sequence[Any]) -> None:
        nonlocal batches
        await self._commit(partition, records[-1].offset + 1)
        batches += 1
        if batches == BATCHES_BEFORE and _is_first_life():
            await self._consumer.stop()
            _crash()
        await taken(self, partition, records)

    taken: Any = _Feed._take
    _Feed._take = take  # type: ignore[method-assign]


def identity_cursor() -> None:
    """The relay reads `seq > last seen` over an identity column, which is drawn before commit."""
    numbered = Table(
        "outbox",
        MetaData(),
        *(Column(each.name, each.type) for each in outbox.outbox.columns),
        Column("seq", BigInteger, Identity()),
    )
    pending = text(
        "SELECT * FROM outbox WHERE seq > (SELECT coalesce(max(seen), 0) FROM crash_cursor) "
        "ORDER BY seq LIMIT :batch"
    ).columns(*numbered.columns)

    async def send_some(self: Relay) -> int:
        async with self._db.reading() as connection:
            rows = (await connection.execute(pending, {"batch": self._batch})).all()
        if not rows:
            return 0
        envelopes = [outbox._envelope(row, self._source) for row in rows]
        await self._wire.send(envelopes)
        await self._move_cursor(envelopes)  # for whoever looks; this relay goes by its own
        async with self._db.transaction() as tx:
            seen = text("INSERT INTO crash_cursor VALUES (:seen)")
            await tx.connection.execute(seen, {"seen": rows[-1].seq})
        return len(rows)

    Relay._send_some = send_some  # type: ignore[method-assign]


IDENTITY_SQL = (  # what this mutant's database has beside the product's
    "ALTER TABLE outbox ADD COLUMN seq bigint GENERATED ALWAYS AS IDENTITY",
    "CREATE TABLE crash_cursor (seen bigint)",
    "INSERT INTO crash_cursor SELECT max(seq) FROM outbox",
)
BUGS: dict[str, Callable[[], None]] = {
    "cursor-before-send": cursor_before_send,
    "watermark-unchecked": watermark_unchecked,
    "offset-before-effects": offset_before_effects,
    "identity-cursor": identity_cursor,
}


if __name__ == "__main__":
    BUGS[sys.argv[1]]()
    run_script(sys.argv[2], sys.argv[3:])
