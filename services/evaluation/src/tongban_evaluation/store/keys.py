"""The digests of the keys by which complainants of tickets come to their reviews."""

from uuid import UUID

from sqlalchemy import Column, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import insert

from tongban_common.db import Transaction
from tongban_evaluation.store import metadata

rating_key = Table(
    "rating_key",
    metadata,
    Column("digest", Text, primary_key=True),  # SHA-256 in hexadecimal
    Column("ticket_id", Uuid, nullable=False),
)


async def keep_key(tx: Transaction, *, digest: str, ticket_id: UUID) -> None:
    """The same for a ticket however often it is closed."""
    known = insert(rating_key).values(digest=digest, ticket_id=ticket_id)
    await tx.connection.execute(known.on_conflict_do_nothing())
