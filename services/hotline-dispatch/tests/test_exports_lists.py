"""Every list leaves by the file: as CSV and XLSX, masked, by its filters, on record."""

import csv
import io
from datetime import datetime
from typing import Any

import httpx
import pytest
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
