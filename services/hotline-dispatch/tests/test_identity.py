"""Who asks is masked everywhere, hidden where wanted, and every look in clear is on record."""

import csv
import io
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError

from tongban_common.audit import audit
from tongban_common.db import Database
from tongban_common.policies import BadPolicy, packaged_text
from tongban_common.privacy import Sealer
from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_hotline_dispatch.domain.identity import Seen
from tongban_hotline_dispatch.operations import Step, identity
from tongban_hotline_dispatch.operations.identity import IdentityHidden, Look
from tongban_hotline_dispatch.store import complainant, identity_view
from tongban_hotline_dispatch.store.identity_policy import IDENTITY

TICKETS = "/hotline/v1/tickets"
VIEWS = "/hotline/v1/identity-views"
NAME, PHONE, ADDRESS = "张三丰", "13812345678", "桂花路8号3单元"
APPEAL = {
    "channel": "phone",
    "appeal_type": "help",
    "target_name": "某单位",
    "title": "路灯不亮，回电13812345678",
    "content": "桂花路口的路灯已三天不亮",
    "person": {"name": NAME, "phone": PHONE, "address": ADDRESS},
}
Registered = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def supervisor(client: Client) -> Client:
    return client.as_("supervisor", subject="s-1")


@pytest.fixture
def inspector(client: Client) -> Client:
    return client.as_("inspector", subject="i-1")


@pytest.fixture
def registered(hub: Client) -> Registered:
    async def register(*, unit: str | None = None, **more: object) -> dict[str, Any]:
        answer = await hub.post(TICKETS, json={**APPEAL, **more})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        if unit is not None:
            given = await hub.post(
                f"{TICKETS}/{made['id']}/assign",
                json={"unit_code": unit},
                headers={"If-Match": f'"{made["version"]}"'},
            )
            assert given.status_code == 200, given.text
        return made

    return register


async def looked(who: Client, ticket: dict[str, Any], **more: object) -> Any:
    body = {"fields": ["name", "phone"], "reason": "callback", **more}
    return await who.post(f"{TICKETS}/{ticket['id']}/identity-views", json=body)


async def test_the_person_is_kept_under_seal_in_a_table_of_its_own(
    registered: Registered, db: Database
) -> None:
    await registered()

    async with db.reading() as reads:
        (kept,) = (await reads.execute(select(complainant))).all()
        rows = (await reads.execute(text("SELECT row_to_json(t)::text FROM ticket t"))).scalars()
        ticket = "".join(rows).replace(str(APPEAL["title"]), "")
    for words in (NAME, PHONE, ADDRESS):
        assert words not in ticket
        assert all(words.encode() not in sealed for sealed in kept[1:] if sealed is not None)


async def test_everybody_sees_a_masked_person_on_the_page_and_in_the_api(
    registered: Registered, hub: Client, officer: Client, supervisor: Client
) -> None:
    made = await registered(unit="A3")

    for who in (hub, officer, supervisor):
        detail = await who.get(f"{TICKETS}/{made['id']}")
        assert detail.json()["person"] == {
            "name": "张**",
            "phone": "138****5678",
            "is_hidden": False,
        }
        page = await who.get(f"/hotline/tickets/{made['id']}")
        shown = detail.text + page.text
        assert not [words for words in (NAME, PHONE, ADDRESS) if words in shown]
        assert "张**" in page.text


async def test_a_report_hides_who_made_it_from_units_unless_the_person_says_otherwise(
    registered: Registered, hub: Client, officer: Client
) -> None:
    report = await registered(unit="A3", appeal_type="report")
    open_report = await registered(unit="A3", appeal_type="report", hides_identity=False)
    asked = await registered(unit="A3", hides_identity=True)

    for made, is_hidden in ((report, True), (open_report, False), (asked, True)):
        path = f"{TICKETS}/{made['id']}"
        seen = (await officer.get(path)).json()["person"]
        assert seen["is_hidden"] is is_hidden
        assert (seen["name"], seen["phone"]) == (
            (None, None) if is_hidden else ("张**", "138****5678")
        )
        assert (await hub.get(path)).json()["person"]["name"] == "张**"
    page = (await officer.get(f"/hotline/tickets/{report['id']}")).text
    assert "张**" not in page
    assert "已隐藏，由热线中心代为联系" in page


async def test_a_hidden_person_is_in_no_list_that_a_unit_takes_away(
    registered: Registered, officer: Client, hub: Client
) -> None:
    await registered(unit="A3", appeal_type="report")

    async def people(who: Client) -> set[tuple[str, str]]:
        answer = await who.get("/hotline/v1/exports/tickets.csv")
        rows = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
        return {(row["诉求人"], row["联系电话"]) for row in rows}

    assert await people(officer) == {("", "")}
    assert await people(hub) == {("张**", "138****5678")}


async def test_a_look_in_clear_needs_the_right_and_a_listed_reason(
    registered: Registered, hub: Client, supervisor: Client, officer: Client
) -> None:
    made = await registered(unit="A3")

    refused = await looked(hub, made)
    theirs = await looked(officer, made)
    baseless = await looked(supervisor, made, reason="curiosity")
    unpapered = await looked(supervisor, made, reason="judicial")
    papered = await looked(supervisor, made, reason="judicial", document_no="调字〔2026〕9号")

    assert [each.status_code for each in (refused, theirs, baseless, unpapered)] == [
        403,
        403,
        422,
        422,
    ]
    assert baseless.json()["code"] == "identity.unknown_reason"
    assert unpapered.json()["code"] == "identity.document_missing"
    assert papered.status_code == 201, papered.text
    assert papered.json()["fields"] == {"name": NAME, "phone": PHONE}
    assert papered.headers["cache-control"] == "no-store"


async def test_every_look_is_recorded_with_who_what_when_and_why_and_nothing_of_what_was_seen(
    registered: Registered,
    supervisor: Client,
    inspector: Client,
    clock: Clock,
    db: Database,
) -> None:
    made = await registered()
    await looked(supervisor, made, fields=["address", "name", "title"], reason="inspection")
    await looked(supervisor, made, reason="nonsense")

    answer = await inspector.get(VIEWS)

    (line,) = answer.json()["items"]
    assert line["actor"] == "s-1"
    assert line["fields"] == ["name", "address", "title"]
    assert line["reason"] == "inspection"
    assert line["policy"] == "hotline-identity/1"
    assert (line["ticket_id"], line["ticket_no"]) == (made["id"], made["ticket_no"])
    assert line["at"].startswith(f"{clock.now:%Y-%m-%dT%H:%M}")
    assert not [words for words in (NAME, PHONE, ADDRESS) if words in answer.text]
    async with db.reading() as reads:
        noted = (await reads.execute(select(audit.c.action, audit.c.facts))).all()
    assert noted == [("identity.viewed", {"fields": "name address title", "reason": "inspection"})]


async def test_words_are_seen_as_they_came_by_the_same_way(
    registered: Registered, supervisor: Client
) -> None:
    made = await registered()

    answer = await looked(supervisor, made, fields=["title", "content", "reply", "email"])

    assert answer.json()["fields"] == {
        "title": APPEAL["title"],
        "content": APPEAL["content"],
        "reply": None,
        "email": None,
    }


@pytest.mark.parametrize(
    "statement", [update(identity_view).values(reason="x"), delete(identity_view)]
)
async def test_the_database_lets_nobody_change_or_remove_a_record(
    registered: Registered, supervisor: Client, db: Database, statement: Any
) -> None:
    await looked(supervisor, await registered())

    with pytest.raises(DBAPIError, match="append-only"):
        async with db.transaction() as tx:
            await tx.connection.execute(statement)


async def test_an_export_in_clear_is_recorded_as_one_look_and_at_each_ticket_in_it(
    registered: Registered, supervisor: Client, inspector: Client
) -> None:
    made = [await registered() for _ in range(3)]
    await supervisor.get("/hotline/v1/exports/tickets.csv")
    answer = await supervisor.get("/hotline/v1/exports/tickets.csv", params={"reason": "callback"})
    assert NAME in answer.content.decode("utf-8-sig")

    (whole,) = (await inspector.get(VIEWS)).json()["items"]
    of_one = await inspector.get(VIEWS, params={"ticket_id": made[1]["id"]})

    assert (whole["way"], whole["ticket_id"], whole["reason"]) == ("export", None, "callback")
    assert whole["filters"] == "tickets.csv"
    (line,) = of_one.json()["items"]
    assert (line["is_of_list"], line["actor"], line["fields"]) == (
        True,
        "s-1",
        ["name", "phone", "title"],
    )


async def test_the_records_are_paged_and_narrowed_and_for_supervision_only(
    registered: Registered,
    hub: Client,
    officer: Client,
    client: Client,
    supervisor: Client,
    inspector: Client,
    clock: Clock,
) -> None:
    first, second = await registered(), await registered()
    other = client.as_("supervisor", subject="s-2")
    for who, ticket in ((supervisor, first), (other, first), (supervisor, second)):
        assert (await looked(who, ticket)).status_code == 201
        clock.forward(minutes=1)

    async def tickets(**query: str) -> list[tuple[str, str]]:
        found = (await inspector.get(VIEWS, params=query)).json()
        items = list(found["items"])
        while found["next"]:
            more = {**query, "cursor": found["next"]}
            found = (await inspector.get(VIEWS, params=more)).json()
            items += found["items"]
        return [(each["actor"], each["ticket_no"]) for each in items]

    no1, no2 = first["ticket_no"], second["ticket_no"]
    assert await tickets(limit="1") == [("s-1", no2), ("s-2", no1), ("s-1", no1)]
    assert await tickets(actor="s-2") == [("s-2", no1)]
    assert await tickets(ticket_id=second["id"]) == [("s-1", no2)]
    assert await tickets(way="export") == []
    for who in (hub, officer):
        assert (await who.get(VIEWS)).status_code == 403
        assert (await who.get("/hotline/identity-views")).status_code == 403


async def test_the_page_shows_the_clear_words_once_and_the_record_for_good(
    registered: Registered, supervisor: Client, inspector: Client, hub: Client
) -> None:
    made = await registered()
    path = f"/hotline/tickets/{made['id']}"
    assert "查看诉求人信息" in (await supervisor.get(path)).text
    assert "查看诉求人信息" not in (await hub.get(path)).text

    form = {"reason": "emergency", "fields": ["name", "phone"], "document_no": ""}
    shown = await supervisor.post(f"{path}/identity", data=form)
    refused = await supervisor.post(f"{path}/identity", data={**form, "reason": "none"})

    assert shown.status_code == 200, shown.text
    assert NAME in shown.text
    assert PHONE in shown.text
    assert shown.headers["cache-control"] == "no-store"
    assert refused.status_code == 422
    assert (await hub.post(f"{path}/identity", data=form)).status_code == 403
    records = (await inspector.get("/hotline/identity-views")).text
    assert "涉及生命财产安全的紧急处置" in records
    assert made["ticket_no"] in records
    assert NAME not in records
    of_one = await inspector.get("/hotline/identity-views", params={"no": made["ticket_no"]})
    assert made["ticket_no"] in of_one.text
    unknown = await inspector.get("/hotline/identity-views", params={"no": "none"})
    assert "没有查看记录" in unknown.text


async def test_what_is_no_field_or_no_ticket_is_refused(
    registered: Registered, supervisor: Client
) -> None:
    made = await registered()
    nobody = {"id": "00000000-0000-7000-8000-000000000000"}

    for ticket, more, status in (
        (made, {"fields": []}, 422),
        (made, {"fields": ["password"]}, 422),
        (made, {"document_no": "a\u202eb"}, 422),
        (nobody, {}, 404),
    ):
        answer = await looked(supervisor, ticket, **more)
        assert answer.status_code == status, answer.text


async def test_a_hidden_person_stays_hidden_from_a_unit_whatever_rights_a_city_gives_it(
    registered: Registered, kit: Kit, clock: Clock
) -> None:
    hidden = await registered(unit="A3", appeal_type="report")
    plain = await registered(unit="A3")
    rules = await identity.identity_rules(kit, now=clock.now)

    async def look(made: dict[str, Any]) -> object:
        async with kit.db.transaction() as tx:
            _, found = await identity.look(
                tx,
                step=Step(ticket_id=UUID(made["id"]), actor="u-9", unit="A3"),
                wanted=Look(fields=[Seen.PHONE], reason="contact"),
                rules=rules,
                sealer=Sealer(kit.secret),
                now=clock.now,
            )
            return found[Seen.PHONE]

    assert await look(plain) == PHONE
    with pytest.raises(IdentityHidden):
        await look(hidden)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("appeal_types: [report]", "appeal_types: [gossip]"),
        ("name: 回访核查, ", ""),
        ("needs_document: true", "needs_document: perhaps"),
    ],
)
def test_a_faulty_policy_is_refused_with_its_line(old: str, new: str) -> None:
    document = packaged_text("tongban_hotline_dispatch", "identity.yaml")
    assert old in document

    with pytest.raises(BadPolicy, match=r"identity.yaml 第\d+行"):
        IDENTITY.parse(document.replace(old, new, 1), where="identity.yaml")
