"""The cards and their lines, which nothing may change, and the counting of signals."""

from collections.abc import Mapping, Sequence
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
    Row,
    Table,
    Text,
    Uuid,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_common.errors import NotFound
from tongban_common.working_days import Limit, Unit
from tongban_hotline_dispatch.domain.supervision_cards import Card, CardAct, CardLine
from tongban_hotline_dispatch.domain.supervision_rules import Colour, Pattern, Signal
from tongban_hotline_dispatch.store.reference import metadata

_MOMENT = DateTime(timezone=True)
supervision_card = Table(
    "supervision_card",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("supervision_id", ForeignKey("supervision.id"), nullable=False),
    Column("unit_code", Text, nullable=False),
    Column("colour", Text, nullable=False),
    Column("issued_at", _MOMENT, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("contest_limit", JSONB, nullable=False),
)
Index("ix_supervision_card_supervision_id", supervision_card.c.supervision_id)
Index(
    "ix_supervision_card_colour",
    supervision_card.c.colour,
    supervision_card.c.unit_code,
    supervision_card.c.issued_at,
)
Index(
    "ix_supervision_card_newest",
    supervision_card.c.issued_at.desc(),
    supervision_card.c.id.desc(),
)
supervision_card_line = Table(
    "supervision_card_line",
    metadata,
    Column("card_id", ForeignKey("supervision_card.id"), primary_key=True),
    Column("no", Integer, primary_key=True),
    Column("act", Text, nullable=False),
    Column("at", _MOMENT, nullable=False),
    Column("actor", Text, nullable=False),
    Column("unit_code", Text),
    Column("reason", Text),
    Column("words", Text),
)

_LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('hotline supervision patterns'))"
# What led to a supervision once does not lead to another one: counted is what came after it.
_CARDS = text(
    """
    SELECT c.unit_code, NULL::uuid AS ticket_id, count(DISTINCT c.id) AS n,
           array_agg(DISTINCT t) FILTER (WHERE t IS NOT NULL) AS ticket_ids
    FROM supervision_card c JOIN supervision s ON s.id = c.supervision_id
    LEFT JOIN LATERAL unnest(s.ticket_ids) AS t ON true
    WHERE c.colour = :signal AND c.issued_at >= :since AND c.issued_at <= :now
      AND (CAST(:unit AS text) IS NULL OR c.unit_code = :unit)
      AND NOT EXISTS (SELECT 1 FROM supervision_card_line l WHERE l.card_id = c.id
                      AND l.act IN ('revoked', 'waived'))
      AND c.issued_at > coalesce((
        SELECT max(o.issued_at) FROM supervision_unit u
        JOIN supervision o ON o.id = u.supervision_id
        WHERE u.unit_code = c.unit_code AND o.cause = :code), '-infinity')
    GROUP BY c.unit_code HAVING count(DISTINCT c.id) >= :at_least
    ORDER BY c.unit_code
    """
)
_OF_UNITS = text(
    """
    SELECT m.unit_code, NULL::uuid AS ticket_id, count(*) AS n,
           array_agg(DISTINCT m.ticket_id) AS ticket_ids
    FROM ticket_move m
    WHERE m.act = :signal AND m.at >= :since AND m.at <= :now AND m.unit_code IS NOT NULL
      AND coalesce(m.facts->>'is_by_silence', 'false') = 'false'
      AND m.at > coalesce((
        SELECT max(o.issued_at) FROM supervision_unit u
        JOIN supervision o ON o.id = u.supervision_id
        WHERE u.unit_code = m.unit_code AND o.cause = :code), '-infinity')
    GROUP BY m.unit_code HAVING count(*) >= :at_least
    ORDER BY m.unit_code
    """
)
_OF_TICKETS = text(
    """
    SELECT m.unit_code, m.ticket_id, count(*) AS n, array_agg(DISTINCT m.ticket_id) AS ticket_ids
    FROM ticket_move m
    WHERE m.act = :signal AND m.status IN ('rework', 'hard_case')
      AND m.at >= :since AND m.at <= :now AND m.unit_code IS NOT NULL
      AND m.at > coalesce((
        SELECT max(o.issued_at) FROM supervision_ticket l
        JOIN supervision o ON o.id = l.supervision_id
        WHERE l.ticket_id = m.ticket_id AND o.cause = :code), '-infinity')
    GROUP BY m.unit_code, m.ticket_id HAVING count(*) >= :at_least
    ORDER BY m.ticket_id
    """
)
# Of every month the run that counts: the last one.
_LOWEST = text(
    """
    SELECT u.unit_code, NULL::uuid AS ticket_id, count(*) AS n, NULL::uuid[] AS ticket_ids
    FROM assessment a
    JOIN assessment_run r ON r.assessment_id = a.id AND r.no = a.runs
    JOIN assessment_unit u ON u.run_id = r.id
    WHERE a.period_type = 'month' AND u.needs_rectification
      AND r.as_of >= :since AND r.as_of <= :now
      AND r.as_of > coalesce((
        SELECT max(o.issued_at) FROM supervision_unit s
        JOIN supervision o ON o.id = s.supervision_id
        WHERE s.unit_code = u.unit_code AND o.cause = :code), '-infinity')
    GROUP BY u.unit_code HAVING count(*) >= :at_least
    ORDER BY u.unit_code
    """
)
_MISSED_DUTIES = text(
    """
    SELECT d.unit_code, NULL::uuid AS ticket_id, count(*) AS n, NULL::uuid[] AS ticket_ids
    FROM knowledge_duty d
    WHERE d.missed_at >= :since AND d.missed_at <= :now
      AND d.missed_at > coalesce((
        SELECT max(o.issued_at) FROM supervision_unit s
        JOIN supervision o ON o.id = s.supervision_id
        WHERE s.unit_code = d.unit_code AND o.cause = :code), '-infinity')
    GROUP BY d.unit_code HAVING count(*) >= :at_least
    ORDER BY d.unit_code
    """
)
_OF_OTHERS = {Signal.LOWEST_TIER: _LOWEST, Signal.KNOWLEDGE_MISSED: _MISSED_DUTIES}
_STORED: dict[Signal, str] = {
    Signal.RED_CARD: "red",
    Signal.YELLOW_CARD: "yellow",
    Signal.UNSATISFIED: "callback_completed",
    Signal.AUTO_SIGNED: "auto_signed",
    Signal.RETURN_REJECTED: "return_rejected",
}
OF_CARD: dict[Colour, Signal] = {Colour.RED: Signal.RED_CARD, Colour.YELLOW: Signal.YELLOW_CARD}


class CardNotFound(NotFound):
    code = "card.not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A unit (or one ticket of it) that a pattern has caught."""

    unit_code: str
    ticket_ids: tuple[UUID, ...]
    count: int


class Cards:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def add(self, new: Card) -> None:
        limit = new.contest_limit
        await self._tx.connection.execute(
            insert(supervision_card).values(
                id=new.id,
                supervision_id=new.supervision_id,
                unit_code=new.unit_code,
                colour=new.colour,
                issued_at=new.issued_at,
                issuer=new.issuer,
                contest_limit={"amount": limit.amount, "unit": limit.unit, "clause": limit.clause},
            )
        )

    async def get(self, supervision_id: UUID, card_id: UUID) -> Card:
        """The lock of its supervision is held. Raises CardNotFound."""
        found = await cards_of(self._tx.connection, supervision_id)
        for each in found:
            if each.id == card_id:
                return each
        raise CardNotFound("没有这张牌")

    async def append(self, card: Card) -> None:
        """The last of its lines."""
        last = card.lines[-1]
        await self._tx.connection.execute(
            insert(supervision_card_line).values(
                card_id=card.id,
                no=len(card.lines),
                act=last.act,
                at=last.at,
                actor=last.actor,
                unit_code=last.unit_code,
                reason=last.reason,
                words=last.words,
            )
        )

    async def may_count(self) -> bool:
        """One at a time counts; another one need not wait, for the nightly round counts again."""
        return bool((await self._tx.connection.execute(text(_LOCK))).scalar_one())

    async def caught(
        self, pattern: Pattern, now: datetime, *, unit: str | None = None
    ) -> list[Counted]:
        given = {
            "signal": _STORED.get(pattern.signal),
            "since": pattern.since(now),
            "now": now,
            "code": pattern.code,
            "at_least": pattern.at_least,
        }
        if pattern.signal in OF_CARD.values():
            rows = await self._tx.connection.execute(_CARDS, {**given, "unit": unit})
        elif pattern.signal in _OF_OTHERS:
            rows = await self._tx.connection.execute(_OF_OTHERS[pattern.signal], given)
        elif pattern.signal.is_of_ticket:
            rows = await self._tx.connection.execute(_OF_TICKETS, given)
        else:
            rows = await self._tx.connection.execute(_OF_UNITS, given)
        return [
            Counted(unit_code=row.unit_code, ticket_ids=tuple(row.ticket_ids or ()), count=row.n)
            for row in rows
        ]


async def cards_of(connection: AsyncConnection, supervision_id: UUID) -> Sequence[Card]:
    rows = await connection.execute(
        select(supervision_card)
        .where(supervision_card.c.supervision_id == supervision_id)
        .order_by(supervision_card.c.issued_at, supervision_card.c.id)
    )
    return await _with_lines(connection, rows.all())


async def _with_lines(connection: AsyncConnection, cards: Sequence[Row[Any]]) -> Sequence[Card]:
    if not cards:
        return []
    added = await connection.execute(
        select(supervision_card_line)
        .where(supervision_card_line.c.card_id.in_([each.id for each in cards]))
        .order_by(supervision_card_line.c.no)
    )
    lines = added.all()
    return [_card(row, [each for each in lines if each.card_id == row.id]) for row in cards]


async def newest_cards(connection: AsyncConnection, most: int) -> Sequence[Card]:
    """Whatever became of them."""
    rows = await connection.execute(
        select(supervision_card)
        .order_by(supervision_card.c.issued_at.desc(), supervision_card.c.id.desc())
        .limit(most)
    )
    return await _with_lines(connection, rows.all())


async def cards_since(connection: AsyncConnection, since: datetime) -> Mapping[Colour, int]:
    """How many were given; those that were revoked or waived do not count."""
    line = supervision_card_line.c
    undone = select(line.card_id).where(
        line.card_id == supervision_card.c.id,
        line.act.in_([CardAct.REVOKE, CardAct.WAIVE]),
    )
    rows = await connection.execute(
        select(supervision_card.c.colour, func.count())
        .where(
            supervision_card.c.colour.in_(list(Colour)),
            supervision_card.c.issued_at >= since,
            ~undone.exists(),
        )
        .group_by(supervision_card.c.colour)
    )
    found = {Colour(colour): int(n) for colour, n in rows}
    return {each: found.get(each, 0) for each in Colour}


def _card(row: Row[Any], lines: Sequence[Row[Any]]) -> Card:
    limit = row.contest_limit
    return Card(
        id=row.id,
        supervision_id=row.supervision_id,
        unit_code=row.unit_code,
        colour=Colour(row.colour),
        issued_at=row.issued_at,
        issuer=row.issuer,
        contest_limit=Limit(
            amount=limit["amount"], unit=Unit(limit["unit"]), clause=limit["clause"]
        ),
        lines=tuple(
            CardLine(
                act=CardAct(each.act),
                at=each.at,
                actor=each.actor,
                unit_code=each.unit_code,
                reason=each.reason,
                words=each.words,
            )
            for each in lines
        ),
    )
