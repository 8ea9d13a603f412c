import asyncio
from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from tongban_common.db import Database
from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock
from tongban_common.timers import timer
from tongban_common.working_days import SHANGHAI, bundled, to_document
from tongban_hotline_dispatch.operations.contact_nights import NIGHTLY, arm_night
from tongban_hotline_dispatch.operations.contacts import ground_at
from tongban_hotline_dispatch.store.contact_rounds import contact_check

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
LIAISON = {
    "unit_code": "A3",
    "role": "liaison",
    "person": {"name": "张三丰", "mobile": "13812345678"},
    "completed_on": "2026-09-21",
}


@pytest.fixture(autouse=True)
async def _armed(kit: Kit, clock: Clock) -> None:
    clock.now = NOW
    ground = await ground_at(kit, now=NOW)
    async with kit.db.transaction() as tx:
        await arm_night(tx, rules=ground.rules, after=NOW)


def night(day: int, hour: int = 2, month: int = 9) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=SHANGHAI)


async def missing(announced: Any) -> list[tuple[str, str]]:
    return sorted(
        (data["found_on"], data["unit_code"])
        for fact, data in await announced()
        if fact == "unit-contact-missing"
    )


async def checked(announced: Any) -> list[tuple[str, int]]:
    return sorted(
        (data["day"], data["without_contact"])
        for fact, data in await announced()
        if fact == "contacts-checked"
    )


async def test_every_night_finds_the_units_without_a_liaison_exactly_once(
    service: Service, kit: Kit, officer: Client, hub: Client, announced: Any, clock: Clock
) -> None:
    for at in (night(22), night(22), night(22, 23), night(23)):
        await asyncio.gather(*(service.sweeper(kit).sweep(now=at) for _ in range(3)))

    clock.now = night(23, 9)
    both = (await hub.get("/hotline/v1/units-without-contact")).json()
    await officer.post("/hotline/v1/contacts", json=LIAISON)
    left = (await hub.get("/hotline/v1/units-without-contact")).json()
    own = (await officer.get("/hotline/v1/units-without-contact")).json()
    await service.sweeper(kit).sweep(now=night(24))

    assert await checked(announced) == [("2026-09-22", 2), ("2026-09-23", 2), ("2026-09-24", 1)]
    assert await missing(announced) == [("2026-09-22", "A3"), ("2026-09-22", "A7")]
    assert [each["nights"] for each in both["items"]] == [2, 2]
    assert [each["unit_code"] for each in both["items"]] == ["A3", "A7"]
    assert both["checked_at"] == "2026-09-23T02:00:00+08:00"
    assert [each["unit_code"] for each in left["items"]] == ["A7"]
    assert own["items"] == []


async def test_nights_that_nobody_was_there_for_are_one_check_and_no_day_has_two(
    service: Service, kit: Kit, db: Database
) -> None:
    for at in (night(25, 10), night(26, 0), night(26, 1), night(26, 2), night(28, 0)):
        await service.sweeper(kit).sweep(now=at)

    async with db.reading() as reads:
        days = (await reads.execute(select(contact_check.c.day).order_by("day"))).scalars().all()
        armed = await reads.execute(
            select(func.count())
            .select_from(timer)
            .where(timer.c.kind == NIGHTLY)
            .where(timer.c.state == "armed")
        )
    assert [day.day for day in days] == [25, 26, 27]
    assert armed.scalar_one() == 1


async def test_a_unit_that_closed_is_not_looked_for(
    service: Service, kit: Kit, announced: Any
) -> None:
    await service.sweeper(kit).sweep(now=night(22))

    assert {code for _, code in await missing(announced)} == {"A3", "A7"}  # A9 is closed


async def test_the_first_filing_brings_the_first_night(
    kit: Kit, db: Database, officer: Client
) -> None:
    async with db.transaction() as tx:
        await tx.connection.execute(timer.delete())
    for _ in range(2):
        await officer.post("/hotline/v1/contacts", json=LIAISON)

    async with db.reading() as reads:
        rows = (await reads.execute(select(timer))).all()
    assert [(row.kind, row.due_at) for row in rows] == [(NIGHTLY, night(22, 1))]


async def test_a_quarter_asks_once_and_tells_who_did_not_confirm(
    service: Service, kit: Kit, officer: Client, hub: Client, announced: Any, clock: Clock
) -> None:
    sweeper = service.sweeper(kit)
    for day in (1, 2, 3):
        await sweeper.sweep(now=night(day, month=10))
    url = "/hotline/v1/contact-confirmations"

    clock.now = night(12, 9, month=10)
    early = await officer.post(f"{url}/2026Q4")
    await officer.post("/hotline/v1/contacts", json=LIAISON)
    confirmed = [await officer.post(f"{url}/2026Q4") for _ in range(2)]
    unknown = await officer.post(f"{url}/2031Q1")
    unit_less = await hub.post(f"{url}/2026Q4")
    await sweeper.sweep(now=night(20, 23, month=10))
    before = (await hub.get(url)).json()["items"]
    for _ in range(2):
        await sweeper.sweep(now=night(21, 0, month=10))
    after = (await hub.get(url, params={"open": "true"})).json()["items"]

    told = Counter(fact for fact, _ in await announced())
    assert (early.status_code, early.json()["code"]) == (409, "contact.nothing_to_confirm")
    assert [each.status_code for each in confirmed] == [204, 204]
    assert (unknown.status_code, unit_less.status_code) == (404, 403)
    assert told["unit-contacts-asked"] == 2
    assert told["unit-contacts-confirmed"] == 1
    assert told["unit-contacts-unconfirmed"] == 1
    assert [(each["unit_code"], each["is_missed"]) for each in before] == [
        ("A3", False),
        ("A7", False),
    ]
    assert before[0]["due"] == "2026-10-20T23:59:59.999999+08:00"
    assert [(each["unit_code"], each["is_missed"]) for each in after] == [("A7", True)]


async def test_a_corrected_notice_moves_the_confirmation(
    service: Service, kit: Kit, hub: Client
) -> None:
    await service.sweeper(kit).sweep(now=night(1, month=10))
    year = bundled().in_force(2026)
    corrected = replace(year, version=2, days_off={**year.days_off, date(2026, 10, 15): "测试假日"})

    await kit.calendars.import_year(
        to_document(corrected), where="test", sweeper=service.sweeper(kit), now=night(2, month=10)
    )

    found = (await hub.get("/hotline/v1/contact-confirmations")).json()["items"]
    assert {each["due"][:10] for each in found} == {"2026-10-21"}


async def test_a_late_confirmation_is_taken_and_said_to_be_late(
    service: Service, kit: Kit, officer: Client, announced: Any, clock: Clock
) -> None:
    await service.sweeper(kit).sweep(now=night(1, month=10))
    await officer.post("/hotline/v1/contacts", json=LIAISON)
    clock.now = night(1, month=10) + timedelta(days=30)
    await service.sweeper(kit).sweep(now=clock.now)

    answer = await officer.post("/hotline/v1/contact-confirmations/2026Q4")

    assert answer.status_code == 204
    told = [data for fact, data in await announced() if fact == "unit-contacts-confirmed"]
    assert told == [{"unit_code": "A3", "quarter": "2026Q4", "is_late": True}]
