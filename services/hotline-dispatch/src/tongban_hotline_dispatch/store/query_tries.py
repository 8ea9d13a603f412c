"""Tries to look up a ticket by its number, counted whether or not it exists."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, Integer, LargeBinary, Table, func, select, text

from tongban_common.db import Transaction
from tongban_hotline_dispatch.domain.moves import Act
from tongban_hotline_dispatch.store.reference import metadata
from tongban_hotline_dispatch.store.tickets import ticket, ticket_move

query_try = Table(
    "query_try",
    metadata,
    # A keyed index of what was given as a number: it may be somebody's phone by mistake.
    Column("key", LargeBinary, primary_key=True),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("tries", Integer, nullable=False),
)
Index("ix_query_try_since", query_try.c.since)
_COUNT = text(
    """
    INSERT INTO query_try AS q (key, since, tries) VALUES (:key, :now, 1)
    ON CONFLICT (key) DO UPDATE SET
      tries = CASE WHEN q.since <= :over THEN 1 ELSE least(q.tries + 1, 1000) END,
      since = CASE WHEN q.since <= :over THEN excluded.since ELSE q.since END
    RETURNING tries
    """
)
_FORGET = text("DELETE FROM query_try WHERE key = :key")
_SWEEP = text(
    """
    DELETE FROM query_try WHERE key IN (
      SELECT key FROM query_try WHERE since <= :over ORDER BY since LIMIT 20
      FOR UPDATE SKIP LOCKED
    )
    """
)


class Tries:
    """Counted before the code is looked at, so that guesses side by side count, too."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def count(self, key: bytes, *, now: datetime, within: timedelta) -> int:
        """This try, and those before it in the time; it holds the others of the same number."""
        over = now - within
        await self._tx.connection.execute(_SWEEP, {"over": over})
        counted = await self._tx.connection.execute(_COUNT, {"key": key, "now": now, "over": over})
        tries: int = counted.scalar_one()
        return tries

    async def forget(self, key: bytes) -> None:
        await self._tx.connection.execute(_FORGET, {"key": key})

    async def code_of(self, ticket_no: str) -> tuple[UUID, str] | None:
        rows = await self._tx.connection.execute(
            select(ticket.c.id, ticket.c.query_code).where(ticket.c.ticket_no == ticket_no)
        )
        row = rows.one_or_none()
        return None if row is None else (row.id, row.query_code)

    async def acts_since(self, ticket_id: UUID, actor: str, act: Act, since: datetime) -> int:
        """How often somebody did something with a ticket."""
        counted = await self._tx.connection.execute(
            select(func.count())
            .select_from(ticket_move)
            .where(
                ticket_move.c.ticket_id == ticket_id,
                ticket_move.c.actor == actor,
                ticket_move.c.act == act,
                ticket_move.c.at >= since,
            )
        )
        return int(counted.scalar_one())
