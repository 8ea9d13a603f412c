import asyncio
import csv
import io
from datetime import timedelta
from urllib.parse import unquote

import httpx
import pytest
from openpyxl import load_workbook
from sqlalchemy import select

from tongban_common.audit import audit
from tongban_common.db import Database
from tongban_common.policies import BadPolicy, packaged_text
from tongban_common.testing import Client, Clock
from tongban_hotline_dispatch.domain.appeal import AppealType
from tongban_hotline_dispatch.store import Complainant
from tongban_hotline_dispatch.store.exports import EXPORT

EXPORTS = "/hotline/v1/exports/tickets"
TICKETS = "/hotline/v1/tickets"
ZHANG = {"name": "张三丰", "phone": "13812345678"}


@pytest.fixture
def supervisor(client: Client) -> Client:
    return client.as_("supervisor", subject="s-1")


@pytest.fixture
async def titles(hub: Client, clock: Clock) -> list[str]:
    """Registered one after the other; newest last."""
    found = ["路灯不亮", "=1+1", "请回电13812345678"]
    for title in found:
        body = {
            "channel": "phone",
            "appeal_type": "help",
            "title": title,
            "content": "内容",
            "person": ZHANG,
        }
        assert (await hub.post(TICKETS, json=body)).status_code == 201
        clock.forward(minutes=1)
    return found


def rows(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    text = answer.content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def cells(answer: httpx.Response) -> list[dict[str, object]]:
    assert answer.status_code == 200, answer.text
    heading, *found = load_workbook(io.BytesIO(answer.content)).worksheets[0].values
    return [dict(zip(map(str, heading), row, strict=True)) for row in found]


async def test_a_list_is_exported_masked_newest_first(hub: Client, titles: list[str]) -> None:
    answer = await hub.get(f"{EXPORTS}.csv")

    found = rows(answer)
    assert [row["标题"] for row in found] == ["请回电138****5678", "'=1+1", "路灯不亮"]
    assert {(row["诉求人"], row["联系电话"]) for row in found} == {("张**", "138****5678")}
    assert (found[0]["状态"], found[0]["诉求类型"]) == ("待派单", "求助")
    assert found[0]["登记时间"] == "2026-09-21 10:02:00"
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    name = answer.headers["content-disposition"].partition("filename*=UTF-8''")[2]
    assert unquote(name) == "工单202609211003.csv"


async def test_the_same_list_as_xlsx(hub: Client, titles: list[str]) -> None:
    found = cells(await hub.get(f"{EXPORTS}.xlsx"))

    assert [row["标题"] for row in found] == ["请回电138****5678", "=1+1", "路灯不亮"]
    assert {(row["诉求人"], row["联系电话"]) for row in found} == {("张**", "138****5678")}
    assert found[0]["是否超期"] == "否"


@pytest.mark.parametrize("form", ["csv", "xlsx"])
async def test_in_clear_only_by_right_and_for_a_reason_that_is_recorded(
    hub: Client, supervisor: Client, titles: list[str], db: Database, form: str
) -> None:
    url = f"{EXPORTS}.{form}"

    refused = await hub.get(url, params={"reason": "callback"})
    baseless = await supervisor.get(url, params={"reason": "curiosity"})
    masked = await supervisor.get(url)
    clear = await supervisor.get(url, params={"reason": "callback", "status": "registered"})

    assert (refused.status_code, refused.json()["code"]) == (403, "auth.not_permitted")
    assert (baseless.status_code, baseless.json()["code"]) == (400, "export.unknown_reason")
    found = rows(clear) if form == "csv" else cells(clear)
    assert {(row["诉求人"], row["联系电话"]) for row in found} == {("张三丰", "13812345678")}
    assert found[0]["标题"] == titles[2]
    assert masked.status_code == 200
    async with db.reading() as connection:
        kept = (await connection.execute(select(audit).order_by(audit.c.id))).all()
    assert [(row.actor, row.action, row.subject) for row in kept] == [
        ("s-1", "list.exported", "tickets"),
        ("s-1", "list.exported_in_clear", "tickets"),
    ]
    assert kept[1].facts == {"form": form, "filters": "status=registered", "reason": "callback"}


async def test_an_export_has_the_filters_of_the_list(
    hub: Client, officer: Client, clock: Clock, filed: object
) -> None:
    assert callable(filed)
    mine = await filed(clock.now, unit="A3")
    other = await filed(clock.now + timedelta(minutes=1), unit="A7")
    late = await filed(clock.now - timedelta(days=60), unit="A7", appeal_type=AppealType.CONSULT)

    async def numbers(who: Client, **query: str) -> list[str]:
        return [row["工单编号"] for row in rows(await who.get(f"{EXPORTS}.csv", params=query))]

    assert await numbers(hub) == [each.ticket_no for each in (other, mine, late)]
    assert await numbers(hub, unit="A7") == [each.ticket_no for each in (other, late)]
    assert await numbers(hub, overdue="true") == [late.ticket_no]
    assert await numbers(hub, status="closed") == []
    assert await numbers(hub, status="", unit="", overdue="", reason="") == await numbers(hub)
    assert await numbers(officer) == [mine.ticket_no]
    assert await numbers(officer, unit="A7") == [mine.ticket_no]


async def test_a_long_list_is_read_by_its_keyset_whatever_comes_in_meanwhile(
    hub: Client, clock: Clock, filed: object
) -> None:
    assert callable(filed)
    start = clock.now - timedelta(days=1)
    for minute in range(0, 2050, 50):
        await asyncio.gather(
            *(filed(start + timedelta(seconds=second)) for second in range(minute, minute + 50))
        )

    found = rows(await hub.get(f"{EXPORTS}.csv"))

    numbers = [row["工单编号"] for row in found]
    assert len(set(numbers)) == len(numbers) == 2050
    assert [row["登记时间"] for row in found] == sorted(
        (row["登记时间"] for row in found), reverse=True
    )


async def test_an_anonymous_ticket_has_nobody_in_it(
    supervisor: Client, clock: Clock, filed: object
) -> None:
    assert callable(filed)
    await filed(clock.now, person=Complainant())

    (row,) = rows(await supervisor.get(f"{EXPORTS}.csv", params={"reason": "callback"}))

    assert (row["诉求人"], row["联系电话"]) == ("", "")


async def test_only_who_may_gets_a_file(client: Client, officer: Client) -> None:
    agent = client.as_("agent", subject="a-1")

    assert (await client.get(f"{EXPORTS}.csv")).status_code == 401
    assert (await agent.get(f"{EXPORTS}.csv")).status_code == 403
    assert (await officer.get(f"{EXPORTS}.csv", params={"reason": "callback"})).status_code == 403
    assert (await officer.get(f"{EXPORTS}.pdf")).status_code == 422
    assert (await client.as_("unit_officer").get(f"{EXPORTS}.csv")).status_code == 403


async def test_the_page_of_the_list_leads_to_its_export(hub: Client, titles: list[str]) -> None:
    page = await hub.get("/hotline/tickets", params={"status": "registered", "overdue": ""})

    link = f"{EXPORTS}.xlsx?status=registered&amp;overdue="
    assert f'href="{link}"' in page.text
    assert len(cells(await hub.get(link.replace("&amp;", "&")))) == 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("most: 100000,", "most: 2000000,"),
        ("most: 1000000", "most: 0"),
        ("name: 回访核查", "name: ''"),
    ],
)
def test_a_faulty_policy_is_refused(old: str, new: str) -> None:
    text = packaged_text("tongban_hotline_dispatch", "export.yaml")
    assert old in text

    with pytest.raises(BadPolicy, match=r"export.yaml 第\d+行"):
        EXPORT.parse(text.replace(old, new, 1), where="export.yaml")
