"""时限规则修订: what is open stays as it was pinned until a city decides otherwise."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from tongban_common.policies import load, packaged_text, policy
from tongban_common.service import Kit, Service
from tongban_common.settings import ServiceSettings
from tongban_common.timers import timer
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.assignment import Assignment, Clock, Reply, Role
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import Step
from tongban_hotline_dispatch.operations.redating import Redated, redate
from tongban_hotline_dispatch.store import Tickets
from tongban_hotline_dispatch.store.policies import LIMITS
from tongban_hotline_dispatch.store.process import PROCESS

_OWN = 99  # a version that no packaged file will have soon
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)


@pytest.fixture
async def shorten(kit: Kit) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """求助类 has three working days instead of five, and stages are shorter, from versions of the
    city's own."""

    async def change() -> None:
        limits = LIMITS.parse(_shorter(), where="limits.yaml")
        await load(kit.db, [limits, PROCESS.parse(_stricter(), where="process.yaml")])

    yield change
    async with kit.db.transaction() as tx:
        await tx.connection.execute(delete(policy).where(policy.c.version == _OWN))


def _shorter() -> str:
    text = packaged_text("tongban_hotline_dispatch", "limits.yaml")
    text = text.replace("version: 2", f"version: {_OWN}", 1)
    return text.replace("appeal_type: help, amount: 5", "appeal_type: help, amount: 3", 1)


def _stricter() -> str:
    """Half an hour more to dispatch, half a day to sign, no margin of the co-unit's."""
    text = packaged_text("tongban_hotline_dispatch", "process.yaml")
    text = re.sub(r"(?m)^version: \d+$", f"version: {_OWN}", text, count=1)
    for old, new in (
        ("{amount: 30, unit: minutes, clause: 即时", "{amount: 60, unit: minutes, clause: "),
        ("{amount: 1, unit: working_days, clause: 签收", "{amount: 4, unit: hours, clause: "),
        ("co_unit_margin: {value: 1,", "co_unit_margin: {value: 0,"),
        (
            "{amount: 3, unit: working_days, clause: 重办",
            "{amount: 2, unit: working_days, clause: ",
        ),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    return text


def dues(ticket: Ticket) -> list[str]:
    """Until when the unit and the citizen wait."""
    return [
        f"{term.due_at.astimezone(SHANGHAI):%m-%d}"
        for term in (ticket.reply_term, ticket.citizen_term)
        if term
    ]


async def now_as(kit: Kit, ticket: Ticket) -> Ticket:
    async with kit.db.transaction() as tx:
        return await Tickets(tx).get(ticket.id)


async def test_a_new_version_leaves_open_tickets_alone_until_it_is_let_hold_for_them(
    service: Service, settings: ServiceSettings, kit: Kit, filed: Any, announced: Any, shorten: Any
) -> None:
    made: Ticket = await filed(NOW, unit="A3")
    waiting: Ticket = await filed(NOW)
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
            ("citizen", str(waiting.id)),
            ("dispatch", str(waiting.id)),
            ("sign", str(made.id)),
            ("unit", str(made.id)),
        ]
    )
    async with kit.db.reading() as connection:
        rows = await connection.execute(
            select(timer.c.due_at).where(timer.c.kind == "unit", timer.c.state == "armed")
        )
    assert [row.due_at for row in rows] == [moved.reply_term.due_at]


async def test_every_stage_and_every_unit_follows_and_what_was_named_for_it_stays(
    service: Service, settings: ServiceSettings, kit: Kit, opened: Any, announced: Any, shorten: Any
) -> None:
    await kit.calendars.current()
    waits = await opened(NOW, unit=None)
    shared, named, again = [await opened(NOW) for _ in range(3)]
    for each in (shared, named, again):
        await each.sign(NOW)
    await shared.on_desk(NOW, lambda desk: desk.add_unit("A7", Role.CO, None), unit="A3")
    await named.on_desk(NOW, lambda desk: desk.add_unit("A7", Role.CO, 2), unit="A3")
    await done_again(kit, again)
    assert days(again.ticket.lead) == 3
    await shorten()
    later = service.kit(settings)
    try:
        found = await redate(later, now=NOW)
    finally:
        await later.db.close()

    assert found == Redated(looked_at=4, moved=4)
    for each in (waits, shared, named, again):
        await each.again()
    assert waits.ticket.clocks()[Clock.DISPATCH, 0].due_at - NOW == timedelta(minutes=60)
    co = shared.ticket.assignments[1]
    assert (co.sign_term.due_at - NOW, co.sign_term.warn_at) == (timedelta(hours=4), None)
    assert [days(each) for each in shared.ticket.assignments] == [3, 3]
    assert [days(each) for each in named.ticket.assignments] == [3, 2]
    assert days(again.ticket.lead) == 2
    assert shared.ticket.process_version == _OWN
    told = [data for fact, data in await announced() if fact == "deadline-rescheduled"]
    assert {(each["ticket_id"], each["clock"]) for each in told} == {
        (str(waits.ticket.id), "dispatch"),
        (str(waits.ticket.id), "citizen"),
        (str(shared.ticket.id), "citizen"),
        (str(shared.ticket.id), "unit"),
        (str(shared.ticket.id), "sign"),
        (str(named.ticket.id), "citizen"),
        (str(named.ticket.id), "unit"),
        (str(named.ticket.id), "sign"),
        (str(again.ticket.id), "unit"),
    }


async def done_again(kit: Kit, one: Any) -> None:
    rules = await operations.rules_at(kit, now=NOW)
    async with kit.db.transaction() as tx:
        step = Step(ticket_id=one.ticket.id, actor="u-1", unit="A3")
        await operations.reply(tx, step=step, answer=Reply.of("已修复"), rules=rules, now=NOW)
    await one.on_desk(NOW, lambda desk: desk.fail_review())


def days(share: Assignment | None) -> int:
    assert share is not None
    return share.reply_term.limit.amount
