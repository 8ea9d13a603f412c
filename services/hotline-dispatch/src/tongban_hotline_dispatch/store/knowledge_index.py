"""The search index of the knowledge base: what is public, as PostgreSQL full text over pairs.

The rank is ours. ts_rank knows how often a term stands in an item but not how rare it is among all
items, and alone it finds far less (docs/adr/0016); so each term's ts_rank is weighted by its rarity
and the sum by the item's length. What is rare leads to the candidates, so that a common term costs
no more than `_CAP` rows.

`knowledge_hits` is a function of the database for its `SET enable_seqscan = off`: the planner does
not know what unpacking a tsvector costs, and would rather read the whole of a small table for every
term than ask the index.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, Integer, Row, Table, Text, Uuid, delete, text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Database, Transaction
from tongban_hotline_dispatch.domain.knowledge import Material, Version
from tongban_hotline_dispatch.domain.search_terms import (
    CONTENT,
    KEYWORD,
    TITLE,
    is_prefix,
    query_terms,
    tsvector,
)
from tongban_hotline_dispatch.store.reference import metadata

knowledge_index = Table(
    "knowledge_index",
    metadata,
    Column("item_id", Uuid, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("unit_code", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("material", Text, nullable=False),
    Column("words", TSVECTOR, nullable=False),
    Column("length", Integer, nullable=False),
)
Index("ix_knowledge_index_words", knowledge_index.c.words, postgresql_using="gin")
_CAP = 5_000  # rows of one term that are looked at; one with more is left out beside rarer ones
_ROUGH = 100  # candidates that are ranked in full
_MOST_TERMS = 60  # of a question: more of them add cost and no find

_KEEP = text(
    """
    INSERT INTO knowledge_index
      (item_id, number, title, unit_code, category, material, words, length)
    VALUES (:item_id, :number, :title, :unit_code, :category, :material,
            CAST(CAST(:words AS text) AS tsvector), :length)
    ON CONFLICT (item_id) DO UPDATE SET
      number = excluded.number, title = excluded.title, unit_code = excluded.unit_code,
      category = excluded.category, material = excluded.material, words = excluded.words,
      length = excluded.length
    """
)
_SHADOW = text(
    "CREATE TEMPORARY TABLE knowledge_index (LIKE public.knowledge_index INCLUDING ALL) "
    "ON COMMIT DROP"
)
_SEARCH = text(
    """
    WITH corpus AS MATERIALIZED (
      SELECT CAST(count(*) AS float8) AS n, CAST(greatest(avg(length), 1) AS float8) AS mean
      FROM knowledge_index
    ), hit AS MATERIALIZED (
      SELECT lexeme, query, item_id
      FROM knowledge_hits(CAST(:lexemes AS text[]), CAST(:queries AS text[]), :category, :cap)
    ), common AS (
      SELECT lexeme, CAST(count(*) AS float8) AS items FROM hit GROUP BY lexeme
    ), weight AS MATERIALIZED (
      SELECT lexeme, ln(1 + (n - items + 0.5) / (items + 0.5)) AS rarity
      FROM common CROSS JOIN corpus
      WHERE items < :cap OR NOT EXISTS (SELECT 1 FROM common WHERE items < :cap)
    ), rough AS MATERIALIZED (
      SELECT hit.item_id, sum(weight.rarity) AS score
      FROM hit JOIN weight USING (lexeme) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT :rough
    )
    SELECT i.item_id, i.number, i.title, i.unit_code, i.category, i.material,
      sum(weight.rarity * ts_rank('{0.5, 0.5, 0.8, 1.0}', i.words, hit.query))
        / power(0.25 + 0.75 * i.length / mean, 0.3) AS score
    FROM rough JOIN hit USING (item_id) JOIN weight USING (lexeme)
      JOIN knowledge_index AS i USING (item_id) CROSS JOIN corpus
    GROUP BY i.item_id, mean ORDER BY score DESC, i.item_id LIMIT :limit
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    item_id: UUID
    number: int
    title: str
    unit_code: str
    category: str
    material: Material
    score: float


class SearchIndex:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def keep(self, item_id: UUID, version: Version) -> None:
        await keep(self._tx.connection, [(item_id, version)])

    async def forget(self, item_id: UUID) -> None:
        await self._tx.connection.execute(
            delete(knowledge_index).where(knowledge_index.c.item_id == item_id)
        )


async def keep(connection: AsyncConnection, versions: Sequence[tuple[UUID, Version]]) -> None:
    await connection.execute(_KEEP, [_values(*each) for each in versions])


async def search(
    reads: AsyncConnection, query: str, *, category: str | None = None, limit: int = 20
) -> Sequence[Found]:
    """The items that answer best, the best first; none for a question without a word."""
    terms = query_terms(query)[:_MOST_TERMS]
    if not terms:
        return []
    rows = await reads.execute(
        _SEARCH,
        {
            "lexemes": terms,
            "queries": [f"'{term}':*" if is_prefix(term) else f"'{term}'" for term in terms],
            "category": category,
            "cap": _CAP,
            "rough": max(_ROUGH, limit),
            "limit": limit,
        },
    )
    return [_found(row) for row in rows]


@asynccontextmanager
async def shadow_search(
    db: Database, versions: Sequence[tuple[UUID, Version]]
) -> AsyncGenerator[Callable[[str], Awaitable[list[UUID]]]]:
    """The same search over other items: a temporary table stands in the way of the real one.

    PostgreSQL looks for a name among the temporary tables first. Nothing outlives the transaction.
    """
    async with db.transaction() as tx:
        await tx.connection.execute(_SHADOW)
        for at in range(0, len(versions), 500):
            await keep(tx.connection, versions[at : at + 500])
        await tx.connection.execute(text("ANALYZE knowledge_index"))

        async def ask(query: str) -> list[UUID]:
            return [each.item_id for each in await search(tx.connection, query, limit=10)]

        yield ask


def _values(item_id: UUID, version: Version) -> dict[str, object]:
    body = version.body
    words, length = tsvector(
        [
            (body.title, TITLE),
            *((each, KEYWORD) for each in body.keywords),
            (body.content, CONTENT),
        ]
    )
    return {
        "item_id": item_id,
        "number": version.number,
        "title": body.title,
        "unit_code": body.unit_code,
        "category": body.category,
        "material": body.material,
        "words": words,
        "length": length,
    }


def _found(row: Row[Any]) -> Found:
    return Found(
        item_id=row.item_id,
        number=row.number,
        title=row.title,
        unit_code=row.unit_code,
        category=row.category,
        material=Material(row.material),
        score=float(row.score),
    )
