"""The thin Kafka shell: a producer that is sure, a consumer that forgets nothing.

aiokafka's defaults are dangerous (acks=1, auto-commit, latest); every one that matters is set here.
A producer that failed in any way that it cannot retry is thrown away: the relay's cursor has not
moved, and a new producer with a new id goes on from it. Offsets are committed explicitly, after
the effects, and only as a hint: the inbox's watermark is what decides.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from time import monotonic
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from tongban_common.brokers import ensure_topics
from tongban_common.events import BadEnvelope, Envelope
from tongban_common.inbox import Inbox

__all__ = ["CONSUMER", "PRODUCER", "KafkaWire", "await_topics", "consume", "ensure_topics"]

_log = structlog.get_logger()
SEND_SECONDS = 10
COMMIT_SECONDS = 5
CLOSE_SECONDS = 3
WATCH_SECONDS = 30
RETRY_SECONDS = 2

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
        except BaseException:
            await self.close()  # its sequence numbers may be stuck: never used again
            raise

    async def close(self) -> None:
        """Nothing is waited for: what `send` returned for has been acknowledged."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        # Not `stop`: batches of an idempotent producer never expire, and it waits for each.
        await _bounded(producer._sender.close())  # noqa: SLF001 - aiokafka has no abort
        producer._closed = True  # noqa: SLF001
        await producer.client.close()

    async def _send(self, envelopes: Sequence[Envelope]) -> None:
        if self._producer is None:
            self._producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, **PRODUCER)
            await self._producer.start()
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


async def await_topics(
    make: Callable[[], Coroutine[Any, Any, None]], *, stop: asyncio.Event
) -> None:
    """Make the topics as soon as the brokers are there; told to stop, leave off at once."""
    stopping = asyncio.create_task(stop.wait())
    while not stop.is_set():
        making = asyncio.create_task(make())
        await asyncio.wait({making, stopping}, return_when=asyncio.FIRST_COMPLETED)
        making.cancel()  # nothing where it is done
        (fault,) = await asyncio.gather(making, return_exceptions=True)
        if fault is None:
            break
        if not isinstance(fault, KafkaError | OSError | asyncio.CancelledError):
            raise fault
        _log.warning("kafka.not_there", fault=type(fault).__name__)
        await _wait(stop, RETRY_SECONDS)
    stopping.cancel()


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
            await _bounded(consumer.stop())
            await consumer._client.close()  # noqa: SLF001 - left open where stop was cut short


class _Silent(KafkaError):  # type: ignore[misc]  # aiokafka is untyped
    """Records wait, and none comes: a consumer can fall silent when its brokers die."""


class _Feed(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """One consumer's life: fetch, apply, commit; partition by partition, in order."""

    def __init__(self, consumer: AIOKafkaConsumer, inbox: Inbox, batch: int) -> None:
        self._consumer = consumer
        self._inbox = inbox
        self._batch = batch
        self._applying = asyncio.Lock()
        self._failures: Counter[TopicPartition] = Counter()
        self._paused: dict[TopicPartition, float] = {}  # until when
        self._ends: dict[TopicPartition, int] = {}  # as the watch before found them

    async def run(self, stop: asyncio.Event) -> None:
        self._consumer.subscribe(list(self._inbox.topics), listener=self)
        await self._consumer.start()
        watch_at = monotonic() + WATCH_SECONDS
        while not stop.is_set():
            self._resume()
            fetched = await self._consumer.getmany(timeout_ms=200, max_records=self._batch)
            for partition, records in fetched.items():
                await self._take(partition, records)
            if fetched:
                self._ends = {}
            elif monotonic() >= watch_at:
                await self._watch()
            else:
                continue
            watch_at = monotonic() + WATCH_SECONDS

    async def on_partitions_revoked(self, _revoked: object) -> None:
        """Let the batch in flight finish before another member takes the partition."""
        async with self._applying:
            for of_before in (self._failures, self._paused, self._ends):
                of_before.clear()

    async def on_partitions_assigned(self, _assigned: object) -> None:
        return

    async def _take(self, partition: TopicPartition, records: Sequence[Any]) -> None:
        """Effects first, offset after. What fails is tried again; other partitions go on."""
        async with self._applying:
            if partition not in self._consumer.assignment():
                return  # its new owner takes them
            try:
                await self._inbox.apply(await self._envelopes(partition, records))
            except Exception as fault:  # noqa: BLE001 - the offset has not moved: tried again
                _log.warning("kafka.batch_failed", fault=type(fault).__name__)
                self._postpone(partition, records[0].offset)
            else:
                del self._failures[partition]
                await self._commit(partition, records[-1].offset + 1)

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
        """aiokafka would retry for ever; a time-out ends this consumer, as a hint may be lost."""
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await self._consumer.commit({partition: offset})
        except (CommitFailedError, IllegalStateError):
            _log.info("kafka.offset_left_to_the_new_owner", partition=partition.partition)

    def _postpone(self, partition: TopicPartition, offset: int) -> None:
        """Back to the first record, after a pause: exponential with jitter, at most 30 s."""
        self._failures[partition] += 1
        pause = min(30.0, 0.1 * 2.0 ** min(self._failures[partition], 9))
        self._paused[partition] = monotonic() + pause * random.uniform(0.5, 1.0)  # noqa: S311
        if partition in self._consumer.assignment():
            self._consumer.seek(partition, offset)
            self._consumer.pause(partition)

    def _resume(self) -> None:
        rested = {each for each, until in self._paused.items() if until <= monotonic()}
        for partition in rested:
            del self._paused[partition]
        self._consumer.resume(*(rested & self._consumer.assignment()))

    async def _watch(self) -> None:
        """After a silence: raises where what the watch before saw has still not come."""
        watched = self._consumer.assignment() - self._failures.keys()
        async with asyncio.timeout(WATCH_SECONDS):
            for partition in watched & self._ends.keys():
                if await self._consumer.position(partition) < self._ends[partition]:
                    raise _Silent(partition)
            self._ends = await self._consumer.end_offsets(list(watched)) if watched else {}


def _headers(envelope: Envelope) -> list[tuple[str, bytes]]:
    headers = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
    if envelope.traceparent is not None:
        headers.append(("traceparent", envelope.traceparent.encode()))
    return headers


async def _bounded(closing: Coroutine[Any, Any, None]) -> None:
    """Closing may wait for a broker that is gone."""
    # In its own task: aiokafka may let a CancelledError out, and a TaskGroup would not notice it.
    task = asyncio.create_task(closing)
    await asyncio.wait({task}, timeout=CLOSE_SECONDS)
    task.cancel()
    if not task.done() or task.cancelled() or task.exception() is not None:
        _log.warning("kafka.client_abandoned")


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
