from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, func, select

from tongban_common.http import ChangedMeanwhile
from tongban_common.service import Kit
from tongban_common.timers import timer
from tongban_common.working_days import SHANGHAI, Limit
from tongban_common.working_days import Unit as Of
from tongban_hotline_dispatch import operations, queries
from tongban_hotline_dispatch.domain.appeal import AppealType
from tongban_hotline_dispatch.domain.assignment import Reply
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.moves import IllegalMove, Status
from tongban_hotline_dispatch.domain.ticket import NotYourTicket, Ticket
from tongban_hotline_dispatch.operations import Step
from tongban_hotline_dispatch.operations.likeness_index import EVERYWHERE
from tongban_hotline_dispatch.store import (
    Complainant,
    TicketNotFound,
    UnitNotFound,
    complainant,
    ticket,
)
from tongban_hotline_dispatch.store.tickets import AlreadyTakenIn

NOW = datetime(2026, 9, 30, 10, 0, tzinfo=SHANGHAI)
DUE = "2026-10-13T23:59:59.999999+08:00"  # 5 working days over the National Day holiday


async def moved(kit: Kit, made: Ticket, move: str, at: datetime, actor: str = "u-1") -> Ticket:
    step = Step(ticket_id=made.id, actor=actor)
    rules = await operations.rules_at(kit, now=at)
    async with kit.db.transaction() as tx:
        match move:
            case "sign":
                return await operations.sign(tx, step=step, rules=rules, now=at)
            case "reply":
                answer = Reply.of("已修复")
                return await operations.reply(tx, step=step, answer=answer, rules=rules, now=at)
            case _:
                return await operations.close(tx, step=step, rules=rules, now=at)


async def timers_of(kit: Kit, made: Ticket) -> dict[str, str]:
    async with kit.db.reading() as connection:
        rows = await connection.execute(
            select(timer).where(timer.c.subject.startswith(str(made.id)))
        )
        return {row.kind: row.state for row in rows}


async def test_a_ticket_is_announced_from_registration_to_close(
    kit: Kit, filed: Any, announced: Any
) -> None:
    made = await filed(NOW, unit="A3")
    await moved(kit, made, "sign", NOW + timedelta(hours=1))
    await moved(kit, made, "reply", NOW + timedelta(hours=2))
    await moved(kit, made, "close", NOW + timedelta(hours=3))

    ticket_id, unit = str(made.id), "A3"
    facts = await announced()
    assert facts.pop()[0] == "rating-offered"
    assert facts == [
        (
            "ticket-registered",
            {
                "ticket_id": ticket_id,
                "ticket_no": made.ticket_no,
                "channel": "phone",
                "appeal_type": "help",
                "urgency": "normal",
                "citizen_due": "2026-10-15T23:59:59.999999+08:00",
            },
        ),
        (
            "ticket-assigned",
            {
                "ticket_id": ticket_id,
                "unit_code": unit,
                "reply_due": DUE,
                "policy_version": "hotline-limits/guizhou_default@2",
                "calendar_version": "2026v1",
            },
        ),
        ("ticket-signed", {"ticket_id": ticket_id, "unit_code": unit}),
        (
            "ticket-replied",
            {
                "ticket_id": ticket_id,
                "unit_code": unit,
                "is_overdue": False,
                "overdue_working_days": 0,
            },
        ),
        (
            "ticket-closed",
            {
                "ticket_id": ticket_id,
                "ticket_no": made.ticket_no,
                "unit_code": unit,
                "appeal_type": "help",
                "is_overdue": False,
            },
        ),
    ]


async def test_a_late_reply_says_by_how_many_working_days(
    kit: Kit, filed: Any, announced: Any
) -> None:
    made = await filed(NOW, unit="A3")
    await moved(kit, made, "sign", NOW)

    replied = await moved(kit, made, "reply", datetime(2026, 10, 19, 9, 0, tzinfo=SHANGHAI))
    await moved(kit, made, "close", datetime(2026, 10, 30, 9, 0, tzinfo=SHANGHAI))

    told = dict(await announced())
    assert replied.is_overdue(at=NOW)
    assert told["ticket-replied"]["is_overdue"] is True
    assert told["ticket-replied"]["overdue_working_days"] == 4  # 14, 15, 16 and 19 October
    assert told["ticket-closed"]["is_overdue"] is True


@pytest.mark.parametrize(
    ("appeal_type", "unit", "amount"),
    [
        (AppealType.CONSULT, "A7", 1),
        (AppealType.CONSULT, "A3", 2),
        (AppealType.HELP, "A3", 5),
        (AppealType.COMPLAINT, "A7", 10),
        (AppealType.REPORT, "A3", 12),
    ],
    ids=["咨询·市级1日", "咨询·县级2日", "求助5日", "投诉·市级10日", "举报·县级12日"],
)
async def test_the_limit_comes_from_the_policy_in_force(
    filed: Any, appeal_type: AppealType, unit: str, amount: int
) -> None:
    made = await filed(NOW, unit=unit, appeal_type=appeal_type)

    assert made.reply_term.limit.amount == amount
    assert "遵义市" in made.reply_term.limit.clause


async def test_one_limit_given_by_value_stands_in_for_the_policy(kit: Kit, filed: Any) -> None:
    made = await filed(NOW)
    fixed = Limit(amount=15, unit=Of.WORKING_DAYS, clause="回放：统一15个工作日")
    rules = (await operations.rules_at(kit, now=NOW)).with_one_limit(fixed)

    async with kit.db.transaction() as tx:
        step = Step(ticket_id=made.id, actor="d-1")
        assigned = await operations.assign(tx, step=step, unit_code="A3", rules=rules, now=NOW)

    assert assigned.reply_term is not None
    assert assigned.reply_term.limit == fixed
    assert assigned.reply_term.policy == "one-limit/15-working_days"
    assert rules.citizen_term(made.appeal, NOW).limit == fixed


async def test_what_is_read_back_is_what_was_saved(kit: Kit, filed: Any) -> None:
    made = await filed(NOW, unit="A3", channel_order_no="P-1")
    await moved(kit, made, "sign", NOW)
    replied = await moved(kit, made, "reply", NOW)

    async with kit.db.reading() as reads:
        assert await queries.one(reads, made.id, seen_by=Viewer(subject="d-1")) == replied
        lines = await queries.history(reads, made.id)
    assert [(line.version, line.status, line.actor) for line in lines] == [
        (1, Status.REGISTERED, "d-1"),
        (2, Status.ASSIGNED, "d-1"),
        (3, Status.SIGNED, "u-1"),
        (4, Status.REPLIED, "u-1"),
    ]
    assert [line.unit_name for line in lines] == [None, "A3政府", "A3政府", "A3政府"]


async def test_the_clocks_are_armed_and_stopped_with_the_moves(kit: Kit, filed: Any) -> None:
    registered = await filed(NOW)
    made = await filed(NOW, unit="A3")

    assert await timers_of(kit, registered) == {"citizen": "armed", "dispatch": "armed"}
    waiting = {"citizen": "armed", "dispatch": "disarmed", "unit": "armed", "sign": "armed"}
    waiting["ladder"] = "armed"  # the reminders
    assert await timers_of(kit, made) == waiting
    await moved(kit, made, "sign", NOW)
    signed = {**waiting, "sign": "disarmed", "contact": "armed"}
    assert await timers_of(kit, made) == signed
    await moved(kit, made, "reply", NOW)
    assert await timers_of(kit, made) == {
        **dict.fromkeys(signed, "disarmed"),
        "review": "armed",
    }


async def test_a_citizen_who_wants_no_reply_has_no_clock(
    kit: Kit, filed: Any, announced: Any
) -> None:
    made = await filed(NOW, wants_reply=False)

    assert await timers_of(kit, made) == {"dispatch": "armed"}
    assert dict(await announced())["ticket-registered"]["citizen_due"] is None


async def test_the_numbers_of_one_second_are_all_different(filed: Any) -> None:
    numbers = [(await filed(NOW)).ticket_no for _ in range(30)]

    assert len(set(numbers)) == 30
    assert all(number.startswith("260930100000") and len(number) == 18 for number in numbers)


async def test_the_same_channel_number_is_taken_in_once(kit: Kit, filed: Any) -> None:
    await filed(NOW, channel_order_no="P-1")

    with pytest.raises(AlreadyTakenIn):
        await filed(NOW, channel_order_no="P-1")

    async with kit.db.reading() as connection:
        assert (await connection.execute(select(func.count()).select_from(ticket))).scalar() == 1
        armed = select(func.count()).where(timer.c.subject != EVERYWHERE)
        assert (await connection.execute(armed)).scalar() == 2


async def test_a_person_is_kept_under_seal_and_an_anonymous_one_not_at_all(
    kit: Kit, filed: Any
) -> None:
    await filed(NOW)
    await filed(NOW, person=Complainant(name="张三丰", phone="13812345678", address="武当山"))

    async with kit.db.reading() as connection:
        row = (await connection.execute(select(complainant))).one()
    for sealed, clear in (
        (row.name, "张三丰"),
        (row.phone, "13812345678"),
        (row.address, "武当山"),
    ):
        assert clear.encode() not in bytes(sealed)


@pytest.mark.parametrize("unit", ["A9", "NO-SUCH"], ids=["已停用", "不存在"])
async def test_a_unit_that_is_not_at_work_gets_no_ticket(
    kit: Kit, filed: Any, announced: Any, unit: str
) -> None:
    with pytest.raises(UnitNotFound):
        await filed(NOW, unit=unit)

    assert await announced() == []


async def test_a_refused_move_leaves_nothing_behind(kit: Kit, filed: Any, announced: Any) -> None:
    made = await filed(NOW, unit="A3")
    before = await announced()
    steps = (
        (replace(Step(ticket_id=made.id, actor="u"), unit="A7"), NotYourTicket),
        (replace(Step(ticket_id=made.id, actor="u"), seen_version=1), ChangedMeanwhile),
        (Step(ticket_id=UUID(int=9), actor="u"), TicketNotFound),
    )

    rules = await operations.rules_at(kit, now=NOW)
    for step, refusal in steps:
        with pytest.raises(refusal):
            async with kit.db.transaction() as tx:
                await operations.sign(tx, step=step, rules=rules, now=NOW)
    with pytest.raises(IllegalMove):
        await moved(kit, made, "close", NOW)

    assert await announced() == before


async def test_a_move_costs_at_most_five_statements_and_a_registration_six(
    kit: Kit, filed: Any
) -> None:
    seen: list[str] = []
    made = await filed(NOW, person=Complainant(name="张三丰"))
    rules = await operations.rules_at(kit, now=NOW)
    step = Step(ticket_id=made.id, actor="d-1")

    def note(*details: Any) -> None:
        seen.append(details[2])

    costs = []
    event.listen(kit.db._engine.sync_engine, "before_cursor_execute", note)
    await filed(NOW, person=Complainant(name="张三丰"))
    costs.append(len(seen))
    seen.clear()
    async with kit.db.transaction() as tx:
        await operations.assign(tx, step=step, unit_code="A3", rules=rules, now=NOW)
    costs.append(len(seen))
    for move in ("sign", "reply", "close"):
        await operations.rules_at(kit, now=NOW)
        seen.clear()
        await moved(kit, made, move, NOW)
        costs.append(len(seen))

    assert costs == [6, 5, 5, 5, 5]  # the first: by which words a new ticket is found
