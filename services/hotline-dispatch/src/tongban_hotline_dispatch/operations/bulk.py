"""Several hundred moves at once: each ticket by itself, with a result of its own."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from tongban_common.db import Transaction
from tongban_common.errors import Refusal
from tongban_common.idempotency import Pieces
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
    pieces: Pieces | None = None,
) -> list[Outcome]:
    """A transaction each, so that no lock is held for long and one refusal spoils nothing.

    `pieces`: what a request of the same key did before it was cut off is told as done, not refused
    as done meanwhile by somebody else.
    """
    return [await _one(kit, item, move, pieces, no) for no, item in enumerate(items)]


async def _one(
    kit: Kit,
    item: Item[ItemT],
    move: Callable[[Transaction, Item[ItemT]], Awaitable[Ticket]],
    pieces: Pieces | None,
    no: int,
) -> Outcome:
    try:
        async with kit.db.transaction() as tx:

            async def moved() -> bytes:
                return str((await move(tx, item)).version).encode()

            if pieces is None:
                version = await moved()
            else:
                asked = f"{item.ticket_id} {item.wanted}".encode()
                version = await pieces.once(tx, str(no), asked, moved)
    except Refusal as refusal:
        return Outcome(ticket_id=item.ticket_id, code=refusal.code, reason=refusal.message)
    return Outcome(ticket_id=item.ticket_id, version=int(version))
