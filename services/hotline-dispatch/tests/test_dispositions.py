"""What is not assigned is told, routed, handed over, sealed or evidenced, line by line."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from tongban_common.audit import audit
from tongban_common.db import Database
from tongban_common.export import Format
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.store import ticket_note
from tongban_hotline_dispatch.store.process import PROCESS

API = "/hotline/v1"
TICKETS = f"{API}/tickets"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
BODY = {
    "channel": "phone",
    "appeal_type": "complaint",
    "target_name": "某某商店",
    "title": "反映情况",
    "content": "具体内容如下所述",
    "person": {"name": "王五", "phone": "13912345678"},
}
Json = dict[str, Any]
GIVEN = PROCESS.packaged().process.dispositions


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
def center(client: Client) -> Client:
    return client.as_("supervisor", subject="c-1")


async def registered(hub: Client, **more: object) -> Json:
    answer = await hub.post(TICKETS, json={**BODY, **more})
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def move(who: Client, made: Json, path: str, **body: object) -> Any:
    return await who.post(
        f"{TICKETS}/{made['id']}/{path}",
        json=body,
        headers={"If-Match": f'"{made["version"]}"'},
    )


def test_the_table_of_the_rule_is_complete_and_each_line_says_why_and_what_to_say() -> None:
    assert set(GIVEN) == {
        "EMERGENCY",
        "LEGAL_ROUTE",
        "PETITION",
        "REPEAT_NO_NEW",
        "SECRET_PRIVACY",
        "OUT_OF_DUTY",
        "UNLAWFUL_IMMORAL",
        "MALICIOUS",
        "OUT_OF_AREA",
        "PARTY_NPC_COURT_MILITARY",
        "CLOSED_LAWFULLY",
        "NO_SUBSTANCE",
    }
    for code, each in GIVEN.items():
        assert each.situation, code
        assert each.basis, code
        assert each.words.endswith("。"), code
    routeless = {code for code, each in GIVEN.items() if each.route is None}
    assert routeless == {"UNLAWFUL_IMMORAL", "NO_SUBSTANCE"}


@pytest.mark.parametrize("code", sorted(set(GIVEN) - {"SECRET_PRIVACY"}))
async def test_each_ends_the_ticket_with_the_words_that_were_given(
    hub: Client, db: Database, announced: Any, code: str
) -> None:
    made = await registered(hub)

    done = (await move(hub, made, "route-out", disposition=code)).json()

    assert (done["status"], done["disposition"], done["is_assessable"]) == (
        "routed_out",
        code,
        False,
    )
    async with db.reading() as connection:
        note = (await connection.execute(select(ticket_note))).one()
    assert note.words.startswith(GIVEN[code].words)
    assert (GIVEN[code].route or "") in note.words
    fact, data = (await announced())[-1]
    assert (fact, data["disposition"], data["closes_as"]) == (
        "ticket-routed-out",
        code,
        GIVEN[code].closes_as,
    )


async def test_what_was_routed_out_in_error_is_taken_up_again_with_a_clock_within_its_days(
    hub: Client, clock: Clock
) -> None:
    made = await registered(hub)
    out = (await move(hub, made, "route-out", disposition="OUT_OF_AREA")).json()
    clock.now = NOW.replace(day=22)

    again = await move(hub, out, "reopen", reason="NEW_FACTS")
    given = await move(hub, again.json(), "assign", unit_code="A3")
    clocks = (await hub.get(f"{TICKETS}/{made['id']}/deadlines")).json()

    assert again.status_code == 200, again.text
    found = again.json()
    assert (found["status"], found["disposition"]) == ("registered", None)
    assert found["is_assessable"]
    assert given.status_code == 200
    assert {each["clock"] for each in clocks if each["is_running"]} == {"citizen", "unit", "sign"}


@pytest.mark.parametrize(
    ("line", "name"),
    [("110", "公安"), ("119", "消防救援"), ("120", "医疗急救"), ("122", "交通事故")],
)
async def test_an_emergency_is_handed_over_with_one_key_and_kept_as_such(
    hub: Client, db: Database, announced: Any, line: str, name: str
) -> None:
    answer = await hub.post(f"{API}/emergencies", json={"line": line})

    assert answer.status_code == 201
    assert (answer.json()["status"], answer.json()["disposition"]) == ("routed_out", "EMERGENCY")
    told = (await announced())[-1][1]
    assert (told["line"], told["closes_as"], told["is_immediate"]) == (
        line,
        "transferred_emergency",
        True,
    )
    async with db.reading() as connection:
        note = (await connection.execute(select(ticket_note))).one()
    assert f"已转接{line}{name}" in note.words


async def test_an_unknown_line_is_refused(hub: Client) -> None:
    made = await registered(hub)

    once = await hub.post(f"{API}/emergencies", json={"line": "911"})
    late = await move(hub, made, "route-out", disposition="PETITION", line="110")

    assert (once.status_code, once.json()["code"]) == (422, "process.unknown_reason")
    assert (late.status_code, late.json()["code"]) == (422, "process.unknown_reason")


async def test_what_is_out_of_duty_may_go_to_a_unit_for_advice_and_is_not_assessed(
    hub: Client, officer: Client, announced: Any
) -> None:
    made = await registered(hub)

    refused = await move(hub, made, "guide", unit_code="A3", disposition="PETITION")
    done = (await move(hub, made, "guide", unit_code="A3")).json()

    assert refused.json()["code"] == "disposition.not_for_guidance"
    assert (done["status"], done["unit_code"], done["is_assessable"]) == ("assigned", "A3", False)
    assert [fact for fact, _ in await announced()][-2:] == ["ticket-assigned", "ticket-guided"]
    seen = (await officer.get(f"{TICKETS}/{made['id']}")).json()
    assert (seen["disposition"], seen["is_assessable"]) == ("OUT_OF_DUTY", False)


async def test_an_ordinary_ticket_is_assessable(hub: Client) -> None:
    assert (await registered(hub))["is_assessable"] is True


async def test_malicious_calls_are_evidenced_in_clear_for_a_reason_and_on_the_record(
    hub: Client, center: Client, db: Database
) -> None:
    await registered(hub, title="=1+1骚扰第一次")
    bad = await registered(hub, disposition="MALICIOUS")
    other = await registered(hub, person={"name": "赵六", "phone": "13700000000"})
    await registered(hub, title="机密坐标", disposition="SECRET_PRIVACY")
    asked = {"ticket_id": bad["id"], "reason": "MALICIOUS", "form": Format.CSV}

    forbidden = await hub.post(f"{API}/evidence-packs", json=asked)
    unfounded = await center.post(f"{API}/evidence-packs", json={**asked, "ticket_id": other["id"]})
    unsaid = await center.post(f"{API}/evidence-packs", json={**asked, "reason": "CURIOUS"})
    taken = await center.post(f"{API}/evidence-packs", json=asked)

    assert forbidden.status_code == 403
    assert (unfounded.status_code, unfounded.json()["code"]) == (422, "evidence.not_malicious")
    assert (unsaid.status_code, unsaid.json()["code"]) == (400, "evidence.unknown_reason")
    text = taken.content.decode("utf-8-sig")
    assert text.count("王五") == 2
    assert "13912345678" in text
    assert "'=1+1骚扰第一次" in text
    assert "赵六" not in text
    assert "机密" not in text
    async with db.reading() as connection:
        (record,) = (await connection.execute(select(audit))).all()
    assert (record.actor, record.action) == ("c-1", "evidence.taken_in_clear")
    assert (record.facts["reason"], record.facts["tickets"]) == ("MALICIOUS", "2")
    assert record.facts["digest"][:12] in taken.headers["content-disposition"].replace("%", "")


async def test_what_is_found_late_is_terminated_on_request_and_told(
    hub: Client, officer: Client, center: Client, db: Database
) -> None:
    made = await registered(hub)
    for who, path, body in (
        (hub, "assign", {"unit_code": "A3"}),
        (officer, "sign", {}),
    ):
        made = (await move(who, made, path, **body)).json()
    ask = {"reason": "已依法作出结论", "is_signed_off": True}
    unknown = await move(officer, made, "termination", **ask, disposition="NOT_MINE")
    made = (await move(officer, made, "termination", **ask, disposition="CLOSED_LAWFULLY")).json()

    done = (await move(center, made, "termination/decide", is_granted=True)).json()

    assert unknown.json()["code"] == "process.unknown_reason"
    assert (done["status"], done["disposition"], done["is_assessable"]) == (
        "terminated",
        "CLOSED_LAWFULLY",
        False,
    )
    async with db.reading() as connection:
        note = (await connection.execute(select(ticket_note))).one()
    assert "行政复议" in note.words


async def test_what_turns_out_to_be_secret_goes_under_seal_as_it_is_terminated(
    hub: Client, officer: Client, center: Client, db: Database
) -> None:
    made = await registered(hub, title="绝密图纸", content="绝密图纸的坐标")
    for who, path, body in (
        (hub, "assign", {"unit_code": "A3"}),
        (officer, "sign", {}),
        (
            officer,
            "termination",
            {"reason": "涉密", "is_signed_off": True, "disposition": "SECRET_PRIVACY"},
        ),
        (center, "termination/decide", {"is_granted": True}),
    ):
        made = (await move(who, made, path, **body)).json()

    assert made["status"] == "terminated"
    seen = (await hub.get(f"{TICKETS}/{made['id']}")).json()
    assert "绝密" not in str(seen)
    async with db.reading() as connection:
        note = (await connection.execute(select(ticket_note))).one()
    assert note.words is None
    assert note.sealed is not None


async def test_a_critical_matter_alerts_the_duty_officer_and_an_emergency_does_not(
    hub: Client, announced: Any
) -> None:
    made = await registered(hub, urgency="critical")
    await registered(hub, urgency="normal")
    await hub.post(f"{API}/emergencies", json={"line": "119"})

    alerts = [data for fact, data in await announced() if fact == "duty-officer-alerted"]
    assert [(each["ticket_id"], each["dispatch_due"][:16]) for each in alerts] == [
        (made["id"], "2026-09-21T10:05")
    ]


async def test_the_agent_finds_the_words_by_page_and_by_api_and_transfers_with_one_key(
    client: Client, officer: Client
) -> None:
    agent = client.as_("agent", subject="a-1")

    page = await agent.get("/hotline/dispositions")
    listed = (await agent.get(f"{API}/dispositions")).json()
    handed = await agent.post(
        "/hotline/dispositions/emergency", data={"line": "120"}, follow_redirects=False
    )
    seen = await agent.get(handed.headers["location"])

    assert [each["code"] for each in listed] == ["EMERGENCY", *sorted(set(GIVEN) - {"EMERGENCY"})]
    assert all(each["words"] in page.text for each in listed)
    assert page.text.count('name="line"') == 4
    assert handed.status_code == 303
    assert "紧急警情转接120" in seen.text
    assert (await officer.get(f"{API}/dispositions")).status_code == 403
