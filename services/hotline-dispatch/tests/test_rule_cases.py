"""The cases that catch the usual mistakes (hotline.md 11), each by its number, over HTTP."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, select

from tongban_common.db import Database
from tongban_common.http import now_of_request
from tongban_common.issuer import DevelopmentIssuer
from tongban_common.outbox import outbox
from tongban_common.policies import load, packaged_text, policy
from tongban_common.service import Kit, Service
from tongban_common.settings import ServiceSettings
from tongban_common.testing import Client, Clock, client_of
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.operations.matters import first_catalogue
from tongban_hotline_dispatch.store import Units
from tongban_hotline_dispatch.store.matters import all_matters, matter_version_at
from tongban_hotline_dispatch.store.policies import LIMITS
from tongban_hotline_dispatch.store.process import PROCESS
from tongban_hotline_dispatch.store.reference import Unit

TICKETS = "/hotline/v1/tickets"
MONDAY = datetime(2026, 9, 14, 10, 0, tzinfo=SHANGHAI)
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)
PHONE = "13812345678"
APPEAL = {
    "channel": "phone",
    "appeal_type": "help",
    "title": "路灯不亮",
    "content": f"桂花路口的路灯已三天不亮，请联系{PHONE}",
    "person": {"name": "张三丰", "phone": PHONE},
}
RETURN = {
    "reason": "非本单位职责",
    "citation": "三定规定",
    "suggested_unit": "A7",
    "is_signed_off": True,
}
EXTENSION = {"reason": "情况复杂", "citation": "条例", "amount": 3, "is_signed_off": True}
SUSPENSION = {"reason": "送检", "pause_reason": "INSPECTION_APPRAISAL", "is_signed_off": True}
CONTACT = {
    "unit_code": "A3",
    "role": "platform_operator",
    "person": {"name": "李四", "mobile": PHONE},
    "completed_on": "2026-09-28",
}
_OWN = 99  # a version that no packaged file will have soon


class Case:
    """One ticket and the clock of the city."""

    def __init__(self, client: Client, clock: Clock, service: Service, kit: Kit) -> None:
        self.hub = client.as_("dispatcher", subject="d-1")
        self.center = client.as_("supervisor", subject="c-1")
        self.unit = client.as_("unit_officer", subject="u-1", unit="A3")
        self.other = client.as_("unit_officer", subject="u-7", unit="A7")
        self._clock, self._service, self._kit = clock, service, kit

    def at(self, moment: datetime) -> None:
        self._clock.now = moment

    async def sweep(self, moment: datetime) -> None:
        await self._service.sweeper(self._kit).sweep(now=moment)

    async def file(self, **more: Any) -> str:
        made = await self.hub.post(TICKETS, json={**APPEAL, **more})
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    async def seen(self, ticket: str) -> Any:
        return (await self.hub.get(f"{TICKETS}/{ticket}")).json()

    async def go(self, who: Client, ticket: str, path: str, **body: Any) -> tuple[int, Any]:
        version = f'"{(await self.seen(ticket))["version"]}"'
        address = f"{TICKETS}/{ticket}/{path}"
        answer = await who.post(address, json=body, headers={"If-Match": version})
        return answer.status_code, answer.json()

    async def done(self, who: Client, ticket: str, path: str, **body: Any) -> Any:
        status, found = await self.go(who, ticket, path, **body)
        assert status == 200, found
        return found

    async def signed(self, **more: Any) -> str:
        ticket = await self.file(**more)
        await self.done(self.hub, ticket, "assign", unit_code="A3")
        await self.done(self.unit, ticket, "sign")
        return ticket

    async def refused(self, who: Client, ticket: str, path: str, **body: Any) -> tuple[int, str]:
        status, found = await self.go(who, ticket, path, **body)
        return status, found["code"]


@pytest.fixture
def case(client: Client, clock: Clock, service: Service, kit: Kit) -> Case:
    clock.now = MONDAY
    return Case(client, clock, service, kit)


async def test_1_ten_working_days_run_past_the_national_day_and_its_worked_saturday(
    case: Case,
) -> None:
    """28 September; worked are 29, 30, 8, 9, Saturday 10, 12, 13, 14, 15 and 16 October."""
    last = datetime(2026, 10, 16, 23, 59, 59, tzinfo=SHANGHAI)
    found = []
    for moment in (last, last + timedelta(seconds=1)):
        case.at(moment)
        made = (await case.unit.post("/hotline/v1/contacts", json=CONTACT)).json()
        found.append((made["due"][:10], made["is_late"]))
        ended = {"ended_on": "2026-10-16", "reason": "换岗"}
        await case.unit.post(f"/hotline/v1/contacts/{made['contact']['id']}/end", json=ended)

    assert found == [("2026-10-16", False), ("2026-10-16", True)]


@pytest.mark.parametrize(
    ("friday", "due"),
    [
        (datetime(2026, 9, 11, 17, 59, tzinfo=SHANGHAI), "2026-09-14T23:59:59.999999+08:00"),
        (datetime(2026, 10, 9, 17, 59, tzinfo=SHANGHAI), "2026-10-10T23:59:59.999999+08:00"),
    ],
    ids=["周一24时", "补班的周六24时"],
)
async def test_2_what_is_dispatched_on_friday_evening_is_signed_by_the_next_working_day(
    case: Case, friday: datetime, due: str
) -> None:
    case.at(friday)
    ticket = await case.file()
    await case.done(case.hub, ticket, "assign", unit_code="A3")

    clocks = (await case.hub.get(f"{TICKETS}/{ticket}/deadlines")).json()

    assert [each["due_at"] for each in clocks if each["clock"] == "sign"] == [due]


async def test_3_while_a_return_is_looked_at_the_clock_of_the_unit_runs(case: Case) -> None:
    ticket = await case.signed()
    before = (await case.seen(ticket))["reply_due"]
    await case.done(case.unit, ticket, "return", **RETURN)
    case.at(MONDAY + DAY)

    after = await case.done(case.hub, ticket, "return/decide", is_granted=False)

    assert (after["status"], after["reply_due"]) == ("signed", before)


async def test_4_and_13_after_two_returns_a_unit_is_designated_and_gets_409_on_a_return(
    case: Case,
) -> None:
    ticket = await case.file()
    for who, unit in ((case.unit, "A3"), (case.other, "A7")):
        await case.done(case.hub, ticket, "assign", unit_code=unit)
        await case.done(who, ticket, "sign")
        await case.done(who, ticket, "return", **RETURN)
        await case.done(case.hub, ticket, "return/decide", is_granted=True)
    named = await case.done(case.hub, ticket, "assign", unit_code="A3")
    await case.done(case.unit, ticket, "sign")

    assert named["status"] == "assigned"
    assert (await case.seen(ticket))["assignments"][-1]["is_forced"] is True
    assert await case.refused(case.unit, ticket, "return", **RETURN) == (409, "assignment.forced")


async def test_5_a_merged_child_gets_the_reply_and_a_callback_of_its_own(case: Case) -> None:
    parent, child = await case.signed(), await case.file(person={"phone": "13912345678"})
    await case.done(case.hub, child, "merge", parent_id=parent)
    await case.done(case.unit, parent, "reply", text="已修复")
    await case.done(case.hub, parent, "review/pass")

    found = [(await case.seen(each)) for each in (parent, child)]

    assert [(each["status"], each["reply"]) for each in found] == [("callback", "已修复")] * 2


@pytest.mark.parametrize(("after", "is_overdue"), [(0 * DAY, False), (INSTANT, True)])
async def test_6_a_reply_at_the_instant_of_the_deadline_is_in_time(
    case: Case, after: timedelta, is_overdue: bool
) -> None:
    ticket = await case.signed()
    case.at(datetime.fromisoformat((await case.seen(ticket))["reply_due"]) + after)

    answered = await case.done(case.unit, ticket, "reply", text="已修复")

    assert answered["is_overdue"] is is_overdue


async def test_7_an_extension_asked_after_the_deadline_is_refused(case: Case) -> None:
    ticket = await case.signed()
    case.at(datetime.fromisoformat((await case.seen(ticket))["reply_due"]) + INSTANT)

    status, problem = await case.go(case.unit, ticket, "extension", **EXTENSION)

    assert (status, problem["code"]) == (422, "ask.too_late")


async def test_8_no_answer_to_the_unit_and_no_event_has_the_phone_of_who_hides(
    case: Case, db: Database
) -> None:
    ticket = await case.signed(hides_identity=True)
    told = []
    for path in ("", "/history", "/deadlines", "?unit=A3"):
        address = TICKETS + path if path.startswith("?") else f"{TICKETS}/{ticket}{path}"
        answer = await case.unit.get(address)
        assert answer.status_code == 200
        told.append(answer.text)
    told.append((await case.unit.get(f"/hotline/tickets/{ticket}")).text)
    async with db.reading() as reads:
        events = list((await reads.execute(select(outbox.c.data))).scalars())

    assert events
    assert not [each for each in (*told, *map(str, events)) if PHONE in each or "张三丰" in each]


async def test_9_a_unit_that_the_matter_is_about_gets_it_by_no_way(case: Case) -> None:
    ticket = await case.file(appeal_type="complaint", target_unit_code="A3", target_name="某局")

    for who, path in ((case.hub, "assign"), (case.center, "designate")):
        status, problem = await case.go(who, ticket, path, unit_code="A3")
        assert (status, problem["code"]) == (422, "guard.accused_unit")


async def test_10_what_nobody_rated_is_in_no_denominator(case: Case) -> None:
    """Six are answered in time; five are heard, of whom four are satisfied, and one is not."""
    good = {"resolved": "resolved", "result": "satisfied", "process": "satisfied"}
    bad = {**good, "result": "dissatisfied"}
    for heard in (good, good, good, good, bad, None):
        ticket = await case.signed()
        await case.done(case.unit, ticket, "reply", text="已修复")
        if heard is not None:
            await case.done(case.hub, ticket, "review/pass")
            await case.done(case.hub, ticket, "callback/complete", **heard)
    case.at(datetime(2026, 10, 20, 10, 0, tzinfo=SHANGHAI))
    made = await case.center.post("/hotline/v1/assessments", json={"period": "2026-09"})
    assert made.status_code == 201, made.text

    found = await case.center.get(f"/hotline/v1/assessments/{made.json()['id']}/units/A3")

    figures = found.json()["figures"]
    sides = {name: (each["numerator"], each["denominator"]) for name, each in figures.items()}
    assert sides["satisfaction_rate"] == (4, 5)
    assert sides["on_time_close_rate"][1] == 6


@pytest.fixture
async def later(
    service: Service, settings: ServiceSettings, kit: Kit, clock: Clock, issuer: DevelopmentIssuer
) -> AsyncIterator[Callable[[], Awaitable[Case]]]:
    """The city with new versions: three days instead of five, one return instead of two."""
    new = service.kit(settings)  # which has read no policy yet

    async def change() -> Case:
        for kind, old, renewed in (
            (LIMITS, "appeal_type: help, amount: 5", "appeal_type: help, amount: 3"),
            (PROCESS, "returns_before_forced: {value: 2,", "returns_before_forced: {value: 1,"),
        ):
            text = packaged_text("tongban_hotline_dispatch", kind.file)
            assert old in text
            text = re.sub(r"(?m)^version: \d+$", f"version: {_OWN}", text, count=1)
            await load(kit.db, [kind.parse(text.replace(old, renewed, 1), where=kind.file)])
        app = service.app(new)
        app.dependency_overrides[now_of_request] = clock
        client = client_of(httpx.ASGITransport(app=app), issuer)
        return Case(client, clock, service, new)

    yield change
    await new.db.close()
    async with kit.db.transaction() as tx:
        await tx.connection.execute(delete(policy).where(policy.c.version == _OWN))


async def test_11_a_policy_that_changes_on_the_way_leaves_what_was_pinned(
    case: Case, later: Callable[[], Awaitable[Case]]
) -> None:
    before = await case.signed()
    due = (await case.seen(before))["reply_due"]
    city = await later()
    after = await city.signed()
    dues = [(await city.seen(each))["reply_due"] for each in (before, after)]
    forced = []
    for ticket in (before, after):
        await city.done(city.unit, ticket, "return", **RETURN)
        await city.done(city.hub, ticket, "return/decide", is_granted=True)
        await city.done(city.hub, ticket, "assign", unit_code="A7")
        forced.append((await city.seen(ticket))["assignments"][-1]["is_forced"])

    assert dues[0] == due
    assert [each[:10] for each in dues] == ["2026-09-20", "2026-09-17"]  # that Sunday is worked
    assert forced == [False, True]


async def test_12_the_deadline_opens_the_callback_though_the_unit_is_silent(
    case: Case, announced: Any
) -> None:
    ticket = await case.signed()
    due = datetime.fromisoformat((await case.seen(ticket))["citizen_due"])

    await case.sweep(due + INSTANT)
    await case.sweep(due + INSTANT)

    opened = [data["cause"] for fact, data in await announced() if fact == "callback-opened"]
    assert opened == ["deadline"]


async def test_14_a_suspension_pauses_both_clocks_and_a_return_none(case: Case) -> None:
    paused, asked = await case.signed(), await case.signed()
    before = await case.seen(paused)
    case.at(MONDAY + DAY)
    await case.done(case.unit, paused, "suspension", **SUSPENSION)
    await case.done(case.center, paused, "suspension/decide", is_granted=True)
    await case.done(case.unit, asked, "return", **RETURN)
    case.at(MONDAY + 3 * DAY)  # Tuesday and Wednesday did not count

    after = await case.done(case.unit, paused, "resume")
    refused = await case.done(case.hub, asked, "return/decide", is_granted=False)

    clocks = [
        (each["reply_due"][:10], each["citizen_due"][:10]) for each in (before, after, refused)
    ]
    assert clocks == [
        ("2026-09-20", "2026-09-22"),
        ("2026-09-22", "2026-09-24"),
        ("2026-09-20", "2026-09-22"),
    ]


async def test_15_a_township_is_offered_no_duty_that_may_not_be_handed_down(
    case: Case, db: Database, kit: Kit
) -> None:
    await first_catalogue(kit, now=MONDAY)
    async with db.transaction() as tx:
        new = Unit(code="T3", name="T3", level="township", is_active=True, parent_code="A3")
        await Units(tx).keep(new)
    kept = {each.matter for each in (await kit.policy(PROCESS).at(MONDAY.date())).process.kept}
    async with kit.db.reading() as reads:
        version = await matter_version_at(reads, MONDAY.date())
        assert version is not None
        matters = await all_matters(reads, version)
    code = max(each.code for each in matters if each.code[:5] in kept)
    ticket = await case.file(matter_code=code, person={"phone": PHONE, "address": "桂花路1号"})

    assert await case.refused(case.hub, ticket, "assign", unit_code="T3") == (
        422,
        "assignment.not_delegable",
    )


async def test_16_the_same_number_of_the_upper_platform_twice_is_one_ticket(
    case: Case, client: Client
) -> None:
    province = client.as_("upper_platform", subject="province-12345")
    message = {
        "number": "GZ-2026-000017",
        "appeal_type": "help",
        "title": "路灯不亮",
        "content": "桂花路口的路灯已三天不亮",
        "person": {"phone": PHONE},
        "due": "2026-09-24T18:00:00+08:00",
    }

    told = await asyncio.gather(
        *(province.post("/hotline/v1/upstream/tickets", json=message) for _ in range(2))
    )

    assert sorted(each.status_code for each in told) == [200, 201]
    assert len((await case.hub.get(TICKETS)).json()["items"]) == 1
