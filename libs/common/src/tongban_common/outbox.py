"""The outbox: events stored with the state they belong to, and the relay that sends them.

Each (topic, shard) has a dense sequence, numbered by a row lock taken last before commit: the
order of the numbers is the order of the commits, and a missing number proves a loss. The relay
holds a lease row with a fencing number by the database's clock, sends in order, and moves its
cursor only after the wire said that everything is safe.
"""

import asyncio
import secrets
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import orjson
import structlog
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Row,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.clock import new_id
from tongban_common.events import Envelope, Event, shard_of
from tongban_common.foundation import foundation
from tongban_common.telemetry import RELAYED, current_traceparent
from tongban_common.wire import Wire

if TYPE_CHECKING:
    from tongban_common.db import Database

_log = structlog.get_logger()

outbox = Table(
    "outbox",
    foundation,
    Column("topic", Text, primary_key=True),
    Column("shard", SmallInteger, primary_key=True),
    Column("n", BigInteger, primary_key=True),
    Column("id", Uuid, nullable=False),
    Column("type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("time", DateTime(timezone=True), nullable=False),
    Column("data", JSONB, nullable=False),
    Column("traceparent", Text),
    Column("stored_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
outbox_shard = Table(
    "outbox_shard",
    foundation,
    Column("topic", Text, primary_key=True),
    Column("shard", SmallInteger, primary_key=True),
    Column("n", BigInteger, nullable=False),
    postgresql_with={"fillfactor": 50},  # room for in-page updates of the hottest rows
)
outbox_cursor = Table(
    "outbox_cursor",
    foundation,
    Column("topic", Text, primary_key=True),
    Column("shard", SmallInteger, primary_key=True),
    Column("sent", BigInteger, nullable=False),
    postgresql_with={"fillfactor": 50},
)
relay_lease = Table(
    "relay_lease",
    foundation,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

_STORE = text(
    """
    WITH numbered AS (
      INSERT INTO outbox_shard AS s (topic, shard, n) VALUES (:topic, :shard, :count)
      ON CONFLICT (topic, shard) DO UPDATE SET n = s.n + :count
      RETURNING n
    )
    INSERT INTO outbox (topic, shard, n, id, type, subject, time, data, traceparent)
    SELECT :topic, :shard, numbered.n - :count + e.place, e.id, e.type, e.subject, e.time,
           e.data::jsonb, :traceparent
    FROM numbered, unnest(
      CAST(:ids AS uuid[]), CAST(:types AS text[]), CAST(:subjects AS text[]),
      CAST(:times AS timestamptz[]), CAST(:data AS text[])
    ) WITH ORDINALITY AS e (id, type, subject, time, data, place)
    """
)
_PENDING = text(
    """
    SELECT coalesce(c.sent, 0) AS sent, o.*
    FROM outbox_shard s
    LEFT JOIN outbox_cursor c USING (topic, shard)
    CROSS JOIN LATERAL (
      SELECT * FROM outbox o
      WHERE o.topic = s.topic AND o.shard = s.shard AND o.n > coalesce(c.sent, 0)
      ORDER BY o.n LIMIT :batch
    ) o
    WHERE s.n > coalesce(c.sent, 0)
    LIMIT :batch
    """
).columns(Column("sent", BigInteger), *outbox.columns)
_LEASE = text(
    """
    INSERT INTO relay_lease AS l (name, owner, fence, expires_at)
    VALUES (:name, :owner, 1, clock_timestamp() + :ttl * interval '1 second')
    ON CONFLICT (name) DO UPDATE SET
      owner = excluded.owner,
      fence = CASE WHEN l.owner = excluded.owner THEN l.fence ELSE l.fence + 1 END,
      expires_at = excluded.expires_at
    WHERE l.owner = excluded.owner OR l.expires_at < clock_timestamp()
    RETURNING fence
    """
)
_MOVE = text(
    """
    INSERT INTO outbox_cursor AS c (topic, shard, sent)
    SELECT moved.topic, moved.shard, moved.sent
    FROM unnest(CAST(:topics AS text[]), CAST(:shards AS smallint[]), CAST(:sent AS bigint[]))
      AS moved (topic, shard, sent)
    WHERE EXISTS (
      SELECT FROM relay_lease WHERE name = :name AND owner = :owner AND fence = :fence FOR SHARE
    )
    ON CONFLICT (topic, shard) DO UPDATE SET sent = greatest(c.sent, excluded.sent)
    RETURNING 1
    """
)


async def store(connection: AsyncConnection, events: Sequence[Event]) -> None:
    """Number and insert, one statement per (topic, shard), in ascending order of the locks."""
    groups: dict[tuple[str, int], list[Event]] = defaultdict(list)
    for event in events:
        groups[event.topic, shard_of(event.aggregate_id)].append(event)
    for (topic, shard), group in sorted(groups.items(), key=lambda item: item[0]):
        await connection.execute(
            _STORE,
            {
                "topic": topic,
                "shard": shard,
                "count": len(group),
                "ids": [new_id(event.occurred_at) for event in group],
                "types": [event.type for event in group],
                "subjects": [event.aggregate_id for event in group],
                "times": [event.occurred_at for event in group],
                "data": [event.model_dump_json() for event in group],
                "traceparent": current_traceparent(),
            },
        )


async def read_range(
    connection: AsyncConnection, *, source: str, topic: str, shard: int, after: int, upto: int
) -> list[Envelope]:
    """Stored events `after < n <= upto` of one shard: what repairs a consumer's gap."""
    rows = await connection.execute(
        select(outbox)
        .where(outbox.c.topic == topic, outbox.c.shard == shard)
        .where(outbox.c.n > after, outbox.c.n <= upto)
        .order_by(outbox.c.n)
    )
    return [_envelope(row, source) for row in rows]


class LeaseLost(Exception):
    """Another relay holds the lease now; what this one sent again is absorbed as duplicates."""


class Relay:
    """Sends one service's outbox over a wire. Any number may run; the lease lets one send."""

    def __init__(self, db: "Database", wire: Wire, *, service: str, batch: int = 500) -> None:
        self._db = db
        self._wire = wire
        self._source = f"/tongban/{service}"
        self._batch = batch
        self._owner = secrets.token_hex(8)
        self._fence: int | None = None
        self._renew_at = 0.0

    async def drain(self) -> int:
        """Send everything that is committed. 0 when there was nothing, or another one leads."""
        total = 0
        while await self._hold_lease():
            sent = await self._send_some()
            total += sent
            if sent < self._batch:
                break
        return total

    async def run(self, *, stop: asyncio.Event, poll_seconds: float) -> None:
        """Relay until told to stop. A fault is logged and tried again from the stored cursor."""
        while not stop.is_set():
            try:
                sent = await self.drain()
            except Exception as fault:  # noqa: BLE001 - a process edge: the cursor has not moved
                _log.warning("relay.failed", fault=type(fault).__name__)
                self._fence, sent = None, 0
                await _pause(stop, 1.0)
            if sent == 0:
                await _pause(stop, poll_seconds)

    async def _hold_lease(self) -> bool:
        if self._fence is not None and time.monotonic() < self._renew_at:
            return True
        async with self._db.transaction() as tx:
            values = {"name": "relay", "owner": self._owner, "ttl": LEASE_SECONDS}
            self._fence = (await tx.connection.execute(_LEASE, values)).scalar()
        self._renew_at = time.monotonic() + LEASE_SECONDS / 4
        return self._fence is not None

    async def _send_some(self) -> int:
        async with self._db.reading() as connection:
            rows = (await connection.execute(_PENDING, {"batch": self._batch})).all()
        envelopes = [_envelope(row, self._source) for row in _dense(rows)]
        if not envelopes:
            return 0
        await self._wire.send(envelopes)
        await self._move_cursor(envelopes)
        for envelope in envelopes:
            RELAYED.labels(envelope.topic, envelope.type).inc()
        return len(envelopes)

    async def _move_cursor(self, envelopes: Sequence[Envelope]) -> None:
        sent = {(envelope.topic, envelope.shard): envelope.n for envelope in envelopes}
        async with self._db.transaction() as tx:
            moved = await tx.connection.execute(
                _MOVE,
                {
                    "topics": [topic for topic, _ in sent],
                    "shards": [shard for _, shard in sent],
                    "sent": list(sent.values()),
                    "name": "relay",
                    "owner": self._owner,
                    "fence": self._fence,
                },
            )
            if not moved.all():
                self._fence = None
                raise LeaseLost


LEASE_SECONDS = 8


def _dense(rows: Sequence[Row[tuple[object, ...]]]) -> list[Row[tuple[object, ...]]]:
    """The rows in order of each shard, up to the first number that does not follow its cursor."""
    expected: dict[tuple[str, int], int] = {}
    kept = []
    for row in sorted(rows, key=lambda row: (row.topic, row.shard, row.n)):
        place = (row.topic, row.shard)
        if row.n == expected.get(place, row.sent + 1):
            expected[place] = row.n + 1
            kept.append(row)
    return kept


def _envelope(row: Row[tuple[object, ...]], source: str) -> Envelope:
    return Envelope(
        id=str(row.id),
        source=source,
        type=row.type,
        subject=row.subject,
        time=row.time,
        topic=row.topic,
        shard=row.shard,
        n=row.n,
        data=row.data if isinstance(row.data, dict) else orjson.loads(row.data),
        traceparent=row.traceparent,
    )


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
