"""Callbacks: whom to call, how often, what is counted; and a bad mark that a unit contests."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.store import Complainant
from tongban_hotline_dispatch.store.assessment import assessment_input
from tongban_hotline_dispatch.store.callbacks import callback_task

API = "/hotline/v1"
TICKETS = f"{API}/tickets"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
GOOD = {"resolved": "resolved", "result_level": 5, "process_level": 4, "replied": True}
BAD = {"resolved": "unresolved", "result_level": 1, "process_level": 3}
HOUR = timedelta(hours=1)
Waiting = Callable[[], Awaitable[str]]


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
def caller(client: Client) -> Client:
    return client.as_("dispatcher", subject="cb-1")


async def go(who: Client, ticket_id: str, move: str, body: object = None) -> httpx.Response:
    seen = (await who.get(f"{TICKETS}/{ticket_id}")).headers["ETag"]
    return await who.post(f"{TICKETS}/{ticket_id}/{move}", json=body, headers={"If-Match": seen})


async def done(who: Client, ticket_id: str, move: str, body: object = None) -> dict[str, Any]:
    answer = await go(who, ticket_id, move, body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.fixture
def waiting(hub: Client, officer: Client, client: Client, clock: Clock) -> Waiting:
    """A ticket of A3 that was answered and reviewed: its citizen is to be called."""

    async def make() -> str:
        body = {
            "channel": "phone",
            "appeal_type": "complaint",
            "target_name": "某物业公司",
            "title": "路灯不亮",
            "content": "路口的路灯三天不亮",
            "person": {"name": "张三", "phone": "13812345678"},
        }
        made = await hub.post(TICKETS, json=body)
        assert made.status_code == 201, made.text
        ticket_id = str(made.json()["id"])
        await done(hub, ticket_id, "assign", {"unit_code": "A3"})
        for move in ("sign", "contact"):
            await done(officer, ticket_id, move)
        await done(officer, ticket_id, "reply", {"text": "已更换灯具"})
        await done(client.as_("reviewer", subject="r-1"), ticket_id, "review/pass")
        return ticket_id

    return make


async def queued(who: Client) -> list[dict[str, Any]]:
    answer = await who.get(f"{API}/callbacks")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def outcomes(kit: Kit) -> list[tuple[str | None, str | None, int | None]]:
    async with kit.db.reading() as reads:
        c = callback_task.c
        rows = await reads.execute(select(c.outcome, c.result, c.result_level).order_by(c.no))
        return [(row.outcome, row.result, row.result_level) for row in rows]


async def test_a_task_waits_is_taken_by_one_and_gone_once_the_person_was_heard(
    caller: Client, client: Client, waiting: Waiting, kit: Kit
) -> None:
    ticket_id = await waiting()
    (task,) = await queued(caller)
    assert (task["ticket_id"], task["cause"], task["is_taken"]) == (ticket_id, "replied", False)
    assert task["call_due"] == "2026-09-24T23:59:59.999999+08:00"  # 3 working days

    other = client.as_("dispatcher", subject="cb-2")
    assert (await caller.post(f"{TICKETS}/{ticket_id}/callback/take")).status_code == 204
    refused = await other.post(f"{TICKETS}/{ticket_id}/callback/take")
    assert (refused.status_code, refused.json()["code"]) == (409, "callback.already_taken")
    assert [(each["is_mine"], each["is_taken"]) for each in await queued(other)] == [(False, True)]

    told = await done(caller, ticket_id, "callback/record", GOOD)

    assert told["status"] == "closed"
    assert await queued(caller) == []
    assert await outcomes(kit) == [("reached", "satisfied", 5)]


async def test_unsolved_is_done_again_unless_a_listed_reason_says_why_not(
    caller: Client, waiting: Waiting
) -> None:
    first, second = await waiting(), await waiting()

    again = await done(caller, first, "callback/record", BAD)
    refused = await go(caller, second, "callback/record", {**BAD, "no_redo": "LAZY"})
    closed = await done(caller, second, "callback/record", {**BAD, "no_redo": "POLICY_FORBIDS"})

    assert again["status"] == "rework"
    assert refused.json()["code"] == "process.unknown_reason"
    assert closed["status"] == "closed"


async def test_nobody_is_given_up_before_three_calls_on_two_days_and_silence_is_no_answer(
    caller: Client, waiting: Waiting, clock: Clock, kit: Kit
) -> None:
    ticket_id = await waiting()
    for at in (NOW + HOUR, NOW + HOUR, NOW + 5 * HOUR):
        clock.now = at
        await done(caller, ticket_id, "callback/attempt")
    early = await go(caller, ticket_id, "callback/give-up")
    assert (early.status_code, early.json()["code"]) == (422, "callback.too_few_attempts")

    clock.now = NOW + timedelta(days=1)
    await done(caller, ticket_id, "callback/attempt")
    told = await done(caller, ticket_id, "callback/give-up")

    assert told["status"] == "closed"
    assert await outcomes(kit) == [("no_answer", None, None)]


async def test_whoever_cannot_be_called_is_closed_for_a_listed_reason(
    caller: Client, waiting: Waiting, kit: Kit
) -> None:
    ticket_id = await waiting()
    refused = await go(caller, ticket_id, "callback/skip", {"reason": "TIRED"})
    assert refused.json()["code"] == "callback.unknown_reason"

    await done(caller, ticket_id, "callback/skip", {"reason": "INVALID_NUMBER"})

    assert await outcomes(kit) == [("cannot_callback", None, None)]


async def test_the_deadline_alone_opens_a_callback_though_the_unit_is_silent(
    service: Service, caller: Client, hub: Client, filed: Any, kit: Kit
) -> None:
    made = await filed(NOW, unit="A3", person=Complainant(phone="13812345678"))
    due = datetime.fromisoformat(
        (await hub.get(f"{TICKETS}/{made.id}")).json()["citizen_due"]
    ) + timedelta(microseconds=1)
    for _ in range(2):
        await service.sweeper(kit).sweep(now=due)

    assert await _causes(kit) == ["deadline"]


async def _causes(kit: Kit) -> list[str]:
    async with kit.db.reading() as reads:
        return list((await reads.execute(select(callback_task.c.cause))).scalars())


async def contested(who: Client, ticket_id: str, **changes: Any) -> httpx.Response:
    body = {
        "tracks": ["satisfaction", "resolution"],
        "ground": "POLICY_FORBIDS",
        "words": "诉求于法无据，已书面说明",
        "evidence": ["DC-2026-7"],
        "is_signed_off": True,
        **changes,
    }
    return await who.post(f"{TICKETS}/{ticket_id}/reappraisals", json=body)


async def moved(who: Client, one: dict[str, Any], move: str, body: object) -> httpx.Response:
    return await who.post(
        f"{API}/reappraisals/{one['id']}/{move}",
        json=body,
        headers={"If-Match": f'"{one["version"]}"'},
    )


async def test_a_bad_mark_goes_from_the_unit_over_the_county_to_the_city(
    caller: Client, officer: Client, client: Client, waiting: Waiting, kit: Kit, announced: Any
) -> None:
    ticket_id = await waiting()
    await done(caller, ticket_id, "callback/record", {**BAD, "no_redo": "POLICY_FORBIDS"})
    county, city = client.as_("supervisor", subject="s-1"), client.as_("supervisor", subject="s-2")

    made = await contested(officer, ticket_id)
    assert made.status_code == 201, made.text
    one = made.json()
    assert (one["state"], one["due"]) == ("at_county", "2026-09-23T23:59:59.999999+08:00")
    one = (await moved(county, one, "review", {"is_passed": True})).json()
    judged = {
        "verdicts": {"satisfaction": "pass", "resolution": "fail"},
        "is_assessable": False,
        "is_reasonable": False,
        "reason": "政策不允许，单位已尽责",
    }
    twice = await moved(county, one, "decide", judged)
    assert (twice.status_code, twice.json()["code"]) == (422, "reappraisal.same_person")
    half = await moved(city, one, "decide", {**judged, "verdicts": {"satisfaction": "pass"}})
    assert half.json()["code"] == "reappraisal.verdict_missing"
    ended = (await moved(city, one, "decide", judged)).json()

    assert (ended["state"], ended["is_assessable"]) == ("passed", False)
    async with kit.db.reading() as reads:
        c = assessment_input.c
        noted = (await reads.execute(select(c.kind, c.ref))).all()
    assert [tuple(each) for each in noted] == [("reappraised_result", ticket_id)]
    assert dict(await announced())["reappraisal-decided"]["is_assessable"] is False
    assert (await outcomes(kit))[0][1] == "dissatisfied"  # what was said stays said


async def test_a_contest_has_its_days_its_ground_and_its_signature(
    caller: Client, officer: Client, client: Client, waiting: Waiting, clock: Clock
) -> None:
    good, bad = await waiting(), await waiting()
    await done(caller, good, "callback/record", GOOD)
    await done(caller, bad, "callback/record", {**BAD, "no_redo": "POLICY_FORBIDS"})
    other = client.as_("unit_officer", subject="u-7", unit="A7")

    said = [
        (await contested(officer, good)).json()["code"],
        (await contested(officer, bad, ground="NONE")).json()["code"],
        (await contested(officer, bad, is_signed_off=False)).json()["code"],
        (await contested(other, bad)).json()["code"],
    ]
    clock.now = NOW + timedelta(days=4)
    said.append((await contested(officer, bad)).json()["code"])

    assert said == [
        "reappraisal.nothing_to_contest",
        "reappraisal.unknown_ground",
        "reappraisal.not_signed_off",
        "ticket.not_your_unit",
        "reappraisal.too_late",
    ]


async def test_silence_of_the_county_passes_and_that_of_the_city_does_not(
    caller: Client,
    officer: Client,
    client: Client,
    waiting: Waiting,
    service: Service,
    kit: Kit,
    clock: Clock,
) -> None:
    ticket_id = await waiting()
    await done(caller, ticket_id, "callback/record", {**BAD, "no_redo": "POLICY_FORBIDS"})
    one = (await contested(officer, ticket_id)).json()

    for days, state in ((3, "at_city"), (12, "failed")):
        clock.now = NOW + timedelta(days=days)
        await service.sweeper(kit).sweep(now=clock.now)
        seen = (await officer.get(f"{API}/reappraisals/{one['id']}")).json()
        assert seen["state"] == state

    assert seen["county"]["is_by_silence"] is True
    assert seen["is_assessable"] is True
    strange = client.as_("unit_officer", subject="u-7", unit="A7")
    assert (await strange.get(f"{API}/reappraisals/{one['id']}")).status_code == 404
    assert (await strange.get(f"{API}/reappraisals")).json()["items"] == []
    assert len((await officer.get(f"{API}/reappraisals")).json()["items"]) == 1
