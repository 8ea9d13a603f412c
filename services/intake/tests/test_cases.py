"""The use cases of a case over a real database: what they leave behind and what they announce."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from tongban_common.audit import audit
from tongban_common.db import Database
from tongban_common.errors import Refusal
from tongban_common.http import ChangedMeanwhile
from tongban_common.outbox import outbox
from tongban_common.privacy import SealBroken, Sealer
from tongban_common.testing import Clock
from tongban_common.timers import timer
from tongban_common.working_days import SHANGHAI
from tongban_intake import operations, queries
from tongban_intake.domain.case import (
    Case,
    DeliveryMethod,
    Grounds,
    GroundsMissing,
    IllegalMove,
    RefusalReason,
    Result,
    Status,
)
from tongban_intake.domain.catalogue import ItemCancelled, NotAppliedFor, NotPublished
from tongban_intake.events import CaseAccepted, CaseCompleted, CaseDecided
from tongban_intake.operations import (
    Document,
    Rules,
    Step,
    UnitClosed,
    WrongWindow,
)
from tongban_intake.store import (
    CaseNotFound,
    Cases,
    ItemNotFound,
    StaffNotFound,
    WindowClosed,
    WindowNotFound,
    applicant,
    case_move,
)

Accept = Callable[..., Awaitable[Case]]
Announced = Callable[..., Awaitable[list[dict[str, Any]]]]

FOOD = "114401134554137174444TC12049000"
INSTANT = "12441500196720244T3442199806003"
START = datetime(2026, 9, 30, 10, 0, tzinfo=SHANGHAI)
GROUNDS = Grounds(
    reason=RefusalReason.CONDITION_NOT_MET, text="场所不符", remedy="可以申请行政复议"
)


async def open_timers(db: Database, case: Case) -> dict[str, str]:
    async with db.reading() as connection:
        rows = await connection.execute(
            select(timer.c.kind, timer.c.state).where(timer.c.subject == str(case.id))
        )
        return {row.kind: row.state for row in rows}


async def decided(
    db: Database, case: Case, rules: Rules, *, at: datetime, grounds: Grounds | None = None
) -> Case:
    async with db.transaction() as tx:
        return await operations.decide(
            tx,
            step=Step(case_id=case.id, actor="reviewer-1"),
            result=Result.APPROVED if grounds is None else Result.REFUSED,
            grounds=grounds,
            rules=rules,
            now=at,
        )


async def completed(db: Database, case: Case, rules: Rules, *, at: datetime) -> Case:
    async with db.transaction() as tx:
        step = Step(case_id=case.id, actor="clerk-1")
        return await operations.complete(tx, step=step, rules=rules, now=at)


async def test_accepting_issues_a_receipt_and_announces_both_clocks(
    db: Database, accept: Accept, announced: Announced
) -> None:
    case = await accept(at=START)

    assert case.number == f"{FOOD}202609300001"
    assert await announced(CaseAccepted) == [
        {
            "case_id": str(case.id),
            "item_code": FOOD,
            "unit_code": "GA-MARKET",
            "window_code": "GA-01",
            "promise_due": "2026-10-13T23:59:59.999999+08:00",
            "legal_due": "2026-11-03T23:59:59.999999+08:00",
        }
    ]
    assert await open_timers(db, case) == {"promise": "armed", "legal": "armed"}


async def test_a_case_is_kept_as_it_was_accepted(db: Database, accept: Accept) -> None:
    for item_code in (FOOD, INSTANT):
        case = await accept(item_code)

        async with db.transaction() as tx:
            assert await Cases(tx).get(case.id) == case


async def test_serials_count_by_item_and_day(accept: Accept, clock: Clock) -> None:
    numbers = [(await accept()).number[-12:] for _ in range(2)]
    numbers.append((await accept(INSTANT)).number[-12:])
    numbers.append((await accept(at=clock.now + timedelta(days=1))).number[-12:])

    assert numbers == ["202609210001", "202609210002", "202609210001", "202609220001"]


async def test_the_day_of_a_receipt_is_the_day_in_shanghai(accept: Accept) -> None:
    case = await accept(at=datetime.fromisoformat("2026-09-21T16:30:00+00:00"))

    assert case.number.endswith("202609220001")


async def test_twenty_at_once_get_twenty_numbers(accept: Accept) -> None:
    cases = await asyncio.gather(*(accept() for _ in range(20)))

    assert sorted(case.number[-4:] for case in cases) == [f"{n:04}" for n in range(1, 21)]


@pytest.mark.parametrize(
    ("what", "refusal"),
    [
        pytest.param({"item_code": "X"}, ItemNotFound, id="没有这个事项"),
        pytest.param(
            {"item_code": "115113010833722043336098300001X"}, ItemCancelled, id="事项已取消"
        ),
        pytest.param(
            {"item_code": "11511301008778183N4360983000021"}, NotPublished, id="事项尚未公布"
        ),
        pytest.param(
            {"item_code": "11511301008778183N4360983000022"}, NotAppliedFor, id="不是依申请"
        ),
        pytest.param({"window_code": "X"}, WindowNotFound, id="没有这个窗口"),
        pytest.param({"window_code": "GA-09"}, WrongWindow, id="出件窗口不受理"),
        pytest.param({"window_code": "GA-10"}, WindowClosed, id="窗口已停用"),
        pytest.param({"staff_code": "X"}, StaffNotFound, id="没有这名工作人员"),
    ],
)
async def test_what_may_not_be_accepted_leaves_nothing(
    db: Database, accept: Accept, announced: Announced, what: dict[str, str], refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        await accept(**what)

    assert await announced(CaseAccepted) == []
    async with db.reading() as connection:
        assert (await connection.execute(select(timer.c.id))).all() == []


async def test_a_closed_unit_accepts_nothing(db: Database, accept: Accept, clock: Clock) -> None:
    closing = b"""
units:
  - code: GA-MARKET
    name: x
    kind: department
    level: county
    division_code: "360983"
    is_active: false
staff:
  - {code: S-001, unit_code: GA-MARKET, role: clerk, is_active: false}
  - {code: S-002, unit_code: GA-MARKET, role: chief_rep, is_active: false}
"""
    async with db.transaction() as tx:
        document = Document(name="closing.yaml", content=closing)
        await operations.load_directory(tx, document=document, now=clock.now)

    with pytest.raises(UnitClosed):
        await accept(staff_code=None)


async def test_a_case_from_acceptance_to_delivery(
    db: Database, accept: Accept, announced: Announced, rules: Rules
) -> None:
    case = await accept(at=START)

    await decided(db, case, rules, at=START + timedelta(hours=1))
    assert await open_timers(db, case) == {
        "promise": "armed",
        "legal": "disarmed",
        "delivery": "armed",
    }
    await completed(db, case, rules, at=START + timedelta(hours=2))
    async with db.transaction() as tx:
        delivered = await operations.deliver(
            tx,
            step=Step(case_id=case.id, actor="clerk-1", seen_version=3),
            method=DeliveryMethod.HANDED_OVER,
            now=START + timedelta(hours=3),
        )

    assert delivered.status is Status.DELIVERED
    assert set((await open_timers(db, case)).values()) == {"disarmed"}
    assert await announced(CaseDecided) == [{"case_id": str(case.id), "result": "approved"}]
    assert await announced(CaseCompleted) == [
        {
            "case_id": str(case.id),
            "item_code": FOOD,
            "item_name": "食品经营许可",
            "unit_code": "GA-MARKET",
            "window_code": "GA-01",
            "staff_code": "S-001",
            "result": "approved",
            "completed_at": "2026-09-30T12:00:00+08:00",
            "is_overdue": False,
            "overdue_working_days": 0,
        }
    ]
    async with db.reading() as connection:
        moves = await connection.execute(select(case_move).order_by(case_move.c.version))
        assert [(move.status, move.actor) for move in moves] == [
            ("accepted", "clerk-1"),
            ("decided", "reviewer-1"),
            ("completed", "clerk-1"),
            ("delivered", "clerk-1"),
        ]


@pytest.mark.parametrize(
    ("at", "lateness"),
    [
        pytest.param("2026-10-13T23:59:59.999999+08:00", (False, 0), id="第五个工作日终了，按期"),
        pytest.param("2026-10-14T00:00:00+08:00", (True, 1), id="次日零时，逾期"),
        pytest.param("2026-10-19T09:00:00+08:00", (True, 4), id="周末不计"),
    ],
)
async def test_completion_says_how_late_it_was(
    db: Database,
    accept: Accept,
    announced: Announced,
    rules: Rules,
    at: str,
    lateness: tuple[bool, int],
) -> None:
    case = await accept(at=START)
    await decided(db, case, rules, at=START)

    await completed(db, case, rules, at=datetime.fromisoformat(at))

    (event,) = await announced(CaseCompleted)
    assert (event["is_overdue"], event["overdue_working_days"]) == lateness


async def test_a_refusal_keeps_its_grounds_and_starts_no_delivery_clock(
    db: Database, accept: Accept, rules: Rules
) -> None:
    case = await accept()

    refused = await decided(db, case, rules, at=case.accepted_at, grounds=GROUNDS)

    async with db.transaction() as tx:
        kept = await Cases(tx).get(case.id)
    assert kept == refused
    assert kept.made_decision.grounds == GROUNDS
    assert await open_timers(db, case) == {"promise": "armed", "legal": "disarmed"}


async def test_a_refused_step_changes_nothing(db: Database, accept: Accept, rules: Rules) -> None:
    case = await accept()
    step = Step(case_id=case.id, actor="clerk-1")

    with pytest.raises(IllegalMove):
        await completed(db, case, rules, at=case.accepted_at)
    with pytest.raises(GroundsMissing):
        async with db.transaction() as tx:
            await operations.decide(
                tx, step=step, result=Result.REFUSED, grounds=None, rules=rules, now=START
            )
    with pytest.raises(CaseNotFound):
        async with db.transaction() as tx:
            await operations.complete(
                tx, step=Step(case_id=UUID(int=0), actor="x"), rules=rules, now=START
            )

    async with db.transaction() as tx:
        assert await Cases(tx).get(case.id) == case


async def test_of_ten_who_saw_the_same_version_one_decides(
    db: Database, accept: Accept, announced: Announced, rules: Rules
) -> None:
    case = await accept()

    async def decide() -> str:
        try:
            async with db.transaction() as tx:
                await operations.decide(
                    tx,
                    step=Step(case_id=case.id, actor="reviewer-1", seen_version=1),
                    result=Result.APPROVED,
                    grounds=None,
                    rules=rules,
                    now=case.accepted_at,
                )
        except ChangedMeanwhile:
            return "stale"
        return "done"

    outcomes = await asyncio.gather(*(decide() for _ in range(10)))

    assert sorted(outcomes) == ["done", *["stale"] * 9]
    assert len(await announced(CaseDecided)) == 1


async def test_who_applied_is_sealed_and_in_no_event(
    db: Database, accept: Accept, sealer: Sealer
) -> None:
    case = await accept()

    async with db.reading() as connection:
        row = (await connection.execute(select(applicant))).one()
        events = (await connection.execute(select(outbox.c.data))).all()
        masked = await queries.masked_applicant(connection, case.id, sealer)
        with pytest.raises(SealBroken):
            await queries.masked_applicant(connection, case.id, Sealer("another secret"))

    kept = row.name + row.id_number + row.phone + str(events).encode()
    for secret in ("张三丰", "36098319900101001X", "13812345678"):
        assert secret.encode() not in kept
    assert (masked.name, masked.phone) == ("张**", "138****5678")
    assert masked.id_number == "360***********001X"


async def test_looking_at_an_applicant_is_written_down(
    db: Database, accept: Accept, sealer: Sealer, clock: Clock
) -> None:
    case = await accept()

    async with db.transaction() as tx:
        seen = await operations.see_applicant(
            tx, case_id=case.id, actor="lead-1", sealer=sealer, now=clock.now
        )
    with pytest.raises(CaseNotFound):
        async with db.transaction() as tx:
            await operations.see_applicant(
                tx, case_id=UUID(int=0), actor="lead-1", sealer=sealer, now=clock.now
            )

    assert seen.name == "张三丰"
    async with db.reading() as connection:
        rows = (await connection.execute(select(audit))).all()
    assert [(row.actor, row.action, row.subject) for row in rows] == [
        ("lead-1", "applicant.seen", str(case.id))
    ]
