"""From a run to its history: the clients' log, the four databases and the broker's records."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from tongban_common.events import Envelope

from .effects import TABLES, key_of
from .history import (
    Ack,
    Advance,
    Batch,
    Consumer,
    Fact,
    Move,
    Place,
    Record,
    Shard,
    State,
    Timer,
)

_MOVES = {
    "hotline": (
        """
        SELECT 'ticket' AS kind, ticket_id::text AS id, version, act AS said, status
        FROM ticket_move
        """,
    ),
    "evaluation": (
        """
        SELECT 'rectification' AS kind, rectification_id::text AS id, version, action AS said
        FROM rectification_step
        """,
        """
        SELECT 'review' AS kind, id::text, 1 AS version,
          CASE channel WHEN 'callback' THEN 'recorded' ELSE 'submitted' END AS said
        FROM review
        """,
    ),
}
_STATES = {
    "hotline": "SELECT 'ticket' AS kind, id::text, version, status AS said FROM ticket",
    "evaluation": "SELECT 'rectification' AS kind, id::text, version, NULL AS said "
    "FROM rectification",
}
_SHARDS = """
    SELECT topic, shard, s.n, coalesce(c.sent, 0) AS sent
    FROM outbox_shard s LEFT JOIN outbox_cursor c USING (topic, shard)
"""
_AS_ROWS = 'SELECT to_jsonb(t) AS row FROM "{}" t'
_MARKS = "SELECT topic, shard, applied FROM inbox_watermark"


async def rows(url: str, *statements: str) -> list[list[dict[str, Any]]]:
    """The rows of some statements, read in one snapshot."""
    engine = create_async_engine(url, isolation_level="REPEATABLE READ")
    try:
        async with engine.connect() as connection:
            return [await _rows(connection, each) for each in statements]
    finally:
        await engine.dispose()


async def _rows(connection: AsyncConnection, statement: str) -> list[dict[str, Any]]:
    found = await connection.execute(text(statement))
    return [dict(row) for row in found.mappings()]


def acks(log: Path) -> list[Ack]:
    return [Ack(**orjson.loads(line)) for line in log.read_bytes().splitlines()]


async def clock_of(url: str) -> datetime:
    ((row,),) = await rows(url, "SELECT clock_timestamp() AS now")
    now: datetime = row["now"]
    return now


async def moves(urls: Mapping[str, str]) -> list[Move]:
    found: list[Move] = []
    for service, statements in _MOVES.items():
        for part in await rows(urls[service], *statements):
            found += [Move(**row) for row in part]
    return found


async def states(urls: Mapping[str, str]) -> list[State]:
    found: list[State] = []
    for service, statement in _STATES.items():
        (part,) = await rows(urls[service], statement)
        found += [State(**row) for row in part]
    return found


async def producer(url: str) -> tuple[list[Fact], list[Shard]]:
    facts, shards = await rows(
        url,
        "SELECT topic, shard, n, id::text, type, subject, time AS at, stored_at, data FROM outbox",
        _SHARDS,
    )
    return [Fact(**row) for row in facts], [Shard(**row) for row in shards]


async def timers(service: str, url: str) -> list[Timer]:
    (found,) = await rows(
        url,
        # The two clocks of a ticket: the stages that others watch have no end in these runs.
        "SELECT kind, split_part(subject, ':', 1) AS subject, due_at, warn_at, state, "
        "warned_at IS NOT NULL AS is_warned FROM timer WHERE kind IN ('unit', 'citizen')",
    )
    return [Timer(service=service, **row) for row in found]


async def consumer(name: str, url: str, topics: Sequence[str]) -> Consumer:
    marks, ledger, gaps, letters = await rows(
        url,
        _MARKS,
        "SELECT transaction, what, noted FROM crash_ledger ORDER BY id",
        "SELECT topic, shard, expected, got, repaired_at FROM inbox_gap ORDER BY id",
        "SELECT topic, shard, n, type, reason, detail, state FROM dead_letter ORDER BY id",
    )
    return Consumer(
        name=name,
        topics=topics,
        applied={(row["topic"], row["shard"]): row["applied"] for row in marks},
        batches=_batches(ledger),
        present=await _present(name, url),
        gaps=[str(row) for row in gaps],
        letters=[str(row) for row in letters],
    )


def _batches(ledger: Sequence[Mapping[str, Any]]) -> list[Batch]:
    found: dict[str, Batch] = defaultdict(Batch)
    for row in ledger:
        batch = found[row["transaction"]]
        if row["what"] == "watermark":
            batch.advances.append(Advance(**row["noted"]))
        else:
            batch.effects.append(key_of(row["what"], row["noted"]))
    return list(found.values())


async def _present(name: str, url: str) -> Counter[str]:
    present: Counter[str] = Counter()
    tables = TABLES[name]
    found = await rows(url, *(_AS_ROWS.format(table) for table in tables))
    for table, part in zip(tables, found, strict=True):
        for each in part:
            row = each["row"]
            present[key_of(table, row)] += row["handled"] if table == "activity" else 1
    return present


async def lag(urls: Mapping[str, str], reads: Mapping[str, Sequence[str]]) -> Counter[str]:
    """How many events are not sent yet, and how many not applied, by service."""
    behind: Counter[str] = Counter()
    ends: dict[Place, int] = {}
    applied: dict[str, dict[Place, int]] = {}
    for name, url in urls.items():
        shards, marks = await rows(url, _SHARDS, _MARKS)
        behind[f"{name} to send"] = sum(each["n"] - each["sent"] for each in shards)
        ends |= {(each["topic"], each["shard"]): each["n"] for each in shards}
        applied[name] = {(each["topic"], each["shard"]): each["applied"] for each in marks}
    for name, topics in reads.items():
        behind[f"{name} to apply"] = sum(
            n - applied[name].get(place, 0) for place, n in ends.items() if place[0] in topics
        )
    return +behind


async def armed(url: str) -> Counter[str]:
    """How many of the two clocks still run."""
    query = "SELECT count(*) AS n FROM timer WHERE state = 'armed' AND kind IN ('unit', 'citizen')"
    ((row,),) = await rows(url, query)
    return +Counter({"clocks running": row["n"]})


async def records(bootstrap: str, topics: Sequence[str], partitions: int) -> list[Record]:
    """Everything that the broker holds, partition by partition."""
    reader = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await reader.start()
    try:
        known = await reader.topics()
        places = [
            TopicPartition(topic, number)
            for topic in topics
            if topic in known
            for number in range(partitions)
        ]
        reader.assign(places)
        return await _until_end(reader, await reader.end_offsets(places))
    finally:
        await reader.stop()


async def _until_end(reader: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> list[Record]:
    found: dict[TopicPartition, list[Record]] = defaultdict(list)
    left = {place for place, end in ends.items() if end > 0}
    while left:
        for place, fetched in (await reader.getmany(*left, timeout_ms=500)).items():
            for each in fetched:
                got = Envelope.from_bytes(each.value, topic=place.topic)
                found[place].append(Record(topic=got.topic, shard=got.shard, n=got.n, id=got.id))
            if fetched[-1].offset + 1 >= ends[place]:
                left.discard(place)
    return [record for place in sorted(found) for record in found[place]]
