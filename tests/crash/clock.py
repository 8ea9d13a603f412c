"""The clock that the sweepers of a run go by: the database's, moved forward by a known offset.

The shortest limit of a policy is one hour. So that deadlines really run out within a run, the
offset is a little less than that hour, and it grows while the run goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftedClock:
    epoch: datetime
    base: timedelta = timedelta(0)
    rate: float = 0.0  # seconds gained in each second since the epoch

    def at(self, real: datetime) -> datetime:
        return real + self.base + (real - self.epoch) * self.rate

    def environment(self) -> dict[str, str]:
        """For the processes that go by this clock."""
        return {
            "CRASH_EPOCH": self.epoch.isoformat(),
            "CRASH_BASE": str(self.base.total_seconds()),
            "CRASH_RATE": str(self.rate),
        }

    @classmethod
    def from_environment(cls, values: Mapping[str, str]) -> Self:
        return cls(
            epoch=datetime.fromisoformat(values["CRASH_EPOCH"]),
            base=timedelta(seconds=float(values["CRASH_BASE"])),
            rate=float(values["CRASH_RATE"]),
        )
