"""Who asks is in no table in clear, whatever is posted under an Idempotency-Key."""

import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from tongban_common.audit import audit
from tongban_common.db import Database
from tongban_common.idempotency import idempotency
from tongban_common.testing import Client, Clock, in_clear
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.operations import open311
from tongban_hotline_dispatch.store import identity_view

API = "/hotline/v1"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
NAME, PHONE, LANDLINE = "欧阳鹤鸣", "13812349876", "0851-55512349"
ADDRESS, EMAIL = "桂花路8号3单元", "heming@example.com"
PERSONAL = (NAME, PHONE, LANDLINE, LANDLINE.replace("-", ""), ADDRESS, EMAIL)
PERSON = {"name": NAME, "phone": PHONE, "address": ADDRESS}
APPEAL = {
    "channel": "phone",
    "appeal_type": "help",
    "title": "路灯不亮",
    "content": "路口的路灯已三天不亮",
    "person": PERSON,
}
Json = dict[str, Any]
Registered = Callable[..., Awaitable[Json]]
# What a generated value would not find: an operation that takes or answers personal data must work.
FITTING: dict[str, Callable[[Json], Json]] = {
    "/tickets": lambda _: APPEAL,
    "/filings": lambda _: APPEAL,
    "/emergencies": lambda _: {"line": "110", "words": "着火", "phone": PHONE, "address": ADDRESS},
    "/duplicates": lambda _: {"title": "路灯", "phone": PHONE, "address": ADDRESS},
    "/callers": lambda _: {"phone": PHONE},
    "/ticket-searches": lambda _: {"phone": PHONE},
    "/evidence-packs": lambda made: {"ticket_id": made["id"], "reason": "MALICIOUS"},
    "/tickets/{ticket_id}/identity-views": lambda _: {
        "fields": ["name", "phone", "address"],
        "reason": "callback",
    },
    "/upstream/tickets": lambda _: {
        "number": "GZ-2026-000017",
        "appeal_type": "help",
        "title": "路灯不亮",
        "content": "路灯不亮",
        "person": PERSON,
        "due": "2026-09-24T18:00:00+08:00",
    },
    "/contacts": lambda _: {
        "unit_code": "A3",
        "role": "platform_operator",
        "person": {
            "name": NAME,
            "post": "主任",
            "office_phone": LANDLINE,
            "mobile": PHONE,
            "email": EMAIL,
            "officer": "u-1",
        },
        "completed_on": "2026-09-21",
    },
}
CSV = "\n".join(
    (
        "渠道,渠道编号,诉求类型,标题,内容,姓名,电话,地址",
        f"网民留言,M-1,求助,路灯,路灯不亮,{NAME},{PHONE},{ADDRESS}",
    )
).encode()
PDF = b"%PDF-1.7\n" + f"{NAME} {PHONE}".encode() * 20
_NAMED = {
    "name": NAME,
    "phone": PHONE,
    "mobile": PHONE,
    "office_phone": LANDLINE,
    "address": ADDRESS,
    "email": EMAIL,
    "unit_code": "A3",
}
_BY_FORMAT = {"date": "2026-09-21", "date-time": "2026-09-21T10:00:00+08:00"}


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
def admin(client: Client) -> Client:
    return client.as_("admin", subject="province-12345")  # who is a platform too


@pytest.fixture
def registered(hub: Client) -> Registered:
    async def register(**more: object) -> Json:
        answer = await hub.post(f"{API}/tickets", json={**APPEAL, **more})
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()
        return made

    return register


def keyed(key: str | None = None) -> dict[str, str]:
    return {"Idempotency-Key": key or str(uuid4())}


async def test_a_look_is_told_once_and_a_second_one_is_a_new_record(
    registered: Registered, client: Client, db: Database
) -> None:
    who = client.as_("supervisor", subject="s-1")
    path = f"{API}/tickets/{(await registered())['id']}/identity-views"
    body = {"fields": ["name", "phone"], "reason": "callback"}

    first = await who.post(path, json=body, headers=keyed("look-0001"))
    again = await who.post(path, json=body, headers=keyed("look-0001"))

    assert first.status_code == 201, first.text
    assert first.json()["fields"] == {"name": NAME, "phone": PHONE}
    assert again.status_code == 409
    assert again.json()["code"] == "idempotency.answer_not_kept"
    assert "新的 Idempotency-Key" in again.json()["detail"]
    assert NAME not in again.text
    assert await in_clear(db, PERSONAL) == []
    anew = await who.post(path, json=body, headers=keyed("look-0002"))
    assert anew.status_code == 201
    async with db.reading() as connection:
        records = await connection.execute(select(func.count()).select_from(identity_view))
        assert records.scalar() == 2


@pytest.mark.parametrize("form", ["csv", "xlsx"])
async def test_an_evidence_pack_is_sent_under_a_key_and_taken_once(
    registered: Registered, client: Client, db: Database, *, form: str
) -> None:
    who = client.as_("supervisor", subject="s-1")
    made = await registered(disposition="MALICIOUS")
    body = {"ticket_id": made["id"], "reason": "MALICIOUS", "form": form}

    first = await who.post(f"{API}/evidence-packs", json=body, headers=keyed("pack-0001"))
    again = await who.post(f"{API}/evidence-packs", json=body, headers=keyed("pack-0001"))

    assert first.status_code == 200, first.text
    assert (NAME if form == "csv" else "PK").encode() in first.content
    assert again.status_code == 409
    assert again.json()["code"] == "idempotency.answer_not_kept"
    async with db.reading() as connection:
        assert len((await connection.execute(select(audit))).all()) == 1
        assert (await connection.execute(select(idempotency.c.body))).scalars().all() == [None]
    assert await in_clear(db, PERSONAL) == []


async def test_a_query_code_that_got_lost_is_told_again(hub: Client) -> None:
    first = await hub.post(f"{API}/tickets", json=APPEAL, headers=keyed("file-0001"))
    again = await hub.post(f"{API}/tickets", json=APPEAL, headers=keyed("file-0001"))

    assert first.json() == again.json()
    assert again.json()["query_code"]
    assert again.headers["cache-control"] == "no-store"


async def test_no_operation_leaves_who_asks_in_clear_in_any_table(
    registered: Registered, app: FastAPI, hub: Client, officer: Client, admin: Client, db: Database
) -> None:
    """Every POST twice, by somebody who may; where that fails, by the unit that has the ticket."""
    openapi = app.openapi()
    done = set()
    for path, body in posts(openapi):
        malicious = {"disposition": "MALICIOUS"} if path == "/evidence-packs" else {}
        for who in (admin, officer):
            made = await registered(**malicious)
            if who is officer:
                made = await in_hand(hub, officer, made)
            if await twice(who, path, sent(path, body, openapi, made), made):
                done.add(path)
                break
        assert await in_clear(db, PERSONAL) == [], path

    assert done >= {*FITTING, "/imports", "/tickets/{ticket_id}/attachments"}
    assert len(done) > 35
    assert personal(openapi) <= FITTING.keys()


async def in_hand(hub: Client, officer: Client, made: Json) -> Json:
    for who, move, body in ((hub, "assign", {"unit_code": "A3"}), (officer, "sign", None)):
        answer = await who.post(
            f"{API}/tickets/{made['id']}/{move}",
            json=body,
            headers={**keyed(), "If-Match": f'"{made["version"]}"'},
        )
        assert answer.status_code == 200, answer.text
        made |= {"version": answer.json()["version"]}
    return made


async def twice(who: Client, path: str, asked: Json, made: Json) -> bool:
    """The same under the same key. True when it was done."""
    headers = {**keyed(), "If-Match": f'"{made["version"]}"'}
    if path.startswith("/public/"):
        headers |= {"X-Ticket-No": made["ticket_no"], "X-Query-Code": made["query_code"]}
        who = Client(transport=who._transport, base_url=who.base_url)  # nobody
    url = API + re.sub(r"\{\w+\}", made["id"], path)
    answers = [await who.post(url, headers=headers, **asked) for _ in range(2)]
    if path == "/imports":
        assert answers[0].json()["taken"] == 1, answers[0].text
    assert all(answer.status_code < 500 for answer in answers), (path, answers[0].text)
    return answers[0].is_success


async def test_an_open311_request_leaves_its_filer_in_clear_nowhere(
    client: Client, db: Database
) -> None:
    async with db.transaction() as tx:
        _, key = await open311.create_key(tx, client="app-a", actor="test", now=NOW)
    body = {
        "api_key": key,
        "service_code": "waste",
        "lat": "26.6470",
        "long": "106.6302",
        "description": "垃圾三天未清运",
        "first_name": NAME[2:],
        "last_name": NAME[:2],
        "phone": PHONE,
        "email": EMAIL,
    }
    url = "/hotline/open311/v2/requests.json"

    first = await client.post(url, data=body, headers=keyed("send-0001"))
    again = await client.post(url, data=body, headers=keyed("send-0001"))

    assert first.status_code == 200, first.text
    assert first.json() == again.json()
    assert await in_clear(db, (*PERSONAL, NAME[2:])) == []


def posts(openapi: Json) -> Iterator[tuple[str, Json]]:
    """Every POST that there is: its path below the API's, and what it takes."""
    for path, operations in openapi["paths"].items():
        if "post" in operations:
            yield path.removeprefix(API), operations["post"].get("requestBody", {})


def sent(path: str, body: Json, openapi: Json, made: Json) -> Json:
    if path in FITTING:
        return {"json": FITTING[path](made)}
    for kind, content in body.get("content", {}).items():
        if kind == "application/json":
            return {"json": a_value(content["schema"], openapi, made)}
        form = a_value(content["schema"], openapi, made)
        form.pop("file")
        suffix, file = ("csv", CSV) if path == "/imports" else ("pdf", PDF)
        return {"files": {"file": (f"{NAME}.{suffix}", file)}, "data": form}
    return {}


def a_value(schema: Json, openapi: Json, made: Json, name: str = "") -> Any:
    """One value that fits."""
    schema = resolved(schema, openapi)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    kind = schema.get("type")
    if kind == "object":
        return {
            key: a_value(inner, openapi, made, key)
            for key, inner in schema.get("properties", {}).items()
        }
    if kind == "array":
        return [a_value(schema["items"], openapi, made, name)]
    if kind in {"integer", "number", "boolean"}:
        return schema.get("minimum", 1) if kind != "boolean" else True
    if schema.get("format") == "uuid":
        return made["id"]
    return _NAMED.get(name, _BY_FORMAT.get(schema.get("format", ""), "其他"))


def resolved(schema: Json, openapi: Json) -> Json:
    if "$ref" in schema:
        return resolved(
            openapi["components"]["schemas"][schema["$ref"].rpartition("/")[2]], openapi
        )
    for each in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        if each.get("type") != "null":
            return resolved(each, openapi)
    return schema


def personal(openapi: Json) -> set[str]:
    """The operations that take somebody's name, phone or address by JSON."""
    return {
        path
        for path, body in posts(openapi)
        for kind, content in body.get("content", {}).items()
        if kind == "application/json"
        and fields(content["schema"], openapi) & {"name", "phone", "mobile", "address", "email"}
    }


def fields(schema: Json, openapi: Json) -> set[str]:
    schema = resolved(schema, openapi)
    inner = schema.get("properties", {})
    deeper = (*inner.values(), *([schema["items"]] if "items" in schema else []))
    return set(inner).union(*(fields(each, openapi) for each in deeper))
