"""A unit never gets nor sees what is about itself, and who recused keeps away (section 11, case 9).

A7 is the city's, A3 a county below it, T3 a town below A3; Z1 stands beside them.
"""

import csv
import io
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError

from tongban_common.db import Database
from tongban_common.events import Envelope, shard_of
from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.store import ticket_guard
from tongban_hotline_dispatch.store.reference import Unit, Units

TICKETS = "/hotline/v1/tickets"
APPEAL = {
    "channel": "phone",
    "appeal_type": "complaint",
    "target_name": "某办事处",
    "title": "窗口工作人员态度恶劣",
    "content": "昨天下午办理时被无故推诿",
    "person": {"name": "张三丰", "phone": "13812345678"},
}
Made = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(autouse=True)
async def _tree(db: Database) -> None:
    """A7 over A3 over T3; Z1 has nobody above it."""
    async with db.transaction() as tx:
        for code, name, parent in (
            ("A7", "市政府", None),
            ("A3", "东湖区政府", "A7"),
            ("T3", "柳巷街道", "A3"),
            ("Z1", "市监督办", None),
            ("B7", "市城管支队", "A7"),
            ("CENTER", "市政务服务中心", None),
        ):
            level = "township" if code == "T3" else "county"
            new = Unit(code=code, name=name, level=level, is_active=True, parent_code=parent)
            await Units(tx).keep(new)


@pytest.fixture
def center(client: Client) -> Client:
    return client.as_("supervisor", subject="c-1")


@pytest.fixture
def made(hub: Client) -> Made:
    async def make(*, unit: str | None = None, **more: object) -> dict[str, Any]:
        answer = await hub.post(TICKETS, json={**APPEAL, **more})
        assert answer.status_code == 201, answer.text
        ticket: dict[str, Any] = answer.json()
        if unit is not None:
            answer = await go(hub, ticket, "assign", unit_code=unit)
            assert answer.status_code == 200, answer.text
            ticket = answer.json()
        return ticket

    return make


async def go(who: Client, ticket: dict[str, Any], path: str, **body: object) -> httpx.Response:
    seen = await version(who, ticket)
    headers = {"If-Match": f'"{seen}"'}
    return await who.post(f"{TICKETS}/{ticket['id']}/{path}", json=body, headers=headers)


async def version(who: Client, ticket: dict[str, Any]) -> int:
    answer = await who.get(f"{TICKETS}/{ticket['id']}")
    found: int = answer.json()["version"] if answer.status_code == 200 else ticket["version"]
    return found


@pytest.mark.parametrize("unit", ["A3", "T3"])
@pytest.mark.parametrize("path", ["assign", "designate"])
async def test_neither_the_accused_unit_nor_one_below_it_is_assigned(
    made: Made, hub: Client, center: Client, path: str, unit: str
) -> None:
    ticket = await made(target_unit_code="A3")
    who = center if path == "designate" else hub

    refused = await go(who, ticket, path, unit_code=unit)

    assert refused.status_code == 422
    problem = refused.json()
    assert problem["code"] == "guard.accused_unit"
    assert problem["accused_unit"] == "A3"
    assert problem["proposed_units"] == [
        {"code": "A7", "name": "市政府"},
        {"code": "CENTER", "name": "市政务服务中心"},
    ]
    assert "建议派给：市政府、市政务服务中心" in problem["detail"]
    assert (await go(who, ticket, path, unit_code="A7")).status_code == 200


async def test_bulk_transfer_and_guidance_are_guarded_and_the_rest_goes_through(
    made: Made, hub: Client
) -> None:
    accused, plain = await made(target_unit_code="A3"), await made()
    items = [{"ticket_id": each["id"], "unit_code": "T3"} for each in (accused, plain)]

    found = (await hub.post(f"{TICKETS}/bulk/assign", json={"items": items})).json()

    assert (found["done"], found["refused"]) == (1, 1)
    assert found["results"][0]["code"] == "guard.accused_unit"
    assert "市政府" in found["results"][0]["reason"]
    assert (await go(hub, accused, "assign", unit_code="Z1")).status_code == 200
    refused = await go(hub, accused, "transfer", unit_code="A3")
    assert refused.json()["code"] == "guard.accused_unit"
    bulk = {"items": [{"ticket_id": accused["id"], "unit_code": "A3"}]}
    moved = (await hub.post(f"{TICKETS}/bulk/transfer", json=bulk)).json()
    assert moved["results"][0]["code"] == "guard.accused_unit"
    other = await made(target_unit_code="A3")
    guided = await go(hub, other, "guide", unit_code="A3", disposition="OUT_OF_DUTY")
    assert guided.json()["code"] == "guard.accused_unit"


@pytest.mark.parametrize(
    ("path", "more"),
    [("add-unit", {"role": "co"}), ("add-unit", {"role": "whistle"}), ("delegate", {})],
)
async def test_no_lead_shares_it_with_the_accused_or_one_below(
    made: Made, client: Client, path: str, more: dict[str, str]
) -> None:
    ticket = await made(unit="A7", target_unit_code="A3")
    lead = client.as_("unit_officer", subject="u-7", unit="A7")
    assert (await go(lead, ticket, "sign")).status_code == 200

    for unit in ("A3", "T3"):
        refused = await go(lead, ticket, path, unit_code=unit, **more)
        assert (refused.status_code, refused.json()["code"]) == (422, "guard.accused_unit")
    assert (await go(lead, ticket, path, unit_code="B7", **more)).status_code == 200


async def test_after_an_upheld_return_the_unit_that_was_suggested_is_guarded_too(
    made: Made, hub: Client, client: Client
) -> None:
    ticket = await made(unit="Z1", target_unit_code="A3")
    unit = client.as_("unit_officer", subject="u-z", unit="Z1")
    await go(unit, ticket, "sign")
    grounds = {
        "reason": "非本单位职责",
        "citation": "三定规定",
        "suggested_unit": "T3",
        "is_signed_off": True,
    }
    assert (await go(unit, ticket, "return", **grounds)).status_code == 200
    assert (await go(hub, ticket, "return/decide", is_granted=True)).status_code == 200
    seen = await version(hub, ticket)

    picked = {"act": "assign", "unit_code": "suggested", "pick": f"{ticket['id']}:{seen}"}
    page = await hub.post("/hotline/desk/dispatch/bulk", data=picked)

    assert "不得承办" in page.text
    assert (await hub.get(f"{TICKETS}/{ticket['id']}")).json()["status"] == "registered"


async def test_a_ticket_about_one_unit_is_not_merged_into_what_another_has(
    made: Made, hub: Client
) -> None:
    parent, child = await made(unit="A3"), await made(target_unit_code="A3")
    alike = await made(target_unit_code="A3")

    refused = await go(hub, child, "merge", parent_id=parent["id"])
    joined = await go(hub, alike, "merge", parent_id=child["id"])
    late = await hub.put(
        f"{TICKETS}/{child['id']}/target", json={"unit_code": "Z1", "reason": "核实"}
    )

    assert (refused.status_code, refused.json()["code"]) == (409, "ticket.cannot_join")
    assert joined.status_code == 200
    assert (late.status_code, late.json()["code"]) == (409, "guard.joined")


async def test_once_named_the_accused_unit_and_those_below_lose_sight_of_what_they_have(
    made: Made, hub: Client, client: Client
) -> None:
    ticket, other = await made(unit="T3"), await made(unit="T3")
    officer = client.as_("unit_officer", subject="u-t", unit="T3")
    assert ticket["ticket_no"] in await everything(officer, ticket)

    named = await hub.put(
        f"{TICKETS}/{ticket['id']}/target", json={"unit_code": "A3", "reason": "经核实被诉"}
    )

    assert named.json()["target_unit_code"] == "A3"
    shown = await everything(officer, ticket)
    assert ticket["ticket_no"] not in shown
    assert other["ticket_no"] in shown
    for path in ("", "/history", "/deadlines", "/officer", "/citations", "/open311"):
        assert (await officer.get(f"{TICKETS}/{ticket['id']}{path}")).status_code == 404
    for path, body in (("sign", {}), ("contact", {}), ("reply", {"text": "已处理"})):
        refused = await go(officer, ticket, path, **body)
        assert (refused.status_code, refused.json()["code"]) == (403, "ticket.not_your_unit")
    assert ticket["ticket_no"] in await everything(hub, ticket)
    assert (await go(hub, ticket, "transfer", unit_code="A7")).status_code == 200


async def everything(who: Client, ticket: dict[str, Any]) -> str:
    """All that somebody's lists, desks, files and searches say."""
    found = []
    for path in (
        TICKETS,
        "/hotline/tickets",
        "/hotline/desk/unit",
        "/hotline/desk/dispatch?tab=running",
        "/hotline/desk/dispatch?tab=dispatch",
        "/hotline/desk/board/list?what=open",
        "/hotline/desk/board/list?what=running",
        "/hotline/v1/merge-suggestions",
    ):
        answer = await who.get(path)
        if answer.status_code == 200:
            found.append(answer.text)
    number = {"no": ticket["ticket_no"]}
    search = await who.get("/hotline/desk/find", params=number)
    found.append(ticket["ticket_no"] if search.status_code == 303 else "")
    file = await who.get("/hotline/v1/exports/tickets.csv")
    if file.status_code == 200:
        rows = csv.DictReader(io.StringIO(file.content.decode("utf-8-sig")))
        found += [row["工单编号"] for row in rows]
    return "\n".join(found)


def moved_below(parent: str) -> Envelope:
    """Z1's new place, as the directory tells it."""
    unit = {"unit_code": "Z1", "name": "监督办", "level": "county", "is_active": True}
    return Envelope(
        id="e-1",
        source="/tongban/intake",
        type="tongban.intake.unit-changed.v1",
        subject="Z1",
        time=datetime(2026, 9, 1, 9, 0, tzinfo=SHANGHAI),
        topic="tongban.intake.directory.v1",
        shard=shard_of("Z1"),
        n=1,
        data={**unit, "kind": "department", "division_code": "520402", "parent_code": parent},
    )


async def test_a_unit_that_moves_below_the_accused_one_is_shut_out_as_well(
    made: Made, service: Service, kit: Kit, client: Client
) -> None:
    ticket = await made(unit="Z1", target_unit_code="A3")
    officer = client.as_("unit_officer", subject="u-z", unit="Z1")
    path = f"{TICKETS}/{ticket['id']}"
    assert (await officer.get(path)).status_code == 200
    await service.inbox(kit).apply([moved_below("T3")])

    assert (await officer.get(path)).status_code == 404


async def test_a_circle_in_the_directory_ends(made: Made, hub: Client, db: Database) -> None:
    async with db.transaction() as tx:
        circle = Unit(code="A7", name="市政府", level="city", is_active=True, parent_code="T3")
        await Units(tx).keep(circle)
    ticket = await made(target_unit_code="A3")

    refused = await go(hub, ticket, "assign", unit_code="A7")

    assert refused.json()["proposed_units"] == [{"code": "CENTER", "name": "市政务服务中心"}]
    assert (await go(hub, ticket, "assign", unit_code="Z1")).status_code == 200


async def test_with_nobody_above_the_oversight_unit_is_proposed(
    made: Made, hub: Client, db: Database
) -> None:
    ticket = await made(target_unit_code="Z1")
    refused = await go(hub, ticket, "assign", unit_code="Z1")
    assert [each["code"] for each in refused.json()["proposed_units"]] == ["CENTER"]

    about_center = await made(target_unit_code="CENTER")
    refused = await go(hub, about_center, "assign", unit_code="CENTER")
    assert refused.json()["proposed_units"] == []
    assert "热线管理机构指定的单位" in refused.json()["detail"]


async def test_a_closed_superior_is_passed_over(made: Made, hub: Client, db: Database) -> None:
    async with db.transaction() as tx:
        closed = Unit(code="A3", name="东湖区", level="county", is_active=False, parent_code="A7")
        await Units(tx).keep(closed)
    ticket = await made(target_unit_code="T3")

    refused = await go(hub, ticket, "assign", unit_code="T3")

    assert [each["code"] for each in refused.json()["proposed_units"]] == ["A7", "CENTER"]


async def test_an_unknown_unit_is_not_accused(made: Made, hub: Client) -> None:
    ticket = await made()

    answer = await hub.post(TICKETS, json={**APPEAL, "target_unit_code": "NONE"})
    named = await hub.put(
        f"{TICKETS}/{ticket['id']}/target", json={"unit_code": "NONE", "reason": "核实"}
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "unit.not_found")
    assert (named.status_code, named.json()["code"]) == (422, "unit.not_found")


async def test_a_decision_of_routing_does_not_name_the_accused(made: Made, hub: Client) -> None:
    ticket = await made(target_unit_code="A3")

    answer = await hub.post(f"{TICKETS}/{ticket['id']}/routing-decision", json={"unit_code": "T3"})

    assert (answer.status_code, answer.json()["code"]) == (422, "guard.accused_unit")


async def test_who_recuses_sees_and_moves_the_ticket_no_more(
    made: Made, hub: Client, client: Client, center: Client
) -> None:
    ticket, other = await made(), await made()
    colleague = client.as_("dispatcher", subject="d-2")

    done = await hub.post(
        f"{TICKETS}/{ticket['id']}/recusals",
        json={"reason": "kinship", "note": "系本人亲属，电话13812345678"},
    )

    assert done.status_code == 201, done.text
    shown = await everything(hub, ticket)
    assert ticket["ticket_no"] not in shown
    assert other["ticket_no"] in shown
    assert (await hub.get(f"{TICKETS}/{ticket['id']}")).status_code == 404
    assert (await hub.get(f"/hotline/tickets/{ticket['id']}")).status_code == 404
    refused = await go(hub, ticket, "assign", unit_code="A7")
    assert (refused.status_code, refused.json()["code"]) == (403, "guard.recused")
    bulk = {"items": [{"ticket_id": ticket["id"], "unit_code": "A7"}]}
    moved = (await hub.post(f"{TICKETS}/bulk/assign", json=bulk)).json()
    assert moved["results"][0]["code"] == "guard.recused"
    assert ticket["ticket_no"] in await everything(colleague, ticket)
    assert (await go(colleague, ticket, "assign", unit_code="A7")).status_code == 200
    (line,) = (await center.get(f"{TICKETS}/{ticket['id']}/recusals")).json()
    assert (line["act"], line["actor"], line["staff"]) == ("recused", "d-1", "d-1")
    assert (line["reason"], line["note"]) == ("kinship", "系本人亲属，电话138****5678")


async def test_who_recuses_neither_sees_nor_moves_a_supervision_of_the_ticket(
    made: Made, hub: Client, client: Client, center: Client
) -> None:
    ticket = await made(unit="A7")
    body = {"level": "S1", "cause": "OVERDUE", "ticket_ids": [ticket["id"]]}
    issued = (await center.post("/hotline/v1/supervisions", json=body)).json()
    record = f"/hotline/v1/supervisions/{issued['id']}"
    same = client.as_("supervisor", subject="d-1")
    assert (await same.get(record)).status_code == 200

    await hub.post(f"{TICKETS}/{ticket['id']}/recusals", json={"reason": "kinship"})

    closed = await same.post(f"{record}/close", json={"note": "已办"}, headers={"If-Match": '"1"'})
    assert (await same.get(record)).status_code == 404
    assert (closed.status_code, closed.json()["code"]) == (404, "supervision.not_found")
    assert (await same.get("/hotline/v1/supervisions")).json()["items"] == []
    assert (await center.get(record)).status_code == 200


async def test_duplicates_and_filings_do_not_lead_to_what_one_recused_from(
    made: Made, hub: Client
) -> None:
    ticket = await made()
    asked = {key: APPEAL[key] for key in ("title", "content")} | {"phone": "13812345678"}
    found = (await hub.post("/hotline/v1/duplicates", json=asked)).json()
    assert [each["ticket_id"] for each in found] == [ticket["id"]]

    await hub.post(f"{TICKETS}/{ticket['id']}/recusals", json={"reason": "interest"})

    assert (await hub.post("/hotline/v1/duplicates", json=asked)).json() == []
    filed = await hub.post("/hotline/v1/filings", json=APPEAL)
    assert filed.json()["is_new"] is True


async def test_the_complainant_may_demand_it_and_only_somebody_else_lifts_it(
    made: Made, hub: Client, center: Client, client: Client
) -> None:
    ticket = await made(unit="A7")
    officer = client.as_("unit_officer", subject="u-7", unit="A7")
    mate = client.as_("unit_officer", subject="u-8", unit="A7")
    path = f"{TICKETS}/{ticket['id']}"
    asked = {"staff": "u-7", "reason": "demanded"}

    by_mate = await mate.post(f"{path}/recusals", json=asked)
    by_hub = await hub.post(f"{path}/recusals", json=asked)
    again = await hub.post(f"{path}/recusals", json=asked)

    assert (by_mate.status_code, by_mate.json()["code"]) == (403, "auth.not_permitted")
    assert by_hub.status_code == 201
    assert (again.status_code, again.json()["code"]) == (409, "guard.already_recused")
    assert (await officer.get(path)).status_code == 404
    assert ticket["ticket_no"] not in await everything(officer, ticket)
    assert (await go(officer, ticket, "sign")).json()["code"] == "guard.recused"
    assert (await mate.get(path)).status_code == 200

    await center.post(f"{path}/recusals", json={"reason": "interest"})
    own = await center.post(f"{path}/recusals/c-1/lift", json={"reason": "没事了"})
    assert (own.status_code, own.json()["code"]) == (403, "guard.own_recusal")
    lifted = await hub.post(f"{path}/recusals/u-7/lift", json={"reason": "查无利害关系"})
    twice = await hub.post(f"{path}/recusals/u-7/lift", json={"reason": "查无利害关系"})
    assert lifted.status_code == 200
    assert (twice.status_code, twice.json()["code"]) == (409, "guard.not_recused")
    assert (await officer.get(path)).status_code == 200
    told_of = [each["act"] for each in (await hub.get(f"{path}/recusals")).json()]
    assert told_of == ["recused", "recused", "recusal_lifted"]


async def test_a_recused_supervisor_sees_nobody_in_clear_either(made: Made, center: Client) -> None:
    ticket = await made()
    await center.post(f"{TICKETS}/{ticket['id']}/recusals", json={"reason": "interest"})

    look = await center.post(
        f"{TICKETS}/{ticket['id']}/identity-views",
        json={"fields": ["name"], "reason": "callback"},
    )
    file = await center.get("/hotline/v1/exports/tickets.csv", params={"reason": "callback"})

    assert (look.status_code, look.json()["code"]) == (403, "guard.recused")
    assert "张三丰" not in file.content.decode("utf-8-sig")


async def test_a_reason_that_the_policy_does_not_list_is_refused(made: Made, hub: Client) -> None:
    ticket = await made()

    answer = await hub.post(f"{TICKETS}/{ticket['id']}/recusals", json={"reason": "tired"})

    assert (answer.status_code, answer.json()["code"]) == (422, "process.unknown_reason")


@pytest.mark.parametrize(
    "statement", [update(ticket_guard).values(reason="x"), delete(ticket_guard)]
)
async def test_the_record_is_append_only_in_the_database(
    made: Made, hub: Client, db: Database, statement: Any
) -> None:
    ticket = await made()
    await hub.post(f"{TICKETS}/{ticket['id']}/recusals", json={"reason": "interest"})

    with pytest.raises(DBAPIError, match="append-only"):
        async with db.transaction() as tx:
            await tx.connection.execute(statement)


async def test_the_page_names_the_accused_unit_and_takes_a_recusal(
    made: Made, hub: Client, client: Client, clock: Clock
) -> None:
    ticket = await made()
    page = f"/hotline/tickets/{ticket['id']}"

    named = await hub.post(f"{page}/target", data={"unit_code": "A3", "reason": "经核实"})
    assert named.status_code == 303
    assert "被诉单位：东湖区政府" in (await hub.get(page)).text
    form = {"unit_code": "T3", "version": str(ticket["version"])}
    refused = await hub.post(f"{page}/assign", data=form)
    assert refused.status_code == 422
    assert "不得承办；建议派给：市政府" in refused.text

    done = await hub.post(f"{page}/recuse", data={"reason": "interest", "staff": "", "note": ""})
    assert (done.status_code, done.headers["location"]) == (303, "/hotline/desk")
    assert (await hub.get(page)).status_code == 404
    agent = client.as_("agent", subject="a-1")
    other = {"reason": "demanded", "staff": "d-9"}
    assert (await agent.post(f"{page}/recuse", data=other)).status_code == 403
