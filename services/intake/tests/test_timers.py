"""The clocks of a case: warned, missed once, never early, silent when stopped, moved by notice."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from tongban_common.db import Database
from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI, CalendarYear, bundled
from tongban_intake import operations
from tongban_intake.domain.case import Case, Result
from tongban_intake.events import DeadlineApproaching, DeadlineMissed, DeadlineRescheduled
from tongban_intake.main import SERVICE
from tongban_intake.operations import Rules, Step
from tongban_intake.store import Cases

Accept = Callable[..., Awaitable[Case]]
Announced = Callable[..., Awaitable[list[dict[str, Any]]]]

INSTANT = "12441500196720244T3442199806003"
START = datetime(2026, 9, 30, 10, 0, tzinfo=SHANGHAI)
MOMENT = timedelta(microseconds=1)


async def test_a_promise_is_warned_of_and_missed_once(
    kit: Kit, accept: Accept, announced: Announced
) -> None:
    case = await accept(at=START)
    sweeper = SERVICE.sweeper(kit)
    warn_at = datetime(2026, 10, 12, 23, 59, 59, 999999, tzinfo=SHANGHAI)

    await sweeper.sweep(now=warn_at - MOMENT)
    assert await announced(DeadlineApproaching) == []

    await sweeper.sweep(now=warn_at)
    await sweeper.sweep(now=case.promise.due_at)
    place = {"case_id": str(case.id), "unit_code": "GA-MARKET", "window_code": "GA-01"}
    promise = {**place, "kind": "promise", "due": "2026-10-13T23:59:59.999999+08:00"}
    assert await announced(DeadlineApproaching) == [promise]
    assert await announced(DeadlineMissed) == []

    await sweeper.sweep(now=case.promise.due_at + MOMENT)
    await sweeper.sweep(now=case.promise.due_at + timedelta(days=1))
    assert await announced(DeadlineMissed) == [promise]


async def test_each_clock_is_stopped_by_its_own_step(
    kit: Kit, db: Database, accept: Accept, announced: Announced, rules: Rules
) -> None:
    case = await accept(at=START)
    async with db.transaction() as tx:
        await operations.decide(
            tx,
            step=Step(case_id=case.id, actor="reviewer-1"),
            result=Result.APPROVED,
            grounds=None,
            rules=rules,
            now=START,
        )

    await SERVICE.sweeper(kit).sweep(now=START + timedelta(days=365))

    assert {each["kind"] for each in await announced(DeadlineMissed)} == {"promise", "delivery"}


async def test_an_instant_case_is_missed_after_its_day(
    kit: Kit, accept: Accept, announced: Announced
) -> None:
    await accept(INSTANT, at=START)
    sweeper = SERVICE.sweeper(kit)

    await sweeper.sweep(now=datetime(2026, 9, 30, 23, 59, 59, tzinfo=SHANGHAI))
    assert await announced(DeadlineApproaching, DeadlineMissed) == []

    await sweeper.sweep(now=datetime(2026, 10, 1, tzinfo=SHANGHAI))
    assert [each["kind"] for each in await announced(DeadlineMissed)] == ["promise"]


@pytest.mark.parametrize("item_code", ["114401134554137174444TC12049000", INSTANT])
async def test_a_later_notice_moves_the_open_clocks(
    kit: Kit, db: Database, accept: Accept, announced: Announced, item_code: str
) -> None:
    case = await accept(item_code, at=START)
    # a made-up notice: 30 September and 13 October are days off after all
    year = bundled().years[2026]
    corrected = a_correction(year, {date(2026, 9, 30): "测试", date(2026, 10, 13): "测试"})
    calendar = bundled().with_year(corrected)

    moved = await SERVICE.sweeper(kit).redate(calendar, now=START)

    events = {each["kind"]: each for each in await announced(DeadlineRescheduled)}
    async with db.transaction() as tx:
        kept = await Cases(tx).get(case.id)
    assert moved == len(events) == 2
    assert events["promise"]["old_due"] == case.promise.due_at.isoformat()
    assert events["promise"]["new_due"] == kept.promise.due_at.astimezone(SHANGHAI).isoformat()
    assert kept.promise.due_at == calendar.due(case.promise.counted_from, case.promise.limit)
    assert kept.promise.calendar_version == events["promise"]["calendar_version"] != ""
    assert kept.legal.due_at > case.legal.due_at


def a_correction(year: CalendarYear, days_off: dict[date, str]) -> CalendarYear:
    return replace(year, version=year.version + 1, days_off={**year.days_off, **days_off})
