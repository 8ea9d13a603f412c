"""The addresses of Open311: what is answered, in which format, and what is refused."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from tongban_common.db import Database
from tongban_common.outbox import outbox
from tongban_common.privacy import Sealer
from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_hotline_dispatch.operations import Step, assign, open311, rules_at
from tongban_hotline_dispatch.store import complainant, open311_request, ticket
from tongban_hotline_dispatch.store.complainants import opened

API = "/hotline/open311/v2"
LIGHT = {
    "service_code": "street-light",
    "lat": "26.6470",
    "long": "106.6302",
    "address_string": "桂花路12号门前",
    "description": "路灯已三天不亮\n请尽快修复，电话13812345678",
    "attribute[FAULT]": "dark",
    "attribute[LAMP_NO]": "L-0042",
    "first_name": "三丰",
    "last_name": "张",
    "email": "zhang@example.com",
    "phone": "13812345678",
    "device_id": "tt222111",
    "account_id": "acc-7",
    "media_url": "https://pictures.example/1.jpg",
}
NOTHING = {name: None for name in LIGHT if name != "service_code"}


@pytest.fixture
async def key(db: Database, clock: Clock) -> str:
    return await a_key(db, clock, "app-a")


async def a_key(db: Database, clock: Clock, client: str) -> str:
    async with db.transaction() as tx:
        _, secret = await open311.create_key(tx, client=client, actor="test", now=clock.now)
    return secret


async def post(
    client: Client,
    key: str | None,
    changed: Mapping[str, str | None] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    form: str = "json",
) -> httpx.Response:
    body = {"api_key": key, **LIGHT, **(changed or {})}
    given = {name: value for name, value in body.items() if value is not None}
    return await client.post(f"{API}/requests.{form}", data=given, headers=headers)


async def filed(client: Client, key: str, changed: Mapping[str, str | None] | None = None) -> str:
    answer = await post(client, key, changed)
    assert answer.status_code == 200, answer.text
    number: str = answer.json()[0]["service_request_id"]
    return number


async def listed(client: Client, **query: str) -> list[Any]:
    answer = await client.get(f"{API}/requests.json", params=query)
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()
    return found


async def numbers(client: Client, **query: str) -> list[str]:
    return [each["service_request_id"] for each in await listed(client, **query)]


async def count(db: Database, table: Any) -> int:
    async with db.reading() as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


async def move(kit: Kit, clock: Clock, number: str, unit: str) -> None:
    rules = await rules_at(kit, now=clock.now)
    async with kit.db.transaction() as tx:
        rows = await tx.connection.execute(select(ticket.c.id).where(ticket.c.ticket_no == number))
        step = Step(ticket_id=rows.scalar_one(), actor="d-1")
        await assign(tx, step=step, unit_code=unit, rules=rules, now=clock.now)


async def test_a_request_becomes_a_ticket_and_is_read_back(
    client: Client, key: str, kit: Kit, clock: Clock
) -> None:
    answer = await post(client, key)
    number = answer.json()[0]["service_request_id"]
    clock.forward(hours=1)
    await move(kit, clock, number, "A3")

    (one,) = (await client.get(f"{API}/requests/{number}.json")).json()

    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert "查询码" in answer.json()[0]["service_notice"]
    assert (one["status"], one["status_notes"]) == ("open", "已派单，待承办单位签收")
    assert one["agency_responsible"] == "A3政府"
    assert one["requested_datetime"] == "2026-09-21T10:00:00+08:00"
    assert one["updated_datetime"] == "2026-09-21T11:00:00+08:00"
    assert one["expected_datetime"].startswith("2026-10-")
    assert one["service_notice"].startswith("自受理之日起7个工作日内答复（")
    assert (one["lat"], one["long"], one["address"]) == (26.647, 106.6302, "桂花路12号门前")
    assert one["description"] == "路灯已三天不亮\n请尽快修复，电话138****5678"
    assert "查询码" not in one["service_notice"]


async def test_who_files_it_is_sealed_and_never_comes_back(
    client: Client, key: str, kit: Kit, db: Database
) -> None:
    number = await filed(client, key)
    told = [
        (await client.get(f"{API}/requests/{number}.{form}", params={"extensions": "true"})).text
        for form in ("json", "xml")
    ]

    async with db.reading() as connection:
        row = (await connection.execute(select(complainant))).one()
        kept = (await connection.execute(select(ticket.c.title, ticket.c.content))).one()
        own = (await connection.execute(select(open311_request))).one()
        heard = (await connection.execute(select(outbox.c.data))).scalars().all()
    person = opened(row, row.ticket_id, Sealer(kit.secret))

    assert (person.name, person.phone, person.email) == (
        "张三丰",
        "13812345678",
        "zhang@example.com",
    )
    for word in ("三丰", "zhang@", "tt222111", "acc-7"):
        assert not any(word in str(each) for each in (*told, kept, own, *heard)), word
    assert not any("13812345678" in each for each in told)


async def test_every_call_answers_in_both_formats(client: Client, key: str) -> None:
    number = await filed(client, key)

    for path in (
        "discovery",
        "services",
        "services/street-light",
        "requests",
        f"requests/{number}",
        f"servicerequestupdates?api_key={key}",
    ):
        name, _, query = path.partition("?")
        xml = await client.get(f"{API}/{name}.xml?{query}")
        json = await client.get(f"{API}/{name}.json?{query}")
        assert (xml.status_code, json.status_code) == (200, 200), path
        assert xml.headers["content-type"] == "text/xml; charset=utf-8"
        assert json.headers["content-type"] == "application/json; charset=utf-8"
        assert xml.text.startswith("<?xml version='1.0' encoding='utf-8'?>")
        assert json.json()


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"service_code": None}, 400, "缺少 service_code"),
        ({"service_code": "unknown"}, 404, "没有这个 service_code"),
        ({"jurisdiction_id": "110000"}, 404, "没有这个 jurisdiction_id"),
        ({"lat": "91"}, 400, "本辖区范围"),
        ({"attribute[FAULT]": None}, 400, "缺少 attribute[FAULT]"),
        ({"description": "长" * 4001}, 400, "description 超过4000字"),
        ({"description": "x" * 70_000}, 400, "内容超过65536字节"),
        ({"api_key": None}, 403, "api_key"),
        ({"api_key": "tb311_wrong"}, 403, "api_key"),
    ],
)
@pytest.mark.parametrize("form", ["json", "xml"])
async def test_what_is_refused_is_told_in_the_form_of_the_standard(
    client: Client,
    key: str,
    db: Database,
    form: str,
    changed: dict[str, str | None],
    status: int,
    said: str,
) -> None:
    answer = await post(client, key, changed, form=form)

    assert answer.status_code == status
    if form == "json":
        assert [each["code"] for each in answer.json()] == [status]
    else:
        assert f"<errors><error><code>{status}</code><description>" in answer.text
    assert said in answer.text
    assert await count(db, ticket) == 0


async def test_every_fault_has_an_error_of_its_own(client: Client, key: str) -> None:
    answer = await post(client, key, {"phone": "x", "email": "y", "lat": "z"})

    assert [each["code"] for each in answer.json()] == [400, 400, 400]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("requests/nothing.json", 404),
        ("requests/a.b.c.json", 404),
        ("tokens/nothing.xml", 404),
        ("services/unknown.json", 404),
        ("services.json?jurisdiction_id=110000", 404),
        ("requests.json?start_date=yesterday", 400),
        ("requests.xml?start_date=2026-01-01T00:00:00Z&end_date=2026-09-01T00:00:00Z", 400),
        ("requests.json?status=gone", 400),
        ("servicerequestupdates.json", 403),
        ("servicerequestupdates.xml?api_key=wrong", 403),
        ("services.yaml", 400),
        ("requests/1.pdf", 400),
    ],
)
async def test_a_bad_question_is_refused(client: Client, path: str, status: int) -> None:
    answer = await client.get(f"{API}/{path}")

    assert answer.status_code == status
    assert "code" in answer.text
    assert answer.headers["content-type"].startswith(("text/xml", "application/json"))


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", ""])
async def test_only_a_form_is_taken(client: Client, key: str, kind: str) -> None:
    content = f"api_key={key}&service_code=waste&address_string=a".encode()

    answer = await client.post(
        f"{API}/requests.json", content=content, headers={"content-type": kind}
    )

    assert (answer.status_code, answer.json()[0]["code"]) == (400, 400)


async def test_a_form_may_have_bare_utf8_and_values_that_are_empty(
    client: Client, key: str
) -> None:
    content = f"api_key={key}&service_code=waste&address_string=桂花路&jurisdiction_id=&lat="
    kind = "application/x-www-form-urlencoded; charset=utf-8"

    answer = await client.post(
        f"{API}/requests.json", content=content.encode(), headers={"content-type": kind}
    )

    assert answer.status_code == 200, answer.text
    (one,) = await listed(client)
    assert one["address"] == "桂花路"


async def test_control_characters_are_left_out(client: Client, key: str) -> None:
    said = "a\x00b\x1bc\ufffed\r\ne\u202e<script>&amp;"

    number = await filed(client, key, {"description": said})

    (one,) = (await client.get(f"{API}/requests/{number}.json")).json()
    xml = await client.get(f"{API}/requests/{number}.xml")
    assert one["description"] == "abcd\ne<script>&amp;"
    assert "&lt;script&gt;&amp;amp;" in xml.text


async def test_lists_are_filtered(client: Client, key: str, kit: Kit, clock: Clock) -> None:
    light = await filed(client, key)
    clock.forward(days=2)
    waste = await filed(client, key, {**NOTHING, "service_code": "waste", "address_id": "D1"})
    await move(kit, clock, light, "A3")

    assert await numbers(client) == [waste, light]
    assert await numbers(client, service_code="waste") == [waste]
    assert await numbers(client, service_code="waste,street-light") == [waste, light]
    assert await numbers(client, start_date="2026-09-22T00:00:00Z") == [waste]
    assert await numbers(client, end_date="2026-09-22T00:00:00Z") == [light]
    assert await numbers(client, service_request_id=f"{light},none", status="closed") == [light]
    assert await numbers(client, status="closed") == []
    assert await numbers(client, status="open,closed") == [waste, light]
    assert await numbers(client, updated_after="2026-09-22T00:00:00Z") == [waste, light]
    assert await numbers(client, updated_before="2026-09-22T00:00:00Z") == []
    assert await numbers(client, bbox="106,26,107,27") == [light]
    assert await numbers(client, bbox="107,26,108,27") == []
    assert await numbers(client, page_size="1", page="2") == [light]
    assert await numbers(client, jurisdiction_id="990000") == [waste, light]
    clock.forward(days=91)
    assert await numbers(client) == []


async def test_a_service_that_shows_nothing_is_not_found_by_its_place(
    client: Client, key: str
) -> None:
    noise = {"service_code": "noise", "attribute[FAULT]": None, "attribute[LAMP_NO]": None}
    number = await filed(client, key, {**noise, "attribute[COURSE]": "每夜施工"})

    (one,) = await listed(client, service_request_id=number)

    assert await numbers(client, bbox="106,26,107,27") == []
    for name in ("description", "address", "address_id", "lat", "long", "media_url"):
        assert one[name] is None, name


async def test_a_batch_is_answered_with_a_token(client: Client, key: str) -> None:
    consult = {**NOTHING, "service_code": "consult", "description": "如何办理"}
    (made,) = (await post(client, key, consult)).json()

    (found,) = (await client.get(f"{API}/tokens/{made['token']}.json")).json()

    assert "service_request_id" not in made
    assert found["token"] == made["token"]
    assert await numbers(client) == [found["service_request_id"]]


async def test_a_blackbox_is_taken_and_never_seen(client: Client, key: str, db: Database) -> None:
    report = {**NOTHING, "service_code": "report", "description": "举报"}
    (made,) = (await post(client, key, report)).json()

    async with db.reading() as connection:
        number = (await connection.execute(select(ticket.c.ticket_no))).scalar_one()
    one = await client.get(f"{API}/requests/{number}.json")
    updates = await client.get(f"{API}/servicerequestupdates.json", params={"api_key": key})

    assert not {"service_request_id", "token"} & set(made)
    assert number not in made["service_notice"]
    assert await numbers(client) == []
    assert await numbers(client, service_request_id=number) == []
    assert (one.status_code, updates.json()) == (404, [])


async def test_extensions_tell_the_fine_state(client: Client, key: str, clock: Clock) -> None:
    number = await filed(client, key)
    clock.forward(days=60)

    (one,) = await listed(client, service_request_id=number, extensions="true")

    assert one["extended_attributes"] == {
        "ticket_status": "registered",
        "update_status": "for_triage",
        "is_overdue": True,
    }
