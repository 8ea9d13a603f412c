from datetime import datetime, timedelta
from typing import Any

import pytest

from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain import assignment
from tongban_hotline_dispatch.pages.ticket_view import CLOCK_NAMES
from tongban_hotline_dispatch.store import Complainant

NOW = datetime(2026, 9, 30, 10, 0, tzinfo=SHANGHAI)
CSV = (
    "渠道,渠道编号,诉求类型,标题,内容\r\n"
    "微信,T-1,求助,路灯不亮,已三天不亮\r\n"
    "飞鸽,T-2,求助,路灯不亮,已三天不亮\r\n"
)


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


async def test_the_list_shows_what_is_late_and_what_soon_will_be(
    hub: Client, filed: Any, clock: Clock
) -> None:
    await filed(NOW, unit="A3")

    calm = (await hub.get("/hotline/tickets")).text
    clock.now = datetime(2026, 10, 12, 9, 0, tzinfo=SHANGHAI)
    near = (await hub.get("/hotline/tickets")).text
    clock.now = datetime(2026, 10, 14, 0, 0, tzinfo=SHANGHAI)
    late = (await hub.get("/hotline/tickets")).text
    clock.now = datetime(2026, 10, 30, 0, 0, tzinfo=SHANGHAI)
    later = (await hub.get("/hotline/tickets")).text

    assert "2026年10月13日 24:00" in calm
    assert "临期" not in calm
    assert ">临期<" in near
    assert ">超期<" in late
    assert "超过市民等候期限" not in late
    assert "超过市民等候期限" in later


async def test_the_list_is_filtered_and_paged(hub: Client, officer: Client, filed: Any) -> None:
    mine, other, _ = await filed(NOW, unit="A3"), await filed(NOW, unit="A7"), await filed(NOW)

    by_unit = (await hub.get("/hotline/tickets", params={"unit": "A7"})).text
    by_status = (await hub.get("/hotline/tickets", params={"status": "registered"})).text
    late = (await hub.get("/hotline/tickets", params={"overdue": "yes", "unit": ""})).text
    paged = (await hub.get("/hotline/tickets", params={"limit": 1})).text
    own = (await officer.get("/hotline/tickets", params={"unit": "A7"})).text

    assert other.ticket_no in by_unit
    assert mine.ticket_no not in by_unit
    assert mine.ticket_no not in by_status
    assert "暂无记录" in late
    assert "下一页" in paged
    assert mine.ticket_no in own
    assert other.ticket_no not in own


async def test_a_ticket_shows_its_history_and_its_deadlines_day_by_day(
    hub: Client, filed: Any
) -> None:
    made = await filed(NOW, unit="A3", person=Complainant(name="张三丰", phone="13812345678"))

    page = (await hub.get(f"/hotline/tickets/{made.id}")).text

    for said in ("承办单位答复期限", "市民等候期限", "国庆节放假", "调休上班", "起算日不计入"):
        assert said in page
    assert "hotline-limits/guizhou_default@2" in page
    assert "A3政府" in page
    assert "张**" in page
    assert "138****5678" in page
    assert "13812345678" not in page


async def test_a_ticket_is_led_through_its_moves(hub: Client, officer: Client, filed: Any) -> None:
    url = f"/hotline/tickets/{(await filed(NOW)).id}"

    sent = await hub.post(f"{url}/assign", data={"version": "1", "unit_code": "A3"})
    stale = await officer.post(f"{url}/sign", data={"version": "1"})
    await officer.post(f"{url}/sign", data={"version": "2"})
    empty = await officer.post(f"{url}/reply", data={"version": "3", "text": " "})
    nul = await officer.post(f"{url}/reply", data={"version": "3", "text": "已\x00修复"})
    foreign = await hub.post(f"{url}/reply", data={"version": "3", "text": "已修复"})
    await officer.post(f"{url}/reply", data={"version": "3", "text": "已修复"})
    unknown = await hub.post(f"{url}/destroy", data={"version": "4"})
    await hub.post(f"{url}/close", data={"version": "4"})
    page = (await hub.get(f"{url}?said=done")).text

    assert (sent.status_code, sent.headers["location"]) == (303, f"{url}?said=done")
    codes = [each.status_code for each in (stale, empty, nul, foreign, unknown)]
    assert codes == [412, 422, 422, 403, 404]
    for said in ("已办理", "已办结", "登记", "派单", "签收", "答复", "已修复"):
        assert said in page


async def test_only_the_moves_that_are_legal_and_ones_own_are_offered(
    hub: Client, officer: Client, filed: Any
) -> None:
    url = f"/hotline/tickets/{(await filed(NOW, unit='A3')).id}"

    assert f"{url}/sign" in (await officer.get(url)).text
    offered = (await hub.get(url)).text
    assert f"{url}/sign" not in offered
    assert f"{url}/transfer" in offered
    assert f"{url}/review-pass" not in offered


async def test_another_units_ticket_is_as_if_it_were_not_there(officer: Client, filed: Any) -> None:
    made = await filed(NOW, unit="A7")

    hidden = await officer.get(f"/hotline/tickets/{made.id}", headers={"accept": "text/html"})

    assert hidden.status_code == 404
    assert "没有这个工单" in hidden.text


async def test_an_import_is_reported_row_by_row(hub: Client, clock: Clock) -> None:
    upload = {"file": ("诉求.csv", CSV.encode("gbk"), "text/csv")}

    form = await hub.get("/hotline/import")
    first = await hub.post("/hotline/import", files=upload)
    clock.now += timedelta(days=1)
    again = await hub.post("/hotline/import", files=upload)
    broken = await hub.post("/hotline/import", files={"file": ("a.csv", b"", "text/csv")})

    assert "必需的列：渠道、渠道编号、诉求类型、标题、内容" in form.text
    assert "导入 1 条，已有 0 条，未导入 1 条" in first.text
    assert "渠道不在允许的取值之内" in first.text
    assert "导入 0 条，已有 1 条，未导入 1 条" in again.text
    assert (broken.status_code, "文件是空的" in broken.text) == (400, True)


async def test_the_citizen_looks_up_progress_without_signing_in(client: Client, filed: Any) -> None:
    made = await filed(NOW)
    numbers = {"ticket_no": made.ticket_no, "query_code": made.query_code}

    form = await client.get("/hotline/progress")
    entered = await client.post("/hotline/progress", data=numbers)
    found = await client.get("/hotline/progress")
    wrong = await client.post("/hotline/progress", data={**numbers, "query_code": "87654321"})

    assert (form.status_code, entered.status_code) == (200, 303)
    assert "路灯不亮" in found.text
    assert "待派单" in found.text
    assert found.headers["cache-control"] == "no-store"
    assert (wrong.status_code, "请核对" in wrong.text) == (404, True)
    assert made.query_code not in found.text


@pytest.mark.parametrize("path", ["/hotline/tickets", "/hotline/import"])
async def test_staff_pages_ask_to_sign_in(client: Client, path: str) -> None:
    assert (await client.get(path, headers={"accept": "text/html"})).status_code == 401


def test_every_clock_has_a_name_for_people() -> None:
    assert set(CLOCK_NAMES) == set(assignment.Clock)
