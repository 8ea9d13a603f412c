"""A desk: a client that works in rounds, and keeps what it was told beside moves of tickets."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from .asking import TICKETS, Asker, Call, Refused

Told = Mapping[str, Any]
PERSON = {"name": "张三", "phone": "13812345678"}


def appeal(**more: object) -> dict[str, object]:
    """A complaint, as a desk takes it in."""
    return {
        "channel": "phone",
        "appeal_type": "complaint",
        "title": "路灯不亮",
        "content": "路口的路灯三天不亮",
        "target_name": "某物业公司",
        "person": PERSON,
        **more,
    }


class Desk(Asker, ABC):
    """Rounds, one after another, until the load is over."""

    async def run(self) -> None:
        while not self._ground.is_over:
            try:
                await self._round()
            except Refused as fault:
                self._ground.refused.append(f"{type(self).__name__}: {fault}")

    @abstractmethod
    async def _round(self) -> None:
        """One matter, from its beginning to its end. Raises Refused."""

    def _write(self, what: str, ref: object, *, n: int = 0, said: str = "", **more: object) -> None:
        """Keep what was told; the audits look for it in the databases."""
        self._ground.told.write(what=what, ref=str(ref), n=n, said=said, more=more)

    async def _told(self, call: Call) -> Told:
        """A request that is no move of a ticket; what it says. Raises Refused."""
        answer, _ = await self._known(self._ground.hotline, call)
        known: Told = orjson.loads(answer.content) if answer.content else {}
        return known

    async def _registered(self, **more: object) -> Told:
        call = Call("ticket", "registered", TICKETS, appeal(**more), self._hub)
        return await self._hotline(call)

    async def _seen(self, ticket: Told) -> Told:
        """The ticket as it is now."""
        return await self._get(f"{TICKETS}/{ticket['id']}", wait=True, hosts=self._ground.hotline)

    async def _with_unit(self, unit: str, **more: object) -> Told:
        ticket = await self._registered(**more)
        return await self._move(ticket, "assign", {"unit_code": unit}, self._hub)

    async def _answered(self, ticket: Told, officer: str, *, said: str | None = None) -> Told:
        """Signed, replied to, and passed by who reviews results; who is not called: closed."""
        if ticket["status"] == "assigned":
            ticket = await self._move(ticket, "sign", {}, officer)
        ticket = await self._move(ticket, "reply", {"text": "已更换灯具。"}, officer)
        return await self._move(ticket, "review/pass", {}, self._hub, said=said)

    def _person(self, name: str, *roles: str, unit: str | None = None) -> str:
        """The token of somebody else at this desk."""
        return self._ground.issuer.token(
            subject=f"{self._name}-{name}", roles=list(roles), unit=unit
        )

    def _uuid(self) -> UUID:
        return UUID(int=self._random.getrandbits(128))
