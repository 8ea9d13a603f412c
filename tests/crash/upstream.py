"""The upper platform under load: a message from several senders, answers pulled till kept."""

import asyncio
from datetime import timedelta

import httpx

from tongban_common.clock import utc_now

from .asking import Call, Ground
from .desk import Desk, Told
from .world import UNITS

UP = "/hotline/v1/upstream"
PLATFORM = "province-12345"
SENDERS = 3
RECEIPTED = 0.6  # the share of pulls that are acknowledged at once


class Pushes(Desk):
    """The platform's side that pushes; the hub's side asks it for the next ticket."""

    async def _round(self) -> None:
        await self.pushed()

    async def pushed(self) -> Told:
        """One message, by several senders at once; the ticket that all of them were told of."""
        number = f"GZ-{self._uuid().hex[:20]}"
        body = {
            "number": number,
            "appeal_type": "help",
            "title": "路灯不亮",
            "content": "桂花路口的路灯已三天不亮",
            "person": {"name": "张三", "phone": "13812345678"},
            "wants_callback": False,
            "due": (utc_now() + timedelta(days=3)).isoformat(),
        }
        answers = await asyncio.gather(*(self._push(body) for _ in range(SENDERS)))
        for each in answers:
            self._write("pushed", number, said=each["ticket_no"])
        search = Call("search", "", "/hotline/v1/ticket-searches", {"number": number}, self._hub)
        (found,) = (await self._told(search))["items"]
        self._ground.log.write(
            kind="ticket", id=found["id"], version=1, said="registered", key=f"push/{number}"
        )
        asked = {"numbers": [number, "NOT-THERE"]}
        standings = Call("standing", "", f"{UP}/standings", asked, self._platform)
        known, unknown = await self._told_list(standings)
        self._write("standing", number, said=known["ticket_no"], strange=unknown["is_known"])
        return await self._seen(found)

    @property
    def _platform(self) -> str:
        return self._ground.issuer.token(subject=PLATFORM, roles=["upper_platform"])

    async def _push(self, body: dict[str, object]) -> Told:
        return await self._told(Call("push", "", f"{UP}/tickets", body, self._platform))

    async def _told_list(self, call: Call) -> list[Told]:
        answer, _ = await self._known(self._ground.hotline, call)
        found: list[Told] = answer.json()
        return found


class Handler(Desk):
    """The hub and a unit, which answer what was pushed."""

    def __init__(
        self, ground: Ground, number: int, http: httpx.AsyncClient, pushes: Pushes
    ) -> None:
        super().__init__(ground, number, http)
        self._pushes = pushes

    async def _round(self) -> None:
        ticket = await self._pushes.pushed()
        unit = self._random.choice(UNITS)
        ticket = await self._move(ticket, "assign", {"unit_code": unit}, self._hub)
        await self._answered(ticket, self._officers[unit], said="closed")


class Puller(Desk):
    """The platform's side that pulls: all that waits, again and again; some it acknowledges."""

    pulls = 0

    async def run(self) -> None:
        await super().run()
        while not self._ground.is_answered:
            await self._round()
        await self._round(is_last=True)

    async def _round(self, *, is_last: bool = False) -> None:
        token = self._ground.issuer.token(subject=PLATFORM, roles=["upper_platform"])
        got = await self._pulled(token)
        self.pulls += 1
        for each in got:
            self._write("pulled", each["number"], n=each["version"], pull=self.pulls)
        if got and (is_last or self._random.random() < RECEIPTED):
            keys = [{"number": each["number"], "version": each["version"]} for each in got]
            call = Call("receipt", "", f"{UP}/reports/acknowledge", {"items": keys}, token)
            told = await self._told(call)
            for each in got:
                self._write("receipt", each["number"], n=each["version"], pull=self.pulls)
            self._write("receipts", self.pulls, n=told["acknowledged"], wanted=len(got))
        await asyncio.sleep(self._random.uniform(0.2, 0.6))

    async def _pulled(self, token: str) -> list[Told]:
        found: list[Told] = []
        after = ""
        while True:
            path = f"{UP}/reports?limit=100{after}"
            page = await self._get(path, wait=True, hosts=self._ground.hotline, token=token)
            found += page["items"]
            if page["next"] is None:
                return found
            after = f"&cursor={page['next']}"
