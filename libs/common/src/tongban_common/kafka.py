"""The thin Kafka shell: a producer that is sure, a consumer that forgets nothing.

aiokafka's defaults are dangerous (acks=1, auto-commit, latest); every one that matters is set here.
A producer that failed in any way that it cannot retry is thrown away: the relay's cursor has not
moved, and a new producer with a new id goes on from it. Offsets are committed explicitly, after
the effects, and only as a hint: the inbox's watermark is what decides.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from tongban_common.brokers import ensure_topics
from tongban_common.events import BadEnvelope, Envelope
from tongban_common.inbox import GapInShard, Inbox

__all__ = ["CONSUMER", "PRODUCER", "KafkaWire", "consume", "ensure_topics"]

_log = structlog.get_logger()
SEND_SECONDS = 10

PRODUCER: dict[str, Any] = {
    "acks": "all",
    "enable_idempotence": True,
    "compression_type": "zstd",
    "linger_ms": 2,
    "request_timeout_ms": 8_000,
    "retry_backoff_ms": 500,
}
CONSUMER: dict[str, Any] = {
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "isolation_level": "read_committed",
    "session_timeout_ms": 15_000,
    "heartbeat_interval_ms": 3_000,
    "max_poll_interval_ms": 300_000,
    "retry_backoff_ms": 500,
}


class KafkaWire:
    """Sends to the partition of the shard, and returns when all in-sync replicas have it."""

    def __init__(self, *, bootstrap: str, partitions: int) -> None:
        self._bootstrap = bootstrap
        self._partitions = partitions
        self._producer: AIOKafkaProducer | None = None

    async def send(self, envelopes: Sequence[Envelope]) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._send(envelopes)
        except (KafkaError, TimeoutError):
            await self._discard()
            raise

    async def close(self) -> None:
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    async def _send(self, envelopes: Sequence[Envelope]) -> None:
        if self._producer is None:
            producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, **PRODUCER)
            await producer.start()
            self._producer = producer
        acknowledged = [
            await self._producer.send(
                each.topic,
                each.to_bytes(),
                key=each.subject.encode(),
                partition=each.shard % self._partitions,
                headers=_headers(each),
            )
            for each in envelopes
        ]
        await asyncio.gather(*acknowledged)

    async def _discard(self) -> None:
        """Never reuse a producer that failed: its sequence numbers may be stuck."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(2):
                await producer.stop()
        except (KafkaError, TimeoutError):
            _log.warning("kafka.producer_abandoned")


async def consume(
    inbox: Inbox,
    *,
    bootstrap: str,
    group: str,
    stop: asyncio.Event,
    session_timeout_ms: int = CONSUMER["session_timeout_ms"],
    batch: int = 200,
) -> None:
    """Feed an inbox until told to stop; a consumer that breaks is replaced by a new one."""
    settings = {
        **CONSUMER,
        "session_timeout_ms": session_timeout_ms,
        "heartbeat_interval_ms": min(CONSUMER["heartbeat_interval_ms"], session_timeout_ms // 3),
    }
    while not stop.is_set():
        consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, group_id=group, client_id=f"tongban-{group}", **settings
        )
        feed = _Feed(consumer, inbox, batch)
        try:
            await feed.run(stop)
        except (KafkaError, OSError) as fault:
            _log.warning("kafka.consumer_replaced", fault=type(fault).__name__)
            await _wait(stop, 1.0)
        finally:
            await consumer.stop()


class _Feed(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """One consumer's life: fetch, apply, commit; partition by partition, in order."""

    def __init__(self, consumer: AIOKafkaConsumer, inbox: Inbox, batch: int) -> None:
        self._consumer = consumer
        self._inbox = inbox
        self._batch = batch
        self._applying = asyncio.Lock()
        self._failures = 0

    async def run(self, stop: asyncio.Event) -> None:
        self._consumer.subscribe(list(self._inbox.topics), listener=self)
        await self._consumer.start()
        while not stop.is_set():
            fetched = await self._consumer.getmany(timeout_ms=200, max_records=self._batch)
            for partition, records in fetched.items():
                if not await self._take(partition, records):
                    await _wait(stop, self._pause())
                    break  # every partition not taken is fetched again
            else:
                continue
            await self._rewind(fetched)

    async def on_partitions_revoked(self, _revoked: object) -> None:
        """Let the batch in flight finish before another member takes the partition."""
        async with self._applying:
            return

    async def on_partitions_assigned(self, _assigned: object) -> None:
        return

    async def _take(self, partition: TopicPartition, records: Sequence[Any]) -> bool:
        """Effects first, offset after. False when it has to be tried again."""
        async with self._applying:
            if partition not in self._consumer.assignment():
                return True  # its new owner takes them
            try:
                await self._inbox.apply(await self._envelopes(partition, records))
            except GapInShard as gap:
                _log.error("kafka.shard_stopped", topic=gap.topic, shard=gap.shard)
                return self._failed()
            except Exception as fault:  # noqa: BLE001 - the offset has not moved: tried again
                _log.warning("kafka.batch_failed", fault=type(fault).__name__)
                return self._failed()
            self._failures = 0
            await self._commit(partition, records[-1].offset + 1)
        return True

    async def _envelopes(self, partition: TopicPartition, records: Sequence[Any]) -> list[Envelope]:
        envelopes = []
        for record in records:
            try:
                envelopes.append(Envelope.from_bytes(record.value or b"", topic=record.topic))
            except BadEnvelope as refusal:
                await self._inbox.refuse(
                    topic=partition.topic,
                    partition=partition.partition,
                    offset=record.offset,
                    raw=record.value or b"",
                    reason=refusal.message,
                )
        return envelopes

    async def _commit(self, partition: TopicPartition, offset: int) -> None:
        try:
            await self._consumer.commit({partition: offset})
        except (CommitFailedError, IllegalStateError):
            _log.info("kafka.offset_left_to_the_new_owner", partition=partition.partition)

    async def _rewind(self, fetched: dict[TopicPartition, Sequence[Any]]) -> None:
        """Go back to the first record of each partition; the watermark knows what was applied."""
        for partition, records in fetched.items():
            if partition in self._consumer.assignment():
                self._consumer.seek(partition, records[0].offset)

    def _failed(self) -> bool:
        self._failures += 1
        return False

    def _pause(self) -> float:
        """Exponential with jitter, at most half a minute."""
        return min(30.0, 0.2 * float(2 ** min(self._failures, 8))) * random.uniform(0.5, 1.0)  # noqa: S311


def _headers(envelope: Envelope) -> list[tuple[str, bytes]]:
    headers = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
    if envelope.traceparent is not None:
        headers.append(("traceparent", envelope.traceparent.encode()))
    return headers


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
