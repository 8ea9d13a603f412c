"""The HTTP edge: who may do what, which refusals they get, and what the public sees."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tongban_common.events import Envelope
from tongban_common.testing import Client

ENTRIES = "/scoring/v1/entries"
PERIODS = "/scoring/v1/periods"
RECTIFICATIONS = "tongban.evaluation.rectification.v1"
RECORD: dict[str, Any] = {
    "rule_id": "S1-6",
    "unit_code": "U1",
    "window_code": "W1",
    "occurred_at": "2026-09-01T09:00:00+08:00",
    "fact": "交办单第7号",
    "evidence": {"text": "督办台账第7号，未按期落实", "references": ["7"]},
}
WORD = {"text": "复核单第3号"}
Tell = Callable[..., Awaitable[Envelope]]
Ledger = Callable[[], Awaitable[list[Any]]]
pytestmark = pytest.mark.usefixtures("directory")


@pytest.fixture
def inspector(client: Client) -> Client:
    return client.as_("inspector", subject="i-1")


@pytest.fixture
async def candidate(tell: Tell, ledger: Ledger) -> str:
    closed = str(uuid4())
    await tell(
        RECTIFICATIONS,
        "rectification-closed",
        closed,
        review_id=closed,
        unit_code="U1",
        window_code="W1",
        staff_code="S1",
        is_substantiated=True,
        root_cause="attitude",
    )
    return str((await ledger())[-1].id)


async def decide(
    who: Client, entry_id: str, decision: str, *, version: int = 1, **word: str
) -> httpx.Response:
    return await who.post(
        f"{ENTRIES}/{entry_id}/{decision}",
        json=word or WORD,
        headers={"If-Match": f'"{version}"'},
    )


@pytest.mark.parametrize(
    ("decision", "state"),
    [
        pytest.param("confirm", "confirmed", id="确认"),
        pytest.param("reject", "rejected", id="不予认定"),
    ],
)
async def test_a_candidate_is_decided_once(
    inspector: Client, candidate: str, decision: str, state: str
) -> None:
    done = await decide(inspector, candidate, decision)
    stale = await decide(inspector, candidate, decision)
    again = await decide(inspector, candidate, decision, version=2)

    assert (done.status_code, done.json()["state"]) == (200, state)
    assert stale.status_code == 412
    assert (again.status_code, again.json()["code"]) == (409, "entry.illegal_move")


async def test_a_decision_without_a_word_is_refused(inspector: Client, candidate: str) -> None:
    bare = await decide(inspector, candidate, "confirm", text="  ")
    page = await inspector.post(
        f"/scoring/entries/{candidate}/confirm", data={"version": "1", "evidence": " "}
    )

    assert (bare.status_code, bare.json()["code"]) == (422, "request.invalid")
    assert page.status_code == 422
    shown = (await inspector.get(ENTRIES)).json()["items"]
    assert [each["state"] for each in shown] == ["proposed"]


async def test_a_decision_says_which_version_was_seen(inspector: Client, candidate: str) -> None:
    answer = await inspector.post(f"{ENTRIES}/{candidate}/confirm", json=WORD)

    assert answer.status_code == 428


@pytest.mark.parametrize("decision", ["confirm", "reject", "reverse"])
async def test_an_unknown_entry_is_not_found(inspector: Client, decision: str) -> None:
    answer = await decide(inspector, str(uuid4()), decision)

    assert (answer.status_code, answer.json()["code"]) == (404, "entry.not_found")


async def test_what_is_not_confirmed_cannot_be_reversed(inspector: Client, candidate: str) -> None:
    answer = await decide(inspector, candidate, "reverse")

    assert (answer.status_code, answer.json()["code"]) == (409, "entry.not_reversible")


@pytest.mark.parametrize(
    ("roles", "read", "record"),
    [
        pytest.param([], 401, 401, id="未登录"),
        pytest.param(["window_clerk"], 403, 403, id="窗口人员"),
        pytest.param(["supervisor"], 200, 403, id="监督只看不记"),
        pytest.param(["inspector"], 200, 201, id="考核督查员"),
        pytest.param(["admin"], 200, 201, id="管理员"),
    ],
)
async def test_who_reads_and_who_writes_the_ledger(
    client: Client, roles: list[str], read: int, record: int
) -> None:
    who = client.as_(*roles) if roles else client

    assert (await who.get(ENTRIES)).status_code == read
    assert (await who.post(ENTRIES, json=RECORD)).status_code == record


@pytest.mark.parametrize(
    ("change", "points"),
    [
        pytest.param({}, "0.50", id="幅度取下限"),
        pytest.param({"amount": "1"}, "1.00", id="从重"),
        pytest.param({"rule_id": "B5", "level": "province"}, "4.00", id="省级表扬"),
    ],
)
async def test_the_points_come_from_the_book(
    inspector: Client, change: dict[str, str], points: str
) -> None:
    made = await inspector.post(ENTRIES, json={**RECORD, **change})

    assert made.status_code == 201, made.text
    (shown,) = (await inspector.get(ENTRIES, params={"window": "W1"})).json()["items"]
    assert (shown["amount"], shown["state"]) == (points, "confirmed")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"rule_id": "S9-9"}, "rules.unknown", id="没有的条款"),
        pytest.param({"amount": "1.5"}, "rules.amount_out_of_range", id="超出幅度"),
        pytest.param({"rule_id": "B5", "level": "x"}, "rules.amount_out_of_range", id="级别"),
        pytest.param({"evidence": {"text": ""}}, "request.invalid", id="没有证据"),
        pytest.param({"quantity": "0"}, "request.invalid", id="数量为零"),
        pytest.param({"occurred_at": "2026-09-01T09:00:00"}, "request.invalid", id="没有时区"),
        pytest.param({"points": "9"}, "request.invalid", id="未知字段"),
    ],
)
async def test_a_bad_record_is_refused(
    inspector: Client, change: dict[str, object], code: str
) -> None:
    answer = await inspector.post(ENTRIES, json={**RECORD, **change})

    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_the_same_request_sent_again_makes_one_entry(
    inspector: Client, ledger: Ledger
) -> None:
    headers = {"Idempotency-Key": "record-0001"}

    answers = [await inspector.post(ENTRIES, json=RECORD, headers=headers) for _ in range(3)]

    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await ledger()) == 1


async def test_the_ledger_is_paged_and_filtered(inspector: Client, candidate: str) -> None:
    for number in range(4):
        await inspector.post(ENTRIES, json={**RECORD, "fact": f"交办单第{number}号"})

    first = (await inspector.get(ENTRIES, params={"limit": 3})).json()
    second = (await inspector.get(ENTRIES, params={"limit": 3, "cursor": first["next"]})).json()
    waiting = (await inspector.get(ENTRIES, params={"state": "proposed"})).json()

    assert len({each["id"] for each in first["items"] + second["items"]}) == 5
    assert [each["id"] for each in waiting["items"]] == [candidate]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"starts_on": "2026-06-30", "ends_on": "2026-06-01"}, 400, id="倒置"),
        pytest.param({"ends_on": "2026-09-21"}, 400, id="今日还没有结束"),
        pytest.param({"code": "../2026"}, 400, id="编码不合规"),
        pytest.param({"code": "2026Q1"}, 400, id="另一季度的编码"),
        pytest.param({"code": "13912345678"}, 400, id="随意的编码"),
        pytest.param({"starts_on": "0001-01-01", "code": "00010101-20260630"}, 400, id="太早"),
        pytest.param({"starts_on": "2025-01-01", "code": "20250101-20260630"}, 400, id="太长"),
    ],
)
async def test_a_bad_period_is_refused(
    inspector: Client, change: dict[str, str], code: int
) -> None:
    period = {"code": "2026Q2", "starts_on": "2026-04-01", "ends_on": "2026-06-30", **change}

    assert (await inspector.post(PERIODS, json=period)).status_code == code


async def test_a_period_that_is_finished_again_answers_with_no_cards(inspector: Client) -> None:
    period = {"code": "2026Q2", "starts_on": "2026-04-01", "ends_on": "2026-06-30"}

    first = (await inspector.post(PERIODS, json=period)).json()
    again = (await inspector.post(PERIODS, json=period)).json()

    assert first["period_id"] is not None
    assert again == {"period_id": None, "scorecards": 0}


@pytest.mark.parametrize(
    "url",
    [
        f"/scoring/v1/scorecards/{uuid4()}",
        "/scoring/v1/scorecards?period=1999Q1",
        f"/scoring/scorecards/{uuid4()}",
    ],
    ids=["记分卡", "周期", "记分卡页"],
)
async def test_what_is_not_there_is_not_found(client: Client, url: str) -> None:
    assert (await client.get(url)).status_code == 404


async def test_the_rule_book_is_public_with_every_clause(client: Client) -> None:
    book = (await client.get("/scoring/v1/rule-book")).json()

    assert book["name"] == "window-assessment"
    assert sum(len(section["deductions"]) for section in book["sections"]) == 46


@pytest.mark.parametrize("path", ["scorecards", "rules"])
async def test_the_public_pages_stand_before_the_first_period(client: Client, path: str) -> None:
    page = await client.get(f"/scoring/{path}")

    assert page.status_code == 200
    assert "<h1" in page.text


async def test_the_ledger_page_is_for_staff(client: Client) -> None:
    assert (await client.get("/scoring/entries")).status_code == 401
