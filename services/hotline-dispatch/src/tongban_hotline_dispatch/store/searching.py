"""Tickets found by number, by the keyed index of a phone, or by the words that tell them apart.

None of them costs more as tickets grow: each walks an index from its newest entry, and only so far.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_hotline_dispatch.domain.appeal import Channel
from tongban_hotline_dispatch.domain.likeness import Vector
from tongban_hotline_dispatch.domain.repeats import LikenessRules
from tongban_hotline_dispatch.store.likeness import ticket_likeness
from tongban_hotline_dispatch.store.tickets import ticket

# Of every word asked for the newest entries, of those the ones that share the weightiest words.
_BY_WORDS = text(
    """
    SELECT l.ticket_id FROM (
      SELECT x.no, sum(q.weight) AS shared
      FROM unnest(CAST(:telling AS text[]), CAST(:told AS float8[])) AS q (word, weight)
      CROSS JOIN LATERAL (
        SELECT w.no FROM likeness_word w WHERE w.word = q.word
        ORDER BY w.no DESC LIMIT :newest
      ) x
      GROUP BY x.no ORDER BY shared DESC, x.no DESC LIMIT :compared
    ) c JOIN likeness l USING (no) ORDER BY c.shared DESC, c.no DESC
    """
)


async def by_number(reads: AsyncConnection, number: str) -> list[UUID]:
    """Ours, or the one that a channel gave it."""
    own = select(ticket.c.id).where(ticket.c.ticket_no == number)
    given = select(ticket.c.id).where(
        ticket.c.channel.in_(list(Channel)), ticket.c.channel_order_no == number
    )
    return list((await reads.execute(own.union(given))).scalars())


async def by_person(
    reads: AsyncConnection, person: bytes, *, before: int | None, most: int
) -> list[tuple[UUID, int]]:
    """The newest first, each with where a list goes on."""
    c = ticket_likeness.c
    query = select(c.ticket_id, c.no).where(c.person == person).order_by(c.no.desc()).limit(most)
    if before is not None:
        query = query.where(c.no < before)
    return [(row.ticket_id, row.no) for row in await reads.execute(query)]


async def by_words(reads: AsyncConnection, asked: Vector, rules: LikenessRules) -> Sequence[UUID]:
    """The ones that share most first."""
    values = {
        "telling": list(asked),
        "told": list(asked.values()),
        "newest": rules.searched,
        "compared": rules.compared,
    }
    return list((await reads.execute(_BY_WORDS, values)).scalars())
