"""Events made, sent and seen, for the tests of the outbox and the inbox."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import toy_service
from sqlalchemy import select
from toy_service import TOY, count, seen, start

from tongban_common.db import Database
from tongban_common.events import Envelope
from tongban_common.service import Kit

NOW = datetime(2026, 9, 21, 2, 0, tzinfo=UTC)


class Recorder:
    """A wire that keeps what it was given, and fails when told to."""

    def __init__(self) -> None:
        self.sent: list[Envelope] = []
        self.broken = False

    async def send(self, envelopes: Sequence[Envelope]) -> None:
        if self.broken:
            raise OSError
        self.sent += envelopes


async def counted(db: Database, counter_id: UUID, times: int) -> None:
    async with db.transaction() as tx:
        await start(tx, counter_id=counter_id, now=NOW)
    for _ in range(times - 1):
        async with db.transaction() as tx:
            await count(tx, counter_id=counter_id, now=NOW)


async def values_seen(db: Database, counter_id: UUID) -> list[int]:
    async with db.reading() as connection:
        rows = await connection.execute(
            select(seen.c.value).where(seen.c.counter_id == str(counter_id)).order_by(seen.c.value)
        )
        return list(rows.scalars())


async def relayed(kit: Kit, recorder: Recorder) -> list[Envelope]:
    await TOY.relay(kit, recorder).drain()
    return recorder.sent


def an_envelope(type_: str, n: int, **data: object) -> Envelope:
    subject = str(data.get("counter_id", uuid4()))
    return Envelope(
        id=str(uuid4()),
        source="/tongban/toy",
        type=type_,
        subject=subject,
        time=NOW,
        topic=toy_service.TOPIC,
        shard=7,
        n=n,
        data=data,
    )
