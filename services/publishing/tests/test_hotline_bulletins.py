"""The hotline's assessment as a bulletin: in which mode, once, corrected, by two people."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from tongban_common.dead_letters import dead_letter
from tongban_common.events import Envelope, shard_of
from tongban_common.service import Kit, Service
from tongban_common.testing import Client
from tongban_common.timers import timer
from tongban_common.working_days import SHANGHAI
from tongban_publishing.store import bulletin

ASSESSMENT = "0199b0e4-2c10-7000-8000-000000000051"
AT = datetime(2026, 10, 8, 9, 0, tzinfo=SHANGHAI)
NAMES = {
    "department": "市直部门",
    "town": "乡镇（街道）",
    "A": "A档",
    "D": "D档",
    "resolution_rate": "解决率",
}


def unit(code: str, group: str = "department", tier: str | None = "A", **more: Any) -> Any:
    return {
        "unit_code": code,
        "group": group,
        "tier": tier,
        "indicators": {"resolution_rate": "0.936508"},
        "rank": None,
        "listed": None,
        "needs_rectification": tier == "D",
        **more,
    }


def finished(run: int = 1, **more: Any) -> Envelope:
    data = {
        "assessment_id": ASSESSMENT,
        "period_type": "month",
        "period_code": "2026-09",
        "starts_on": "2026-09-01",
        "ends_on": "2026-09-30",
        "policy_version": 1,
        "run": run,
        "mode": "tier_only",
        "names": NAMES,
        "units": [unit("A1"), unit("T1", "town", "D")],
        **more,
    }
    return Envelope(
        id=f"h-{run}",
        source="/tongban/hotline",
        type="tongban.hotline.assessment-finished.v1",
        subject=ASSESSMENT,
        time=AT,
        topic="tongban.hotline.assessment.v1",
        shard=shard_of(ASSESSMENT),
        n=run,
        data=data,
    )


async def count(kit: Kit, table: Any) -> int:
    async with kit.db.reading() as connection:
        found = await connection.execute(select(func.count()).select_from(table))
        return int(found.scalar_one())


async def drafts(secrecy: Client) -> Any:
    return (await secrecy.get("/publishing/v1/drafts")).json()


async def move(who: Client, draft: Any, act: str) -> Any:
    answer = await who.post(
        f"/publishing/v1/bulletins/{draft['id']}/{act}",
        headers={"If-Match": f'"{draft["version"]}"'},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_it_is_drafted_reviewed_by_one_published_by_another_and_read_by_everybody(
    service: Service, kit: Kit, secrecy: Client, approver: Client, client: Client, announced: Any
) -> None:
    await service.inbox(kit).apply([finished(), finished()])

    draft, *others = await drafts(secrecy)
    assert others == []
    assert draft["title"] == "2026年9月12345热线承办单位考核通报"
    reviewed = await move(secrecy, draft, "review")
    done = await move(approver, reviewed, "approve")
    whole = (await client.get(f"/publishing/v1/bulletins/{done['id']}")).json()
    page = (await client.get(f"/publishing/bulletins/{done['id']}")).text

    assert [(each["unit_name"], each["tier"]) for each in whole["results"]] == [
        ("A1", "A"),
        ("T1", "D"),
    ]
    for words in ("市直部门", "乡镇（街道）", "A档", "93.7%", "限期整改"):
        assert words in page
    assert await count(kit, dead_letter) == 0
    told = [data for fact, data in await announced() if fact == "bulletin-published"]
    assert told[0]["kind"] == "hotline"


async def test_what_is_for_inside_becomes_no_bulletin(service: Service, kit: Kit) -> None:
    await service.inbox(kit).apply([finished(1, mode="none"), finished(2, mode="internal")])

    assert (await count(kit, bulletin), await count(kit, dead_letter)) == (0, 0)


async def test_a_later_run_takes_the_place_of_a_draft_which_is_reviewed_anew(
    service: Service, kit: Kit, secrecy: Client, approver: Client
) -> None:
    inbox = service.inbox(kit)
    await inbox.apply([finished(1)])
    reviewed = await move(secrecy, (await drafts(secrecy))[0], "review")

    await inbox.apply([finished(2, units=[unit("A1", tier="D")])])

    draft, *others = await drafts(secrecy)
    assert others == []
    assert (draft["id"], draft["status"]) == (reviewed["id"], "draft")
    again = await move(secrecy, draft, "review")
    done = await move(approver, again, "approve")
    whole = (await secrecy.get(f"/publishing/v1/bulletins/{done['id']}")).json()
    assert [each["tier"] for each in whole["results"]] == ["D"]
    assert await count(kit, timer) == 1


async def test_what_is_published_is_corrected_by_another_bulletin(
    service: Service, kit: Kit, secrecy: Client, approver: Client
) -> None:
    inbox = service.inbox(kit)
    await inbox.apply([finished(1)])
    reviewed = await move(secrecy, (await drafts(secrecy))[0], "review")
    await move(approver, reviewed, "approve")

    await inbox.apply([finished(2)])

    draft, *_ = await drafts(secrecy)
    assert draft["title"] == "2026年9月12345热线承办单位考核通报（更正）"
    assert await count(kit, bulletin) == 2


async def test_ranks_and_lists_are_shown_where_the_mode_tells_them(
    service: Service, kit: Kit, secrecy: Client
) -> None:
    units = [unit("A1", rank=2), unit("A2", rank=1, listed="red")]
    await service.inbox(kit).apply([finished(mode="ranked", units=units)])

    draft, *_ = await drafts(secrecy)
    page = (await secrecy.get(f"/publishing/drafts/{draft['id']}")).text

    assert page.index("A2") < page.index("A1")
    assert "红榜" in page
