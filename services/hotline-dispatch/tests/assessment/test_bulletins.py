"""月度通报 (hotline.md 4.3): made once, made again beside it, in the mode of the policy."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from tongban_common.db import Database
from tongban_common.testing import Client, Clock
from tongban_hotline_dispatch.store.assessment import assessment_run

from .building import BAD, GOOD, LATER, NOW, SETTLED, Computed, Opened

API = "/hotline/v1/bulletins"
PAGE = "/hotline/bulletins"
MONTH = {"period": "2026-09"}


@pytest.fixture
def supervisor(client: Client) -> Client:
    return client.as_("supervisor", subject="s-1")


@pytest.fixture
async def month(opened: Opened, client: Client, supervisor: Client, clock: Clock) -> None:
    """A3: one good one; A7: five bad ones, one that stays open, a yellow card waived, a red one."""
    await (await opened()).whole(GOOD)
    for _ in range(5):
        await (await opened(unit="A7")).whole(SETTLED)
    waiting = await opened(unit="A7")
    clock.now = NOW + timedelta(days=1)
    inspector = client.as_("inspector", subject="i-1")
    for level in ("S1", "S2"):
        order = {
            "level": level,
            "cause": "MEDIA",
            "ticket_ids": [str(waiting.ticket.id)],
            "has_card": True,
        }
        made = (await supervisor.post("/hotline/v1/supervisions", json=order)).json()
        if level == "S1":
            path = f"/hotline/v1/supervisions/{made['id']}"
            seen = await supervisor.get(path)
            waived = await inspector.post(
                f"{path}/cards/{seen.json()['cards'][0]['id']}/waive",
                json={"reason": "SYSTEM_FAULT"},
                headers={"If-Match": seen.headers["etag"]},
            )
            assert waived.status_code == 200, waived.text
    clock.now = LATER


async def test_a_month_has_its_figures_by_group_and_unit(
    month: None, computed: Computed, supervisor: Client, announced: Any
) -> None:
    await computed()

    made = await supervisor.post(API, json=MONTH)

    assert made.status_code == 201, made.text
    told = made.json()
    assert made.headers["location"] == f"{API}/2026-09?version=1"
    assert told["totals"] == {"received": 7, "answered": 0, "routed_out": 0, "dispatched": 7}
    units = {unit["unit_code"]: unit for group in told["groups"] for unit in group["units"]}
    bad = units["A7"]
    assert (bad["dispatched"], bad["overdue"], bad["open_overdue"]) == (6, 1, 1)
    assert (bad["callbacks"], bad["reached"], bad["unsatisfied"]) == (5, 5, 5)
    assert (bad["yellow_cards"], bad["yellow_cards_waived"]) == (1, 1)
    assert (bad["red_cards"], bad["red_cards_waived"]) == (1, 0)
    assert units["A3"]["unsatisfied"] is None  # of one rating nothing is told
    assert units["A3"]["figures"]["satisfaction_rate"]["numerator"] is None
    assert bad["figures"]["on_time_close_rate"]["denominator"] == 6
    assert "total" not in bad
    assert "on_time_close_rate" in told["groups"][0]["figures"]
    assert [issue["tickets"] for issue in told["hot_issues"]] == sorted(
        (issue["tickets"] for issue in told["hot_issues"]), reverse=True
    )
    ((fact, data),) = [each for each in await announced() if each[0] == "bulletin-made"]
    assert fact == "bulletin-made"
    assert {name: data[name] for name in ("period_code", "version", "run", "mode")} == {
        "period_code": "2026-09",
        "version": 1,
        "run": 1,
        "mode": "tier_only",
    }


async def test_by_default_tiers_are_told_and_no_rank_follows_from_the_order(
    month: None, computed: Computed, supervisor: Client
) -> None:
    await computed()

    told = (await supervisor.post(API, json=MONTH)).json()

    assert told["mode"] == "tier_only"
    for group in told["groups"]:
        codes = [unit["unit_code"] for unit in group["units"]]
        assert codes == sorted(codes)
        assert all(unit["rank"] is unit["listed"] is None for unit in group["units"])


async def test_it_stays_as_it_was_made_and_is_made_again_beside_it(
    opened: Opened, computed: Computed, supervisor: Client
) -> None:
    await (await opened()).whole(GOOD)
    await computed()
    await supervisor.post(API, json=MONTH)
    before = (await supervisor.get(f"{API}/2026-09")).json()

    await (await opened()).whole(BAD)
    await computed()
    assert (await supervisor.get(f"{API}/2026-09")).json() == before
    again = (await supervisor.post(API, json=MONTH)).json()

    assert (again["version"], again["run"], again["totals"]["received"]) == (2, 2, 2)
    first = (await supervisor.get(f"{API}/2026-09", params={"version": 1})).json()
    assert first == before
    assert (await supervisor.get(f"{API}/2026-09")).json() == again
    one = (await supervisor.get(API, params={"limit": 1})).json()
    rest = (await supervisor.get(API, params={"limit": 1, "cursor": one["next"]})).json()
    assert [each["version"] for each in (*one["items"], *rest["items"])] == [2, 1]


async def test_what_the_policy_keeps_inside_or_is_not_over_makes_none(
    opened: Opened,
    computed: Computed,
    supervisor: Client,
    officer: Client,
    clock: Clock,
    db: Database,
) -> None:
    async def code(who: Client, period: str) -> tuple[int, str]:
        answer = await who.post(API, json={"period": period})
        return answer.status_code, answer.json()["code"]

    assert await code(supervisor, "2026-09") == (404, "assessment.not_found")
    assert await code(supervisor, "2026Q3-01"[:7]) == (400, "assessment.bad_period")
    assert await code(supervisor, "2026-09-21") == (400, "assessment.bad_period")
    await (await opened()).whole(GOOD)
    await computed()
    assert (await officer.post(API, json=MONTH)).status_code == 403
    clock.now = NOW + timedelta(days=3)
    assert await code(supervisor, "2026-09") == (422, "bulletin.not_ended")
    clock.now = LATER
    async with db.transaction() as tx:
        await tx.connection.execute(update(assessment_run).values(mode="internal"))
    assert await code(supervisor, "2026-09") == (422, "bulletin.mode_is_internal")
    assert (await supervisor.get(f"{API}/2026-09")).status_code == 404


async def test_it_is_read_on_a_page_and_taken_by_the_file(
    month: None, computed: Computed, supervisor: Client, officer: Client
) -> None:
    await computed()

    made = await supervisor.post(PAGE, data=MONTH)
    page = await supervisor.get(made.headers["location"])
    listed = await officer.get(PAGE)
    file = await officer.get("/hotline/v1/exports/bulletin.csv", params=MONTH)
    sheet = await supervisor.get("/hotline/v1/exports/bulletin.xlsx", params=MONTH)

    assert made.status_code == 303
    for said in ("12345热线办理情况通报", "A7政府", "1（免1）", "热点", "总体情况"):
        assert said in page.text
    assert "名</td>" not in page.text
    assert "第1版" in listed.text
    assert "编制</button>" not in listed.text
    rows = csv.DictReader(io.StringIO(file.content.decode("utf-8-sig"), newline=""))
    found = {row["单位编码"]: row for row in rows}
    assert (found["A7"]["黄牌"], found["A7"]["黄牌免除"], found["A7"]["逾期未办结"]) == (
        "1",
        "1",
        "1",
    )
    assert "名次" not in found["A7"]
    assert sheet.content.startswith(b"PK")
    assert PAGE in (await supervisor.get("/hotline/assessment")).text
