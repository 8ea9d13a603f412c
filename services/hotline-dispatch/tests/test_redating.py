"""时限规则修订: what is open stays as it was pinned until a city decides otherwise."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from tongban_common.policies import load, packaged_text
from tongban_common.service import Kit, Service
from tongban_common.settings import ServiceSettings
from tongban_common.timers import timer
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations.redating import Redated, redate
from tongban_hotline_dispatch.store import Tickets
from tongban_hotline_dispatch.store.policies import LIMITS

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)


async def shorten(kit: Kit) -> None:
    """求助类 has three working days instead of five, from a version of the city's own."""
    text = packaged_text("tongban_hotline_dispatch", "limits.yaml")
    text = text.replace("version: 2", "version: 3", 1)
    text = text.replace("appeal_type: help, amount: 5", "appeal_type: help, amount: 3", 1)
    await load(kit.db, [LIMITS.parse(text, where="limits.yaml")])


def dues(ticket: Ticket) -> list[str]:
    """Until when the unit and the citizen wait."""
    return [f"{term.due_at.astimezone(SHANGHAI):%m-%d}" for term in ticket.terms.values()]


async def now_as(kit: Kit, ticket: Ticket) -> Ticket:
    async with kit.db.transaction() as tx:
        return await Tickets(tx).get(ticket.id)


async def test_a_new_version_leaves_open_tickets_alone_until_it_is_let_hold_for_them(
    service: Service, settings: ServiceSettings, kit: Kit, filed: Any, announced: Any
) -> None:
    made: Ticket = await filed(NOW, unit="A3")
    ended: Ticket = await filed(NOW)
    await kit.calendars.current()
    assert dues(made) == ["09-29", "10-08"]
    await shorten(kit)
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
    assert moved.reply_term.policy == "hotline-limits/guizhou_default@3"
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
