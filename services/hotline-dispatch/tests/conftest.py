from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from tongban_common.clock import new_id
from tongban_common.db import Database
from tongban_common.outbox import outbox
from tongban_common.privacy import Sealer
from tongban_common.service import Kit, Service
from tongban_common.testing import Client
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.main import SERVICE
from tongban_hotline_dispatch.operations import Registration, Step
from tongban_hotline_dispatch.store import Complainant
from tongban_hotline_dispatch.store.reference import Unit, Units

Filed = Callable[..., Awaitable[Ticket]]
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
