"""The tables of supervision: records, their notices and history, and the cards."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Row,
    Table,
    Text,
    Uuid,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from tongban_common.db import Transaction
from tongban_common.errors import NotFound
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.supervision import (
    Answer,
    Decision,
    Order,
    Supervision,
    SupervisionState,
)
from tongban_hotline_dispatch.domain.supervision_ladder import Key, Seen
from tongban_hotline_dispatch.domain.supervision_rules import Form, Kind, Level
from tongban_hotline_dispatch.store.guard import kept_from
from tongban_hotline_dispatch.store.reference import metadata, unit
from tongban_hotline_dispatch.store.terms import term_document, term_of
from tongban_hotline_dispatch.store.tickets import ticket, ticket_move

_JSON = JSONB(none_as_null=True)
_MOMENT = DateTime(timezone=True)
supervision = Table(
    "supervision",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("level", Text),
    Column("form", Text),
    Column("state", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("legal_basis", Text, nullable=False),
    Column("words", Text),
    Column("issuer", Text, nullable=False),  # the subject of a token, or the timer
    Column("ticket_ids", ARRAY(Uuid), nullable=False),
    Column("units", ARRAY(Text), nullable=False),
    Column("issued_at", _MOMENT, nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("reply_due_at", _MOMENT),  # of reply_term, for lists
    Column("reply_term", _JSON),
    Column("round", Integer, nullable=False),
    Column("answers", _JSON, nullable=False),
    Column("was_missed", Boolean, nullable=False),
    Column("decisions", _JSON, nullable=False),
    Column("closed_at", _MOMENT),
    Column("closing_note", Text),
    Column("is_published", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
)
Index("ix_supervision_newest", supervision.c.issued_at.desc(), supervision.c.id.desc())
Index(
    "ix_supervision_level",
    supervision.c.level,
    supervision.c.issued_at.desc(),
    supervision.c.id.desc(),
)
supervision_unit = Table(
    "supervision_unit",
    metadata,
    Column("supervision_id", ForeignKey("supervision.id"), primary_key=True),
    Column("unit_code", Text, primary_key=True),
    Column("issued_at", _MOMENT, nullable=False),  # of the record, for lists of one unit
)
Index(
    "ix_supervision_unit_newest",
    supervision_unit.c.unit_code,
    supervision_unit.c.issued_at.desc(),
    supervision_unit.c.supervision_id.desc(),
)
supervision_ticket = Table(
    "supervision_ticket",
    metadata,
    Column("supervision_id", ForeignKey("supervision.id"), primary_key=True),
    Column("ticket_id", ForeignKey("ticket.id"), primary_key=True),
    Column("rung", Text, primary_key=True),  # empty where no rung of the ladder led to it
    Column("no", Integer),
    Column("since", _MOMENT),
)
Index("ix_supervision_ticket_ticket_id", supervision_ticket.c.ticket_id)
# Each rung is climbed once in each span, whatever else fails.
Index(
    "uq_supervision_ticket_rung",
    supervision_ticket.c.ticket_id,
    supervision_ticket.c.no,
    supervision_ticket.c.since,
    supervision_ticket.c.rung,
    unique=True,
    postgresql_where=text("since IS NOT NULL"),
)
supervision_notice = Table(
    "supervision_notice",
    metadata,
    Column("supervision_id", ForeignKey("supervision.id"), primary_key=True),
    Column("version", Integer, primary_key=True),  # the move that it came with
    Column("template", Text, nullable=False),
    Column("template_version", Integer, nullable=False),
    Column("audience", ARRAY(Text), nullable=False),
    Column("at", _MOMENT, nullable=False),
    Column("body", Text, nullable=False),
)
supervision_move = Table(
    "supervision_move",
    metadata,
    Column("supervision_id", ForeignKey("supervision.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("deed", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("at", _MOMENT, nullable=False),
    Column("actor", Text, nullable=False),
    Column("facts", JSONB, nullable=False),
)
_SIGNALS = text("act IN ('auto_signed', 'return_rejected', 'callback_completed')")
Index("ix_ticket_move_signal", ticket_move.c.act, ticket_move.c.at, postgresql_where=_SIGNALS)


class SupervisionNotFound(NotFound):
    code = "supervision.not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What was sent to whom, in the words of the day."""

    supervision_id: UUID
    version: int
    template: str
    template_version: int
    audience: Sequence[str]
    at: datetime
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Climbed:
    """A rung of a ticket's ladder, as the record of it is linked."""

    ticket_id: UUID
    key: Key


class Supervisions:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def get(self, supervision_id: UUID) -> Supervision:
        """Locks it. Raises SupervisionNotFound."""
        query = select(supervision).where(supervision.c.id == supervision_id).with_for_update()
        row = (await self._tx.connection.execute(query)).one_or_none()
        if row is None:
            raise SupervisionNotFound("没有这个督办件")
        return supervision_of(row)

    async def add(self, new: Supervision, *, actor: str) -> None:
        execute = self._tx.connection.execute
        await execute(insert(supervision).values(id=new.id, **_fixed(new), **_changes(new)))
        units = [
            {"supervision_id": new.id, "unit_code": code, "issued_at": new.issued_at}
            for code in new.units
        ]
        await execute(insert(supervision_unit), units)
        await self._note(new, actor=actor, at=new.issued_at)

    async def save(self, after: Supervision, *, actor: str, at: datetime) -> None:
        await self.save_redated(after)
        await self._note(after, actor=actor, at=at)

    async def save_redated(self, after: Supervision) -> None:
        await self._tx.connection.execute(
            update(supervision).where(supervision.c.id == after.id).values(**_changes(after))
        )

    async def link(self, supervision_id: UUID, ticket_ids: Iterable[UUID]) -> None:
        links = [
            {"supervision_id": supervision_id, "ticket_id": each, "rung": ""} for each in ticket_ids
        ]
        if links:
            await self._tx.connection.execute(insert(supervision_ticket), links)

    async def link_rung(self, supervision_id: UUID, climbed: Climbed) -> None:
        no, since, rung = climbed.key
        await self._tx.connection.execute(
            insert(supervision_ticket).values(
                supervision_id=supervision_id,
                ticket_id=climbed.ticket_id,
                rung=rung,
                no=no,
                since=since,
            )
        )

    async def add_notice(self, notice: Notice) -> None:
        await self._tx.connection.execute(
            insert(supervision_notice).values(
                supervision_id=notice.supervision_id,
                version=notice.version,
                template=notice.template,
                template_version=notice.template_version,
                audience=list(notice.audience),
                at=notice.at,
                body=notice.body,
            )
        )

    async def climbed(self, ticket_id: UUID) -> Mapping[Key, Seen]:
        """The rungs that this ticket has behind it. Its lock is held."""
        link = supervision_ticket.c
        rows = await self._tx.connection.execute(
            select(link.no, link.since, link.rung, supervision)
            .select_from(supervision_ticket.join(supervision))
            .where(link.ticket_id == ticket_id, link.since.is_not(None))
        )
        return {(row.no, row.since, row.rung): _seen(row) for row in rows}

    async def open_for(self, ticket_id: UUID, level: Level) -> bool:
        """Whether the ticket is under a supervision of that level or a higher one."""
        order = list(Level)
        higher = order[order.index(level) : order.index(Level.S5)]
        rows = await self._tx.connection.execute(
            select(supervision.c.id)
            .select_from(supervision_ticket.join(supervision))
            .where(
                supervision_ticket.c.ticket_id == ticket_id,
                supervision.c.level.in_(higher),
                supervision.c.closed_at.is_(None),
            )
            .limit(1)
        )
        return rows.one_or_none() is not None

    async def names(self, units: Iterable[str]) -> Sequence[str]:
        codes = list(units)
        rows = await self._tx.connection.execute(
            select(unit.c.code, unit.c.name).where(unit.c.code.in_(codes))
        )
        found = {row.code: row.name for row in rows}
        return [found.get(code, code) for code in codes]

    async def is_kept_from(self, subject: str, ticket_ids: Iterable[UUID]) -> bool:
        """Whether the person recused from any of the tickets."""
        wanted = select(ticket.c.id).where(
            ticket.c.id.in_(list(ticket_ids)), kept_from(Viewer(subject=subject))
        )
        return (await self._tx.connection.execute(wanted.limit(1))).first() is not None

    async def numbers(self, ticket_ids: Iterable[UUID]) -> Sequence[str]:
        rows = await self._tx.connection.execute(
            select(ticket.c.ticket_no)
            .where(ticket.c.id.in_(list(ticket_ids)))
            .order_by(ticket.c.ticket_no)
        )
        return [row.ticket_no for row in rows]

    async def _note(self, after: Supervision, *, actor: str, at: datetime) -> None:
        if after.deed is None:
            raise AssertionError("what is saved was moved")
        await self._tx.connection.execute(
            insert(supervision_move).values(
                supervision_id=after.id,
                version=after.version,
                deed=after.deed,
                state=after.state,
                at=at,
                actor=actor,
                facts=dict(after.facts),
            )
        )


def supervision_of(row: Row[Any]) -> Supervision:
    return Supervision(
        id=row.id,
        kind=Kind(row.kind),
        order=Order(
            issuer=row.issuer,
            cause=row.cause,
            legal_basis=row.legal_basis,
            units=tuple(row.units),
            ticket_ids=tuple(row.ticket_ids),
            level=None if row.level is None else Level(row.level),
            form=None if row.form is None else Form(row.form),
            words=row.words,
        ),
        issued_at=row.issued_at,
        policy_version=row.policy_version,
        state=SupervisionState(row.state),
        reply_term=term_of(row.reply_term),
        round=row.round,
        answers=tuple(
            Answer(**{**each, "at": datetime.fromisoformat(each["at"])}) for each in row.answers
        ),
        was_missed=row.was_missed,
        decisions=tuple(
            Decision(**{**each, "at": datetime.fromisoformat(each["at"])}) for each in row.decisions
        ),
        closed_at=row.closed_at,
        closing_note=row.closing_note,
        is_published=row.is_published,
        version=row.version,
    )


def _seen(row: Row[Any]) -> Seen:
    found = supervision_of(row)
    if found.level is None:
        raise AssertionError("a rung has a level")
    return Seen(
        supervision_id=found.id,
        level=found.level,
        state=found.state,
        was_accepted=found.was_accepted,
    )


def _fixed(new: Supervision) -> dict[str, Any]:
    order = new.order
    return {
        "kind": new.kind,
        "level": order.level,
        "form": order.form,
        "cause": order.cause,
        "legal_basis": order.legal_basis,
        "words": order.words,
        "issuer": order.issuer,
        "ticket_ids": list(order.ticket_ids),
        "units": list(order.units),
        "issued_at": new.issued_at,
        "policy_version": new.policy_version,
    }


def _changes(after: Supervision) -> dict[str, Any]:
    term = after.reply_term
    return {
        "state": after.state,
        "reply_due_at": term and term.due_at,
        "reply_term": term_document(term),
        "round": after.round,
        "answers": [
            {
                "unit_code": each.unit_code,
                "round": each.round,
                "text": each.text,
                "at": each.at.isoformat(),
                "is_late": each.is_late,
            }
            for each in after.answers
        ],
        "was_missed": after.was_missed,
        "decisions": [
            {
                "by": each.by,
                "at": each.at.isoformat(),
                "is_granted": each.is_granted,
                "note": each.note,
            }
            for each in after.decisions
        ],
        "closed_at": after.closed_at,
        "closing_note": after.closing_note,
        "is_published": after.is_published,
        "version": after.version,
    }
