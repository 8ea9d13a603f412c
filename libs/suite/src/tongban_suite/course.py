"""How one ticket of the demo city goes, from its assignment to what its citizen says of it."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tongban_common.service import Kit
from tongban_hotline_dispatch import operations as hotline
from tongban_hotline_dispatch.domain.asking import Request
from tongban_hotline_dispatch.domain.assignment import AskKind, Reply
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.operations.callbacks import CallbackDesk
from tongban_hotline_dispatch.store import Tickets
from tongban_suite.contests import FORBIDDEN, Contest
from tongban_suite.lanes import Lane

SETTLED_EVERY = 2  # days: events travel in batches, as they do under load
ACTOR = "demo"
REPLY = Reply.of("您反映的问题已现场核实并处理，感谢您的监督。")
_HEARD = Heard(resolved=Resolved.YES, result=Mark.SATISFIED, process=Mark.SATISFIED)
_HEARD_OF = timedelta(days=SETTLED_EVERY, hours=2)  # the hotline knows of a review by then
UNHAPPY = 0.12  # the share of the called who do not like what nobody can change
# What a unit asks for.
ASKED = {
    "return": Request(
        kind=AskKind.RETURN,
        by=ACTOR,
        grounds={
            "reason": "所涉路段由市政部门养护，不属于本单位职责",
            "citation": "机构职能编制规定",
            "suggested_unit": "TRAFFIC",
        },
    ),
    "extension": Request(
        kind=AskKind.EXTENSION,
        by=ACTOR,
        grounds={"reason": "须会同产权单位开挖检修", "citation": "工单办理规定", "amount": 3},
    ),
}


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
        if rates is not None:
            await self._pass(now)
            self.lane.at(rates + _HEARD_OF, self._look)
        elif self.lane.chance.random() < UNHAPPY:
            await self._pass(now)
            self.lane.at(now + timedelta(hours=3), self._call)
        else:
            await self._close(now)

    async def _pass(self, now: datetime) -> None:
        rules = await hotline.rules_at(self.kit, now=now)
        async with self.kit.db.transaction() as tx:
            if (await Tickets(tx).get(self.step.ticket_id)).status is Status.REPLIED:
                await hotline.Desk(tx, step=self.step, rules=rules, now=now).pass_review()

    async def _call(self, now: datetime) -> None:
        """回访: closed with a bad mark, which the unit contests."""
        rules = await hotline.rules_at(self.kit, now=now)
        async with self.kit.db.transaction() as tx:
            if (await Tickets(tx).get(self.step.ticket_id)).status is not Status.CALLBACK:
                return
            await CallbackDesk(tx, step=self.step, rules=rules, now=now).hear(FORBIDDEN)
        contest = Contest(
            kit=self.kit, lane=self.lane, ticket_id=self.step.ticket_id, unit=self.unit
        )
        self.lane.at(now + timedelta(hours=22), contest.begin)

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
