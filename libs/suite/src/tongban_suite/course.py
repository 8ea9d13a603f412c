"""How one ticket of the demo city goes, from its assignment to what its citizen says of it."""

import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any

from tongban_common.service import Kit
from tongban_hotline_dispatch import operations as hotline
from tongban_hotline_dispatch.domain.assignment import Reply
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.operations.callbacks import CallbackDesk
from tongban_hotline_dispatch.store import Tickets

SETTLED_EVERY = 2  # days: events travel in batches, as they do under load
ACTOR = "demo"
REPLY = Reply.of("您反映的问题已现场核实并处理，感谢您的监督。")
_HEARD = Heard(resolved=Resolved.YES, result=Mark.SATISFIED, process=Mark.SATISFIED)
_HEARD_OF = timedelta(days=SETTLED_EVERY, hours=2)  # the hotline knows of a review by then
Act = Callable[[datetime], Coroutine[Any, Any, object]]


@dataclass
class Lane:
    """What is going to happen in one service, by moment; doing one thing may put others on it.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Who rates it by the link is not called; what was rated badly is done again."""

    kit: Kit
    lane: Lane
    step: hotline.Step
    unit: str
    invited: Callable[[datetime], datetime | None]  # when the citizen rates it, if at all

    async def assign(self, now: datetime) -> None:
        rules = await hotline.rules_at(self.kit, now=now)
        async with self.kit.db.transaction() as tx:
            ticket = await hotline.assign(
                tx, step=self.step, unit_code=self.unit, rules=rules, now=now
            )
        due = ticket.reply_term.due_at if ticket.reply_term else now
        self.lane.at(now + timedelta(hours=2), self._sign)
        self.lane.at(done_by(self.lane.chance, now, due), self._answer)

    async def _sign(self, now: datetime) -> None:
        rules = await hotline.rules_at(self.kit, now=now)
        async with self.kit.db.transaction() as tx:
            await hotline.sign(tx, step=self.step, rules=rules, now=now)

    async def _answer(self, now: datetime) -> None:
        await self._reply(now)
        self.lane.at(now + timedelta(hours=20), self._review)

    async def _review(self, now: datetime) -> None:
        rates = self.invited(now)
        if rates is None:
            await self._close(now)
            return
        rules = await hotline.rules_at(self.kit, now=now)
        async with self.kit.db.transaction() as tx:
            if (await Tickets(tx).get(self.step.ticket_id)).status is Status.REPLIED:
                await hotline.Desk(tx, step=self.step, rules=rules, now=now).pass_review()
        self.lane.at(rates + _HEARD_OF, self._look)

    async def _look(self, now: datetime) -> None:
        """差评处理."""
        rules = await hotline.rules_at(self.kit, now=now)
        async with self.kit.db.transaction() as tx:
            ticket = await Tickets(tx).get(self.step.ticket_id)
            if ticket.callback is None or ticket.callback.own is None or ticket.is_ended:
                return
            if not ticket.callback.is_done:
                await CallbackDesk(tx, step=self.step, rules=rules, now=now).decide(None)
        self.lane.at(now + timedelta(hours=20), self._mend)

    async def _mend(self, now: datetime) -> None:
        await self._reply(now)
        await self._close(now)

    async def _reply(self, now: datetime) -> None:
        rules = await hotline.rules_at(self.kit, now=now)
        async with self.kit.db.transaction() as tx:
            await hotline.reply(tx, step=self.step, answer=REPLY, rules=rules, now=now)

    async def _close(self, now: datetime) -> None:
        rules = await hotline.rules_at(self.kit, now=now)
        async with self.kit.db.transaction() as tx:
            await hotline.close(tx, step=self.step, rules=rules, now=now, heard=_HEARD)


def done_by(chance: random.Random, start: datetime, due: datetime) -> datetime:
    """Mostly in time; about one in eleven late."""
    if chance.random() < 0.09:
        return due + timedelta(hours=chance.randint(10, 60))
    return start + (due - start) * chance.uniform(0.15, 0.97)
