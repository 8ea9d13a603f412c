"""The life of a ticket (工单): which moves are legal and what each one fixes.

Two clocks run, never one: the citizen's from registration, which nothing resets, and the unit's
from assignment. 12345热线：市民时钟与承办单位时钟分开计算。
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tongban_common.errors import Conflict, Forbidden, RuleViolation
from tongban_hotline_dispatch.domain.appeal import Appeal
from tongban_hotline_dispatch.domain.deadlines import Term


class Status(StrEnum):
    REGISTERED = "registered"  # 已受理
    ASSIGNED = "assigned"  # 已派单
    SIGNED = "signed"  # 已签收
    REPLIED = "replied"  # 已答复
    CLOSED = "closed"  # 已办结


MOVES: dict[Status, frozenset[Status]] = {
    Status.REGISTERED: frozenset({Status.ASSIGNED}),
    Status.ASSIGNED: frozenset({Status.SIGNED}),
    Status.SIGNED: frozenset({Status.REPLIED}),
    Status.REPLIED: frozenset({Status.CLOSED}),
    Status.CLOSED: frozenset(),
}
STATUS_NAMES: dict[Status, str] = {
    Status.REGISTERED: "待派单",
    Status.ASSIGNED: "待签收",
    Status.SIGNED: "办理中",
    Status.REPLIED: "待办结",
    Status.CLOSED: "已办结",
}


class Clock(StrEnum):
    UNIT = "unit"  # 承办单位时钟
    CITIZEN = "citizen"  # 市民时钟


class IllegalMove(Conflict):
    code = "ticket.illegal_move"


class NotYourTicket(Forbidden):
    code = "ticket.not_your_unit"


class EmptyReply(RuleViolation):
    code = "ticket.empty_reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    id: UUID
    ticket_no: str
    query_code: str
    appeal: Appeal
    registered_at: datetime
    citizen_term: Term | None  # None where the citizen asked for no reply
    status: Status = Status.REGISTERED
    unit_code: str | None = None
    assigned_at: datetime | None = None
    reply_term: Term | None = None
    replied_at: datetime | None = None
    reply: str | None = None
    version: int = 1

    def assign(self, *, to: str, term: Term, at: datetime) -> "Ticket":
        """派单: the unit's clock starts."""
        moved = self._moved_to(Status.ASSIGNED)
        return replace(moved, unit_code=to, reply_term=term, assigned_at=at)

    def sign(self) -> "Ticket":
        """签收. It starts no clock: leaving a ticket unsigned must not pay."""
        return self._moved_to(Status.SIGNED)

    def answer(self, *, text: str, at: datetime) -> "Ticket":
        """答复: stops both clocks."""
        moved = self._moved_to(Status.REPLIED)
        if not text.strip():
            raise EmptyReply("请填写答复内容")
        return replace(moved, reply=text, replied_at=at)

    def close(self) -> "Ticket":
        return self._moved_to(Status.CLOSED)

    def redated(self, clock: Clock, term: Term) -> "Ticket":
        """A new calendar moved a due day; no move of the ticket, so it may happen in any status."""
        if clock is Clock.CITIZEN:
            return replace(self, citizen_term=term)
        return replace(self, reply_term=term)

    @property
    def terms(self) -> Mapping[Clock, Term]:
        """The clocks that the ticket has."""
        clocks = {Clock.UNIT: self.reply_term, Clock.CITIZEN: self.citizen_term}
        return {clock: term for clock, term in clocks.items() if term is not None}

    def check_unit(self, unit: str | None) -> None:
        """Raises NotYourTicket when a unit acts on a ticket that is not assigned to it."""
        if unit is not None and unit != self.unit_code:
            raise NotYourTicket("该工单未派给本单位")

    def is_overdue(self, *, at: datetime) -> bool:
        """Against the unit's clock."""
        stopped_at = self.replied_at or at
        return self.reply_term is not None and self.reply_term.has_run_out(at=stopped_at)

    def _moved_to(self, target: Status) -> "Ticket":
        if target not in MOVES[self.status]:
            raise IllegalMove(
                f"工单当前为“{STATUS_NAMES[self.status]}”，不能变为“{STATUS_NAMES[target]}”",
                state=self.status,
            )
        return replace(self, status=target, version=self.version + 1)
