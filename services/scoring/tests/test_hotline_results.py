"""The hotline's assessment, kept beside the windows' cards and apart from them."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select

from tongban_common.db import Database
from tongban_common.testing import Client
from tongban_scoring.store import period

Tell = Callable[..., Awaitable[Any]]
TOPIC = "tongban.hotline.assessment.v1"
ASSESSMENT = "0199b0e4-2c10-7000-8000-000000000051"


def finished(*tiers: str, run: int = 1, **more: Any) -> dict[str, Any]:
    units = [
        {
            "unit_code": f"U{number}",
            "group": "department",
            "tier": tier,
            "indicators": {"resolution_rate": "0.936508", "kb_score": None},
            "rank": None,
            "listed": None,
            "needs_rectification": tier == "D",
        }
        for number, tier in enumerate(tiers, start=1)
    ]
    return {
        "assessment_id": ASSESSMENT,
        "period_code": "2026Q2",
        "starts_on": "2026-04-01",
        "ends_on": "2026-06-30",
        "policy_version": 1,
        "run": run,
        "units": units,
        **more,
    }


async def test_the_last_run_is_kept_and_an_older_one_told_later_changes_nothing(
    tell: Tell, client: Client
) -> None:
    inspector = client.as_("inspector", subject="i-1")

    async def tier(unit: str) -> list[tuple[str, int]]:
        found = (await inspector.get(f"/scoring/v1/hotline-results/{unit}")).json()["items"]
        return [(each["tier"], each["run"]) for each in found]

    await tell(TOPIC, "assessment-finished", ASSESSMENT, **finished("A", "D"))
    assert (await tier("U1"), await tier("U2")) == ([("A", 1)], [("D", 1)])
    await tell(TOPIC, "assessment-finished", ASSESSMENT, **finished("B", run=3))
    await tell(TOPIC, "assessment-finished", ASSESSMENT, **finished("D", "D", run=2))

    assert (await tier("U1"), await tier("U2")) == ([("B", 3)], [])


@pytest.mark.parametrize(("kind", "is_public"), [("hotline", False), ("windows", True)])
async def test_a_bulletin_of_the_hotline_does_not_publish_the_cards_of_the_same_quarter(
    tell: Tell, finish: Any, db: Database, kind: str, is_public: bool
) -> None:
    await finish()
    async with db.reading() as reads:
        code = (await reads.execute(select(period.c.code))).scalar_one()
    bulletin = "0199b0e4-2c10-7000-8000-000000000061"

    await tell(
        "tongban.publishing.bulletin.v1",
        "bulletin-published",
        bulletin,
        bulletin_id=bulletin,
        index_no="X/202607-00001",
        title="通报",
        period_code=code,
        kind=kind,
    )

    async with db.reading() as reads:
        found = (await reads.execute(select(period.c.bulletin_id))).scalar_one()
    assert (found is not None) is is_public
