import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tongban_common.audit import audit
from tongban_common.errors import Refusal
from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI
from tongban_publishing import operations
from tongban_publishing.domain.bulletin import Bulletin, SamePerson, Status
from tongban_publishing.operations import Step

NOW = datetime(2026, 7, 10, 9, 0, tzinfo=SHANGHAI)


async def review(kit: Kit, made: Bulletin, *, by: str = "r-1") -> Bulletin:
    async with kit.db.transaction() as tx:
        return await operations.review(tx, step=Step(bulletin_id=made.id, actor=by), now=NOW)


async def approve(kit: Kit, made: Bulletin, *, by: str = "a-1") -> Bulletin:
    rules = await operations.rules_at(kit, now=NOW)
    async with kit.db.transaction() as tx:
        step = Step(bulletin_id=made.id, actor=by)
        return await operations.approve(tx, step=step, rules=rules, now=NOW)


async def withdraw(kit: Kit, made: Bulletin, reason: str) -> Bulletin:
    async with kit.db.transaction() as tx:
        step = Step(bulletin_id=made.id, actor="a-1")
        return await operations.withdraw(tx, step=step, reason=reason, now=NOW)


async def test_two_people_publish_and_the_fact_is_announced(
    kit: Kit, drafted: Any, announced: Any
) -> None:
    made = await drafted()
    await review(kit, made)
    assert await announced() == []  # a draft is nobody's business

    published = await approve(kit, made)

    assert published.status is Status.PUBLISHED
    assert published.index_no == "11990100000000505E/202607-00001"
    assert await announced() == [
        (
            "bulletin-published",
            {
                "bulletin_id": str(made.id),
                "index_no": published.index_no,
                "title": "2026年第2季度政务服务窗口考核通报",
                "period_code": "2026Q2",
                "kind": "windows",
            },
        )
    ]


async def test_the_same_person_twice_is_refused_and_leaves_no_trace(
    kit: Kit, drafted: Any, announced: Any
) -> None:
    made = await drafted()
    await review(kit, made, by="x-1")

    with pytest.raises(SamePerson):
        await approve(kit, made, by="x-1")

    assert await announced() == []
    assert (await approve(kit, made)).index_no is not None


async def test_a_withdrawal_is_announced_with_its_reason_and_without_numbers_of_people(
    kit: Kit, published: Any, announced: Any
) -> None:
    made = await published()

    withdrawn = await withdraw(kit, made, "数据有误，请询13812345678")

    assert withdrawn.withdrawal == "数据有误，请询138****5678"
    assert (await announced())[-1] == (
        "bulletin-withdrawn",
        {
            "bulletin_id": str(made.id),
            "index_no": made.index_no,
            "reason": "数据有误，请询138****5678",
        },
    )


async def test_who_did_what_is_kept(kit: Kit, published: Any) -> None:
    made = await published()
    await withdraw(kit, made, "数据有误")

    async with kit.db.reading() as connection:
        rows = await connection.execute(
            select(audit.c.actor, audit.c.action)
            .where(audit.c.subject == str(made.id))
            .order_by(audit.c.id)
        )
        assert [tuple(row) for row in rows] == [
            ("r-1", "bulletin.reviewed"),
            ("a-1", "bulletin.approved"),
            ("a-1", "bulletin.withdrawn"),
        ]


async def test_one_of_many_approvals_at_once_publishes(
    kit: Kit, drafted: Any, announced: Any
) -> None:
    made = await drafted()
    await review(kit, made)

    async def attempt(number: int) -> bool:
        try:
            await approve(kit, made, by=f"a-{number}")
        except Refusal:
            return False
        return True

    won = await asyncio.gather(*(attempt(number) for number in range(8)))

    assert sum(won) == 1
    assert [fact for fact, _ in await announced()] == ["bulletin-published"]


async def test_bulletins_published_at_once_get_different_numbers(kit: Kit, drafted: Any) -> None:
    made = [await drafted(period=period) for period in (1, 2, 3)]
    for each in made:
        await review(kit, each)

    published = await asyncio.gather(*(approve(kit, each) for each in made))

    assert sorted(str(each.index_no)[-5:] for each in published) == ["00001", "00002", "00003"]


async def test_the_numbers_of_a_month_go_on_after_a_withdrawal(
    kit: Kit, published: Any, drafted: Any
) -> None:
    await withdraw(kit, await published(NOW), "数据有误")
    other = await drafted(period=2)
    await review(kit, other)

    assert str((await approve(kit, other)).index_no).endswith("/202607-00002")


async def test_each_month_has_its_own_numbers(published: Any) -> None:
    july = await published(NOW)
    august = await published(NOW + timedelta(days=31), period=2)

    assert [each.index_no[-12:] for each in (july, august)] == ["202607-00001", "202608-00001"]
