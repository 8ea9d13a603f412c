"""What units and hub do on a ticket, as the hotline announces it. No personal data."""

from datetime import date
from typing import ClassVar

from pydantic import AwareDatetime

from tongban_common.events import Event
from tongban_hotline_dispatch.domain.assignment import Role
from tongban_hotline_dispatch.domain.callback import Cause, Mark, Outcome, Resolved
from tongban_hotline_dispatch.events.tickets import OfTicket


class AssignmentSigned(OfTicket):
    """签收 by a co-unit."""

    type: ClassVar[str] = "tongban.hotline.assignment-signed.v1"

    unit_code: str
    role: Role


class AssignmentAutoSigned(OfTicket):
    """自动签收: nobody signed in time."""

    type: ClassVar[str] = "tongban.hotline.assignment-auto-signed.v1"

    unit_code: str
    role: Role


class AssignmentContacted(OfTicket):
    """先行联系: the unit spoke with the citizen."""

    type: ClassVar[str] = "tongban.hotline.assignment-contacted.v1"

    unit_code: str


class AssignmentAdded(OfTicket):
    """加派、下派: another unit has a part in it."""

    type: ClassVar[str] = "tongban.hotline.assignment-added.v1"

    unit_code: str
    role: Role
    reply_due: AwareDatetime
    report_due: AwareDatetime | None = None  # 吹哨报到


class AssignmentReportedIn(OfTicket):
    """报到: who was whistled for is on the spot."""

    type: ClassVar[str] = "tongban.hotline.assignment-reported-in.v1"

    unit_code: str
    is_overdue: bool


class UnitReachedByDutyPhone(OfTicket):
    """单位值班电话: the unit that got it has no contact in post, so that is where to tell it."""

    type: ClassVar[str] = "tongban.hotline.unit-reached-by-duty-phone.v1"

    unit_code: str


class AssignmentReplied(OfTicket):
    """协办反馈: a co-unit reported to the lead."""

    type: ClassVar[str] = "tongban.hotline.assignment-replied.v1"

    unit_code: str
    role: Role
    is_overdue: bool


class ReturnRequested(OfTicket):
    """申请退单: the unit says that it is not its duty."""

    type: ClassVar[str] = "tongban.hotline.return-requested.v1"

    unit_code: str
    suggested_unit: str
    decision_due: AwareDatetime


class ReturnDecided(OfTicket):
    """退单审核: upheld, or rejected by word or by silence."""

    type: ClassVar[str] = "tongban.hotline.return-decided.v1"

    unit_code: str
    is_upheld: bool
    is_by_silence: bool


class ExtensionRequested(OfTicket):
    """申请延期."""

    type: ClassVar[str] = "tongban.hotline.extension-requested.v1"

    unit_code: str
    amount: int
    decision_due: AwareDatetime


class ExtensionDecided(OfTicket):
    """延期审核: the due moment that holds from now on."""

    type: ClassVar[str] = "tongban.hotline.extension-decided.v1"

    unit_code: str
    is_approved: bool
    is_by_silence: bool
    reply_due: AwareDatetime
    notified_complainant_at: AwareDatetime | None = None  # where it was granted


class SuspensionRequested(OfTicket):
    """申请挂起."""

    type: ClassVar[str] = "tongban.hotline.suspension-requested.v1"

    unit_code: str
    pause_reason: str
    decision_due: AwareDatetime


class SuspensionRefused(OfTicket):
    """不予挂起."""

    type: ClassVar[str] = "tongban.hotline.suspension-refused.v1"

    unit_code: str
    is_by_silence: bool


class ClockPaused(OfTicket):
    """挂起: both clocks stand still."""

    type: ClassVar[str] = "tongban.hotline.clock-paused.v1"

    unit_code: str
    reason: str
    until: AwareDatetime


class ClockResumed(OfTicket):
    """恢复办理: both clocks go on."""

    type: ClassVar[str] = "tongban.hotline.clock-resumed.v1"

    unit_code: str
    reply_due: AwareDatetime


class ReviewPassed(OfTicket):
    """审核通过: a reviewer, or a rule for what is of low risk."""

    type: ClassVar[str] = "tongban.hotline.review-passed.v1"

    unit_code: str
    is_automatic: bool


class ReviewFailed(OfTicket):
    """审核退回."""

    type: ClassVar[str] = "tongban.hotline.review-failed.v1"

    unit_code: str
    round: int


class ReworkStarted(OfTicket):
    """重办: the unit has to do it again."""

    type: ClassVar[str] = "tongban.hotline.rework-started.v1"

    unit_code: str
    round: int
    reply_due: AwareDatetime


class PhaseRequested(OfTicket):
    """申请阶段性办结."""

    type: ClassVar[str] = "tongban.hotline.phase-requested.v1"

    unit_code: str
    promised_on: date
    decision_due: AwareDatetime


class PhaseRefused(OfTicket):
    """不予阶段性办结."""

    type: ClassVar[str] = "tongban.hotline.phase-refused.v1"

    unit_code: str
    is_by_silence: bool


class TicketPhased(OfTicket):
    """阶段性办结: the rest is promised by a date, and tracked."""

    type: ClassVar[str] = "tongban.hotline.ticket-phased.v1"

    unit_code: str
    promised_on: date


class PromiseLapsed(OfTicket):
    """承诺到期: the promised date is over."""

    type: ClassVar[str] = "tongban.hotline.promise-lapsed.v1"

    unit_code: str
    promised_on: date


class TerminationRequested(OfTicket):
    """申请终止."""

    type: ClassVar[str] = "tongban.hotline.termination-requested.v1"

    unit_code: str
    decision_due: AwareDatetime


class TerminationRefused(OfTicket):
    """不予终止."""

    type: ClassVar[str] = "tongban.hotline.termination-refused.v1"

    unit_code: str
    is_by_silence: bool


class CallbackOpened(OfTicket):
    """回访: due now, since the unit replied or its time is over."""

    type: ClassVar[str] = "tongban.hotline.callback-opened.v1"

    cause: Cause
    no: int  # which of the ticket's callbacks: the version that opened it
    is_answered: bool  # whether there is a reply to ask about
    opens_at: AwareDatetime


class CallbackAttempted(OfTicket):
    """回访未通."""

    type: ClassVar[str] = "tongban.hotline.callback-attempted.v1"

    attempt: int


class CallbackCompleted(OfTicket):
    """回访结果: null marks where nobody was reached."""

    type: ClassVar[str] = "tongban.hotline.callback-completed.v1"

    unit_code: str | None
    is_answered: bool
    resolved: Resolved | None
    result: Mark | None
    process: Mark | None
    ticket_no: str
    no: int
    outcome: Outcome
    result_level: int | None  # of the national five, 5 is the best
    process_level: int | None
    replied: bool | None
    is_final: bool  # the ticket ends with it: what the desk heard is its one review


class SupervisionOpened(OfTicket):
    """督办: flagged, whichever state it is in."""

    type: ClassVar[str] = "tongban.hotline.supervision-opened.v1"

    unit_code: str | None


PUBLISHED: tuple[type[Event], ...] = (
    AssignmentSigned,
    AssignmentAutoSigned,
    AssignmentContacted,
    AssignmentAdded,
    AssignmentReportedIn,
    UnitReachedByDutyPhone,
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
    CallbackOpened,
    CallbackAttempted,
    CallbackCompleted,
    SupervisionOpened,
)
