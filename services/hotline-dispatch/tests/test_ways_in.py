"""However a matter comes in: who reports is hidden by default, and the accused unit may be named.

hotline.md 2.3 (target_unit_id) and 2.5, (1) and (5).
"""

from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest
from sqlalchemy import select

from tongban_common.db import Database
from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.operations import Outcome, import_file, open311
from tongban_hotline_dispatch.store import ticket

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
OPEN311 = "/hotline/open311/v2/requests.json"
SAID = {
    "appeal_type": "report",
    "title": "举报违规收费",
    "content": "窗口在规定之外收费",
    "target_name": "某办事处",
    "person": {"name": "张三丰", "phone": "13812345678"},
}
WAYS = ("tickets", "filings", "file", "upstream", "open311")
Word = bool | None
ComesIn = Callable[[str, Word, str | None], Awaitable[tuple[int, str]]]


@pytest.fixture
def comes_in(client: Client, hub: Client, kit: Kit, db: Database, clock: Clock) -> ComesIn:
    """How a way in answered: its status, or 422 for a refused row; and what it said."""
    clock.now = NOW

    async def by_api(path: str, who: Client, said: dict[str, object]) -> tuple[int, str]:
        answer = await who.post(f"/hotline/v1/{path}", json=said)
        return answer.status_code, answer.text

    async def come(way: str, hides: Word, unit: str | None) -> tuple[int, str]:
        more = {"target_unit_code": unit, "hides_identity": hides}
        body = {**SAID, **{name: each for name, each in more.items() if each is not None}}
        if way in {"tickets", "filings"}:
            return await by_api(way, hub, {**body, "channel": "phone"})
        if way == "upstream":
            who = client.as_("upper_platform", subject="province-12345")
            due = "2026-10-20T18:00:00+08:00"
            return await by_api("upstream/tickets", who, {**body, "number": "GZ-1", "due": due})
        if way == "open311":
            async with db.transaction() as tx:
                _, key = await open311.create_key(tx, client="app-a", actor="test", now=NOW)
            form = {"api_key": key, "service_code": "report", "description": SAID["content"]}
            words = {None: {}, True: {"hides_identity": "true"}, False: {"hides_identity": "false"}}
            named = {} if unit is None else {"target_unit_code": unit}
            answer = await client.post(OPEN311, data={**form, **words[hides], **named})
            return answer.status_code, answer.text
        cell = {None: "", True: "是", False: "否"}[hides]
        content = (
            "渠道,渠道编号,诉求类型,标题,内容,姓名,电话,被反映对象,被诉单位编码,隐藏身份\n"
            f"网站,W-1,举报,违规收费,规定之外收费,张三,13812345678,某办事处,{unit or ''},{cell}"
        )
        report = await import_file(kit, content=content.encode(), actor="d-1", now=NOW)
        (row,) = report.rows
        return (201 if row.outcome is Outcome.TAKEN else 422), row.reason or ""

    return come


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("said", "hidden"), [(None, True), (True, True), (False, False)])
async def test_a_report_hides_who_made_it_unless_said_otherwise_and_names_the_accused_unit(
    comes_in: ComesIn, db: Database, way: str, said: Word, hidden: bool
) -> None:
    status, text = await comes_in(way, said, "A3")

    assert status in {200, 201}, text
    async with db.reading() as reads:
        row = (await reads.execute(select(ticket))).one()
    assert (row.hides_identity, row.target_unit_code) == (hidden, "A3")


@pytest.mark.parametrize("way", WAYS)
async def test_the_accused_unit_is_one_of_the_directory(
    comes_in: ComesIn, db: Database, way: str
) -> None:
    status, text = await comes_in(way, None, "NOBODY")

    assert status in {400, 422}
    assert "没有这个单位" in text
    async with db.reading() as reads:
        assert (await reads.execute(select(ticket))).all() == []


async def test_a_pushed_message_that_names_another_unit_is_another_message(
    comes_in: ComesIn,
) -> None:
    first = await comes_in("upstream", None, "A3")
    again = await comes_in("upstream", None, "A3")
    other = await comes_in("upstream", None, "A7")

    assert (first[0], again[0], other[0]) == (201, 200, 409)
    assert "upstream.number_reused" in other[1]


async def test_a_word_that_is_neither_is_refused(
    client: Client, kit: Kit, db: Database, clock: Clock
) -> None:
    clock.now = NOW
    content = (
        "渠道,渠道编号,诉求类型,标题,内容,姓名,电话,隐藏身份\n"
        "网站,W-1,求助,路灯不亮,三天不亮,张三丰,13812345678,也许"
    )
    async with db.transaction() as tx:
        _, key = await open311.create_key(tx, client="app-a", actor="test", now=NOW)
    form = {"api_key": key, "service_code": "report", "description": "x", "hides_identity": "也许"}

    (row,) = (await import_file(kit, content=content.encode(), actor="d-1", now=NOW)).rows
    answer = await client.post(OPEN311, data=form)

    assert (row.outcome, row.reason) == (Outcome.REFUSED, "隐藏身份应为“是”或者“否”")
    assert answer.status_code == 400
    assert "hides_identity 应为 true 或者 false" in answer.text
