"""The ladder on the simulated clock: what comes when, once each, and what stops it."""

import asyncio
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from tongban_common.service import Kit, Service
from tongban_common.timers import timer
from tongban_common.working_days import SHANGHAI, bundled, to_document
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.asking import Decision, Request
from tongban_hotline_dispatch.domain.assignment import AskKind, Json, Reply
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import Desk, Step
from tongban_hotline_dispatch.operations.supervision import SupervisionDesk, Visit
from tongban_hotline_dispatch.operations.supervision_issuing import LADDER
from tongban_hotline_dispatch.store import Complainant, supervision, supervision_card
from tongban_hotline_dispatch.store.supervision import supervision_notice
from tongban_hotline_dispatch.store.tickets import Tickets

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
DUE = datetime(2026, 9, 29, 23, 59, 59, 999999, tzinfo=SHANGHAI)  # 25 September is a holiday
INSTANT = timedelta(microseconds=1)
ONE_OVER = datetime(2026, 9, 30, 23, 59, 59, 999999, tzinfo=SHANGHAI)
FIVE_OVER = datetime(2026, 10, 12, 23, 59, 59, 999999, tzinfo=SHANGHAI)  # 1-7 off, the 10th on
PERSON = Complainant(name="张三丰", phone="13812345678")


async def issued(kit: Kit) -> list[tuple[str, str]]:
    async with kit.db.reading() as reads:
        rows = await reads.execute(
            select(supervision).order_by(supervision.c.issued_at, supervision.c.level.desc())
        )
        return [(row.level, row.cause) for row in rows]


async def armed(kit: Kit, kind: str = LADDER) -> list[datetime]:
    async with kit.db.reading() as reads:
        rows = await reads.execute(
            select(timer).where(timer.c.kind == kind, timer.c.state == "armed")
        )
        return [row.due_at for row in rows]


async def settle(service: Service, kit: Kit, now: datetime, *, sweeps: int = 3) -> None:
    await asyncio.gather(*(service.sweeper(kit).sweep(now=now) for _ in range(sweeps)))


async def reply(kit: Kit, made: Ticket, at: datetime) -> None:
    rules = await operations.rules_at(kit, now=at)
    async with kit.db.transaction() as tx:
        step = Step(ticket_id=made.id, actor="u-1")
        if (await Tickets(tx).get(made.id)).status == "assigned":
            await operations.sign(tx, step=step, rules=rules, now=at)
        await operations.reply(tx, step=step, answer=Reply.of("已修复"), rules=rules, now=at)


async def desk(kit: Kit, supervision_id: UUID, at: datetime, act: Any, **who: Any) -> None:
    rules = await operations.rules_at(kit, now=at)
    async with kit.db.transaction() as tx:
        visit = Visit(supervision_id=supervision_id, **who)
        await act(SupervisionDesk(tx, visit=visit, rules=rules, now=at))


async def of_level(kit: Kit, level: str) -> Any:
    async with kit.db.reading() as reads:
        rows = await reads.execute(select(supervision).where(supervision.c.level == level))
        return rows.one()


async def test_reminders_come_at_half_and_four_fifths_of_the_limit_and_on_its_last_day(
    service: Service, kit: Kit, filed: Any
) -> None:
    await filed(NOW, unit="A3")
    third = datetime(2026, 9, 24, 0, 0, tzinfo=SHANGHAI)
    moments = [third, third + timedelta(days=4), third + timedelta(days=5)]

    for number, moment in enumerate(moments):
        assert await armed(kit) == [moment]
        await settle(service, kit, moment)
        assert len(await issued(kit)) == number
        await settle(service, kit, moment + INSTANT)
        assert len(await issued(kit)) == number + 1

    assert await issued(kit) == [("U0", "half"), ("U0", "four_fifths"), ("U0", "last_day")]
    assert await armed(kit) == []


async def test_reminders_that_fall_together_are_one(service: Service, kit: Kit, filed: Any) -> None:
    made = await filed(NOW, unit="A3")
    await service.sweeper(kit).sweep(now=DUE)

    assert len(await issued(kit)) == 1
    assert made.version == 2


async def test_an_overdue_ticket_walks_up_the_ladder_once_each_however_many_sweeps_run(
    service: Service, kit: Kit, filed: Any, announced: Any
) -> None:
    made = await filed(NOW, unit="A3")
    for moment in (DUE, DUE + INSTANT, DUE + 2 * INSTANT, ONE_OVER, ONE_OVER + INSTANT):
        await settle(service, kit, moment)
    assert [level for level, _ in await issued(kit) if level != "U0"] == ["U1", "S1"]
    assert await armed(kit) == [FIVE_OVER]

    for moment in (FIVE_OVER, FIVE_OVER + INSTANT, FIVE_OVER + timedelta(days=60)):
        await settle(service, kit, moment)

    ladder = [each for each in await issued(kit) if each[0] != "U0"]
    assert ladder == [("U1", "urge"), ("S1", "letter"), ("S2", "bulletin")]
    assert await armed(kit) == []
    async with kit.db.reading() as reads:
        cards = (await reads.execute(select(supervision_card.c.colour))).scalars().all()
        notices = (await reads.execute(select(supervision_notice))).all()
    assert sorted(cards) == ["red", "yellow"]
    assert [each.template for each in notices if each.template.startswith("urge")] == [
        "urge",
        "urge_letter",
    ]
    letter = next(each for each in notices if each.template == "letter")
    assert f"工单{made.ticket_no}" in letter.body
    assert "A3政府" in letter.body
    assert "逾期1个工作日" in letter.body
    assert letter.template_version == 1
    facts = [fact for fact, _ in await announced()]
    assert facts.count("supervision-issued") == 4
    assert facts.count("supervision-noticed") == 1
    assert facts.count("card-issued") == 2
    assert facts.count("supervision-opened") == 1
    async with kit.db.transaction() as tx:
        assert (await Tickets(tx).get(made.id)).is_supervised


async def test_a_sweep_that_comes_late_climbs_what_was_reached_in_order(
    service: Service, kit: Kit, filed: Any
) -> None:
    await filed(NOW, unit="A3")

    await settle(service, kit, FIVE_OVER + timedelta(days=3))

    assert sorted(level for level, _ in await issued(kit)) == ["S1", "S2", "U1"]


@pytest.mark.parametrize("at", [DUE, ONE_OVER], ids=["到期时", "催办后"])
async def test_a_reply_disarms_the_ladder(
    at: datetime, service: Service, kit: Kit, filed: Any
) -> None:
    made = await filed(NOW, unit="A3")
    await settle(service, kit, at)
    before = await issued(kit)

    await reply(kit, made, at)
    assert await armed(kit) == []
    await settle(service, kit, FIVE_OVER + timedelta(days=30))

    assert await issued(kit) == before


async def test_a_reply_that_comes_before_the_sweep_is_not_urged(
    service: Service, kit: Kit, filed: Any
) -> None:
    made = await filed(NOW, unit="A3")
    await reply(kit, made, DUE + timedelta(hours=1))

    await settle(service, kit, FIVE_OVER + timedelta(days=1))

    assert await issued(kit) == []


async def test_an_answered_letter_holds_the_red_card_back_until_the_answer_is_rejected(
    service: Service, kit: Kit, filed: Any
) -> None:
    await filed(NOW, unit="A3")
    await settle(service, kit, ONE_OVER + INSTANT)
    letter = (await of_level(kit, "S1")).id
    await desk(
        kit, letter, ONE_OVER + INSTANT, lambda d: d.answer("正在修复"), actor="u-1", unit="A3"
    )

    later = FIVE_OVER + timedelta(days=2)
    await settle(service, kit, later)
    assert "S2" not in dict(await issued(kit))

    await desk(kit, letter, later, lambda d: d.decide(is_accepted=False, note="空话"), actor="c-1")
    await settle(service, kit, later + INSTANT)
    await settle(service, kit, later + timedelta(days=1))

    assert [level for level, _ in await issued(kit)].count("S2") == 1


async def test_a_new_calendar_moves_the_next_rung(service: Service, kit: Kit, filed: Any) -> None:
    await filed(NOW, unit="A3")
    await settle(service, kit, ONE_OVER + INSTANT)
    assert await armed(kit) == [FIVE_OVER]
    year = bundled().in_force(2026)
    holiday = {**year.days_off, date(2026, 10, 12): "测试假日"}

    await kit.calendars.import_year(
        to_document(replace(year, version=2, days_off=holiday)),
        where="test",
        sweeper=service.sweeper(kit),
        now=ONE_OVER + timedelta(hours=1),
    )

    assert await armed(kit) == [FIVE_OVER + timedelta(days=1)]
    await settle(service, kit, FIVE_OVER + INSTANT)
    assert "S2" not in dict(await issued(kit))
    await settle(service, kit, FIVE_OVER + timedelta(days=1) + INSTANT)
    assert "S2" in dict(await issued(kit))


async def test_a_new_calendar_moves_a_reminder_and_the_clock_of_an_answer(
    service: Service, kit: Kit, filed: Any, announced: Any
) -> None:
    await filed(NOW, unit="A3")
    year = bundled().in_force(2026)
    holidays = {**year.days_off, date(2026, 9, 23): "测试假日"}
    await kit.calendars.import_year(
        to_document(replace(year, version=2, days_off=holidays)),
        where="test",
        sweeper=service.sweeper(kit),
        now=NOW,
    )
    assert await armed(kit) == [datetime(2026, 9, 28, 0, 0, tzinfo=SHANGHAI)]

    over = ONE_OVER + timedelta(days=8) + INSTANT
    await settle(service, kit, over)
    answer_due = await armed(kit, "supervision")
    holidays[date(2026, 10, 10)] = "测试假日"
    year = replace(year, version=3, days_off=holidays, working_weekends=frozenset())
    await kit.calendars.import_year(
        to_document(year), where="test", sweeper=service.sweeper(kit), now=over
    )

    found = await of_level(kit, "S1")
    assert [found.reply_due_at] == await armed(kit, "supervision") != answer_due
    moved = dict(await announced())["supervision-rescheduled"]
    assert moved["supervision_id"] == str(found.id)


async def suspend(kit: Kit, made: Ticket, at: datetime) -> None:
    grounds: dict[str, Json] = {"reason": "送检", "pause_reason": "INSPECTION_APPRAISAL"}
    asked = Request(kind=AskKind.SUSPENSION, by="u-1", grounds=grounds)
    granted = Decision(kind=AskKind.SUSPENSION, is_granted=True, by="c-1", by_center=True)
    rules = await operations.rules_at(kit, now=at)
    async with kit.db.transaction() as tx:
        step = Step(ticket_id=made.id, actor="u-1")
        await operations.sign(tx, step=step, rules=rules, now=at)
        await Desk(tx, step=step, rules=rules, now=at).ask(asked)
        await Desk(tx, step=step, rules=rules, now=at).decide(granted)


async def resume(kit: Kit, made: Ticket, at: datetime) -> None:
    rules = await operations.rules_at(kit, now=at)
    async with kit.db.transaction() as tx:
        await Desk(tx, step=Step(ticket_id=made.id, actor="u"), rules=rules, now=at).resume()


async def test_a_suspended_ticket_has_no_ladder_and_goes_on_with_it_afterwards(
    service: Service, kit: Kit, filed: Any
) -> None:
    made = await filed(NOW, unit="A3", person=PERSON)
    await suspend(kit, made, NOW + timedelta(hours=1))
    assert await armed(kit) == []
    await settle(service, kit, NOW + timedelta(days=2))
    assert await issued(kit) == []

    await resume(kit, made, NOW + timedelta(days=2))

    assert await armed(kit) == [datetime(2026, 9, 28, 0, 0, tzinfo=SHANGHAI)]


async def test_an_overdue_ticket_that_was_suspended_is_not_urged_anew(
    service: Service, kit: Kit, filed: Any
) -> None:
    made = await filed(NOW, unit="A3", person=PERSON)
    await settle(service, kit, ONE_OVER)
    late = ONE_OVER - timedelta(hours=1)
    await suspend(kit, made, late)
    assert await armed(kit) == []

    await resume(kit, made, ONE_OVER + timedelta(hours=8))
    await settle(service, kit, ONE_OVER + timedelta(hours=9))

    found = [level for level, _ in await issued(kit)]
    assert (found.count("U1"), found.count("S1")) == (1, 1)
    assert await armed(kit) == [FIVE_OVER]


async def test_a_new_unit_gets_a_ladder_of_its_own(service: Service, kit: Kit, filed: Any) -> None:
    made = await filed(NOW, unit="A3", person=PERSON)
    await settle(service, kit, ONE_OVER + INSTANT)
    at = ONE_OVER + timedelta(hours=10)
    rules = await operations.rules_at(kit, now=at)
    async with kit.db.transaction() as tx:
        step = Step(ticket_id=made.id, actor="c-1")
        await Desk(tx, step=step, rules=rules, now=at).transfer("A7")

    assert [each > at for each in await armed(kit)] == [True]
    await settle(service, kit, FIVE_OVER + timedelta(days=30))

    async with kit.db.reading() as reads:
        rows = await reads.execute(select(supervision.c.units, supervision.c.level))
        found = [(row.units[0], row.level) for row in rows]
    assert found.count(("A3", "S2")) == 0
    assert found.count(("A7", "S2")) == 1


async def test_a_hard_case_that_stays_unsolved_is_listed(
    service: Service, kit: Kit, filed: Any
) -> None:
    made = await filed(NOW, unit="A3", person=PERSON)
    rules = await operations.rules_at(kit, now=NOW)
    async with kit.db.transaction() as tx:
        step = Step(ticket_id=made.id, actor="c-1")
        await operations.sign(tx, step=step, rules=rules, now=NOW)
        await Desk(tx, step=step, rules=rules, now=NOW).escalate("DISPUTE")

    listed_at = bundled().deadline(NOW, 15)
    await settle(service, kit, listed_at)
    assert "S4" not in dict(await issued(kit))
    await settle(service, kit, listed_at + INSTANT)
    await settle(service, kit, listed_at + timedelta(days=1))

    assert [level for level, _ in await issued(kit)].count("S4") == 1


async def test_what_the_centre_puts_under_supervision_gets_a_letter_without_a_card(
    kit: Kit, filed: Any, announced: Any
) -> None:
    made = await filed(NOW, unit="A3", person=PERSON)
    rules = await operations.rules_at(kit, now=NOW)
    async with kit.db.transaction() as tx:
        step = Step(ticket_id=made.id, actor="h-1")
        await Desk(tx, step=step, rules=rules, now=NOW).supervise("LEADER_BATCH")

    assert await issued(kit) == [("S1", "flagged")]
    facts = [fact for fact, _ in await announced()]
    assert "supervision-opened" in facts
    assert "card-issued" not in facts


async def test_many_overdue_tickets_and_three_sweeps_climb_each_rung_once(
    service: Service, kit: Kit, filed: Any
) -> None:
    for _ in range(12):
        await filed(NOW, unit="A3")
    for moment in (DUE + INSTANT, ONE_OVER + INSTANT, FIVE_OVER + INSTANT):
        await settle(service, kit, moment)
        await settle(service, kit, moment)

    found = [level for level, _ in await issued(kit)]
    counts = [found.count(level) for level in ("U1", "S1", "S2")]
    assert counts == [12, 12, 12]
    assert found.count("S3") >= 1
