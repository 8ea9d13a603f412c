"""How a client asks: until an answer says what became of its request, and each 2xx is written down.

Every request carries an Idempotency-Key, every move an If-Match. A request is repeated until its
answer is known, and what was acknowledged goes to a log that is fsynced before the client goes on.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import orjson

from tongban_common.issuer import DevelopmentIssuer

from .world import UNITS

ANSWER_SECONDS = 3.0
GIVE_UP_SECONDS = 90.0
TICKETS = "/hotline/v1/tickets"
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
    "merge": "merged",
    "unmerge": "unmerged",
    "withdraw": "withdrawn",
    "callback/attempt": "callback_attempted",
    "callback/record": "callback_completed",
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
    method: str = "POST"
    may: Collection[int] = ()  # answers that are no fault, though nothing was done


@dataclass(slots=True, kw_only=True)
class Ground:
    """What the clients of one run share."""

    hotline: Sequence[str]
    evaluation: Sequence[str]
    issuer: DevelopmentIssuer
    log: Log
    told: Log  # what the desks were told, beside the moves of tickets and reviews
    seed: str
    answers: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    is_over: bool = False
    is_answered: bool = False  # no desk answers a ticket any more


class Known(NamedTuple):
    """What a client knows in the end."""

    answer: httpx.Response
    key: str


class Asker:
    """One client: its own random decisions, its people, and its way to ask."""

    def __init__(self, ground: Ground, number: int, http: httpx.AsyncClient) -> None:
        self._ground = ground
        self._random = random.Random(f"{ground.seed}/{number}")  # noqa: S311 - not a secret
        self._http = http
        self._host = number
        self._name = f"client-{number}"
        token = ground.issuer.token
        hub = ["dispatcher", "inspector", "center_admin", "supervisor"]
        self._hub = token(subject=self._name, roles=hub)
        self._officers = {
            unit: token(subject=f"{self._name}-{unit}", roles=["unit_officer"], unit=unit)
            for unit in UNITS
        }

    async def _noting_refusals(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Refused as fault:
            self._ground.refused.append(str(fault))

    def _drawn(self, shares: Mapping[str, int]) -> str:
        return self._random.choices(list(shares), list(shares.values()))[0]

    async def _move(
        self,
        ticket: Mapping[str, Any],
        move: str,
        body: Mapping[str, object],
        token: str,
        *,
        said: str | None = None,
    ) -> Mapping[str, Any]:
        """A move of a ticket; `said`, where its history uses another word than for most."""
        path = f"{TICKETS}/{ticket['id']}"
        while True:
            call = Call(
                "ticket", said or SAID[move], f"{path}/{move}", body, token, ticket["version"]
            )
            try:
                return await self._hotline(call)
            except Refused as fault:
                if not fault.is_outrun:
                    raise
                ticket = await self._get(path, wait=True, hosts=self._ground.hotline)

    async def _hotline(self, call: Call) -> Mapping[str, Any]:
        return await self._ask(self._ground.hotline, call)

    async def _ask(self, hosts: Sequence[str], call: Call) -> Mapping[str, Any]:
        """A move of an aggregate, acknowledged by its version. Raises Refused."""
        answer, key = await self._known(hosts, call)
        known: Mapping[str, Any] = answer.json()
        version = known.get("version", 1)
        self._ground.log.write(
            kind=call.kind, id=known["id"], version=version, said=call.said, key=key
        )
        return known

    async def _known(self, hosts: Sequence[str], call: Call) -> Known:
        """Ask until the answer is known. Raises Refused."""
        key = f"{self._random.getrandbits(128):032x}"
        return Known(await self._again(call, key, hosts), key)

    async def _again(
        self, call: Call, key: str, hosts: Sequence[str] | None = None
    ) -> httpx.Response:
        """The same under a given key. Raises Refused."""
        hosts = hosts or self._ground.hotline
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
        if not answer.is_success and answer.status_code not in call.may:
            fault = Refused(f"{call.path}: {answer.status_code} {answer.text[:200]}")
            fault.is_outrun = answer.status_code == httpx.codes.PRECONDITION_FAILED
            fault.is_rule = answer.status_code in {409, 422}
            raise fault
        return answer

    async def _until_known(
        self, hosts: Sequence[str], call: Call, headers: Mapping[str, str]
    ) -> httpx.Response:
        while True:
            host = hosts[self._host % len(hosts)]
            try:
                answer = await self._http.request(
                    call.method, host + call.path, json=call.body, headers=headers
                )
            except httpx.HTTPError as fault:
                self._ground.answers[type(fault).__name__] += 1
                self._host += 1  # as a load balancer would: away from one that does not answer
            else:
                again = "idempotency-replayed" in answer.headers
                self._ground.answers[f"{answer.status_code}{' replayed' if again else ''}"] += 1
                if answer.status_code < 500 and answer.status_code != 429:
                    return answer
            await asyncio.sleep(self._random.uniform(0.05, 0.3))

    async def _get(
        self,
        path: str,
        *,
        wait: bool,
        hosts: Sequence[str] | None = None,
        token: str | None = None,
    ) -> Mapping[str, Any]:
        """A read, by staff unless a token is given; `wait`: until it is there."""
        headers = {"Authorization": f"Bearer {token or self._hub}"}
        while True:
            host = self._random.choice(hosts or self._ground.evaluation)
            try:
                answer = await self._http.get(host + path, headers=headers)
            except httpx.HTTPError as fault:
                self._ground.answers[type(fault).__name__] += 1
            else:
                if answer.is_success:
                    found: Mapping[str, Any] = answer.json()
                    return found
                if not wait or answer.status_code != 404:
                    self._ground.answers[f"GET {answer.status_code}"] += 1
            await asyncio.sleep(0.3)
