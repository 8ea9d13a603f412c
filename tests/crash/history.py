"""What a run left behind, as values: the clients' log, databases' rows, the broker's records.

The checker knows nothing else. `reading.py` fills these from a real run; a test writes its own.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .clock import ShiftedClock

Place = tuple[str, int]  # topic, shard
Name = tuple[str, str]  # kind and id of an aggregate: ("ticket", "0199…")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """A 2xx that a client saw: which move made which version of which aggregate."""

    kind: str
    id: str
    version: int
    said: str
    key: str  # the Idempotency-Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A line of an aggregate's own history in its service's database."""

    kind: str
    id: str
    version: int
    said: str
    status: str | None = None  # what it led to, where the history says so


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The row of an aggregate; `said` is None where its history uses other words."""

    kind: str
    id: str
    version: int
    said: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A row of an outbox."""

    topic: str
    shard: int
    n: int
    id: str
    type: str
    subject: str
    at: datetime  # business time: for a deadline, of the sweeper's shifted clock
    stored_at: datetime  # the database's real clock
    data: Mapping[str, Any]

    @property
    def place(self) -> Place:
        return self.topic, self.shard

    def __str__(self) -> str:
        return f"{self.type} {self.subject} ({self.topic} shard {self.shard} n {self.n})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """The end of a sequence, and how far the relay says that it was sent."""

    topic: str
    shard: int
    n: int
    sent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """One movement of a consumer's watermark."""

    topic: str
    shard: int
    before: int
    after: int


@dataclass(slots=True, kw_only=True)
class Batch:
    """One committed transaction of a consumer: the watermarks it moved, the effects it tried."""

    advances: list[Advance] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)  # in the order of the statements


@dataclass(slots=True, kw_only=True)
class Consumer:
    """What one consumer's database holds."""

    name: str
    topics: Sequence[str]
    applied: Mapping[Place, int] = field(default_factory=dict)
    batches: Sequence[Batch] = ()  # those of the ledger, in order of their first row
    present: Counter[str] = field(default_factory=Counter)  # effects that are there at the end
    gaps: Sequence[str] = ()  # rows of inbox_gap, repaired or not
    letters: Sequence[str] = ()  # rows of dead_letter, settled or not


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """A deadline, as armed."""

    service: str
    kind: str
    subject: str
    due_at: datetime
    warn_at: datetime | None
    state: str  # armed, fired, disarmed
    is_warned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record of the broker, in the order of its partition."""

    topic: str
    shard: int
    n: int
    id: str


@dataclass(slots=True, kw_only=True)
class History:
    clock: ShiftedClock
    read_at: datetime  # when the databases were read, by their own clock
    acks: Sequence[Ack] = ()
    refused: Sequence[str] = ()  # what the clients were denied, or never learned
    moves: Sequence[Move] = ()
    states: Sequence[State] = ()
    facts: Sequence[Fact] = ()
    shards: Sequence[Shard] = ()
    consumers: Sequence[Consumer] = ()
    timers: Sequence[Timer] = ()
    records: Sequence[Record] = ()
