"""Where the words of a matter stand besides its own row, for the day they turn out to be secret.

隔离封存 (hotline.md 2.4, SECRET_PRIVACY): secret content is not stored in clear. What was written
before anybody knew is taken out of every table and handed back, to be kept under seal.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Table, delete, select, update

from tongban_common.db import Transaction
from tongban_common.privacy import Sealer
from tongban_hotline_dispatch.store.assignments import assignment
from tongban_hotline_dispatch.store.callbacks import callback_task
from tongban_hotline_dispatch.store.details import details_of, ticket_detail
from tongban_hotline_dispatch.store.exclusions import exclusion
from tongban_hotline_dispatch.store.guard import ticket_guard
from tongban_hotline_dispatch.store.knowledge import (
    knowledge_item,
    knowledge_move,
    knowledge_version,
)
from tongban_hotline_dispatch.store.knowledge_index import knowledge_index
from tongban_hotline_dispatch.store.notes import NoteKind, ticket_note
from tongban_hotline_dispatch.store.open311 import open311_news, open311_request
from tongban_hotline_dispatch.store.reappraisals import reappraisal
from tongban_hotline_dispatch.store.routing import routing_decision
from tongban_hotline_dispatch.store.supervision import supervision, supervision_notice
from tongban_hotline_dispatch.store.tickets import ticket, ticket_move
from tongban_hotline_dispatch.store.upstream import upstream_report

_FREE = frozenset({"reason", "citation", "measures", "note", "internal", "public", "text"})
# Columns of texts and documents, by table; each table has a column `ticket_id`.
_WORDS: Mapping[Table, tuple[str, ...]] = {
    assignment: ("reply", "asks", "draft"),
    routing_decision: ("title", "content"),
    callback_task: ("note",),
    reappraisal: ("words", "evidence", "county", "city"),
    exclusion: ("grounds", "hearing_record", "note"),
    open311_request: ("description",),
    open311_news: ("description",),
}


class Secrecy:
    """Takes the words of one ticket out; `hidden` stands where something has to stand."""

    def __init__(self, tx: Transaction, sealer: Sealer, *, hidden: str) -> None:
        self._tx = tx
        self._sealer = sealer
        self._hidden = hidden

    async def take_out(self, ticket_id: UUID, version: int) -> list[str]:
        """All that stood in clear but the title and the content, in no order that matters."""
        found = await self._details(ticket_id)
        own = ("public_title", "public_content", "reply", "phase")
        found += await self._replaced(ticket, own, ticket.c.id == ticket_id)
        for table, columns in _WORDS.items():
            found += await self._replaced(table, columns, table.c.ticket_id == ticket_id)
        given = ticket_note.c.kind.in_([NoteKind.SUPPLEMENT, NoteKind.DECISION])
        found += await self._replaced(
            ticket_note, ("words",), (ticket_note.c.ticket_id == ticket_id) & given
        )
        earlier = (upstream_report.c.ticket_id == ticket_id) & (upstream_report.c.version < version)
        found += await self._replaced(upstream_report, ("words",), earlier)
        found += await self._guards(ticket_id)
        found += await self._causes(ticket_id)
        found += await self._knowledge(ticket_id)
        found += await self._supervision(ticket_id)
        return list(dict.fromkeys(each for each in found if each and each != self._hidden))

    async def _details(self, ticket_id: UUID) -> list[str]:
        reads = self._tx.connection
        given = await details_of(reads, ticket_id, self._sealer)
        await reads.execute(delete(ticket_detail).where(ticket_detail.c.ticket_id == ticket_id))
        return list(given.words)

    async def _guards(self, ticket_id: UUID) -> list[str]:
        """回避、被诉单位: the words of the record; a code of the rules stays."""
        mine = ticket_guard.c.ticket_id == ticket_id
        words = ticket_guard.c.reason.regexp_match("[^ -~]")
        return [
            *await self._replaced(ticket_guard, ("note",), mine),
            *await self._replaced(ticket_guard, ("reason",), mine & words),
        ]

    async def _causes(self, ticket_id: UUID) -> list[str]:
        """督办、提级的事由 as somebody wrote it; a code of the rules stays."""
        mine = ticket_move.c.ticket_id == ticket_id
        rows = await self._tx.connection.execute(select(ticket_move).where(mine))
        found: list[str] = []
        for row in rows.all():
            cause = row.facts.get("cause")
            if isinstance(cause, str) and not cause.isascii():
                found.append(cause)
                await self._tx.connection.execute(
                    update(ticket_move)
                    .where(mine, ticket_move.c.version == row.version)
                    .values(facts={**row.facts, "cause": self._hidden})
                )
        return found

    async def _knowledge(self, ticket_id: UUID) -> list[str]:
        """知识草稿 that the ticket left: it stays as an item, without a word of it."""
        reads = self._tx.connection
        of_ticket = knowledge_item.c.source_ticket == ticket_id
        items = await reads.execute(select(knowledge_item.c.id).where(of_ticket))
        found: list[str] = []
        for item_id in items.scalars().all():
            own = knowledge_version.c.item_id == item_id
            found += await self._replaced(
                knowledge_version, ("title", "content", "keywords", "remark"), own
            )
            key = f"{self._hidden}{item_id}"
            await reads.execute(update(knowledge_version).where(own).values(title_key=key))
            found += await self._replaced(
                knowledge_move, ("note",), knowledge_move.c.item_id == item_id
            )
            await reads.execute(delete(knowledge_index).where(knowledge_index.c.item_id == item_id))
        return found

    async def _supervision(self, ticket_id: UUID) -> list[str]:
        """Records of this ticket alone; one of several tickets speaks of none in particular."""
        alone = supervision.c.ticket_ids == [ticket_id]
        rows = await self._tx.connection.execute(select(supervision.c.id).where(alone))
        ids = rows.scalars().all()
        words = ("words", "answers", "decisions", "closing_note")
        found = await self._replaced(supervision, words, supervision.c.id.in_(ids))
        return found + await self._replaced(
            supervision_notice, ("body",), supervision_notice.c.supervision_id.in_(ids)
        )

    async def _replaced(
        self, table: Table, columns: Iterable[str], which: ColumnElement[bool]
    ) -> list[str]:
        """Raises nothing where there is no row; what is empty stays so."""
        rows = await self._tx.connection.execute(select(table).where(which))
        found: list[str] = []
        for row in rows.mappings().all():
            new = {each: _covered(row[each], self._hidden) for each in columns}
            if all(new[each] == row[each] for each in new):
                continue
            found += [word for each in columns for word in _words_of(row[each])]
            key = [each == row[each.name] for each in table.primary_key]
            await self._tx.connection.execute(update(table).where(*key).values(new))
        return found


def _covered(value: Any, hidden: str) -> Any:
    """A text gives way; of a document the free words, of a list of texts all."""
    if isinstance(value, str):
        return hidden if value else value
    if isinstance(value, list):
        return [_covered(each, hidden) for each in value if not isinstance(each, str)]
    if isinstance(value, dict):
        return {
            name: _covered(each, hidden) if name in _FREE or isinstance(each, dict | list) else each
            for name, each in value.items()
        }
    return value


def _words_of(value: Any, *, is_free: bool = True) -> Iterator[str]:
    if isinstance(value, str):
        if is_free:
            yield value
    elif isinstance(value, list):
        for each in value:
            yield from _words_of(each, is_free=is_free)
    elif isinstance(value, dict):
        for name, each in value.items():
            is_list = isinstance(each, list)
            yield from _words_of(each, is_free=name in _FREE or is_list)
