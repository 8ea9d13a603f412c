import asyncio
import json
from collections.abc import Sequence
from uuid import uuid4

import pytest
import toy_service
from deliveries import NOW, Recorder, an_envelope, counted, relayed, values_seen
from sqlalchemy import func, select, text
from toy_service import TOY, Counted, start

from tongban_common import outbox
from tongban_common.db import Database
from tongban_common.dead_letters import waiting_letters
from tongban_common.events import BadEnvelope, Envelope, shard_of
from tongban_common.inbox import GapInShard, Inbox, inbox_gap
from tongban_common.outbox import LeaseLost, Relay
from tongban_common.service import DirectRepair, Kit
from tongban_common.wire import InProcessWire


async def test_the_sequence_of_a_shard_is_dense_under_concurrent_writers(db: Database) -> None:
    counters = [uuid4() for _ in range(40)]

    await asyncio.gather(*(counted(db, each, 5) for each in counters))

    async with db.reading() as connection:
        rows = (
            await connection.execute(
                select(
                    outbox.outbox.c.shard,
                    func.count().label("rows"),
                    func.max(outbox.outbox.c.n).label("last"),
                ).group_by(outbox.outbox.c.shard)
            )
        ).all()
    assert sum(row.rows for row in rows) == 200
    assert all(row.rows == row.last for row in rows)


async def test_a_rolled_back_transaction_announces_nothing_and_takes_no_number(
    db: Database,
) -> None:
    async def fail() -> None:
        async with db.transaction() as tx:
            await start(tx, counter_id=uuid4(), now=NOW)
            await tx.store_announced()
            raise KeyError

    with pytest.raises(KeyError):
        await fail()

    async with db.reading() as connection:
        assert (
            await connection.execute(select(func.count()).select_from(outbox.outbox))
        ).scalar() == 0
        assert (
            await connection.execute(select(func.count()).select_from(outbox.outbox_shard))
        ).scalar() == 0


async def test_the_relay_sends_everything_once_and_in_order(kit: Kit, recorder: Recorder) -> None:
    counter_id = uuid4()
    await counted(kit.db, counter_id, 700)

    sent = await relayed(kit, recorder)

    assert [each.n for each in sent] == list(range(1, 701))
    assert [each.data["value"] for each in sent] == list(range(1, 701))
    assert await TOY.relay(kit, recorder).drain() == 0


async def test_the_cursor_stays_until_the_wire_is_sure(kit: Kit, recorder: Recorder) -> None:
    await counted(kit.db, uuid4(), 3)
    relay = TOY.relay(kit, recorder)
    recorder.broken = True

    with pytest.raises(OSError):  # noqa: PT011 - the recorder's own
        await relay.drain()
    recorder.broken = False
    await relay.drain()

    assert [each.n for each in recorder.sent] == [1, 2, 3]


async def test_only_the_holder_of_the_lease_sends(kit: Kit, recorder: Recorder) -> None:
    await counted(kit.db, uuid4(), 3)

    first, second = TOY.relay(kit, recorder), TOY.relay(kit, recorder)
    await first.drain()
    await counted(kit.db, uuid4(), 3)

    assert await second.drain() == 0
    assert await first.drain() == 3


async def test_a_frozen_relay_cannot_move_the_cursor_after_it_lost_the_lease(kit: Kit) -> None:
    await counted(kit.db, uuid4(), 3)

    class Freezing(Recorder):
        async def send(self, envelopes: Sequence[Envelope]) -> None:
            await super().send(envelopes)
            async with kit.db.transaction() as tx:  # while it is frozen, another takes over
                await tx.connection.execute(
                    text("UPDATE relay_lease SET owner = 'other', fence = fence + 1")
                )

    with pytest.raises(LeaseLost):
        await Relay(kit.db, Freezing(), service="toy").drain()

    async with kit.db.reading() as connection:
        moved = await connection.execute(select(func.count()).select_from(outbox.outbox_cursor))
        assert moved.scalar() == 0


async def test_an_expired_lease_goes_to_the_next_relay(kit: Kit, recorder: Recorder) -> None:
    await counted(kit.db, uuid4(), 2)
    await TOY.relay(kit, recorder).drain()
    await counted(kit.db, uuid4(), 2)
    async with kit.db.transaction() as tx:
        await tx.connection.execute(
            text("UPDATE relay_lease SET expires_at = clock_timestamp() - interval '1 second'")
        )

    assert await TOY.relay(kit, recorder).drain() == 2


async def test_a_duplicate_delivery_has_no_second_effect(kit: Kit, recorder: Recorder) -> None:
    counter_id = uuid4()
    await counted(kit.db, counter_id, 4)
    envelopes = await relayed(kit, recorder)
    inbox = TOY.inbox(kit)

    for _ in range(3):
        await inbox.apply(envelopes)
    await inbox.apply(envelopes[:2])

    assert await values_seen(kit.db, counter_id) == [1, 2, 3, 4]
    assert inbox.outcomes["duplicate"] == 4 + 4 + 2


async def test_a_gap_stops_the_shard_and_is_reported(kit: Kit, recorder: Recorder) -> None:
    counter_id = uuid4()
    await counted(kit.db, counter_id, 5)
    envelopes = await relayed(kit, recorder)
    inbox = TOY.inbox(kit)

    with pytest.raises(GapInShard):
        await inbox.apply([envelopes[0], envelopes[1], envelopes[4]])

    assert await values_seen(kit.db, counter_id) == [1, 2]
    async with kit.db.reading() as connection:
        gap = (await connection.execute(inbox_gap.select())).one()
    assert (gap.expected, gap.got, gap.repaired_at) == (3, 5, None)


async def test_a_gap_is_repaired_from_the_producers_outbox(kit: Kit, recorder: Recorder) -> None:
    counter_id = uuid4()
    await counted(kit.db, counter_id, 5)
    envelopes = await relayed(kit, recorder)
    repair = DirectRepair()
    repair.add(TOY, kit)
    inbox = TOY.inbox(kit, repair=repair.missing)

    await inbox.apply([envelopes[0], envelopes[4], envelopes[2]])

    assert await values_seen(kit.db, counter_id) == [1, 2, 3, 4, 5]
    async with kit.db.reading() as connection:
        gap = (await connection.execute(inbox_gap.select())).one()
    assert gap.repaired_at is not None


async def test_an_ignored_type_counts_as_applied(kit: Kit) -> None:
    inbox = TOY.inbox(kit)

    await inbox.apply([an_envelope("tongban.toy.deadline.v1", 1, counter_id=str(uuid4()))])

    assert inbox.outcomes["ignored"] == 1
    assert await waiting_letters(kit.db) == []


@pytest.mark.parametrize(
    "raw", [b"", b"\xff", b"[]", b"{}", b'{"specversion":"1.0"}', b'{"a":' * 2000, b"null"]
)
def test_what_is_not_an_envelope_is_refused(raw: bytes) -> None:
    with pytest.raises(BadEnvelope):
        Envelope.from_bytes(raw, topic=toy_service.TOPIC)


@pytest.mark.parametrize(
    ("name", "value"),
    [("subject", "a\0b"), ("type", "a\0b"), ("n", 2**63), ("time", "0001-01-01T00:00:00Z")],
)
def test_what_no_database_can_hold_is_refused_before_it_stops_a_shard(
    name: str, value: object
) -> None:
    envelope = an_envelope(Counted.type, 3, counter_id=str(uuid4()), value=9)
    raw = json.dumps(json.loads(envelope.to_bytes()) | {name: value}).encode()

    with pytest.raises(BadEnvelope):
        Envelope.from_bytes(raw, topic=toy_service.TOPIC)


def test_an_envelope_survives_the_wire() -> None:
    envelope = an_envelope(Counted.type, 3, counter_id=str(uuid4()), value=9)

    assert Envelope.from_bytes(envelope.to_bytes(), topic=toy_service.TOPIC) == envelope


def test_the_shard_of_an_aggregate_never_changes() -> None:
    assert shard_of("00000000-0000-0000-0000-000000000001") == shard_of(
        "00000000-0000-0000-0000-000000000001"
    )
    assert {shard_of(str(n)) for n in range(2000)} == set(range(64))


async def test_the_in_process_wire_delivers_to_every_subscriber_and_keeps_the_order(
    kit: Kit,
) -> None:
    counter_id = uuid4()
    await counted(kit.db, counter_id, 6)
    wire = InProcessWire()
    first = TOY.inbox(kit)
    second = Inbox(
        kit.db, consumer="second", subscriptions=TOY.subscriptions(kit)[1:]
    )  # only ignores
    wire.connect(first)
    wire.connect(second)

    await TOY.relay(kit, wire).drain()

    assert await values_seen(kit.db, counter_id) == [1, 2, 3, 4, 5, 6]
    assert second.outcomes["dead"] == 6
