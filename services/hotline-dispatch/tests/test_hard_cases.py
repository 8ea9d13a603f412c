"""Hard cases (疑难) by themselves; what cards, contacts and the knowledge base mean elsewhere."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.appeal import AppealType
from tongban_hotline_dispatch.operations import hot_issues
from tongban_hotline_dispatch.operations.supervision_timers import look_round
from tongban_hotline_dispatch.store import Complainant, supervision, ticket, ticket_move
from tongban_hotline_dispatch.store.assessment import assessment_input

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
FIVE_OVER = datetime(2026, 10, 12, 23, 59, 59, 999999, tzinfo=SHANGHAI)  # 1-7 off, the 10th on
INSTANT = timedelta(microseconds=1)


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


async def states(kit: Kit) -> list[str]:
    async with kit.db.reading() as reads:
        return list((await reads.execute(select(ticket.c.status).order_by(ticket.c.id))).scalars())


async def causes(kit: Kit) -> list[str]:
    async with kit.db.reading() as reads:
        rows = await reads.execute(
            select(ticket_move.c.facts).where(ticket_move.c.act == "hard_case_opened")
        )
        return [each["cause"] for each in rows.scalars()]


async def noted(kit: Kit) -> list[tuple[str, str, bool]]:
    async with kit.db.reading() as reads:
        c = assessment_input.c
        rows = await reads.execute(select(c.kind, c.unit_code, c.voided_at).order_by(c.id))
        return [(row.kind, row.unit_code, row.voided_at is not None) for row in rows]


async def test_what_is_overdue_by_more_than_five_working_days_is_a_hard_case_once(
    kit: Kit, service: Service, filed: Any
) -> None:
    await filed(NOW, unit="A3")
    await service.sweeper(kit).sweep(now=FIVE_OVER)
    await look_round(kit, now=FIVE_OVER)
    assert await states(kit) == ["signed"]

    for _ in range(2):
        await look_round(kit, now=FIVE_OVER + INSTANT)

    assert await states(kit) == ["hard_case"]
    assert await causes(kit) == ["long_overdue"]


async def test_a_matter_of_five_people_makes_hard_cases_of_what_units_have_in_hand(
    kit: Kit, service: Service, filed: Any
) -> None:
    for n in range(5):
        unit = "A3" if n < 2 else None
        await filed(NOW, unit=unit, person=Complainant(phone=f"1380000000{n}"))
    signed = NOW + timedelta(days=2)
    await service.sweeper(kit).sweep(now=signed)  # signed by timeout
    rules = await hot_issues.rules_of(kit, now=signed)
    async with kit.db.transaction() as tx:
        await hot_issues.group(tx, rules, now=signed)

    for _ in range(2):
        await look_round(kit, now=signed)

    assert sorted(await states(kit)) == ["hard_case"] * 2 + ["registered"] * 3
    assert await causes(kit) == ["many_complainants"] * 2


async def test_an_answered_ticket_is_no_hard_case(
    kit: Kit, hub: Client, officer: Client, filed: Any
) -> None:
    made = await filed(NOW, unit="A3", appeal_type=AppealType.SUGGESTION)
    path = f"/hotline/v1/tickets/{made.id}"
    for move, body in (("sign", None), ("contact", None), ("reply", {"text": "已采纳"})):
        seen = (await officer.get(path)).headers["ETag"]
        answer = await officer.post(f"{path}/{move}", json=body, headers={"If-Match": seen})
        assert answer.status_code == 200, answer.text

    await look_round(kit, now=FIVE_OVER + timedelta(days=30))

    assert await causes(kit) == []


async def test_what_a_unit_owes_the_knowledge_base_is_urged_and_after_three_a_letter(
    kit: Kit, service: Service, hub: Client
) -> None:
    for n in range(3):
        order = {"unit_code": "A3", "about": f"安府发〔2026〕{n}号", "published_on": "2026-09-21"}
        made = await hub.post("/hotline/v1/knowledge-duties", json=order)
        assert made.status_code == 201, made.text
    over = datetime.fromisoformat(made.json()["due"]) + INSTANT
    await service.sweeper(kit).sweep(now=over)

    await look_round(kit, now=over)

    async with kit.db.reading() as reads:
        rows = await reads.execute(select(supervision).order_by(supervision.c.level.desc()))
        found = [(row.level, row.cause) for row in rows]
    assert found == [("U1", "KNOWLEDGE")] * 3 + [("S1", "late_knowledge")]
    assert (await noted(kit))[:3] == [("knowledge_late", "A3", False)] * 3
    assert ("yellow_card", "A3", False) in await noted(kit)


async def test_a_waived_card_costs_nothing(client: Client, kit: Kit) -> None:
    center = client.as_("supervisor", subject="c-1")
    letter = {"level": "S1", "cause": "UNSOLVED", "unit_codes": ["A3"], "has_card": True}
    made = (await center.post("/hotline/v1/supervisions", json=letter)).json()
    assert await noted(kit) == [("yellow_card", "A3", False)]

    path = f"/hotline/v1/supervisions/{made['id']}"
    card = (await center.get(path)).json()["cards"][0]["id"]
    answer = await client.as_("inspector", subject="i-1").post(
        f"{path}/cards/{card}/waive",
        json={"reason": "SYSTEM_FAULT"},
        headers={"If-Match": f'"{made["version"]}"'},
    )

    assert answer.status_code == 200, answer.text
    assert await noted(kit) == [("yellow_card", "A3", True)]


async def test_a_filing_is_noted_on_time_or_late(kit: Kit, officer: Client) -> None:
    for role, completed in (("leader_in_charge", "2026-09-18"), ("dedicated_staff", "2026-08-03")):
        person = {"name": "张三", "post": "办公室主任", "mobile": "13800000001"}
        body = {"unit_code": "A3", "role": role, "person": person, "completed_on": completed}
        made = await officer.post("/hotline/v1/contacts", json=body)
        assert made.status_code == 201, made.text

    assert [kind for kind, _, _ in await noted(kit)] == ["contact_on_time", "contact_late"]
