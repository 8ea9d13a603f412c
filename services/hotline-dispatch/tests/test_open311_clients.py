"""The clients of Open311: their keys, what they send again, what they are told and tell."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from tongban_common.audit import audit
from tongban_common.db import Database
from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_hotline_dispatch.operations import Step, assign, open311, rules_at
from tongban_hotline_dispatch.store import open311_key, ticket

API = "/hotline/open311/v2"
WASTE = {
    "service_code": "waste",
    "lat": "26.6470",
    "long": "106.6302",
    "description": "垃圾三天未清运",
}


@pytest.fixture
async def key(db: Database, clock: Clock) -> str:
    return await a_key(db, clock, "app-a")


async def a_key(db: Database, clock: Clock, client: str) -> str:
    async with db.transaction() as tx:
        _, secret = await open311.create_key(tx, client=client, actor="test", now=clock.now)
    return secret


async def post(
    client: Client,
    key: str,
    changed: Mapping[str, str] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    form: str = "json",
) -> httpx.Response:
    body = {"api_key": key, **WASTE, **(changed or {})}
    return await client.post(f"{API}/requests.{form}", data=body, headers=headers)


async def filed(client: Client, key: str, changed: Mapping[str, str] | None = None) -> str:
    answer = await post(client, key, changed)
    assert answer.status_code == 200, answer.text
    number: str = answer.json()[0]["service_request_id"]
    return number


async def numbers(client: Client, **query: str) -> list[str]:
    answer = await client.get(f"{API}/requests.json", params=query)
    return [each["service_request_id"] for each in answer.json()]


async def count(db: Database, table: Any) -> int:
    async with db.reading() as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


async def move(kit: Kit, clock: Clock, number: str, unit: str) -> None:
    rules = await rules_at(kit, now=clock.now)
    async with kit.db.transaction() as tx:
        rows = await tx.connection.execute(select(ticket.c.id).where(ticket.c.ticket_no == number))
        step = Step(ticket_id=rows.scalar_one(), actor="d-1")
        await assign(tx, step=step, unit_code=unit, rules=rules, now=clock.now)


async def test_what_a_client_sends_again_is_the_same_request(
    client: Client, key: str, db: Database
) -> None:
    again = {"attribute[fixmystreet_id]": "77"}
    headers = {"Idempotency-Key": "send-0001"}

    first, second = await filed(client, key, again), await filed(client, key, again)
    keyed = [await post(client, key, headers=headers) for _ in range(2)]
    other = await post(client, key, {"description": "另一件"}, headers=headers)

    assert first == second
    assert keyed[0].json() == keyed[1].json()
    assert (other.status_code, other.json()[0]["code"]) == (400, 400)
    assert await count(db, ticket) == 2


async def test_twins_at_the_same_moment_become_one_request(
    client: Client, key: str, db: Database
) -> None:
    again = {"attribute[fixmystreet_id]": "78"}

    made = await asyncio.gather(*(filed(client, key, again) for _ in range(8)))

    assert len(set(made)) == 1
    assert await count(db, ticket) == 1


async def test_a_client_posts_so_often_in_a_minute_and_no_more(
    client: Client, key: str, db: Database, clock: Clock
) -> None:
    async with db.transaction() as tx:
        full = open311_key.update().values(minute=clock.now, used=119)
        await tx.connection.execute(full)

    last = await post(client, key)
    over = await post(client, key)
    refused_first = await post(client, key, form="xml")
    clock.forward(minutes=1)
    next_minute = await post(client, key)

    assert (last.status_code, over.status_code, next_minute.status_code) == (200, 429, 200)
    assert over.headers["retry-after"] == "60"
    assert "<code>429</code>" in refused_first.text
    assert await count(db, ticket) == 2


async def test_a_revoked_key_opens_nothing(
    client: Client, key: str, db: Database, clock: Clock
) -> None:
    async with db.transaction() as tx:
        await open311.revoke_key(tx, key_id=1, actor="test", now=clock.now)

    posted = await post(client, key)
    asked = await client.get(f"{API}/servicerequestupdates.json", params={"api_key": key})

    assert (posted.status_code, asked.status_code) == (403, 403)
    async with db.reading() as connection:
        acts = (await connection.execute(select(audit.c.action).order_by(audit.c.id))).scalars()
        assert list(acts) == ["open311.key_created", "open311.key_revoked"]


async def test_a_key_is_kept_as_a_digest_only(key: str, db: Database) -> None:
    async with db.reading() as connection:
        row = (await connection.execute(select(open311_key))).one()

    assert key.startswith("tb311_")
    assert key not in str(row)
    assert len(row.digest) == 32


async def test_a_client_follows_its_own_requests(
    client: Client, key: str, kit: Kit, db: Database, clock: Clock
) -> None:
    number = await filed(client, key)
    other = await a_key(db, clock, "app-b")
    clock.forward(hours=1)
    await move(kit, clock, number, "A3")
    params = {"api_key": key, "start_date": "2026-09-21T02:30:00Z"}

    mine = (await client.get(f"{API}/servicerequestupdates.json", params=params)).json()
    theirs = await client.get(
        f"{API}/servicerequestupdates.json", params={**params, "api_key": other}
    )

    assert mine == [
        {
            "update_id": f"{number}-2",
            "service_request_id": number,
            "status": "internal_referral",
            "updated_datetime": "2026-09-21T11:00:00+08:00",
            "description": "已派单，待承办单位签收",
            "media_url": None,
        }
    ]
    assert theirs.json() == []


async def test_the_reply_comes_with_the_last_update(
    client: Client, key: str, hub: Client, officer: Client, kit: Kit, clock: Clock, db: Database
) -> None:
    number = await filed(client, key)
    await move(kit, clock, number, "A3")
    async with db.reading() as connection:
        ticket_id = (await connection.execute(select(ticket.c.id))).scalar_one()
    for who, step, version, body in (
        (officer, "sign", 2, None),
        (officer, "reply", 3, {"text": "已修复，负责人13812345678"}),
        (hub, "close", 4, None),
    ):
        url = f"/hotline/v1/tickets/{ticket_id}/{step}"
        answer = await who.post(url, json=body, headers={"If-Match": f'"{version}"'})
        assert answer.status_code == 200, answer.text

    params = {"api_key": key}
    told = (await client.get(f"{API}/servicerequestupdates.json", params=params)).json()

    assert [each["status"] for each in told][-1] == "closed"
    assert told[-1]["description"] == "已办结。答复：已修复，负责人138****5678"
    assert not any("已修复" in each["description"] for each in told[:-1])
    assert await numbers(client, status="closed") == [number]


async def test_news_of_a_request_reach_its_staff_once(
    client: Client, key: str, hub: Client, officer: Client, db: Database, clock: Clock
) -> None:
    number = await filed(client, key)
    body = {
        "api_key": key,
        "update_id": "u-1",
        "updated_datetime": "2026-09-21T09:00:00+08:00",
        "service_request_id": number,
        "status": "OPEN",
        "description": "仍然不亮，请联系13812345678",
        "email": "zhang@example.com",
    }
    url = f"{API}/servicerequestupdates"

    first = await client.post(f"{url}.json", data=body)
    again = await client.post(f"{url}.xml", data=body)
    strange = await client.post(f"{url}.json", data={**body, "service_request_id": "none"})
    other = await client.post(
        f"{url}.json", data={**body, "api_key": await a_key(db, clock, "app-b")}
    )

    assert first.json() == [{"update_id": "u-1"}]
    assert "<request_update><update_id>u-1</update_id></request_update>" in again.text
    assert (strange.status_code, other.status_code) == (404, 404)
    async with db.reading() as connection:
        ticket_id = (await connection.execute(select(ticket.c.id))).scalar_one()
    seen = (await hub.get(f"/hotline/v1/tickets/{ticket_id}/open311")).json()
    assert [each["description"] for each in seen["news"]] == ["仍然不亮，请联系138****5678"]
    assert (seen["client"], seen["lat"], seen["long"]) == ("app-a", 26.647, 106.6302)
    assert (await officer.get(f"/hotline/v1/tickets/{ticket_id}/open311")).status_code == 404
    assert (await client.get(f"/hotline/v1/tickets/{ticket_id}/open311")).status_code == 401
