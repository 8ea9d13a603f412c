"""What an officer has written and the leader in charge has not yet signed off (待审签)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import null, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.moves import OPEN_STATES
from tongban_hotline_dispatch.store.assignments import assignment
from tongban_hotline_dispatch.store.guard import visible_to
from tongban_hotline_dispatch.store.tickets import SHOWN_TITLE, ticket

What = Literal["return", "reply"]
WHAT_NAMES: Mapping[str, str] = {"return": "退单申请", "reply": "答复"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    what: What
    by: str  # the subject of a token, never a name
    at: datetime
    text: Mapping[str, Any]  # as it will be asked or answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """One line of the list of what waits."""

    ticket_id: UUID
    ticket_no: str
    title: str
    version: int
    reply_due: datetime
    draft: Draft


class Drafts:
    """Of one share of a ticket that this transaction holds."""

    def __init__(self, tx: Transaction, ticket_id: UUID, no: int) -> None:
        self._tx = tx
        self._mine = (assignment.c.ticket_id == ticket_id) & (assignment.c.no == no)

    async def put(self, draft: Draft) -> None:
        """In place of an earlier one."""
        document = {
            "what": draft.what,
            "by": draft.by,
            "at": draft.at.isoformat(),
            "text": dict(draft.text),
        }
        await self._set(document)

    async def get(self) -> Draft | None:
        found = await self._tx.connection.execute(select(assignment.c.draft).where(self._mine))
        document = found.scalar_one_or_none()
        return None if document is None else _draft(document)

    async def clear(self) -> None:
        await self._set(null())

    async def _set(self, value: Any) -> None:
        await self._tx.connection.execute(update(assignment).where(self._mine).values(draft=value))


async def pending(
    reads: AsyncConnection, viewer: Viewer, *, most: int, ticket_id: UUID | None = None
) -> Sequence[Pending]:
    """Of the unit of whoever looks, or of one ticket alone; the first due first."""
    rows = await reads.execute(
        select(
            ticket.c.id,
            ticket.c.ticket_no,
            SHOWN_TITLE,
            ticket.c.version,
            assignment.c.due_at,
            assignment.c.draft,
        )
        .select_from(assignment.join(ticket, ticket.c.id == assignment.c.ticket_id))
        .where(
            assignment.c.unit_code == viewer.unit,
            assignment.c.draft.is_not(None),
            assignment.c.state.in_(OPEN_STATES),
            visible_to(viewer),
            true() if ticket_id is None else ticket.c.id == ticket_id,
        )
        .order_by(assignment.c.due_at, ticket.c.id)
        .limit(most)
    )
    return [
        Pending(
            ticket_id=row.id,
            ticket_no=row.ticket_no,
            title=row.title,
            version=row.version,
            reply_due=row.due_at,
            draft=_draft(row.draft),
        )
        for row in rows
    ]


def _draft(document: Mapping[str, Any]) -> Draft:
    return Draft(
        what=document["what"],
        by=document["by"],
        at=datetime.fromisoformat(document["at"]),
        text=document["text"],
    )
