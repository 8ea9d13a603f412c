"""The only place that reads the clock. Everything below an edge is told what time it is."""

import os
from datetime import UTC, datetime
from uuid import UUID


def utc_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the one allowed reading


def new_id(now: datetime) -> UUID:
    """A UUIDv7: sorts roughly by time, which keeps indexes local. Never used as an order."""
    milliseconds = int(now.timestamp() * 1000) & ((1 << 48) - 1)
    noise = int.from_bytes(os.urandom(10), "big")
    high = noise >> 68  # 12 bits
    low = noise & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 7 << 76 | high << 64 | 2 << 62 | low)
