"""What every service's edge refuses, and that it says so without a word of what was sent."""

import contextlib
import io
from uuid import uuid4

import httpx
import pytest
import structlog
from fastapi import FastAPI
from test_http import URL, assert_problem

from tongban_common.errors import Conflict
from tongban_common.middleware import Edge
from tongban_common.problems import Problem
from tongban_common.telemetry import configure_logging
from tongban_common.testing import Client, unbounded_integers

NAME = "张三丰"
OUTBOX = "/toy/v1/outbox"


@pytest.fixture
def staff(client: Client) -> Client:
    return client.as_("counter")


@pytest.mark.parametrize("name", [*Problem.model_fields, "instance"])
def test_a_fact_cannot_take_the_place_of_a_problems_own_member(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        Conflict("办不了", **{name: "closed"})


@pytest.mark.parametrize("number", [str(2**63), "9" * 400, "-1"])
async def test_a_number_out_of_range_is_refused(client: Client, number: str) -> None:
    query = {"topic": "tongban.toy.counter.v1", "shard": "0", "after": number, "upto": number}

    answer = await client.as_("service").get(OUTBOX, params=query)

    assert_problem(answer, 422, "request.invalid")


async def test_the_largest_number_is_taken(client: Client) -> None:
    largest = str(2**63 - 1)
    query = {"topic": "tongban.toy.counter.v1", "shard": "0", "after": largest, "upto": largest}

    assert (await client.as_("service").get(OUTBOX, params=query)).json() == []


def test_every_number_that_can_be_sent_has_a_largest_value(app: FastAPI) -> None:
    assert unbounded_integers(app.openapi()) == []


def test_a_number_without_a_largest_value_is_found() -> None:
    app = FastAPI()

    @app.get("/{page}")
    async def read(page: int, size: int | None = None) -> None: ...

    assert unbounded_integers(app.openapi()) == ["get /{page} page", "get /{page} size"]


@pytest.mark.parametrize("content", [b"x" * (2 << 20), b'{"note": "a\\u0000"}'])
async def test_another_content_type_opens_no_way_around_the_limits(
    staff: Client, content: bytes
) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}

    answer = await staff.post(URL, content=content, headers=headers)

    assert_problem(answer, 415, "request.unsupported_media_type")


async def test_an_upload_may_be_large_and_hold_any_byte(staff: Client) -> None:
    content = b"\x00" * (2 << 20)

    answer = await staff.post(f"{URL}/file", files={"file": ("a.bin", content)})

    assert answer.json() == len(content)


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("", "text/plain"),
        ("", "application/x-www-form-urlencoded"),
        ("", None),
        ("/file", "application/json"),
        ("/search", "application/json"),
    ],
)
async def test_a_body_of_another_type_is_refused(
    staff: Client, path: str, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"content-type": content_type}

    answer = await staff.post(URL + path, content=b"{}", headers=headers)

    assert_problem(answer, 415, "request.unsupported_media_type")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/x+json"])
async def test_any_json_is_json(staff: Client, content_type: str) -> None:
    answer = await staff.post(URL, content=b"{}", headers={"content-type": content_type})

    assert answer.status_code == 201


async def test_a_missing_body_is_missing_whatever_its_type(staff: Client) -> None:
    assert_problem(await staff.post(URL), 422, "request.invalid")
    assert_problem(await staff.post(f"{URL}/search"), 422, "request.invalid")


async def test_an_unknown_field_is_not_named(staff: Client) -> None:
    sent = {NAME: 1, "note2": 2, "remark": {NAME: 3}}

    body = assert_problem(await staff.post(URL, json=sent), 422, "request.invalid")

    assert NAME not in str(body)
    assert body["errors"] == [
        {"pointer": "#/body/remark", "code": "extra_forbidden", "message": "含有未知字段"},
        {"pointer": "#/body", "code": "extra_forbidden", "message": "含有未知字段"},
    ]


async def test_who_acts_is_asked_before_anything_else(client: Client) -> None:
    move = f"{URL}/{uuid4()}/count"
    plain = {"content-type": "text/plain"}

    assert_problem(await client.post(move), 401, "auth.sign_in_needed")
    assert_problem(await client.as_("reader").post(move), 403, "auth.not_permitted")
    broken = await client.post(URL, content=b"{", headers=plain)
    assert_problem(broken, 401, "auth.sign_in_needed")


@pytest.mark.parametrize("path", ["/livez", "/readyz", URL, "/static/tongban.css"])
async def test_what_can_be_got_can_be_asked_for_its_head(client: Client, path: str) -> None:
    got, head = await client.get(path), await client.head(path)

    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == got.headers["content-length"]


async def test_a_head_of_what_is_not_there_or_not_shown_fails_as_its_get(client: Client) -> None:
    assert (await client.head("/toy/v1/nothing")).status_code == 404
    assert (await client.head("/metrics")).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", URL, "GET, HEAD, POST"),
        ("GET", f"{URL}/file", "POST"),
        ("POST", "/livez", "GET, HEAD"),
        ("POST", "/static/tongban.css", "GET, HEAD"),
    ],
)
async def test_a_method_that_is_not_there_is_told_which_are(
    client: Client, method: str, path: str, allowed: str
) -> None:
    answer = await client.request(method, path)

    assert_problem(answer, 405, "http.405")
    assert answer.headers["allow"] == allowed


def test_heads_are_not_in_the_contract(app: FastAPI) -> None:
    operations = [name for path in app.openapi()["paths"].values() for name in path]

    assert "get" in operations
    assert "head" not in operations


@pytest.mark.parametrize(
    "text",
    ["a\x01b", "a\x1b[31mb", "a\x7fb", "a\x85b", "a\u202eb", "a\u2066b", "a\u202ab", "a\x00b"],
    ids=ascii,
)
@pytest.mark.parametrize("where", ["a field", "a list", "a form"])
async def test_control_characters_are_refused(staff: Client, text: str, where: str) -> None:
    if where == "a form":
        answer = await staff.post(f"{URL}/search", data={"words": text})
    elif where == "a list":
        answer = await staff.post(URL, json={"remark": {"words": ["fine", text]}})
    else:
        answer = await staff.post(URL, json={"note": text})

    body = assert_problem(
        answer, 422, "request.nul" if "\0" in text and where != "a form" else "request.invalid"
    )
    assert text not in str(body)


async def test_lines_tabs_and_every_script_are_text(staff: Client) -> None:
    note = "第一行\r\n\t第二行　ܫܠܡ 👨‍👩‍👧 ཨ"

    assert (await staff.post(URL, json={"note": note})).status_code == 201


async def test_a_page_and_a_problem_tell_the_same_trace(client: Client) -> None:
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}

    page = await client.get("/toy/v1/nothing", headers={**trace, "accept": "text/html"})
    problem = await client.get("/toy/v1/nothing", headers=trace)

    assert problem.json()["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert "0af7651916cd43dd8448eb211c80319c" in page.text


def test_what_stood_in_for_a_stream_may_be_closed(capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.redirect_stderr(io.StringIO()) as substitute:
        configure_logging(service="toy", json=False)
    substitute.close()

    structlog.get_logger().info("still.here")
    structlog.reset_defaults()

    assert "still.here" in capsys.readouterr().err


async def test_a_fault_of_ours_ends_at_the_edge_and_tells_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging(service="toy", json=True)
    app = FastAPI()
    app.add_middleware(Edge, service="toy")

    @app.get("/fault")
    async def fault() -> None:
        raise RuntimeError(NAME)

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://toy"
    ) as client:
        answer = await client.get("/fault")
    structlog.reset_defaults()

    assert_problem(answer, 500, "internal")
    told = capsys.readouterr()
    assert "RuntimeError" in told.out
    assert NAME not in answer.text + told.out + told.err
