from datetime import datetime
from typing import Any

from sqlalchemy import select

from tongban_common.db import Database
from tongban_common.dead_letters import dead_letter
from tongban_common.events import Envelope, shard_of
from tongban_common.service import Kit, Service
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.store import unit

TOPIC = "tongban.intake.directory.v1"
UNIT: dict[str, Any] = {
    "unit_code": "A1",
    "name": "A1区政府",
    "kind": "district",
    "level": "county",
    "parent_code": None,
    "division_code": "520402",
    "is_active": True,
}


def told(n: int, fact: str = "unit-changed", **data: Any) -> Envelope:
    return Envelope(
        id=f"e-{n}",
        source="/tongban/intake",
        type=f"tongban.intake.{fact}.v1",
        subject="A1",
        time=datetime(2026, 9, 1, 9, 0, tzinfo=SHANGHAI),
        topic=TOPIC,
        shard=shard_of("A1"),
        n=n,
        data=data,
    )


async def named(db: Database) -> str | None:
    async with db.reading() as connection:
        rows = await connection.execute(select(unit.c.name).where(unit.c.code == "A1"))
        name: str | None = rows.scalar_one_or_none()
        return name


async def test_the_units_of_the_directory_can_be_assigned_to(service: Service, kit: Kit) -> None:
    inbox = service.inbox(kit)

    await inbox.apply([told(1, **UNIT)])
    async with kit.db.reading() as reads:
        assert ("A1", "A1区政府") in await queries.units(reads)

    await inbox.apply([told(2, **{**UNIT, "name": "A1区（新）", "is_active": False})])
    async with kit.db.reading() as reads:
        assert "A1" not in dict(await queries.units(reads))
    assert await named(kit.db) == "A1区（新）"


async def test_a_redelivery_does_not_bring_back_what_was_true_before(
    service: Service, kit: Kit
) -> None:
    inbox = service.inbox(kit)
    first, second = told(1, **UNIT), told(2, **{**UNIT, "name": "A1区（新）"})

    await inbox.apply([first, second])
    await inbox.apply([first])

    assert await named(kit.db) == "A1区（新）"


async def test_windows_and_staff_are_none_of_our_business(service: Service, kit: Kit) -> None:
    windows = told(1, "window-changed", window_code="W1", unit_code="A1")
    staff = told(2, "staff-changed", staff_code="S1", unit_code="A1")

    await service.inbox(kit).apply([windows, staff, told(3, **UNIT)])

    assert await named(kit.db) == "A1区政府"
    async with kit.db.reading() as connection:
        assert (await connection.execute(select(dead_letter))).all() == []


async def test_a_fact_that_is_not_understood_is_kept_as_a_dead_letter(
    service: Service, kit: Kit
) -> None:
    broken = told(1, **{**UNIT, "is_active": "perhaps"})

    await service.inbox(kit).apply([broken])

    async with kit.db.reading() as connection:
        assert len((await connection.execute(select(dead_letter))).all()) == 1
    assert await named(kit.db) is None
