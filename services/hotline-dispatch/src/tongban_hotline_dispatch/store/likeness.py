"""What of a ticket is compared with others, and by which words it is found again.

Person and place stand as keyed indexes, never in clear. A word's entries are read from the newest
backwards and only so far, so that looking up costs the same however many tickets there are. What
is quarantined is not here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    Uuid,
    delete,
    insert,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as insert_or_not
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_common.privacy import Sealer
from tongban_common.timers import Deadline
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.likeness import Vector
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.repeats import (
    Earlier,
    LikenessRules,
    Matter,
    normal_phone,
    normal_place,
)
from tongban_hotline_dispatch.store.reference import metadata

Connection = AsyncConnection  # for reads that an operation is made of
_MOMENT = DateTime(timezone=True)
_WORDS = ARRAY(Text(collation="C"))
ticket_likeness = Table(
    "likeness",
    metadata,
    Column("ticket_id", ForeignKey("ticket.id"), primary_key=True),
    Column("no", BigInteger, Identity(always=True), nullable=False, unique=True),
    Column("at", _MOMENT, nullable=False),
    Column("matter_code", Text),
    Column("person", LargeBinary),
    Column("place", LargeBinary),
    Column("words", _WORDS, nullable=False),  # the heaviest first
    Column("weights", ARRAY(Double), nullable=False),
    Column("issue_id", Uuid),
    Column("head_id", Uuid),  # the ticket that it is so like that joining them is suggested
    Column("is_grouped", Boolean, nullable=False),
)
Index(
    "ix_likeness_person",
    ticket_likeness.c.person,
    ticket_likeness.c.no,
    postgresql_where=text("person IS NOT NULL"),
)
Index(
    "ix_likeness_place",
    ticket_likeness.c.place,
    ticket_likeness.c.no,
    postgresql_where=text("place IS NOT NULL"),
)
Index("ix_likeness_waiting", ticket_likeness.c.no, postgresql_where=text("NOT is_grouped"))
Index(
    "ix_likeness_issue",
    ticket_likeness.c.issue_id,
    ticket_likeness.c.at,
    postgresql_where=text("issue_id IS NOT NULL"),
)
Index("ix_likeness_hot", ticket_likeness.c.at, postgresql_where=text("issue_id IS NOT NULL"))
Index("ix_likeness_head", ticket_likeness.c.head_id, postgresql_where=text("head_id IS NOT NULL"))
likeness_word = Table(
    "likeness_word",
    metadata,
    Column("word", Text(collation="C"), primary_key=True),
    Column("no", BigInteger, primary_key=True, autoincrement=False),
)
Index("ix_likeness_word_no", likeness_word.c.no)
ticket_repeat = Table(
    "ticket_repeat",
    metadata,
    Column("ticket_id", ForeignKey("ticket.id"), primary_key=True),
    Column("no", Integer, primary_key=True, autoincrement=False),
    Column("at", _MOMENT, nullable=False),
    Column("actor", Text, nullable=False),
    Column("has_new_facts", Boolean, nullable=False),
)
ticket_link = Table(
    "ticket_link",
    metadata,
    Column("ticket_id", ForeignKey("ticket.id"), primary_key=True),
    Column("earlier_id", ForeignKey("ticket.id"), nullable=False),  # reopened_from
)
Index("ix_ticket_link_earlier", ticket_link.c.earlier_id)
ticket_vote = Table(
    "ticket_vote",
    metadata,
    Column("ticket_id", ForeignKey("ticket.id"), primary_key=True),
    Column("supports", Integer, nullable=False),
    Column("opposes", Integer, nullable=False),
    Column("at", _MOMENT, nullable=False),
)

_ADD = text(
    """
    WITH new AS (
      INSERT INTO likeness
        (ticket_id, at, matter_code, person, place, words, weights, is_grouped)
      VALUES (:ticket_id, :at, :matter_code, :person, :place, CAST(:words AS text[]),
        CAST(:weights AS float8[]), false)
      ON CONFLICT (ticket_id) DO NOTHING RETURNING no
    ), found_by AS (
      INSERT INTO likeness_word (word, no)
      SELECT word, no FROM new, unnest(CAST(:telling AS text[])) AS t (word)
    )
    INSERT INTO timer
      (kind, subject, start_at, amount, unit, clause, calendar_version, due_at, state)
    SELECT :kind, :subject, CAST(:start_at AS timestamptz), CAST(:amount AS integer), :unit,
      :clause, '', CAST(:due_at AS timestamptz), 'armed'
    WHERE NOT EXISTS (
      SELECT FROM timer WHERE subject = :subject AND kind = :kind AND state = 'armed')
    ON CONFLICT (subject, kind) WHERE state = 'armed' DO NOTHING
    """
)
# Of every telling word the newest entries, of those the ones that share the weightiest words.
_NEAR = """
    SELECT x.no FROM unnest(CAST(:telling AS text[]), CAST(:told AS float8[])) AS q (word, weight)
    CROSS JOIN LATERAL (
      SELECT w.no FROM likeness_word w WHERE w.word = q.word AND w.no < :before
      ORDER BY w.no DESC LIMIT :newest
    ) x
    GROUP BY x.no ORDER BY sum(q.weight) DESC, x.no DESC LIMIT :compared
"""
NEAR = text(
    f"""
    SELECT l.ticket_id, l.at, l.words, l.weights, l.issue_id, l.head_id
    FROM ({_NEAR}) c JOIN likeness l USING (no) WHERE l.at >= :since ORDER BY l.no
    """  # noqa: S608 - put together from constants
)
_EARLIER = text(
    f"""
    WITH near AS ({_NEAR}), found AS (
      SELECT no FROM near
      UNION (SELECT no FROM likeness WHERE person = :person ORDER BY no DESC LIMIT :compared)
      UNION (SELECT no FROM likeness WHERE place = :place ORDER BY no DESC LIMIT :compared)
    )
    SELECT t.id, t.ticket_no, coalesce(t.public_title, t.title) AS title, t.status,
      t.unit_code, t.registered_at, t.closed_at, t.version,
      l.matter_code, l.person, l.place, l.words, l.weights
    FROM found JOIN likeness l USING (no) JOIN ticket t ON t.id = l.ticket_id
    WHERE l.at >= :since AND (t.recused IS NULL OR :viewer <> ALL(t.recused))
    ORDER BY l.no DESC
    """  # noqa: S608 - put together from constants
)
_OF_PERSON = text(
    """
    SELECT t.id, t.ticket_no, coalesce(t.public_title, t.title) AS title, t.status,
      t.unit_code, t.registered_at, t.closed_at, t.version,
      l.matter_code, l.person, l.place, l.words, l.weights
    FROM likeness l JOIN ticket t ON t.id = l.ticket_id
    WHERE l.person = :person AND l.ticket_id <> :ticket_id
      AND (t.recused IS NULL OR :viewer <> ALL(t.recused))
    ORDER BY l.no DESC LIMIT :most
    """
)
_COUNT_REPEAT = text(
    """
    INSERT INTO ticket_repeat (ticket_id, no, at, actor, has_new_facts)
    SELECT :ticket_id, count(*) + 1, :at, :actor, :has_new_facts
    FROM ticket_repeat WHERE ticket_id = :ticket_id
    RETURNING no
    """
)
_HOLD = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 24))")
_LAST = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    supports: int
    opposes: int


def phone_key(sealer: Sealer, phone: str | None) -> bytes | None:
    """The keyed index of a person: the same for one number however written, and irreversible."""
    digits = normal_phone(phone or "")
    return sealer.index(digits, context="phone") if digits else None


def place_key(sealer: Sealer, address: str | None) -> bytes | None:
    """The keyed index of a place."""
    place = normal_place(address or "")
    return sealer.index(place, context="place") if place else None


class Likenesses:
    def __init__(self, tx: Transaction, rules: LikenessRules) -> None:
        self._tx = tx
        self._rules = rules

    async def add(self, ticket_id: UUID, matter: Matter, at: datetime, round_: Deadline) -> None:
        """Once, however often; and the round that will group it is armed, unless one is."""
        await self._tx.connection.execute(
            _ADD,
            {
                "ticket_id": ticket_id,
                "at": at,
                "matter_code": matter.matter_code,
                "person": matter.person,
                "place": matter.place,
                "words": list(matter.vector),
                "weights": list(matter.vector.values()),
                "telling": [
                    *list(matter.vector)[: self._rules.wording.telling],
                    *matter.pairs,
                ],
                "kind": round_.kind,
                "subject": round_.subject,
                "start_at": round_.start_at,
                "amount": round_.limit.amount,
                "unit": round_.limit.unit,
                "clause": round_.limit.clause,
                "due_at": round_.due_at,
            },
        )

    async def forget(self, ticket_id: UUID) -> UUID | None:
        """Nothing of it is left to be found by; the issue that it was part of, if any."""
        gone = await self._tx.connection.execute(
            delete(ticket_likeness)
            .where(ticket_likeness.c.ticket_id == ticket_id)
            .returning(ticket_likeness.c.no, ticket_likeness.c.issue_id)
        )
        row = gone.one_or_none()
        if row is None:
            return None
        await self._tx.connection.execute(delete(likeness_word).where(likeness_word.c.no == row.no))
        issue_id: UUID | None = row.issue_id
        return issue_id

    async def hold_person(self, person: bytes) -> None:
        """Two filings of one person come one after the other."""
        await self._tx.connection.execute(_HOLD, {"key": person.hex()})

    async def count_repeat(
        self, ticket_id: UUID, *, at: datetime, actor: str, has_new_facts: bool
    ) -> int:
        """How often it was brought again. The ticket is held by the caller."""
        counted = await self._tx.connection.execute(
            _COUNT_REPEAT,
            {"ticket_id": ticket_id, "at": at, "actor": actor, "has_new_facts": has_new_facts},
        )
        number: int = counted.scalar_one()
        return number

    async def link(self, ticket_id: UUID, earlier_id: UUID) -> None:
        await self._tx.connection.execute(
            insert(ticket_link).values(ticket_id=ticket_id, earlier_id=earlier_id)
        )

    async def set_votes(self, ticket_id: UUID, votes: Votes, at: datetime) -> None:
        """As the platform counts them now; told twice, they are the same."""
        values = {"supports": votes.supports, "opposes": votes.opposes, "at": at}
        await self._tx.connection.execute(
            insert_or_not(ticket_vote)
            .values(ticket_id=ticket_id, **values)
            .on_conflict_do_update(index_elements=["ticket_id"], set_=values)
        )


def near_values(
    vector: Vector, rules: LikenessRules, since: datetime, before: int = _LAST
) -> Mapping[str, Any]:
    telling = list(vector.items())[: rules.wording.telling]
    return {
        "telling": [word for word, _ in telling],
        "told": [weight for _, weight in telling],
        "before": before,
        "since": since,
        "newest": rules.newest,
        "compared": rules.compared,
    }


async def earlier(
    connection: AsyncConnection,
    matter: Matter,
    rules: LikenessRules,
    at: datetime,
    viewer: Viewer,
) -> list[Earlier]:
    """Every ticket of the window that has the person, the place or the telling words; none that is
    kept from who looks."""
    values = near_values(matter.vector, rules, at - rules.window)
    rows = await connection.execute(
        _EARLIER,
        {
            **values,
            "person": matter.person,
            "place": matter.place,
            "viewer": viewer.subject,
        },
    )
    return [_earlier(row) for row in rows]


async def of_person(
    connection: AsyncConnection, person: bytes, ticket_id: UUID, most: int, viewer: str = ""
) -> list[Earlier]:
    """The newest other tickets of one person, without those that are kept from who looks."""
    values = {"person": person, "ticket_id": ticket_id, "most": most, "viewer": viewer}
    return [_earlier(row) for row in await connection.execute(_OF_PERSON, values)]


async def earlier_of(connection: AsyncConnection, ticket_id: UUID) -> UUID | None:
    """The closed ticket that this one takes up again."""
    rows = await connection.execute(
        select(ticket_link.c.earlier_id).where(ticket_link.c.ticket_id == ticket_id)
    )
    return rows.scalar_one_or_none()


def vector_of_row(row: Row[Any]) -> dict[str, float]:
    return dict(zip(row.words, row.weights, strict=True))


def _earlier(row: Row[Any]) -> Earlier:
    return Earlier(
        ticket_id=row.id,
        ticket_no=row.ticket_no,
        title=row.title,
        status=Status(row.status),
        unit_code=row.unit_code,
        registered_at=row.registered_at,
        closed_at=row.closed_at,
        version=row.version,
        matter=Matter(
            vector=vector_of_row(row),
            matter_code=row.matter_code,
            person=row.person,
            place=row.place,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Open tickets that are nearly the same; `key` is where a list of groups goes on."""

    key: tuple[str, str]
    tickets: Sequence[Row[Any]]


# Joinable as domain/joining.py has it: not answered yet, and not joined to another.
_GROUPS = text(
    """
    WITH grouped AS (
      SELECT coalesce(l.head_id, l.ticket_id) AS head, t.*
      FROM ticket t JOIN likeness l ON l.ticket_id = t.id
      WHERE coalesce(l.head_id, l.ticket_id) IN
          (SELECT head_id FROM likeness WHERE head_id IS NOT NULL)
        AND t.status = ANY(CAST(:statuses AS text[]))
        AND (t.recused IS NULL OR :viewer <> ALL(t.recused))
    ), groups AS (
      SELECT head, max(registered_at) AS newest FROM grouped
      GROUP BY head HAVING count(*) > 1
    )
    SELECT g.head, g.newest, m.id AS ticket_id, m.ticket_no,
      coalesce(m.public_title, m.title) AS title, m.status, m.unit_code,
      m.registered_at, m.version, m.children
    FROM (
      SELECT head, newest FROM groups
      WHERE CAST(:newest AS timestamptz) IS NULL
        OR (newest, head) < (CAST(:newest AS timestamptz), CAST(:head AS uuid))
      ORDER BY newest DESC, head DESC LIMIT :limit
    ) g JOIN grouped m USING (head)
    ORDER BY g.newest DESC, g.head DESC, m.registered_at, m.id
    """
)


async def groups(
    connection: AsyncConnection,
    *,
    statuses: Sequence[Status],
    viewer: Viewer,
    after: tuple[Any, ...] | None,
    limit: int,
) -> list[Group]:
    """The group with the newest ticket first; within one, the oldest ticket first."""
    newest, head = (None, None) if after is None else after
    rows = await connection.execute(
        _GROUPS,
        {
            "statuses": list(statuses),
            "viewer": viewer.subject,
            "newest": None if newest is None else datetime.fromisoformat(newest),
            "head": None if head is None else UUID(head),
            "limit": limit,
        },
    )
    found: dict[UUID, list[Row[Any]]] = {}
    for row in rows:
        found.setdefault(row.head, []).append(row)
    return [
        Group(key=(members[0].newest.isoformat(), str(head)), tickets=members)
        for head, members in found.items()
    ]
