from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from tongban_common.clock import new_id
from tongban_common.db import Database
from tongban_common.errors import Refusal
from tongban_common.outbox import outbox
from tongban_common.privacy import Sealer
from tongban_common.service import Kit, Service
from tongban_common.testing import Client
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.assignment import Reply
from tongban_hotline_dispatch.domain.callback import Outcome
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.main import SERVICE
from tongban_hotline_dispatch.operations import Desk, Registration, Step
from tongban_hotline_dispatch.store import Complainant
from tongban_hotline_dispatch.store.reference import Unit, Units
from tongban_hotline_dispatch.store.tickets import Tickets

Filed = Callable[..., Awaitable[Ticket]]
MONDAY = datetime(2026, 9, 14, 10, 0, tzinfo=SHANGHAI)
PERSON = Complainant(name="张三丰", phone="13812345678")
Announced = Callable[[], Awaitable[list[tuple[str, dict[str, Any]]]]]


@pytest.fixture(scope="session")
def service() -> Service:
    return SERVICE


@pytest.fixture(autouse=True)
async def _units(db: Database) -> None:
    async with db.transaction() as tx:
        for code, level, is_active in (
            ("A3", "county", True),
            ("A7", "city", True),
            ("A9", "county", False),
        ):
            await Units(tx).keep(
                Unit(code=code, name=f"{code}政府", level=level, is_active=is_active)
            )


@pytest.fixture
def hub(client: Client) -> Client:
    return client.as_("dispatcher", subject="d-1")


@pytest.fixture
def officer(client: Client) -> Client:
    return client.as_("unit_officer", subject="u-1", unit="A3")


@pytest.fixture
def filed(kit: Kit) -> Filed:
    """Registers a ticket as of a moment and, where a unit is given, assigns it at once."""

    async def file(
        at: datetime,
        *,
        unit: str | None = None,
        appeal_type: AppealType = AppealType.HELP,
        person: Complainant | None = None,
        channel_order_no: str | None = None,
        wants_reply: bool = True,
        said: tuple[str, str] = ("路灯不亮", "桂花路口的路灯已三天不亮"),
    ) -> Ticket:
        title, content = said
        new = Registration(
            ticket_id=new_id(at),
            query_code="12345678",
            appeal=Appeal(
                channel=Channel.PHONE,
                channel_order_no=channel_order_no,
                appeal_type=appeal_type,
                urgency=Urgency.NORMAL,
                matter_code=None,
                title=title,
                content=content,
            ),
            person=person or Complainant(),
            actor="d-1",
            wants_reply=wants_reply,
        )
        rules = await operations.rules_at(kit, now=at)
        async with kit.db.transaction() as tx:
            sealer = Sealer(kit.secret)
            ticket = await operations.register(tx, new=new, rules=rules, sealer=sealer, now=at)
            if unit is None:
                return ticket
            step = Step(ticket_id=ticket.id, actor="d-1")
            return await operations.assign(tx, step=step, unit_code=unit, rules=rules, now=at)

    return file


@pytest.fixture
def announced(db: Database) -> Announced:
    """What is committed for the others to hear, in order: the fact and its data."""

    async def read() -> list[tuple[str, dict[str, Any]]]:
        async with db.reading() as connection:
            rows = await connection.execute(select(outbox).order_by(outbox.c.shard, outbox.c.n))
            return [(row.type.split(".")[2], row.data) for row in rows]

    return read


class Called:
    """One ticket on its way to a callback; each act at a moment of its own."""

    def __init__(self, kit: Kit, ticket: Ticket) -> None:
        self.kit, self.ticket = kit, ticket

    async def on_desk(
        self, at: datetime, act: Callable[[Desk], Any], *, unit: str | None = None
    ) -> Ticket:
        rules = await operations.rules_at(self.kit, now=at)
        step = Step(ticket_id=self.ticket.id, actor="c-1", unit=unit)
        async with self.kit.db.transaction() as tx:
            self.ticket = await act(Desk(tx, step=step, rules=rules, now=at))
        return self.ticket

    async def sign(self, at: datetime, *, unit: str = "A3") -> Ticket:
        rules = await operations.rules_at(self.kit, now=at)
        step = Step(ticket_id=self.ticket.id, actor="u-1", unit=unit)
        async with self.kit.db.transaction() as tx:
            self.ticket = await operations.sign(tx, step=step, rules=rules, now=at)
        return self.ticket

    async def reply(self, at: datetime, *, unit: str = "A3") -> Ticket:
        """Signed where it is not, replied to, and passed."""
        if self.ticket.status is Status.ASSIGNED:
            await self.sign(at, unit=unit)
        rules = await operations.rules_at(self.kit, now=at)
        step = Step(ticket_id=self.ticket.id, actor="u-1", unit=unit)
        async with self.kit.db.transaction() as tx:
            answer = Reply.of("已修复")
            await operations.reply(tx, step=step, answer=answer, rules=rules, now=at)
        return await self.on_desk(at, lambda desk: desk.pass_review())

    async def attempts(self, *moments: datetime) -> None:
        for at in moments:
            await self.on_desk(at, lambda desk: desk.attempt_callback())

    async def refused(self, at: datetime, act: Callable[[Desk], Any]) -> str:
        with pytest.raises(Refusal) as refusal:
            await self.on_desk(at, act)
        return refusal.value.code

    async def again(self) -> Ticket:
        async with self.kit.db.transaction() as tx:
            self.ticket = await Tickets(tx).get(self.ticket.id)
        return self.ticket

    @property
    def outcome(self) -> Outcome | None:
        assert self.ticket.callback is not None
        return self.ticket.callback.outcome


@pytest.fixture
def opened(kit: Kit, filed: Filed) -> Callable[..., Awaitable[Called]]:
    async def make(at: datetime = MONDAY, **more: Any) -> Called:
        return Called(kit, await filed(at, **{"unit": "A3", "person": PERSON, **more}))

    return make


@pytest.fixture
def swept(service: Service, kit: Kit) -> Callable[[datetime], Awaitable[None]]:
    """Every timer up to a moment, each with what it leads to."""

    async def sweep(until: datetime) -> None:
        while await service.sweeper(kit).sweep(now=until):
            pass

    return sweep
