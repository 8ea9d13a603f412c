"""What an Idempotency-Key leaves behind: nothing in clear, nothing told twice, nothing for ever."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Form, Header, Response, UploadFile
from fastapi.responses import StreamingResponse
from sqlalchemy import func, select, update

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.db import Database
from tongban_common.http import RECEIPT, Router, Tx, no_store
from tongban_common.idempotency import Purge, idempotency
from tongban_common.service import Kit, Service
from tongban_common.testing import Client, in_clear

NAME, PHONE = "张三丰", "13812345678"
KEY = {"Idempotency-Key": "key-0001"}
Json = dict[str, str]
router = Router(prefix="/toy/v1")
done: list[str] = []


class Asked(Body):
    phone: str


def _answer(what: str, asked: Asked) -> Json:
    done.append(what)
    return {"name": NAME, "phone": asked.phone, "no": str(len(done))}


@router.post("/plain")
async def plain(asked: Asked, tx: Tx, _: Principal = require("counter:start")) -> Json:
    return _answer("plain", asked)


@router.post("/disclosure")
async def disclosure(asked: Asked, response: Response, tx: Tx) -> Json:
    no_store(response)
    return _answer("disclosure", asked)


@router.post("/receipt", dependencies=[RECEIPT])
async def receipt(asked: Asked, response: Response, tx: Tx) -> Json:
    no_store(response)
    return _answer("receipt", asked)


@router.post("/upload")
async def upload(file: UploadFile, note: Annotated[str, Form()], tx: Tx) -> Json:
    done.append("upload")
    return {"name": file.filename or "", "size": str(file.size), "note": note}


async def _numbers(number: Annotated[str, Header(alias="X-Number")]) -> str:
    return number


@router.post("/mine")
async def mine(asked: Asked, number: Annotated[str, Depends(_numbers)], tx: Tx) -> Json:
    return {**_answer("mine", asked), "number": number}


@router.post("/file")
async def file(asked: Asked) -> StreamingResponse:
    _answer("file", asked)

    async def parts() -> AsyncIterator[bytes]:
        for part in (NAME, asked.phone):
            yield part.encode()

    return StreamingResponse(parts(), media_type="text/csv")


@pytest.fixture
def staff(app: FastAPI, client: Client) -> Client:
    done.clear()
    app.include_router(router)
    return client.as_("counter")


async def stored(db: Database) -> list[Any]:
    async with db.reading() as connection:
        return list((await connection.execute(select(idempotency))).all())


@pytest.mark.parametrize("way", ["plain", "receipt"])
async def test_an_answer_is_stored_sealed_and_told_again(
    staff: Client, db: Database, *, way: str
) -> None:
    first = await staff.post(f"/toy/v1/{way}", json={"phone": PHONE}, headers=KEY)
    second = await staff.post(f"/toy/v1/{way}", json={"phone": PHONE}, headers=KEY)

    assert (first.status_code, second.status_code) == (200, 200)
    assert second.json() == first.json() == {"name": NAME, "phone": PHONE, "no": "1"}
    assert second.headers.get("cache-control") == first.headers.get("cache-control")
    assert done == [way]
    assert len(await stored(db)) == 1
    assert await in_clear(db, (NAME, PHONE)) == []


@pytest.mark.parametrize("way", ["disclosure", "file"])
async def test_a_disclosure_and_a_stream_are_sent_once_and_not_stored(
    staff: Client, db: Database, *, way: str
) -> None:
    first = await staff.post(f"/toy/v1/{way}", json={"phone": PHONE}, headers=KEY)
    second = await staff.post(f"/toy/v1/{way}", json={"phone": PHONE}, headers=KEY)
    other = await staff.post(f"/toy/v1/{way}", json={"phone": "1"}, headers=KEY)
    anew = await staff.post(
        f"/toy/v1/{way}", json={"phone": PHONE}, headers={"Idempotency-Key": "key-0002"}
    )

    assert first.status_code == anew.status_code == 200
    assert NAME in first.text
    assert PHONE in first.text
    assert second.status_code == 409
    assert second.headers["content-type"] == "application/problem+json"
    assert second.json()["code"] == "idempotency.answer_not_kept"
    assert NAME not in second.text
    assert other.json()["code"] == "idempotency.key_reused"
    assert done == [way, way]
    assert [row.body for row in await stored(db)] == [None, None]
    assert await in_clear(db, (NAME, PHONE)) == []


def form(boundary: str, content: str, name: str = "a.txt") -> dict[str, Any]:
    lines = (
        f"--{boundary}",
        'Content-Disposition: form-data; name="note"',
        "",
        "说明",
        f"--{boundary}",
        f'Content-Disposition: form-data; name="file"; filename="{name}"',
        "Content-Type: text/plain",
        "",
        content,
        f"--{boundary}--",
        "",
    )
    kind = f"multipart/form-data; boundary={boundary}"
    return {"content": "\r\n".join(lines).encode(), "headers": {**KEY, "Content-Type": kind}}


async def test_a_file_sent_again_is_the_same_whatever_its_boundary(staff: Client) -> None:
    first = await staff.post("/toy/v1/upload", **form("b1", "内容"))
    again = await staff.post("/toy/v1/upload", **form("b2-other", "内容"))
    others = [
        await staff.post("/toy/v1/upload", **form("b1", "另一内容")),
        await staff.post("/toy/v1/upload", **form("b1", "内容", name="b.txt")),
    ]

    assert again.status_code == first.status_code == 200, first.text
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert [each.json()["code"] for each in others] == ["idempotency.key_reused"] * 2
    assert done == ["upload"]


async def test_nobody_is_told_what_another_was_who_shows_another_number(staff: Client) -> None:
    answers = [
        await staff.post("/toy/v1/mine", json={"phone": PHONE}, headers={**KEY, "X-Number": number})
        for number in ("12345-1", "12345-2", "12345-1")
    ]

    assert [each.status_code for each in answers] == [200, 422, 200]
    assert answers[1].json()["code"] == "idempotency.key_reused"
    assert answers[2].json() == answers[0].json()
    assert done == ["mine"]


async def test_what_was_asked_is_not_found_by_trying_every_phone(
    staff: Client, db: Database
) -> None:
    """A bare digest of `{"phone": …}` is one of ten thousand million."""
    await staff.post("/toy/v1/plain", json={"phone": PHONE}, headers=KEY)

    bare = hashlib.sha256(b"/toy/v1/plain?\n" + f'{{"phone":"{PHONE}"}}'.encode()).hexdigest()
    (row,) = await stored(db)
    assert row.fingerprint != bare
    assert bare not in str(row)


async def test_an_answer_that_does_not_open_is_refused_and_done_once(
    staff: Client, db: Database
) -> None:
    """Of another row, or of a secret that is no longer the service's."""
    await staff.post("/toy/v1/plain", json={"phone": PHONE}, headers=KEY)
    async with db.transaction() as tx:
        await tx.connection.execute(update(idempotency).values(body=b"{}"))

    again = await staff.post("/toy/v1/plain", json={"phone": PHONE}, headers=KEY)

    assert (again.status_code, again.json()["code"]) == (409, "idempotency.answer_not_kept")
    assert done == ["plain"]


async def test_keys_are_purged_by_the_worker_of_the_timers(
    staff: Client, service: Service, kit: Kit
) -> None:
    keys = [{"Idempotency-Key": f"key-000{n}"} for n in range(3)]
    for key in keys:
        await staff.post("/toy/v1/plain", json={"phone": PHONE}, headers=key)
    days = kit.settings.idempotency_days
    async with kit.db.transaction() as tx:
        for key, age in zip(keys, (days * 24 + 1, days * 24 - 1, 0), strict=True):
            await tx.connection.execute(
                update(idempotency)
                .where(idempotency.c.key == key["Idempotency-Key"])
                .values(created_at=func.now() - timedelta(hours=age))
            )

    stop = asyncio.Event()
    worker = asyncio.create_task(service.sweeper(kit).run(stop=stop, poll_seconds=0.01))
    for _ in range(500):
        await asyncio.sleep(0.02)
        if len(await stored(kit.db)) < 3:
            break
    stop.set()
    await worker

    assert {row.key for row in await stored(kit.db)} == {"key-0001", "key-0002"}
    anew = await staff.post("/toy/v1/plain", json={"phone": PHONE}, headers=keys[0])
    assert "idempotency-replayed" not in anew.headers


async def test_the_purge_runs_once_an_hour(staff: Client, kit: Kit) -> None:
    purge = Purge(kit.db, days=7)
    now = await kit.db.now() + timedelta(days=8)

    async def one_more(key: str) -> None:
        headers = {"Idempotency-Key": key}
        await staff.post("/toy/v1/plain", json={"phone": PHONE}, headers=headers)

    await one_more("key-0001")
    assert await purge(now) == 1
    await one_more("key-0002")
    assert await purge(now + timedelta(minutes=59)) == 0
    assert await purge(now + timedelta(minutes=61)) == 1
