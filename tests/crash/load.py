"""The load: clients that move tickets, reviews and rectifications, and ask until they know.

Every request carries an Idempotency-Key, every move an If-Match. A client repeats a request until
an answer says what became of it, and each 2xx goes to a log that is fsynced before the client goes
on. A client is the only one who acts on its ticket, so a 4xx is a fault of the product.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import orjson

from tongban_common.issuer import DevelopmentIssuer

from .world import UNITS

ANSWER_SECONDS = 3.0
GIVE_UP_SECONDS = 90.0
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
SAID = {
    "assign": "assigned",
    "sign": "signed",
    "reply": "replied",
    "close": "closed",
    "consult": "consultation_opened",
    "conclude": "consultation_closed",
    "contact": "contacted",
    "extension": "extension_requested",
    "extension/decide": "extension_approved",
    "suspension": "suspension_requested",
    "suspension/decide": "suspended",
    "resume": "resumed",
    "return": "return_requested",
    "return/decide": "return_upheld",
    "review/pass": "review_passed",
    "review/fail": "review_failed",
}


class Refused(Exception):
    """An answer that no client of this load may get, but where a clock ran out meanwhile."""

    is_outrun = False  # the ticket has moved on since its version was read
    is_rule = False  # a rule of the process speaks against it


class Log:
    """The acknowledgements, one JSON document a line, each fsynced."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.written = 0

    def write(self, **ack: object) -> None:
        os.write(self._handle, orjson.dumps(ack) + b"\n")
        os.fsync(self._handle)
        self.written += 1

    def close(self) -> None:
        os.close(self._handle)


class Call(NamedTuple):
    """One request: what it does to which kind of aggregate, by whom, and on which version."""

    kind: str
    said: str  # what the aggregate's history will say
    path: str
    body: Mapping[str, object]
    token: str | None = None
    version: int | None = None


@dataclass(slots=True, kw_only=True)
class Load:
    """What the clients of one run share."""

    hotline: Sequence[str]
    evaluation: Sequence[str]
    issuer: DevelopmentIssuer
    log: Log
    seed: str
    due_seconds: float  # about when a deadline of this run runs out
    answers: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    closed: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)  # to be reviewed
    late: "list[asyncio.Task[None]]" = field(default_factory=list)  # replies that wait
    is_over: bool = False
    is_reviewed: bool = False  # nothing more will be opened by a review that a client gives

    async def run(self, *, clients: int, citizens: int, seconds: float, at_least: int = 0) -> None:
        """Load for so long and so many requests, then until all that was begun is finished."""
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS) as http, asyncio.TaskGroup() as group:

            def a_client(number: int) -> "Client":
                return Client(self, number, http, group)

            moving = [group.create_task(a_client(n).run()) for n in range(clients)]
            reviewing = [group.create_task(a_client(100 + n).review()) for n in range(citizens)]
            staff = [group.create_task(a_client(200).rectify())] if citizens else []
            await asyncio.sleep(seconds)
            while self.log.written < at_least:  # noqa: ASYNC110 - on a slow machine
                await asyncio.sleep(0.1)
            self.is_over = True
            await asyncio.gather(*moving)
            await asyncio.gather(*self.late)
            for _ in reviewing:
                self.closed.put_nowait("")
            await asyncio.gather(*reviewing)
            self.is_reviewed = True
            await asyncio.gather(*staff)  # cancelled, one might never hear what became of its move


class Client:
    def __init__(
        self, load: Load, number: int, http: httpx.AsyncClient, group: asyncio.TaskGroup
    ) -> None:
        self._load = load
        self._random = random.Random(f"{load.seed}/{number}")  # noqa: S311 - not a secret
        self._http = http
        self._group = group
        self._host = number
        token = load.issuer.token
        name = f"client-{number}"
        hub = ["dispatcher", "inspector", "center_admin", "supervisor"]
        self._hub = token(subject=name, roles=hub)
        self._officers = {
            unit: token(subject=f"{name}-{unit}", roles=["unit_officer"], unit=unit)
            for unit in UNITS
        }

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

    async def _noting_refusals(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Refused as fault:
            self._load.refused.append(str(fault))

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
        path = "/hotline/v1/tickets"
        ticket = await self._hotline(Call("ticket", "registered", path, body, self._hub))
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
            known, path = ticket["version"], f"/hotline/v1/tickets/{ticket['id']}"
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

    def _drawn(self, shares: Mapping[str, int]) -> str:
        return self._random.choices(list(shares), list(shares.values()))[0]

    async def _move(
        self, ticket: Mapping[str, Any], move: str, body: Mapping[str, object], token: str
    ) -> Mapping[str, Any]:
        path = f"/hotline/v1/tickets/{ticket['id']}"
        while True:
            call = Call("ticket", SAID[move], f"{path}/{move}", body, token, ticket["version"])
            try:
                return await self._hotline(call)
            except Refused as fault:
                if not fault.is_outrun:
                    raise
                ticket = await self._get(path, wait=True, hosts=self._load.hotline)

    async def _hotline(self, call: Call) -> Mapping[str, Any]:
        return await self._ask(self._load.hotline, call)

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

    async def _ask(self, hosts: Sequence[str], call: Call) -> Mapping[str, Any]:
        """Ask until the answer is known. Raises Refused."""
        key = f"{self._random.getrandbits(128):032x}"
        headers = {"Idempotency-Key": key}
        if call.token is not None:
            headers["Authorization"] = f"Bearer {call.token}"
        if call.version is not None:
            headers["If-Match"] = f'"{call.version}"'
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                answer = await self._until_known(hosts, call, headers)
        except TimeoutError:
            raise Refused(f"{call.path}: no answer within {GIVE_UP_SECONDS:.0f} s") from None
        if not answer.is_success:
            fault = Refused(f"{call.path}: {answer.status_code} {answer.text[:200]}")
            fault.is_outrun = answer.status_code == httpx.codes.PRECONDITION_FAILED
            fault.is_rule = answer.status_code in {409, 422}
            raise fault
        known: Mapping[str, Any] = answer.json()
        version = known.get("version", 1)
        self._load.log.write(
            kind=call.kind, id=known["id"], version=version, said=call.said, key=key
        )
        return known

    async def _until_known(
        self, hosts: Sequence[str], call: Call, headers: Mapping[str, str]
    ) -> httpx.Response:
        while True:
            host = hosts[self._host % len(hosts)]
            try:
                answer = await self._http.post(host + call.path, json=call.body, headers=headers)
            except httpx.HTTPError as fault:
                self._load.answers[type(fault).__name__] += 1
                self._host += 1  # as a load balancer would: away from one that does not answer
            else:
                again = "idempotency-replayed" in answer.headers
                self._load.answers[f"{answer.status_code}{' replayed' if again else ''}"] += 1
                if answer.status_code < 500 and answer.status_code != 429:
                    return answer
            await asyncio.sleep(self._random.uniform(0.05, 0.3))

    async def _get(
        self, path: str, *, wait: bool, hosts: Sequence[str] | None = None
    ) -> Mapping[str, Any]:
        """A read by staff; `wait`: until it is there."""
        headers = {"Authorization": f"Bearer {self._hub}"}
        while True:
            host = self._random.choice(hosts or self._load.evaluation)
            try:
                answer = await self._http.get(host + path, headers=headers)
            except httpx.HTTPError as fault:
                self._load.answers[type(fault).__name__] += 1
            else:
                if answer.is_success:
                    found: Mapping[str, Any] = answer.json()
                    return found
                if not wait or answer.status_code != 404:
                    self._load.answers[f"GET {answer.status_code}"] += 1
            await asyncio.sleep(0.3)


def _without(of: Mapping[str, object], name: str) -> dict[str, object]:
    return {key: value for key, value in of.items() if key != name}
