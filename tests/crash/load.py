"""The load: clients that move tickets, reviews and rectifications, and ask until they know.

Every request carries an Idempotency-Key, every move an If-Match. A client repeats a request until
an answer says what became of it, and each 2xx goes to a log that is fsynced before the client goes
on. A client is the only one who acts on its ticket, so a 4xx is a fault of the product.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from .asking import ANSWER_SECONDS, TICKETS, Asker, Call, Ground, Refused
from .callback_desk import CallbackDesk
from .desks import Editor, HandOver, Joiner, Looker, Supervisor
from .upstream import Handler, Puller, Pushes
from .world import UNITS

FATES = {"closed": 82, "late": 8, "unanswered": 6, "unassigned": 4}
CALLED = 0.4  # the share of those who left a number: they are called before the ticket is closed
HEARD = {"resolved": "resolved", "result": "satisfied", "process": "satisfied"}
# What happens on the way to a reply, beside the plain way.
DETOURS = {
    "none": 50,
    "consulted": 8,
    "contacted": 8,
    "extended": 12,
    "suspended": 12,
    "returned": 10,
}
REVIEWS = {"none": 50, "passed": 30, "failed": 20}
GROUNDS = {"reason": "情况复杂", "citation": "三定规定", "is_signed_off": True}


@dataclass(slots=True, kw_only=True)
class Load(Ground):
    """The clients of one run, and what they leave to each other."""

    due_seconds: float  # about when a deadline of this run runs out
    closed: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)  # to be reviewed
    late: "list[asyncio.Task[None]]" = field(default_factory=list)  # replies that wait
    is_reviewed: bool = False  # nothing more will be opened by a review that a client gives

    async def run(self, *, clients: int, citizens: int, seconds: float, at_least: int = 0) -> None:
        """Load for so long and so many requests, then until all that was begun is finished."""
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS) as http, asyncio.TaskGroup() as group:

            def a_client(number: int) -> "Client":
                return Client(self, number, http, group)

            moving = [group.create_task(a_client(n).run()) for n in range(clients)]
            reviewing = [group.create_task(a_client(100 + n).review()) for n in range(citizens)]
            staff = [group.create_task(a_client(200).rectify())] if citizens else []
            pushes = Pushes(self, 300, http)
            desks = [
                Supervisor(self, 310, http),
                CallbackDesk(self, 320, http),
                CallbackDesk(self, 321, http),
                Handler(self, 330, http, pushes),
                HandOver(self, 340, http),
                Editor(self, 350, http),
                Looker(self, 360, http),
                Joiner(self, 370, http),
            ]
            at_desks = [group.create_task(each.run()) for each in desks] if citizens else []
            pulling = [group.create_task(Puller(self, 380, http).run())] if citizens else []
            await asyncio.sleep(seconds)
            while self.log.written < at_least:  # noqa: ASYNC110 - on a slow machine
                await asyncio.sleep(0.1)
            self.is_over = True
            await asyncio.gather(*moving)
            await asyncio.gather(*self.late, *at_desks)
            self.is_answered = True
            await asyncio.gather(*pulling)
            for _ in reviewing:
                self.closed.put_nowait("")
            await asyncio.gather(*reviewing)
            self.is_reviewed = True
            await asyncio.gather(*staff)  # cancelled, one might never hear what became of its move


class Client(Asker):
    def __init__(
        self, load: Load, number: int, http: httpx.AsyncClient, group: asyncio.TaskGroup
    ) -> None:
        super().__init__(load, number, http)
        self._load = load
        self._group = group

    async def run(self) -> None:
        """Tickets, one after another, each to its fate."""
        while not self._load.is_over:
            await self._noting_refusals(self._ticket())
            await asyncio.sleep(self._random.uniform(0, 0.1))

    async def review(self) -> None:
        """A citizen: reviews closed tickets as soon as the invitation is there."""
        while ticket := await self._load.closed.get():
            await self._noting_refusals(self._review(ticket))

    async def rectify(self) -> None:
        """A member of staff: carries every rectification through, until the reviews are over."""
        while True:
            is_last = self._load.is_reviewed
            for each in await self._opened():
                await self._noting_refusals(self._rectification(each["id"]))
            if is_last:
                return
            await asyncio.sleep(0.5)

    async def _ticket(self) -> None:
        fate = self._drawn(FATES)
        unit = self._random.choice(UNITS)
        is_called = self._random.random() < CALLED
        detour = self._drawn(DETOURS)
        body = {
            "channel": "wechat",
            "appeal_type": self._random.choice(["consult", "help", "complaint"]),
            "title": "路灯不亮",
            "content": "小区门口的路灯不亮了，请处理。",
            "target_name": "物业公司",
            "person": {"phone": "13812345678"} if is_called else {},
        }
        ticket = await self._hotline(Call("ticket", "registered", TICKETS, body, self._hub))
        if fate == "unassigned":
            return
        if detour == "consulted":
            ticket = await self._move(ticket, "consult", {}, self._hub)
            ticket = await self._move(ticket, "conclude", {"words": "由该单位办理。"}, self._hub)
        ticket = await self._move(ticket, "assign", {"unit_code": unit}, self._hub)
        ticket = await self._move(ticket, "sign", {}, self._officers[unit])
        if fate != "unanswered":
            ticket, unit = await self._detour(detour, ticket, unit)
        if fate == "late":
            wait = self._load.due_seconds * self._random.uniform(0.8, 1.2)
            answer = self._answer(ticket, unit, is_called=is_called, wait=wait)
            answering = self._noting_refusals(answer)
            self._load.late.append(self._group.create_task(answering))
        elif fate == "closed":
            await self._answer(ticket, unit, is_called=is_called)

    async def _answer(
        self, ticket: Mapping[str, Any], unit: str, *, is_called: bool, wait: float = 0
    ) -> None:
        """After a wait that ends about when the ticket is due, the reply and the sweep race.

        What the callback heard is the review of the ticket; who is not called gives one, or none.
        """
        await asyncio.sleep(wait)
        ticket = await self._move(ticket, "reply", {"text": "已修好。"}, self._officers[unit])
        if ticket["status"] == "replied" and not wait:
            ticket = await self._reviewed(ticket, unit, is_called=is_called)
        heard: Mapping[str, object] = {"heard": HEARD} if is_called else {}
        ticket = await self._move(ticket, "close", heard, self._hub)
        if not is_called and self._random.random() < 0.3:
            self._load.closed.put_nowait(ticket["id"])

    async def _detour(
        self, detour: str, ticket: Mapping[str, Any], unit: str
    ) -> tuple[Mapping[str, Any], str]:
        """What the unit asks of the hub, and the unit that has the ticket then. Where the clock ran
        out meanwhile, nothing more may be asked."""
        officer, other = self._officers[unit], UNITS[(UNITS.index(unit) + 1) % len(UNITS)]
        granted = {"is_granted": True}
        steps: Mapping[str, Sequence[tuple[str, Mapping[str, object], str]]] = {
            "contacted": [("contact", {}, officer)],
            "extended": [
                ("extension", {**GROUNDS, "amount": 1}, officer),
                ("extension/decide", {**granted, "is_told": True}, self._hub),
            ],
            "suspended": [
                (
                    "suspension",
                    _without(GROUNDS, "citation") | {"pause_reason": "HEARING"},
                    officer,
                ),
                ("suspension/decide", granted, self._hub),
                ("resume", {}, officer),
            ],
            "returned": [
                ("return", {**GROUNDS, "suggested_unit": other}, officer),
                ("return/decide", granted, self._hub),
                ("assign", {"unit_code": other}, self._hub),
                ("sign", {}, self._officers[other]),
            ],
        }
        try:
            for move, body, token in steps.get(detour, ()):
                if move == "extension" and ticket["appeal_type"] == "consult":
                    break
                ticket = await self._move(ticket, move, body, token)
        except Refused as fault:
            known, path = ticket["version"], f"{TICKETS}/{ticket['id']}"
            ticket = await self._get(path, wait=True, hosts=self._load.hotline)
            if not (fault.is_rule and ticket["version"] > known):  # else a timer was first
                raise
        return ticket, ticket["unit_code"] or unit

    async def _reviewed(
        self, ticket: Mapping[str, Any], unit: str, *, is_called: bool
    ) -> Mapping[str, Any]:
        """结果审核; what is sent back is answered once more. Who left no number is not called: to
        pass such a ticket is to close it."""
        review = self._drawn(REVIEWS)
        if review == "passed" and is_called:
            return await self._move(ticket, "review/pass", {}, self._hub)
        if review == "failed":
            ticket = await self._move(ticket, "review/fail", {}, self._hub)
            again = {"text": "已再次修好。"}
            return await self._move(ticket, "reply", again, self._officers[unit])
        return ticket

    async def _review(self, ticket: str) -> None:
        invitation = await self._get(f"/evaluation/v1/invitations/ticket/{ticket}", wait=True)
        level = self._random.choice([5, 5, 4, 3, 2, 1])
        body = {
            "token": invitation["link"].rpartition("/")[2],
            "level": level,
            "comment": "一直没有修好" if level < 3 else None,
        }
        await self._ask(
            self._load.evaluation, Call("review", "submitted", "/evaluation/v1/reviews", body)
        )

    async def _opened(self) -> list[dict[str, Any]]:
        page = await self._get("/evaluation/v1/rectifications?status=opened&limit=50", wait=False)
        found: list[dict[str, Any]] = page["items"]
        return found

    async def _rectification(self, id_: str) -> None:
        path = f"/evaluation/v1/rectifications/{id_}"
        verified = {
            "is_factual": True,
            "is_reasonable": True,
            "note": "情况属实",
            "root_cause": "efficiency",
            "grade": "simple",
        }
        steps: tuple[tuple[str, Mapping[str, object]], ...] = (
            ("verify", verified),
            ("rectify", {"measures": "已更换灯具。"}),
            ("call-back", {"answer": "satisfied"}),
            ("close", {}),
        )
        version = 1
        for step, body in steps:
            said = step.replace("-", "_")
            call = Call("rectification", said, f"{path}/{step}", body, self._hub, version)
            answer = await self._ask(self._load.evaluation, call)
            version = answer["version"]


def _without(of: Mapping[str, object], name: str) -> dict[str, object]:
    return {key: value for key, value in of.items() if key != name}
