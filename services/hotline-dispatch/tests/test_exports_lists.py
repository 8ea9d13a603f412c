"""Every list leaves by the file: as CSV and XLSX, masked, by its filters, on record."""

import csv
import io
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from openpyxl import load_workbook
from sqlalchemy import select

from tongban_common.audit import audit
from tongban_common.db import Database
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
EXPORTS = "/hotline/v1/exports"
# Each with its page.
LISTS = {
    "supervisions": "/hotline/supervisions",
    "callbacks": "/hotline/desk/callbacks",
    "reappraisals": "/hotline/reappraisals",
    "exclusions": None,
    "identity-views": "/hotline/identity-views",
    "hot-issues": "/hotline/hot-issues",
    "contacts": "/hotline/contacts",
    "contact-filings": "/hotline/contacts/filings",
    "units-without-contact": "/hotline/contacts/missing",
    "contact-confirmations": "/hotline/contacts/confirmations",
    "knowledge-items": "/hotline/knowledge-items",
    "knowledge-duties": "/hotline/knowledge-items/duties",
    "desk-queue": "/hotline/desk/dispatch?tab=running",
    "asks": "/hotline/desk/dispatch?tab=asks",
    "matters": None,
    "dispatch-rules": None,
    "merge-suggestions": "/hotline/merge-suggestions",
    "upstream-backlog": None,
    "duty-phones": "/hotline/contacts/duty-phones",
}
V1 = "/hotline/v1"
# Each list of the API with its file, or why it has none.
FILES = {
    "assessments": "no list of matters: the periods; each leaves as assessment",
    "assessments/{assessment_id}/units/{unit_code}/figures/{measure}/tickets": "figure-tickets",
    "bulletins": "no list of matters: the months; each leaves as bulletin",
    "callbacks": "callbacks",
    "contact-confirmations": "contact-confirmations",
    "contact-filings": "contact-filings",
    "contacts": "contacts",
    "dispatch-catalogues": "no list of matters: the versions",
    "dispatch-catalogues/{version}/rules": "dispatch-rules",
    "dispositions": "the words of the policy",
    "duty-phones": "duty-phones",
    "exclusion-audits/{period_code}": "one draw, with what was found",
    "exclusions": "exclusions",
    "hot-issues": "hot-issues",
    "hot-issues/{issue_id}/tickets": "hot-issue-tickets",
    "identity-views": "identity-views",
    "knowledge": "knowledge-items",
    "knowledge-duties": "knowledge-duties",
    "knowledge/search": "the public's search",
    "matter-catalogues": "no list of matters: the versions",
    "matters": "matters",
    "merge-suggestions": "merge-suggestions",
    "public/ticket/deadlines": "one ticket",
    "reappraisals": "reappraisals",
    "required-elements": "the words of the policy",
    "routing-figures": "figures; what they count leaves by `decisions export`",
    "sign-offs": "drafts that go no further than the unit's leader",
    "supervisions": "supervisions",
    "tickets": "tickets",
    "tickets/{ticket_id}/attachments": "one ticket",
    "tickets/{ticket_id}/callbacks": "one ticket",
    "tickets/{ticket_id}/deadlines": "one ticket",
    "tickets/{ticket_id}/history": "one ticket",
    "tickets/{ticket_id}/knowledge": "one ticket",
    "tickets/{ticket_id}/recusals": "one ticket",
    "units-without-contact": "units-without-contact",
    "upstream/backlog": "upstream-backlog",
    "upstream/reports": "for the platform alone, until it acknowledges",
}
RETURN = {
    "reason": "非本单位职责",
    "citation": "三定规定",
    "suggested_unit": "A7",
    "is_signed_off": True,
}
BAD = Heard(
    resolved=Resolved.NO,
    result=Mark.DISSATISFIED,
    process=Mark.BASICALLY,
    no_redo="POLICY_FORBIDS",
)


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
def admin(client: Client) -> Client:
    return client.as_("admin", subject="root")


def rows(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    text = answer.content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_every_list_has_its_file_or_a_reason_to_have_none(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    schemas = app.openapi()["components"]["schemas"]

    def is_list(operation: dict[str, Any]) -> bool:
        answer = operation["responses"].get("200", {}).get("content", {}).get("application/json")
        schema = {} if answer is None else answer["schema"]
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rpartition("/")[2]]
        return schema.get("type") == "array" or "items" in schema.get("properties", {})

    lists = {
        path.removeprefix(f"{V1}/")
        for path, operations in paths.items()
        if path.startswith(V1) and is_list(operations.get("get", {"responses": {}}))
    }
    files = {
        path.removeprefix(f"{EXPORTS}/").removesuffix(".{form}")
        for path in paths
        if path.startswith(EXPORTS)
    }

    assert lists == FILES.keys()
    assert {each for each in FILES.values() if " " not in each} <= files
    assert {"desk-queue", "asks", "unit-desk", "assessment", "bulletin"} <= files


@pytest.mark.parametrize("name", LISTS)
async def test_each_list_leaves_in_both_forms_and_its_page_leads_there(
    admin: Client, client: Client, officer: Client, db: Database, name: str
) -> None:
    as_csv = await admin.get(f"{EXPORTS}/{name}.csv")
    as_xlsx = await admin.get(f"{EXPORTS}/{name}.xlsx")

    assert rows(as_csv) == []
    (heading,) = load_workbook(io.BytesIO(as_xlsx.content)).worksheets[0].values
    assert heading == tuple(as_csv.content.decode("utf-8-sig").strip().strip('"').split('","'))
    assert as_csv.headers["cache-control"] == "no-store"
    async with db.reading() as reads:
        noted = (await reads.execute(select(audit).where(audit.c.subject == name))).all()
    assert [each.action for each in noted] == ["list.exported"] * 2
    assert (await client.get(f"{EXPORTS}/{name}.csv")).status_code == 401
    # who may read it and may not take lists away, and who may not read it
    for role in ("agent", "reviewer", "upper_platform"):
        assert (await client.as_(role).get(f"{EXPORTS}/{name}.csv")).status_code == 403
    page = LISTS[name]
    if page is not None:
        shown = (await admin.get(page)).text
        for form in ("xlsx", "csv"):
            assert f'href="{EXPORTS}/{name}.{form}' in shown


async def test_contacts_leave_masked_and_a_unit_takes_its_own_alone(
    officer: Client, hub: Client, client: Client
) -> None:
    body = {
        "unit_code": "A3",
        "role": "platform_operator",
        "person": {"name": "=张三丰", "mobile": "13812345678"},
        "completed_on": "2026-09-21",
    }
    assert (await officer.post("/hotline/v1/contacts", json=body)).status_code == 201

    (line,) = rows(await hub.get(f"{EXPORTS}/contacts.csv?active=yes&role="))
    (filing,) = rows(await officer.get(f"{EXPORTS}/contact-filings.csv?unit=B1"))
    other = client.as_("unit_officer", subject="u-9", unit="B1")

    assert (line["单位编码"], line["手机"]) == ("A3", "138****5678")
    assert "三丰" not in line["姓名"]
    assert (filing["单位编码"], filing["是否逾期"]) == ("A3", "否")
    assert rows(await other.get(f"{EXPORTS}/contacts.csv?unit=A3")) == []


async def test_supervisions_leave_by_the_filters_of_the_list(
    filed: Any, client: Client, officer: Client
) -> None:
    ticket = await filed(NOW, unit="A3")
    center = client.as_("supervisor", subject="s-1")
    for level in ("S1", "U1"):
        body = {"level": level, "cause": "LEADER_BATCH", "ticket_ids": [str(ticket.id)]}
        assert (await center.post("/hotline/v1/supervisions", json=body)).status_code == 201

    (line,) = rows(await center.get(f"{EXPORTS}/supervisions.csv?level=S1&state=&unit="))
    own = rows(await officer.get(f"{EXPORTS}/supervisions.csv"))
    other = client.as_("unit_officer", subject="u-9", unit="B1")

    assert (line["层级"], line["事由"], line["督办对象"]) == ("书面督办", "领导批示件", "A3")
    assert (line["状态"], line["下达时间"]) == ("待回复", "2026-09-21 10:00:00")
    assert len(own) == 2
    assert rows(await other.get(f"{EXPORTS}/supervisions.csv")) == []


async def test_calls_and_contested_marks_leave_masked(
    opened: Any, hub: Client, officer: Client, clock: Clock
) -> None:
    case = await opened(NOW, said=("请回电13812345678", "内容"))
    ticket = await case.reply(NOW)
    (call,) = rows(await hub.get(f"{EXPORTS}/callbacks.csv?what=call"))
    await case.on_desk(NOW, lambda desk: desk.call_back(BAD))
    asked = {
        "tracks": ["satisfaction"],
        "ground": "POLICY_FORBIDS",
        "words": "政策不允许",
        "evidence": ["材料一"],
        "is_signed_off": True,
    }
    path = f"/hotline/v1/tickets/{ticket.id}/reappraisals"
    assert (await officer.post(path, json=asked)).status_code == 201
    (contest,) = rows(await hub.get(f"{EXPORTS}/reappraisals.csv"))

    assert (call["标题"], call["承办单位"]) == ("请回电138****5678", "A3政府")
    assert (contest["标题"], contest["申请项"]) == ("请回电138****5678", "满意度")
    assert rows(await hub.get(f"{EXPORTS}/reappraisals.csv?state=passed")) == []


async def test_more_than_one_page_of_a_list_leaves_whole(
    hub: Client, officer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tongban_hotline_dispatch.api.list_exports.PAGE", 2)
    for number in range(5):
        body = {
            "title": f"办事指南{number}",
            "content": "带身份证到窗口办理",
            "category": "政务服务/证件",
            "material": "guide",
            "keywords": ["证件"],
            "unit_code": "A3",
        }
        answer = await officer.post("/hotline/v1/knowledge", json=body)
        assert answer.status_code == 201, answer.text

    found = rows(await hub.get(f"{EXPORTS}/knowledge-items.csv?state=draft"))

    assert sorted(line["标题"] for line in found) == [f"办事指南{number}" for number in range(5)]


async def test_what_stands_on_a_desk_is_in_its_file(
    admin: Client, hub: Client, officer: Client, filed: Any
) -> None:
    """One waits to be assigned, one is the unit's, who asks to return it."""
    waits = await filed(NOW - timedelta(minutes=1))
    held = await filed(NOW, unit="A3")
    address = f"{V1}/tickets/{held.id}"
    for path, body in (("sign", {}), ("return", RETURN)):
        seen = (await officer.get(address)).headers["etag"]
        moved = await officer.post(f"{address}/{path}", json=body, headers={"If-Match": seen})
        assert moved.status_code == 200, moved.text

    found = {}
    for who, name in (
        (hub, "desk-queue.csv?what=registered"),
        (hub, "desk-queue.csv?what=open"),
        (hub, "desk-queue.csv?what=running&unit=A7"),
        (hub, "asks.csv"),
        (officer, "unit-desk.csv?state=return_requested"),
        (officer, "unit-desk.csv?state=waiting"),
    ):
        found[name] = [each["工单编号"] for each in rows(await who.get(f"{EXPORTS}/{name}"))]

    assert list(found.values()) == [
        [waits.ticket_no],
        [waits.ticket_no, held.ticket_no],
        [],
        [held.ticket_no],
        [held.ticket_no],
        [],
    ]
    assert (await hub.get(f"{EXPORTS}/unit-desk.csv")).status_code == 403
    page = (await officer.get("/hotline/desk/unit?state=return_requested")).text
    assert f"{EXPORTS}/unit-desk.xlsx?state=return_requested" in page


async def test_the_tickets_behind_a_figure_leave_by_the_file(
    client: Client, officer: Client, clock: Clock, opened: Any
) -> None:
    held = (await opened(NOW)).ticket
    clock.now = datetime(2026, 10, 20, 10, 0, tzinfo=SHANGHAI)
    center = client.as_("supervisor", subject="s-1")
    made = (await center.post(f"{V1}/assessments", json={"period": "2026-09"})).json()
    asked = f"figure-tickets.csv?assessment_id={made['id']}&measure=on_time_close_rate"

    found = rows(await center.get(f"{EXPORTS}/{asked}&unit=A3&side=missing"))
    met = rows(await center.get(f"{EXPORTS}/{asked}&unit=A3&side=numerator"))
    other = await officer.get(f"{EXPORTS}/{asked}&unit=A7")

    assert [(each["工单编号"], each["计入分母"]) for each in found] == [(held.ticket_no, "1")]
    assert met == []
    assert other.status_code == 403
