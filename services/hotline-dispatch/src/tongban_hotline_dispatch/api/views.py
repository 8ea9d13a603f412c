"""What the API says of a ticket. Free text is masked: it often names a phone or an ID number."""

from datetime import datetime
from uuid import UUID

from pydantic import AwareDatetime, BaseModel

from tongban_common.privacy import mask_text
from tongban_common.working_days import SHANGHAI, Explanation
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.domain.appeal import AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.ticket import Clock, Status, Ticket


class TicketView(BaseModel):
    id: UUID
    ticket_no: str
    channel: Channel
    appeal_type: AppealType
    urgency: Urgency
    matter_code: str | None
    title: str
    content: str
    status: Status
    unit_code: str | None
    registered_at: AwareDatetime
    assigned_at: AwareDatetime | None
    citizen_due: AwareDatetime | None
    reply_due: AwareDatetime | None
    replied_at: AwareDatetime | None
    reply: str | None
    is_overdue: bool
    version: int

    @classmethod
    def of(cls, ticket: Ticket, *, now: datetime) -> "TicketView":
        appeal = ticket.appeal
        return cls(
            id=ticket.id,
            ticket_no=ticket.ticket_no,
            channel=appeal.channel,
            appeal_type=appeal.appeal_type,
            urgency=appeal.urgency,
            matter_code=appeal.matter_code,
            title=mask_text(appeal.title),
            content=mask_text(appeal.content),
            status=ticket.status,
            unit_code=ticket.unit_code,
            registered_at=ticket.registered_at.astimezone(SHANGHAI),
            assigned_at=_local(ticket.assigned_at),
            citizen_due=_due(ticket.citizen_term),
            reply_due=_due(ticket.reply_term),
            replied_at=_local(ticket.replied_at),
            reply=None if ticket.reply is None else mask_text(ticket.reply),
            is_overdue=ticket.is_overdue(at=now),
            version=ticket.version,
        )


class RegisteredView(TicketView):
    """The one answer that holds the query code (查询码): whoever has both numbers sees progress."""

    query_code: str


class PersonView(BaseModel):
    """诉求人, masked."""

    name: str | None
    phone: str | None


class TicketDetailView(TicketView):
    person: PersonView


class LineView(BaseModel):
    id: UUID
    ticket_no: str
    title: str
    appeal_type: AppealType
    urgency: Urgency
    status: Status
    unit_code: str | None
    unit_name: str | None
    registered_at: AwareDatetime
    reply_due: AwareDatetime | None
    replied_at: AwareDatetime | None
    is_overdue: bool
    is_near_due: bool
    version: int

    @classmethod
    def of(cls, line: queries.TicketLine, *, now: datetime) -> "LineView":
        return cls(
            id=line.id,
            ticket_no=line.ticket_no,
            title=mask_text(line.title),
            appeal_type=line.appeal_type,
            urgency=line.urgency,
            status=line.status,
            unit_code=line.unit_code,
            unit_name=line.unit_name,
            registered_at=line.registered_at.astimezone(SHANGHAI),
            reply_due=_local(line.reply_due),
            replied_at=_local(line.replied_at),
            is_overdue=line.is_overdue(now),
            is_near_due=line.is_near_due(now),
            version=line.version,
        )


class PageView(BaseModel):
    items: list[LineView]
    next: str | None


class DayView(BaseModel):
    day: str
    counted: bool
    number: int | None
    reason: str


class DeadlineView(BaseModel):
    clock: Clock
    rule: str
    clause: str
    start_at: AwareDatetime
    due_at: AwareDatetime
    policy_version: str
    calendar_version: str
    is_provisional: bool
    days: list[DayView]

    @classmethod
    def of(cls, clock: Clock, term: Term, explained: Explanation) -> "DeadlineView":
        return cls(
            clock=clock,
            rule=explained.rule,
            clause=explained.limit.clause,
            start_at=explained.start,
            due_at=explained.due,
            policy_version=term.policy,
            calendar_version=explained.calendar_version,
            is_provisional=explained.provisional,
            days=[
                DayView(
                    day=each.day.isoformat(),
                    counted=each.counted,
                    number=each.number,
                    reason=each.reason,
                )
                for each in explained.days
            ],
        )


class ProgressView(BaseModel):
    """What the citizen sees: no content, no person."""

    ticket_no: str
    title: str
    status: Status
    registered_at: AwareDatetime
    citizen_due: AwareDatetime | None
    reply: str | None

    @classmethod
    def of(cls, ticket: Ticket) -> "ProgressView":
        return cls(
            ticket_no=ticket.ticket_no,
            title=mask_text(ticket.appeal.title),
            status=ticket.status,
            registered_at=ticket.registered_at.astimezone(SHANGHAI),
            citizen_due=_due(ticket.citizen_term),
            reply=None if ticket.reply is None else mask_text(ticket.reply),
        )


def _due(term: Term | None) -> datetime | None:
    return None if term is None else _local(term.due_at)


def _local(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(SHANGHAI)
