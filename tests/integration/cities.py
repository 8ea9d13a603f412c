"""The whole suite for a test, on either wire, and the means to trouble what it delivers."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import select

from tongban_common.brokers import Broker
from tongban_common.events import Envelope
from tongban_common.inbox import Repair, inbox_watermark
from tongban_common.kafka import KafkaWire, consume
from tongban_common.outbox import outbox_shard, read_range
from tongban_common.settings import ServiceSettings
from tongban_common.testing import truncate
from tongban_suite.city import SERVICES, City, Station

PARTITIONS = 4
PATIENCE = 60  # seconds; a lease of the city before is held for 8
TOPICS = sorted({topic for service in SERVICES for topic in service.topics})
Levels = dict[tuple[str, str, int], int]  # consumer, topic, shard -> n
Trouble = Callable[[Sequence[Envelope]], Sequence[Envelope]]  # what the wire makes of a batch


class TestCity(City):
    """Settled means that every subscriber has applied everything that was ever announced."""

    __test__ = False

    def __init__(self, settings: Mapping[str, ServiceSettings]) -> None:
        super().__init__(settings)
        self.trouble: Trouble | None = None
        self.can_repair = True
        self._troubled: set[str] = set()
        for each in self.stations.values():
            each.inbox._repair = self._repairing(each.inbox._repair)

    async def settle(self) -> int:
        if self.trouble is not None:
            await self.deliver(self.trouble(await self._untroubled()))
        total = 0
        async with asyncio.timeout(PATIENCE):
            while True:
                total += await super().settle()
                if await self.watermarks() == await self.announced():
                    return total
                await asyncio.sleep(0.05)

    async def deliver(self, envelopes: Sequence[Envelope]) -> None:
        """Put these on the wire, whatever was on it before, and wait until they are consumed."""
        await self.send(envelopes)

    async def send(self, envelopes: Sequence[Envelope]) -> None:
        """Put these on the wire."""
        await self.wire.send(envelopes)

    async def _untroubled(self) -> list[Envelope]:
        """What was announced since the trouble before: the relay has not sent it yet."""
        fresh = [each for each in await self.envelopes() if each.id not in self._troubled]
        self._troubled |= {each.id for each in fresh}
        return fresh

    def _repairing(self, repair: Repair | None) -> Repair:
        async def missing(topic: str, shard: int, after: int, upto: int) -> list[Envelope]:
            """As from a producer that cannot be reached, while `can_repair` is off."""
            if repair is None or not self.can_repair:
                return []
            return await repair(topic, shard, after, upto)

        return missing

    async def watermarks(self) -> Levels:
        levels = {}
        for each in self.stations.values():
            async with each.kit.db.reading() as connection:
                for row in await connection.execute(select(inbox_watermark)):
                    levels[row.consumer, row.topic, row.shard] = row.applied
        return levels

    async def announced(self) -> Levels:
        """What the watermarks of all subscribers have to be."""
        produced = {
            (topic, shard): n
            for each in self.stations.values()
            for topic, shard, n in await _shards(each)
        }
        return {
            (each.service.short, topic, shard): n
            for each in self.stations.values()
            for (topic, shard), n in produced.items()
            if topic in each.inbox.topics
        }

    async def envelopes(self) -> list[Envelope]:
        """Everything that was ever announced, in order within each shard."""
        found = []
        for each in self.stations.values():
            for topic, shard, n in await _shards(each):
                async with each.kit.db.reading() as connection:
                    found += await read_range(
                        connection,
                        source=f"/tongban/{each.service.short}",
                        topic=topic,
                        shard=shard,
                        after=0,
                        upto=n,
                    )
        return found


class KafkaCity(TestCity):
    """The same parts, joined by a broker: one producer for each relay, one group for each inbox."""

    def __init__(
        self, settings: Mapping[str, ServiceSettings], *, bootstrap: str, groups: str
    ) -> None:
        super().__init__(settings)
        self._bootstrap = bootstrap
        self._groups = groups
        self._wires = {
            short: KafkaWire(bootstrap=bootstrap, partitions=PARTITIONS) for short in self.stations
        }
        self.stations = {
            short: Station(
                each.service,
                each.kit,
                each.inbox,
                each.service.relay(each.kit, self._wires[short]),
                each.sweeper,
            )
            for short, each in self.stations.items()
        }
        self._stop = asyncio.Event()
        self._consumers = [
            asyncio.create_task(
                consume(
                    each.inbox,
                    bootstrap=bootstrap,
                    group=self._group(each),
                    stop=self._stop,
                    session_timeout_ms=6000,
                )
            )
            for each in self.stations.values()
            if each.inbox.topics
        ]

    async def deliver(self, envelopes: Sequence[Envelope]) -> None:
        await self.send(envelopes)
        async with asyncio.timeout(PATIENCE):
            for each in self.stations.values():
                await self._all_consumed(each)

    async def send(self, envelopes: Sequence[Envelope]) -> None:
        for short, wire in self._wires.items():
            await wire.send([each for each in envelopes if each.source == f"/tongban/{short}"])

    async def close(self) -> None:
        self._stop.set()
        await asyncio.gather(*self._consumers)
        for wire in self._wires.values():
            await wire.close()
        await super().close()

    async def _all_consumed(self, station: Station) -> None:
        """Wait until the group has committed the end of each of its partitions."""
        onlooker = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self._group(station),
            enable_auto_commit=False,
            retry_backoff_ms=5,  # it asks for topics that it has not heard of yet
        )
        await onlooker.start()
        try:
            partitions = [
                TopicPartition(topic, number)
                for topic in station.inbox.topics
                for number in range(PARTITIONS)
            ]
            for partition, end in (await onlooker.end_offsets(partitions)).items():
                await _until_committed(onlooker, partition, end)
        finally:
            await onlooker.stop()

    def _group(self, station: Station) -> str:
        return f"{station.service.short}-{self._groups}"


class Opened(Protocol):
    """Opens the suite over the databases of the test: again, after it was closed."""

    async def __call__(self) -> TestCity: ...


class Openings:
    """One test's suites, one after the other over the same databases and topics."""

    def __init__(self, settings: Mapping[str, ServiceSettings], broker: Broker | None) -> None:
        self._settings = settings
        self._broker = broker
        self._groups = uuid4().hex[:8]
        self._made: list[TestCity] = []

    async def __call__(self) -> TestCity:
        if self._broker is None:
            made = TestCity(self._settings)
        else:
            made = KafkaCity(self._settings, bootstrap=self._broker.bootstrap, groups=self._groups)
        self._made.append(made)
        return made

    async def close(self) -> None:
        for each in self._made:
            await each.close()  # closing twice does no harm


async def empty(settings: Mapping[str, ServiceSettings]) -> None:
    """Empty the five databases, but for their policies."""
    for service in SERVICES:
        kit = service.kit(settings[service.short])
        await truncate(kit.db)
        await kit.db.close()


async def _until_committed(onlooker: AIOKafkaConsumer, partition: TopicPartition, end: int) -> None:
    """Only the group coordinator knows, and it tells nobody who does not ask."""
    while True:
        if (await onlooker.committed(partition) or 0) >= end:
            return
        await asyncio.sleep(0.05)


async def _shards(station: Station) -> list[tuple[str, int, int]]:
    async with station.kit.db.reading() as connection:
        rows = await connection.execute(select(outbox_shard))
        return [(row.topic, row.shard, row.n) for row in rows]
