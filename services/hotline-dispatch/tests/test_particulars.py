"""What is noted of an appeal besides its words: by every way in, masked, sealed, in no event."""

import json
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from tongban_common.db import Database
from tongban_common.outbox import outbox
from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.operations import open311
from tongban_hotline_dispatch.store import ticket, ticket_detail

API = "/hotline/v1"
TICKETS = f"{API}/tickets"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
SAID = {
    "complainant_kind": "legal_person",
    "enterprise_name": "桂花食品有限公司",
    "call_id": "C-20260921-7",
    "recording_ref": "rec/2026/09/21/7",
    "region_code": "520402",
    "lng": 105.947512,
    "lat": 26.253088,
    "flags": ["media", "enterprise"],
}
APPEAL = {
    "channel": "phone",
    "appeal_type": "help",
    "title": "停电",
    "content": "厂区停电两天",
    "person": {"name": "张三丰", "phone": "13812345678"},
}
NOTHING: dict[str, Any] = {**dict.fromkeys(SAID), "flags": []}
PRECISE = ("105.947512", "26.253088", "桂花食品")


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


async def registered(hub: Client, **changes: Any) -> str:
    answer = await hub.post(TICKETS, json={**APPEAL, **SAID, **changes})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def given_to(hub: Client, ticket_id: str) -> None:
    seen = (await hub.get(f"{TICKETS}/{ticket_id}")).headers["ETag"]
    body = {"unit_code": "A3"}
    answer = await hub.post(f"{TICKETS}/{ticket_id}/assign", json=body, headers={"If-Match": seen})
    assert answer.status_code == 200, answer.text


async def details(who: Client, ticket_id: str) -> dict[str, Any]:
    told = (await who.get(f"{TICKETS}/{ticket_id}")).json()["details"]
    return {name: told[name] for name in SAID}


async def test_the_hotline_sees_them_masked_and_a_unit_neither_the_call_nor_who_hides(
    hub: Client, officer: Client
) -> None:
    open_to = await registered(hub)
    hides = await registered(hub, hides_identity=True, channel="wechat")
    for each in (open_to, hides):
        await given_to(hub, each)
    masked = {**SAID, "lng": 105.95, "lat": 26.25, "flags": ["enterprise", "media"]}

    seen = await details(hub, open_to)
    assert seen.pop("enterprise_name").startswith("桂*")
    assert seen == {name: masked[name] for name in seen}
    by_unit = await details(officer, open_to)
    assert (by_unit["call_id"], by_unit["recording_ref"], by_unit["lng"]) == (None, None, 105.95)
    hidden = await details(officer, hides)
    assert hidden == {**NOTHING, "region_code": "520402", "flags": ["enterprise", "media"]}

    for who, each in ((hub, open_to), (officer, open_to), (officer, hides)):
        page = (await who.get(f"/hotline/tickets/{each}")).text
        assert ("媒体曝光" in page, "520402" in page) == (True, True)
        assert [word for word in PRECISE if word in page] == []


async def test_what_is_precise_is_sealed_in_no_event_and_seen_for_a_reason_only(
    hub: Client, client: Client, db: Database
) -> None:
    ticket_id = await registered(hub)

    async with db.reading() as reads:
        events = (await reads.execute(select(outbox.c.data))).scalars().all()
        row = (await reads.execute(select(ticket_detail))).one()
    assert [word for word in PRECISE if word in json.dumps(events, ensure_ascii=False)] == []
    assert "桂花".encode() not in row.enterprise_name
    assert b"105.947512" not in row.place
    looker = client.as_("supervisor", subject="s-1")
    look = {"fields": ["place", "enterprise_name"], "reason": "inspection"}
    seen = (await looker.post(f"{TICKETS}/{ticket_id}/identity-views", json=look)).json()
    assert "105.947512,26.253088" in json.dumps(seen, ensure_ascii=False)
    assert "桂花食品有限公司" in json.dumps(seen, ensure_ascii=False)


async def test_the_lists_and_the_file_are_filtered_by_flag_and_region(hub: Client) -> None:
    marked = await registered(hub)
    await registered(hub, flags=[], region_code="520403", channel="wechat")

    for query in ({"flag": "media"}, {"region": "520402"}):
        listed = (await hub.get(TICKETS, params=query)).json()["items"]
        assert [each["id"] for each in listed] == [marked]
        assert listed[0]["flags"] == ["enterprise", "media"]
        page = (await hub.get("/hotline/tickets", params=query)).text
        assert page.count("/hotline/tickets/0") == 1
        rows = (await hub.get(f"{API}/exports/tickets.csv", params=query)).text.splitlines()
        assert len([row for row in rows if "520402" in row]) == 1
        assert "520403" not in "".join(rows)
    assert "涉企、媒体曝光" in (await hub.get(f"{API}/exports/tickets.csv")).text


async def test_half_a_place_or_an_unknown_mark_is_refused(hub: Client) -> None:
    for wrong in ({"lng": None}, {"lat": 91}, {"flags": ["urgent"]}, {"region_code": "黔"}):
        answer = await hub.post(TICKETS, json={**APPEAL, **SAID, **wrong})
        assert answer.status_code in {400, 422}, wrong


async def test_they_come_by_file_from_above_through_open311_and_on_the_agents_form(
    hub: Client, client: Client, kit: Kit, db: Database
) -> None:
    file = (
        "渠道,渠道编号,诉求类型,标题,内容,电话,诉求人类别,企业名称,通话编号,录音引用,行政区划代码,经度,纬度,标记\n"
        "电话,M-1,求助,停电,停电两天,13812345678,企业、单位,桂花食品有限公司,C-20260921-7,"
        "rec/2026/09/21/7,520402,105.947512,26.253088,媒体曝光、涉企\n"
        "电话,M-2,求助,停水,停水两天,13812345679,,,,,52,105,,重要\n"
    )
    report = await operations.import_file(kit, content=file.encode(), actor="i", now=NOW)
    assert report.taken == 1
    refused = report.rows[1].reason or ""
    for fault in ("行政区划代码应为", "须同时给出", "标记不在"):
        assert fault in refused
    above = {
        "number": "GZ-1",
        "appeal_type": "help",
        "title": "停气",
        "content": "停气",
        "due": "2026-09-24T18:00:00+08:00",
        **SAID,
    }
    upper = client.as_("upper_platform", subject="province-12345")
    assert (await upper.post(f"{API}/upstream/tickets", json=above)).status_code == 201
    async with db.transaction() as tx:
        _, key = await open311.create_key(tx, client="app-a", actor="t", now=NOW)
    request = {
        "api_key": key,
        "service_code": "street-light",
        "lat": "26.647011",
        "long": "106.630233",
        "description": "灯灭",
        "attribute[FAULT]": "dark",
    }
    filed = await client.post("/hotline/open311/v2/requests.json", data=request)
    assert filed.status_code == 200, filed.text
    typed = {
        **{name: str(value) for name, value in SAID.items() if name != "flags"},
        "flag_media": "yes",
        "flag_enterprise": "yes",
        "phone": "13812345670",
        "appeal_type": "help",
        "title": "断网",
        "content": "断网两天",
        "urgency": "normal",
        "channel": "phone",
        "ending": "accepted",
    }
    agent = client.as_("agent", subject="a-1")
    wrong = await agent.post("/hotline/desk/agent", data={**typed, "lat": ""})
    assert (wrong.status_code, "须同时给出" in wrong.text) == (422, True)
    done = await agent.post("/hotline/desk/agent", data=typed)
    assert done.status_code == 200, done.text

    async with db.reading() as reads:
        rows = await reads.execute(select(ticket.c.title, ticket.c.id))
        ids = {row.title[:2]: row.id for row in rows}
    first = await details(hub, ids["停电"])
    assert (first["region_code"], first["flags"]) == ("520402", ["enterprise", "media"])
    assert await details(hub, ids["停气"]) == first
    assert await details(hub, ids["断网"]) == first
    (other,) = [ids[title] for title in ids if title not in {"停电", "停气", "断网"}]
    assert (await details(hub, other))["lng"] == 106.63
