"""Facts of the other services: what becomes an entry, what is counted, what is let pass."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from tongban_common.db import Database
from tongban_common.dead_letters import dead_letter
from tongban_common.events import Envelope
from tongban_common.service import Kit, Service
from tongban_common.timers import timer
from tongban_scoring.store import activity, service_window, staff, unit

DIRECTORY = "tongban.intake.directory.v1"
CASES = "tongban.intake.case.v1"
TICKETS = "tongban.hotline.ticket.v1"
RECTIFICATIONS = "tongban.evaluation.rectification.v1"
Tell = Callable[..., Awaitable[Envelope]]
Ledger = Callable[[], Awaitable[list[Any]]]
pytestmark = pytest.mark.usefixtures("directory")
CASE = str(UUID(int=1))
TICKET = str(UUID(int=2))
REVIEW = str(UUID(int=3))
OF_CASE = {"case_id": CASE, "unit_code": "U1", "window_code": "W2"}
OF_TICKET = {"ticket_id": TICKET, "unit_code": "U1"}
MISSED = {"kind": "promise", "due": "2026-06-30T15:59:59Z", **OF_CASE}
COMPLETED = {
    **OF_CASE,
    "item_code": "I1",
    "item_name": "食品经营许可",
    "staff_code": "S1",
    "result": "approved",
    "completed_at": "2026-07-01T02:00:00Z",
}
TICKET_MISSED = {"clock": "unit", "due": "2026-06-30T15:59:59Z", **OF_TICKET}
CLOSED = {
    "rectification_id": str(UUID(int=4)),
    "review_id": REVIEW,
    "unit_code": "U1",
    "window_code": "W2",
    "staff_code": "S1",
    "root_cause": "attitude",
    "outcome": "satisfied",
}


def told(rows: list[Any]) -> list[tuple[str, str, str, str]]:
    return [(row.rule_id, row.window_code, f"{row.quantity:.0f}", row.state) for row in rows]


async def test_the_directory_is_kept_with_its_changes(tell: Tell, db: Database) -> None:
    await tell(
        DIRECTORY,
        "window-changed",
        "U1",
        window_code="W1",
        unit_code="U1",
        name="综合窗口",
        kind="single",
        is_active=False,
    )
    member = {"staff_code": "S1", "unit_code": "U1", "window_code": "W1", "role": "clerk"}
    await tell(DIRECTORY, "staff-changed", "U1", **member, is_active=True)

    async with db.reading() as connection:
        names = (await connection.execute(select(unit.c.name).order_by(unit.c.code))).scalars()
        assert list(names) == ["U1局", "U2局"]
        changed = select(service_window).where(service_window.c.code == "W1")
        window = (await connection.execute(changed)).one()
        assert (window.name, window.is_active) == ("综合窗口", False)
        assert (await connection.execute(select(staff.c.window_code))).scalar_one() == "W1"


async def test_an_overdue_case_costs_a_point_whoever_is_to_blame(
    tell: Tell, ledger: Ledger
) -> None:
    await tell(CASES, "deadline-missed", CASE, **MISSED)

    assert told(await ledger()) == [("BASE-7.2", "W2", "1", "confirmed")]


@pytest.mark.parametrize("kind", ["legal", "delivery"], ids=["法定期限", "送达期限"])
async def test_only_the_promise_counts_as_overdue(tell: Tell, ledger: Ledger, kind: str) -> None:
    await tell(CASES, "deadline-missed", CASE, **{**MISSED, "kind": kind})

    assert await ledger() == []


async def test_a_case_completed_late_is_a_candidate_by_working_day_of_the_same_fact(
    tell: Tell, ledger: Ledger, db: Database
) -> None:
    await tell(CASES, "deadline-missed", CASE, **MISSED)
    await tell(CASES, "case-completed", CASE, **COMPLETED, is_overdue=True, overdue_working_days=3)

    base, candidate = await ledger()
    assert told([base, candidate]) == [
        ("BASE-7.2", "W2", "1", "confirmed"),
        ("S3-3", "W2", "3", "proposed"),
    ]
    assert base.fact == candidate.fact
    assert candidate.staff_code == "S1"
    async with db.reading() as connection:
        armed = (await connection.execute(select(timer))).one()
    assert (armed.kind, armed.subject, armed.state) == ("confirm", str(candidate.id), "armed")
    assert armed.amount == 5


async def test_a_case_completed_in_time_is_no_candidate(tell: Tell, ledger: Ledger) -> None:
    await tell(CASES, "case-completed", CASE, **COMPLETED, is_overdue=False, overdue_working_days=0)

    assert await ledger() == []


async def test_an_overdue_ticket_costs_a_point_for_each_working_day(
    tell: Tell, ledger: Ledger
) -> None:
    await tell(TICKETS, "deadline-missed", TICKET, **TICKET_MISSED)
    await tell(
        TICKETS,
        "ticket-replied",
        TICKET,
        on="07-04",
        **OF_TICKET,
        is_overdue=True,
        overdue_working_days=3,
    )

    first, more = await ledger()
    assert told([first, more]) == [
        ("S3-5", "W1", "1", "confirmed"),
        ("S3-5", "W1", "2", "confirmed"),
    ]
    assert first.fact == more.fact


async def test_a_reply_one_working_day_late_adds_nothing_to_the_miss(
    tell: Tell, ledger: Ledger
) -> None:
    await tell(TICKETS, "deadline-missed", TICKET, **TICKET_MISSED)
    await tell(
        TICKETS, "ticket-replied", TICKET, **OF_TICKET, is_overdue=True, overdue_working_days=1
    )

    assert told(await ledger()) == [("S3-5", "W1", "1", "confirmed")]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"clock": "citizen"}, id="对群众的期限不计承办单位"),
        pytest.param({"unit_code": None}, id="还没有承办单位"),
    ],
)
async def test_a_clock_that_no_unit_answers_for_costs_nothing(
    tell: Tell, ledger: Ledger, change: dict[str, object]
) -> None:
    await tell(TICKETS, "deadline-missed", TICKET, **{**TICKET_MISSED, **change})

    assert await ledger() == []


@pytest.mark.parametrize(
    ("unit_code", "subject"),
    [
        pytest.param("U1", "W1", id="第一个在用窗口"),
        pytest.param("U2", "U2", id="没有在用窗口的，以单位计"),
        pytest.param("U8", "U8", id="目录中还没有的单位"),
    ],
)
async def test_a_fact_that_names_a_unit_goes_to_its_first_window_or_to_itself(
    tell: Tell, ledger: Ledger, unit_code: str, subject: str
) -> None:
    await tell(TICKETS, "deadline-missed", TICKET, **{**TICKET_MISSED, "unit_code": unit_code})

    assert [row.window_code for row in await ledger()] == [subject]


async def test_a_bad_review_found_true_is_a_candidate(tell: Tell, ledger: Ledger) -> None:
    await tell(RECTIFICATIONS, "rectification-closed", REVIEW, **CLOSED, is_substantiated=True)

    (candidate,) = await ledger()
    assert told([candidate]) == [("S3-7a", "W2", "1", "proposed")]
    assert REVIEW in candidate.fact


async def test_a_bad_review_found_untrue_leaves_no_trace(tell: Tell, ledger: Ledger) -> None:
    await tell(RECTIFICATIONS, "rectification-closed", REVIEW, **CLOSED, is_substantiated=False)

    assert await ledger() == []


async def test_matters_are_counted_by_window_and_day(tell: Tell, db: Database) -> None:
    accepted = {"item_code": "I1", "promise_due": None, "legal_due": None, **OF_CASE}
    await tell(CASES, "case-accepted", CASE, **accepted)
    await tell(CASES, "case-accepted", CASE, **accepted)
    assigned = {
        "reply_due": "2026-07-08T15:59:59Z",
        "policy_version": "hotline-limits/1",
        "calendar_version": "2026v1",
        **OF_TICKET,
    }
    await tell(TICKETS, "ticket-assigned", TICKET, on="07-02", **assigned)

    async with db.reading() as connection:
        order = (activity.c.window_code, activity.c.day)
        rows = await connection.execute(select(activity).order_by(*order))
        counted = [(row.window_code, f"{row.day:%m-%d}", row.handled) for row in rows]
    assert counted == [("W1", "07-02", 1), ("W2", "07-01", 2)]


async def test_what_is_delivered_again_counts_once(
    tell: Tell, ledger: Ledger, service: Service, kit: Kit
) -> None:
    envelopes = [
        await tell(CASES, "deadline-missed", CASE, **MISSED),
        await tell(TICKETS, "deadline-missed", TICKET, **TICKET_MISSED),
    ]

    for _ in range(3):
        await service.inbox(kit).apply(envelopes)

    assert [row.rule_id for row in await ledger()] == ["BASE-7.2", "S3-5"]


async def test_every_event_of_the_topics_is_taken_or_let_pass_and_none_is_unknown(
    tell: Tell, db: Database
) -> None:
    for topic, facts in (
        (CASES, "case-decided deadline-approaching deadline-rescheduled"),
        (TICKETS, "ticket-registered ticket-signed ticket-closed"),
        (TICKETS, "deadline-approaching deadline-rescheduled"),
        (RECTIFICATIONS, "rectification-opened deadline-approaching deadline-missed"),
        (RECTIFICATIONS, "deadline-rescheduled"),
    ):
        for fact in facts.split():
            await tell(topic, fact, CASE)

    async with db.reading() as connection:
        dead = await connection.execute(select(func.count()).select_from(dead_letter))
        assert dead.scalar() == 0
