"""Read models of the hotline for GET: no locks, no moves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.calendars import calendar_year
from tongban_common.http import PageRequest
from tongban_common.privacy import Sealer, mask_name, mask_phone, mask_text
from tongban_common.working_days import CalendarYear, parse_year
from tongban_hotline_dispatch.domain.appeal import AppealType, Urgency
from tongban_hotline_dispatch.domain.elements import Details
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.moves import Act, Status
from tongban_hotline_dispatch.domain.particulars import ComplainantKind, Flag
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.store import (
    TicketNotFound,
    complainant,
    ticket,
    ticket_move,
    unit,
)
from tongban_hotline_dispatch.store.complainants import opened
from tongban_hotline_dispatch.store.details import (
    details_of,
    is_flagged,
    is_in_region,
    ticket_detail,
)
from tongban_hotline_dispatch.store.guard import visible_to
from tongban_hotline_dispatch.store.tickets import SHOWN_TITLE, shares_of, ticket_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    viewer: Viewer
    status: Status | None = None
    unit_code: str | None = None
    is_overdue: bool | None = None  # open and past its due moment, or answered after it
    flag: Flag | None = None
    region_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketLine:
    """One line of a list."""

    id: UUID
    ticket_no: str
    title: str
    clear_title: str  # for who may unmask, and is on record
    appeal_type: AppealType
    urgency: Urgency
    status: Status
    unit_code: str | None
    unit_name: str | None
    registered_at: datetime
    citizen_due: datetime | None
    reply_due: datetime | None
    reply_warn_at: datetime | None
    replied_at: datetime | None
    hides_identity: bool
    version: int
    flags: tuple[Flag, ...]
    region_code: str | None
    complainant_kind: ComplainantKind | None

    @property
    def key(self) -> list[str]:
        """Where the next page goes on."""
        return [self.registered_at.isoformat(), str(self.id)]

    def is_overdue(self, at: datetime) -> bool:
        """Against the unit's clock."""
        return self.reply_due is not None and (self.replied_at or at) > self.reply_due

    def is_near_due(self, at: datetime) -> bool:
        """Unanswered and past the warn point that the policy set, but not yet late."""
        if self.replied_at is not None or self.reply_warn_at is None:
            return False
        return at >= self.reply_warn_at and not self.is_overdue(at)

    def is_late_for_citizen(self, at: datetime) -> bool:
        return self.citizen_due is not None and (self.replied_at or at) > self.citizen_due


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLine:
    version: int
    act: Act
    status: Status
    at: datetime
    actor: str
    unit_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedPerson:
    """What everybody sees of a complainant who is not anonymous."""

    name: str | None = None
    phone: str | None = None
    is_hidden: bool = False  # from units, altogether


_LINE = select(
    ticket.c.id,
    ticket.c.ticket_no,
    SHOWN_TITLE,
    ticket.c.title.label("clear_title"),
    ticket.c.appeal_type,
    ticket.c.urgency,
    ticket.c.status,
    ticket.c.unit_code,
    unit.c.name.label("unit_name"),
    ticket.c.registered_at,
    ticket.c.citizen_due_at.label("citizen_due"),
    ticket.c.reply_due_at.label("reply_due"),
    ticket.c.reply_warn_at,
    ticket.c.replied_at,
    ticket.c.hides_identity,
    ticket.c.version,
    ticket_detail.c.flags,
    ticket_detail.c.region_code,
    ticket_detail.c.complainant_kind,
).select_from(
    ticket.outerjoin(unit, unit.c.code == ticket.c.unit_code).outerjoin(
        ticket_detail, ticket_detail.c.ticket_id == ticket.c.id
    )
)


async def tickets(
    reads: AsyncConnection, *, filters: Filters, page: PageRequest, now: datetime
) -> Sequence[TicketLine]:
    """Newest first."""
    order = (ticket.c.registered_at, ticket.c.id)
    statement = _LINE.where(visible_to(filters.viewer))
    statement = statement.order_by(*(column.desc() for column in order)).limit(page.limit)
    if filters.status is not None:
        statement = statement.where(ticket.c.status == filters.status)
    if filters.unit_code is not None:
        statement = statement.where(ticket.c.unit_code == filters.unit_code)
    if filters.is_overdue is not None:
        late = text("coalesce(ticket.replied_at, :now) > ticket.reply_due_at").bindparams(now=now)
        on_time = text(
            "coalesce(coalesce(ticket.replied_at, :now) <= ticket.reply_due_at, true)"
        ).bindparams(now=now)
        statement = statement.where(late if filters.is_overdue else on_time)
    if filters.flag is not None:
        statement = statement.where(is_flagged(ticket.c.id, filters.flag))
    if filters.region_code is not None:
        statement = statement.where(is_in_region(ticket.c.id, filters.region_code))
    if page.after is not None:
        at, ticket_id = page.after
        statement = statement.where(tuple_(*order) < (datetime.fromisoformat(at), UUID(ticket_id)))
    return [_line(row) for row in await reads.execute(statement)]


async def lines(
    reads: AsyncConnection, ticket_ids: Sequence[UUID], *, seen_by: Viewer
) -> Sequence[TicketLine]:
    """In the order of the ids; without those that are kept from who looks."""
    rows = await reads.execute(_LINE.where(ticket.c.id.in_(ticket_ids), visible_to(seen_by)))
    found = {row.id: _line(row) for row in rows}
    return [found[each] for each in ticket_ids if each in found]


async def one(reads: AsyncConnection, ticket_id: UUID, *, seen_by: Viewer) -> Ticket:
    """The ticket as it stands; another unit's, and one that is kept from who looks, is as if it
    were not there. Raises TicketNotFound."""
    statement = select(ticket).where(ticket.c.id == ticket_id, visible_to(seen_by))
    row = (await reads.execute(statement)).one_or_none()
    if row is None:
        raise TicketNotFound("没有这个工单")
    found = ticket_of(row, await shares_of(reads, row))
    if seen_by.unit is not None and not found.is_with(seen_by.unit):
        raise TicketNotFound("没有这个工单")
    return found


async def history(reads: AsyncConnection, ticket_id: UUID) -> Sequence[HistoryLine]:
    rows = await reads.execute(
        select(ticket_move, unit.c.name.label("unit_name"))
        .select_from(ticket_move.outerjoin(unit, unit.c.code == ticket_move.c.unit_code))
        .where(ticket_move.c.ticket_id == ticket_id)
        .order_by(ticket_move.c.version)
    )
    return [
        HistoryLine(
            version=row.version,
            act=Act(row.act),
            status=Status(row.status),
            at=row.at,
            actor=row.actor,
            unit_name=row.unit_name,
        )
        for row in rows
    ]


async def person(
    reads: AsyncConnection, of: Ticket, sealer: Sealer, *, seen_by: str | None
) -> MaskedPerson:
    """Masked for everybody, and hidden from units where the person wants it so. In clear it is seen
    by operations.identity only, which keeps a record."""
    if of.hides_identity and seen_by is not None:
        return MaskedPerson(is_hidden=True)
    rows = await reads.execute(select(complainant).where(complainant.c.ticket_id == of.id))
    found = opened(rows.one_or_none(), of.id, sealer)
    return MaskedPerson(
        name=None if found.name is None else mask_name(found.name),
        phone=None if found.phone is None else mask_phone(found.phone),
        is_hidden=of.hides_identity,
    )


async def details(
    reads: AsyncConnection, of: Ticket, sealer: Sealer, *, seen_by: str | None
) -> Details:
    """What people see: masked, the place to about a kilometre; of somebody who hides, units see
    nothing that says who or where, and the call's own record is the hotline's alone."""
    found = await details_of(reads, of.id, sealer)
    is_kept = seen_by is not None and of.hides_identity
    name, place = found.enterprise_name, found.place
    return replace(
        found,
        target_name=None if found.target_name is None else mask_text(found.target_name),
        demand=None if found.demand is None else mask_text(found.demand),
        complainant_kind=None if is_kept else found.complainant_kind,
        enterprise_name=None if is_kept or name is None else mask_name(name),
        call_id=None if seen_by is not None else found.call_id,
        recording_ref=None if seen_by is not None else found.recording_ref,
        place=None if is_kept or place is None else place.coarse(),
    )


async def imported_years(reads: AsyncConnection) -> list[CalendarYear]:
    """Every version of every notice imported here: what a settled deadline was counted by."""
    rows = await reads.execute(select(calendar_year.c.body))
    return [parse_year(row.body, where="calendar_year") for row in rows]


async def units(reads: AsyncConnection) -> Sequence[tuple[str, str]]:
    """Code and name of the units that tickets may be assigned to."""
    rows = await reads.execute(
        select(unit.c.code, unit.c.name).where(unit.c.is_active).order_by(unit.c.code)
    )
    return [(row.code, row.name) for row in rows]


async def level_of(reads: AsyncConnection, unit_code: str | None) -> str | None:
    found = await reads.execute(select(unit.c.level).where(unit.c.code == unit_code))
    return found.scalar_one_or_none()


def _line(row: Any) -> TicketLine:
    return TicketLine(
        id=row.id,
        ticket_no=row.ticket_no,
        title=row.title,
        clear_title=row.clear_title,
        appeal_type=AppealType(row.appeal_type),
        urgency=Urgency(row.urgency),
        status=Status(row.status),
        unit_code=row.unit_code,
        unit_name=row.unit_name,
        registered_at=row.registered_at,
        citizen_due=row.citizen_due,
        reply_due=row.reply_due,
        reply_warn_at=row.reply_warn_at,
        replied_at=row.replied_at,
        hides_identity=row.hides_identity,
        version=row.version,
        flags=tuple(Flag(each) for each in row.flags or ()),
        region_code=row.region_code,
        complainant_kind=row.complainant_kind and ComplainantKind(row.complainant_kind),
    )
