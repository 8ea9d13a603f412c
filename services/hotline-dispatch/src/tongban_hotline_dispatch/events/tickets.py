"""The life of a ticket and its clocks, as the hotline announces it. No personal data."""

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from tongban_common.events import Event
from tongban_hotline_dispatch.domain.appeal import AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.assignment import Clock

TICKET = "tongban.hotline.ticket.v1"


class OfTicket(Event):
    topic: ClassVar[str] = TICKET
    key: ClassVar[str] = "ticket_id"

    ticket_id: UUID


class TicketRegistered(OfTicket):
    """受理: a citizen's matter was taken in."""

    type: ClassVar[str] = "tongban.hotline.ticket-registered.v1"

    ticket_no: str
    channel: Channel
    appeal_type: AppealType
    urgency: Urgency
    citizen_due: AwareDatetime | None


class TicketAssigned(OfTicket):
    """派单: a unit has it now, with a due moment and the rules that set it."""

    type: ClassVar[str] = "tongban.hotline.ticket-assigned.v1"

    unit_code: str
    reply_due: AwareDatetime
    policy_version: str
    calendar_version: str


class TicketSigned(OfTicket):
    """签收: the unit acknowledged it."""

    type: ClassVar[str] = "tongban.hotline.ticket-signed.v1"

    unit_code: str


class TicketReplied(OfTicket):
    """答复: both clocks stopped; lateness is against the unit's clock."""

    type: ClassVar[str] = "tongban.hotline.ticket-replied.v1"

    unit_code: str
    is_overdue: bool
    overdue_working_days: int


class TicketClosed(OfTicket):
    """办结: the matter may be reviewed now."""

    type: ClassVar[str] = "tongban.hotline.ticket-closed.v1"

    ticket_no: str
    unit_code: str
    appeal_type: AppealType
    is_overdue: bool


class DeadlineApproaching(OfTicket):
    """A clock of an open ticket is about to run out."""

    type: ClassVar[str] = "tongban.hotline.deadline-approaching.v1"

    unit_code: str | None
    clock: Clock
    due: AwareDatetime


class DeadlineMissed(OfTicket):
    """A clock of an open ticket ran out."""

    type: ClassVar[str] = "tongban.hotline.deadline-missed.v1"

    unit_code: str | None
    clock: Clock
    due: AwareDatetime


class DeadlineRescheduled(OfTicket):
    """A new calendar moved the due moment of an open ticket."""

    type: ClassVar[str] = "tongban.hotline.deadline-rescheduled.v1"

    clock: Clock
    old_due: AwareDatetime
    new_due: AwareDatetime
    calendar_version: str


class FactsRequested(OfTicket):
    """补充: the matter waits for facts of the citizen."""

    type: ClassVar[str] = "tongban.hotline.facts-requested.v1"

    due: AwareDatetime


class FactsSupplemented(OfTicket):
    """补充: the citizen added facts, awaited or not."""

    type: ClassVar[str] = "tongban.hotline.facts-supplemented.v1"

    was_awaited: bool


class TicketLapsed(OfTicket):
    """The facts that were waited for never came."""

    type: ClassVar[str] = "tongban.hotline.ticket-lapsed.v1"

    disposition: str


class TicketRoutedOut(OfTicket):
    """引导: the matter takes another route; the words given stay with the ticket."""

    type: ClassVar[str] = "tongban.hotline.ticket-routed-out.v1"

    disposition: str
    is_immediate: bool
    line: str | None = None
    closes_as: str | None = None


class TicketAnswered(OfTicket):
    """直接答复: settled at the first contact."""

    type: ClassVar[str] = "tongban.hotline.ticket-answered.v1"


class ConsultationOpened(OfTicket):
    """会商: whose duty it is has to be found out."""

    type: ClassVar[str] = "tongban.hotline.consultation-opened.v1"

    due: AwareDatetime


class ConsultationClosed(OfTicket):
    """会商结束: it can be assigned."""

    type: ClassVar[str] = "tongban.hotline.consultation-closed.v1"


class TicketForced(OfTicket):
    """指定承办: by designation after returns; ticket-assigned says the rest."""

    type: ClassVar[str] = "tongban.hotline.ticket-forced.v1"

    unit_code: str
    returns: int


class TicketTransferred(OfTicket):
    """改派: from one unit to another; ticket-assigned says the rest."""

    type: ClassVar[str] = "tongban.hotline.ticket-transferred.v1"

    unit_code: str
    from_unit: str | None


class TicketTerminated(OfTicket):
    """终止办理."""

    type: ClassVar[str] = "tongban.hotline.ticket-terminated.v1"

    unit_code: str


class HardCaseOpened(OfTicket):
    """疑难: raised above the units."""

    type: ClassVar[str] = "tongban.hotline.hard-case-opened.v1"

    unit_code: str | None


class TicketWithdrawn(OfTicket):
    """撤单."""

    type: ClassVar[str] = "tongban.hotline.ticket-withdrawn.v1"

    unit_code: str | None


class TicketMerged(OfTicket):
    """并单: it waits for the answer of its parent."""

    type: ClassVar[str] = "tongban.hotline.ticket-merged.v1"

    parent_id: UUID


class TicketUnmerged(OfTicket):
    """拆单."""

    type: ClassVar[str] = "tongban.hotline.ticket-unmerged.v1"

    parent_id: UUID


class ReplyInherited(OfTicket):
    """随主单答复."""

    type: ClassVar[str] = "tongban.hotline.reply-inherited.v1"

    unit_code: str
    parent_id: UUID


class TicketReopened(OfTicket):
    """重启办理."""

    type: ClassVar[str] = "tongban.hotline.ticket-reopened.v1"

    reason: str


class TicketArchived(OfTicket):
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
    TicketTerminated,
    HardCaseOpened,
    TicketWithdrawn,
    TicketMerged,
    TicketUnmerged,
    ReplyInherited,
    TicketReopened,
    TicketArchived,
)
