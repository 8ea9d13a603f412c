"""`python -m tests.crash.shifted <service> <command…>`: the command under a shifted clock.

Only `Database.now` is replaced, which is what the sweep asks; the rest is the service's own script.
"""

import os
import sys
from datetime import datetime
from importlib.metadata import entry_points

from tongban_common.db import Database

from .clock import ShiftedClock


def run_script(service: str, arguments: list[str]) -> None:
    """What the service's console script does."""
    (script,) = entry_points(group="console_scripts", name=f"tongban-{service}")
    script.load()(arguments)


def shift(clock: ShiftedClock) -> None:
    real = Database.now

    async def now(self: Database) -> datetime:
        return clock.at(await real(self))

    Database.now = now  # type: ignore[method-assign]


if __name__ == "__main__":
    shift(ShiftedClock.from_environment(os.environ))
    run_script(sys.argv[1], sys.argv[2:])
