"""The end of a period: who gets a card, in which place, by which rules, and exactly once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from tongban_common.db import Database
from tongban_common.events import Envelope
from tongban_common.service import Kit
from tongban_common.testing import Client
from tongban_scoring import operations
from tongban_scoring.domain.entries import Evidence
from tongban_scoring.domain.period import Period, quarter_of
from tongban_scoring.operations import Finished
from tongban_scoring.store import period, red_line_case, scorecard
from tongban_scoring.store.cards import PeriodOverlaps
from tongban_scoring.store.ledger import Subject

CASES = "tongban.intake.case.v1"
TICKETS = "tongban.hotline.ticket.v1"
BULLETINS = "tongban.publishing.bulletin.v1"
QUARTER = quarter_of(date(2026, 7, 1))
Tell = Callable[..., Awaitable[Envelope]]
Ledger = Callable[[], Awaitable[list[Any]]]
Announced = Callable[[], Awaitable[list[dict[str, Any]]]]
Finish = Callable[..., Awaitable[Finished]]
pytestmark = pytest.mark.usefixtures("directory")


async def handle(tell: Tell, window_code: str, *, on: str = "07-01") -> None:
    case_id = str(uuid4())
    of_case = {"case_id": case_id, "unit_code": "U1", "window_code": window_code}
    await tell(CASES, "case-accepted", case_id, on=on, item_code="I1", **of_case)


async def miss_ticket(tell: Tell, *, on: str = "07-01") -> None:
    """One point off the first window of U1, W1."""
    ticket_id = str(uuid4())
    of_ticket = {"ticket_id": ticket_id, "unit_code": "U1"}
    due = "2026-06-30T15:59:59Z"
    await tell(TICKETS, "deadline-missed", ticket_id, on=on, clock="unit", due=due, **of_ticket)


async def reverse_the_only_entry(kit: Kit, ledger: Ledger) -> None:
    (wrong,) = await ledger()
    decision = operations.Decision(
        entry_id=wrong.id, actor="i-1", evidence=Evidence(text="申诉成立，见复核单第2号")
    )
    async with kit.db.transaction() as tx:
        await operations.reverse(tx, decision=decision, entry_id=uuid4(), now=wrong.recorded_at)


async def cards(db: Database, code: str = QUARTER.code) -> dict[str, Any]:
    """The cards of a finished period by window."""
    async with db.reading() as connection:
        rows = await connection.execute(select(scorecard).join(period).where(period.c.code == code))
        return {row.window_code: row for row in rows}


async def test_who_handled_anything_is_ranked_and_equal_scores_share_a_place(
    tell: Tell, finish: Finish, kit: Kit
) -> None:
    for window_code in ("W1", "W2", "W3"):
        await handle(tell, window_code)
    await miss_ticket(tell)

    await finish()

    made = await cards(kit.db)
    assert {code: (card.rank, card.score) for code, card in made.items()} == {
        "W1": (3, 99),
        "W2": (1, 100),
        "W3": (1, 100),
    }


async def test_a_window_without_activity_or_entry_has_no_card(
    tell: Tell, finish: Finish, kit: Kit
) -> None:
    await handle(tell, "W2")
    await handle(tell, "W1", on="10-01")  # after the end

    await finish()

    assert list(await cards(kit.db)) == ["W2"]


async def test_a_subject_that_is_a_unit_is_announced_as_that_unit(
    tell: Tell, finish: Finish, announced: Announced
) -> None:
    ticket_id = str(uuid4())
    await tell(
        TICKETS,
        "deadline-missed",
        ticket_id,
        ticket_id=ticket_id,
        unit_code="U2",
        clock="unit",
        due="2026-06-30T15:59:59Z",
    )

    await finish()

    (event,) = await announced()
    (card,) = event["scorecards"]
    assert (card["window_code"], card["unit_code"], card["rank"]) == ("U2", "U2", None)


async def test_what_is_announced_is_what_other_services_were_promised(
    tell: Tell, finish: Finish, announced: Announced, kit: Kit
) -> None:
    await handle(tell, "W1")
    await miss_ticket(tell)

    finished = await finish()

    card = (await cards(kit.db))["W1"]
    assert await announced() == [
        {
            "period_id": str(finished.period_id),
            "period_code": "2026Q3",
            "starts_on": "2026-07-01",
            "ends_on": "2026-09-30",
            "rule_book": "window-assessment",
            "rule_book_version": 1,
            "scorecards": [
                {
                    "scorecard_id": str(card.id),
                    "window_code": "W1",
                    "unit_code": "U1",
                    "score": "99",
                    "grade": "优秀",
                    "rank": 1,
                }
            ],
        }
    ]


async def test_ten_who_finish_at_once_make_one_period(
    tell: Tell, finish: Finish, announced: Announced
) -> None:
    await handle(tell, "W1")

    results = await asyncio.gather(*(finish() for _ in range(10)))

    assert sorted(each.scorecards for each in results) == [0] * 9 + [1]
    assert len(await announced()) == 1


async def test_a_period_in_which_nothing_happened_is_announced_without_cards(
    finish: Finish, announced: Announced
) -> None:
    finished = await finish()

    assert finished.scorecards == 0
    (event,) = await announced()
    assert event["scorecards"] == []


@pytest.mark.parametrize(
    ("on", "score"),
    [
        pytest.param("07-01", 99, id="首日"),
        pytest.param("09-30", 99, id="末日"),
        pytest.param("06-30", 99, id="以前的事实补计入当期"),
        pytest.param("10-01", 100, id="次日"),
    ],
)
async def test_the_day_of_a_fact_decides_its_period(
    tell: Tell, finish: Finish, kit: Kit, on: str, score: int
) -> None:
    await handle(tell, "W1")
    await miss_ticket(tell, on=on)

    await finish()

    assert (await cards(kit.db))["W1"].score == score


async def test_a_period_is_any_span_and_counts_no_entry_twice(
    tell: Tell, finish: Finish, kit: Kit, ledger: Ledger
) -> None:
    july = Period(code="2026-07", starts_on=date(2026, 7, 1), ends_on=date(2026, 7, 31))
    rest = Period(code="20260801-20260930", starts_on=date(2026, 8, 1), ends_on=date(2026, 9, 30))
    await handle(tell, "W1")
    await miss_ticket(tell)
    await handle(tell, "W1", on="08-03")

    await finish(july)
    await finish(rest)

    assert (await cards(kit.db, july.code))["W1"].score == 99
    assert (await cards(kit.db, rest.code))["W1"].score == 100
    assert [row.counted_in for row in await ledger()] == ["2026-07"]


async def test_no_day_is_assessed_twice(finish: Finish) -> None:
    await finish(Period(code="2026-07", starts_on=date(2026, 7, 1), ends_on=date(2026, 7, 31)))

    with pytest.raises(PeriodOverlaps):
        await finish()


async def test_cards_are_public_while_their_bulletin_is(
    tell: Tell, finish: Finish, client: Client
) -> None:
    await handle(tell, "W1")
    await finish()
    bulletin = {"bulletin_id": str(uuid4())}
    addresses = ["/scoring/v1/scorecards?period=2026Q3"]
    staff = client.as_("inspector")
    card = (await staff.get(addresses[0])).json()[0]["id"]
    addresses += [f"/scoring/v1/scorecards/{card}", f"/scoring/scorecards/{card}"]

    async def public() -> list[int]:
        assert [(await staff.get(each)).status_code for each in addresses] == [200] * 3
        return [(await client.get(each)).status_code for each in addresses]

    assert await public() == [404] * 3
    fact = {"index_no": "1", "title": "通报", "period_code": "2026Q3"}
    await tell(BULLETINS, "bulletin-published", bulletin["bulletin_id"], **bulletin, **fact)
    assert await public() == [200] * 3
    assert "2026Q3" in (await client.get("/scoring/scorecards")).text
    reason = {"index_no": "1", "reason": "数据有误"}
    await tell(BULLETINS, "bulletin-withdrawn", bulletin["bulletin_id"], **bulletin, **reason)
    assert await public() == [404] * 3
    assert "2026Q3" not in (await client.get("/scoring/scorecards")).text


async def test_an_entry_reversed_before_the_end_counts_for_nothing(
    tell: Tell, finish: Finish, kit: Kit, ledger: Ledger
) -> None:
    await handle(tell, "W1")
    await miss_ticket(tell)
    await reverse_the_only_entry(kit, ledger)

    await finish()

    assert (await cards(kit.db))["W1"].score == 100


async def test_two_days_of_absence_open_a_case_and_decide_nothing(finish: Finish, kit: Kit) -> None:
    rules = await operations.rules_at(kit, now=QUARTER.end)
    async with kit.db.transaction() as tx:
        entry_id = uuid4()
        manual = operations.Manual(
            entry_id=entry_id,
            fact=operations.Fact(
                rule_id="S4-11",
                subject=Subject(unit_code="U1", window_code="W1"),
                fact="S1 2026-08-03",
                source=f"manual:{entry_id}",
                occurred_at=QUARTER.end - timedelta(days=50),
                quantity=Decimal(4),
                staff_code="S1",
            ),
            evidence=Evidence(text="考勤记录第31号"),
            actor="i-1",
        )
        await operations.record_manual(tx, manual=manual, rules=rules, now=QUARTER.end)

    await finish()

    async with kit.db.reading() as connection:
        case = (await connection.execute(select(red_line_case))).one()
    assert (case.red_line_id, case.staff_code, case.state) == ("RL2", "S1", "suspected")
    assert (await cards(kit.db))["W1"].score == 96
