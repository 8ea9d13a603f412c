"""The wire between services: a protocol, and its in-process form.

A relay hands envelopes to a wire; `send` returns only after every one of them is safe on the other
side. In one process "safe" means applied in each subscriber's own database; with Kafka it means
acknowledged by the brokers (`kafka.KafkaWire`).
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby
from typing import Protocol

from tongban_common.events import Envelope


class Wire(Protocol):
    async def send(self, envelopes: Sequence[Envelope]) -> None:
        """Deliver in order per (topic, shard). Raises when any envelope is not safe yet."""
        ...


class Receiver(Protocol):
    """What the wire needs of an inbox."""

    @property
    def topics(self) -> tuple[str, ...]: ...

    async def apply(self, envelopes: Sequence[Envelope]) -> None: ...


class InProcessWire:
    """Joins services that run in one process: straight into each subscriber's inbox."""

    def __init__(self) -> None:
        self._receivers: dict[str, list[Receiver]] = defaultdict(list)

    def connect(self, receiver: Receiver) -> None:
        for topic in receiver.topics:
            self._receivers[topic].append(receiver)

    async def send(self, envelopes: Sequence[Envelope]) -> None:
        faults: list[Exception] = []
        receivers = {
            id(receiver): receiver
            for topic in {envelope.topic for envelope in envelopes}
            for receiver in self._receivers[topic]
        }
        for receiver in receivers.values():
            try:
                await receiver.apply(envelopes)
            except Exception as fault:  # noqa: BLE001 - one subscriber must not starve another
                faults.append(fault)
        if faults:
            raise ExceptionGroup("not every subscriber took the events", faults)


def by_shard(
    envelopes: Sequence[Envelope],
) -> list[tuple[tuple[str, int], list[Envelope]]]:
    """Group by (topic, shard), keeping the order inside each group."""

    def place(envelope: Envelope) -> tuple[str, int]:
        return envelope.topic, envelope.shard

    ordered = sorted(envelopes, key=place)  # stable
    return [(shard, list(batch)) for shard, batch in groupby(ordered, key=place)]
