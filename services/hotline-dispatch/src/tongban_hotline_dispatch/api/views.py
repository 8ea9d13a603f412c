"""What the API says of a ticket. Free text is masked: it often names a phone or an ID number."""

from datetime import datetime
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from tongban_common.privacy import mask_text
from tongban_common.working_days import SHANGHAI, Explanation
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.domain.appeal import AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.assignment import AskKind, Assignment, Clock, ContactWay, Role
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.elements import Details
from tongban_hotline_dispatch.domain.moves import Act, State, Status
from tongban_hotline_dispatch.domain.particulars import ComplainantKind, Flag
from tongban_hotline_dispatch.domain.ticket import OF_TICKET, Running, Ticket
from tongban_hotline_dispatch.store.first_contacts import FirstContact


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
    target_unit_code: str | None
    registered_at: AwareDatetime
    assigned_at: AwareDatetime | None
    citizen_due: AwareDatetime | None
    reply_due: AwareDatetime | None
    replied_at: AwareDatetime | None
    reply: str | None
    is_overdue: bool
    outlasts_citizen: bool = Field(description="承办单位时限晚于市民时限，宜提前答复")
    is_supervised: bool
    disposition: str | None
    is_assessable: bool
    parent_id: UUID | None
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
            title=mask_text(ticket.shown_title),
            content=mask_text(ticket.shown_content),
            status=ticket.status,
            unit_code=ticket.unit_code,
            target_unit_code=ticket.target_unit,
            registered_at=ticket.registered_at.astimezone(SHANGHAI),
            assigned_at=_local(ticket.assigned_at),
            citizen_due=_due(ticket.citizen_term),
            reply_due=_due(ticket.reply_term),
            replied_at=_local(ticket.replied_at),
            reply=None if ticket.reply is None else mask_text(ticket.reply),
            is_overdue=ticket.is_overdue(at=now),
            outlasts_citizen=ticket.outlasts_citizen,
            is_supervised=ticket.is_supervised,
            disposition=ticket.disposition,
            is_assessable=ticket.is_assessable,
            parent_id=ticket.parent_id,
            version=ticket.version,
        )


class RegisteredView(TicketView):
    """The one answer that holds the query code (查询码): whoever has both numbers sees progress."""

    query_code: str


class PersonView(BaseModel):
    """诉求人, masked; hidden from units where the person wants it so."""

    name: str | None
    phone: str | None
    is_hidden: bool

    @classmethod
    def of(cls, person: queries.MaskedPerson) -> "PersonView":
        return cls(name=person.name, phone=person.phone, is_hidden=person.is_hidden)


class AskView(BaseModel):
    kind: AskKind
    asked_at: AwareDatetime
    grounds: dict[str, str | int | bool | None]
    decision_due: AwareDatetime
    is_granted: bool | None
    decided_at: AwareDatetime | None
    note: str | None
    signed_off_by: str | None = Field(description="审签人的账号")
    signed_off_at: AwareDatetime | None


class AssignmentView(BaseModel):
    """One unit's share (承办单)."""

    no: int
    unit_code: str
    role: Role
    state: State
    parent_no: int | None
    is_forced: bool
    is_auto_signed: bool
    assigned_at: AwareDatetime
    reply_due: AwareDatetime
    signed_at: AwareDatetime | None
    contacted_at: AwareDatetime | None
    contact_way: ContactWay | None = Field(description="先行联系的方式")
    contact_number: str | None = Field(description="脱敏；没有的，为登记的号码")
    replied_at: AwareDatetime | None
    was_late: bool
    extensions: int
    reply_signed_off_by: str | None = Field(description="答复审签人的账号")
    reply_signed_off_at: AwareDatetime | None
    asks: list[AskView]
    report_due: AwareDatetime | None = Field(default=None, description="吹哨后到现场报到的期限")
    reported_at: AwareDatetime | None = None

    @classmethod
    def of(cls, share: Assignment, contact: FirstContact | None = None) -> "AssignmentView":
        signed = None if share.reply is None else share.reply.signed_off
        return cls(
            no=share.no,
            unit_code=share.unit_code,
            role=share.role,
            state=share.state,
            parent_no=share.parent_no,
            is_forced=share.is_forced,
            is_auto_signed=share.is_auto_signed,
            assigned_at=share.assigned_at.astimezone(SHANGHAI),
            reply_due=share.reply_term.due_at.astimezone(SHANGHAI),
            signed_at=_local(share.signed_at),
            contacted_at=_local(share.contacted_at),
            contact_way=contact and contact.way,
            contact_number=contact and contact.masked_number,
            replied_at=_local(share.replied_at),
            was_late=share.was_late,
            extensions=share.extensions,
            reply_signed_off_by=signed and signed.by,
            reply_signed_off_at=None if signed is None else _local(signed.at),
            asks=[
                AskView(
                    kind=ask.kind,
                    asked_at=ask.asked_at.astimezone(SHANGHAI),
                    grounds={
                        name: mask_text(said) if isinstance(said, str) else said
                        for name, said in ask.grounds.items()
                    },
                    decision_due=ask.term.due_at.astimezone(SHANGHAI),
                    is_granted=ask.is_granted,
                    decided_at=_local(ask.decided_at),
                    note=None if ask.note is None else mask_text(ask.note),
                    signed_off_by=ask.signed_off and ask.signed_off.by,
                    signed_off_at=_local(ask.signed_off.at) if ask.signed_off else None,
                )
                for ask in share.asks
            ],
            report_due=None if share.report_term is None else _local(share.report_term.due_at),
            reported_at=_local(share.reported_at),
        )


class HistoryView(BaseModel):
    version: int
    act: Act
    status: Status
    at: AwareDatetime
    actor: str
    unit_name: str | None

    @classmethod
    def of(cls, line: queries.HistoryLine) -> "HistoryView":
        return cls(
            version=line.version,
            act=line.act,
            status=line.status,
            at=line.at.astimezone(SHANGHAI),
            actor=line.actor,
            unit_name=line.unit_name,
        )


class DetailsView(BaseModel):
    """What the appeal says besides its words, as whoever looks may see it."""

    target_name: str | None
    occurred_at: AwareDatetime | None
    demand: str | None
    complainant_kind: ComplainantKind | None
    enterprise_name: str | None
    call_id: str | None
    recording_ref: str | None
    region_code: str | None
    lng: float | None
    lat: float | None
    flags: list[Flag]

    @classmethod
    def of(cls, shown: Details) -> "DetailsView":
        return cls(
            target_name=shown.target_name,
            occurred_at=_local(shown.occurred_at),
            demand=shown.demand,
            complainant_kind=shown.complainant_kind,
            enterprise_name=shown.enterprise_name,
            call_id=shown.call_id,
            recording_ref=shown.recording_ref,
            region_code=shown.region_code,
            lng=None if shown.place is None else float(shown.place.lng),
            lat=None if shown.place is None else float(shown.place.lat),
            flags=sorted(shown.flags),
        )


class TicketDetailView(TicketView):
    person: PersonView
    details: DetailsView
    assignments: list[AssignmentView]


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
    flags: list[Flag]
    region_code: str | None

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
            flags=sorted(line.flags),
            region_code=line.region_code,
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
    unit_code: str | None = Field(default=None, description="承办单位；工单本身的期限没有")
    is_running: bool = Field(default=True, description="是否正在计时")
    rule: str
    clause: str
    start_at: AwareDatetime
    due_at: AwareDatetime
    policy_version: str
    calendar_version: str
    is_provisional: bool
    days: list[DayView]

    @classmethod
    def of(cls, ticket: Ticket, of: Running, term: Term, explained: Explanation) -> "DeadlineView":
        clock, no = of
        return cls(
            clock=clock,
            unit_code=None if no == OF_TICKET else ticket.assignment(no).unit_code,
            is_running=of in ticket.clocks(),
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
            title=mask_text(ticket.shown_title),
            status=ticket.status,
            registered_at=ticket.registered_at.astimezone(SHANGHAI),
            citizen_due=_due(ticket.citizen_term),
            reply=None if ticket.reply is None else mask_text(ticket.reply),
        )


def _due(term: Term | None) -> datetime | None:
    return None if term is None else _local(term.due_at)


def _local(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(SHANGHAI)
