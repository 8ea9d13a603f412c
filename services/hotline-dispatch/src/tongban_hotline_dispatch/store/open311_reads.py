"""Reads of Open311: the requests that a query asks for, what changed, and what staff see of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.errors import NotFound
from tongban_hotline_dispatch.domain.open311.asking import Page, Query, Window
from tongban_hotline_dispatch.domain.open311.services import Area, Catalogue, Kind, Shown
from tongban_hotline_dispatch.store.open311 import (
    RequestNotFound,
    open311_news,
    open311_request,
)
from tongban_hotline_dispatch.store.reference import unit
from tongban_hotline_dispatch.store.tickets import ticket, ticket_move


class TokenNotFound(NotFound):
    code = "open311.token_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLine:
    """A request with its ticket as it stands now. What of it may be shown, the policy says."""

    ticket_no: str
    status: str
    client: str
    service_code: str
    service_name: str
    kind: Kind
    description: str | None
    unit_name: str | None
    notice: str | None
    requested_at: datetime
    updated_at: datetime
    expected_at: datetime | None
    address: str | None
    address_id: str | None
    lat: Decimal | None
    long: Decimal | None
    media_url: str | None
    is_private: bool  # somebody hides or is named in it, or it is about a unit


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeLine:
    """One step of a ticket, as its client is told."""

    ticket_no: str
    version: int
    status: str
    at: datetime
    reply: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsLine:
    client: str
    update_id: str
    status: str
    description: str
    media_url: str | None
    updated_at: datetime


_UPDATED_AT = func.coalesce(ticket_move.c.at, open311_request.c.requested_at)
_LINE: Select[Any] = select(
    ticket.c.ticket_no,
    ticket.c.status,
    open311_request.c.client,
    open311_request.c.service_code,
    open311_request.c.service_name,
    open311_request.c.kind,
    open311_request.c.description,
    unit.c.name.label("unit_name"),
    open311_request.c.notice,
    open311_request.c.requested_at,
    _UPDATED_AT.label("updated_at"),
    func.coalesce(ticket.c.citizen_due_at, ticket.c.reply_due_at).label("expected_at"),
    open311_request.c.address,
    open311_request.c.address_id,
    open311_request.c.lat,
    open311_request.c.long,
    open311_request.c.media_url,
    or_(
        ticket.c.hides_identity,
        ticket.c.target_unit_code.is_not(None),
        ticket.c.public_content.is_not(None),
    ).label("is_private"),
).select_from(
    open311_request.join(ticket, ticket.c.id == open311_request.c.ticket_id)
    .outerjoin(unit, unit.c.code == ticket.c.unit_code)
    .outerjoin(
        ticket_move,
        (ticket_move.c.ticket_id == ticket.c.id) & (ticket_move.c.version == ticket.c.version),
    )
)
_IS_LISTED = open311_request.c.kind != Kind.BLACKBOX


async def requests(
    connection: AsyncConnection, catalogue: Catalogue, jurisdiction: str, asked: Query
) -> Sequence[RequestLine]:
    """Newest first. Ids that lead nowhere are left out."""
    statement = _LINE.where(_IS_LISTED, open311_request.c.jurisdiction == jurisdiction)
    if asked.ids:
        statement = statement.where(ticket.c.ticket_no.in_(asked.ids))
    else:
        statement = statement.where(*_conditions(catalogue, asked))
    return [_line(row) for row in await connection.execute(_paged(statement, asked.page))]


async def request(connection: AsyncConnection, jurisdiction: str, ticket_no: str) -> RequestLine:
    """Raises RequestNotFound."""
    rows = await connection.execute(
        _LINE.where(
            _IS_LISTED,
            open311_request.c.jurisdiction == jurisdiction,
            ticket.c.ticket_no == ticket_no,
        )
    )
    row = rows.one_or_none()
    if row is None:
        raise RequestNotFound("没有这个 service_request_id")
    return _line(row)


async def number_of(connection: AsyncConnection, jurisdiction: str, token: str) -> str:
    """The number that a token stands for. Raises TokenNotFound."""
    rows = await connection.execute(
        select(ticket.c.ticket_no)
        .join(open311_request, open311_request.c.ticket_id == ticket.c.id)
        .where(open311_request.c.token == token, open311_request.c.jurisdiction == jurisdiction)
    )
    found: str | None = rows.scalar_one_or_none()
    if found is None:
        raise TokenNotFound("没有这个 token")
    return found


async def changes(
    connection: AsyncConnection, client: str, jurisdiction: str, window: Window, page: Page
) -> Sequence[ChangeLine]:
    """What happened to the requests that this client filed, oldest first."""
    rows = await connection.execute(
        select(
            ticket.c.ticket_no,
            ticket_move.c.version,
            ticket_move.c.status,
            ticket_move.c.at,
            ticket.c.reply,
        )
        .join(open311_request, open311_request.c.ticket_id == ticket_move.c.ticket_id)
        .join(ticket, ticket.c.id == ticket_move.c.ticket_id)
        .where(
            open311_request.c.client == client,
            open311_request.c.jurisdiction == jurisdiction,
            _IS_LISTED,
            ticket_move.c.at.between(window.first, window.last),
        )
        .order_by(ticket_move.c.at, ticket_move.c.ticket_id, ticket_move.c.version)
        .limit(page.size)
        .offset(page.skipped)
    )
    return [
        ChangeLine(
            ticket_no=row.ticket_no,
            version=row.version,
            status=row.status,
            at=row.at,
            reply=row.reply,
        )
        for row in rows
    ]


async def of_ticket(connection: AsyncConnection, ticket_id: UUID) -> RequestLine:
    """For staff, who see all of it. Raises RequestNotFound."""
    row = (await connection.execute(_LINE.where(ticket.c.id == ticket_id))).one_or_none()
    if row is None:
        raise RequestNotFound("该工单不是经 Open311 提交的")
    return _line(row)


async def news(connection: AsyncConnection, ticket_id: UUID) -> Sequence[NewsLine]:
    """What its client sent since, oldest first."""
    rows = await connection.execute(
        select(open311_news)
        .where(open311_news.c.ticket_id == ticket_id)
        .order_by(open311_news.c.id)
    )
    return [
        NewsLine(
            client=row.client,
            update_id=row.update_id,
            status=row.status,
            description=row.description,
            media_url=row.media_url,
            updated_at=row.updated_at,
        )
        for row in rows
    ]


def _conditions(catalogue: Catalogue, asked: Query) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if asked.service_codes:
        found.append(open311_request.c.service_code.in_(asked.service_codes))
    if asked.requested is not None:
        window = asked.requested
        found.append(open311_request.c.requested_at.between(window.first, window.last))
    if asked.updated is not None:
        found.append(ticket_move.c.at.between(asked.updated.first, asked.updated.last))
    if asked.is_closed is not None:
        closed = ticket.c.status.in_(catalogue.closed_statuses)
        found.append(closed if asked.is_closed else ~closed)
    if asked.box is not None:
        found += _within(asked.box, catalogue.showing(Shown.LOCATION))
    return found


def _within(box: Area, shown: Sequence[str]) -> list[ColumnElement[bool]]:
    """Only of services that show where: a box made smaller and smaller would tell it otherwise."""
    return [
        open311_request.c.lat.between(box.south, box.north),
        open311_request.c.long.between(box.west, box.east),
        open311_request.c.service_code.in_(shown),
    ]


def _paged(statement: Select[Any], page: Page) -> Select[Any]:
    order = (open311_request.c.requested_at.desc(), open311_request.c.ticket_id.desc())
    return statement.order_by(*order).limit(page.size).offset(page.skipped)


def _line(row: Row[Any]) -> RequestLine:
    found = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
    return RequestLine(**{**found, "kind": Kind(row.kind)})
