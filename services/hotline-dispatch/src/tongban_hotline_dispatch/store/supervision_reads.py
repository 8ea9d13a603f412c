"""Read models of supervision for GET: no locks, no moves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, exists, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.http import PageRequest
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.supervision import Deed, Supervision, SupervisionState
from tongban_hotline_dispatch.domain.supervision_cards import Card
from tongban_hotline_dispatch.domain.supervision_rules import Colour, Form, Kind, Level
from tongban_hotline_dispatch.store.guard import kept_from, visible_to
from tongban_hotline_dispatch.store.reference import unit
from tongban_hotline_dispatch.store.supervision import (
    Notice,
    SupervisionNotFound,
    supervision,
    supervision_move,
    supervision_notice,
    supervision_of,
    supervision_ticket,
    supervision_unit,
)
from tongban_hotline_dispatch.store.supervision_cards import (
    cards_of,
    supervision_card,
    supervision_card_line,
)
from tongban_hotline_dispatch.store.tickets import ticket

_KEPT = "（不予显示）"  # 被诉单位和回避人员看不到的工单


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    seen_by: Viewer  # a unit sees its own, no clue against it; nobody what they recused from
    unit_code: str | None = None
    kind: Kind | None = None
    level: Level | None = None
    state: SupervisionState | None = None
    ticket_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionLine:
    """One line of a list."""

    id: UUID
    kind: Kind
    level: Level | None
    form: Form | None
    state: SupervisionState
    cause: str
    units: tuple[str, ...]
    tickets: int
    issued_at: datetime
    reply_due: datetime | None
    was_missed: bool
    is_published: bool
    colours: tuple[Colour, ...]  # of the cards that count
    version: int

    @property
    def key(self) -> list[str]:
        """Where the next page goes on."""
        return [self.issued_at.isoformat(), str(self.id)]

    def is_late(self, at: datetime) -> bool:
        waits = self.state is SupervisionState.ISSUED and self.reply_due is not None
        return self.was_missed or (waits and self.reply_due is not None and at > self.reply_due)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeedLine:
    version: int
    deed: Deed
    state: SupervisionState
    at: datetime
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One supervision with all that belongs to it."""

    supervision: Supervision
    cards: Sequence[Card]
    notices: Sequence[Notice]
    history: Sequence[DeedLine]
    unit_names: dict[str, str]
    ticket_nos: dict[UUID, str]


async def lines(
    reads: AsyncConnection, *, filters: Filters, page: PageRequest
) -> Sequence[SupervisionLine]:
    """Newest first."""
    return await newest(reads, filters=filters, after=page.after, most=page.limit)


async def newest(
    reads: AsyncConnection,
    *,
    filters: Filters,
    most: int,
    after: tuple[Any, ...] | None = None,
) -> Sequence[SupervisionLine]:
    seen_by = filters.seen_by
    by_unit = seen_by.unit or filters.unit_code
    order: tuple[Any, ...] = (supervision.c.issued_at, supervision.c.id)
    query = select(supervision).where(~_is_kept_from(seen_by))
    if by_unit is not None:
        order = (supervision_unit.c.issued_at, supervision_unit.c.supervision_id)
        query = query.join(supervision_unit).where(supervision_unit.c.unit_code == by_unit)
    if seen_by.unit is not None:
        query = query.where(_is_for_units())
    for column, wanted in (
        (supervision.c.kind, filters.kind),
        (supervision.c.level, filters.level),
        (supervision.c.state, filters.state),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    if filters.ticket_id is not None:
        links = select(supervision_ticket.c.supervision_id).where(
            supervision_ticket.c.ticket_id == filters.ticket_id
        )
        query = query.where(supervision.c.id.in_(links))
    if after is not None:
        at, last = after
        query = query.where(tuple_(*order) < (datetime.fromisoformat(at), UUID(last)))
    rows = await reads.execute(query.order_by(*(each.desc() for each in order)).limit(most))
    found = rows.all()
    colours = await _colours(reads, [row.id for row in found])
    return [_line(row, colours.get(row.id, ())) for row in found]


async def one(reads: AsyncConnection, supervision_id: UUID, *, seen_by: Viewer) -> Record:
    """Another unit's is as if it were not there, and so is what is about a ticket that the reader
    recused from; of its tickets, those that the reader may see. Raises SupervisionNotFound."""
    wanted = select(supervision).where(supervision.c.id == supervision_id)
    rows = await reads.execute(wanted.where(~_is_kept_from(seen_by)))
    row = rows.one_or_none()
    found = None if row is None else supervision_of(row)
    if found is None or not _may_see(found, seen_by.unit):
        raise SupervisionNotFound("没有这个督办件")
    if seen_by.unit is not None:
        own = tuple(each for each in found.answers if each.unit_code == seen_by.unit)
        found = replace(found, answers=own)
    numbers, kept = await _numbers(reads, found.order.ticket_ids, seen_by)
    seen = tuple(each for each in found.order.ticket_ids if each in numbers)
    return Record(
        supervision=replace(found, order=replace(found.order, ticket_ids=seen)),
        cards=[
            each
            for each in await cards_of(reads, supervision_id)
            if seen_by.unit in {None, each.unit_code}
        ],
        notices=[_without(each, kept) for each in await _notices(reads, supervision_id)],
        history=await _history(reads, supervision_id),
        unit_names=await unit_names(reads, found.units),
        ticket_nos=numbers,
    )


async def unit_names(reads: AsyncConnection, codes: Sequence[str]) -> dict[str, str]:
    rows = await reads.execute(select(unit.c.code, unit.c.name).where(unit.c.code.in_(codes)))
    known = {row.code: row.name for row in rows}
    return {code: known.get(code, code) for code in codes}


def _may_see(found: Supervision, unit_code: str | None) -> bool:
    return unit_code is None or (unit_code in found.units and not found.is_hidden_from_units)


def _is_kept_from(viewer: Viewer) -> ColumnElement[bool]:
    of_it = supervision_ticket.c.supervision_id == supervision.c.id
    tickets = select(ticket.c.id).select_from(supervision_ticket.join(ticket))
    return exists(tickets.where(of_it, kept_from(viewer)).correlate(supervision))


def _is_for_units() -> Any:
    return or_(supervision.c.level.is_(None), supervision.c.level != Level.S5)


async def _colours(reads: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, tuple[Colour, ...]]:
    line = supervision_card_line.c
    undone = select(line.card_id).where(
        and_(line.card_id == supervision_card.c.id, line.act.in_(["revoked", "waived"]))
    )
    rows = await reads.execute(
        select(
            supervision_card.c.supervision_id,
            func.array_agg(supervision_card.c.colour.distinct()).label("colours"),
        )
        .where(supervision_card.c.supervision_id.in_(ids), ~undone.exists())
        .group_by(supervision_card.c.supervision_id)
    )
    return {row.supervision_id: tuple(Colour(each) for each in row.colours) for row in rows}


async def _notices(reads: AsyncConnection, supervision_id: UUID) -> Sequence[Notice]:
    table = supervision_notice.c
    rows = await reads.execute(
        select(supervision_notice)
        .where(table.supervision_id == supervision_id)
        .order_by(table.version)
    )
    return [
        Notice(
            supervision_id=row.supervision_id,
            version=row.version,
            template=row.template,
            template_version=row.template_version,
            audience=tuple(row.audience),
            at=row.at,
            body=row.body,
        )
        for row in rows
    ]


async def _history(reads: AsyncConnection, supervision_id: UUID) -> Sequence[DeedLine]:
    table = supervision_move.c
    rows = await reads.execute(
        select(supervision_move)
        .where(table.supervision_id == supervision_id)
        .order_by(table.version)
    )
    return [
        DeedLine(
            version=row.version,
            deed=Deed(row.deed),
            state=SupervisionState(row.state),
            at=row.at,
            actor=row.actor,
        )
        for row in rows
    ]


async def _numbers(
    reads: AsyncConnection, ids: Sequence[UUID], viewer: Viewer
) -> tuple[dict[UUID, str], list[str]]:
    """Of the tickets that the viewer may see, by their ids; and of those kept from them."""
    may_see = visible_to(viewer).label("may_see")
    rows = await reads.execute(
        select(ticket.c.id, ticket.c.ticket_no, may_see)
        .where(ticket.c.id.in_(ids))
        .order_by(ticket.c.ticket_no)
    )
    found = rows.all()
    return (
        {row.id: row.ticket_no for row in found if row.may_see},
        [row.ticket_no for row in found if not row.may_see],
    )


def _without(notice: Notice, kept: Sequence[str]) -> Notice:
    """In the words of the day, less the numbers that are kept from who reads them now."""
    body = notice.body
    for number in kept:
        body = body.replace(number, _KEPT)
    return replace(notice, body=body)


def _line(row: Row[Any], colours: tuple[Colour, ...]) -> SupervisionLine:
    found = supervision_of(row)
    return SupervisionLine(
        id=found.id,
        kind=found.kind,
        level=found.level,
        form=found.order.form,
        state=found.state,
        cause=found.order.cause,
        units=found.units,
        tickets=len(found.order.ticket_ids),
        issued_at=found.issued_at,
        reply_due=None if found.reply_term is None else found.reply_term.due_at,
        was_missed=found.was_missed,
        is_published=found.is_published,
        colours=colours,
        version=found.version,
    )
