"""The tables of a ticket: its row, its units' assignments, and its moves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
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
    bindparam,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy import Sequence as Serial
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import insert as insert_or_not
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_common.errors import Conflict, NotFound
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.assignment import Assignment
from tongban_hotline_dispatch.domain.moves import ENDED, Status
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.store.assignments import assignment, assignment_of, documents
from tongban_hotline_dispatch.store.callback_documents import callback_document, callback_of
from tongban_hotline_dispatch.store.reference import metadata
from tongban_hotline_dispatch.store.terms import (
    phase_document,
    phase_of,
    suspension_document,
    suspension_of,
    term_document,
    term_of,
)

_JSON = JSONB(none_as_null=True)
_MOMENT = DateTime(timezone=True)
ticket = Table(
    "ticket",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("ticket_no", Text, nullable=False, unique=True),
    Column("query_code", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("channel_order_no", Text),
    Column("appeal_type", Text, nullable=False),
    Column("urgency", Text, nullable=False),
    Column("matter_code", Text),
    Column("title", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("public_title", Text),  # what units and the public see, where it is other words
    Column("public_content", Text),
    Column("upstream_due_at", _MOMENT),
    Column("statutory_due_at", _MOMENT),
    Column("wants_reply", Boolean, nullable=False),
    Column("wants_callback", Boolean, nullable=False),
    Column("has_contact", Boolean, nullable=False),
    Column("hides_identity", Boolean, nullable=False, server_default=text("false")),
    Column("target_unit_code", Text),  # 被诉单位
    Column("recused", ARRAY(Text)),  # 回避: subjects; none where nobody has to
    Column("registered_at", _MOMENT, nullable=False),
    Column("status", Text, nullable=False),
    # What lists show of the lead's assignment and of the clocks; `citizen` is the whole term.
    Column("unit_code", Text),
    Column("assigned_at", _MOMENT),
    Column("citizen_due_at", _MOMENT),
    Column("reply_due_at", _MOMENT),
    Column("reply_warn_at", _MOMENT),
    Column("replied_at", _MOMENT),
    Column("reply", Text),
    Column("citizen", _JSON),
    Column("stage", _JSON),
    Column("stage_due_at", _MOMENT),  # of the stage, for lists
    Column("process_version", Integer),
    Column("first_replied_at", _MOMENT),
    Column("returns", Integer, nullable=False),
    Column("rework_rounds", Integer, nullable=False),
    Column("callback", _JSON),
    Column("suspension", _JSON),
    Column("phase", _JSON),
    Column("is_supervised", Boolean, nullable=False),
    Column("disposition", Text),
    Column("parent_id", ForeignKey("ticket.id")),
    Column("children", Integer, nullable=False),
    Column("closed_at", _MOMENT),
    Column("version", Integer, nullable=False),
)
serial = Serial("ticket_serial", metadata=metadata)
Index(
    "uq_ticket_channel_order",
    ticket.c.channel,
    ticket.c.channel_order_no,
    unique=True,
    postgresql_where=text("channel_order_no IS NOT NULL"),
)
Index("ix_ticket_newest", ticket.c.registered_at.desc(), ticket.c.id.desc())
Index("ix_ticket_unit", ticket.c.unit_code, ticket.c.registered_at.desc(), ticket.c.id.desc())
Index("ix_ticket_parent", ticket.c.parent_id, postgresql_where=text("parent_id IS NOT NULL"))
# The indexes of the desks are with their queries, in store/desks.py.
ticket_move = Table(
    "ticket_move",
    metadata,
    Column("ticket_id", ForeignKey("ticket.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("act", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),  # the subject of a token, never a name
    Column("unit_code", Text),
    Column("facts", JSONB, nullable=False),  # what the act's event says
)

# Built once: a statement that is put together anew for each call costs more than its execution.
_FIXED = {
    "id",
    "ticket_no",
    "query_code",
    "channel",
    "channel_order_no",
    "appeal_type",
    "urgency",
    "matter_code",
    "title",
    "content",
    "public_title",
    "public_content",
    "upstream_due_at",
    "statutory_due_at",
    "wants_reply",
    "wants_callback",
    "has_contact",
    "hides_identity",
    "target_unit_code",
    "recused",
    "registered_at",
    "children",
}


def _bound(*columns: Column[Any]) -> dict[str, BindParameter[Any]]:
    return {
        each.name: bindparam(f"{each.table.name}_{each.name}", None, each.type) for each in columns
    }


_LOCK = select(ticket).where(ticket.c.id == bindparam("ticket_id")).with_for_update()
_SHARES = (
    select(assignment)
    .where(assignment.c.ticket_id == bindparam("ticket_id"))
    .order_by(assignment.c.no)
)
_ADDED = (
    insert_or_not(ticket)
    .values(_bound(*ticket.c))
    .on_conflict_do_nothing(
        index_elements=["channel", "channel_order_no"],
        index_where=text("channel_order_no IS NOT NULL"),
    )
    .returning(ticket.c.id)
    .cte("added")
)
_ADD = (
    insert(ticket_move)
    .from_select(
        [each.name for each in ticket_move.c],
        select(*_bound(*ticket_move.c).values()).select_from(_ADDED),
    )
    .returning(ticket_move.c.version)
)
_CHANGE = (
    update(ticket)
    .where(ticket.c.id == bindparam("ticket_id"))
    .values(_bound(*(each for each in ticket.c if each.name not in _FIXED)))
)
# Kept with a share and by others: store/sign_offs.py, store/first_contacts.py.
_BESIDE = {"draft", "contact_way", "contact_number"}
_OF_SHARE = [each for each in assignment.c if each.name not in _BESIDE]
_KEEP = insert_or_not(assignment).from_select(
    [each.name for each in _OF_SHARE],
    # By name: this process goes on when a migration adds a column.
    text(
        f"SELECT {', '.join(each.name for each in _OF_SHARE)} "  # noqa: S608 - of definitions
        "FROM jsonb_populate_recordset(NULL::assignment, :shares)"
    )
    .bindparams(bindparam("shares", type_=JSONB))
    .columns(*_OF_SHARE),
)
_KEEP = _KEEP.on_conflict_do_update(
    index_elements=["ticket_id", "no"],
    set_={each.name: _KEEP.excluded[each.name] for each in _OF_SHARE if not each.primary_key},
)
_MOVE = insert(ticket_move).values(_bound(*ticket_move.c)).add_cte(_CHANGE.cte("changed"))
_MOVE_AND_KEEP = _MOVE.add_cte(_KEEP.cte("kept"))
_CHANGE_AND_KEEP = _CHANGE.add_cte(_KEEP.cte("kept"))
_NUMBER = select(serial.next_value())
_WAITING = select(ticket.c.id).where(
    ticket.c.parent_id == bindparam("ticket_id"), ticket.c.status == Status.MERGED
)
_JOIN = (
    update(ticket)
    .where(ticket.c.id == bindparam("ticket_id"))
    .values(children=ticket.c.children + bindparam("by"))
)
_QUARANTINE = (
    update(ticket)
    .where(ticket.c.id == bindparam("ticket_id"))
    .values(
        title=bindparam("new_title"),
        content=bindparam("new_content"),
        public_title=None,
        public_content=None,
    )
)
SHOWN_TITLE = func.coalesce(ticket.c.public_title, ticket.c.title).label("title")


class TicketNotFound(NotFound):
    code = "ticket.not_found"


class AlreadyTakenIn(Conflict):
    code = "ticket.already_taken_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One line of a ticket's history: who acted, when."""

    actor: str
    at: datetime


class Tickets:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def get(self, ticket_id: UUID) -> Ticket:
        """Locks the ticket: moves on one ticket come one after the other. Raises TicketNotFound."""
        rows = await self._tx.connection.execute(_LOCK, {"ticket_id": ticket_id})
        row = rows.one_or_none()
        if row is None:
            raise TicketNotFound("没有这个工单")
        return ticket_of(row, await shares_of(self._tx.connection, row))

    async def new_number(self, now: datetime) -> str:
        """yyMMddHHmmss and six digits; unique, however many are drawn within one second."""
        drawn = (await self._tx.connection.execute(_NUMBER)).scalar_one()
        return f"{now.astimezone(SHANGHAI):%y%m%d%H%M%S}{drawn % 10**6:06}"

    async def add(self, new: Ticket, move: Move) -> None:
        """Raises AlreadyTakenIn when the channel's number has a ticket: nothing is taken twice."""
        added = await self._tx.connection.execute(_ADD, {**_values(new), **_noted(new, move)})
        if added.one_or_none() is None:
            raise AlreadyTakenIn("该渠道编号的诉求已受理，不重复登记")

    async def save(self, before: Ticket, after: Ticket, move: Move) -> None:
        """The ticket after a move, with what changed of its assignments, and the move in its
        history, in one statement."""
        changed = _changed(before, after)
        values = {**_changes(after), **_noted(after, move)}
        if changed:
            values["shares"] = documents(after.id, changed)
        await self._tx.connection.execute(_MOVE_AND_KEEP if changed else _MOVE, values)

    async def save_redated(self, before: Ticket, after: Ticket) -> None:
        changed = _changed(before, after)
        values = _changes(after)
        if changed:
            values["shares"] = documents(after.id, changed)
        await self._tx.connection.execute(_CHANGE_AND_KEEP if changed else _CHANGE, values)

    async def open_after(self, after: UUID | None, *, most: int) -> list[UUID]:
        """Ids in order, from the one after the given."""
        query = select(ticket.c.id).where(ticket.c.status.not_in(ENDED))
        if after is not None:
            query = query.where(ticket.c.id > after)
        rows = await self._tx.connection.execute(query.order_by(ticket.c.id).limit(most))
        return list(rows.scalars())

    async def waiting_for(self, parent_id: UUID) -> list[UUID]:
        """Its children without an answer, in the order in which they are to be locked."""
        rows = await self._tx.connection.execute(_WAITING, {"ticket_id": parent_id})
        return sorted(row.id for row in rows)

    async def parent_of(self, child_id: UUID) -> UUID | None:
        query = select(ticket.c.parent_id).where(ticket.c.id == child_id)
        return (await self._tx.connection.execute(query)).scalar_one_or_none()

    async def join(self, parent_id: UUID, *, by: int) -> None:
        """One child more, or one fewer; no move of the parent."""
        await self._tx.connection.execute(_JOIN, {"ticket_id": parent_id, "by": by})

    async def rewrite(self, rewritten: Ticket) -> None:
        """The words that are shown; the appeal's own stay."""
        values = {
            "public_title": rewritten.public_title,
            "public_content": rewritten.public_content,
        }
        await self._tx.connection.execute(
            update(ticket).where(ticket.c.id == rewritten.id).values(values)
        )

    async def quarantine(self, hidden: Ticket) -> None:
        """The appeal's own words give way to those that stand for them."""
        values = {"new_title": hidden.appeal.title, "new_content": hidden.appeal.content}
        await self._tx.connection.execute(_QUARANTINE, {"ticket_id": hidden.id, **values})


async def shares_of(connection: AsyncConnection, row: Row[Any]) -> Sequence[Assignment]:
    """The assignments of a ticket; none was made before a process was pinned."""
    if row.process_version is None:
        return ()
    found = await connection.execute(_SHARES, {"ticket_id": row.id})
    return [assignment_of(each) for each in found]


def ticket_of(row: Row[Any], shares: Iterable[Assignment]) -> Ticket:
    return Ticket(
        id=row.id,
        ticket_no=row.ticket_no,
        query_code=row.query_code,
        appeal=Appeal(
            channel=Channel(row.channel),
            channel_order_no=row.channel_order_no,
            appeal_type=AppealType(row.appeal_type),
            urgency=Urgency(row.urgency),
            matter_code=row.matter_code,
            title=row.title,
            content=row.content,
            upstream_due=row.upstream_due_at,
            statutory_due=row.statutory_due_at,
        ),
        registered_at=row.registered_at,
        citizen_term=term_of(row.citizen),
        wants_reply=row.wants_reply,
        wants_callback=row.wants_callback,
        has_contact=row.has_contact,
        hides_identity=row.hides_identity,
        target_unit=row.target_unit_code,
        recused=frozenset(row.recused or ()),
        public_title=row.public_title,
        public_content=row.public_content,
        status=Status(row.status),
        assignments=tuple(shares),
        stage=term_of(row.stage),
        process_version=row.process_version,
        own_answer=row.reply if row.status == Status.ANSWERED else None,
        first_replied_at=row.first_replied_at,
        returns=row.returns,
        rework_rounds=row.rework_rounds,
        callback=callback_of(row.callback),
        suspension=suspension_of(row.suspension),
        phase=phase_of(row.phase),
        is_supervised=row.is_supervised,
        disposition=row.disposition,
        parent_id=row.parent_id,
        children=row.children,
        closed_at=row.closed_at,
        version=row.version,
    )


def _changed(before: Ticket, after: Ticket) -> list[Assignment]:
    known = before.assignments
    return [
        each
        for number, each in enumerate(after.assignments)
        if number >= len(known) or each != known[number]
    ]


def _values(new: Ticket) -> dict[str, Any]:
    return {
        "ticket_ticket_no": new.ticket_no,
        "ticket_query_code": new.query_code,
        "ticket_channel": new.appeal.channel,
        "ticket_channel_order_no": new.appeal.channel_order_no,
        "ticket_appeal_type": new.appeal.appeal_type,
        "ticket_urgency": new.appeal.urgency,
        "ticket_matter_code": new.appeal.matter_code,
        "ticket_title": new.appeal.title,
        "ticket_content": new.appeal.content,
        "ticket_public_title": new.public_title,
        "ticket_public_content": new.public_content,
        "ticket_upstream_due_at": new.appeal.upstream_due,
        "ticket_statutory_due_at": new.appeal.statutory_due,
        "ticket_wants_reply": new.wants_reply,
        "ticket_wants_callback": new.wants_callback,
        "ticket_has_contact": new.has_contact,
        "ticket_hides_identity": new.hides_identity,
        "ticket_target_unit_code": new.target_unit,
        "ticket_recused": sorted(new.recused) or None,
        "ticket_registered_at": new.registered_at,
        "ticket_children": new.children,
        **_changes(new),
    }


def _changes(moved: Ticket) -> dict[str, Any]:
    citizen, reply = moved.citizen_term, moved.reply_term
    return {
        "ticket_id": moved.id,
        "ticket_status": moved.status,
        "ticket_unit_code": moved.unit_code,
        "ticket_assigned_at": moved.assigned_at,
        "ticket_citizen_due_at": citizen and citizen.due_at,
        "ticket_reply_due_at": reply and reply.due_at,
        "ticket_reply_warn_at": reply and reply.warn_at,
        "ticket_replied_at": moved.replied_at,
        "ticket_reply": moved.reply,
        "ticket_citizen": term_document(citizen),
        "ticket_stage": term_document(moved.stage),
        "ticket_stage_due_at": moved.stage and moved.stage.due_at,
        "ticket_process_version": moved.process_version,
        "ticket_first_replied_at": moved.first_replied_at,
        "ticket_returns": moved.returns,
        "ticket_rework_rounds": moved.rework_rounds,
        "ticket_callback": callback_document(moved.callback),
        "ticket_suspension": suspension_document(moved.suspension),
        "ticket_phase": phase_document(moved.phase),
        "ticket_is_supervised": moved.is_supervised,
        "ticket_disposition": moved.disposition,
        "ticket_parent_id": moved.parent_id,
        "ticket_closed_at": moved.closed_at,
        "ticket_version": moved.version,
    }


def _noted(moved: Ticket, move: Move) -> dict[str, Any]:
    if moved.deed is None:
        raise AssertionError("what is saved was moved")
    return {
        "ticket_move_ticket_id": moved.id,
        "ticket_move_version": moved.version,
        "ticket_move_act": moved.deed.act,
        "ticket_move_status": moved.status,
        "ticket_move_at": move.at,
        "ticket_move_actor": move.actor,
        "ticket_move_unit_code": moved.deed.unit_code,
        "ticket_move_facts": dict(moved.deed.facts),
    }
