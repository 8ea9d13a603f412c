"""A simulated clock over a running city: deadlines fire when due, days begin in order."""

from collections.abc import Awaitable, Callable
from datetime import datetime, time, timedelta

from tongban_common.working_days import SHANGHAI
from tongban_suite.city import City

_INSTANT = timedelta(microseconds=1)


class Simulation:
    """Moves time forward and lets everything happen that the time in between brings.

    Timers are looked at once per local day, which is exact for limits in days (they end with a
    day); `hourly` looks every hour, for limits in hours.
    """

    def __init__(self, city: City, start: datetime, *, hourly: bool = False) -> None:
        self.city = city
        self.now = start
        self._begun = start.astimezone(SHANGHAI).date()
        self._hourly = hourly
        self._on_day: list[Callable[[datetime], Awaitable[object]]] = []

    def each_day(self, act: Callable[[datetime], Awaitable[object]]) -> None:
        """Call this whenever a new local day begins, before anything else of that day."""
        self._on_day.append(act)

    async def advance(self, to: datetime) -> None:
        """Fire, in order, what falls due until then. Going back in time is a mistake."""
        if to < self.now:
            raise ValueError(f"the clock cannot go back from {self.now} to {to}")
        if self._period(to) != self._period(self.now):
            await self._let_deadlines_pass(to)
        self.now = to

    async def _let_deadlines_pass(self, to: datetime) -> None:
        while True:
            due = await self.city.next_due()
            if due is None or due >= to:
                break
            await self._begin_days(due)
            self.now = max(self.now, due + _INSTANT)
            await self.city.sweep(self.now)
        await self._begin_days(to)

    async def _begin_days(self, moment: datetime) -> None:
        """Begin every day up to that of the moment; one that a deadline ran into begins after."""
        last = moment.astimezone(SHANGHAI).date()
        while self._begun < last:
            self._begun += timedelta(days=1)
            midnight = datetime.combine(self._begun, time(), SHANGHAI)
            self.now = max(self.now, midnight)
            for act in self._on_day:
                await act(self.now)

    def _period(self, moment: datetime) -> tuple[object, int]:
        local = moment.astimezone(SHANGHAI)
        return local.date(), local.hour if self._hourly else 0
