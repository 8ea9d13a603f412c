import asyncio
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tongban_common.service import Kit, Service
from tongban_common.working_days import SHANGHAI, bundled, to_document
from tongban_hotline_dispatch import operations, queries
from tongban_hotline_dispatch.domain.assignment import Reply
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import Step
from tongban_hotline_dispatch.store import assignment

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
DUE = datetime(2026, 9, 29, 23, 59, 59, 999999, tzinfo=SHANGHAI)  # 25 September is a holiday
INSTANT = timedelta(microseconds=1)


async def about_deadlines(announced: Any, clock: str = "unit") -> list[str]:
    return [
        fact
        for fact, data in await announced()
        if fact.startswith("deadline-") and data["clock"] == clock
    ]


async def reply(kit: Kit, made: Ticket, at: datetime) -> None:
    rules = await operations.rules_at(kit, now=at)
    async with kit.db.transaction() as tx:
        step = Step(ticket_id=made.id, actor="u-1")
        await operations.reply(tx, step=step, answer=Reply.of("已修复"), rules=rules, now=at)


async def sign(kit: Kit, made: Ticket) -> Ticket:
    rules = await operations.rules_at(kit, now=NOW)
    async with kit.db.transaction() as tx:
        step = Step(ticket_id=made.id, actor="u-1")
        return await operations.sign(tx, step=step, rules=rules, now=NOW)


@pytest.fixture
async def signed(kit: Kit, filed: Any) -> Ticket:
    made: Ticket = await filed(NOW, unit="A3")
    return await sign(kit, made)


async def test_a_deadline_is_warned_of_once_and_missed_once_and_never_early(
    service: Service, kit: Kit, signed: Ticket, announced: Any
) -> None:
    sweeper = service.sweeper(kit)
    assert signed.reply_term is not None
    warn_at = signed.reply_term.warn_at
    assert warn_at == datetime(2026, 9, 28, 0, 0, tzinfo=SHANGHAI)  # the 4th of 5 days
    told = {
        "ticket_id": str(signed.id),
        "unit_code": "A3",
        "clock": "unit",
        "due": DUE.isoformat(),
    }

    await sweeper.sweep(now=warn_at - INSTANT)
    assert await about_deadlines(announced) == []

    for _ in range(2):
        await sweeper.sweep(now=warn_at)
    assert await about_deadlines(announced) == ["deadline-approaching"]

    await sweeper.sweep(now=DUE)
    assert await about_deadlines(announced) == ["deadline-approaching"]

    for _ in range(2):
        await sweeper.sweep(now=DUE + INSTANT)
    assert await about_deadlines(announced) == ["deadline-approaching", "deadline-missed"]
    assert ("deadline-missed", told) in await announced()


async def test_the_clock_of_the_citizen_runs_on_for_a_ticket_that_nobody_assigned(
    service: Service, kit: Kit, filed: Any, announced: Any
) -> None:
    made = await filed(NOW)

    await service.sweeper(kit).sweep(now=NOW + timedelta(days=60))

    assert (await announced())[-1] == (
        "deadline-missed",
        {
            "ticket_id": str(made.id),
            "unit_code": None,
            "clock": "citizen",
            "due": "2026-10-08T23:59:59.999999+08:00",
        },
    )


async def test_a_reply_in_the_last_instant_stops_both_clocks(
    service: Service, kit: Kit, signed: Ticket, announced: Any
) -> None:
    await reply(kit, signed, DUE)

    await service.sweeper(kit).sweep(now=NOW + timedelta(days=60))

    assert await about_deadlines(announced) == []
    assert await about_deadlines(announced, "citizen") == []


async def test_a_late_reply_that_comes_before_the_sweep_hides_no_miss(
    service: Service, kit: Kit, signed: Ticket, announced: Any
) -> None:
    await reply(kit, signed, DUE + INSTANT)

    for _ in range(2):
        await service.sweeper(kit).sweep(now=DUE + timedelta(seconds=1))

    assert await about_deadlines(announced) == ["deadline-missed"]
    assert await about_deadlines(announced, "citizen") == []
    assert dict(await announced())["ticket-replied"]["is_overdue"] is True


async def test_replies_and_sweeps_at_once_tell_of_each_ticket_once(
    service: Service, kit: Kit, filed: Any, announced: Any
) -> None:
    tickets = [await filed(NOW, unit="A3") for _ in range(12)]
    for each in tickets:
        await sign(kit, each)
    late = DUE + timedelta(minutes=1)

    await asyncio.gather(
        *(reply(kit, each, late if number % 2 else DUE) for number, each in enumerate(tickets)),
        *(service.sweeper(kit).sweep(now=late) for _ in range(3)),
    )
    await service.sweeper(kit).sweep(now=late)

    told = [
        data["ticket_id"]
        for fact, data in await announced()
        if fact == "deadline-missed" and data["clock"] == "unit"
    ]
    assert len(told) == len(set(told))
    assert {str(each.id) for number, each in enumerate(tickets) if number % 2} <= set(told)
    replied = [data for fact, data in await announced() if fact == "ticket-replied"]
    assert sum(data["is_overdue"] for data in replied) == 6


async def test_a_corrected_notice_moves_open_deadlines_and_says_so(
    service: Service, kit: Kit, signed: Ticket, announced: Any
) -> None:
    year = bundled().in_force(2026)
    corrected = replace(year, version=2, days_off={**year.days_off, date(2026, 9, 28): "测试假日"})

    await kit.calendars.import_year(
        to_document(corrected), where="test", sweeper=service.sweeper(kit), now=NOW
    )

    moved = dict(await announced())["deadline-rescheduled"]
    assert moved["old_due"][:10] < moved["new_due"][:10]
    assert moved["calendar_version"] == "2026v2"
    assert await about_deadlines(announced) == ["deadline-rescheduled"]
    async with kit.db.reading() as reads:
        found = await queries.one(reads, signed.id, seen_by=Viewer(subject="d-1"))
        imported = await queries.imported_years(reads)
    assert found.version == signed.version
    assert found.reply_term is not None
    assert found.reply_term.due_at > DUE
    explained = found.reply_term.explain(await kit.calendars.current(), imported)
    assert explained.due == found.reply_term.due_at
    assert "测试假日放假" in [day.reason for day in explained.days]


async def test_a_settled_ticket_keeps_the_days_it_was_counted_by(
    service: Service, kit: Kit, signed: Ticket
) -> None:
    await reply(kit, signed, DUE)
    year = bundled().in_force(2026)
    for version, holiday in ((2, date(2026, 9, 28)), (3, date(2026, 9, 29))):
        corrected = replace(year, version=version, days_off={**year.days_off, holiday: "测试假日"})
        await kit.calendars.import_year(
            to_document(corrected), where="test", sweeper=service.sweeper(kit), now=NOW
        )

    async with kit.db.reading() as reads:
        found = await queries.one(reads, signed.id, seen_by=Viewer(subject="d-1"))
        imported = await queries.imported_years(reads)
        term = (await reads.execute(select(assignment.c.reply_term))).scalar_one()

    assert found.reply_term is not None
    explained = found.reply_term.explain(await kit.calendars.current(), imported)
    assert term["calendar"] == explained.calendar_version == "2026v1"
    assert explained.due == found.reply_term.due_at == DUE
