import ast
import asyncio
import gc
import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import toy_service
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from deliveries import counted, values_seen
from sqlalchemy import func, select
from toy_service import TOPIC, TOY, seen

from tongban_common import kafka
from tongban_common.brokers import Broker
from tongban_common.dead_letters import dead_letter
from tongban_common.events import Envelope, shard_of
from tongban_common.inbox import Inbox
from tongban_common.kafka import CONSUMER, PRODUCER, KafkaWire, consume
from tongban_common.service import Kit

PARTITIONS = 4


@asynccontextmanager
async def consuming(broker: Broker, *inboxes: Inbox) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tasks = [
        asyncio.create_task(
            consume(
                each, bootstrap=broker.bootstrap, group=GROUP, stop=stop, session_timeout_ms=6000
            )
        )
        for each in inboxes
    ]
    try:
        yield
        assert not any(each.done() for each in tasks)  # none ended on its own
    finally:
        stop.set()
        await asyncio.gather(*tasks)


GROUP = "toy"


@pytest.fixture
async def wire(broker: Broker, fresh_topics: Callable[..., object]) -> AsyncIterator[KafkaWire]:
    await fresh_topics([TOPIC], PARTITIONS)  # type: ignore[misc]  # the fixture is a coroutine
    made = KafkaWire(bootstrap=broker.bootstrap, partitions=PARTITIONS)
    yield made
    await made.close()


async def eventually(check: Callable[[], object], *, seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not await check():  # type: ignore[misc]  # noqa: ASYNC110 - a coroutine function
            await asyncio.sleep(0.05)


async def effects(kit: Kit) -> int:
    async with kit.db.reading() as connection:
        return int((await connection.execute(select(func.count()).select_from(seen))).scalar_one())


def defaults(of: type) -> dict[str, object]:
    return {name: parameter.default for name, parameter in inspect.signature(of).parameters.items()}


def test_every_dangerous_default_is_overridden() -> None:
    producer, consumer = defaults(AIOKafkaProducer), defaults(AIOKafkaConsumer)

    for name in ("acks", "enable_idempotence"):
        assert producer[name] != PRODUCER.get(name, producer[name]), name
    for name in (
        "enable_auto_commit",
        "auto_offset_reset",
        "isolation_level",
        "session_timeout_ms",
    ):
        assert consumer[name] != CONSUMER.get(name, consumer[name]), name
    assert set(PRODUCER) <= set(producer)
    assert set(CONSUMER) <= set(consumer)


def test_offsets_are_never_committed_without_saying_which() -> None:
    tree = ast.parse(Path(kafka.__file__).read_text())
    commits = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "commit"
    ]

    assert commits
    assert all(node.args for node in commits)


@pytest.mark.kafka
async def test_events_arrive_once_and_in_order(kit: Kit, broker: Broker, wire: KafkaWire) -> None:
    counters = [uuid4() for _ in range(8)]
    for each in counters:
        await counted(kit.db, each, 25)

    inbox = TOY.inbox(kit)
    async with consuming(broker, inbox):
        await TOY.relay(kit, wire).drain()
        await eventually(lambda: _reached(kit, 200))

    for each in counters:
        assert await values_seen(kit.db, each) == list(range(1, 26))
    assert inbox.outcomes["applied"] == 200


async def _reached(kit: Kit, number: int) -> bool:
    return await effects(kit) >= number


@pytest.mark.kafka
async def test_a_redelivery_after_lost_offsets_has_no_second_effect(
    kit: Kit, broker: Broker, wire: KafkaWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    await counted(kit.db, uuid4(), 30)
    await TOY.relay(kit, wire).drain()

    async def forget(*_: object) -> None:  # a crash between the effects and the offset
        return

    monkeypatch.setattr(kafka._Feed, "_commit", forget)
    async with consuming(broker, TOY.inbox(kit)):
        await eventually(lambda: _reached(kit, 30))
    monkeypatch.undo()
    again = TOY.inbox(kit)
    async with consuming(broker, again):
        await eventually(lambda: _counted_duplicates(again, 30))

    assert await effects(kit) == 30


async def _counted_duplicates(inbox: Inbox, number: int) -> bool:
    return inbox.outcomes["duplicate"] >= number


@pytest.mark.kafka
async def test_what_is_no_envelope_is_kept_and_blocks_nothing(
    kit: Kit, broker: Broker, wire: KafkaWire
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap)
    await producer.start()
    for raw in (b"\xff\xfe", b"{", b"[]", b""):
        await producer.send_and_wait(TOPIC, raw, partition=0)
    await producer.stop()
    await counted(kit.db, uuid4(), 3)
    await TOY.relay(kit, wire).drain()

    async with consuming(broker, TOY.inbox(kit)):
        await eventually(lambda: _reached(kit, 3))
        await eventually(lambda: _letters(kit, 4))


async def _letters(kit: Kit, number: int) -> bool:
    async with kit.db.reading() as connection:
        found = await connection.execute(select(func.count()).select_from(dead_letter))
        return int(found.scalar_one()) >= number


@pytest.mark.kafka
async def test_two_members_of_a_group_share_the_work(
    kit: Kit, broker: Broker, wire: KafkaWire
) -> None:
    if not broker.can_rebalance:
        pytest.skip(f"the {broker.kind} broker cannot rebalance a group ({broker.reason})")
    first, second = TOY.inbox(kit), TOY.inbox(kit)
    counters: list[UUID] = []
    relay = TOY.relay(kit, wire)
    async with consuming(broker, first, second):
        for _ in range(10):
            await asyncio.sleep(0.5)
            fresh = [uuid4() for _ in range(8)]
            counters += fresh
            for each in fresh:
                await counted(kit.db, each, 3)
            await relay.drain()
        await eventually(lambda: _reached(kit, 240))

    assert await effects(kit) == 240
    for each in counters:
        assert await values_seen(kit.db, each) == [1, 2, 3]
    assert first.outcomes["applied"] > 0
    assert second.outcomes["applied"] > 0


@pytest.mark.kafka
async def test_a_broker_that_dies_and_returns_loses_nothing(
    kit: Kit, broker: Broker, wire: KafkaWire
) -> None:
    if broker.kind != "native":
        pytest.skip(f"a {broker.kind} broker cannot be killed ({broker.reason})")
    stop = asyncio.Event()
    relay = asyncio.create_task(TOY.relay(kit, wire).run(stop=stop, poll_seconds=0.05))
    try:
        async with consuming(broker, TOY.inbox(kit)):
            counter_id = uuid4()
            await counted(kit.db, counter_id, 20)
            await eventually(lambda: _reached(kit, 20))
            broker.kill9()
            other = uuid4()
            await counted(kit.db, other, 20)
            await asyncio.to_thread(broker.restart)
            await eventually(lambda: _reached(kit, 40), seconds=60)
    finally:
        stop.set()
        with suppress(Exception):
            await relay

    assert await values_seen(kit.db, counter_id) == list(range(1, 21))
    assert await values_seen(kit.db, other) == list(range(1, 21))
    assert toy_service.UNLUCKY["value"] == -1


@pytest.mark.kafka
async def test_a_partition_that_is_stuck_stops_no_other(
    kit: Kit, broker: Broker, wire: KafkaWire
) -> None:
    inbox = Moody(kit.db, consumer=TOY.short, subscriptions=TOY.subscriptions(kit))
    relay = TOY.relay(kit, wire)

    async with consuming(broker, inbox):
        sent, others = 0, 0
        for _ in range(16):
            fresh = [uuid4() for _ in range(8)]
            for each in fresh:
                await counted(kit.db, each, 1)
            await relay.drain()
            sent += len(fresh)
            others += sum(shard_of(str(each)) % PARTITIONS != 0 for each in fresh)
            await eventually(partial(_reached, kit, others), seconds=5)
            await asyncio.sleep(0.3)
        assert await effects(kit) == others
        assert 0 < inbox.refused < 9  # ever more rarely, though the others go on well
        inbox.is_mended = True
        await eventually(lambda: _reached(kit, sent))

    assert await effects(kit) == sent


class Moody(Inbox):
    """Refuses the first partition until it is mended, as when what it needs is away."""

    is_mended = False
    refused = 0

    async def apply(self, envelopes: Sequence[Envelope]) -> None:
        if not self.is_mended and any(each.shard % PARTITIONS == 0 for each in envelopes):
            self.refused += 1
            raise ConnectionError
        await super().apply(envelopes)


@pytest.mark.kafka
async def test_a_consumer_that_falls_silent_is_replaced(
    kit: Kit, broker: Broker, wire: KafkaWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "WATCH_SECONDS", 1)
    monkeypatch.setattr(kafka, "AIOKafkaConsumer", FallsSilent)
    await counted(kit.db, uuid4(), 5)
    await TOY.relay(kit, wire).drain()

    async with consuming(broker, TOY.inbox(kit)):
        await eventually(lambda: _reached(kit, 5), seconds=60)

    assert FallsSilent.made == 2


class FallsSilent(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka is untyped
    """The first one gets nothing, as after the death of a whole cluster (aiokafka's #703)."""

    made = 0

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        FallsSilent.made += 1
        self._is_silent = FallsSilent.made == 1

    async def getmany(self, **settings: object) -> object:
        if not self._is_silent:
            return await super().getmany(**settings)
        await asyncio.sleep(0.2)
        return {}


@pytest.mark.kafka
async def test_a_consumer_outlives_a_broker_that_is_long_away(
    kit: Kit, broker: Broker, wire: KafkaWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    if broker.kind != "native":
        pytest.skip(f"a {broker.kind} broker cannot be killed ({broker.reason})")
    monkeypatch.setattr(kafka, "COMMIT_SECONDS", 1)
    inbox = Fatal(kit.db, consumer=TOY.short, subscriptions=TOY.subscriptions(kit))
    inbox.broker = broker
    relay = TOY.relay(kit, wire)  # one: another would wait for its lease
    await counted(kit.db, uuid4(), 5)
    await relay.drain()

    async with consuming(broker, inbox):
        await eventually(lambda: _reached(kit, 5))
        await asyncio.sleep(4)  # its commit has failed, it was replaced, and that one failed too
        await asyncio.to_thread(broker.restart)
        await counted(kit.db, uuid4(), 5)
        await relay.drain()
        await eventually(lambda: _reached(kit, 10), seconds=60)

    assert await effects(kit) == 10


@pytest.mark.kafka
async def test_a_consumer_stops_though_its_broker_is_gone(
    kit: Kit, broker: Broker, wire: KafkaWire
) -> None:
    if broker.kind != "native":
        pytest.skip(f"a {broker.kind} broker cannot be killed ({broker.reason})")
    inbox = Fatal(kit.db, consumer=TOY.short, subscriptions=TOY.subscriptions(kit))
    inbox.broker = broker
    await counted(kit.db, uuid4(), 5)
    await TOY.relay(kit, wire).drain()

    try:
        async with asyncio.timeout(25), consuming(broker, inbox):
            await eventually(lambda: _reached(kit, 5))
    finally:
        await asyncio.to_thread(broker.restart)


class Fatal(Inbox):
    """The broker dies between the first effects and their offset."""

    broker: Broker | None = None

    async def apply(self, envelopes: Sequence[Envelope]) -> None:
        await super().apply(envelopes)
        broker, self.broker = self.broker, None
        if broker is not None:
            await asyncio.to_thread(broker.kill9)


@pytest.mark.kafka
async def test_a_producer_that_failed_leaves_nothing_behind(
    broker: Broker, wire: KafkaWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    if broker.kind != "native":
        pytest.skip(f"a {broker.kind} broker cannot be killed ({broker.reason})")
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
    monkeypatch.setattr(kafka, "SEND_SECONDS", 1)
    before = len(asyncio.all_tasks())
    await wire.send([an_envelope(1)])
    try:
        await asyncio.to_thread(broker.kill9)
        for _ in range(3):
            with pytest.raises((KafkaError, TimeoutError)):
                await wire.send([an_envelope(2)])
        gc.collect()
        assert (len(asyncio.all_tasks()), faults) == (before, [])
    finally:
        await asyncio.to_thread(broker.restart)
        asyncio.get_running_loop().set_exception_handler(None)
    monkeypatch.undo()

    await wire.send([an_envelope(2)])


def an_envelope(n: int) -> Envelope:
    return Envelope(
        id=str(uuid4()),
        source="/tongban/toy",
        type="tongban.toy.counted.v1",
        subject="s",
        time=datetime(2026, 9, 21, tzinfo=UTC),
        topic=TOPIC,
        shard=0,
        n=n,
        data={},
    )
