from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tongban_common.working_days import SHANGHAI, Limit, Unit
from tongban_hotline_dispatch.domain.appeal import (
    APPEAL_NAMES,
    CHANNEL_NAMES,
    URGENCY_NAMES,
    Appeal,
    AppealType,
    Channel,
    Urgency,
)
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.ticket import (
    MOVES,
    STATUS_NAMES,
    Clock,
    EmptyReply,
    IllegalMove,
    NotYourTicket,
    Status,
    Ticket,
)

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
DUE = datetime(2026, 9, 28, 23, 59, 59, 999999, tzinfo=SHANGHAI)
INSTANT = timedelta(microseconds=1)


def a_term(due_at: datetime = DUE) -> Term:
    return Term(
        start_at=NOW,
        limit=Limit(amount=5, unit=Unit.WORKING_DAYS, clause="求助类5个工作日"),
        due_at=due_at,
        warn_at=None,
        policy="hotline-limits/guizhou_default@1",
        calendar_version="2026v1",
    )


def a_ticket(status: Status = Status.REGISTERED) -> Ticket:
    ticket = Ticket(
        id=UUID(int=1),
        ticket_no="260921100000000001",
        query_code="12345678",
        appeal=Appeal(
            channel=Channel.PHONE,
            channel_order_no=None,
            appeal_type=AppealType.HELP,
            urgency=Urgency.NORMAL,
            matter_code=None,
            title="路灯不亮",
            content="桂花路口的路灯已三天不亮",
        ),
        registered_at=NOW,
        citizen_term=a_term(DUE + timedelta(days=2)),
        status=status,
    )
    if status is Status.REGISTERED:
        return ticket
    return replace(ticket, unit_code="A3", reply_term=a_term(), assigned_at=NOW)


def made(ticket: Ticket, target: Status) -> Ticket:
    match target:
        case Status.ASSIGNED:
            return ticket.assign(to="A3", term=a_term(), at=NOW)
        case Status.SIGNED:
            return ticket.sign()
        case Status.REPLIED:
            return ticket.answer(text="已修复", at=NOW)
        case _:
            return ticket.close()


LEGAL = {
    (Status.REGISTERED, Status.ASSIGNED),
    (Status.ASSIGNED, Status.SIGNED),
    (Status.SIGNED, Status.REPLIED),
    (Status.REPLIED, Status.CLOSED),
}


@pytest.mark.parametrize("target", [each for each in Status if each is not Status.REGISTERED])
@pytest.mark.parametrize("status", Status)
def test_only_the_moves_of_the_table_are_made(status: Status, target: Status) -> None:
    ticket = a_ticket(status)

    if (status, target) in LEGAL:
        moved = made(ticket, target)
        assert (moved.status, moved.version) == (target, ticket.version + 1)
    else:
        with pytest.raises(IllegalMove, match=STATUS_NAMES[status]):
            made(ticket, target)


def test_the_tables_are_complete() -> None:
    assert set(MOVES) == set(STATUS_NAMES) == set(Status)
    assert set(CHANNEL_NAMES) == set(Channel)
    assert set(APPEAL_NAMES) == set(AppealType)
    assert set(URGENCY_NAMES) == set(Urgency)
    assert len(set(CHANNEL_NAMES.values())) == len(Channel)


def test_assigning_starts_the_clock_of_the_unit_and_leaves_the_citizens() -> None:
    ticket = a_ticket()

    assigned = ticket.assign(to="A3", term=a_term(), at=NOW + timedelta(hours=1))

    assert set(ticket.terms) == {Clock.CITIZEN}
    assert assigned.terms == {Clock.UNIT: a_term(), Clock.CITIZEN: ticket.citizen_term}
    assert assigned.assigned_at == NOW + timedelta(hours=1)


def test_signing_moves_no_deadline() -> None:
    assigned = a_ticket(Status.ASSIGNED)

    assert assigned.sign().terms == assigned.terms


@pytest.mark.parametrize(
    ("answered_at", "late"),
    [
        (DUE - timedelta(days=3), False),
        (DUE, False),
        (DUE + INSTANT, True),
        (DUE.astimezone(UTC), False),
    ],
    ids=["期限内", "期限届满之时（含本数）", "次日零时", "以协调世界时表示的届满之时"],
)
def test_lateness_is_against_the_clock_of_the_unit(answered_at: datetime, late: bool) -> None:
    replied = a_ticket(Status.SIGNED).answer(text="已修复", at=answered_at)

    assert replied.is_overdue(at=DUE + timedelta(days=365)) is late


def test_an_open_ticket_is_overdue_once_its_unit_is_late() -> None:
    assert not a_ticket().is_overdue(at=DUE + INSTANT)
    assert not a_ticket(Status.ASSIGNED).is_overdue(at=DUE)
    assert a_ticket(Status.ASSIGNED).is_overdue(at=DUE + INSTANT)


@pytest.mark.parametrize("text", ["", " \n　"], ids=["没有文字", "只有空白"])
def test_an_empty_reply_is_no_reply(text: str) -> None:
    with pytest.raises(EmptyReply):
        a_ticket(Status.SIGNED).answer(text=text, at=NOW)


def test_a_unit_acts_on_its_own_tickets_and_the_hub_on_all() -> None:
    ticket = a_ticket(Status.ASSIGNED)

    ticket.check_unit("A3")
    ticket.check_unit(None)

    with pytest.raises(NotYourTicket):
        ticket.check_unit("A7")


@pytest.mark.parametrize("clock", Clock)
def test_a_corrected_calendar_moves_one_clock_in_any_status(clock: Clock) -> None:
    ticket = a_ticket(Status.SIGNED)
    later = a_term(DUE + timedelta(days=9))

    moved = ticket.redated(clock, later)

    assert moved.terms == {**ticket.terms, clock: later}
    assert (moved.status, moved.version) == (ticket.status, ticket.version)
