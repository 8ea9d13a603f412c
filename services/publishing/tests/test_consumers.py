from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from tongban_common.dead_letters import dead_letter
from tongban_common.events import Envelope, shard_of
from tongban_common.service import Kit, Service
from tongban_common.timers import timer
from tongban_common.working_days import SHANGHAI
from tongban_publishing import queries
from tongban_publishing.store import bulletin, bulletin_score

DIRECTORY = "tongban.intake.directory.v1"


def directory(n: int, fact: str, **data: Any) -> Envelope:
    return Envelope(
        id=f"d-{n}",
        source="/tongban/intake",
        type=f"tongban.intake.{fact}.v1",
        subject="A1",
        time=datetime(2026, 7, 2, 9, 0, tzinfo=SHANGHAI),
        topic=DIRECTORY,
        shard=shard_of("A1"),
        n=n,
        data=data,
    )


async def count(kit: Kit, table: Any) -> int:
    async with kit.db.reading() as connection:
        found: int = (
            await connection.execute(select(func.count()).select_from(table))
        ).scalar_one()
        return found


async def test_a_finished_period_becomes_one_draft_however_often_it_is_told(
    service: Service, kit: Kit, finished: Any
) -> None:
    inbox = service.inbox(kit)

    await inbox.apply([finished(1)])
    await inbox.apply([finished(1)])
    await inbox.apply([finished(2)])

    assert await count(kit, bulletin) == 1
    assert await count(kit, bulletin_score) == 2
    assert await count(kit, timer) == 1
    assert await count(kit, dead_letter) == 0
    async with kit.db.reading() as reads:
        draft, *_ = await queries.drafts(reads)
    assert draft.title == "2026年第2季度政务服务窗口考核通报"
    # 10 working days after 30 June
    assert draft.due_at.isoformat() == "2026-07-14T15:59:59.999999+00:00"


async def test_a_period_of_150_windows_is_kept_whole_in_the_order_of_rank(
    service: Service, kit: Kit, finished: Any, card: Any
) -> None:
    cards = [card(number, rank=151 - number if number > 1 else None) for number in range(1, 151)]

    await service.inbox(kit).apply([finished(scorecards=cards)])

    async with kit.db.reading() as reads:
        draft, *_ = await queries.drafts(reads)
        lines = await queries.scores(reads, draft.id)
    assert [each.rank for each in lines] == [*range(1, 150), None]


async def test_a_period_without_windows_still_has_its_bulletin(
    service: Service, kit: Kit, finished: Any
) -> None:
    await service.inbox(kit).apply([finished(scorecards=[])])

    assert (await count(kit, bulletin), await count(kit, bulletin_score)) == (1, 0)


async def test_units_and_windows_are_shown_by_their_latest_name(
    service: Service, kit: Kit, drafted: Any
) -> None:
    made = await drafted()

    await service.inbox(kit).apply(
        [
            directory(1, "unit-changed", unit_code="A1", name="旧名"),
            directory(2, "unit-changed", unit_code="A1", name="巷子口镇"),
            directory(3, "window-changed", window_code="W001", unit_code="A1", name="综合窗口"),
            directory(4, "staff-changed", staff_code="S1", unit_code="A1"),
        ]
    )

    async with kit.db.reading() as reads:
        first, second = await queries.scores(reads, made.id)
    assert (first.unit_name, first.window_name) == ("巷子口镇", "综合窗口")
    assert second.window_name == "W002"  # not heard of yet: its code
    assert await count(kit, dead_letter) == 0


async def test_nothing_of_a_person_gets_into_a_bulletin(
    service: Service, kit: Kit, finished: Any, card: Any
) -> None:
    told = finished(scorecards=[card(1, staff_name="张三丰", staff_code="S-77")])

    await service.inbox(kit).apply([told])

    async with kit.db.reading() as connection:
        rows = (await connection.execute(select(bulletin_score))).all()
    assert "张三丰" not in str(rows)
    assert "S-77" not in str(rows)
