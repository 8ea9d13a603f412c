"""The ladder of one ticket: which rungs lie ahead, which have been reached, which comes next."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from tongban_common.working_days import WorkingCalendar
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.supervision import SupervisionState
from tongban_hotline_dispatch.domain.supervision_rules import Level, Rung, Span, SupervisionRules
from tongban_hotline_dispatch.domain.ticket import OF_TICKET, Ticket

# A rung is climbed once in each span: of which assignment, since when, which rung.
Key = tuple[int, datetime, str]
_HEEDED = frozenset({SupervisionState.ANSWERED, SupervisionState.ACCEPTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A rung that was climbed, and what became of it."""

    supervision_id: UUID
    level: Level
    state: SupervisionState
    was_accepted: bool

    @property
    def is_heeded(self) -> bool:
        return self.was_accepted or self.state in _HEEDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    at: datetime
    rung: Rung
    span: Span

    @property
    def key(self) -> Key:
        return self.span.no, self.span.start_at, self.rung.code


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """What one moment sees of it: rungs after the end of a term exist once it is over."""

    ticket: Ticket
    rules: SupervisionRules
    calendar: WorkingCalendar
    now: datetime
    seen: Mapping[Key, Seen]

    def next(self) -> Step | None:
        """What to wait for; one that lasts and was reached unseen is next at once."""
        open_ones = (each for each in self._steps() if each.key not in self.seen)
        waited_for = (
            each for each in open_ones if each.at >= self.now or not each.rung.is_reminder
        )
        return min(waited_for, key=_moment, default=None)

    def reached(self, fired_at: datetime) -> list[Step]:
        """What to climb now, the lower first. Of several reminders only the last one is told."""
        past = [each for each in self._steps() if each.at < self.now and each.key not in self.seen]
        lasting = sorted((each for each in past if not each.rung.is_reminder), key=_moment)
        reminders = [each for each in past if each.rung.is_reminder and each.at >= fired_at]
        is_over = any(each.due_at < self.now for each in spans(self.ticket))
        if reminders and not is_over:
            return [max(reminders, key=_moment), *lasting]
        return lasting

    def original(self, step: Step) -> Seen | None:
        """What this rung adds a notice to."""
        if step.rung.adds_to is None:
            return None
        return self.seen.get((step.span.no, step.span.start_at, step.rung.adds_to))

    def _steps(self) -> Iterator[Step]:
        for span in spans(self.ticket, self.now, self.calendar):
            for rung in self.rules.rungs:
                at = rung.moment(span, self.calendar)
                if at is not None and self._exists(rung, span, at):
                    yield Step(at=at, rung=rung, span=span)

    def _exists(self, rung: Rung, span: Span, at: datetime) -> bool:
        if span.is_hard_case:
            return True
        is_over = self.now > span.due_at
        if rung.is_reminder:
            return not is_over and at > span.start_at
        return is_over and not self._is_heeded(rung, span)

    def _is_heeded(self, rung: Rung, span: Span) -> bool:
        return any(
            each.is_heeded
            for (no, since, _), each in self.seen.items()
            if each.level is rung.unless_answered and (no, since) == (span.no, span.start_at)
        )


def spans(
    ticket: Ticket, now: datetime | None = None, calendar: WorkingCalendar | None = None
) -> list[Span]:
    """What runs: the open lead's term, and the time as a hard case. None while suspended.

    Under a calendar, a term that is not over yet ends when that calendar says.
    """
    if ticket.status is Status.SUSPENDED:
        return []
    found = []
    lead = ticket.lead
    if lead is not None and lead.is_open and not ticket.is_ended:
        found.append(_of_lead(lead.no, lead.reply_term, now, calendar))
    if ticket.status is Status.HARD_CASE and ticket.stage is not None:
        found.append(_as_hard_case(ticket.stage))
    return found


def _of_lead(no: int, term: Term, now: datetime | None, calendar: WorkingCalendar | None) -> Span:
    span = Span(no=no, start_at=term.start_at, due_at=term.due_at, limit=term.limit)
    if calendar is None or now is None or term.has_run_out(at=now):
        return span
    return replace(span, due_at=term.due_under(calendar), left=term.left(calendar))


def _as_hard_case(stage: Term) -> Span:
    return Span(
        no=OF_TICKET,
        start_at=stage.start_at,
        due_at=stage.due_at,
        limit=stage.limit,
        is_hard_case=True,
    )


def _moment(step: Step) -> datetime:
    return step.at
