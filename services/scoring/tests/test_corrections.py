"""Reversals after the end of a period, newer rule books, and a ledger of many entries."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, func, select, text

from tongban_common.events import Envelope
from tongban_common.policies import load, packaged_text, policy
from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_scoring import operations
from tongban_scoring.domain.entries import Evidence
from tongban_scoring.domain.period import quarter_of
from tongban_scoring.operations import Finished
from tongban_scoring.store import Ledger, entry, period, scorecard, scorecard_line
from tongban_scoring.store.ledger import Subject
from tongban_scoring.store.policies import RULE_BOOK

TICKETS = "tongban.hotline.ticket.v1"
THIRD = quarter_of(date(2026, 7, 1))
FOURTH = quarter_of(date(2026, 10, 1))
Tell = Callable[..., Awaitable[Envelope]]
Book = Callable[..., Awaitable[None]]
Finish = Callable[..., Awaitable[Finished]]
pytestmark = pytest.mark.usefixtures("directory")


async def record(kit: Kit, rule_id: str, *, on: str, staff: str | None = None) -> UUID:
    at = datetime.fromisoformat(f"2026-{on}T10:00").replace(tzinfo=SHANGHAI)
    entry_id = uuid4()
    manual = operations.Manual(
        entry_id=entry_id,
        fact=operations.Fact(
            rule_id=rule_id,
            subject=Subject(unit_code="U1", window_code="W1"),
            fact=f"{rule_id} {on}",
            source=f"manual:{entry_id}",
            occurred_at=at,
            staff_code=staff,
        ),
        evidence=Evidence(text="督查登记第12号"),
        actor="i-1",
    )
    rules = await operations.rules_at(kit, now=at)
    async with kit.db.transaction() as tx:
        await operations.record_manual(tx, manual=manual, rules=rules, now=at)
    return entry_id


async def reverse(kit: Kit, entry_id: UUID, *, now: datetime) -> None:
    decision = operations.Decision(
        entry_id=entry_id, actor="i-2", evidence=Evidence(text="申诉成立，复核单第2号")
    )
    async with kit.db.transaction() as tx:
        await operations.reverse(tx, decision=decision, entry_id=uuid4(), now=now)


async def card(kit: Kit, code: str) -> Any:
    async with kit.db.reading() as connection:
        rows = await connection.execute(select(scorecard).join(period).where(period.c.code == code))
        return rows.one()


async def lines(kit: Kit, code: str) -> list[Any]:
    async with kit.db.reading() as connection:
        rows = await connection.execute(
            select(scorecard_line)
            .join(scorecard, scorecard.c.id == scorecard_line.c.scorecard_id)
            .join(period, period.c.id == scorecard.c.period_id)
            .where(period.c.code == code)
            .order_by(scorecard_line.c.position)
        )
        return list(rows)


async def test_a_reversal_after_the_end_gives_back_the_doubled_points_in_the_next_period(
    kit: Kit, finish: Finish, client: Client
) -> None:
    ids = [await record(kit, "S4-10", on=f"07-0{day}", staff="K1") for day in (1, 2, 3)]
    await finish(THIRD)
    assert (await card(kit, "2026Q3")).score == 97
    await reverse(kit, ids[0], now=THIRD.end + timedelta(days=3))

    await finish(FOURTH)

    fourth = await card(kit, "2026Q4")
    assert (fourth.score, fourth.correction) == (101, 1)
    assert fourth.formula == "100 + 0 − 0 + 1（冲销以前周期） = 101"
    (line,) = await lines(kit, "2026Q4")
    assert (line.side, line.points, line.label) == ("correction", 1, "迟到、早退")
    assert line.notes == ["冲销2026Q3周期的记录，退还原扣1分"]
    client = client.as_("inspector")
    page = await client.get(f"/scoring/scorecards/{fourth.id}")
    assert "冲销2026Q3周期的记录" in page.text
    assert (await client.get("/scoring/v1/scorecards?period=2026Q4")).json()[0][
        "correction"
    ] == "1.00"


async def test_a_reversed_bonus_is_taken_back_up_to_what_its_cap_left(
    kit: Kit, finish: Finish
) -> None:
    ids = [await record(kit, "B1", on=f"07-0{day}") for day in (1, 2, 3, 4)]
    await finish(THIRD)
    for entry_id in ids[2:]:
        await reverse(kit, entry_id, now=THIRD.end)

    await finish(FOURTH)

    assert [line.points for line in await lines(kit, "2026Q4")] == [Decimal("-0.1"), 0]


async def test_a_reversal_counts_once_and_not_again(kit: Kit, finish: Finish) -> None:
    wrong = await record(kit, "S5-5", on="07-01")
    await finish(THIRD)
    await reverse(kit, wrong, now=THIRD.end)
    await finish(FOURTH)

    following = quarter_of(date(2027, 1, 1))
    await finish(following)

    async with kit.db.reading() as connection:
        points = select(func.sum(scorecard_line.c.points))
        assert (await connection.execute(points)).scalar_one() == 0
    assert await lines(kit, following.code) == []


async def test_the_reversal_of_an_accountability_gives_back_the_points_lost_whole(
    kit: Kit, finish: Finish
) -> None:
    wrong = await record(kit, "BASE-9.2d", on="07-01")
    await finish(THIRD)
    assert (await card(kit, "2026Q3")).score == 90
    await reverse(kit, wrong, now=THIRD.end)

    await finish(FOURTH)

    assert (await card(kit, "2026Q4")).score == 110
    (line,) = await lines(kit, "2026Q4")
    assert line.label == "受行政处分"


@pytest.fixture
async def second_book(kit: Kit) -> AsyncIterator[Book]:
    """Puts version 2 on the shelf, the same or without one rule, and takes it off again."""

    async def put(effective_from: str, *, without: str = "") -> None:
        document = packaged_text("tongban_scoring", "rule-book.yaml")
        document = document.replace("version: 1\n", "version: 2\n", 1)
        document = document.replace(
            "effective_from: 2004-01-01", f"effective_from: {effective_from}"
        )
        kept = [row for row in document.splitlines() if not without or f"id: {without}," not in row]
        await load(kit.db, [RULE_BOOK.parse("\n".join(kept), where="second.yaml")])

    yield put
    async with kit.db.transaction() as tx:
        await tx.connection.execute(delete(policy).where(policy.c.version == 2))


@pytest.mark.parametrize(
    ("effective_from", "version"),
    [
        pytest.param("2026-09-30", 2, id="末日施行"),
        pytest.param("2026-10-01", 1, id="次日施行的不适用"),
    ],
)
async def test_a_period_is_assessed_by_the_book_of_its_last_day(
    kit: Kit, client: Client, clock: Clock, second_book: Book, effective_from: str, version: int
) -> None:
    await second_book(effective_from)
    clock.now = THIRD.end

    answer = await client.as_("inspector").post(
        "/scoring/v1/periods",
        json={"code": "2026Q3", "starts_on": "2026-07-01", "ends_on": "2026-09-30"},
    )

    assert answer.status_code == 201, answer.text
    async with kit.db.reading() as connection:
        used = await connection.execute(select(period.c.rule_book_version))
        assert used.scalar_one() == version


async def test_a_rule_that_a_newer_book_is_without_does_not_block_the_end(
    kit: Kit, finish: Finish, second_book: Book
) -> None:
    await second_book("2026-08-01", without="S5-5")
    await record(kit, "S5-5", on="07-01")

    await finish(THIRD)

    assert (await card(kit, "2026Q3")).score == 96
    (line,) = await lines(kit, "2026Q3")
    assert (line.label, line.clause[-3:]) == ("工作时间打游戏", "（五）")
    assert line.notes[-1] == "细则新版已无此条，按原分值计"


async def test_more_entries_than_a_statement_takes_parameters_are_marked(kit: Kit) -> None:
    async with kit.db.transaction() as tx:
        await tx.connection.execute(
            text(
                "INSERT INTO entry (id, window_code, rule_id, amount, quantity, occurred_at, fact,"
                " source, state, recorded_at) SELECT gen_random_uuid(), 'W1', 'S5-5', 4, 1,"
                " '2026-07-01T10:00+08', 'f', n::text, 'confirmed', '2026-07-01T10:00+08'"
                " FROM generate_series(1, 40000) AS n"
            )
        )
        ledger = Ledger(tx)
        open_entries = await ledger.countable(before=THIRD.end)
        await ledger.mark_counted([each.id for each in open_entries], "2026Q3")
        left = await ledger.countable(before=THIRD.end)
        counted = await tx.connection.execute(
            select(func.count()).where(entry.c.counted_in == "2026Q3")
        )
        assert (len(left), counted.scalar_one()) == (0, 40_000)


async def test_equal_scores_are_placed_by_fewer_overdue_matters_then_by_more_handled(
    kit: Kit, tell: Tell, finish: Finish
) -> None:
    for window_code, handled in (("W1", 2), ("W2", 2), ("W3", 1), ("W4", 2)):
        for _ in range(handled):
            case_id = str(uuid4())
            await tell(
                "tongban.intake.case.v1",
                "case-accepted",
                case_id,
                case_id=case_id,
                unit_code="U1",
                window_code=window_code,
            )
    ticket_id = str(uuid4())
    await tell(
        TICKETS,
        "deadline-missed",
        ticket_id,
        ticket_id=ticket_id,
        unit_code="U1",
        clock="unit",
        due="2026-06-30T15:59:59Z",
    )
    await record_for_window(kit, "W2")

    await finish(THIRD)

    async with kit.db.reading() as connection:
        rows = await connection.execute(select(scorecard.c.window_code, scorecard.c.rank))
        assert {row.window_code: row.rank for row in rows} == {"W4": 1, "W3": 2, "W2": 3, "W1": 4}


async def record_for_window(kit: Kit, window_code: str) -> None:
    """One point off, of a rule that is not about lateness."""
    fact = operations.Fact(
        rule_id="S5-3",
        subject=Subject(unit_code="U1", window_code=window_code),
        fact="screen",
        source="event-1",
        occurred_at=datetime(2026, 7, 1, 10, tzinfo=SHANGHAI),
    )
    rules = await operations.rules_at(kit, now=fact.occurred_at)
    async with kit.db.transaction() as tx:
        await operations.record_fact(tx, fact=fact, rules=rules)
