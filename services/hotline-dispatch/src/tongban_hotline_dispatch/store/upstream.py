"""The tables of what came from above and of what goes back up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    bindparam,
    func,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_hotline_dispatch.domain.appeal import Channel
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.upstream import Outcome
from tongban_hotline_dispatch.store.reference import metadata
from tongban_hotline_dispatch.store.tickets import ticket

_MOMENT = DateTime(timezone=True)
upstream_push = Table(
    "upstream_push",
    metadata,
    Column("ticket_id", ForeignKey("ticket.id"), primary_key=True),
    Column("digest", LargeBinary, nullable=False),  # keyed: a second push is compared by it
    Column("pushed_at", _MOMENT, nullable=False),
    Column("pushed_by", Text, nullable=False),
)
upstream_report = Table(
    "upstream_report",
    metadata,
    Column("ticket_id", ForeignKey("ticket.id"), primary_key=True),
    Column("version", Integer, primary_key=True),  # the move that it tells of
    Column("channel", Text, nullable=False),
    Column("channel_order_no", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("words", Text),  # the public reply, or what the person was told
    Column("unit_code", Text),
    Column("promised_on", Text),
    Column("at", _MOMENT, nullable=False),
    Column("acknowledged_at", _MOMENT),
)
Index(
    "ix_upstream_report_waiting",
    upstream_report.c.channel,
    upstream_report.c.at,
    upstream_report.c.ticket_id,
    upstream_report.c.version,
    postgresql_where=text("acknowledged_at IS NULL"),
)
_REPORT = insert(upstream_report).values(
    {each.name: bindparam(f"report_{each.name}", None, each.type) for each in upstream_report.c}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """回传: one outcome of one ticket, waiting until its platform has acknowledged it."""

    ticket_id: UUID
    version: int
    channel: Channel
    channel_order_no: str
    outcome: Outcome
    words: str | None
    unit_code: str | None
    promised_on: str | None  # of a phase: the date by which it will be solved
    at: datetime

    @property
    def key(self) -> list[str]:
        return [self.at.isoformat(), str(self.ticket_id), str(self.version)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    ticket_id: UUID
    digest: bytes | None  # None: came in another way, such as by a file


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a ticket stands, as its platform asks for it by its own number."""

    channel_order_no: str
    ticket_no: str
    status: Status
    unit_code: str | None
    registered_at: datetime
    upstream_due: datetime | None
    due: datetime | None
    replied_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    channel: Channel
    waiting: int
    oldest_at: datetime


async def add_push(
    tx: Transaction, ticket_id: UUID, *, digest: bytes, at: datetime, by: str
) -> None:
    await tx.connection.execute(
        insert(upstream_push).values(ticket_id=ticket_id, digest=digest, pushed_at=at, pushed_by=by)
    )


async def pushed(tx: Transaction, channel: Channel, number: str) -> Pushed | None:
    found = await tx.connection.execute(
        select(ticket.c.id, upstream_push.c.digest)
        .select_from(ticket.outerjoin(upstream_push, upstream_push.c.ticket_id == ticket.c.id))
        .where(ticket.c.channel == channel, ticket.c.channel_order_no == number)
    )
    row = found.one_or_none()
    return row and Pushed(ticket_id=row.id, digest=row.digest)


async def add_report(tx: Transaction, report: Report) -> None:
    values = {f"report_{each}": getattr(report, each) for each in Report.__dataclass_fields__}
    await tx.connection.execute(_REPORT, values)


async def waiting(
    reads: AsyncConnection, channel: Channel, *, after: Sequence[Any] | None, most: int
) -> Sequence[Report]:
    """What is not acknowledged, the oldest first."""
    c = upstream_report.c
    order = (c.at, c.ticket_id, c.version)
    query = select(upstream_report).where(c.channel == channel, c.acknowledged_at.is_(None))
    if after is not None:
        at, ticket_id, version = after
        key = (datetime.fromisoformat(at), UUID(ticket_id), int(version))
        query = query.where(tuple_(*order) > key)
    return [_report(row) for row in await reads.execute(query.order_by(*order).limit(most))]


async def acknowledge(
    tx: Transaction, channel: Channel, keys: Sequence[tuple[str, int]], now: datetime
) -> set[tuple[str, int]]:
    """Which of (number, version) there are; a second receipt changes nothing."""
    c = upstream_report.c
    named = (c.channel == channel, tuple_(c.channel_order_no, c.version).in_(keys))
    await tx.connection.execute(
        update(upstream_report)
        .where(*named, c.acknowledged_at.is_(None))
        .values(acknowledged_at=now)
    )
    found = await tx.connection.execute(select(c.channel_order_no, c.version).where(*named))
    return {(row.channel_order_no, row.version) for row in found}


async def standings(
    reads: AsyncConnection, channel: Channel, numbers: Sequence[str]
) -> dict[str, Standing]:
    found = await reads.execute(
        select(
            ticket.c.channel_order_no,
            ticket.c.ticket_no,
            ticket.c.status,
            ticket.c.unit_code,
            ticket.c.registered_at,
            ticket.c.upstream_due_at.label("upstream_due"),
            func.coalesce(ticket.c.reply_due_at, ticket.c.citizen_due_at).label("due"),
            ticket.c.replied_at,
            ticket.c.closed_at,
        ).where(ticket.c.channel == channel, ticket.c.channel_order_no.in_(numbers))
    )
    return {
        row["channel_order_no"]: Standing(**{**row, "status": Status(row["status"])})
        for row in found.mappings()
    }


async def backlogs(reads: AsyncConnection) -> Sequence[Backlog]:
    c = upstream_report.c
    found = await reads.execute(
        select(c.channel, func.count().label("waiting"), func.min(c.at).label("oldest_at"))
        .where(c.acknowledged_at.is_(None))
        .group_by(c.channel)
        .order_by(c.channel)
    )
    return [
        Backlog(channel=Channel(row.channel), waiting=row.waiting, oldest_at=row.oldest_at)
        for row in found
    ]


def _report(row: Row[Any]) -> Report:
    return Report(
        ticket_id=row.ticket_id,
        version=row.version,
        channel=Channel(row.channel),
        channel_order_no=row.channel_order_no,
        outcome=Outcome(row.outcome),
        words=row.words,
        unit_code=row.unit_code,
        promised_on=row.promised_on,
        at=row.at,
    )
