"""时限规则修订: what is open stays as it was pinned until a city decides otherwise."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import delete, select

from tongban_common.policies import load, packaged_text, policy
from tongban_common.service import Kit, Service
from tongban_common.settings import ServiceSettings
from tongban_common.timers import timer
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations.redating import Redated, redate
from tongban_hotline_dispatch.store import Tickets
from tongban_hotline_dispatch.store.policies import LIMITS

_OWN = 99  # a version that no packaged file will have soon
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)


@pytest.fixture
async def shorten(kit: Kit) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """求助类 has three working days instead of five, from a version of the city's own."""

    async def change() -> None:
        await load(kit.db, [LIMITS.parse(_shorter(), where="limits.yaml")])

    yield change
    async with kit.db.transaction() as tx:
        await tx.connection.execute(delete(policy).where(policy.c.version == _OWN))


def _shorter() -> str:
    text = packaged_text("tongban_hotline_dispatch", "limits.yaml")
    text = text.replace("version: 2", f"version: {_OWN}", 1)
    return text.replace("appeal_type: help, amount: 5", "appeal_type: help, amount: 3", 1)


def dues(ticket: Ticket) -> list[str]:
    """Until when the unit and the citizen wait."""
    return [f"{term.due_at.astimezone(SHANGHAI):%m-%d}" for term in ticket.terms.values()]


async def now_as(kit: Kit, ticket: Ticket) -> Ticket:
    async with kit.db.transaction() as tx:
        return await Tickets(tx).get(ticket.id)


async def test_a_new_version_leaves_open_tickets_alone_until_it_is_let_hold_for_them(
    service: Service, settings: ServiceSettings, kit: Kit, filed: Any, announced: Any, shorten: Any
) -> None:
    made: Ticket = await filed(NOW, unit="A3")
    ended: Ticket = await filed(NOW)
    await kit.calendars.current()
    assert dues(made) == ["09-29", "10-08"]
    await shorten()
    later = service.kit(settings)  # which has not read the rules yet

    assert (await now_as(kit, made)).reply_term == made.reply_term

    try:
        found = await redate(later, now=NOW)
        again = await redate(later, now=NOW)
    finally:
        await later.db.close()

    assert (found, again) == (Redated(looked_at=2, moved=2), Redated(looked_at=2, moved=0))
    moved = await now_as(kit, made)
    assert moved.version == made.version
    assert dues(moved) == ["09-24", "09-29"]
    assert moved.reply_term is not None
    assert moved.reply_term.policy == f"hotline-limits/guizhou_default@{_OWN}"
    told = [data for fact, data in await announced() if fact == "deadline-rescheduled"]
    assert sorted((each["clock"], each["ticket_id"]) for each in told) == sorted(
        [
            ("citizen", str(made.id)),
            ("citizen", str(ended.id)),
            ("unit", str(made.id)),
        ]
    )
    async with kit.db.reading() as connection:
        rows = await connection.execute(
            select(timer.c.due_at).where(timer.c.kind == "unit", timer.c.state == "armed")
        )
    assert [row.due_at for row in rows] == [moved.reply_term.due_at]
