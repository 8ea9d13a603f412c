"""What the hotline announces: the life of a ticket and of its two clocks. No personal data."""

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from tongban_common.events import Event
from tongban_hotline_dispatch.domain.appeal import AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.ticket import Clock

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


PUBLISHED: tuple[type[Event], ...] = (
    TicketRegistered,
    TicketAssigned,
    TicketSigned,
    TicketReplied,
    TicketClosed,
    DeadlineApproaching,
    DeadlineMissed,
    DeadlineRescheduled,
)
