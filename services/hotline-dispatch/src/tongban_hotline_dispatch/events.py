"""What the hotline announces: the life of a ticket and of its two clocks. No personal data."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from tongban_common.events import Event
from tongban_hotline_dispatch.domain.appeal import AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.assignment import Clock, Role
from tongban_hotline_dispatch.domain.callback import Cause, Mark, Resolved

TICKET = "tongban.hotline.ticket.v1"


class _OfTicket(Event):
    topic: ClassVar[str] = TICKET
    key: ClassVar[str] = "ticket_id"

    ticket_id: UUID


class TicketRegistered(_OfTicket):
    """受理: a citizen's matter was taken in."""

    type: ClassVar[str] = "tongban.hotline.ticket-registered.v1"

    ticket_no: str
    channel: Channel
    appeal_type: AppealType
    urgency: Urgency
    citizen_due: AwareDatetime | None


class TicketAssigned(_OfTicket):
    """派单: a unit has it now, with a due moment and the rules that set it."""

    type: ClassVar[str] = "tongban.hotline.ticket-assigned.v1"

    unit_code: str
    reply_due: AwareDatetime
    policy_version: str
    calendar_version: str


class TicketSigned(_OfTicket):
    """签收: the unit acknowledged it."""

    type: ClassVar[str] = "tongban.hotline.ticket-signed.v1"

    unit_code: str


class TicketReplied(_OfTicket):
    """答复: both clocks stopped; lateness is against the unit's clock."""

    type: ClassVar[str] = "tongban.hotline.ticket-replied.v1"

    unit_code: str
    is_overdue: bool
    overdue_working_days: int


class TicketClosed(_OfTicket):
    """办结: the matter may be reviewed now."""

    type: ClassVar[str] = "tongban.hotline.ticket-closed.v1"

    ticket_no: str
    unit_code: str
    appeal_type: AppealType
    is_overdue: bool


class DeadlineApproaching(_OfTicket):
    """A clock of an open ticket is about to run out."""

    type: ClassVar[str] = "tongban.hotline.deadline-approaching.v1"

    unit_code: str | None
    clock: Clock
    due: AwareDatetime


class DeadlineMissed(_OfTicket):
    """A clock of an open ticket ran out."""

    type: ClassVar[str] = "tongban.hotline.deadline-missed.v1"

    unit_code: str | None
    clock: Clock
    due: AwareDatetime


class DeadlineRescheduled(_OfTicket):
    """A new calendar moved the due moment of an open ticket."""

    type: ClassVar[str] = "tongban.hotline.deadline-rescheduled.v1"

    clock: Clock
    old_due: AwareDatetime
    new_due: AwareDatetime
    calendar_version: str


class FactsRequested(_OfTicket):
    """补充: the matter waits for facts of the citizen."""

    type: ClassVar[str] = "tongban.hotline.facts-requested.v1"

    due: AwareDatetime


class FactsSupplemented(_OfTicket):
    """补充: the citizen added facts, awaited or not."""

    type: ClassVar[str] = "tongban.hotline.facts-supplemented.v1"

    was_awaited: bool


class TicketLapsed(_OfTicket):
    """The facts that were waited for never came."""

    type: ClassVar[str] = "tongban.hotline.ticket-lapsed.v1"

    disposition: str


class TicketRoutedOut(_OfTicket):
    """引导: the matter takes another route; the words given stay with the ticket."""

    type: ClassVar[str] = "tongban.hotline.ticket-routed-out.v1"

    disposition: str
    is_immediate: bool


class TicketAnswered(_OfTicket):
    """直接答复: settled at the first contact."""

    type: ClassVar[str] = "tongban.hotline.ticket-answered.v1"


class ConsultationOpened(_OfTicket):
    """会商: whose duty it is has to be found out."""

    type: ClassVar[str] = "tongban.hotline.consultation-opened.v1"

    due: AwareDatetime


class ConsultationClosed(_OfTicket):
    """会商结束: it can be assigned."""

    type: ClassVar[str] = "tongban.hotline.consultation-closed.v1"


class TicketForced(_OfTicket):
    """指定承办: by designation after returns; ticket-assigned says the rest."""

    type: ClassVar[str] = "tongban.hotline.ticket-forced.v1"

    unit_code: str
    returns: int


class TicketTransferred(_OfTicket):
    """改派: from one unit to another; ticket-assigned says the rest."""

    type: ClassVar[str] = "tongban.hotline.ticket-transferred.v1"

    unit_code: str
    from_unit: str | None


class AssignmentSigned(_OfTicket):
    """签收 by a co-unit."""

    type: ClassVar[str] = "tongban.hotline.assignment-signed.v1"

    unit_code: str
    role: Role


class AssignmentAutoSigned(_OfTicket):
    """自动签收: nobody signed in time."""

    type: ClassVar[str] = "tongban.hotline.assignment-auto-signed.v1"

    unit_code: str
    role: Role


class AssignmentContacted(_OfTicket):
    """先行联系: the unit spoke with the citizen."""

    type: ClassVar[str] = "tongban.hotline.assignment-contacted.v1"

    unit_code: str


class AssignmentAdded(_OfTicket):
    """加派、下派: another unit has a part in it."""

    type: ClassVar[str] = "tongban.hotline.assignment-added.v1"

    unit_code: str
    role: Role
    reply_due: AwareDatetime


class AssignmentReplied(_OfTicket):
    """协办反馈: a co-unit reported to the lead."""

    type: ClassVar[str] = "tongban.hotline.assignment-replied.v1"

    unit_code: str
    role: Role
    is_overdue: bool


class ReturnRequested(_OfTicket):
    """申请退单: the unit says that it is not its duty."""

    type: ClassVar[str] = "tongban.hotline.return-requested.v1"

    unit_code: str
    suggested_unit: str
    decision_due: AwareDatetime


class ReturnDecided(_OfTicket):
    """退单审核: upheld, or rejected by word or by silence."""

    type: ClassVar[str] = "tongban.hotline.return-decided.v1"

    unit_code: str
    is_upheld: bool
    is_by_silence: bool


class ExtensionRequested(_OfTicket):
    """申请延期."""

    type: ClassVar[str] = "tongban.hotline.extension-requested.v1"

    unit_code: str
    amount: int
    decision_due: AwareDatetime


class ExtensionDecided(_OfTicket):
    """延期审核: the due moment that holds from now on."""

    type: ClassVar[str] = "tongban.hotline.extension-decided.v1"

    unit_code: str
    is_approved: bool
    is_by_silence: bool
    reply_due: AwareDatetime


class SuspensionRequested(_OfTicket):
    """申请挂起."""

    type: ClassVar[str] = "tongban.hotline.suspension-requested.v1"

    unit_code: str
    pause_reason: str
    decision_due: AwareDatetime


class SuspensionRefused(_OfTicket):
    """不予挂起."""

    type: ClassVar[str] = "tongban.hotline.suspension-refused.v1"

    unit_code: str
    is_by_silence: bool


class ClockPaused(_OfTicket):
    """挂起: both clocks stand still."""

    type: ClassVar[str] = "tongban.hotline.clock-paused.v1"

    unit_code: str
    reason: str
    until: AwareDatetime


class ClockResumed(_OfTicket):
    """恢复办理: both clocks go on."""

    type: ClassVar[str] = "tongban.hotline.clock-resumed.v1"

    unit_code: str
    reply_due: AwareDatetime


class ReviewPassed(_OfTicket):
    """审核通过: a reviewer, or a rule for what is of low risk."""

    type: ClassVar[str] = "tongban.hotline.review-passed.v1"

    unit_code: str
    is_automatic: bool


class ReviewFailed(_OfTicket):
    """审核退回."""

    type: ClassVar[str] = "tongban.hotline.review-failed.v1"

    unit_code: str
    round: int


class ReworkStarted(_OfTicket):
    """重办: the unit has to do it again."""

    type: ClassVar[str] = "tongban.hotline.rework-started.v1"

    unit_code: str
    round: int
    reply_due: AwareDatetime


class PhaseRequested(_OfTicket):
    """申请阶段性办结."""

    type: ClassVar[str] = "tongban.hotline.phase-requested.v1"

    unit_code: str
    promised_on: date
    decision_due: AwareDatetime


class PhaseRefused(_OfTicket):
    """不予阶段性办结."""

    type: ClassVar[str] = "tongban.hotline.phase-refused.v1"

    unit_code: str
    is_by_silence: bool


class TicketPhased(_OfTicket):
    """阶段性办结: the rest is promised by a date, and tracked."""

    type: ClassVar[str] = "tongban.hotline.ticket-phased.v1"

    unit_code: str
    promised_on: date


class PromiseLapsed(_OfTicket):
    """承诺到期: the promised date is over."""

    type: ClassVar[str] = "tongban.hotline.promise-lapsed.v1"

    unit_code: str
    promised_on: date


class TerminationRequested(_OfTicket):
    """申请终止."""

    type: ClassVar[str] = "tongban.hotline.termination-requested.v1"

    unit_code: str
    decision_due: AwareDatetime


class TerminationRefused(_OfTicket):
    """不予终止."""

    type: ClassVar[str] = "tongban.hotline.termination-refused.v1"

    unit_code: str
    is_by_silence: bool


class TicketTerminated(_OfTicket):
    """终止办理."""

    type: ClassVar[str] = "tongban.hotline.ticket-terminated.v1"

    unit_code: str


class CallbackOpened(_OfTicket):
    """回访: due now, since the unit replied or its time is over."""

    type: ClassVar[str] = "tongban.hotline.callback-opened.v1"

    cause: Cause


class CallbackAttempted(_OfTicket):
    """回访未通."""

    type: ClassVar[str] = "tongban.hotline.callback-attempted.v1"

    attempt: int


class CallbackCompleted(_OfTicket):
    """回访结果: null marks where nobody was reached."""

    type: ClassVar[str] = "tongban.hotline.callback-completed.v1"

    unit_code: str | None
    is_answered: bool
    resolved: Resolved | None
    result: Mark | None
    process: Mark | None


class SupervisionOpened(_OfTicket):
    """督办: flagged, whichever state it is in."""

    type: ClassVar[str] = "tongban.hotline.supervision-opened.v1"

    unit_code: str | None


class HardCaseOpened(_OfTicket):
    """疑难: raised above the units."""

    type: ClassVar[str] = "tongban.hotline.hard-case-opened.v1"

    unit_code: str | None


class TicketWithdrawn(_OfTicket):
    """撤单."""

    type: ClassVar[str] = "tongban.hotline.ticket-withdrawn.v1"

    unit_code: str | None


class TicketMerged(_OfTicket):
    """并单: it waits for the answer of its parent."""

    type: ClassVar[str] = "tongban.hotline.ticket-merged.v1"

    parent_id: UUID


class TicketUnmerged(_OfTicket):
    """拆单."""

    type: ClassVar[str] = "tongban.hotline.ticket-unmerged.v1"

    parent_id: UUID


class ReplyInherited(_OfTicket):
    """随主单答复."""

    type: ClassVar[str] = "tongban.hotline.reply-inherited.v1"

    unit_code: str
    parent_id: UUID


class TicketReopened(_OfTicket):
    """重启办理."""

    type: ClassVar[str] = "tongban.hotline.ticket-reopened.v1"

    reason: str


class TicketArchived(_OfTicket):
    """归档."""

    type: ClassVar[str] = "tongban.hotline.ticket-archived.v1"


PUBLISHED: tuple[type[Event], ...] = (
    TicketRegistered,
    TicketAssigned,
    TicketSigned,
    TicketReplied,
    TicketClosed,
    DeadlineApproaching,
    DeadlineMissed,
    DeadlineRescheduled,
    FactsRequested,
    FactsSupplemented,
    TicketLapsed,
    TicketRoutedOut,
    TicketAnswered,
    ConsultationOpened,
    ConsultationClosed,
    TicketForced,
    TicketTransferred,
    AssignmentSigned,
    AssignmentAutoSigned,
    AssignmentContacted,
    AssignmentAdded,
    AssignmentReplied,
    ReturnRequested,
    ReturnDecided,
    ExtensionRequested,
    ExtensionDecided,
    SuspensionRequested,
    SuspensionRefused,
    ClockPaused,
    ClockResumed,
    ReviewPassed,
    ReviewFailed,
    ReworkStarted,
    PhaseRequested,
    PhaseRefused,
    TicketPhased,
    PromiseLapsed,
    TerminationRequested,
    TerminationRefused,
    TicketTerminated,
    CallbackOpened,
    CallbackAttempted,
    CallbackCompleted,
    SupervisionOpened,
    HardCaseOpened,
    TicketWithdrawn,
    TicketMerged,
    TicketUnmerged,
    ReplyInherited,
    TicketReopened,
    TicketArchived,
)
