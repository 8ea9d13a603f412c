import re
from datetime import datetime
from typing import Any

import pytest

from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.operations.contact_nights import arm_night
from tongban_hotline_dispatch.operations.contacts import ground_at

NOW = datetime(2026, 9, 30, 10, 0, tzinfo=SHANGHAI)
URL = "/hotline/contacts"
FORM = {
    "unit_code": "A3",
    "role": "liaison",
    "name": "张三丰",
    "post": "主任",
    "mobile": "13812345678",
    "email": "",
    "officer": "u-1",
    "completed_on": "2026-09-30",
}


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


async def test_a_unit_files_on_the_page_and_sees_it_masked(officer: Client) -> None:
    form = await officer.get(f"{URL}/new")

    filed = await officer.post(f"{URL}/new", data=FORM)
    page = await officer.get(filed.headers["location"])
    listed = await officer.get(URL)
    records = await officer.get(f"{URL}/filings")

    assert "承办单位</label>" not in form.text  # its own is meant
    assert filed.status_code == 303
    assert "已备案" in page.text
    assert "张**" in listed.text
    assert "联络员" in records.text
    for seen in (page, listed, records):
        assert "13812345678" not in seen.text
        assert "张三丰" not in seen.text


async def test_the_hub_files_for_whichever_unit_it_names(hub: Client) -> None:
    form = await hub.get(f"{URL}/new")

    filed = await hub.post(f"{URL}/new", data=FORM)

    assert form.status_code == 200
    assert '<option value="A3">A3政府</option>' in form.text
    assert filed.status_code == 303


async def test_a_late_filing_is_marked_in_the_records_and_its_due_day_explained(
    officer: Client, hub: Client, client: Client
) -> None:
    filed = await officer.post(f"{URL}/new", data={**FORM, "completed_on": "2026-08-03"})

    page = await officer.get(filed.headers["location"])
    late = await hub.get(f"{URL}/filings", params={"late": "yes"})
    (why,) = re.findall(rf"{URL}/filings/[0-9a-f-]+", late.text)
    explained = await hub.get(why)
    foreign = await client.as_("unit_officer", subject="u-7", unit="A7").get(why)

    assert "逾期备案登记" in page.text
    assert ">逾期备案<" in late.text
    assert "10个工作日" in explained.text
    assert "2026年8月17日 24:00" in explained.text
    assert foreign.status_code == 404


async def test_a_contact_is_replaced_and_ended_on_the_page(officer: Client) -> None:
    first = (await officer.post(f"{URL}/new", data=FORM)).headers["location"].partition("?")[0]
    contact_id = first.rpartition("/")[2]

    form = await officer.get(f"{URL}/new", params={"replaces": contact_id})
    li = {**FORM, "name": "李四", "officer": "u-2", "replaces": contact_id}
    second = (await officer.post(f"{URL}/new", data=li)).headers["location"].partition("?")[0]
    ended = await officer.post(
        f"{second}/end", data={"version": "1", "completed_on": "2026-09-30", "take_over": ""}
    )
    page = await officer.get(second)

    assert "接替：联络员 张**" in form.text
    assert ended.status_code == 303
    assert "备案离任" not in page.text


async def test_the_hub_unmasks_with_a_reason_on_a_page_that_is_not_kept(
    hub: Client, officer: Client
) -> None:
    url = (await officer.post(f"{URL}/new", data=FORM)).headers["location"].partition("?")[0]

    offered = await hub.get(url)
    shown = await hub.post(f"{url}/unmasked", data={"reason": "urging"})
    refused = await officer.post(f"{url}/unmasked", data={"reason": "urging"})

    assert "催办督办联系" in offered.text
    assert "13812345678" in shown.text
    assert shown.headers["cache-control"] == "no-store"
    assert refused.status_code == 403
    assert "查看原文</h2>" not in (await officer.get(url)).text


async def test_gaps_and_confirmations_are_shown_and_confirmed(
    service: Service, kit: Kit, hub: Client, officer: Client, clock: Clock
) -> None:
    ground = await ground_at(kit, now=NOW)
    async with kit.db.transaction() as tx:
        await arm_night(tx, rules=ground.rules, after=NOW)
    clock.now = datetime(2026, 10, 1, 2, 0, tzinfo=SHANGHAI)
    await service.sweeper(kit).sweep(now=clock.now)

    warned = await hub.get(URL)
    gaps = await hub.get(f"{URL}/missing")
    await officer.post(f"{URL}/new", data=FORM)
    asked = await officer.get(f"{URL}/confirmations")
    done = await officer.post(f"{URL}/confirmations", data={"quarter": "2026Q4"})
    after = await officer.get(done.headers["location"])

    assert "有 2 个单位没有在任联络员" in warned.text
    assert "A7政府" in gaps.text
    assert "2026年10月20日 24:00" in asked.text
    assert "确认无误" in asked.text
    assert "已确认" in after.text
    assert "待确认" not in after.text


@pytest.mark.parametrize("path", ["", "/new", "/filings", "/missing", "/confirmations"])
async def test_the_pages_ask_to_sign_in(client: Client, path: str, filed: Any) -> None:
    assert (await client.get(URL + path, headers={"accept": "text/html"})).status_code == 401
