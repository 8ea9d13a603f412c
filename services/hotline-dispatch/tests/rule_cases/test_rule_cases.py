"""The sixteen listed cases (hotline.md 11), each by its number over the API and PostgreSQL.

Case 11, of a rule changed on the way, is in test_pinned.py.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from tongban_common.db import Database
from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_hotline_dispatch.operations.matters import first_catalogue
from tongban_hotline_dispatch.store import Units
from tongban_hotline_dispatch.store.reference import Unit

from .building import (
    APPEAL,
    EXTENSION,
    GOOD,
    PHONE,
    RETURN,
    SUSPENSION,
    TICKETS,
    clock_of,
    counted,
    done,
    end_of,
    on,
    refused,
    registered,
    running,
    seen,
)

API = "/hotline/v1"
NOW = on(9, 21)
INSTANT = timedelta(microseconds=1)
Announced = Callable[[], Awaitable[list[tuple[str, dict[str, Any]]]]]
Swept = Callable[[datetime], Awaitable[None]]


@pytest.fixture(autouse=True)
async def _city(db: Database, clock: Clock) -> None:
    """A7 over A3 over the town T3; B7 stands beside A3."""
    clock.now = NOW
    async with db.transaction() as tx:
        for code, level, parent in (
            ("A7", "city", None),
            ("A3", "county", "A7"),
            ("T3", "township", "A3"),
            ("B7", "city", None),
        ):
            new = Unit(code=code, name=code, level=level, is_active=True, parent_code=parent)
            await Units(tx).keep(new)


@pytest.fixture
def center(client: Client) -> Client:
    return client.as_("supervisor", subject="c-1")


@pytest.fixture
def city(client: Client) -> Client:
    return client.as_("unit_officer", subject="u-7", unit="A7")


async def assigned(hub: Client, unit: str = "A3", **more: object) -> dict[str, Any]:
    return await done(hub, await registered(hub, **more), "assign", unit_code=unit)


async def missed(announced: Announced) -> list[str]:
    return sorted(data["clock"] for fact, data in await announced() if fact == "deadline-missed")


@pytest.mark.parametrize(
    ("filed_at", "is_late"),
    [(on(10, 15, 23, 59), False), (on(10, 16, 0, 0), True)],
    ids=["the end of the 10th day", "after it"],
)
async def test_case_1_filing_in_10_working_days_across_the_swap_week_of_national_day(
    officer: Client, clock: Clock, filed_at: datetime, is_late: bool
) -> None:
    clock.now = filed_at
    body = {
        "unit_code": "A3",
        "role": "leader_in_charge",
        "person": {"name": "李四", "mobile": "13987654321"},
        "completed_on": "2026-09-24",
    }

    answer = await officer.post(f"{API}/contacts", json=body)

    # 28 to 30 September, 8 and 9 October, the make-up Saturday of the 10th, 12 to 15 October
    assert answer.status_code == 201, answer.text
    filed = answer.json()
    assert (filed["due"], filed["is_late"]) == (end_of(10, 15), is_late)


@pytest.mark.parametrize(
    ("friday", "due"),
    [(on(9, 11, 17, 59), end_of(9, 14)), (on(10, 9, 17, 59), end_of(10, 10))],
    ids=["to Monday", "to the make-up Saturday"],
)
async def test_case_2_dispatched_on_friday_at_17_59_with_1_working_day_to_sign(
    hub: Client, clock: Clock, friday: datetime, due: str
) -> None:
    clock.now = friday

    sign = await clock_of(hub, await assigned(hub), "sign")

    assert (sign["due_at"], counted(sign)) == (due, [due[5:10]])


async def test_case_3_the_clock_of_the_unit_ran_on_while_its_return_was_refused(
    hub: Client, officer: Client, clock: Clock, swept: Swept, announced: Announced
) -> None:
    ticket = await assigned(hub)
    clock.now = on(9, 22)
    await done(officer, ticket, "return", **RETURN)
    assert {"unit", "citizen"} <= await running(hub, ticket)
    clock.now = on(9, 23)

    back = await done(hub, ticket, "return/decide", is_granted=False)

    assert (back["status"], back["reply_due"]) == ("signed", end_of(9, 29))
    unit = await clock_of(hub, ticket, "unit")
    assert counted(unit) == ["09-22", "09-23", "09-24", "09-28", "09-29"]
    await swept(datetime.fromisoformat(back["reply_due"]) + INSTANT)
    assert "unit" in await missed(announced)


async def test_case_4_a_third_return_is_impossible_whichever_unit_would_ask(
    hub: Client, officer: Client, city: Client, client: Client
) -> None:
    ticket = await registered(hub)
    for unit, who in (("A3", officer), ("A7", city)):
        await done(hub, ticket, "assign", unit_code=unit)
        await done(who, ticket, "return", **RETURN)
        await done(hub, ticket, "return/decide", is_granted=True)
    await done(hub, ticket, "assign", unit_code="B7")
    third = client.as_("unit_officer", subject="u-b", unit="B7")

    assert await refused(third, ticket, "return", **RETURN) == (409, "assignment.forced")
    found = await seen(hub, ticket)
    assert [each["is_forced"] for each in found["assignments"]] == [False, False, True]
    assert (await done(third, ticket, "sign"))["status"] == "signed"


async def test_case_5_a_merged_child_gets_the_reply_and_a_callback_of_its_own(
    hub: Client, officer: Client, client: Client
) -> None:
    parent = await assigned(hub)
    child = await registered(hub, person={"name": "李四", "phone": "13987654321"})
    await done(hub, child, "merge", parent_id=parent["id"])
    await done(officer, parent, "sign")
    await done(officer, parent, "reply", text="已修复")
    await done(hub, parent, "review/pass")

    found = await seen(hub, child)
    numbers = {"ticket_no": child["ticket_no"], "query_code": child["query_code"]}
    told = (await client.get(f"{API}/progress", params=numbers)).json()
    queue = (await hub.get(f"{API}/callbacks")).json()["items"]

    assert (found["status"], found["reply"], told["status"]) == ("callback", "已修复", "callback")
    assert {each["ticket_id"] for each in queue} == {parent["id"], child["id"]}
    assert (await done(hub, child, "callback/complete", **GOOD))["status"] == "closed"
    assert (await seen(hub, parent))["status"] == "callback"


@pytest.mark.parametrize(
    ("after", "late"), [(timedelta(), []), (INSTANT, ["unit"])], ids=["at it", "an instant later"]
)
async def test_case_6_a_reply_at_the_deadline_instant_is_on_time(
    hub: Client,
    officer: Client,
    clock: Clock,
    swept: Swept,
    announced: Announced,
    after: timedelta,
    late: list[str],
) -> None:
    ticket = await assigned(hub)
    await done(officer, ticket, "sign")
    await done(officer, ticket, "contact")
    clock.now = datetime.fromisoformat(ticket["reply_due"]) + after

    answered = await done(officer, ticket, "reply", text="已修复")
    await swept(clock.now + timedelta(hours=1))

    assert answered["is_overdue"] is bool(late)
    (share,) = (await seen(hub, ticket))["assignments"]
    assert share["was_late"] is bool(late)
    assert await missed(announced) == late


async def test_case_7_an_extension_asked_after_the_expiry_is_refused(
    hub: Client, officer: Client, clock: Clock
) -> None:
    ticket = await assigned(hub)
    await done(officer, ticket, "sign")
    clock.now = datetime.fromisoformat(ticket["reply_due"]) + INSTANT

    assert await refused(officer, ticket, "extension", **EXTENSION) == (422, "ask.too_late")
    clock.now = datetime.fromisoformat(ticket["reply_due"]) - timedelta(hours=12)
    await done(officer, ticket, "extension", **EXTENSION)  # half a working day before


async def test_case_8_of_a_hidden_complainant_no_api_of_the_unit_and_no_event_has_the_phone(
    hub: Client, officer: Client, announced: Announced
) -> None:
    ticket = await assigned(
        hub, hides_identity=True, title=f"路灯不亮，回电{PHONE}", content=f"电话{PHONE}，张三丰"
    )
    await done(officer, ticket, "sign")
    await done(officer, ticket, "contact")
    await done(officer, ticket, "reply", text=f"已联系{PHONE}并修复")

    for path in ("", "/history", "/deadlines", "/callbacks", "/officer", "/knowledge"):
        answer = await officer.get(f"{TICKETS}/{ticket['id']}{path}")
        assert (answer.status_code, PHONE in answer.text) == (200, False), path
    shown = await seen(officer, ticket)
    assert shown["person"] == {"name": None, "phone": None, "is_hidden": True}
    for path in (TICKETS, f"/hotline/tickets/{ticket['id']}", f"{API}/exports/tickets.csv"):
        answer = await officer.get(path)
        assert (answer.status_code, PHONE in answer.text) == (200, False), path
    look = {"fields": ["phone"], "reason": "callback"}
    looked = await officer.post(f"{TICKETS}/{ticket['id']}/identity-views", json=look)
    assert looked.status_code == 403
    told = str(await announced())
    assert "ticket-replied" in told
    assert PHONE not in told
    assert "张三丰" not in told


async def test_case_9_the_unit_complained_of_does_not_receive_the_ticket(
    hub: Client, center: Client, city: Client
) -> None:
    accused = {"appeal_type": "complaint", "target_name": "A3", "target_unit_code": "A3"}
    ticket = await registered(hub, **accused)
    guarded = (422, "guard.accused_unit")

    for unit in ("A3", "T3"):
        assert await refused(hub, ticket, "assign", unit_code=unit) == guarded
        assert await refused(center, ticket, "designate", unit_code=unit) == guarded
    await done(hub, ticket, "assign", unit_code="A7")
    await done(city, ticket, "sign")
    assert await refused(hub, ticket, "transfer", unit_code="A3") == guarded
    assert await refused(city, ticket, "delegate", unit_code="A3") == guarded
    assert await refused(city, ticket, "add-unit", unit_code="A3", role="co") == guarded


async def test_case_10_a_ticket_without_a_rating_is_in_no_denominator_of_ratings(
    hub: Client, officer: Client, city: Client, center: Client, clock: Clock
) -> None:
    for n in range(6):  # five are rated, one is silent
        await closed(hub, officer, "A3", is_rated=n > 0)
    await closed(hub, city, "A7", is_rated=False)
    clock.now = on(10, 20)

    made = (await center.post(f"{API}/assessments", json={"period": "2026-09"})).json()
    found = {}
    for unit in ("A3", "A7"):
        answer = await center.get(f"{API}/assessments/{made['id']}/units/{unit}")
        assert answer.status_code == 200, answer.text
        found[unit] = answer.json()["figures"]

    def two(unit: str, name: str) -> tuple[int, int]:
        figure = found[unit][name]
        return figure["numerator"], figure["denominator"]

    assert two("A3", "on_time_close_rate") == (6, 6)
    assert two("A3", "satisfaction_rate") == (5, 5)
    assert two("A3", "resolution_rate") == (5, 5)
    assert "satisfaction_rate" not in found["A7"]  # nothing to divide by: no rate, and not 100


async def closed(hub: Client, unit: Client, code: str, *, is_rated: bool) -> None:
    """Answered in time; called back, or, with nobody to be called, closed without a rating."""
    ticket = await assigned(hub, code, wants_callback=is_rated)
    await done(unit, ticket, "sign")
    await done(unit, ticket, "contact")
    await done(unit, ticket, "reply", text="已修复")
    await done(hub, ticket, "review/pass")
    if is_rated:
        await done(hub, ticket, "callback/complete", **GOOD)
    assert ticket["status"] == "closed"


async def test_case_12_the_callback_opens_at_the_deadline_though_the_unit_is_silent(
    hub: Client, clock: Clock, swept: Swept
) -> None:
    ticket = await assigned(hub)
    clock.now = datetime.fromisoformat(ticket["citizen_due"])
    await swept(clock.now)
    assert (await hub.get(f"{API}/callbacks")).json()["items"] == []
    clock.now += INSTANT

    await swept(clock.now)

    (task,) = (await hub.get(f"{API}/callbacks")).json()["items"]
    assert (task["ticket_id"], task["cause"]) == (ticket["id"], "deadline")
    assert (await seen(hub, ticket))["reply"] is None


async def test_case_13_a_unit_that_was_designated_gets_409_on_a_return(
    hub: Client, center: Client, officer: Client
) -> None:
    ticket = await registered(hub)
    await done(center, ticket, "designate", unit_code="A3")

    assert await refused(officer, ticket, "return", **RETURN) == (409, "assignment.forced")


async def test_case_14_a_suspension_pauses_both_clocks_and_the_review_of_a_return_none(
    hub: Client, officer: Client, center: Client, clock: Clock
) -> None:
    paused, returned = await assigned(hub), await assigned(hub)
    clock.now = on(9, 22)
    await done(officer, paused, "sign")
    await done(officer, paused, "suspension", **SUSPENSION)
    await done(center, paused, "suspension/decide", is_granted=True)
    await done(officer, returned, "return", **RETURN)

    assert (paused["status"], returned["status"]) == ("suspended", "return_review")
    assert await running(hub, paused) & {"unit", "citizen"} == set()
    assert await running(hub, returned) >= {"unit", "citizen"}
    clock.now = on(9, 24)
    await done(officer, paused, "resume")
    await done(hub, returned, "return/decide", is_granted=False)

    dues = [(each["reply_due"], each["citizen_due"]) for each in (paused, returned)]
    # the 22nd and the 23rd do not count for the one: two working days more for each of its clocks
    assert dues == [(end_of(10, 8), end_of(10, 10)), (end_of(9, 29), end_of(10, 8))]
    for name in ("unit", "citizen"):
        assert not {"09-22", "09-23"} & set(counted(await clock_of(hub, paused, name)))
        assert {"09-22", "09-23"} <= set(counted(await clock_of(hub, returned, name)))


async def test_case_15_a_town_is_offered_no_matter_that_may_not_be_delegated(
    hub: Client, officer: Client, kit: Kit
) -> None:
    await first_catalogue(kit, now=NOW)
    found = (await hub.get(f"{API}/matters", params={"q": "新增违法搭建"})).json()["items"]
    person = {"phone": PHONE, "address": "桂花路1号"}
    ticket = await registered(hub, matter_code=found[0]["code"], person=person)
    kept = (422, "assignment.not_delegable")

    assert await refused(hub, ticket, "assign", unit_code="T3") == kept
    await done(hub, ticket, "assign", unit_code="A3")
    await done(officer, ticket, "sign")
    assert await refused(officer, ticket, "delegate", unit_code="T3") == kept


async def test_case_16_the_same_number_of_the_upper_platform_twice_is_one_ticket(
    hub: Client, client: Client
) -> None:
    province = client.as_("upper_platform", subject="province-12345")
    message: dict[str, Any] = {
        name: APPEAL[name] for name in ("appeal_type", "title", "content", "person")
    }
    message |= {"number": "GZ-2026-000017", "due": "2026-09-24T18:00:00+08:00"}

    answers = await asyncio.gather(
        *(province.post(f"{API}/upstream/tickets", json=message) for _ in range(2))
    )
    again = await province.post(f"{API}/upstream/tickets", json=message)

    assert sorted(each.status_code for each in (*answers, again)) == [200, 200, 201]
    assert len({each.json()["ticket_no"] for each in (*answers, again)}) == 1
    assert len((await hub.get(TICKETS)).json()["items"]) == 1
