"""The callback desk under load: tasks taken by one of two, heard, done again, contested."""

import asyncio

from .asking import TICKETS, Call, Refused
from .desk import Desk, Told
from .world import COUNTY_UNIT, UNITS

GOOD = {"resolved": "resolved", "result_level": 5, "process_level": 4, "replied": True}
BAD = {"resolved": "unresolved", "result_level": 1, "process_level": 3, "replied": True}
ENDS = {"good": 40, "redone": 30, "contested": 30}
REAPPRAISALS = "/hotline/v1/reappraisals"


class CallbackDesk(Desk):
    async def _round(self) -> None:
        """One ticket, from its answer to the end of its callback."""
        unit = self._random.choice([*UNITS, COUNTY_UNIT])
        officer = self._person(unit, "unit_officer", unit=unit)
        ends = self._drawn(ENDS)
        ticket = await self._answered(await self._with_unit(unit), officer)
        ticket = await self._tried(ticket)
        if ends == "redone":
            ticket = await self._heard(ticket, BAD)
            ticket = await self._move(ticket, "reply", {"text": "已重新更换。"}, officer)
            ticket = await self._move(ticket, "review/pass", {}, self._hub)
            ticket = await self._tried(ticket)
        if ends == "contested":
            ticket = await self._heard(ticket, {**BAD, "no_redo": "POLICY_FORBIDS"})
            await self._contested(ticket, officer)
        else:
            await self._heard(ticket, GOOD)

    async def _tried(self, ticket: Told) -> Told:
        """Two callers want the task at once; who has it does not get through at first."""
        await asyncio.gather(*(self._take(ticket, caller) for caller in ("first", "second")))
        return await self._move(ticket, "callback/attempt", {}, self._hub)

    async def _take(self, ticket: Told, caller: str) -> None:
        path = f"{TICKETS}/{ticket['id']}/callback/take"
        token = self._person(caller, "dispatcher")
        answer, _ = await self._known(
            self._ground.hotline, Call("callback", "taken", path, {}, token, may={409})
        )
        if answer.is_success:
            self._write("taken", ticket["id"], n=ticket["version"], said=caller)

    async def _heard(self, ticket: Told, said: dict[str, object]) -> Told:
        heard = await self._move(ticket, "callback/record", said, self._hub)
        self._write("heard", ticket["id"], n=heard["version"], said=heard["status"])
        return heard

    async def _contested(self, ticket: Told, officer: str) -> None:
        """申请复核: over the county, where the unit is below one, to the city."""
        asked = {
            "tracks": ["satisfaction"],
            "ground": "POLICY_FORBIDS",
            "words": "诉求于法无据，已书面说明",
            "evidence": ["DC-2026-7"],
            "is_signed_off": True,
        }
        path = f"{TICKETS}/{ticket['id']}/reappraisals"
        one = await self._reappraised(Call("reappraisal", "requested", path, asked, officer))
        if one["state"] == "at_county":
            county = self._person("county", "supervisor")
            one = await self._judged(one, "review", {"is_passed": True}, county)
        judged = {
            "verdicts": {"satisfaction": "pass"},
            "is_assessable": False,
            "is_reasonable": False,
            "reason": "政策不允许，单位已尽责",
        }
        await self._judged(one, "decide", judged, self._person("city", "supervisor"))

    async def _judged(self, one: Told, move: str, body: dict[str, object], who: str) -> Told:
        said = {"review": "reviewed", "decide": "decided"}[move]
        path = f"{REAPPRAISALS}/{one['id']}/{move}"
        call = Call("reappraisal", said, path, body, who, one["version"])
        try:
            return await self._reappraised(call)
        except Refused as fault:
            raise Refused(f"reappraisal {one['id']} of {one['ticket_id']}: {fault}") from None

    async def _reappraised(self, call: Call) -> Told:
        one = await self._told(call)
        self._write("reappraisal", one["id"], n=one["version"], said=call.said)
        return one
