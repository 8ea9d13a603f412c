from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from tongban_common.service import Kit, Service
from tongban_common.working_days import SHANGHAI, bundled, to_document
from tongban_publishing import queries

DUE = datetime(2026, 7, 14, 23, 59, 59, 999999, tzinfo=SHANGHAI)  # the 10th from 1 July
INSTANT = timedelta(microseconds=1)


async def facts(announced: Any) -> list[str]:
    return [fact for fact, _ in await announced()]


async def test_a_draft_is_warned_of_once_and_missed_once_and_never_early(
    service: Service, kit: Kit, drafted: Any, announced: Any
) -> None:
    made = await drafted()
    sweeper = service.sweeper(kit)
    assert made.due_at == DUE

    await sweeper.sweep(now=datetime(2026, 7, 11, 0, 0, tzinfo=SHANGHAI))
    assert await facts(announced) == []
    for _ in range(2):
        await sweeper.sweep(now=DUE)
    assert await facts(announced) == ["deadline-approaching"]
    for _ in range(2):
        await sweeper.sweep(now=DUE + INSTANT)
    assert await facts(announced) == ["deadline-approaching", "deadline-missed"]
    _, told = (await announced())[-1]
    assert told["bulletin_id"] == str(made.id)
    assert datetime.fromisoformat(told["due"]) == DUE


async def test_publication_in_the_last_instant_is_in_time(
    service: Service, kit: Kit, published: Any, announced: Any
) -> None:
    await published(DUE)

    await service.sweeper(kit).sweep(now=DUE + timedelta(days=30))

    assert await facts(announced) == ["bulletin-published"]


async def test_a_late_publication_that_comes_before_the_sweep_hides_no_miss(
    service: Service, kit: Kit, published: Any, announced: Any
) -> None:
    await published(DUE + INSTANT)

    for _ in range(2):
        await service.sweeper(kit).sweep(now=DUE + timedelta(days=1))

    assert await facts(announced) == ["bulletin-published", "deadline-missed"]


def corrected(version: int, *holidays: date) -> Any:
    year = bundled().in_force(2026)
    days_off = {**year.days_off, **dict.fromkeys(holidays, "测试假日")}
    return to_document(replace(year, version=version, days_off=days_off))


async def test_a_corrected_notice_moves_the_due_day_of_a_draft_and_says_so(
    service: Service, kit: Kit, drafted: Any, announced: Any
) -> None:
    made = await drafted()

    await kit.calendars.import_year(
        corrected(2, date(2026, 7, 6)),
        where="test",
        sweeper=service.sweeper(kit),
        now=made.drafted_at,
    )

    (moved,) = [data for fact, data in await announced() if fact == "deadline-rescheduled"]
    assert moved["calendar_version"] == "2026v2"
    async with kit.db.reading() as reads:
        found = await queries.one(reads, made.id)
    assert (found.due_at, found.version) == (DUE + timedelta(days=1), made.version)


async def test_a_notice_that_makes_a_late_publication_timely_ends_its_clock(
    service: Service, kit: Kit, published: Any, announced: Any
) -> None:
    await published(DUE + INSTANT)

    await kit.calendars.import_year(
        corrected(2, date(2026, 7, 6)), where="test", sweeper=service.sweeper(kit), now=DUE
    )
    await service.sweeper(kit).sweep(now=DUE + timedelta(days=30))

    assert await facts(announced) == ["bulletin-published", "deadline-rescheduled"]
