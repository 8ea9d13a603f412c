"""Domain events: what a service publishes, what a consumer reads, and the envelope between them.

The envelope is CloudEvents 1.0 in structured JSON, with two extensions of our own: `shard` and
`n`, the dense sequence that lets every consumer prove that it missed nothing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

import orjson
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from tongban_common.errors import BadInput

SHARDS = 64  # fixed for ever: it is part of every stored sequence


class BadEnvelope(BadInput):
    code = "event.bad_envelope"


class Event(BaseModel):
    """A published fact: past tense, immutable, strict, without personal data.

    `type` and `topic` are explicit strings; `key` names the field that holds the aggregate's id.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: ClassVar[str]
    topic: ClassVar[str]
    key: ClassVar[str]

    occurred_at: AwareDatetime = Field(exclude=True)  # the envelope's `time`

    @property
    def aggregate_id(self) -> str:
        return str(getattr(self, self.key))


class Reading(BaseModel):
    """What one consumer needs of somebody's event: declares just the fields it uses."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    topic: ClassVar[str]

    occurred_at: AwareDatetime  # from the envelope's `time`
    event_id: str  # from the envelope's `id`


def shard_of(aggregate_id: str) -> int:
    """The shard of an aggregate: stable over processes, releases and languages."""
    digest = hashlib.blake2b(aggregate_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % SHARDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One event on the wire. `n` counts densely from 1 within (topic, shard)."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    topic: str
    shard: int
    n: int
    data: Mapping[str, Any]
    traceparent: str | None = None

    def to_bytes(self) -> bytes:
        document = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": self.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "shard": self.shard,
            "n": self.n,
            "data": dict(self.data),
        }
        if self.traceparent is not None:
            document["traceparent"] = self.traceparent
        return orjson.dumps(document)

    @classmethod
    def from_bytes(cls, raw: bytes, *, topic: str) -> "Envelope":
        """Raises BadEnvelope, naming what is wrong and never the content."""
        try:
            document = _Document.model_validate(orjson.loads(raw))
        except ValueError as fault:
            raise BadEnvelope(f"事件不是合法的 CloudEvents 1.0：{type(fault).__name__}") from fault
        return cls(
            id=document.id,
            source=document.source,
            type=document.type,
            subject=document.subject,
            time=document.time,
            topic=topic,
            shard=document.shard,
            n=document.n,
            data=document.data,
            traceparent=document.traceparent,
        )


def _storable(value: str) -> str:
    """PostgreSQL has no NUL in text: one in a name would stop its shard for ever."""
    if "\0" in value:
        raise ValueError("NUL")
    return value


_Name = Annotated[str, Field(min_length=1), AfterValidator(_storable)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore")

    specversion: str = Field(pattern=r"^1\.0$")
    id: _Name
    source: _Name
    type: _Name
    subject: _Name
    time: AwareDatetime = Field(ge=datetime(1970, 1, 1, tzinfo=UTC))
    shard: int = Field(ge=0, lt=SHARDS)
    n: int = Field(ge=1, lt=2**63)
    data: dict[str, Any]
    traceparent: str | None = None
