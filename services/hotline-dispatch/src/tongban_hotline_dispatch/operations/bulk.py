"""Several hundred moves at once: each ticket by itself, with a result of its own."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from tongban_common.db import Transaction
from tongban_common.errors import Refusal
from tongban_common.service import Kit
from tongban_hotline_dispatch.domain.ticket import Ticket

ItemT = TypeVar("ItemT")
MOST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Item(Generic[ItemT]):
    ticket_id: UUID
    wanted: ItemT


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one ticket: its new version, or why not."""

    ticket_id: UUID
    version: int | None = None
    code: str | None = None
    reason: str | None = None


async def one_by_one(
    kit: Kit,
    items: Sequence[Item[ItemT]],
    move: Callable[[Transaction, Item[ItemT]], Awaitable[Ticket]],
) -> list[Outcome]:
    """A transaction each, so that no lock is held for long and one refusal spoils nothing."""
    return [await _one(kit, item, move) for item in items]


async def _one(
    kit: Kit,
    item: Item[ItemT],
    move: Callable[[Transaction, Item[ItemT]], Awaitable[Ticket]],
) -> Outcome:
    try:
        async with kit.db.transaction() as tx:
            ticket = await move(tx, item)
    except Refusal as refusal:
        return Outcome(ticket_id=item.ticket_id, code=refusal.code, reason=refusal.message)
    return Outcome(ticket_id=item.ticket_id, version=ticket.version)
