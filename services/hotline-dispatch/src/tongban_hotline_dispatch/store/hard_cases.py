"""Which tickets are to be hard cases by themselves; none twice for the same cause."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_hotline_dispatch.domain.moves import Status

_NOT_YET = """
    NOT EXISTS (SELECT FROM ticket_move m WHERE m.ticket_id = t.id
      AND m.act = 'hard_case_opened' AND m.facts->>'cause' = :cause)
"""
_OVERDUE = text(
    f"""
    SELECT t.id, t.reply_due_at FROM ticket t
    WHERE t.reply_due_at < :before AND t.replied_at IS NULL
      AND t.status = ANY(CAST(:statuses AS text[])) AND {_NOT_YET}
    ORDER BY t.reply_due_at LIMIT :most
    """  # noqa: S608 - put together from constants
)
_OF = text(
    f"""
    SELECT t.id, t.reply_due_at FROM ticket t
    WHERE t.id = ANY(CAST(:ids AS uuid[])) AND t.unit_code IS NOT NULL
      AND t.status = ANY(CAST(:statuses AS text[])) AND {_NOT_YET}
    ORDER BY t.id LIMIT :most
    """  # noqa: S608 - put together from constants
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    ticket_id: UUID
    reply_due: datetime | None


async def long_overdue(
    reads: AsyncConnection,
    cause: str,
    *,
    before: datetime,
    statuses: Collection[Status],
    most: int,
) -> Sequence[Candidate]:
    """Unanswered, and due before a moment; the longest overdue first."""
    values = {"cause": cause, "before": before, "statuses": list(statuses), "most": most}
    return _candidates(await reads.execute(_OVERDUE, values))


async def among(
    reads: AsyncConnection,
    cause: str,
    ids: Collection[UUID],
    *,
    statuses: Collection[Status],
    most: int,
) -> Sequence[Candidate]:
    """Those of the given tickets that a unit has in hand."""
    values = {"cause": cause, "ids": list(ids), "statuses": list(statuses), "most": most}
    return _candidates(await reads.execute(_OF, values))


def _candidates(rows: Iterable[Row[Any]]) -> list[Candidate]:
    return [Candidate(ticket_id=row.id, reply_due=row.reply_due_at) for row in rows]
