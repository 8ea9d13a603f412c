"""单位值班电话 (hotline.md 7): filed three ways, and told of where a unit has nobody in post."""

from datetime import datetime
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from tongban_common.db import Database
from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.store.duty_phones import unit_duty_phone
from tongban_hotline_dispatch.store.supervision import supervision_notice

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
URL = "/hotline/v1/duty-phones"
PAGE = "/hotline/contacts/duty-phones"
TICKETS = "/hotline/v1/tickets"
NUMBER = "08513388612"
CSV = "单位编码,值班电话\nA3,08513388612\nA9,08513388612\nA7,电话\n"
APPEAL = {
    "channel": "phone",
    "appeal_type": "help",
    "title": "路灯不亮",
    "content": "桂花路口的路灯已三天不亮",
    "person": {"name": "张三丰", "phone": "13812345678"},
}


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


async def given(hub: Client, unit: str = "A3") -> str:
    ticket = (await hub.post(TICKETS, json=APPEAL)).json()
    answer = await hub.post(
        f"{TICKETS}/{ticket['id']}/assign",
        json={"unit_code": unit},
        headers={"If-Match": f'"{ticket["version"]}"'},
    )
    assert answer.status_code == 200, answer.text
    found: str = ticket["id"]
    return found


async def test_a_unit_files_its_own_and_the_hub_any(
    hub: Client, officer: Client, client: Client, db: Database
) -> None:
    own = await officer.put(f"{URL}/A3", json={"phone": NUMBER})
    foreign = await officer.put(f"{URL}/A7", json={"phone": NUMBER})
    unknown = await hub.put(f"{URL}/A9", json={"phone": NUMBER})
    bad = await hub.put(f"{URL}/A7", json={"phone": "不详"})
    nobody = await client.as_("agent").put(f"{URL}/A7", json={"phone": NUMBER})
    await hub.put(f"{URL}/A7", json={"phone": "12345678"})

    assert (own.status_code, bad.status_code, nobody.status_code) == (204, 422, 403)
    assert (foreign.status_code, foreign.json()["code"]) == (403, "contact.not_your_unit")
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unit.not_found")
    seen = (await officer.get(URL)).json()["items"]
    assert [(each["unit_code"], each["phone"]) for each in seen] == [("A3", NUMBER)]
    both = await hub.get(URL)
    assert len(both.json()["items"]) == 2
    assert both.headers["cache-control"] == "no-store"
    first = (await hub.get(URL, params={"limit": 1})).json()
    rest = (await hub.get(URL, params={"limit": 1, "cursor": first["next"]})).json()
    assert [each["unit_code"] for each in (*first["items"], *rest["items"])] == ["A3", "A7"]
    async with db.reading() as reads:
        rows = (await reads.execute(select(unit_duty_phone))).all()
    assert not any(NUMBER.encode() in row.phone for row in rows)

    await hub.put(f"{URL}/A3", json={"phone": None})
    assert [each["unit_code"] for each in (await hub.get(URL)).json()["items"]] == ["A7"]


async def test_a_file_brings_many_each_row_for_itself(hub: Client, officer: Client) -> None:
    report = (await hub.post(f"{URL}/import", files={"file": ("p.csv", CSV.encode())})).json()
    own = (await officer.post(f"{URL}/import", files={"file": ("p.csv", CSV.encode())})).json()
    broken = await hub.post(f"{URL}/import", files={"file": ("p.csv", b"a,b\n1,2\n")})

    assert (report["taken"], report["refused"]) == (1, 2)
    assert [row["reason"] for row in report["rows"]] == [
        None,
        "没有这个承办单位，或者该单位已停用",
        "值班电话应为5至20位数字",
    ]
    assert [row["outcome"] for row in own["rows"]] == ["taken", "refused", "refused"]
    assert broken.status_code == 400
    assert (await hub.get(URL)).json()["items"][0]["phone"] == NUMBER


async def test_the_page_lists_files_and_imports(hub: Client, officer: Client) -> None:
    filed = await officer.post(PAGE, data={"phone": NUMBER})
    seen = await officer.get(filed.headers["location"])
    imported = await hub.post(f"{PAGE}/import", files={"file": ("p.csv", CSV.encode())})
    bad = await hub.post(f"{PAGE}/import", files={"file": ("p.csv", b"")})

    assert filed.status_code == 303
    assert "已备案" in seen.text
    assert NUMBER in seen.text
    assert "批量备案" not in seen.text  # the file is the hub's
    assert "值班电话应为5至20位数字" in imported.text
    assert (bad.status_code, "文件是空的" in bad.text) == (400, True)
    assert PAGE in (await hub.get("/hotline/contacts")).text


async def test_dispatch_falls_back_to_it_where_nobody_is_in_post(
    hub: Client, officer: Client, announced: Any
) -> None:
    await hub.put(f"{URL}/A3", json={"phone": NUMBER})

    ticket = await given(hub)

    told = [data for fact, data in await announced() if fact == "unit-reached-by-duty-phone"]
    assert told == [{"ticket_id": ticket, "unit_code": "A3"}]
    assert NUMBER not in orjson.dumps(await announced()).decode()
    assert (await hub.get(URL)).json()["items"][0]["is_fallback"] is True
    assert NUMBER in (await hub.get(f"/hotline/tickets/{ticket}")).text
    assert NUMBER not in (await officer.get(f"/hotline/tickets/{ticket}")).text


async def test_who_has_a_contact_in_post_is_told_as_ever(hub: Client, announced: Any) -> None:
    await hub.put(f"{URL}/A3", json={"phone": NUMBER})
    contact = {
        "unit_code": "A3",
        "role": "liaison",
        "person": {"name": "李四", "mobile": "13912345678"},
        "completed_on": "2026-09-21",
    }
    assert (await hub.post("/hotline/v1/contacts", json=contact)).status_code == 201

    ticket = await given(hub)
    await given(hub, "A7")  # nobody in post, and no duty phone either

    assert "unit-reached-by-duty-phone" not in [fact for fact, _ in await announced()]
    assert (await hub.get(URL)).json()["items"][0]["is_fallback"] is False
    assert NUMBER not in (await hub.get(f"/hotline/tickets/{ticket}")).text


async def test_a_notice_goes_there_too_where_nobody_is_in_post(
    client: Client, hub: Client, kit: Kit
) -> None:
    ticket = await given(hub)
    center = client.as_("supervisor", subject="c-1")
    order = {"level": "U1", "cause": "MEDIA", "ticket_ids": [ticket], "words": "请说明"}
    assert (await center.post("/hotline/v1/supervisions", json=order)).status_code == 201
    await hub.put(f"{URL}/A3", json={"phone": NUMBER})

    made = (await center.post("/hotline/v1/supervisions", json=order)).json()

    async with kit.db.reading() as reads:
        rows = await reads.execute(select(supervision_notice).order_by(supervision_notice.c.at))
        before, after = (list(row.audience) for row in rows)
    assert before == ["operator", "liaison"]
    assert after == ["operator", "liaison", "duty_phone"]
    page = await center.get(f"/hotline/supervisions/{made['id']}")
    assert "承办单位值班电话" in page.text
