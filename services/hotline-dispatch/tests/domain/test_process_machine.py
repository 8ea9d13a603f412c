"""A state machine over the pure model: any order of commands, legal or not, at any time."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tongban_common.errors import Refusal
from tongban_hotline_dispatch.domain import asking, closing, handling, intake, joining
from tongban_hotline_dispatch.domain.appeal import AppealType, Urgency
from tongban_hotline_dispatch.domain.asking import BY_SILENCE, Decision
from tongban_hotline_dispatch.domain.assignment import AskKind, Clock
from tongban_hotline_dispatch.domain.moves import ENDED, Status
from tongban_hotline_dispatch.domain.process_tables import TICKET
from tongban_hotline_dispatch.domain.ticket import OF_TICKET, Ticket

from .building import (
    BAD,
    CO,
    GOOD,
    LEAD,
    NOW,
    OTHER,
    REPLY,
    RULES,
    WHISTLED,
    a_ticket,
    asked,
    draft,
    signed,
)

Command = Callable[[Ticket, Any], Ticket]
COMMANDS: dict[str, Command] = {
    "request_facts": lambda t, at: intake.request_facts(t, RULES, at),
    "supplement": lambda t, at: intake.supplement(t, RULES, at),
    "route_out": lambda t, at: intake.route_out(
        t, RULES.process.disposition("LEGAL_ROUTE"), RULES, at
    ),
    "answer": lambda t, at: intake.answer_directly(t, REPLY, RULES, at),
    "consult": lambda t, at: intake.consult(t, RULES, at),
    "conclude": lambda t, at: intake.conclude(t, RULES, at),
    "withdraw": lambda t, at: intake.withdraw(t, RULES, at),
    "reopen": lambda t, at: intake.reopen(t, "NEW_FACTS", RULES, at),
    "assign": lambda t, at: handling.assign(t, LEAD, RULES, at),
    "assign_other": lambda t, at: handling.assign(t, OTHER, RULES, at),
    "force": lambda t, at: handling.assign(t, OTHER, RULES, at, forced=True),
    "transfer": lambda t, at: handling.transfer(t, OTHER, RULES, at),
    "sign": lambda t, at: handling.sign(t, None, RULES, at),
    "contact": lambda t, at: handling.contact(t, None, at),
    "add_unit": lambda t, at: handling.add_unit(t, None, CO, RULES, at),
    "whistle": lambda t, at: handling.add_unit(t, None, WHISTLED, RULES, at),
    "report_in": lambda t, at: handling.report_in(t, "B2", at),
    "whistled_sign": lambda t, at: handling.sign(t, "B2", RULES, at),
    "delegate": lambda t, at: handling.delegate(t, None, CO, RULES, at),
    "co_sign": lambda t, at: handling.sign(t, "B1", RULES, at),
    "co_reply": lambda t, at: handling.reply(t, "B1", REPLY, RULES, at),
    "co_extension": lambda t, at: asked(t, AskKind.EXTENSION, at, unit="B1"),
    "reply": lambda t, at: handling.reply(t, None, REPLY, RULES, at),
    "resume": lambda t, at: asking.resume(t, RULES, at),
    "pass_review": lambda t, at: closing.pass_review(t, RULES, at),
    "fail_review": lambda t, at: closing.fail_review(t, RULES, at),
    "attempt": closing.attempt,
    "call_back_good": lambda t, at: closing.call_back(t, GOOD, RULES, at),
    "call_back_bad": lambda t, at: closing.call_back(t, BAD, RULES, at),
    "give_up": lambda t, at: closing.lapse_callback(t, RULES, at, in_time=True),
    "close": lambda t, at: closing.close(t, None, RULES, at),
    "close_heard": lambda t, at: closing.close(t, GOOD, RULES, at),
    "escalate": lambda t, at: closing.escalate(t, "LATE", RULES, at),
    "supervise": lambda t, _: closing.supervise(t, "LATE"),
    "merge": lambda t, at: joining.merge(t, signed(draft(number=9)), RULES, at),
    "unmerge": lambda t, at: joining.unmerge(t, RULES, at),
}


def when_over(ticket: Ticket, clock: Clock, no: int) -> Command | None:
    """What the time edge does: the same as operations.deadlines, without a database."""
    match clock:
        case Clock.SIGN:
            return lambda t, at: handling.auto_sign(t, no, RULES, at)
        case Clock.DECISION:
            ask = ticket.assignment(no).asking
            assert ask is not None
            if ask.kind not in BY_SILENCE:
                return None
            silence = Decision(kind=ask.kind, is_granted=False, by=None)
            return lambda t, at: asking.decide(t, no, silence, RULES, at)
        case Clock.UNIT if closing.is_deadline_of_lead(ticket, clock, no):
            is_due = ticket.callback is None and not ticket.exemption(RULES.process)
            return (lambda t, at: closing.open_callback(t, RULES, at)) if is_due else None
        case _:
            acts: dict[Clock, Command] = {
                Clock.SUPPLEMENT: lambda t, at: intake.lapse(t, RULES, at),
                Clock.SUSPENSION: lambda t, at: asking.resume(t, RULES, at),
                Clock.CALLBACK: lambda t, at: closing.lapse_callback(t, RULES, at, in_time=False),
                Clock.TRACKER: lambda t, at: closing.lapse_promise(t, RULES, at),
                Clock.ARCHIVE: lambda t, at: closing.archive(t, RULES, at),
            }
            return acts.get(clock)


def _decided(no: int, decision: Decision, ticket: Ticket, at: datetime) -> Ticket:
    return asking.decide(ticket, no, decision, RULES, at)


class OneTicket(RuleBasedStateMachine):
    ticket: Ticket

    @initialize(
        kind=st.sampled_from([AppealType.CONSULT, AppealType.HELP, AppealType.COMPLAINT]),
        urgency=st.sampled_from([Urgency.NORMAL, Urgency.URGENT]),
        has_contact=st.booleans(),
    )
    def a_new_one(self, kind: AppealType, urgency: Urgency, has_contact: bool) -> None:
        new = draft(kind, urgency, has_contact=has_contact)
        self._begin(intake.register(new, RULES, NOW))

    @initialize(status=st.sampled_from([each for each in Status if each not in ENDED]))
    def one_under_way(self, status: Status) -> None:
        if status is not Status.DRAFT:
            self._begin(a_ticket(status))

    def _begin(self, ticket: Ticket) -> None:
        self.now = NOW
        self.told: set[tuple[Clock, int, Any]] = set()
        self.ticket = ticket
        self.citizen = ticket.citizen_term

    @rule(name=st.sampled_from(sorted(COMMANDS)))
    def command(self, name: str) -> None:
        self._try(COMMANDS[name])

    @rule(kind=st.sampled_from(AskKind))
    def ask(self, kind: AskKind) -> None:
        unit = self.ticket.unit_code
        if unit is not None:
            self._try(lambda t, at: asked(t, kind, at, unit=unit))

    @rule(kind=st.sampled_from(AskKind), granted=st.booleans(), by_center=st.booleans())
    def decide(self, kind: AskKind, granted: bool, by_center: bool) -> None:
        decision = Decision(
            kind=kind, is_granted=granted, by="d-1", is_told=True, by_center=by_center
        )
        for share in self.ticket.assignments:
            self._try(partial(_decided, share.no, decision))

    @rule(hours=st.sampled_from([1, 5, 26, 24 * 4, 24 * 20]))
    def time_passes(self, hours: int) -> None:
        """Whatever runs out on the way does what the process says, each clock once."""
        until = self.now + timedelta(hours=hours)
        for _ in range(100):
            over = [
                (term.due_at, clock, no)
                for (clock, no), term in self.ticket.clocks().items()
                if term.due_at < until and (clock, no, term.due_at) not in self.told
            ]
            if not over:
                break
            due_at, clock, no = min(over)
            self.told.add((clock, no, due_at))
            self.now = max(self.now, due_at + timedelta(microseconds=1))
            command = when_over(self.ticket, clock, no)
            if command is not None:
                self._apply(command)  # never refused: silence always has its effect
        self.now = until

    def _try(self, command: Command) -> None:
        before = self.ticket
        try:
            self._apply(command)
        except Refusal:
            self.ticket = before

    def _apply(self, command: Command) -> None:
        before, after = self.ticket, command(self.ticket, self.now)
        assert after.deed is not None
        assert after.version == before.version + 1
        assert after.status in TICKET.targets(after.deed.act, before.status)
        self.ticket = after

    @invariant()
    def every_open_assignment_has_one_due_clock(self) -> None:
        runs = self.ticket.clocks()
        for share in self.ticket.assignments:
            found = [no for clock, no in runs if clock is Clock.UNIT and no == share.no]
            is_paused = self.ticket.status is Status.SUSPENDED
            assert len(found) == int(share.is_open and not is_paused)

    @invariant()
    def nothing_runs_for_what_is_ended(self) -> None:
        if self.ticket.status in ENDED:
            assert {clock for clock, _ in self.ticket.clocks()} <= {Clock.ARCHIVE}

    @invariant()
    def no_ticket_is_closed_without_its_callback_rule(self) -> None:
        if self.ticket.status not in {Status.CLOSED, Status.ARCHIVED}:
            return
        called = self.ticket.callback is not None and self.ticket.callback.is_done
        is_exempt = self.ticket.exemption(RULES.process) is not None
        assert called or is_exempt or self.ticket.disposition == intake.NO_SUBSTANCE

    @invariant()
    def silence_is_never_satisfaction(self) -> None:
        callback = self.ticket.callback
        if callback is not None and callback.is_unanswered:
            assert callback.heard is None

    @invariant()
    def nothing_resets_the_clock_of_the_citizen(self) -> None:
        term = self.ticket.citizen_term
        if term is None or self.citizen is None:  # one that began before it was taken in
            return
        assert (term.start_at, term.limit) == (self.citizen.start_at, self.citizen.limit)
        assert len(term.pauses) > 0 or term.due_at == self.citizen.due_at

    @invariant()
    def a_lead_and_its_status_fit(self) -> None:
        waits = {Status.REGISTERED, Status.CONSULTING, Status.AWAITING_FACTS}
        if self.ticket.status in waits:
            assert not any(share.is_open for share in self.ticket.assignments)
        if self.ticket.status in {Status.ASSIGNED, Status.SIGNED, Status.REWORK}:
            assert self.ticket.lead is not None
            assert self.ticket.lead.is_open

    @invariant()
    def counts_stay_within_the_policy(self) -> None:
        counts = RULES.process.counts
        assert self.ticket.rework_rounds <= counts.rework_rounds
        assert self.ticket.returns <= counts.returns_before_forced
        for share in self.ticket.assignments:
            assert share.extensions <= counts.extensions_by_center

    @invariant()
    def every_due_moment_is_the_calendars(self) -> None:
        for (clock, no), term in self.ticket.clocks().items():
            assert term.due_at == term.due_under(RULES.calendar), (clock, no)
            if clock in {Clock.UNIT, Clock.CITIZEN} and no != OF_TICKET:
                explained = term.explain(RULES.calendar, ())
                assert explained.due == term.due_at
                assert explained.days[-1].counted or term.limit.unit.is_elapsed


OneTicket.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestOneTicket = OneTicket.TestCase
