"""What is going to happen in one service of the demo city, by moment."""

import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from typing import Any

Act = Callable[[datetime], Coroutine[Any, Any, object]]


@dataclass
class Lane:
    """Doing one thing may put others on it.

    Lanes run side by side, each over a database of its own and by a chance of its own, so that
    the same things happen whichever is faster.
    """

    chance: random.Random
    _waiting: list[tuple[datetime, int, Act]] = field(default_factory=list)
    _count: int = 0

    def at(self, moment: datetime, act: Act) -> None:
        self._count += 1
        heappush(self._waiting, (moment, self._count, act))

    async def run(self, until: datetime) -> None:
        while self._waiting and self._waiting[0][0] < until:
            moment, _, act = heappop(self._waiting)
            await act(moment)
