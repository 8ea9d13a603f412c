"""The record of every look at a complainant (查看记录): who, which fields, when, why.

Append-only, by a trigger of the database besides: the leaks of 2026 were possible because nobody
could tell who had looked (hotline.md 2.5). A list that was exported in clear has a record of its
own and one for each ticket in it, so that "who has seen this person" has one answer.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Index,
    Row,
    Table,
    Text,
    Uuid,
    insert,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.identity import Seen, Way, in_order
from tongban_hotline_dispatch.store.guard import visible_to
from tongban_hotline_dispatch.store.reference import metadata, unit
from tongban_hotline_dispatch.store.tickets import ticket

identity_view = Table(
    "identity_view",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),  # the subject of a token, never a name
    Column("unit_code", Text),  # the actor's
    Column("way", Text, nullable=False),
    Column("ticket_id", ForeignKey("ticket.id")),  # none: the record of a whole list
    Column("list_id", Uuid),  # the record of the list that the ticket was in
    Column("fields", ARRAY(Text), nullable=False),
    Column("reason", Text, nullable=False),
    Column("document_no", Text),
    Column("policy", Text, nullable=False),
    Column("filters", Text, nullable=False),  # of a list
)
# Beside a list's record its tickets would bury all others.
_SHOWN = text("list_id IS NULL")
Index(
    "ix_identity_view_newest",
    identity_view.c.at.desc(),
    identity_view.c.id.desc(),
    postgresql_where=_SHOWN,
)
Index(
    "ix_identity_view_actor",
    identity_view.c.actor,
    identity_view.c.at.desc(),
    identity_view.c.id.desc(),
    postgresql_where=_SHOWN,
)
Index(
    "ix_identity_view_ticket",
    identity_view.c.ticket_id,
    identity_view.c.at.desc(),
    identity_view.c.id.desc(),
)
_ADD = insert(identity_view)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One look."""

    id: UUID
    at: datetime
    actor: str
    unit_code: str | None
    way: Way
    fields: tuple[Seen, ...]
    reason: str
    policy: str
    ticket_id: UUID | None = None
    document_no: str | None = None
    filters: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewLine:
    """One look as the list shows it."""

    view: View
    ticket_no: str | None
    unit_name: str | None
    is_of_list: bool

    @property
    def key(self) -> list[str]:
        return [self.view.at.isoformat(), str(self.view.id)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewFilters:
    ticket_id: UUID | None = None
    actor: str | None = None
    way: Way | None = None
    reason: str | None = None
    since: datetime | None = field(default=None)
    before: datetime | None = field(default=None)
    seen_by: Viewer | None = None  # None: whoever


class Views:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def add(self, view: View) -> None:
        await self._tx.connection.execute(_ADD, [_values(view)])

    async def add_tickets(self, of: View, ticket_ids: Collection[UUID], *, now: datetime) -> None:
        """What a list in clear shows, ticket by ticket."""
        if not ticket_ids:
            return
        common = {**_values(of), "list_id": of.id, "at": now, "filters": ""}
        rows = [{**common, "id": new_id(now), "ticket_id": each} for each in ticket_ids]
        await self._tx.connection.execute(_ADD, rows)


async def views(
    reads: AsyncConnection,
    filters: ViewFilters,
    *,
    after: Sequence[str] | None,
    most: int,
) -> list[ViewLine]:
    """The newest first. Of one ticket also the lists that it was in."""
    table = identity_view.c
    order = (table.at, table.id)
    statement = (
        select(identity_view, ticket.c.ticket_no, unit.c.name.label("unit_name"))
        .select_from(
            identity_view.outerjoin(ticket, ticket.c.id == table.ticket_id).outerjoin(
                unit, unit.c.code == table.unit_code
            )
        )
        .order_by(*(each.desc() for each in order))
        .limit(most)
    )
    if filters.seen_by is not None:
        statement = statement.where(or_(ticket.c.id.is_(None), visible_to(filters.seen_by)))
    if filters.ticket_id is None:
        statement = statement.where(text("identity_view.list_id IS NULL"))
    for column, wanted in (
        (table.ticket_id, filters.ticket_id),
        (table.actor, filters.actor),
        (table.way, filters.way),
        (table.reason, filters.reason),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    if filters.since is not None:
        statement = statement.where(table.at >= filters.since)
    if filters.before is not None:
        statement = statement.where(table.at < filters.before)
    if after is not None:
        at, last = after
        statement = statement.where(tuple_(*order) < (datetime.fromisoformat(at), UUID(last)))
    return [_line(row) for row in await reads.execute(statement)]


def _values(view: View) -> dict[str, Any]:
    return {
        "id": view.id,
        "at": view.at,
        "actor": view.actor,
        "unit_code": view.unit_code,
        "way": view.way,
        "ticket_id": view.ticket_id,
        "list_id": None,
        "fields": [each.value for each in in_order(view.fields)],
        "reason": view.reason,
        "document_no": view.document_no,
        "policy": view.policy,
        "filters": view.filters,
    }


def _line(row: Row[Any]) -> ViewLine:
    view = View(
        id=row.id,
        at=row.at,
        actor=row.actor,
        unit_code=row.unit_code,
        way=Way(row.way),
        fields=tuple(Seen(each) for each in row.fields),
        reason=row.reason,
        policy=row.policy,
        ticket_id=row.ticket_id,
        document_no=row.document_no,
        filters=row.filters,
    )
    return ViewLine(
        view=view,
        ticket_no=row.ticket_no,
        unit_name=row.unit_name,
        is_of_list=row.list_id is not None,
    )
