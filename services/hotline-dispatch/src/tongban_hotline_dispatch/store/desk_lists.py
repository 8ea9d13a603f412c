"""The lists of the desks: queues by time left, a unit's own, and what waits for a decision.

Each walks an index of what is open from a key on; a city's history may grow as long as it likes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, Select, case, cast, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_hotline_dispatch.domain.appeal import AppealType, Urgency
from tongban_hotline_dispatch.domain.assignment import Ask, AskKind, Role
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.moves import State, Status
from tongban_hotline_dispatch.store.assignments import assignment
from tongban_hotline_dispatch.store.desks import ODD, OPEN, OPEN_SHARE, RANK, RUNNING
from tongban_hotline_dispatch.store.guard import visible_to
from tongban_hotline_dispatch.store.reference import unit
from tongban_hotline_dispatch.store.terms import ask_of
from tongban_hotline_dispatch.store.tickets import SHOWN_TITLE, ticket

_MOMENT = DateTime(timezone=True)
Key = Sequence[str] | None  # where the page before ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrow:
    """What a list is narrowed to, beside what its viewer may see; None leaves it open."""

    viewer: Viewer
    unit_code: str | None = None
    appeal_type: AppealType | None = None
    urgency: Urgency | None = None
    due_from: datetime | None = None
    due_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLine:
    """One ticket of a queue."""

    id: UUID
    version: int
    ticket_no: str
    title: str
    appeal_type: AppealType
    urgency: Urgency
    status: Status
    unit_code: str | None
    unit_name: str | None
    registered_at: datetime
    citizen_due: datetime | None
    reply_due: datetime | None
    reply_warn_at: datetime | None
    stage_start: datetime | None
    stage_due: datetime | None
    returns: int
    rework_rounds: int
    children: int
    is_supervised: bool
    rank: int

    @property
    def stage_key(self) -> list[str]:
        due = None if self.stage_due is None else self.stage_due.isoformat()
        return [str(self.rank), due or "", str(self.id)]

    @property
    def due_key(self) -> list[str]:
        return [self.reply_due.isoformat() if self.reply_due else "", str(self.id)]

    @property
    def age_key(self) -> list[str]:
        return [self.registered_at.isoformat(), str(self.id)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareLine:
    """One open assignment of a unit."""

    ticket: QueueLine
    no: int
    role: Role
    state: State
    is_forced: bool
    is_auto_signed: bool
    due_at: datetime
    warn_at: datetime | None
    sign_due: datetime
    contact_due: datetime | None
    asking: AskKind | None

    @property
    def key(self) -> list[str]:
        return [self.due_at.isoformat(), str(self.ticket.id), str(self.no)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskLine:
    """What a unit asks for, undecided."""

    ticket: QueueLine
    no: int
    unit_code: str
    unit_name: str | None
    ask: Ask
    extensions: int

    @property
    def key(self) -> list[str]:
        return [self.ask.term.due_at.isoformat(), str(self.ticket.id), str(self.no)]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCounts:
    """A unit's open assignments."""

    open: int
    waiting: int
    overdue: int
    near: int


_asker = unit.alias("asker")
_TICKET = (
    ticket.c.id,
    ticket.c.version,
    ticket.c.ticket_no,
    SHOWN_TITLE,
    ticket.c.appeal_type,
    ticket.c.urgency,
    ticket.c.status,
    ticket.c.unit_code,
    unit.c.name.label("unit_name"),
    ticket.c.registered_at,
    ticket.c.citizen_due_at,
    ticket.c.reply_due_at,
    ticket.c.reply_warn_at,
    cast(ticket.c.stage["start_at"].astext, _MOMENT).label("stage_start"),
    ticket.c.stage_due_at,
    ticket.c.returns,
    ticket.c.rework_rounds,
    ticket.c.children,
    ticket.c.is_supervised,
    RANK.label("rank"),
)
_TICKETS = select(*_TICKET).select_from(ticket.outerjoin(unit, unit.c.code == ticket.c.unit_code))
_OF_SHARES = assignment.join(ticket, ticket.c.id == assignment.c.ticket_id).outerjoin(
    unit, unit.c.code == ticket.c.unit_code
)
_ASK_DUE = cast(assignment.c.asks[-1]["term"]["due_at"].astext, _MOMENT)


async def queue(
    reads: AsyncConnection, status: Status, narrow: Narrow, *, after: Key, most: int
) -> list[QueueLine]:
    """The tickets of one status, the most urgent first, then by the time left for the stage."""
    order = (RANK, ticket.c.stage_due_at, ticket.c.id)
    statement = _narrowed(_TICKETS, narrow).where(OPEN, ticket.c.status == status)
    if after is not None:
        rank, due, ticket_id = after
        statement = statement.where(tuple_(*order) > (int(rank), _moment(due), UUID(ticket_id)))
    return [_line(row) for row in await reads.execute(statement.order_by(*order).limit(most))]


async def running(
    reads: AsyncConnection, narrow: Narrow, *, after: Key, most: int
) -> list[QueueLine]:
    """What units have in hand and have not answered, by the time that is left."""
    order = (ticket.c.reply_due_at, ticket.c.id)
    return await _walked(reads, _narrowed(_TICKETS, narrow).where(RUNNING), order, after, most)


async def open_ones(
    reads: AsyncConnection, narrow: Narrow, *, after: Key, most: int
) -> list[QueueLine]:
    """Everything that is not ended, the oldest first."""
    order = (ticket.c.registered_at, ticket.c.id)
    return await _walked(reads, _narrowed(_TICKETS, narrow).where(OPEN), order, after, most)


async def shares(
    reads: AsyncConnection, viewer: Viewer, state: State | None, *, after: Key, most: int
) -> list[ShareLine]:
    """The open assignments of the viewer's unit by due time."""
    order = (assignment.c.due_at, assignment.c.ticket_id, assignment.c.no)
    statement = (
        select(
            *_TICKET,
            assignment.c.no,
            assignment.c.role,
            assignment.c.state,
            assignment.c.is_forced,
            assignment.c.is_auto_signed,
            assignment.c.due_at,
            assignment.c.warn_at,
            cast(assignment.c.sign_term["due_at"].astext, _MOMENT).label("sign_due"),
            cast(assignment.c.contact_term["due_at"].astext, _MOMENT).label("contact_due"),
            assignment.c.asking,
        )
        .select_from(_OF_SHARES)
        .where(assignment.c.unit_code == viewer.unit, OPEN_SHARE, visible_to(viewer))
    )
    if state is not None:
        statement = statement.where(assignment.c.state == state)
    if after is not None:
        due, ticket_id, no = after
        statement = statement.where(tuple_(*order) > (_moment(due), UUID(ticket_id), int(no)))
    return [_share(row) for row in await reads.execute(statement.order_by(*order).limit(most))]


async def unit_counts(reads: AsyncConnection, viewer: Viewer, now: datetime) -> UnitCounts:
    """What is suspended runs against nobody."""
    may_see = visible_to(viewer).label("may_see")
    odd = select(ticket.c.id, ticket.c.status, may_see).where(ODD).subquery("odd")
    runs = func.coalesce(odd.c.status, "") != Status.SUSPENDED
    is_over = assignment.c.due_at < now
    is_near = assignment.c.warn_at <= now
    statement = (
        select(
            func.count().label("open"),
            func.count(case((assignment.c.state == State.WAITING, 1))).label("waiting"),
            func.count(case((runs & is_over, 1))).label("overdue"),
            func.count(case((runs & ~is_over & is_near, 1))).label("near"),
        )
        .select_from(assignment.outerjoin(odd, odd.c.id == assignment.c.ticket_id))
        .where(
            assignment.c.unit_code == viewer.unit,
            OPEN_SHARE,
            or_(odd.c.id.is_(None), odd.c.may_see),
        )
    )
    row = (await reads.execute(statement)).one()
    return UnitCounts(open=row.open, waiting=row.waiting, overdue=row.overdue, near=row.near)


async def asks(
    reads: AsyncConnection, kinds: Sequence[AskKind], viewer: Viewer, *, after: Key, most: int
) -> list[AskLine]:
    """What waits for a decision of one of these kinds, by the time left to decide."""
    order = (_ASK_DUE, assignment.c.ticket_id, assignment.c.no)
    statement = (
        select(
            *_TICKET,
            assignment.c.no,
            assignment.c.unit_code.label("asking_unit"),
            _asker.c.name.label("asking_name"),
            assignment.c.asks,
            assignment.c.extensions,
        )
        .select_from(_OF_SHARES.outerjoin(_asker, _asker.c.code == assignment.c.unit_code))
        .where(assignment.c.asking.is_not(None), assignment.c.asking.in_(kinds), visible_to(viewer))
    )
    if after is not None:
        due, ticket_id, no = after
        statement = statement.where(tuple_(*order) > (_moment(due), UUID(ticket_id), int(no)))
    return [_asked(row) for row in await reads.execute(statement.order_by(*order).limit(most))]


async def ask_counts(reads: AsyncConnection) -> Mapping[AskKind, int]:
    """How many wait for a decision, by kind."""
    column = assignment.c.asking
    statement = select(column, func.count()).where(column.is_not(None)).group_by(column)
    return {AskKind(kind): n for kind, n in await reads.execute(statement)}


async def named_by_returning(
    reads: AsyncConnection, ticket_ids: Sequence[UUID]
) -> Mapping[UUID, tuple[str, str]]:
    """Code and name of the unit that the last one to return a ticket said it belongs to."""
    named = assignment.c.asks[-1]["grounds"]["suggested_unit"].astext
    statement = (
        select(assignment.c.ticket_id, unit.c.code, unit.c.name)
        .select_from(assignment.join(unit, (unit.c.code == named) & unit.c.is_active))
        .where(
            assignment.c.ticket_id.in_(ticket_ids),
            assignment.c.state == State.RETURNED,
        )
        .order_by(assignment.c.ticket_id, assignment.c.no)
    )
    return {row.ticket_id: (row.code, row.name) for row in await reads.execute(statement)}


async def briefly(
    reads: AsyncConnection, ticket_ids: Sequence[UUID], viewer: Viewer
) -> Mapping[UUID, tuple[str, str]]:
    """Number and title of each."""
    statement = select(ticket.c.id, ticket.c.ticket_no, SHOWN_TITLE)
    rows = await reads.execute(statement.where(ticket.c.id.in_(ticket_ids), visible_to(viewer)))
    return {row.id: (row.ticket_no, row.title) for row in rows}


async def id_of(reads: AsyncConnection, ticket_no: str) -> UUID | None:
    statement = select(ticket.c.id).where(ticket.c.ticket_no == ticket_no)
    found: UUID | None = (await reads.execute(statement)).scalar_one_or_none()
    return found


async def _walked(
    reads: AsyncConnection,
    statement: Select[Any],
    order: tuple[ColumnElement[Any], ...],
    after: Key,
    most: int,
) -> list[QueueLine]:
    if after is not None:
        at, ticket_id = after
        statement = statement.where(tuple_(*order) > (_moment(at), UUID(ticket_id)))
    return [_line(row) for row in await reads.execute(statement.order_by(*order).limit(most))]


def _narrowed(statement: Select[Any], narrow: Narrow) -> Select[Any]:
    statement = statement.where(visible_to(narrow.viewer))
    for column, value in (
        (ticket.c.unit_code, narrow.unit_code),
        (ticket.c.appeal_type, narrow.appeal_type),
        (ticket.c.urgency, narrow.urgency),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if narrow.due_from is not None:
        statement = statement.where(ticket.c.reply_due_at >= narrow.due_from)
    if narrow.due_before is not None:
        statement = statement.where(ticket.c.reply_due_at < narrow.due_before)
    return statement


def _moment(written: str) -> datetime:
    return datetime.fromisoformat(written)


def _share(row: Any) -> ShareLine:
    return ShareLine(
        ticket=_line(row),
        no=row.no,
        role=Role(row.role),
        state=State(row.state),
        is_forced=row.is_forced,
        is_auto_signed=row.is_auto_signed,
        due_at=row.due_at,
        warn_at=row.warn_at,
        sign_due=row.sign_due,
        contact_due=row.contact_due,
        asking=None if row.asking is None else AskKind(row.asking),
    )


def _asked(row: Any) -> AskLine:
    return AskLine(
        ticket=_line(row),
        no=row.no,
        unit_code=row.asking_unit,
        unit_name=row.asking_name,
        ask=ask_of(row.asks[-1]),
        extensions=row.extensions,
    )


def _line(row: Any) -> QueueLine:
    return QueueLine(
        id=row.id,
        version=row.version,
        ticket_no=row.ticket_no,
        title=row.title,
        appeal_type=AppealType(row.appeal_type),
        urgency=Urgency(row.urgency),
        status=Status(row.status),
        unit_code=row.unit_code,
        unit_name=row.unit_name,
        registered_at=row.registered_at,
        citizen_due=row.citizen_due_at,
        reply_due=row.reply_due_at,
        reply_warn_at=row.reply_warn_at,
        stage_start=row.stage_start,
        stage_due=row.stage_due_at,
        returns=row.returns,
        rework_rounds=row.rework_rounds,
        children=row.children,
        is_supervised=row.is_supervised,
        rank=row.rank,
    )
