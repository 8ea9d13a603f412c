"""Deadlines of the stages: told once, never early, not when done, moved by a corrected notice."""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select

from tongban_common.db import Database
from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI, bundled, to_document
from tongban_evaluation.store.rectifications import rectification_clock

VERIFY_DUE = datetime(2026, 10, 8, 23, 59, 59, 999999, tzinfo=SHANGHAI)
FINDINGS = {
    "is_factual": True,
    "is_reasonable": True,
    "note": "情况属实",
    "root_cause": "efficiency",
    "grade": "simple",
}


async def about_deadlines(announced: Any) -> list[tuple[str, dict[str, Any]]]:
    return [each for each in await announced() if each[0].startswith("deadline-")]


async def test_a_stage_that_is_not_done_is_warned_and_missed_once_and_never_early(
    service: Service, kit: Kit, rectification_id: str, announced: Any
) -> None:
    sweeper = service.sweeper(kit)
    told = {
        "rectification_id": rectification_id,
        "unit_code": "U1",
        "stage": "verify",
        "due": "2026-10-08T23:59:59.999999+08:00",
    }

    await sweeper.sweep(now=datetime(2026, 10, 7, 23, 59, tzinfo=SHANGHAI))
    assert await about_deadlines(announced) == []

    await sweeper.sweep(now=datetime(2026, 10, 8, 0, 0, tzinfo=SHANGHAI))
    assert await about_deadlines(announced) == [("deadline-approaching", told)]

    await sweeper.sweep(now=VERIFY_DUE)
    assert len(await about_deadlines(announced)) == 1

    for _ in range(2):
        await sweeper.sweep(now=VERIFY_DUE + timedelta(microseconds=1))
    assert await about_deadlines(announced) == [
        ("deadline-approaching", told),
        ("deadline-missed", told),
    ]


async def test_a_missed_stage_can_still_be_done_and_its_miss_is_kept(
    db: Database, service: Service, kit: Kit, client: Client, clock: Clock, rectification_id: str
) -> None:
    await service.sweeper(kit).sweep(now=VERIFY_DUE + timedelta(hours=1))
    clock.now = VERIFY_DUE + timedelta(hours=10)

    answer = await client.as_("chief_rep", unit="U1").post(
        f"/evaluation/v1/rectifications/{rectification_id}/verify",
        json=FINDINGS,
        headers={"If-Match": '"1"'},
    )

    assert answer.status_code == 200
    async with db.reading() as connection:
        rows = (
            await connection.execute(
                select(rectification_clock).order_by(rectification_clock.c.start_at)
            )
        ).all()
    assert [(row.stage, row.missed_at is not None) for row in rows] == [
        ("verify", True),
        ("rectify", False),
    ]


async def test_a_stage_done_in_time_is_never_missed(
    service: Service, kit: Kit, client: Client, rectification_id: str, announced: Any
) -> None:
    await client.as_("chief_rep", unit="U1").post(
        f"/evaluation/v1/rectifications/{rectification_id}/verify",
        json=FINDINGS,
        headers={"If-Match": '"1"'},
    )

    await service.sweeper(kit).sweep(now=VERIFY_DUE + timedelta(hours=1))

    assert await about_deadlines(announced) == []


async def test_a_corrected_notice_moves_the_deadline_and_says_so(
    service: Service, kit: Kit, client: Client, rectification_id: str, announced: Any, now: datetime
) -> None:
    document = to_document(bundled().in_force(2026))
    document["version"] += 1
    document["days_off"][date(2026, 10, 8).isoformat()] = "国庆节"

    moved = await kit.calendars.import_year(
        document, where="测试", sweeper=service.sweeper(kit), now=now
    )

    assert moved == 1
    (told,) = await about_deadlines(announced)
    assert told == (
        "deadline-rescheduled",
        {
            "rectification_id": rectification_id,
            "unit_code": "U1",
            "stage": "verify",
            "old_due": "2026-10-08T23:59:59.999999+08:00",
            "new_due": "2026-10-09T23:59:59.999999+08:00",
            "calendar_version": "2026v2",
        },
    )
    shown = await client.as_("center_admin").get(
        f"/evaluation/v1/rectifications/{rectification_id}"
    )
    (clock,) = shown.json()["clocks"]
    assert clock["due_at"] == "2026-10-09T23:59:59.999999+08:00"
    await service.sweeper(kit).sweep(now=VERIFY_DUE + timedelta(hours=1))
    assert "deadline-missed" not in dict(await about_deadlines(announced))
