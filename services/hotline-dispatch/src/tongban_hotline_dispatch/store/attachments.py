"""Files of a ticket, in PostgreSQL as sealed pieces by content hash.

In the database rather than in a folder: the file is there exactly when its record is (one
transaction, one backup, one restore), every worker and every node sees it, and deleting a tenant's
database leaves nothing behind. Files are small (the policy's limit), and a piece is 256 KB, so that
a download never has the whole of one in memory. The hash is keyed: who has only the database cannot
tell whether a file that he holds is in it. The same bytes are kept once.
"""

import hashlib
from collections.abc import AsyncIterator, Collection, Mapping
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
    LargeBinary,
    Row,
    Table,
    Text,
    Uuid,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import insert as insert_or_not
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Database, Transaction
from tongban_common.errors import NotFound
from tongban_common.privacy import Sealer
from tongban_hotline_dispatch.domain.attachments import FileGroup
from tongban_hotline_dispatch.domain.file_kinds import FileKind
from tongban_hotline_dispatch.store.reference import metadata, unit

PIECE = 256 << 10
attachment_content = Table(
    "attachment_content",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("size", Integer, nullable=False),
)
attachment_piece = Table(
    "attachment_piece",
    metadata,
    Column("digest", ForeignKey("attachment_content.digest"), primary_key=True),
    Column("no", Integer, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)
attachment = Table(
    "attachment",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("ticket_id", ForeignKey("ticket.id"), nullable=False),
    Column("group_code", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", LargeBinary, nullable=False),  # sealed: people name files after people
    Column("digest", ForeignKey("attachment_content.digest"), nullable=False),
    Column("added_at", DateTime(timezone=True), nullable=False),
    Column("added_by", Text, nullable=False),
    Column("unit_code", Text),  # none: the hub
)
Index("ix_attachment_ticket", attachment.c.ticket_id, attachment.c.added_at, attachment.c.id)
Index("ix_attachment_digest", attachment.c.digest)
_LISTED = select(attachment, attachment_content.c.size, unit.c.name.label("unit_name")).select_from(
    attachment.join(
        attachment_content, attachment_content.c.digest == attachment.c.digest
    ).outerjoin(unit, unit.c.code == attachment.c.unit_code)
)


class AttachmentNotFound(NotFound):
    code = "attachment.not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """One file; its content is elsewhere."""

    id: UUID
    ticket_id: UUID
    group: FileGroup
    kind: FileKind
    name: str
    size: int
    digest: bytes
    added_at: datetime
    added_by: str
    unit_code: str | None
    unit_name: str | None = None


class Attachments:
    """The ticket is held by the caller."""

    def __init__(self, tx: Transaction, sealer: Sealer) -> None:
        self._tx = tx
        self._sealer = sealer

    async def keep(self, content: bytes) -> bytes:
        """Its keyed hash; what is there already is not kept again."""
        plain = hashlib.sha256(content).hexdigest()
        digest = self._sealer.index(plain, context="attachment")
        fresh = await self._tx.connection.execute(
            insert_or_not(attachment_content)
            .values(digest=digest, size=len(content))
            .on_conflict_do_nothing()
            .returning(attachment_content.c.digest)
        )
        if fresh.one_or_none() is None:
            return digest
        for no, start in enumerate(range(0, len(content), PIECE)):
            sealed = self._sealer.seal_bytes(
                content[start : start + PIECE], context=_context(digest, no)
            )
            values = {"digest": digest, "no": no, "sealed": sealed}
            await self._tx.connection.execute(insert(attachment_piece), [values])
        return digest

    async def add(self, new: Attachment) -> None:
        await self._tx.connection.execute(
            insert(attachment).values(
                id=new.id,
                ticket_id=new.ticket_id,
                group_code=new.group,
                kind=new.kind,
                name=self._sealer.seal(new.name, context=f"attachment:{new.id}"),
                digest=new.digest,
                added_at=new.added_at,
                added_by=new.added_by,
                unit_code=new.unit_code,
            )
        )

    async def count(self, ticket_id: UUID) -> int:
        rows = await self._tx.connection.execute(
            select(func.count()).where(attachment.c.ticket_id == ticket_id)
        )
        found: int = rows.scalar_one()
        return found


async def of_ticket(reads: AsyncConnection, ticket_id: UUID, sealer: Sealer) -> list[Attachment]:
    """The oldest first; as many as the policy allows a ticket."""
    rows = await reads.execute(
        _LISTED.where(attachment.c.ticket_id == ticket_id).order_by(
            attachment.c.added_at, attachment.c.id
        )
    )
    return [_attachment(row, sealer) for row in rows]


async def one(
    reads: AsyncConnection, ticket_id: UUID, attachment_id: UUID, sealer: Sealer
) -> Attachment:
    """Raises AttachmentNotFound."""
    rows = await reads.execute(
        _LISTED.where(attachment.c.ticket_id == ticket_id, attachment.c.id == attachment_id)
    )
    row = rows.one_or_none()
    if row is None:
        raise AttachmentNotFound("没有这个附件")
    return _attachment(row, sealer)


async def counts(reads: AsyncConnection, ticket_ids: Collection[UUID]) -> Mapping[UUID, int]:
    """How many files each ticket has."""
    rows = await reads.execute(
        select(attachment.c.ticket_id, func.count().label("n"))
        .where(attachment.c.ticket_id.in_(ticket_ids))
        .group_by(attachment.c.ticket_id)
    )
    return {row.ticket_id: row.n for row in rows}


async def pieces(db: Database, digest: bytes, sealer: Sealer) -> AsyncIterator[bytes]:
    """Piece by piece, each over a connection that is given back at once."""
    no = 0
    while True:
        async with db.reading() as reads:
            rows = await reads.execute(
                select(attachment_piece.c.sealed).where(
                    attachment_piece.c.digest == digest, attachment_piece.c.no == no
                )
            )
            sealed = rows.scalar_one_or_none()
        if sealed is None:
            return
        yield sealer.open_bytes(sealed, context=_context(digest, no))
        no += 1


def _context(digest: bytes, no: int) -> str:
    return f"attachment_piece:{digest.hex()}:{no}"


def _attachment(row: Row[Any], sealer: Sealer) -> Attachment:
    return Attachment(
        id=row.id,
        ticket_id=row.ticket_id,
        group=FileGroup(row.group_code),
        kind=FileKind(row.kind),
        name=sealer.open(row.name, context=f"attachment:{row.id}"),
        size=row.size,
        digest=row.digest,
        added_at=row.added_at,
        added_by=row.added_by,
        unit_code=row.unit_code,
        unit_name=row.unit_name,
    )
