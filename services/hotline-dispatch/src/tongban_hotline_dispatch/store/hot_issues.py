"""Hot issues: what each is about, which tickets are in it, and how they count."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    Row,
    Table,
    Text,
    Uuid,
    bindparam,
    delete,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as insert_or_not
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.hot_issues import Counted, Entry, Issue
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.repeats import LikenessRules
from tongban_hotline_dispatch.store.likeness import (
    NEAR,
    near_values,
    ticket_likeness,
    vector_of_row,
)
from tongban_hotline_dispatch.store.reference import metadata

_MOMENT = DateTime(timezone=True)
hot_issue = Table(
    "hot_issue",
    metadata,
    Column("id", Uuid, primary_key=True),  # that of the ticket that founded it
    Column("words", ARRAY(Text(collation="C")), nullable=False),
    Column("weights", ARRAY(Double), nullable=False),
    Column("size", Integer, nullable=False),
    Column("first_at", _MOMENT, nullable=False),
    Column("last_at", _MOMENT, nullable=False),
    Column("into_id", Uuid),  # the older issue that it became part of
    Column("raised_at", _MOMENT),
)
_RAISED = text("raised_at IS NOT NULL")
Index("ix_hot_issue_raised", hot_issue.c.raised_at.desc(), postgresql_where=_RAISED)
Index("ix_hot_issue_into", hot_issue.c.into_id, postgresql_where=text("into_id IS NOT NULL"))

_HOLD = text("SELECT pg_advisory_xact_lock(hashtextextended('hot issues', 24))")
_MOST_OF_CENTRE = 500  # the newest tickets that the centre is rebuilt from
_COUNT = """
    SELECT l.issue_id,
      count(*) FILTER (WHERE l.at > :since) AS tickets,
      count(*) FILTER (WHERE l.at <= :since) AS before,
      count(DISTINCT l.person) FILTER (WHERE l.at > :since) AS people,
      coalesce(sum(v.supports + v.opposes) FILTER (WHERE l.at > :since), 0) AS votes
    FROM likeness l LEFT JOIN ticket_vote v USING (ticket_id)
    WHERE l.issue_id IS NOT NULL AND l.at > :before_since AND l.at <= :until {more}
    GROUP BY l.issue_id
"""
_COUNT_ALL = text(_COUNT.format(more=""))
_COUNT_SOME = text(_COUNT.format(more="AND l.issue_id = ANY(CAST(:issues AS uuid[]))"))
_TREND = text(
    """
    SELECT issue_id, (at AT TIME ZONE 'Asia/Shanghai')::date AS day, count(*) AS tickets
    FROM likeness
    WHERE issue_id = ANY(CAST(:issues AS uuid[])) AND at > :since AND at <= :until
    GROUP BY issue_id, day
    """
)
_TELLING = text(
    """
    SELECT coalesce(t.public_title, t.title) AS title, t.unit_code, t.matter_code, l.at
    FROM likeness l JOIN ticket t ON t.id = l.ticket_id
    WHERE l.issue_id = :issue AND l.at > :since AND l.at <= :until ORDER BY l.at, l.no
    """
)
_TICKETS = text(
    """
    SELECT t.id, t.ticket_no, coalesce(t.public_title, t.title) AS title, t.status, t.unit_code,
      t.registered_at, t.parent_id
    FROM likeness l JOIN ticket t ON t.id = l.ticket_id
    WHERE l.issue_id = :issue AND (t.recused IS NULL OR :viewer <> ALL(t.recused))
      AND (CAST(:at AS timestamptz) IS NULL OR (l.at, l.ticket_id) < (:at, CAST(:id AS uuid)))
    ORDER BY l.at DESC, l.ticket_id DESC LIMIT :limit
    """
)
_PEOPLE = text(
    """
    SELECT l.issue_id, count(DISTINCT l.person) AS people,
      array_agg(l.ticket_id ORDER BY l.at, l.no) AS tickets
    FROM likeness l
    WHERE l.issue_id IS NOT NULL AND l.person IS NOT NULL AND l.at > :since AND l.at <= :until
    GROUP BY l.issue_id HAVING count(DISTINCT l.person) >= :least
    ORDER BY people DESC, l.issue_id
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A ticket that no round has looked at."""

    no: int
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    entry: Entry
    head_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An issue as it stands, and when it was raised last."""

    issue: Issue
    into_id: UUID | None
    raised_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The last days, and as many before them."""

    until: datetime
    days: int

    @property
    def since(self) -> datetime:
        return self.until - timedelta(days=self.days)

    @property
    def values(self) -> dict[str, Any]:
        before = self.since - timedelta(days=self.days)
        return {"since": self.since, "until": self.until, "before_since": before}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an issue's tickets of the window say: a title, how many by unit and by matter."""

    title: str
    units: Mapping[str, int]
    matters: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A ticket of an issue, as a list shows it."""

    id: UUID
    ticket_no: str
    title: str
    status: Status
    unit_code: str | None
    parent_id: UUID | None
    registered_at: datetime


class HotIssues:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def hold(self) -> None:
        """One round at a time."""
        await self._tx.connection.execute(_HOLD)

    async def waiting(self, most: int) -> list[Waiting]:
        """In the order in which they came in."""
        rows = await self._tx.connection.execute(
            select(ticket_likeness)
            .where(text("NOT is_grouped"))
            .order_by(ticket_likeness.c.no)
            .limit(most)
        )
        return [Waiting(no=row.no, entry=_entry(row)) for row in rows]

    async def near(self, waiting: Waiting, rules: LikenessRules) -> list[Neighbour]:
        """The tickets before it that share its telling words."""
        since = waiting.entry.at - rules.link
        values = near_values(waiting.entry.vector, rules, since, waiting.no)
        rows = await self._tx.connection.execute(NEAR, values)
        return [Neighbour(entry=_entry(row), head_id=row.head_id) for row in rows]

    async def issues(self, ids: Sequence[UUID]) -> dict[UUID, Kept]:
        rows = await self._tx.connection.execute(select(hot_issue).where(hot_issue.c.id.in_(ids)))
        return {row.id: _kept(row) for row in rows}

    async def keep(self, issues: Sequence[Issue]) -> None:
        for each in issues:
            values = _values(each)
            statement = insert_or_not(hot_issue).values(id=each.id, **values)
            await self._tx.connection.execute(
                statement.on_conflict_do_update(index_elements=["id"], set_=values)
            )

    async def place(self, tickets: Mapping[UUID, UUID]) -> None:
        if tickets:
            await self._tx.connection.execute(
                update(ticket_likeness)
                .where(ticket_likeness.c.ticket_id == bindparam("of_ticket"))
                .values(issue_id=bindparam("to_issue")),
                [{"of_ticket": ticket, "to_issue": issue} for ticket, issue in tickets.items()],
            )

    async def unite(self, younger: UUID, older: UUID) -> None:
        """The younger's name still leads to where its tickets went."""
        await self._tx.connection.execute(
            update(ticket_likeness)
            .where(ticket_likeness.c.issue_id == younger)
            .values(issue_id=older)
        )
        await self._tx.connection.execute(
            update(hot_issue)
            .where((hot_issue.c.id == younger) | (hot_issue.c.into_id == younger))
            .values(into_id=older)
        )

    async def grouped(self, looked_at: Sequence[Waiting], heads: Mapping[UUID, UUID]) -> None:
        """With the ticket that each is most like. By name: a lower number may be committed only
        after a round has looked."""
        await self._tx.connection.execute(
            update(ticket_likeness)
            .where(ticket_likeness.c.no.in_([each.no for each in looked_at]))
            .values(is_grouped=True)
        )
        if heads:
            await self._tx.connection.execute(
                update(ticket_likeness)
                .where(ticket_likeness.c.ticket_id == bindparam("of_ticket"))
                .values(head_id=bindparam("head")),
                [{"of_ticket": ticket, "head": head} for ticket, head in heads.items()],
            )

    async def raised(self, issue_id: UUID, at: datetime) -> None:
        await self._tx.connection.execute(
            update(hot_issue).where(hot_issue.c.id == issue_id).values(raised_at=at)
        )

    async def rebuild(self, issue_id: UUID) -> None:
        """After a ticket left: from those that remain. The caller holds."""
        rows = await self._tx.connection.execute(
            select(ticket_likeness)
            .where(ticket_likeness.c.issue_id == issue_id)
            .order_by(ticket_likeness.c.at.desc())
            .limit(_MOST_OF_CENTRE)
        )
        entries = [_entry(row) for row in rows][::-1]
        if not entries:
            await self._tx.connection.execute(
                delete(hot_issue).where(
                    (hot_issue.c.id == issue_id) | (hot_issue.c.into_id == issue_id)
                )
            )
            return
        first = entries[0]
        issue = Issue(id=issue_id, centre=first.vector, size=1, first_at=first.at, last_at=first.at)
        for each in entries[1:]:
            issue = issue.with_entry(each)
        await self.keep([issue])


async def counted(
    connection: AsyncConnection, window: Window, issues: Sequence[UUID] | None = None
) -> dict[UUID, Counted]:
    if issues is None:
        rows = await connection.execute(_COUNT_ALL, window.values)
    else:
        rows = await connection.execute(_COUNT_SOME, {**window.values, "issues": list(issues)})
    return {
        row.issue_id: Counted(
            tickets=row.tickets, before=row.before, people=row.people, votes=int(row.votes)
        )
        for row in rows
    }


async def raised_since(connection: AsyncConnection, since: datetime, most: int) -> list[UUID]:
    """提请关注的热点, the last raised first; what became part of another is not among them."""
    rows = await connection.execute(
        select(hot_issue.c.id)
        .where(hot_issue.c.raised_at >= since, hot_issue.c.into_id.is_(None))
        .order_by(hot_issue.c.raised_at.desc())
        .limit(most)
    )
    return list(rows.scalars())


async def kept(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, Kept]:
    rows = await connection.execute(select(hot_issue).where(hot_issue.c.id.in_(ids)))
    return {row.id: _kept(row) for row in rows}


async def trends(
    connection: AsyncConnection, window: Window, issues: Sequence[UUID]
) -> dict[UUID, Counter[date]]:
    """Tickets of each day of the window."""
    values = {"issues": list(issues), "since": window.since, "until": window.until}
    found: dict[UUID, Counter[date]] = {each: Counter() for each in issues}
    for row in await connection.execute(_TREND, values):
        found[row.issue_id][row.day] = row.tickets
    return found


async def told(connection: AsyncConnection, window: Window, issue: UUID) -> Told:
    values = {"issue": issue, "since": window.since, "until": window.until}
    rows = (await connection.execute(_TELLING, values)).all()
    return Told(
        title=rows[0].title if rows else "",
        units=dict(Counter(row.unit_code for row in rows if row.unit_code).most_common()),
        matters=dict(Counter(row.matter_code for row in rows if row.matter_code).most_common()),
    )


async def tickets_of(
    connection: AsyncConnection,
    issue: UUID,
    viewer: Viewer,
    after: tuple[Any, ...] | None,
    limit: int,
) -> Sequence[Member]:
    at, ticket_id = (None, None) if after is None else after
    moment = None if at is None else datetime.fromisoformat(at)
    ticket = None if ticket_id is None else UUID(ticket_id)
    values = {
        "issue": issue,
        "viewer": viewer.subject,
        "at": moment,
        "id": ticket,
        "limit": limit,
    }
    return [_member(row) for row in await connection.execute(_TICKETS, values)]


async def many_people(
    connection: AsyncConnection, *, since: datetime, until: datetime, least: int
) -> Sequence[tuple[UUID, int, Sequence[UUID]]]:
    """Issues that so many different people brought, with their tickets."""
    rows = await connection.execute(_PEOPLE, {"since": since, "until": until, "least": least})
    return [(row.issue_id, row.people, row.tickets) for row in rows]


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        ticket_id=row.ticket_id, at=row.at, vector=vector_of_row(row), issue_id=row.issue_id
    )


def _member(row: Row[Any]) -> Member:
    return Member(
        id=row.id,
        ticket_no=row.ticket_no,
        title=row.title,
        status=Status(row.status),
        unit_code=row.unit_code,
        parent_id=row.parent_id,
        registered_at=row.registered_at,
    )


def _kept(row: Row[Any]) -> Kept:
    issue = Issue(
        id=row.id,
        centre=vector_of_row(row),
        size=row.size,
        first_at=row.first_at,
        last_at=row.last_at,
    )
    return Kept(issue=issue, into_id=row.into_id, raised_at=row.raised_at)


def _values(issue: Issue) -> dict[str, Any]:
    return {
        "words": list(issue.centre),
        "weights": list(issue.centre.values()),
        "size": issue.size,
        "first_at": issue.first_at,
        "last_at": issue.last_at,
    }
