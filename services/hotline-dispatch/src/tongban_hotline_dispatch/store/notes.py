"""What is added to a ticket in words: facts supplied later, words given, and sealed content."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    Text,
    insert,
    select,
)

from tongban_common.db import Transaction
from tongban_common.privacy import Sealer
from tongban_hotline_dispatch.store.reference import metadata

ticket_note = Table(
    "ticket_note",
    metadata,
    Column("ticket_id", ForeignKey("ticket.id"), primary_key=True),
    Column("version", Integer, primary_key=True),  # the move that it came with
    Column("kind", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("words", Text),
    Column("sealed", LargeBinary),  # quarantined: never stored in clear
)


class NoteKind(StrEnum):
    SUPPLEMENT = "supplement"  # 补充事实
    ROUTED = "routed"  # 引导时告知的话
    QUARANTINED = "quarantined"  # 隔离封存的原文
    DECISION = "decision"  # 会商结论等


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    ticket_id: UUID
    version: int
    kind: NoteKind
    at: datetime
    words: str


class Notes:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def supplements(self, ticket_id: UUID) -> str | None:
        """The facts that were added, one after the other; what is under seal is not among them."""
        rows = await self._tx.connection.execute(
            select(ticket_note.c.words)
            .where(ticket_note.c.ticket_id == ticket_id, ticket_note.c.kind == NoteKind.SUPPLEMENT)
            .order_by(ticket_note.c.version)
        )
        return "\n".join(words for words in rows.scalars() if words) or None

    async def add(self, note: Note, sealer: Sealer | None = None) -> None:
        """Under seal where a sealer is given."""
        sealed = None
        if sealer is not None:
            context = f"ticket_note:{note.ticket_id}:{note.version}"
            sealed = sealer.seal(note.words, context=context)
        await self._tx.connection.execute(
            insert(ticket_note).values(
                ticket_id=note.ticket_id,
                version=note.version,
                kind=note.kind,
                at=note.at,
                words=note.words if sealed is None else None,
                sealed=sealed,
            )
        )
