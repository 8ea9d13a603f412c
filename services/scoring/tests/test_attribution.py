"""Whose fault an overdue case is, which records are refused, and red lines over HTTP."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tongban_common.events import Envelope
from tongban_common.testing import Client
from tongban_scoring.domain.period import quarter_of
from tongban_scoring.operations import Finished

ENTRIES = "/scoring/v1/entries"
RED_LINES = "/scoring/v1/red-line-cases"
CASES = "tongban.intake.case.v1"
RECTIFICATIONS = "tongban.evaluation.rectification.v1"
CASE = str(UUID(int=1))
WORD = {"text": "值班记录第7号"}
Tell = Callable[..., Awaitable[Envelope]]
Ledger = Callable[[], Awaitable[list[Any]]]
Finish = Callable[..., Awaitable[Finished]]
pytestmark = pytest.mark.usefixtures("directory")


@pytest.fixture
def inspector(client: Client) -> Client:
    return client.as_("inspector", subject="i-1")


@pytest.fixture
async def candidate(tell: Tell, ledger: Ledger) -> str:
    """A case of W2 three working days late: BASE-7.2 counts, S3-3 waits."""
    of_case = {"case_id": CASE, "unit_code": "U1", "window_code": "W2"}
    await tell(CASES, "deadline-missed", CASE, kind="promise", **of_case)
    await tell(CASES, "case-completed", CASE, overdue_working_days=3, **of_case)
    return str((await ledger())[-1].id)


async def attribute(who: Client, entry_id: str, responsibility: str) -> httpx.Response:
    return await who.post(
        f"{ENTRIES}/{entry_id}/attribute",
        json={"responsibility": responsibility, "evidence": WORD},
        headers={"If-Match": '"1"'},
    )


@pytest.mark.parametrize(
    ("responsibility", "state", "score"),
    [
        pytest.param("window", "confirmed", "97.00", id="窗口人员"),
        pytest.param("back_office", "rejected", "99.00", id="后台科室"),
        pytest.param("other_dept", "rejected", "99.00", id="其他部门"),
        pytest.param("applicant", "rejected", "100.00", id="申请人"),
        pytest.param("system", "rejected", "100.00", id="系统故障"),
        pytest.param("force_majeure", "rejected", "100.00", id="不可抗力"),
    ],
)
async def test_who_is_to_blame_decides_what_an_overdue_case_costs(
    inspector: Client,
    candidate: str,
    finish: Finish,
    responsibility: str,
    state: str,
    score: str,
) -> None:
    done = await attribute(inspector, candidate, responsibility)
    await finish()

    assert (done.status_code, done.json()["state"]) == (200, state)
    (card,) = (await inspector.get("/scoring/v1/scorecards?period=2026Q3")).json()
    assert card["score"] == score


async def test_a_waived_case_is_reversed_with_the_reason(
    inspector: Client, candidate: str, ledger: Ledger
) -> None:
    await attribute(inspector, candidate, "applicant")

    rows = await ledger()
    (reversal,) = [row for row in rows if row.reverses is not None]
    assert (reversal.rule_id, reversal.recorded_by) == ("BASE-7.2", "i-1")
    assert reversal.evidence["text"] == "逾期归责于申请人：值班记录第7号"
    (decided,) = [row for row in rows if row.rule_id == "S3-3"]
    assert (decided.responsibility, decided.decided_by) == ("applicant", "i-1")


async def test_a_case_waived_after_the_end_gives_its_point_back(
    inspector: Client, candidate: str, finish: Finish
) -> None:
    await finish()
    await attribute(inspector, candidate, "system")

    following = quarter_of(date(2026, 10, 1))
    await finish(following)

    (card,) = (await inspector.get(f"/scoring/v1/scorecards?period={following.code}")).json()
    assert card["score"] == "101.00"


async def test_a_point_that_was_taken_back_already_is_not_taken_back_twice(
    inspector: Client, candidate: str, ledger: Ledger
) -> None:
    base = str((await ledger())[0].id)
    await inspector.post(f"{ENTRIES}/{base}/reverse", json=WORD, headers={"If-Match": '"1"'})

    done = await attribute(inspector, candidate, "applicant")

    assert done.status_code == 200
    assert sum(row.reverses is not None for row in await ledger()) == 1


async def test_an_overdue_case_is_not_confirmed_without_attribution(
    inspector: Client, candidate: str
) -> None:
    bare = await inspector.post(
        f"{ENTRIES}/{candidate}/confirm", json=WORD, headers={"If-Match": '"1"'}
    )
    page = await inspector.post(
        f"/scoring/entries/{candidate}/attribute", data={"version": "1", "evidence": "x"}
    )
    unknown = await attribute(inspector, candidate, "nobody")

    assert (bare.status_code, bare.json()["code"]) == (422, "entry.attribution_missing")
    assert page.status_code == 422
    assert unknown.status_code == 422


async def test_what_needs_no_attribution_has_none(
    inspector: Client, tell: Tell, ledger: Ledger
) -> None:
    closed = str(uuid4())
    await tell(
        RECTIFICATIONS,
        "rectification-closed",
        closed,
        review_id=closed,
        unit_code="U1",
        window_code="W1",
        is_substantiated=True,
        root_cause="efficiency",
    )

    answer = await attribute(inspector, str((await ledger())[0].id), "window")

    assert (answer.status_code, answer.json()["code"]) == (422, "entry.not_attributable")


@pytest.mark.parametrize("cause", ["function", "environment_mechanism", None])
async def test_a_fault_of_nobody_in_person_is_not_proposed(
    tell: Tell, ledger: Ledger, cause: str | None
) -> None:
    closed = str(uuid4())
    await tell(
        RECTIFICATIONS,
        "rectification-closed",
        closed,
        review_id=closed,
        unit_code="U1",
        window_code="W1",
        is_substantiated=True,
        root_cause=cause,
    )

    assert await ledger() == []


RECORD: dict[str, Any] = {
    "rule_id": "S4-2",
    "unit_code": "U1",
    "window_code": "W1",
    "staff_code": "K1",
    "occurred_at": "2026-09-01T09:00:00+08:00",
    "fact": "巡查第7号",
    "evidence": WORD,
}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"unit_code": "U8"}, "entry.unknown_unit", id="没有这个单位"),
        pytest.param({"window_code": "W8"}, "entry.unknown_window", id="没有这个窗口"),
        pytest.param({"unit_code": "U2"}, "entry.unknown_window", id="别的单位的窗口"),
        pytest.param(
            {"occurred_at": "2099-01-01T09:00:00+08:00"}, "entry.in_future", id="还没有发生"
        ),
        pytest.param({"fact": "巡查\x1b7号"}, "request.invalid", id="控制字符"),
        pytest.param({"rule_id": "B5"}, "rules.level_missing", id="没有级别"),
        pytest.param({"level": "city"}, "rules.level_not_applicable", id="不分级别"),
        pytest.param({"quantity": "2"}, "rules.quantity_not_one", id="一人一次"),
        pytest.param({"staff_code": None}, "rules.staff_missing", id="没有工作人员"),
        pytest.param(
            {"rule_id": "S4-11", "staff_code": None}, "rules.staff_missing", id="旷工没有工作人员"
        ),
    ],
)
async def test_a_record_about_what_is_not_there_is_refused(
    inspector: Client, ledger: Ledger, change: dict[str, object], code: str
) -> None:
    answer = await inspector.post(ENTRIES, json={**RECORD, **change})

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert any("\u4e00" <= each <= "\u9fff" for each in answer.json()["detail"])
    assert not {"unit", "window"} & answer.json().keys()
    assert await ledger() == []


async def test_a_record_of_a_unit_needs_no_window(inspector: Client, ledger: Ledger) -> None:
    whole = {**RECORD, "window_code": None}

    assert (await inspector.post(ENTRIES, json=whole)).status_code == 201
    assert [row.window_code for row in await ledger()] == ["W1"]


SUSPICION: dict[str, Any] = {
    "red_line_id": "RL1",
    "unit_code": "U1",
    "window_code": "W1",
    "staff_code": "K1",
    "evidence": {"text": "举报材料第4号，现场笔录第9号"},
}


async def decide(who: Client, case_id: str, verdict: str, *, version: int = 1) -> httpx.Response:
    return await who.post(
        f"{RED_LINES}/{case_id}/{verdict}", json=WORD, headers={"If-Match": f'"{version}"'}
    )


@pytest.mark.parametrize(("verdict", "state"), [("uphold", "upheld"), ("dismiss", "dismissed")])
async def test_a_red_line_case_takes_two_inspectors(
    client: Client, inspector: Client, verdict: str, state: str
) -> None:
    opened = await inspector.post(RED_LINES, json=SUSPICION)
    case_id = opened.json()["id"]

    alone = await decide(inspector, case_id, verdict)
    second = client.as_("inspector", subject="i-2")
    done = await decide(second, case_id, verdict)
    again = await decide(second, case_id, verdict, version=2)

    assert (opened.status_code, opened.json()["state"]) == (201, "suspected")
    assert (alone.status_code, alone.json()["code"]) == (403, "redline.same_person")
    assert (done.status_code, done.json()["state"]) == (200, state)
    assert (again.status_code, again.json()["code"]) == (409, "redline.decided_already")
    (shown,) = (await second.get(RED_LINES, params={"state": state})).json()["items"]
    assert (shown["id"], shown["window_code"], shown["version"]) == (case_id, "W1", 2)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"red_line_id": "RL2"}, "redline.not_manual", id="由考勤累计"),
        pytest.param({"red_line_id": "RL9"}, "rules.unknown", id="没有的红线"),
        pytest.param({"window_code": "W8"}, "entry.unknown_window", id="没有这个窗口"),
        pytest.param({"evidence": {"text": " "}}, "request.invalid", id="没有证据"),
    ],
)
async def test_a_bad_suspicion_is_refused(
    inspector: Client, change: dict[str, object], code: str
) -> None:
    answer = await inspector.post(RED_LINES, json={**SUSPICION, **change})

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert (await inspector.get(RED_LINES)).json()["items"] == []


async def test_red_lines_are_paged_and_for_inspectors_only(
    client: Client, inspector: Client
) -> None:
    for staff_code in ("K1", "K2", "K3"):
        await inspector.post(RED_LINES, json={**SUSPICION, "staff_code": staff_code})

    first = (await inspector.get(RED_LINES, params={"limit": 2})).json()
    second = (await inspector.get(RED_LINES, params={"limit": 2, "cursor": first["next"]})).json()

    assert len({each["staff_code"] for each in first["items"] + second["items"]}) == 3
    assert (await client.as_("supervisor").get(RED_LINES)).status_code == 403
    unknown = await decide(inspector, str(uuid4()), "uphold")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "redline.not_found")
