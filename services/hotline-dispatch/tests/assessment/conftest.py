from datetime import datetime
from typing import Any

import pytest

from tongban_common.db import Database
from tongban_common.service import Kit
from tongban_common.testing import Clock
from tongban_hotline_dispatch.domain.periods import Period
from tongban_hotline_dispatch.operations import assessment
from tongban_hotline_dispatch.operations.assessment import Wanted
from tongban_hotline_dispatch.store import assessment_reads as reading
from tongban_hotline_dispatch.store.assessment import Run
from tongban_hotline_dispatch.store.assessment_reads import UnitLine
from tongban_hotline_dispatch.store.reference import Unit, Units

from .building import LATER, NOW, PERSON, Case, Computed, Opened


@pytest.fixture(autouse=True)
async def _more_units(db: Database, clock: Clock) -> None:
    clock.now = LATER
    async with db.transaction() as tx:
        for code, level in (("A8", "city"), ("T1", "township"), ("P1", "city")):
            await Units(tx).keep(Unit(code=code, name=f"{code}单位", level=level, is_active=True))


@pytest.fixture
def opened(kit: Kit, filed: Any) -> Opened:
    async def make(at: datetime = NOW, unit: str = "A3", **more: Any) -> Case:
        return Case(kit, await filed(at, unit=unit, **{"person": PERSON, **more}), unit)

    return make


@pytest.fixture
def computed(kit: Kit) -> Computed:
    """A run, and each unit's line in it."""

    async def run(
        code: str = "2026-09", *, at: datetime = LATER, version: int | None = None
    ) -> tuple[Run, dict[str, UnitLine]]:
        period = Period.of(code)
        standard = await assessment.standard_of(kit, period.ends_on, version)
        async with kit.db.transaction() as tx:
            _, made = await assessment.assess_or_recompute(
                tx, period=period, wanted=Wanted(actor="s-1"), standard=standard, now=at
            )
        async with kit.db.reading() as reads:
            lines = await reading.unit_lines(reads, made.id, unit_code=None)
        return made, {line.unit_code: line for line in lines}

    return run
