"""The pages: progress for the public, cases and their clocks for staff."""

from collections.abc import Awaitable, Callable
from uuid import uuid4

from tongban_common.db import Database
from tongban_common.testing import Client, Clock
from tongban_intake import operations
from tongban_intake.domain.case import (
    Case,
    DeliveryMethod,
    Grounds,
    RefusalReason,
    Result,
)
from tongban_intake.operations import Rules, Step

Accept = Callable[..., Awaitable[Case]]


async def test_the_public_asks_how_far_a_case_has_come(client: Client, accept: Accept) -> None:
    case = await accept()
    asked = {"number": f" {case.number} ", "query_code": case.query_code}

    form = await client.get("/intake/progress")
    found = await client.post("/intake/progress", data=asked)
    wrong = await client.post("/intake/progress", data={**asked, "query_code": "x"})

    assert "办件进度查询" in form.text
    assert (found.status_code, found.headers["cache-control"]) == (200, "no-store")
    for word in (case.number, "食品经营许可", "已受理", "高安市市场监督管理局"):
        assert word in found.text
    assert "张" not in found.text
    assert wrong.status_code == 404
    assert "办件编号或者查询码不正确" in wrong.text


async def test_what_was_typed_is_shown_as_text(client: Client, city: None) -> None:
    answer = await client.post(
        "/intake/progress", data={"number": "<script>x</script>", "query_code": "x"}
    )

    assert "<script>x" not in answer.text


async def test_staff_see_the_cases_and_what_is_overdue(
    client: Client, accept: Accept, clock: Clock
) -> None:
    case = await accept()
    clock.forward(days=30)
    clerk = client.as_("window_clerk")

    everything = await clerk.get("/intake/cases")
    overdue = await clerk.get("/intake/cases?overdue=true")
    decided = await clerk.get("/intake/cases?status=decided")

    for page in (everything, overdue):
        assert page.status_code == 200
        assert case.number in page.text
        assert ">超期<" in page.text
    assert "没有办件" in decided.text


async def test_the_list_has_a_next_page(client: Client, accept: Accept, clock: Clock) -> None:
    for _ in range(3):
        await accept()
        clock.forward(minutes=1)

    page = await client.as_("window_clerk").get("/intake/cases?limit=2")

    assert "下一页" in page.text


async def test_one_case_shows_its_history_and_every_day_of_its_clocks(
    client: Client, db: Database, accept: Accept, rules: Rules, clock: Clock
) -> None:
    case = await accept()
    clock.forward(days=30)
    step = Step(case_id=case.id, actor="rep-1")
    async with db.transaction() as tx:
        await operations.decide(
            tx, step=step, result=Result.APPROVED, grounds=None, rules=rules, now=clock.now
        )
        await operations.complete(tx, step=step, rules=rules, now=clock.now)
        await operations.deliver(tx, step=step, method=DeliveryMethod.POSTED, now=clock.now)

    page = await client.as_("window_clerk").get(f"/intake/cases/{case.id}")

    assert page.status_code == 200
    for word in ("张**", "138****5678", "邮寄送达", "rep-1", "承诺办结时限（已停止）"):
        assert word in page.text
    for word in ("国庆节", "中秋节", "起算日不计入", "送达时限", "超过承诺时限"):
        assert word in page.text
    assert "张三丰" not in page.text


async def test_a_refused_case_shows_its_grounds(
    client: Client, db: Database, accept: Accept, rules: Rules, clock: Clock
) -> None:
    case = await accept()
    grounds = Grounds(reason=RefusalReason.OTHER, text="理由在此", remedy="权利在此")
    async with db.transaction() as tx:
        await operations.decide(
            tx,
            step=Step(case_id=case.id, actor="rep-1"),
            result=Result.REFUSED,
            grounds=grounds,
            rules=rules,
            now=clock.now,
        )

    page = await client.as_("window_clerk").get(f"/intake/cases/{case.id}")

    assert "理由在此" in page.text
    assert "权利在此" in page.text


async def test_staff_pages_are_for_staff(client: Client, city: None) -> None:
    headers = {"accept": "text/html"}

    anonymous = await client.get("/intake/cases", headers=headers)
    unknown = await client.as_("window_clerk").get(f"/intake/cases/{uuid4()}", headers=headers)

    assert anonymous.status_code == 401
    assert unknown.status_code == 404
    assert "没有这个办件" in unknown.text
