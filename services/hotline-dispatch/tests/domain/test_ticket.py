from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from tongban_common.errors import Refusal
from tongban_common.working_days import SHANGHAI, Limit, Unit
from tongban_hotline_dispatch.domain import asking, closing, handling, intake, joining
from tongban_hotline_dispatch.domain.appeal import (
    APPEAL_NAMES,
    CHANNEL_NAMES,
    URGENCY_NAMES,
    AppealType,
    Channel,
    Urgency,
)
from tongban_hotline_dispatch.domain.asking import (
    ComplainantNotTold,
    Decision,
    ForcedAssignment,
    IncompleteGrounds,
    NotAllowed,
    Request,
    TooLateToAsk,
)
from tongban_hotline_dispatch.domain.assignment import (
    AlreadyAsked,
    AskKind,
    Clock,
    EmptyReply,
    NothingAsked,
    Reply,
)
from tongban_hotline_dispatch.domain.closing import CallbackDue, TooFewAttempts
from tongban_hotline_dispatch.domain.handling import AlreadyAssigned, NotBelow, ToUnit
from tongban_hotline_dispatch.domain.intake import HasChildren, TooLateToReopen
from tongban_hotline_dispatch.domain.moves import (
    STATE_NAMES,
    STATUS_NAMES,
    Act,
    IllegalMove,
    State,
    Status,
)
from tongban_hotline_dispatch.domain.process import (
    Exemption,
    NotDelegable,
    UnknownReason,
)
from tongban_hotline_dispatch.domain.process_tables import ASSIGNMENT, TICKET
from tongban_hotline_dispatch.domain.surge import Surge
from tongban_hotline_dispatch.domain.ticket import NotYourTicket, Ticket
from tongban_hotline_dispatch.store.process import STAGE_NAMES, WHISTLED

from .building import (
    BAD,
    CO,
    GOOD,
    GROUNDS,
    LEAD,
    NOW,
    OTHER,
    REPLY,
    RULES,
    a_ticket,
    asked,
    assigned,
    decided,
    draft,
    later,
    registered,
    replied,
    signed,
)
from .test_process_machine import COMMANDS

INSTANT = timedelta(microseconds=1)
HALF_A_DAY = timedelta(hours=12)
Give = Callable[[], Ticket]
DUE = datetime(2026, 9, 29, 23, 59, 59, 999999, tzinfo=SHANGHAI)  # 25 September is a holiday


def test_the_tables_name_every_state_and_only_limits_that_the_policy_has() -> None:
    assert set(STATUS_NAMES) == set(Status)
    assert set(STATE_NAMES) == set(State)
    assert set(CHANNEL_NAMES) == set(Channel)
    assert set(APPEAL_NAMES) == set(AppealType)
    assert set(URGENCY_NAMES) == set(Urgency)
    said = [(row.limit, row.clause, row.actors) for row in TICKET.rows]
    said += [(row.limit, row.clause, row.actors) for row in ASSIGNMENT.rows]
    for limit, clause, actors in said:
        assert limit is None or limit in STAGE_NAMES | WHISTLED
        assert clause
        assert actors


def test_every_status_is_reached_and_every_open_one_is_left() -> None:
    reached = {row.target for row in TICKET.rows} | {Status.DRAFT}
    left = {source for row in TICKET.rows if row.target for source in row.sources}

    assert reached - {None} == set(Status)
    assert set(Status) - left == {
        Status.ANSWERED,
        Status.WITHDRAWN,
        Status.TERMINATED,
    }


@pytest.mark.parametrize("status", Status)
def test_a_ticket_of_every_status_can_be_made_and_holds_what_its_status_says(
    status: Status,
) -> None:
    ticket = a_ticket(status)

    assert ticket.status is status
    assert ticket.version == (0 if status is Status.DRAFT else ticket.version)


# Which commands are legal from where; what is not listed is refused, whatever the reason.
LEGAL: dict[str, str] = {
    "request_facts": "draft registered",
    "supplement": "awaiting_facts registered consulting assigned signed return_review suspended"
    " rework hard_case replied callback phased_closed",
    "route_out": "draft registered awaiting_facts consulting",
    "answer": "draft registered",
    "consult": "registered",
    "conclude": "consulting",
    "withdraw": "awaiting_facts registered consulting assigned signed return_review suspended"
    " replied rework callback hard_case phased_closed merged",
    "reopen": "closed archived routed_out",
    "assign": "registered consulting hard_case",
    "force": "registered consulting hard_case",
    "transfer": "assigned signed rework hard_case",
    "sign": "assigned",
    "contact": "signed rework hard_case",
    "add_unit": "signed rework hard_case",
    "report_in": "",
    "delegate": "signed rework",
    "reply": "signed rework hard_case phased_closed",
    "resume": "suspended",
    "pass_review": "replied",
    "fail_review": "replied",
    "attempt": "callback",
    "call_back_good": "callback",
    "call_back_bad": "callback",
    "close": "",
    "close_heard": "replied callback",
    "escalate": "awaiting_facts registered consulting assigned signed return_review suspended"
    " replied rework callback phased_closed",
    "supervise": "awaiting_facts registered consulting assigned signed return_review suspended"
    " rework hard_case replied callback phased_closed",
    "merge": "registered consulting assigned signed",
    "unmerge": "merged",
}


@pytest.mark.parametrize("name", LEGAL)
@pytest.mark.parametrize("status", Status)
def test_a_command_is_taken_from_the_statuses_of_the_table_and_refused_from_all_others(
    status: Status, name: str
) -> None:
    ticket = a_ticket(status)

    if status.value in LEGAL[name].split():
        moved = COMMANDS[name](ticket, NOW)
        assert moved.version == ticket.version + 1
        assert moved.deed is not None
        assert moved.status in TICKET.targets(moved.deed.act, status)
    else:
        with pytest.raises(Refusal):
            COMMANDS[name](ticket, NOW)


ASKED_FROM = {
    AskKind.RETURN: "assigned signed",
    AskKind.EXTENSION: "assigned signed suspended rework hard_case",
    AskKind.SUSPENSION: "signed rework",
    AskKind.PHASE: "signed rework hard_case",
    AskKind.TERMINATION: "signed rework hard_case",
}


@pytest.mark.parametrize("kind", AskKind)
@pytest.mark.parametrize("status", [Status.ASSIGNED, Status.SIGNED, Status.REWORK, Status.REPLIED])
def test_a_unit_asks_only_while_it_handles(status: Status, kind: AskKind) -> None:
    ticket = a_ticket(status)

    if status.value in ASKED_FROM[kind].split():
        assert asked(ticket, kind, NOW).assignment(1).asking is not None
    else:
        with pytest.raises(Refusal):
            asked(ticket, kind, NOW)


def test_assigning_starts_the_clock_of_the_unit_and_leaves_the_citizens() -> None:
    ticket = registered()

    moved = handling.assign(ticket, LEAD, RULES, later(1))

    assert ticket.reply_term is None
    assert moved.citizen_term == ticket.citizen_term
    assert moved.reply_term is not None
    assert moved.reply_term.start_at == later(1)
    assert moved.process_version == RULES.process.version


def test_a_unit_has_its_full_limit_and_that_it_outlasts_the_citizens_is_told() -> None:
    soon, late = (handling.assign(registered(), LEAD, RULES, later(days)) for days in (1, 6))

    assert (soon.outlasts_citizen, late.outlasts_citizen) == (False, True)
    assert late.assignment(1).reply_term.limit == soon.assignment(1).reply_term.limit
    assert late.citizen_term == soon.citizen_term
    working = handling.sign(late, "A3", RULES, later(6))
    assert not handling.reply(working, "A3", REPLY, RULES, later(7)).outlasts_citizen


def test_signing_moves_no_deadline_of_the_two() -> None:
    ticket = assigned()

    signed = handling.sign(ticket, "A3", RULES, later(0.5))
    assert (signed.reply_term, signed.citizen_term) == (ticket.reply_term, ticket.citizen_term)


@pytest.mark.parametrize(
    ("at", "late"), [(DUE, False), (DUE + INSTANT, True)], ids=["届满之时（含本数）", "次日零时"]
)
def test_a_reply_at_the_deadline_is_in_time(at: datetime, late: bool) -> None:
    moved = handling.reply(signed(), "A3", REPLY, RULES, at)

    assert moved.is_overdue(at=at + timedelta(days=365)) is late


def test_a_dispatch_on_friday_evening_is_to_be_signed_by_monday_or_on_a_working_saturday() -> None:
    friday = datetime(2026, 9, 4, 17, 59, tzinfo=SHANGHAI)
    before_holiday = datetime(2026, 10, 9, 17, 59, tzinfo=SHANGHAI)  # 10 October is worked

    plain = assigned(at=friday).assignment(1).sign_term
    moved = assigned(at=before_holiday).assignment(1).sign_term

    assert plain.due_at.date().isoformat() == "2026-09-07"
    assert moved.due_at.date().isoformat() == "2026-10-10"


def test_a_rejected_return_was_the_units_own_time() -> None:
    before = signed()
    asked_for = asked(before, AskKind.RETURN, later(0.1))

    rejected = decided(asked_for, AskKind.RETURN, later(1.2), granted=False)

    assert asked_for.clocks()[Clock.UNIT, 1] == before.clocks()[Clock.UNIT, 1]
    assert rejected.reply_term == before.reply_term
    assert (rejected.status, rejected.assignment(1).state) == (Status.SIGNED, State.SIGNED)


def test_silence_on_a_return_rejects_it() -> None:
    waiting = asked(signed(), AskKind.RETURN, NOW)
    silence = Decision(kind=AskKind.RETURN, is_granted=False, by=None)

    moved = asking.decide(waiting, 1, silence, RULES, later(2))

    assert moved.status is Status.SIGNED
    assert moved.deed is not None
    assert moved.deed.facts["is_by_silence"] is True
    assert moved.assignment(1).asks[0].decided_by is None


def test_after_two_returns_the_third_unit_is_designated_and_may_not_return() -> None:
    ticket, at = registered(), NOW
    for number in (1, 2):
        ticket = handling.assign(ticket, LEAD, RULES, at)
        assert not ticket.assignment(number).is_forced
        ticket = asked(ticket, AskKind.RETURN, at)
        ticket = decided(ticket, AskKind.RETURN, at, granted=True, no=number)

    third = handling.assign(ticket, OTHER, RULES, at)

    assert third.assignment(3).is_forced
    assert third.deed is not None
    assert third.deed.act is Act.FORCE
    assert third.citizen_term == registered().citizen_term
    with pytest.raises(ForcedAssignment):
        asked(third, AskKind.RETURN, at, unit="A7")


def test_a_return_needs_basis_citation_and_a_unit_and_comes_within_its_limit() -> None:
    request = Request(kind=AskKind.RETURN, by="u", grounds={"reason": "非本单位职责"})
    with pytest.raises(IncompleteGrounds) as missing:
        asking.ask(signed(), "A3", request, RULES, NOW)
    assert missing.value.facts["missing"] == ["citation", "suggested_unit"]
    unsigned = Request(
        kind=AskKind.RETURN, by="u", grounds=GROUNDS[AskKind.RETURN], is_signed_off=False
    )
    with pytest.raises(IncompleteGrounds):
        asking.ask(signed(), "A3", unsigned, RULES, NOW)

    in_time = signed().assignment(1).return_term.due_at
    assert asked(signed(), AskKind.RETURN, in_time).status is Status.RETURN_REVIEW
    with pytest.raises(TooLateToAsk, match="退单"):
        asked(signed(), AskKind.RETURN, in_time + INSTANT)


def test_the_limit_of_a_return_stands_still_with_a_suspension_and_moves_with_a_notice() -> None:
    held = decided(asked(signed(), AskKind.SUSPENSION, NOW), AskKind.SUSPENSION, NOW, granted=True)
    resumed = asking.resume(held, RULES, later(7))  # Monday the 28th, six working days later
    assert asked(resumed, AskKind.RETURN, later(7)).status is Status.RETURN_REVIEW

    year = RULES.calendar.in_force(2026)
    off = {**year.days_off, date(2026, 9, 22): "测试假日"}
    moved = RULES.calendar.with_year(replace(year, version=2, days_off=off))
    request = Request(kind=AskKind.RETURN, by="u", grounds=GROUNDS[AskKind.RETURN])
    with pytest.raises(TooLateToAsk):
        asking.ask(signed(), "A3", request, RULES, later(2))
    late = asking.ask(signed(), "A3", request, replace(RULES, calendar=moved), later(2))
    assert late.status is Status.RETURN_REVIEW


def test_a_reopened_ticket_waits_by_the_calendar_as_it_is_known_now() -> None:
    gone = intake.route_out(registered(), RULES.process.disposition("LEGAL_ROUTE"), RULES, NOW)
    year = RULES.calendar.in_force(2026)
    off = {**year.days_off, date(2026, 9, 22): "测试假日"}
    moved = RULES.calendar.with_year(replace(year, version=2, days_off=off))

    again = intake.reopen(gone, "NEW_FACTS", replace(RULES, calendar=moved), later(1))

    assert again.citizen_term is not None
    assert gone.citizen_term is not None
    assert again.citizen_term.start_at == gone.citizen_term.start_at
    assert again.citizen_term.due_at == gone.citizen_term.due_at + timedelta(days=1)


def test_an_extension_is_asked_before_expiry_and_explains_itself() -> None:
    waiting = asked(signed(), AskKind.EXTENSION, DUE - HALF_A_DAY)
    granted = decided(waiting, AskKind.EXTENSION, DUE, granted=True)

    term = granted.assignment(1).reply_term
    explained = term.explain(RULES.calendar, ())
    assert (term.limit.amount, term.extended_by) == (8, 3)
    assert term.due_at.date().isoformat() == "2026-10-09"
    assert explained.due == term.due_at
    assert [day.reason for day in explained.days if day.number in {5, 6}] == [
        "工作日",
        "工作日（延期）",
    ]
    with pytest.raises(TooLateToAsk, match=r"0\.5个工作日"):
        asked(signed(), AskKind.EXTENSION, DUE - HALF_A_DAY + INSTANT)
    with pytest.raises(TooLateToAsk, match="求助类5个工作日"):
        asked(signed(), AskKind.EXTENSION, DUE + INSTANT)
    shorter = RULES.limits.term(
        RULES.calendar, replace(term.limit, amount=3), start_at=term.start_at
    )
    kept = RULES.carried_over(shorter, term)  # a newer version of the limits lets the extension be
    assert (kept.limit.amount, kept.extended_by) == (6, 3)
    assert kept.due_at.date().isoformat() == "2026-09-30"


@pytest.mark.parametrize(
    ("new", "amount"),
    [
        (draft(AppealType.CONSULT), 1),
        (draft(urgency=Urgency.CRITICAL), 1),
        (draft(), 6),
        (draft(AppealType.COMPLAINT), 11),
        (draft(), 0),
    ],
    ids=["咨询", "特急", "超过原时限", "超过十个工作日", "没有长度"],
)
def test_what_may_not_be_extended_is_refused(new: Ticket, amount: int) -> None:
    grounds = {**GROUNDS[AskKind.EXTENSION], "amount": amount}

    request = Request(kind=AskKind.EXTENSION, by="u", grounds=grounds)
    with pytest.raises((NotAllowed, IncompleteGrounds)):
        asking.ask(signed(new), "A3", request, RULES, NOW)


def test_an_extension_holds_once_the_complainant_knows_and_a_second_needs_the_center() -> None:
    waiting = asked(signed(), AskKind.EXTENSION, NOW)
    untold = Decision(kind=AskKind.EXTENSION, is_granted=True, by="d")
    with pytest.raises(ComplainantNotTold):
        asking.decide(waiting, 1, untold, RULES, NOW)
    once = decided(waiting, AskKind.EXTENSION, NOW, granted=True)
    again = Request(
        kind=AskKind.EXTENSION, by="u", grounds={**GROUNDS[AskKind.EXTENSION], "amount": 2}
    )
    waiting = asking.ask(once, "A3", again, RULES, NOW)
    with pytest.raises(NotAllowed, match="热线中心"):
        decided(waiting, AskKind.EXTENSION, NOW, granted=True)
    told = Decision(kind=AskKind.EXTENSION, is_granted=True, by="c", is_told=True, by_center=True)
    twice = asking.decide(waiting, 1, told, RULES, NOW)
    assert twice.assignment(1).reply_term.limit.amount == 10
    with pytest.raises(NotAllowed, match="次数"):
        asking.ask(twice, "A3", again, RULES, NOW)


def test_a_suspension_pauses_both_clocks_and_says_which_days_did_not_count() -> None:
    held = asked(signed(), AskKind.SUSPENSION, later(1))
    held = decided(held, AskKind.SUSPENSION, later(1), granted=True)  # Tuesday the 22nd
    assert {clock for clock, _ in held.clocks()} == {Clock.SUSPENSION}

    resumed = asking.resume(held, RULES, later(7))  # Monday the 28th

    term = resumed.assignment(1).reply_term
    explained = term.explain(RULES.calendar, ())
    assert term.due_at.date().isoformat() == "2026-10-09"
    counted = [day.day.isoformat()[5:] for day in explained.days if day.counted]
    assert counted == ["09-28", "09-29", "09-30", "10-08", "10-09"]
    assert explained.days[1].reason == "挂起（检验、检测、鉴定），不计入"
    assert "挂起" in explained.rule
    assert resumed.citizen_term is not None
    assert resumed.citizen_term.due_at > term.due_at
    assert resumed.status is Status.SIGNED


def test_a_clock_in_hours_stands_still_for_exactly_the_pause() -> None:
    urgent = signed(draft(urgency=Urgency.URGENT))
    before = urgent.assignment(1).reply_term
    held = asked(urgent, AskKind.SUSPENSION, NOW + timedelta(hours=1))
    held = decided(held, AskKind.SUSPENSION, NOW + timedelta(hours=2), granted=True)

    resumed = asking.resume(held, RULES, NOW + timedelta(hours=7))

    assert resumed.assignment(1).reply_term.due_at == before.due_at + timedelta(hours=5)


def test_a_return_review_pauses_no_clock() -> None:
    before = signed()

    waiting = asked(before, AskKind.RETURN, NOW)

    for key in ((Clock.UNIT, 1), (Clock.CITIZEN, 0)):
        assert waiting.clocks()[key] == before.clocks()[key]


def test_a_reason_that_is_not_listed_is_refused() -> None:
    bad = Request(kind=AskKind.SUSPENSION, by="u", grounds={"reason": "忙", "pause_reason": "BUSY"})
    with pytest.raises(UnknownReason, match="HEARING"):
        asking.ask(signed(), "A3", bad, RULES, NOW)
    with pytest.raises(UnknownReason):
        RULES.process.disposition("NOT_MINE")
    with pytest.raises(UnknownReason):
        intake.reopen(a_ticket(Status.CLOSED), "BORED", RULES, NOW)


def test_one_ask_at_a_time_and_nothing_is_decided_that_nobody_asked() -> None:
    waiting = asked(signed(), AskKind.EXTENSION, NOW)

    with pytest.raises(AlreadyAsked):
        asked(waiting, AskKind.PHASE, NOW)
    with pytest.raises(NothingAsked):
        decided(waiting, AskKind.PHASE, NOW, granted=True)


def test_a_co_unit_has_less_time_than_the_lead_and_reports_to_it() -> None:
    shared = handling.add_unit(signed(), "A3", CO, RULES, NOW)
    co = shared.assignment(2)
    assert co.reply_term.limit == replace(co.reply_term.limit, amount=4, unit=Unit.WORKING_DAYS)
    with pytest.raises(AlreadyAssigned):
        handling.add_unit(shared, "A3", CO, RULES, NOW)

    told = handling.sign(shared, "B1", RULES, NOW)
    told = handling.reply(told, "B1", REPLY, RULES, NOW)

    assert told.status is Status.SIGNED
    assert told.assignment(2).state is State.REPLIED
    assert told.first_replied_at is None
    assert told.reply is None


def test_a_duty_that_may_not_be_handed_down_stays() -> None:
    ticket = signed(draft(matter_code="ZF-01"))
    town = ToUnit(code="T1", level="township", superiors=frozenset({"A3"}))

    given: list[Give] = [
        lambda: handling.delegate(ticket, "A3", town, RULES, NOW),
        lambda: handling.add_unit(ticket, "A3", town, RULES, NOW),
        lambda: handling.transfer(ticket, town, RULES, NOW),
        lambda: handling.assign(registered(draft(matter_code="ZF-01")), town, RULES, NOW),
    ]
    for give in given:
        with pytest.raises(NotDelegable, match="不得下派"):
            give()
    assert handling.delegate(signed(), "A3", town, RULES, NOW).assignment(2).parent_no == 1


def test_a_ticket_is_handed_down_to_units_below_only() -> None:
    for superiors in (frozenset[str](), frozenset({"A7"})):
        beside = ToUnit(code="T1", level="township", superiors=superiors)
        with pytest.raises(NotBelow):
            handling.delegate(signed(), "A3", beside, RULES, NOW)


def test_a_child_gets_the_reply_of_its_parent_and_a_callback_of_its_own() -> None:
    parent = signed()
    child = joining.merge(registered(draft(number=2)), parent, RULES, NOW)
    assert (Clock.CITIZEN, 0) in child.clocks()

    answered = closing.pass_review(handling.reply(parent, "A3", REPLY, RULES, NOW), RULES, NOW)
    child = joining.inherit(child, answered, RULES, NOW)

    assert (child.status, child.reply, child.unit_code) == (Status.CALLBACK, "已修复", "A3")
    assert child.callback is not None
    assert closing.call_back(child, GOOD, RULES, NOW).status is Status.CLOSED
    assert closing.call_back(child, BAD, RULES, NOW).assignment(1).state is State.REWORK


def test_a_parent_does_not_leave_while_children_wait_for_it() -> None:
    with pytest.raises(HasChildren):
        intake.withdraw(replace(signed(), children=1), RULES, NOW)


def test_a_bad_result_is_done_again_twice_and_then_is_a_hard_case() -> None:
    ticket = replied()
    for _ in range(2):
        ticket = closing.call_back(closing.pass_review(ticket, RULES, NOW), BAD, RULES, NOW)
        assert ticket.status is Status.REWORK
        assert ticket.assignment(1).reply_term.limit.amount == 3
        ticket = handling.reply(ticket, "A3", REPLY, RULES, NOW)

    last = closing.call_back(closing.pass_review(ticket, RULES, NOW), BAD, RULES, NOW)

    assert (last.status, last.is_supervised) == (Status.HARD_CASE, True)


def test_an_unresolved_matter_is_closed_only_for_a_listed_reason() -> None:
    waiting = a_ticket(Status.CALLBACK)
    excused = replace(BAD, no_redo="POLICY_FORBIDS")

    assert closing.call_back(waiting, excused, RULES, NOW).status is Status.CLOSED
    with pytest.raises(UnknownReason):
        closing.call_back(waiting, replace(BAD, no_redo="LAZY"), RULES, NOW)
    with pytest.raises(CallbackDue):
        closing.close(waiting, BAD, RULES, NOW)
    with pytest.raises(CallbackDue, match="须回访"):
        closing.close(replied(), None, RULES, NOW)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"wants_reply": False}, Exemption.WANTS_NO_REPLY),
        ({"wants_callback": False}, Exemption.WANTS_NO_CALLBACK),
        ({"has_contact": False}, Exemption.NO_CONTACT),
    ],
)
def test_who_is_exempt_from_the_callback_is_closed_after_review(
    change: dict[str, Any], why: Exemption
) -> None:
    ticket = replied(replace(draft(), **change))

    assert ticket.exemption(RULES.process) is why
    assert closing.close(ticket, None, RULES, NOW).status is Status.CLOSED
    assert closing.pass_review(ticket, RULES, NOW).status is Status.CLOSED


def test_nobody_is_given_up_before_three_attempts_and_silence_is_not_satisfaction() -> None:
    waiting = a_ticket(Status.CALLBACK)
    for _ in range(3):
        with pytest.raises(TooFewAttempts):
            closing.lapse_callback(waiting, RULES, NOW, in_time=True)
        waiting = closing.attempt(waiting, NOW)

    closed = closing.lapse_callback(waiting, RULES, NOW, in_time=True)

    assert closed.status is Status.CLOSED
    assert closed.callback is not None
    assert (closed.callback.is_unanswered, closed.callback.heard) == (True, None)


def test_a_callback_at_the_deadline_of_a_silent_unit_leads_to_supervision() -> None:
    opened = closing.open_callback(signed(), RULES, DUE + INSTANT)

    heard = closing.call_back(opened, BAD, RULES, DUE + INSTANT)

    assert (heard.status, heard.is_supervised) == (Status.SIGNED, True)


def test_a_phased_close_is_tracked_to_its_date_and_comes_back() -> None:
    phased = a_ticket(Status.PHASED)
    assert phased.clocks()[Clock.TRACKER, 0].due_at.date().isoformat() == "2026-12-31"
    assert phased.first_replied_at == NOW

    assert handling.reply(phased, "A3", REPLY, RULES, later(9)).status is Status.REPLIED
    lapsed = closing.lapse_promise(phased, RULES, later(120))
    assert (lapsed.status, lapsed.assignment(1).state) == (Status.REWORK, State.REWORK)


def test_a_reply_of_low_risk_passes_alone_but_only_where_a_callback_follows() -> None:
    assert replied(draft(AppealType.CONSULT)).status is Status.CALLBACK
    assert replied(draft(AppealType.CONSULT, has_contact=False)).status is Status.REPLIED
    assert replied(draft(AppealType.HELP)).status is Status.REPLIED


def test_a_closed_ticket_is_reopened_within_its_days_and_not_later() -> None:
    closed = a_ticket(Status.CLOSED)

    assert intake.reopen(closed, "NEW_FACTS", RULES, later(30)).status is Status.REGISTERED
    with pytest.raises(TooLateToReopen):
        intake.reopen(closed, "NEW_FACTS", RULES, later(33))


def test_a_surge_profile_overrides_limits_for_its_matter_and_time() -> None:
    quick = Limit(amount=15, unit=Unit.MINUTES, clause="台风应急")
    surge = Surge(name="台风", matter="TF", from_at=NOW, to_at=later(3), limits={"dispatch": quick})
    rules = replace(RULES, surges=(surge,))

    def dispatch(matter: str, at: datetime) -> Limit:
        ticket = intake.register(draft(matter_code=matter), rules, at)
        return ticket.clocks()[Clock.DISPATCH, 0].limit

    assert dispatch("TF-01", NOW).amount == 15
    assert dispatch("TF-01", NOW).clause.startswith("台风应急（台风，2026-")
    assert dispatch("XX-01", NOW).amount == 30
    assert dispatch("TF-01", later(3)).amount == 30


def test_an_upper_platforms_deadline_goes_before_and_says_so() -> None:
    new = draft(AppealType.COMPLAINT, upstream_due=later(2))

    term = assigned(new).assignment(1).reply_term

    assert term.due_at == later(2)
    assert "上级平台" in term.explain(RULES.calendar, ()).rule


def test_the_rules_pinned_at_assignment_hold_when_the_policy_changes() -> None:
    old = RULES.process
    stricter = replace(old, version=old.version + 1, counts=replace(old.counts, rework_rounds=0))
    editions = {each.version: each for each in (old, stricter)}
    changed = replace(RULES, process=stricter, editions=editions)
    ticket = replied()

    pinned = changed.pinned(ticket.process_version)

    assert closing.fail_review(ticket, pinned, NOW).status is Status.REWORK
    assert closing.fail_review(ticket, changed, NOW).status is Status.HARD_CASE


@pytest.mark.parametrize("text", ["", " \n　"], ids=["没有文字", "只有空白"])
def test_an_empty_reply_is_no_reply(text: str) -> None:
    with pytest.raises(EmptyReply):
        handling.reply(signed(), "A3", Reply.of(text), RULES, NOW)


def test_a_unit_acts_on_its_own_tickets_and_the_hub_on_all() -> None:
    ticket = assigned()

    ticket.check_unit("A3")
    ticket.check_unit(None)
    with pytest.raises(NotYourTicket):
        ticket.check_unit("A7")
    with pytest.raises(IllegalMove, match="已签收"):
        handling.sign(signed(), "A3", RULES, NOW)


def test_a_hard_case_ends_a_suspension_and_its_days_do_not_count() -> None:
    held = decided(asked(signed(), AskKind.SUSPENSION, NOW), AskKind.SUSPENSION, NOW, granted=True)

    hard = closing.escalate(held, "DISPUTE", RULES, later(2))

    assert hard.status is Status.HARD_CASE
    assert hard.suspension is None
    assert hard.version == held.version + 1
    assert hard.assignment(1).reply_term == asking.resume(held, RULES, later(2)).reply_term
    assert (Clock.UNIT, 1) in hard.clocks()
    assert handling.reply(hard, None, REPLY, RULES, later(3)).status is Status.REPLIED


def test_a_hard_case_takes_over_a_return_that_waits() -> None:
    waiting = asked(signed(), AskKind.RETURN, NOW)

    hard = closing.escalate(waiting, "DISPUTE", RULES, NOW)

    share = hard.assignment(1)
    assert (share.state, share.asking) == (State.SIGNED, None)
    assert (share.asks[-1].is_granted, share.asks[-1].note) == (False, "列为疑难，一并研判")
    assert (Clock.DECISION, 1) not in hard.clocks()
    assert hard.returns == 0
    forced = handling.assign(hard, OTHER, RULES, NOW, forced=True)
    assert forced.assignment(2).is_forced


def test_what_nobody_has_signed_is_signed_as_a_hard_case_too() -> None:
    hard = closing.escalate(assigned(), "DISPUTE", RULES, NOW)

    taken = handling.sign(hard, "A3", RULES, NOW)
    late = handling.auto_sign(hard, 1, RULES, later(5))

    assert taken.status is late.status is Status.HARD_CASE
    assert taken.assignment(1).state is late.assignment(1).state is State.SIGNED


def test_the_citizen_s_clock_begins_where_a_hard_case_waited_for_facts() -> None:
    waiting = a_ticket(Status.AWAITING_FACTS)
    assert waiting.citizen_term is None

    hard = closing.escalate(waiting, "DISPUTE", RULES, NOW)

    assert hard.citizen_term is not None
    assert handling.assign(hard, LEAD, RULES, NOW).status is Status.ASSIGNED


def test_a_limit_in_hours_or_a_rule_without_notice_is_extended_until_it_ends() -> None:
    urgent = signed(draft(urgency=Urgency.URGENT))
    assert urgent.reply_term is not None
    assert asked(urgent, AskKind.EXTENSION, urgent.reply_term.due_at).assignment(1).asking

    rules = replace(RULES, process=replace(RULES.process, extension_notice=None))
    request = Request(kind=AskKind.EXTENSION, by="u", grounds=GROUNDS[AskKind.EXTENSION])
    assert asking.ask(signed(), "A3", request, rules, DUE).assignment(1).asking
