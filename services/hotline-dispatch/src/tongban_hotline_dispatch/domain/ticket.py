"""A ticket (工单) with its assignments: what it holds, which clocks run, how it moves.

Two clocks run, never one: the citizen's from registration, which nothing resets, and each unit's
from its assignment. 12345热线：市民时钟与承办单位时钟分开计算。 What may be done is in
process_tables; the commands are in intake, handling, asking, closing and joining.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from tongban_common.errors import Forbidden
from tongban_hotline_dispatch.domain.appeal import Appeal
from tongban_hotline_dispatch.domain.assignment import (
    Assignment,
    Clock,
    Json,
    Reply,
    Role,
)
from tongban_hotline_dispatch.domain.callback import Callback, Phase, Suspension
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.guard import Recused, accused
from tongban_hotline_dispatch.domain.moves import ENDED, Act, State, Status, TicketArchived
from tongban_hotline_dispatch.domain.process import Exemption, Process
from tongban_hotline_dispatch.domain.process_tables import TICKET
from tongban_hotline_dispatch.domain.rules import Rules

# A stage that has a limit of its own, and the clock that watches it.
STAGES: dict[Status, Clock] = {
    Status.REGISTERED: Clock.DISPATCH,
    Status.AWAITING_FACTS: Clock.SUPPLEMENT,
    Status.CONSULTING: Clock.CONSULTATION,
    Status.SUSPENDED: Clock.SUSPENSION,
    Status.REPLIED: Clock.REVIEW,
    Status.CALLBACK: Clock.CALLBACK,
    Status.PHASED: Clock.TRACKER,
    Status.HARD_CASE: Clock.HARD_CASE,
    Status.CLOSED: Clock.ARCHIVE,
}
OF_TICKET = 0  # the number that stands for the ticket itself where its assignments have theirs
Running = tuple[Clock, int]


class NotYourTicket(Forbidden):
    code = "ticket.not_your_unit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What was done last: a line of the history, and what its event says."""

    act: Act
    unit_code: str | None = None
    facts: Mapping[str, Json] = field(default_factory=dict)  # no personal data


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    id: UUID
    ticket_no: str
    query_code: str
    appeal: Appeal
    registered_at: datetime
    citizen_term: Term | None = None  # None where the citizen asked for no reply
    wants_reply: bool = True
    wants_callback: bool = True
    has_contact: bool = False
    hides_identity: bool = False  # 隐藏身份: from units altogether
    target_unit: str | None = None  # 被诉单位
    recused: frozenset[str] = frozenset()  # 回避: subjects of staff
    public_title: str | None = None  # where units and the public see other words
    public_content: str | None = None
    status: Status = Status.DRAFT
    assignments: tuple[Assignment, ...] = ()
    stage: Term | None = None  # of the status it is in
    process_version: int | None = None  # pinned at the first assignment
    first_replied_at: datetime | None = None
    own_answer: str | None = None  # 直接答复: the agent's
    returns: int = 0  # upheld ones, whichever the unit
    rework_rounds: int = 0
    callback: Callback | None = None
    suspension: Suspension | None = None
    phase: Phase | None = None
    is_supervised: bool = False
    disposition: str | None = None
    parent_id: UUID | None = None
    children: int = 0
    closed_at: datetime | None = None
    version: int = 0
    deed: Deed | None = field(default=None, compare=False)

    @property
    def lead(self) -> Assignment | None:
        """主办: the one that answers for the ticket now."""
        found = [each for each in self.assignments if each.role is Role.LEAD and each.is_live]
        return found[-1] if found else None

    @property
    def unit_code(self) -> str | None:
        lead = self.lead
        return None if lead is None else lead.unit_code

    @property
    def assigned_at(self) -> datetime | None:
        lead = self.lead
        return None if lead is None else lead.assigned_at

    @property
    def reply_term(self) -> Term | None:
        lead = self.lead
        return None if lead is None else lead.reply_term

    @property
    def replied_at(self) -> datetime | None:
        lead = self.lead
        return None if lead is None else lead.replied_at

    @property
    def answer(self) -> Reply | None:
        lead = self.lead
        return None if lead is None else lead.reply

    @property
    def reply(self) -> str | None:
        """What the citizen is told."""
        return self.own_answer if self.answer is None else self.answer.public

    @property
    def shown_title(self) -> str:
        """What everybody sees, numbers masked besides; the original is looked at for a reason."""
        return self.appeal.title if self.public_title is None else self.public_title

    @property
    def shown_content(self) -> str:
        return self.appeal.content if self.public_content is None else self.public_content

    @property
    def is_assessable(self) -> bool:
        """不计入考核: what was routed out, or went to a unit for its advice only."""
        return self.disposition is None

    @property
    def is_ended(self) -> bool:
        return self.status in ENDED

    @property
    def outlasts_citizen(self) -> bool:
        """A new unit gets its full limit though the citizen's clock went on: that it ends later is
        told, and moves neither (hotline.md 3.6, rule 8)."""
        unit, citizen = self.reply_term, self.citizen_term
        if unit is None or citizen is None or self.first_replied_at is not None or self.is_ended:
            return False
        return unit.due_at > citizen.due_at

    def shown_terms(self) -> Iterator[tuple[Running, Term]]:
        """What is explained of it: the citizen's clock and each unit's, running or stopped, then
        every other one that runs."""
        if self.citizen_term is not None:
            yield (Clock.CITIZEN, OF_TICKET), self.citizen_term
        for each in self.assignments:
            if each.is_live:
                yield (Clock.UNIT, each.no), each.reply_term
        for (clock, no), term in self.clocks().items():
            if clock not in {Clock.CITIZEN, Clock.UNIT}:
                yield (clock, no), term

    def clocks(self) -> Mapping[Running, Term]:
        """Every clock that runs now: a function of the state, and of nothing else."""
        return dict(self._running())

    def _running(self) -> Iterator[tuple[Running, Term]]:
        if self.status in STAGES and self.stage is not None:
            yield (STAGES[self.status], OF_TICKET), self.stage
        if self.status is Status.SUSPENDED:
            return
        yield from self._callback_clocks()
        if self.citizen_term is not None and self.first_replied_at is None and not self.is_ended:
            yield (Clock.CITIZEN, OF_TICKET), self.citizen_term
        for each in self.assignments:
            for clock, term in each.clocks():
                yield (clock, each.no), term

    def _callback_clocks(self) -> Iterator[tuple[Running, Term]]:
        """Somebody calls in time; a callback at the deadline has its window beside the unit's."""
        current = self.callback
        if current is None or current.is_done or self.is_ended:
            return
        if current.call_term is not None and not current.attempts and current.own is None:
            yield (Clock.CALL, OF_TICKET), current.call_term
        if current.window is not None and self.status is not Status.CALLBACK:
            yield (Clock.CALLBACK, OF_TICKET), current.window

    def redated(self, clock: Clock, no: int, term: Term) -> "Ticket":
        """A new calendar moved a due day; no move of the ticket, so it may happen in any status."""
        if no != OF_TICKET:
            return self.with_assignment(self.assignment(no).redated(clock, term))
        if clock is Clock.CITIZEN:
            return replace(self, citizen_term=term)
        if self.callback is not None and clock is Clock.CALL:
            return replace(self, callback=replace(self.callback, call_term=term))
        if self.callback is not None and clock is Clock.CALLBACK is not STAGES.get(self.status):
            return replace(self, callback=replace(self.callback, window=term))
        return replace(self, stage=term)

    def check_unit(self, unit: str | None) -> None:
        """Raises NotYourTicket when a unit acts on a ticket that is not assigned to it."""
        if unit is not None and not self.is_with(unit):
            raise NotYourTicket("该工单未派给本单位")

    def check_not_recused(self, actor: str) -> None:
        """Raises Recused."""
        if actor in self.recused:
            raise Recused("您已回避此工单，不能查看和办理")

    def check_not_accused(self, unit: str, superiors: Collection[str]) -> None:
        """A unit gets nothing that is about itself or one above it. Raises AccusedUnit."""
        if self.target_unit is not None and self.target_unit in {unit, *superiors}:
            raise accused(unit, self.target_unit)

    def with_target(self, unit: str | None) -> "Ticket":
        return replace(self, target_unit=unit)

    def is_with(self, unit: str) -> bool:
        return any(each.unit_code == unit and each.is_live for each in self.assignments)

    def share_of(self, unit: str | None) -> Assignment:
        """The unit's own assignment, an open one first; the lead's for the hub.

        Raises NotYourTicket.
        """
        mine = [each for each in self.assignments if each.unit_code == unit and each.is_live]
        found = self.lead if unit is None else max(mine, key=_newest, default=None)
        if found is None:
            raise NotYourTicket("该工单现无承办单位" if unit is None else "该工单未派给本单位")
        return found

    def assignment(self, no: int) -> Assignment:
        return self.assignments[no - 1]

    def is_overdue(self, *, at: datetime) -> bool:
        """Against the unit's clock."""
        lead = self.lead
        if lead is None:
            return False
        return lead.was_late or (lead.is_open and lead.reply_term.has_run_out(at=at))

    def exemption(self, process: Process) -> Exemption | None:
        """Why no callback is due, if so."""
        true_ones = (
            (Exemption.WANTS_NO_REPLY, not self.wants_reply),
            (Exemption.WANTS_NO_CALLBACK, not self.wants_callback),
            (Exemption.NO_CONTACT, not self.has_contact),
        )
        return next((why for why, so in true_ones if so and why in process.exemptions), None)

    def with_assignment(self, changed: Assignment) -> "Ticket":
        kept = self.assignments
        return replace(self, assignments=(*kept[: changed.no - 1], changed, *kept[changed.no :]))

    def check_not_archived(self) -> None:
        """归档的不可更改 (hotline.md 3.2, ARCHIVED): for what is written beside the moves, whose
        table says the same. Raises TicketArchived."""
        if self.status is Status.ARCHIVED:
            raise TicketArchived("工单已归档，不能再更改；确需更改的，依规定重启办理")

    def moved(
        self, deed: Deed, target: Status, rules: Rules, at: datetime, *, stage: Term | None = None
    ) -> "Ticket":
        """One move, and with it the limit of the stage that it leads to. Raises IllegalMove."""
        TICKET.check(deed.act, self.status, target)
        if target is self.status:
            return replace(self, version=self.version + 1, deed=deed)
        if stage is None and target in STAGES:
            stage = rules.stage_term(STAGES[target], self.appeal, at)
        return replace(self, status=target, stage=stage, version=self.version + 1, deed=deed)

    def noted(self, deed: Deed) -> "Ticket":
        """An act that leaves the ticket in its status. Raises IllegalMove."""
        TICKET.check(deed.act, self.status, self.status)
        return replace(self, version=self.version + 1, deed=deed)

    def with_shares(self, act: Act, states: frozenset[State]) -> "Ticket":
        """The same act on every assignment in one of the states."""
        changed = tuple(
            each.moved(act) if each.state in states else each for each in self.assignments
        )
        return replace(self, assignments=changed)


def _newest(each: Assignment) -> tuple[bool, int]:
    return each.is_open, each.no
