"""The tables of callbacks: each round as a task, and what the evaluation service says of a ticket.

A task repeats what its ticket holds, for the queue and for later; `keep` follows every move. Who
took a task is of the task alone.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from tongban_common.db import Transaction
from tongban_common.errors import Conflict, NotFound
from tongban_hotline_dispatch.domain.callback import Callback, Mark
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.store.reference import metadata

_MOMENT = DateTime(timezone=True)
callback_task = Table(
    "callback_task",
    metadata,
    Column("ticket_id", ForeignKey("ticket.id"), primary_key=True),
    Column("no", Integer, primary_key=True),  # the version of the ticket that opened it
    Column("cause", Text, nullable=False),
    Column("unit_code", Text),  # that of the reply, or of the silence
    Column("opened_at", _MOMENT, nullable=False),
    Column("answered_at", _MOMENT),  # null: nothing was answered
    Column("attempts", Integer, nullable=False),
    Column("attempted_at", _MOMENT),
    Column("call_due_at", _MOMENT),
    Column("due_at", _MOMENT),  # the end of its window
    Column("rules_version", Integer),
    Column("outcome", Text),
    Column("reason", Text),
    Column("resolved", Text),
    Column("result", Text),
    Column("process", Text),
    Column("result_level", SmallInteger),
    Column("process_level", SmallInteger),
    Column("replied", Boolean),
    Column("no_redo", Text),
    Column("note", Text),
    Column("review_id", Uuid),
    Column("rated_at", _MOMENT),
    Column("done_at", _MOMENT),
    Column("taken_by", Text),  # the subject of a token
    Column("taken_at", _MOMENT),
)
Index(
    "ix_callback_task_queue",
    callback_task.c.due_at,
    callback_task.c.ticket_id,
    callback_task.c.no,
    postgresql_where=text("done_at IS NULL"),
)
Index(
    "ix_callback_task_done",
    callback_task.c.done_at,
    postgresql_where=text("done_at IS NOT NULL"),
)
Index(
    "ix_callback_task_bad",
    callback_task.c.unit_code,
    callback_task.c.rated_at.desc(),
    postgresql_where=text("result = 'dissatisfied' OR resolved = 'unresolved'"),
)
# 评价以好差评为准: what the evaluation service holds of a ticket; no ticket need be known here.
ticket_review = Table(
    "ticket_review",
    metadata,
    Column("ticket_id", Uuid, primary_key=True),
    Column("review_id", Uuid, nullable=False),
    Column("unit_code", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("mark", Text, nullable=False),
    Column("rules_version", Integer, nullable=False),  # by which the level reads as this mark
    Column("submitted_at", _MOMENT, nullable=False),
)


class CallbackNotFound(NotFound):
    code = "callback.not_found"


class AlreadyTaken(Conflict):
    code = "callback.already_taken"


class NotTaken(Conflict):
    code = "callback.not_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketReview:
    ticket_id: UUID
    review_id: UUID
    unit_code: str
    channel: str
    level: int
    mark: Mark
    rules_version: int
    submitted_at: datetime


class Callbacks:
    def __init__(self, tx: Transaction) -> None:
        self._connection = tx.connection

    async def keep(self, before: Ticket, after: Ticket) -> None:
        """The task as the ticket has it now, where a move changed it."""
        current = after.callback
        if current is None or current.no == 0 or _shown(before) == _shown(after):
            return
        values = _values(after, current)
        kept = insert(callback_task).values(values)
        changed = {name: kept.excluded[name] for name in values if name not in ("ticket_id", "no")}
        await self._connection.execute(
            kept.on_conflict_do_update(index_elements=["ticket_id", "no"], set_=changed)
        )

    async def take(self, ticket_id: UUID, by: str, *, now: datetime, lease_minutes: int) -> None:
        """领取: so that nobody is called by two at once. Raises AlreadyTaken, CallbackNotFound."""
        task = callback_task
        is_open = (task.c.ticket_id == ticket_id) & task.c.done_at.is_(None)
        lapsed = now - timedelta(minutes=lease_minutes)
        is_free = or_(task.c.taken_by.is_(None), task.c.taken_by == by, task.c.taken_at <= lapsed)
        taken = await self._connection.execute(
            update(task)
            .where(is_open, is_free)
            .values(taken_by=by, taken_at=now)
            .returning(task.c.ticket_id)
        )
        if taken.one_or_none() is not None:
            return
        found = await self._connection.execute(task.select().where(is_open))
        if found.one_or_none() is None:
            raise CallbackNotFound("该工单没有待办的回访")
        raise AlreadyTaken("该回访任务已由他人领取")

    async def check_taken(
        self, ticket_id: UUID, by: str, *, now: datetime, lease_minutes: int
    ) -> None:
        """Raises NotTaken."""
        task = callback_task.c
        since = now - timedelta(minutes=lease_minutes)
        found = await self._connection.execute(
            select(task.no).where(
                task.ticket_id == ticket_id,
                task.done_at.is_(None),
                task.taken_by == by,
                task.taken_at > since,
            )
        )
        if found.one_or_none() is None:
            raise NotTaken("请先领取该回访任务")

    async def record_review(self, review: TicketReview) -> bool:
        """True for the first one of its ticket: evaluation takes only one."""
        added = await self._connection.execute(
            insert(ticket_review)
            .values(
                ticket_id=review.ticket_id,
                review_id=review.review_id,
                unit_code=review.unit_code,
                channel=review.channel,
                level=review.level,
                mark=review.mark,
                rules_version=review.rules_version,
                submitted_at=review.submitted_at,
            )
            .on_conflict_do_nothing()
            .returning(ticket_review.c.ticket_id)
        )
        return added.one_or_none() is not None


def _shown(ticket: Ticket) -> tuple[Callback | None, datetime | None]:
    """What of a ticket its task shows."""
    return ticket.callback, _due(ticket)


def _due(ticket: Ticket) -> datetime | None:
    callback = ticket.callback
    window = callback.window if callback is not None else None
    term = ticket.stage if ticket.status is Status.CALLBACK else window
    return None if term is None else term.due_at


def _values(ticket: Ticket, current: Callback) -> dict[str, Any]:
    heard, own = current.heard, current.own
    # what is done keeps the window that it had
    due = {} if current.is_done else {"due_at": _due(ticket)}
    unit = {} if ticket.unit_code is None else {"unit_code": ticket.unit_code}
    rated_at = own.at if own is not None else current.done_at if heard is not None else None
    return {
        "ticket_id": ticket.id,
        "no": current.no,
        "cause": current.cause,
        "opened_at": current.opened_at,
        "answered_at": current.answered_at,
        "attempts": len(current.attempts),
        "attempted_at": current.attempts[-1] if current.attempts else None,
        "call_due_at": current.call_term and current.call_term.due_at,
        "rules_version": current.rules_version,
        "outcome": current.outcome,
        "reason": current.reason,
        "resolved": heard and heard.resolved,
        "result": current.result,
        "process": heard and heard.process,
        "result_level": current.result_level,
        "process_level": heard and heard.process_level,
        "replied": heard and heard.replied,
        "no_redo": current.no_redo if heard is None else heard.no_redo,
        "note": heard and heard.note,
        "review_id": own and own.review_id,
        "rated_at": rated_at,
        "done_at": current.done_at,
        **due,
        **unit,
    }
