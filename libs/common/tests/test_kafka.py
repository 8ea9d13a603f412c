import ast
import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import toy_service
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from sqlalchemy import func, select
from test_outbox_inbox import counted, values_seen
from toy_service import TOPIC, TOY, seen

from tongban_common import kafka
from tongban_common.brokers import Broker
from tongban_common.inbox import Inbox, dead_letter
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
