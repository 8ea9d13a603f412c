"""The process on PostgreSQL: through the API, by the sweep, and in any order of moves."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, text

from tongban_common.db import Database
from tongban_common.errors import Refusal
from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock
from tongban_common.timers import timer
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.asking import Decision, Request
from tongban_hotline_dispatch.domain.assignment import AskKind, Reply, Role
from tongban_hotline_dispatch.domain.assignment import Clock as TicketClock
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved
from tongban_hotline_dispatch.domain.supervision_ladder import spans
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import Desk, Step
from tongban_hotline_dispatch.operations.performing import subject_of
from tongban_hotline_dispatch.operations.supervision_issuing import LADDER
from tongban_hotline_dispatch.store import Complainant, Units, ticket_note
from tongban_hotline_dispatch.store.reference import Unit
from tongban_hotline_dispatch.store.tickets import Tickets

TICKETS = "/hotline/v1/tickets"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
PERSON = Complainant(name="张三丰", phone="13812345678")
APPEAL = {
    "channel": "phone",
    "appeal_type": "help",
    "title": "路灯不亮",
    "content": "桂花路口的路灯已三天不亮",
    "person": {"name": "张三丰", "phone": "13812345678"},
}
GOOD = {"resolved": "resolved", "result": "satisfied", "process": "satisfied"}
BAD = {"resolved": "unresolved", "result": "dissatisfied", "process": "basically"}
RETURN = {
    "reason": "非本单位职责",
    "citation": "三定规定",
    "suggested_unit": "A7",
    "is_signed_off": True,
}
EXTENSION = {"reason": "情况复杂", "citation": "条例", "amount": 3, "is_signed_off": True}
SUSPENSION = {"reason": "送检", "pause_reason": "INSPECTION_APPRAISAL", "is_signed_off": True}


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
def center(client: Client) -> Client:
    return client.as_("supervisor", subject="c-1")


class Road:
    """One ticket on its way through the API; who acts stands in each step."""

    def __init__(self, made: dict[str, Any]) -> None:
        self.id, self.version, self.last = made["id"], made["version"], made

    async def go(self, who: Client, path: str, **body: object) -> httpx.Response:
        answer = await who.post(
            f"{TICKETS}/{self.id}/{path}", json=body, headers={"If-Match": f'"{self.version}"'}
        )
        if answer.status_code == 200:
            self.last = answer.json()
            self.version = self.last["version"]
        return answer

    async def done(self, who: Client, path: str, **body: object) -> dict[str, Any]:
        answer = await self.go(who, path, **body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def refused(self, who: Client, path: str, **body: object) -> tuple[int, str]:
        answer = await self.go(who, path, **body)
        return answer.status_code, answer.json()["code"]


Begin = Callable[..., Coroutine[Any, Any, Road]]


@pytest.fixture
def begin(hub: Client, officer: Client) -> Begin:
    """A new ticket, on the way to where it is asked for."""

    async def start(upto: str = "signed", **more: object) -> Road:
        answer = await hub.post(TICKETS, json={**APPEAL, **more})
        assert answer.status_code == 201, answer.text
        road = Road(answer.json())
        for status, who, path, body in (
            ("assigned", hub, "assign", {"unit_code": "A3"}),
            ("signed", officer, "sign", {}),
            ("replied", officer, "reply", {"text": "已修复"}),
            ("callback", hub, "review/pass", {}),
        ):
            if road.last["status"] == upto:
                break
            road.last = await road.done(who, path, **body)
            assert road.last["status"] == status
        return road

    return start


async def test_a_reply_is_reviewed_called_back_done_again_and_closed(
    begin: Begin, hub: Client, officer: Client, announced: Any
) -> None:
    road = await begin("callback")

    again = await road.done(hub, "callback/complete", **BAD)
    await road.done(officer, "reply", text="重新修复", citations=["城建〔2025〕3号"])
    await road.done(hub, "review/pass")
    await road.done(hub, "callback/attempt")
    closed = await road.done(hub, "callback/complete", **GOOD)

    assert (again["status"], closed["status"]) == ("rework", "closed")
    facts = [fact for fact, _ in await announced()]
    assert facts[4:] == [
        "review-passed",
        "callback-opened",
        "rating-invited",
        "rating-offered",
        "callback-completed",
        "rework-started",
        "ticket-replied",
        "review-passed",
        "callback-opened",
        "rating-invited",
        "rating-offered",
        "callback-attempted",
        "callback-completed",
        "ticket-closed",
    ]


async def test_a_return_is_upheld_and_the_next_unit_gets_a_full_limit(
    begin: Begin, hub: Client, officer: Client, clock: Clock
) -> None:
    road = await begin("assigned")
    citizen_due = road.last["citizen_due"]

    waiting = await road.done(officer, "return", **RETURN)
    upheld = await road.done(hub, "return/decide", is_granted=True)
    hidden = await officer.get(f"{TICKETS}/{road.id}")
    clock.now = NOW + timedelta(days=6)
    other = await road.done(hub, "assign", unit_code="A7")

    assert (waiting["status"], upheld["status"]) == ("return_review", "registered")
    assert hidden.status_code == 404
    assert (other["unit_code"], other["citizen_due"]) == ("A7", citizen_due)
    assert (upheld["outlasts_citizen"], other["outlasts_citizen"]) == (False, True)
    detail = (await hub.get(f"{TICKETS}/{road.id}")).json()
    assert [each["state"] for each in detail["assignments"]] == ["returned", "waiting"]
    assert detail["assignments"][0]["asks"][0]["is_granted"] is True


async def test_a_designated_unit_gets_409_on_a_return(
    begin: Begin, center: Client, officer: Client
) -> None:
    road = await begin("registered")

    await road.done(center, "designate", unit_code="A3")

    assert await road.refused(officer, "return", **RETURN) == (409, "assignment.forced")


async def test_an_extension_and_a_suspension_move_the_deadline_and_explain_it(
    begin: Begin, hub: Client, officer: Client, center: Client, clock: Clock, announced: Any
) -> None:
    road = await begin()
    await road.done(officer, "extension", **EXTENSION)
    assert await road.refused(officer, "extension", **EXTENSION) == (
        409,
        "assignment.already_asked",
    )
    assert await road.refused(hub, "extension/decide", is_granted=True) == (
        422,
        "extension.complainant_not_told",
    )
    longer = await road.done(hub, "extension/decide", is_granted=True, is_told=True)
    assert longer["reply_due"][:10] == "2026-10-09"
    told_at = dict(await announced())["extension-decided"]["notified_complainant_at"]
    assert datetime.fromisoformat(told_at) == NOW
    assert "已告知诉求人" in (await hub.get(f"/hotline/tickets/{road.id}")).text

    await road.done(officer, "suspension", **SUSPENSION)
    await road.done(center, "suspension/decide", is_granted=True)
    clock.now = NOW + timedelta(days=7)
    resumed = await road.done(officer, "resume")

    assert resumed["reply_due"][:10] == "2026-10-13"
    explained = (await hub.get(f"{TICKETS}/{road.id}/deadlines")).json()
    unit = next(each for each in explained if each["clock"] == "unit")
    assert unit["due_at"] == resumed["reply_due"]
    assert any("挂起" in day["reason"] for day in unit["days"])
    assert any("延期" in day["reason"] for day in unit["days"])


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("consult", {}, "ticket.illegal_move"),
        ("review/pass", {}, "ticket.illegal_move"),
        ("callback/complete", GOOD, "callback.not_open"),
        ("callback/give-up", {}, "callback.not_open"),
        ("return/decide", {"is_granted": True}, "assignment.nothing_asked"),
        ("transfer", {"unit_code": "A3"}, "assignment.already_there"),
        ("transfer", {"unit_code": "A9"}, "unit.not_found"),
        ("reopen", {"reason": "NEW_FACTS"}, "ticket.illegal_move"),
        ("reopen", {"reason": "BORED"}, "process.unknown_reason"),
        ("route-out", {"disposition": "NOT_MINE"}, "process.unknown_reason"),
        ("unmerge", {}, "ticket.illegal_move"),
    ],
)
async def test_what_is_out_of_order_is_refused_with_its_code(
    begin: Begin, hub: Client, path: str, body: dict[str, object], code: str
) -> None:
    road = await begin()

    status, found = await road.refused(hub, path, **body)

    assert found == code
    assert status in {409, 422}


async def test_permissions_stand_between_the_desks(
    begin: Begin, hub: Client, officer: Client, client: Client
) -> None:
    road = await begin()

    assert (await road.go(officer, "review/pass")).status_code == 403
    assert (await road.go(hub, "designate", unit_code="A7")).status_code == 403
    assert (await road.go(hub, "contact")).status_code == 403
    agent = client.as_("agent", subject="a-1")
    assert (await road.go(agent, "transfer", unit_code="A7")).status_code == 403
    other = client.as_("unit_officer", subject="u-7", unit="A7")
    assert await road.refused(other, "contact") == (403, "ticket.not_your_unit")


async def test_a_co_unit_sees_and_answers_its_share(
    begin: Begin, client: Client, hub: Client, officer: Client
) -> None:
    road = await begin()
    co = client.as_("unit_officer", subject="u-7", unit="A7")

    await road.done(officer, "add-unit", unit_code="A7", role="whistle")
    assert (await co.get(f"{TICKETS}/{road.id}")).status_code == 200
    await road.done(co, "sign")
    await road.done(co, "contact")
    answered = await road.done(co, "reply", text="电力部分已处理")

    assert (answered["status"], answered["reply"]) == ("signed", None)
    detail = (await hub.get(f"{TICKETS}/{road.id}")).json()
    assert detail["assignments"][1]["state"] == "replied"
    assert [line["act"] for line in (await hub.get(f"{TICKETS}/{road.id}/history")).json()][
        -1
    ] == "unit_replied"


async def test_who_is_whistled_for_reports_in_on_the_spot(
    begin: Begin, client: Client, hub: Client, officer: Client, announced: Any
) -> None:
    road = await begin()
    await road.done(officer, "add-unit", unit_code="A7", role="whistle")
    called = client.as_("unit_officer", subject="u-7", unit="A7")
    clocks = (await hub.get(f"{TICKETS}/{road.id}/deadlines")).json()
    due = next(each for each in clocks if each["clock"] == "report_in")["due_at"]

    assert await road.refused(officer, "report-in") == (422, "assignment.not_whistled")
    await road.done(called, "sign")
    await road.done(called, "report-in")
    assert await road.refused(called, "report-in") == (409, "assignment.already_reported_in")

    share = (await hub.get(f"{TICKETS}/{road.id}")).json()["assignments"][1]
    assert share["report_due"] == due
    assert share["reported_at"] is not None
    facts = dict(await announced())
    assert facts["assignment-added"]["report_due"] == due
    assert facts["assignment-reported-in"] == {
        "ticket_id": road.id,
        "unit_code": "A7",
        "is_overdue": False,
    }


async def test_a_town_whistles_on_its_page_and_who_is_called_says_there_that_it_came(
    begin: Begin, client: Client, officer: Client, hub: Client, db: Database
) -> None:
    async with db.transaction() as tx:
        town = Unit(code="T3", name="柳巷街道", level="township", is_active=True, parent_code="A3")
        await Units(tx).keep(town)
    road = await begin()
    await road.done(officer, "delegate", unit_code="T3")
    street = client.as_("unit_officer", subject="u-t", unit="T3")
    await road.done(street, "sign")
    page = f"/hotline/tickets/{road.id}"
    assert f"{page}/whistle" not in (await officer.get(page)).text  # among the lead's other moves
    assert f"{page}/whistle" in (await street.get(page)).text

    form = {"version": road.version, "unit_code": "A7", "days": ""}
    whistled = await street.post(f"{page}/whistle", data=form)

    assert whistled.status_code == 303, whistled.text
    shares = (await hub.get(f"{TICKETS}/{road.id}")).json()["assignments"]
    assert [(each["unit_code"], each["parent_no"]) for each in shares[1:]] == [("T3", 1), ("A7", 2)]
    called = client.as_("unit_officer", subject="u-7", unit="A7")
    assert "已到现场报到" not in (await called.get(page)).text  # it is to sign first
    await called.post(f"{page}/sign", data={"version": road.version + 1})
    seen = (await called.get(page)).text
    assert "吹哨报到期限" in seen
    came = await called.post(f"{page}/report-in", data={"version": road.version + 2})
    assert came.status_code == 303, came.text
    assert "已到现场报到" not in (await called.get(page)).text


async def test_who_does_not_come_is_told_of(
    begin: Begin, officer: Client, swept: Any, clock: Clock, announced: Any
) -> None:
    road = await begin()
    await road.done(officer, "add-unit", unit_code="A7", role="whistle")

    clock.now += timedelta(days=3)
    await swept(clock.now)

    missed = [data for fact, data in await announced() if fact == "deadline-missed"]
    assert ("report_in", "A7") in [(each["clock"], each["unit_code"]) for each in missed]


async def test_a_hard_case_is_opened_from_wherever_it_is_open(
    begin: Begin, hub: Client, officer: Client, center: Client, swept: Any, clock: Clock,
    announced: Any,
) -> None:  # fmt: skip
    fresh, given, replied = (
        await begin("registered"),
        await begin("assigned"),
        await begin("replied"),
    )
    asking, held = await begin(), await begin()
    await asking.done(officer, "return", **RETURN)
    await held.done(officer, "suspension", **SUSPENSION)
    await held.done(center, "suspension/decide", is_granted=True)
    clock.forward(hours=5)

    for road in (fresh, given, replied, asking, held):
        assert (await road.done(center, "escalate", reason="DISPUTE"))["status"] == "hard_case"
        assert await road.refused(center, "escalate", reason="AGAIN") == (
            409,
            "ticket.illegal_move",
        )

    told = [(fact, data.get("ticket_id")) for fact, data in await announced()]
    assert ("return-decided", asking.id) in told
    assert ("clock-resumed", held.id) in told
    assert sum(fact == "hard-case-opened" for fact, _ in told) == 5
    await swept(clock.now + timedelta(days=3))  # nothing that ran before is run after
    seen = (await hub.get(f"{TICKETS}/{given.id}")).json()
    assert (seen["status"], seen["assignments"][0]["is_auto_signed"]) == ("hard_case", True)
    assert (await hub.get(f"{TICKETS}/{asking.id}")).json()["assignments"][0]["state"] == "signed"
    designated = await fresh.done(center, "designate", unit_code="A7")
    assert designated["status"] == "assigned"


async def test_children_are_answered_and_called_back_each_for_itself(
    begin: Begin, hub: Client, officer: Client, announced: Any
) -> None:
    parent = await begin()
    child, exempt, out = (
        await begin("registered"),
        await begin("registered", wants_callback=False),
        await begin("registered"),
    )
    for each in (child, exempt, out):
        await each.done(hub, "merge", parent_id=parent.id)
    assert await parent.refused(hub, "withdraw") == (409, "ticket.has_children")
    assert await out.refused(hub, "merge", parent_id=parent.id) == (409, "ticket.illegal_move")
    await out.done(hub, "unmerge")

    await parent.done(officer, "reply", text="已修复")
    await parent.done(hub, "review/pass")

    seen = {
        each.id: (await hub.get(f"{TICKETS}/{each.id}")).json() for each in (child, exempt, out)
    }
    assert [seen[each.id]["status"] for each in (child, exempt, out)] == [
        "callback",
        "closed",
        "registered",
    ]
    assert seen[child.id]["reply"] == "已修复"
    closed = [data for fact, data in await announced() if fact == "ticket-closed"]
    assert [data["ticket_id"] for data in closed] == [exempt.id]


async def seen_now(hub: Client, road: Road) -> dict[str, Any]:
    answer = await hub.get(f"{TICKETS}/{road.id}")
    road.version = answer.json()["version"]
    found: dict[str, Any] = answer.json()
    return found


async def test_who_left_a_parent_does_not_keep_it_from_being_answered(
    begin: Begin, hub: Client, officer: Client
) -> None:
    parent, stays, leaves = [await begin("registered") for _ in range(3)]
    for each in (stays, leaves):
        await each.done(hub, "merge", parent_id=parent.id)
    gone = await leaves.done(hub, "withdraw")
    for who, path, body in (
        (hub, "assign", {"unit_code": "A3"}),
        (officer, "sign", {}),
        (officer, "reply", {"text": "已修复"}),
        (hub, "review/pass", {}),
    ):
        await parent.done(who, path, **body)

    assert (gone["status"], gone["parent_id"]) == ("withdrawn", None)
    assert (await seen_now(hub, stays))["status"] == "callback"
    assert (await seen_now(hub, leaves))["status"] == "withdrawn"


async def test_a_parent_that_is_done_again_leaves_its_answered_children_alone(
    begin: Begin, hub: Client, officer: Client
) -> None:
    parent, child = await begin(), await begin("registered")
    await child.done(hub, "merge", parent_id=parent.id)
    await parent.done(officer, "reply", text="已修复")
    await parent.done(hub, "review/pass")
    await seen_now(hub, child)
    await child.done(hub, "callback/complete", **GOOD)

    await parent.done(hub, "callback/complete", **BAD)
    await parent.done(officer, "reply", text="重新修复")
    again = await parent.done(hub, "review/pass")

    assert again["status"] == "callback"
    assert (await seen_now(hub, child))["status"] == "closed"


async def test_a_reopened_child_is_a_matter_of_its_own(
    begin: Begin, hub: Client, officer: Client, center: Client
) -> None:
    parent, child, next_one = await begin(), await begin("registered"), await begin("registered")
    await child.done(hub, "merge", parent_id=parent.id)
    await parent.done(officer, "reply", text="已修复")
    await parent.done(hub, "review/pass")
    await seen_now(hub, child)
    await child.done(hub, "callback/complete", **GOOD)

    alone = await child.done(center, "reopen", reason="NEW_FACTS")
    joined = await child.done(hub, "merge", parent_id=next_one.id)

    assert (alone["status"], alone["parent_id"]) == ("registered", None)
    assert joined["parent_id"] == next_one.id
    closed = await parent.done(hub, "callback/complete", **GOOD)
    assert closed["status"] == "closed"
    assert (await next_one.refused(hub, "withdraw")) == (409, "ticket.has_children")
    await child.done(hub, "unmerge")
    assert (await next_one.done(hub, "withdraw"))["status"] == "withdrawn"


async def test_no_child_waits_for_a_parent_that_ends_without_an_answer(
    begin: Begin, hub: Client, service: Service, kit: Kit, announced: Any
) -> None:
    parent, child = await begin("registered"), await begin("registered")
    await child.done(hub, "merge", parent_id=parent.id)
    answered = await parent.refused(hub, "answer", words="请拨打供电热线")
    await parent.done(hub, "request-facts")

    await service.sweeper(kit).sweep(now=NOW + timedelta(days=30))

    assert answered == (409, "ticket.has_children")
    lapsed, free = await seen_now(hub, parent), await seen_now(hub, child)
    assert (lapsed["status"], lapsed["disposition"]) == ("closed", "NO_SUBSTANCE")
    assert (free["status"], free["parent_id"]) == ("registered", None)
    left = [data for fact, data in await announced() if fact == "ticket-unmerged"]
    assert [(data["ticket_id"], data["parent_id"]) for data in left] == [(child.id, parent.id)]


async def test_what_is_secret_is_kept_under_seal_only(hub: Client, db: Database) -> None:
    secret = {**APPEAL, "content": "某某秘密文件内容", "disposition": "SECRET_PRIVACY"}
    made = (await hub.post(TICKETS, json=secret)).json()
    late = Road((await hub.post(TICKETS, json={**APPEAL, "content": "另一机密内容"})).json())
    await late.done(hub, "route-out", disposition="SECRET_PRIVACY")

    assert made["status"] == "routed_out"
    async with db.reading() as connection:
        for table in ("ticket", "ticket_note", "ticket_move", "outbox"):
            rows = await connection.execute(text(f"SELECT to_jsonb(t)::text FROM {table} t"))  # noqa: S608
            assert not any("秘密" in row or "机密" in row for row in rows.scalars())
        notes = (await connection.execute(select(ticket_note))).all()
    assert [bool(each.sealed) for each in notes] == [True, True]


@pytest.mark.parametrize(
    ("more", "status", "fact"),
    [
        ({"disposition": "EMERGENCY"}, "routed_out", "ticket-routed-out"),
        ({"answer": "办公时间为9时至17时"}, "answered", "ticket-answered"),
        ({"lacks_facts": True}, "awaiting_facts", "facts-requested"),
    ],
)
async def test_a_matter_may_take_another_way_at_once(
    hub: Client, announced: Any, more: dict[str, object], status: str, fact: str
) -> None:
    made = (await hub.post(TICKETS, json={**APPEAL, **more})).json()

    assert made["status"] == status
    assert [each for each, _ in await announced()] == ["ticket-registered", fact]


async def test_facts_that_never_come_close_the_matter_and_facts_that_come_start_the_clock(
    service: Service, kit: Kit, hub: Client, clock: Clock
) -> None:
    body = {**APPEAL, "lacks_facts": True}
    lost, found = [Road((await hub.post(TICKETS, json=body)).json()) for _ in range(2)]
    supplied = await found.done(hub, "supplement", words="在桂花路口")

    await service.sweeper(kit).sweep(now=NOW + timedelta(days=9))

    seen = (await hub.get(f"{TICKETS}/{lost.id}")).json()
    assert (seen["status"], seen["disposition"]) == ("closed", "NO_SUBSTANCE")
    assert supplied["citizen_due"] is not None


async def test_silence_signs_rejects_opens_the_callback_and_archives(
    service: Service, kit: Kit, begin: Begin, hub: Client, officer: Client, announced: Any
) -> None:
    unsigned, returned, closed = await begin("assigned"), await begin(), await begin("replied")
    await returned.done(officer, "return", **RETURN)
    await closed.done(hub, "close", heard=GOOD)

    await service.sweeper(kit).sweep(now=NOW + timedelta(days=60))

    states = {
        road.id: (await hub.get(f"{TICKETS}/{road.id}")).json()
        for road in (unsigned, returned, closed)
    }
    assert [each["status"] for each in states.values()] == ["signed", "signed", "archived"]
    assert states[unsigned.id]["assignments"][0]["is_auto_signed"] is True
    told = [
        (fact, data) for fact, data in await announced() if data.get("ticket_id") == unsigned.id
    ]
    opened = [data["cause"] for fact, data in told if fact == "callback-opened"]
    assert opened == ["deadline"]
    decided = [data for fact, data in await announced() if fact == "return-decided"]
    assert [(each["is_upheld"], each["is_by_silence"]) for each in decided] == [(False, True)]
    late = await unsigned_signs(officer, unsigned)
    assert late["status"] == "signed"


async def unsigned_signs(officer: Client, road: Road) -> dict[str, Any]:
    """补签 after the automatic signature; the sweep moved the ticket meanwhile."""
    seen = (await officer.get(f"{TICKETS}/{road.id}")).json()
    road.version = seen["version"]
    return await road.done(officer, "sign")


async def test_what_was_cut_off_and_is_asked_again_is_told_as_done(
    begin: Begin, hub: Client, db: Database
) -> None:
    roads = [await begin("registered") for _ in range(3)]
    items = [{"ticket_id": road.id, "unit_code": "A3", "version": 1} for road in roads]
    key = {"Idempotency-Key": "bulk-0001"}

    async def send(**more: str) -> httpx.Response:
        return await hub.post(f"{TICKETS}/bulk/assign", json={"items": items}, headers=key | more)

    async with db.transaction() as tx:
        await Tickets(tx).get(UUID(roads[1].id))  # the second waits, and the caller goes
        cut = asyncio.create_task(send())
        while (await seen_now(hub, roads[0]))["status"] != "assigned":  # noqa: ASYNC110 - the app's
            await asyncio.sleep(0.01)
        cut.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await cut
    again = (await send()).json()
    third = await send()
    other = await hub.post(f"{TICKETS}/bulk/assign", json={"items": items})

    assert [(each["code"], each["version"]) for each in again["results"]] == [(None, 2)] * 3
    assert third.json() == again
    codes = {each["code"] for each in other.json()["results"]}
    assert codes == {"precondition.changed_meanwhile"}
    for road in roads:
        assert len((await seen_now(hub, road))["assignments"]) == 1


async def test_five_hundred_go_at_once_each_with_its_own_result(
    begin: Begin, hub: Client, officer: Client
) -> None:
    roads = [await begin("registered") for _ in range(5)]
    items = [{"ticket_id": road.id, "unit_code": "A3"} for road in roads]
    items[1]["unit_code"] = "A9"
    items.append({"ticket_id": str(UUID(int=7)), "unit_code": "A3"})

    done = (await hub.post(f"{TICKETS}/bulk/assign", json={"items": items})).json()

    assert (done["done"], done["refused"]) == (4, 2)
    assert [each["code"] for each in done["results"]] == [
        None,
        "unit.not_found",
        None,
        None,
        None,
        "ticket.not_found",
    ]
    moved = [{"ticket_id": roads[0].id, "unit_code": "A7", "version": 2}]
    stale = [{"ticket_id": roads[2].id, "unit_code": "A7", "version": 1}]
    answer = await hub.post(f"{TICKETS}/bulk/transfer", json={"items": moved + stale})
    assert [each["code"] for each in answer.json()["results"]] == [
        None,
        "precondition.changed_meanwhile",
    ]
    roads[3].version = 2
    await roads[3].done(officer, "extension", **EXTENSION)
    extend = [{"ticket_id": roads[3].id, "is_told": True}, {"ticket_id": roads[4].id}]
    answer = await hub.post(f"{TICKETS}/bulk/extend", json={"items": extend})
    assert [each["code"] for each in answer.json()["results"]] == [None, "assignment.nothing_asked"]
    too_many = [items[0]] * 501
    refused = await hub.post(f"{TICKETS}/bulk/assign", json={"items": too_many})
    assert refused.status_code == 422


async def test_several_hundred_are_assigned_moved_on_and_extended_at_once(
    filed: Any, hub: Client, client: Client, kit: Kit
) -> None:
    ids = [str((await filed(NOW)).id) for _ in range(300)]
    to = [{"ticket_id": each, "unit_code": "A3"} for each in ids]
    on = [{"ticket_id": each, "unit_code": "A7", "version": 2} for each in ids]

    assigned = (await hub.post(f"{TICKETS}/bulk/assign", json={"items": to})).json()
    moved = (await hub.post(f"{TICKETS}/bulk/transfer", json={"items": on})).json()
    rules = await operations.rules_at(kit, now=NOW)
    grounds: dict[str, Any] = {name: EXTENSION[name] for name in ("reason", "citation", "amount")}
    for each in ids:
        step = Step(ticket_id=UUID(each), actor="u-7", unit="A7")
        async with kit.db.transaction() as tx:
            await operations.sign(tx, step=step, rules=rules, now=NOW)
            desk = operations.Desk(tx, step=step, rules=rules, now=NOW)
            await desk.ask(Request(kind=AskKind.EXTENSION, by="u-7", grounds=grounds))
    told = [{"ticket_id": each, "is_told": n % 3 > 0} for n, each in enumerate(ids)]
    extended = (await hub.post(f"{TICKETS}/bulk/extend", json={"items": told})).json()

    assert [(each["done"], each["refused"]) for each in (assigned, moved, extended)] == [
        (300, 0),
        (300, 0),
        (200, 100),
    ]
    codes = [each["code"] for each in extended["results"]]
    assert codes == ["extension.complainant_not_told", None, None] * 100
    assert [each["ticket_id"] for each in extended["results"]] == ids


async def test_an_extension_asked_after_the_deadline_is_refused_with_the_clause(
    begin: Begin, officer: Client, clock: Clock
) -> None:
    road = await begin()
    clock.now = NOW + timedelta(days=30)

    answer = await officer.post(
        f"{TICKETS}/{road.id}/extension",
        json=EXTENSION,
        headers={"If-Match": f'"{road.version}"'},
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "ask.too_late")
    assert "遵义市12345热线办理时限：求助类5个工作日" in answer.json()["detail"]


async def test_an_extension_is_asked_half_a_working_day_before_the_end_and_offered_no_longer(
    begin: Begin, officer: Client, clock: Clock
) -> None:
    road = await begin()
    page = f"/hotline/tickets/{road.id}"
    clock.now = datetime(2026, 9, 29, 11, 59, tzinfo=SHANGHAI)  # it ends that day at 24:00
    assert "ask-extension" in (await officer.get(page)).text

    clock.now = datetime(2026, 9, 29, 12, 1, tzinfo=SHANGHAI)

    assert await road.refused(officer, "extension", **EXTENSION) == (422, "ask.too_late")
    assert "ask-extension" not in (await officer.get(page)).text


async def test_a_reply_late_and_unswept_is_still_told_of_when_its_clock_is_wound_anew(
    service: Service, kit: Kit, filed: Any, announced: Any
) -> None:
    made = await filed(NOW, unit="A3", person=PERSON)
    late = NOW + timedelta(days=30)
    rules = await operations.rules_at(kit, now=late)
    step = Step(ticket_id=made.id, actor="u")
    async with kit.db.transaction() as tx:
        await operations.sign(tx, step=step, rules=rules, now=NOW)
        await operations.reply(tx, step=step, answer=Reply.of("好"), rules=rules, now=late)
        await Desk(tx, step=step, rules=rules, now=late).fail_review()
    for _ in range(2):
        await service.sweeper(kit).sweep(now=late)

    missed = [data["clock"] for fact, data in await announced() if fact == "deadline-missed"]
    assert missed.count("unit") == 1


MOVES = [
    "assign",
    "transfer",
    "sign",
    "contact",
    "reply",
    "pass",
    "fail",
    "close",
    "good",
    "bad",
    "attempt",
    "give_up",
    "resume",
    "withdraw",
    "reopen",
    "escalate",
    "consult",
    "conclude",
    "add",
    "sweep",
]


STEPS = st.lists(
    st.one_of(
        st.sampled_from(MOVES),
        st.tuples(st.sampled_from(["ask", "grant", "refuse"]), st.sampled_from(AskKind)),
    ),
    min_size=8,
    max_size=30,
)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
async def test_in_any_order_of_moves_the_timers_in_the_database_are_the_clocks_of_the_ticket(
    steps: list[Any], service: Service, kit: Kit, filed: Any
) -> None:
    await _walk(service, kit, filed, steps)


async def _walk(service: Service, kit: Kit, filed: Any, steps: list[Any]) -> None:
    async with kit.db.transaction() as tx:
        await tx.connection.execute(delete(timer))
    now = NOW
    made = await filed(now, unit="A3", person=PERSON)
    for step in steps:
        now += timedelta(hours=7)
        if step == "sweep":
            now += timedelta(days=2)
        else:
            await _try(kit, made.id, step, now)
        await service.sweeper(kit).sweep(now=now)
        await _check(kit, made.id, now)


async def _check(kit: Kit, ticket_id: UUID, now: datetime) -> None:
    async with kit.db.transaction() as tx:
        found = await Tickets(tx).get(ticket_id)
        rows = await tx.connection.execute(select(timer).where(timer.c.state == "armed"))
        every = {(row.kind, row.subject): row.due_at for row in rows}
    armed = {key: due_at for key, due_at in every.items() if key[0] in set(TicketClock)}
    running = {
        (clock.value, subject_of(ticket_id, no)): term.due_at
        for (clock, no), term in found.clocks().items()
        if not term.has_run_out(at=now)
    }
    assert armed == running
    ladder = [due_at for (kind, _), due_at in every.items() if kind == LADDER and due_at >= now]
    assert len(ladder) <= bool(spans(found))


async def _try(kit: Kit, ticket_id: UUID, step: Any, now: datetime) -> None:
    rules = await operations.rules_at(kit, now=now)
    try:
        async with kit.db.transaction() as tx:
            act = Step(ticket_id=ticket_id, actor="x")
            await _move(tx, act, step, rules, now)
    except Refusal:
        pass


async def _move(tx: Any, act: Step, step: Any, rules: Any, now: datetime) -> Ticket:
    desk = Desk(tx, step=act, rules=rules, now=now)
    good = Heard(resolved=Resolved.YES, result=Mark.SATISFIED, process=Mark.SATISFIED)
    bad = Heard(resolved=Resolved.NO, result=Mark.DISSATISFIED, process=Mark.BASICALLY)
    if isinstance(step, tuple):
        return await _asking(desk, *step)
    simple: dict[str, Callable[[], Any]] = {
        "assign": lambda: operations.assign(tx, step=act, unit_code="A3", rules=rules, now=now),
        "transfer": lambda: desk.transfer("A7"),
        "sign": lambda: operations.sign(tx, step=act, rules=rules, now=now),
        "contact": desk.contact,
        "reply": lambda: operations.reply(
            tx, step=act, answer=Reply.of("好"), rules=rules, now=now
        ),
        "pass": desk.pass_review,
        "fail": desk.fail_review,
        "close": lambda: operations.close(tx, step=act, rules=rules, now=now, heard=good),
        "good": lambda: desk.call_back(good),
        "bad": lambda: desk.call_back(bad),
        "attempt": desk.attempt_callback,
        "give_up": desk.give_up_callback,
        "resume": desk.resume,
        "withdraw": desk.withdraw,
        "reopen": lambda: desk.reopen("NEW_FACTS"),
        "escalate": lambda: desk.escalate("X"),
        "consult": desk.consult,
        "conclude": lambda: desk.conclude("由A3承办"),
        "add": lambda: desk.add_unit("A7", Role.CO, None),
    }
    moved: Ticket = await simple[step]()
    return moved


async def _asking(desk: Desk, how: str, kind: AskKind) -> Ticket:
    if how == "ask":
        grounds = {
            AskKind.RETURN: RETURN,
            AskKind.EXTENSION: EXTENSION,
            AskKind.SUSPENSION: SUSPENSION,
            AskKind.PHASE: {"measures": "围挡", "promised_on": "2026-12-31"},
            AskKind.TERMINATION: {"reason": "失联"},
        }[kind]
        return await desk.ask(Request(kind=kind, by="u", grounds=grounds))  # type: ignore[arg-type]
    decision = Decision(kind=kind, is_granted=how == "grant", by="d", is_told=True, by_center=True)
    return await desk.decide(decision)
