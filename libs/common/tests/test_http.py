import asyncio
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from toy_service import counter

from tongban_common.auth import SESSION_COOKIE
from tongban_common.db import Database
from tongban_common.idempotency import idempotency
from tongban_common.issuer import DevelopmentIssuer
from tongban_common.outbox import outbox
from tongban_common.testing import Client, Clock

URL = "/toy/v1/counters"


@pytest.fixture
def staff(client: Client) -> Client:
    return client.as_("counter")


async def rows(db: Database) -> int:
    async with db.reading() as connection:
        return int(
            (await connection.execute(select(func.count()).select_from(counter))).scalar_one()
        )


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = answer.json()
    assert body["code"] == code
    assert body["status"] == status
    assert body["trace_id"]
    return body


async def test_a_created_resource_has_its_place_and_version(staff: Client) -> None:
    answer = await staff.post(URL, json={})

    assert answer.status_code == 201
    assert answer.headers["location"].endswith(answer.json()["id"])
    assert answer.headers["etag"] == '"1"'


async def test_the_same_key_and_body_get_the_same_answer(staff: Client, db: Database) -> None:
    headers = {"Idempotency-Key": "key-0001"}

    first = await staff.post(URL, json={"note": "a"}, headers=headers)
    second = await staff.post(
        URL, content=b'{ "note" : "a" }', headers={**headers, "content-type": "application/json"}
    )

    assert second.status_code == 201
    assert second.json() == first.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert second.headers["location"] == first.headers["location"]
    assert await rows(db) == 1


async def test_the_same_key_with_another_body_is_refused(staff: Client, db: Database) -> None:
    headers = {"Idempotency-Key": "key-0001"}
    await staff.post(URL, json={"note": "a"}, headers=headers)

    answer = await staff.post(URL, json={"note": "b"}, headers=headers)

    assert_problem(answer, 422, "idempotency.key_reused")
    assert await rows(db) == 1


async def test_keys_of_different_principals_are_different_keys(
    client: Client, db: Database
) -> None:
    headers = {"Idempotency-Key": "key-0001"}

    await client.as_("counter", subject="one").post(URL, json={}, headers=headers)
    await client.as_("counter", subject="two").post(URL, json={}, headers=headers)

    assert await rows(db) == 2


async def test_concurrent_twins_make_one_row(staff: Client, db: Database) -> None:
    keys = [f"key-{n:06}" for n in range(12)]

    answers = await asyncio.gather(
        *(staff.post(URL, json={}, headers={"Idempotency-Key": key}) for key in keys * 10)
    )

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 12
    assert await rows(db) == 12


async def test_nothing_is_stored_for_what_failed(staff: Client, db: Database) -> None:
    headers = {"Idempotency-Key": "key-0001"}

    refused = await staff.post(URL, json={"unknown": 1}, headers=headers)
    assert_problem(refused, 422, "request.invalid")
    again = await staff.post(URL, json={}, headers=headers)

    assert again.status_code == 201
    async with db.reading() as connection:
        kept = await connection.execute(select(func.count()).select_from(idempotency))
        assert kept.scalar() == 1


async def test_the_commit_comes_before_the_answer(staff: Client, db: Database) -> None:
    answer = await staff.post(URL, json={})

    async with db.reading() as connection:
        announced = (await connection.execute(select(outbox))).one()
    assert announced.subject == answer.json()["id"]


async def test_a_transition_needs_if_match_and_the_current_version(staff: Client) -> None:
    made = (await staff.post(URL, json={})).json()
    url = f"{URL}/{made['id']}/count"

    assert_problem(await staff.post(url), 428, "precondition.if_match_missing")
    assert_problem(
        await staff.post(url, headers={"If-Match": "soon"}), 400, "precondition.bad_if_match"
    )
    stale = await staff.post(url, headers={"If-Match": '"7"'})
    assert assert_problem(stale, 412, "precondition.changed_meanwhile")["current"] == 1
    moved = await staff.post(url, headers={"If-Match": '"1"'})
    assert moved.headers["etag"] == '"2"'


async def test_a_refused_transition_changes_nothing(staff: Client, db: Database) -> None:
    made = (await staff.post(URL, json={})).json()

    await staff.post(f"{URL}/{made['id']}/count", headers={"If-Match": '"7"'})

    async with db.reading() as connection:
        assert (await connection.execute(select(counter.c.value))).scalar() == 1
        announced = await connection.execute(select(func.count()).select_from(outbox))
        assert announced.scalar() == 1


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 400, "request.not_json"),
        (b"[1]", 422, "request.invalid"),
        (b'"text"', 422, "request.invalid"),
        (b'{"note": "a\\u0000b"}', 422, "request.nul"),
        (b'{"note": "a\x00b"}', 422, "request.nul"),
        (b'{"note": "' + b"x" * (2 << 20) + b'"}', 413, "request.too_large"),
        (b"\xff\xfe", 400, "request.not_json"),
    ],
    ids=["half", "array", "text", "escaped NUL", "raw NUL", "2 MB", "not UTF-8"],
)
async def test_a_bad_body_is_refused_clearly(
    staff: Client, content: bytes, status: int, code: str
) -> None:
    answer = await staff.post(URL, content=content, headers={"content-type": "application/json"})

    assert_problem(answer, status, code)


async def test_a_refusal_never_echoes_what_was_sent(staff: Client) -> None:
    answer = await staff.post(URL, json={"note": {"phone": "13812345678"}, "张三": "13812345678"})

    assert_problem(answer, 422, "request.invalid")
    assert "13812345678" not in answer.text
    assert "张三" not in answer.text


@pytest.mark.parametrize("url", [f"{URL}%00", f"{URL}?cursor=%00"])
async def test_a_nul_in_the_address_is_refused(client: Client, url: str) -> None:
    assert_problem(await client.get(url), 400, "request.nul")


async def test_pages_follow_one_another_without_loss(staff: Client) -> None:
    made = {(await staff.post(URL, json={})).json()["id"] for _ in range(7)}

    found: list[str] = []
    cursor = None
    for _ in range(4):
        page = (
            await staff.get(URL, params={"limit": 3, **({"cursor": cursor} if cursor else {})})
        ).json()
        found += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break

    assert len(found) == 7
    assert set(found) == made


@pytest.mark.parametrize("spoil", ["x", "", "AAAA", "é"])
async def test_a_tampered_cursor_is_refused(staff: Client, spoil: str) -> None:
    for _ in range(3):
        await staff.post(URL, json={})
    cursor = (await staff.get(URL, params={"limit": 2})).json()["next"]

    answer = await staff.get(URL, params={"limit": 2, "cursor": spoil + cursor[:-4]})

    assert_problem(answer, 400, "page.bad_cursor")


async def test_a_cursor_of_another_filter_is_refused(staff: Client) -> None:
    for _ in range(3):
        await staff.post(URL, json={})
    cursor = (await staff.get(URL, params={"limit": 2})).json()["next"]

    answer = await staff.get(URL, params={"limit": 2, "cursor": cursor, "status": "open"})

    assert_problem(answer, 400, "page.bad_cursor")


async def test_staff_routes_ask_to_sign_in_and_check_the_permission(client: Client) -> None:
    assert_problem(await client.post(URL, json={}), 401, "auth.sign_in_needed")
    reader = client.as_("reader")
    assert_problem(await reader.post(URL, json={}), 403, "auth.not_permitted")


async def test_a_bad_token_is_refused(
    client: Client, issuer: DevelopmentIssuer, clock: Clock
) -> None:
    expired = issuer.token(subject="x", roles=["counter"], hours=-1)
    for token in ("nonsense", "a.b.c", expired, expired[:-3] + "AAA", "x" * 9000):
        answer = await client.post(URL, json={}, headers={"Authorization": f"Bearer {token}"})
        assert_problem(answer, 401, "auth.bad_token")


async def test_a_session_cookie_is_not_accepted_from_another_site(
    client: Client, issuer: DevelopmentIssuer
) -> None:
    client.cookies.set(SESSION_COOKIE, issuer.token(subject="x", roles=["counter"]))

    theirs = await client.post(URL, json={}, headers={"Origin": "https://elsewhere.example"})
    ours = await client.post(URL, json={}, headers={"Origin": "http://testserver"})

    assert_problem(theirs, 403, "auth.cross_site")
    assert ours.status_code == 201


async def test_a_session_that_ran_out_leaves_public_pages_readable(
    client: Client, issuer: DevelopmentIssuer
) -> None:
    client.cookies.set(SESSION_COOKIE, issuer.token(subject="x", roles=["counter"], hours=-1))

    read = await client.get(URL)
    write = await client.post(URL, json={}, headers={"Origin": "http://testserver"})

    assert read.status_code == 200
    assert_problem(write, 401, "auth.bad_token")


async def test_health_is_open_and_metrics_are_not(client: Client) -> None:
    assert (await client.get("/livez")).status_code == 200
    assert (await client.get("/readyz")).status_code == 200
    assert_problem(await client.get("/metrics"), 401, "auth.sign_in_needed")
    assert "tongban_" in (await client.as_("operator").get("/metrics")).text


async def test_an_unknown_address_is_a_problem_too(client: Client) -> None:
    assert_problem(await client.get("/toy/v1/nothing"), 404, "http.404")
    assert_problem(await client.delete(URL), 405, "http.405")


async def test_a_trace_is_continued_and_given_back(client: Client) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    answer = await client.get(f"{URL}/{uuid4()}", headers={"traceparent": trace})

    assert answer.headers["x-request-id"] == "0af7651916cd43dd8448eb211c80319c"


async def test_a_lost_range_of_events_is_given_to_services_only(staff: Client) -> None:
    made = (await staff.post(URL, json={})).json()
    query: dict[str, str | int] = {"topic": "tongban.toy.counter.v1", "after": 0, "upto": 10}
    service = staff.as_("service")

    found = [
        each
        for shard in range(64)
        for each in (await service.get("/toy/v1/outbox", params={**query, "shard": shard})).json()
    ]

    assert [each["subject"] for each in found] == [made["id"]]
    refused = await staff.get("/toy/v1/outbox", params={**query, "shard": 0})
    assert_problem(refused, 403, "auth.not_permitted")


def test_no_route_forgets_to_say_who_may_use_it(app: FastAPI) -> None:
    paths = app.openapi()["paths"]

    assert "/toy/v1/outbox" in paths
    assert app.openapi()["openapi"].startswith("3.1")
