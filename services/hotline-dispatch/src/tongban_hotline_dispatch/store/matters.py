"""The versions of the matter catalogue (事项目录) and the matters of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Row,
    Select,
    SmallInteger,
    Table,
    Text,
    func,
    insert,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_common.errors import Conflict
from tongban_hotline_dispatch.domain.matters import KnownCodes, Matter, MatterNotFound
from tongban_hotline_dispatch.store.reference import metadata

matter_catalogue = Table(
    "matter_catalogue",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("effective_from", Date, nullable=False),
    Column("source", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("matters", Integer, nullable=False),
    Column("leaves", Integer, nullable=False),
    Column("loaded_at", DateTime(timezone=True), nullable=False),
    Column("loaded_by", Text, nullable=False),  # the subject of a token, never a name
)
matter = Table(
    "matter",
    metadata,
    Column("version", ForeignKey("matter_catalogue.version"), primary_key=True),
    Column("code", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("parent_code", Text),
    Column("level", SmallInteger, nullable=False),
    Column("path", ARRAY(Text), nullable=False),
    Column("keywords", ARRAY(Text), nullable=False),
    Column("is_leaf", Boolean, nullable=False),
)
Index(
    "ix_matter_code",
    matter.c.version,
    matter.c.code,
    postgresql_ops={"code": "text_pattern_ops"},
)
Index("ix_matter_parent", matter.c.version, matter.c.parent_code, matter.c.position)
_NOT_TWO_AT_ONCE = text("SELECT pg_advisory_xact_lock(hashtext('matter_catalogue'))")
_BATCH = 1000


class CatalogueKnown(Conflict):
    code = "matter.catalogue_known"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueVersion:
    """One load of the catalogue."""

    version: int
    effective_from: date
    source: str
    digest: str
    matters: int
    leaves: int
    loaded_at: datetime
    loaded_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MatterFilters:
    """Which matters of the version in force; everything given must hold."""

    parent: str | None = None  # its children; "" asks for the first level
    prefix: str | None = None  # whose codes begin with it
    words: str | None = None  # each of them in the path or among the keywords
    leaves_only: bool = False


class Matters:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def next_version(self) -> int:
        """Waits for another load that is under way."""
        await self._tx.connection.execute(_NOT_TWO_AT_ONCE)
        last = select(func.coalesce(func.max(matter_catalogue.c.version), 0))
        return int((await self._tx.connection.execute(last)).scalar_one()) + 1

    async def known_codes(self) -> KnownCodes:
        """The latest code of every path that ever was, and every code ever given."""
        rows = await self._tx.connection.execute(
            select(matter.c.path, matter.c.code).order_by(matter.c.version)
        )
        by_path = {tuple(row.path): str(row.code) for row in rows}
        codes = await self._tx.connection.execute(select(matter.c.code).distinct())
        return KnownCodes(by_path=by_path, given=frozenset(codes.scalars()))

    async def add(
        self,
        new: CatalogueVersion,
        matters: Sequence[Matter],
        progress: Callable[[int, int], object],
    ) -> None:
        """Raises CatalogueKnown for the same content from the same date."""
        same = select(matter_catalogue.c.version).where(
            matter_catalogue.c.digest == new.digest,
            matter_catalogue.c.effective_from == new.effective_from,
        )
        known = (await self._tx.connection.execute(same.limit(1))).scalar_one_or_none()
        if known is not None:
            raise CatalogueKnown(f"内容相同的事项目录已在库中（第{known}版）", version=known)
        await self._tx.connection.execute(
            insert(matter_catalogue).values(
                version=new.version,
                effective_from=new.effective_from,
                source=new.source,
                digest=new.digest,
                matters=new.matters,
                leaves=new.leaves,
                loaded_at=new.loaded_at,
                loaded_by=new.loaded_by,
            )
        )
        rows = [_values(new.version, at, each) for at, each in enumerate(matters)]
        for start in range(0, len(rows), _BATCH):
            await self._tx.connection.execute(insert(matter), rows[start : start + _BATCH])
            progress(min(start + _BATCH, len(rows)), len(rows))


async def matter_version_at(reads: AsyncConnection, day: date) -> int | None:
    """The catalogue in force on a day, None while none is."""
    statement = (
        select(matter_catalogue.c.version)
        .where(matter_catalogue.c.effective_from <= day)
        .order_by(matter_catalogue.c.effective_from.desc(), matter_catalogue.c.version.desc())
        .limit(1)
    )
    found: int | None = (await reads.execute(statement)).scalar_one_or_none()
    return found


async def matter_versions(reads: AsyncConnection) -> list[CatalogueVersion]:
    rows = await reads.execute(select(matter_catalogue).order_by(matter_catalogue.c.version))
    return [CatalogueVersion(**row._mapping) for row in rows]  # noqa: SLF001 - public name


async def matter_in(reads: AsyncConnection, version: int | None, code: str) -> Matter:
    """Raises MatterNotFound."""
    statement = select(matter).where(matter.c.version == version, matter.c.code == code)
    row = (await reads.execute(statement)).one_or_none()
    if row is None:
        raise MatterNotFound("事项目录中没有这个事项")
    return matter_of(row)


async def all_matters(reads: AsyncConnection, version: int) -> list[Matter]:
    statement = select(matter).where(matter.c.version == version).order_by(matter.c.position)
    return [matter_of(row) for row in await reads.execute(statement)]


async def matters(
    reads: AsyncConnection,
    version: int,
    filters: MatterFilters,
    *,
    after: str | None,
    limit: int,
) -> list[Matter]:
    """By code."""
    statement = _filtered(version, filters).order_by(matter.c.code).limit(limit)
    if after is not None:
        statement = statement.where(matter.c.code > after)
    return [matter_of(row) for row in await reads.execute(statement)]


def _filtered(version: int, filters: MatterFilters) -> Select[Any]:
    statement = select(matter).where(matter.c.version == version)
    if filters.parent is not None:
        statement = statement.where(
            matter.c.parent_code == filters.parent
            if filters.parent
            else matter.c.parent_code.is_(None)
        )
    if filters.prefix:
        statement = statement.where(matter.c.code.startswith(filters.prefix, autoescape=True))
    for word in (filters.words or "").split():
        named = func.array_to_string(matter.c.path, "/").contains(word, autoescape=True)
        keyed = func.array_to_string(matter.c.keywords, "/").contains(word, autoescape=True)
        statement = statement.where(or_(named, keyed))
    if filters.leaves_only:
        statement = statement.where(matter.c.is_leaf)
    return statement


def matter_of(row: Row[Any]) -> Matter:
    return Matter(
        code=row.code,
        path=tuple(row.path),
        parent_code=row.parent_code,
        keywords=tuple(row.keywords),
        is_leaf=row.is_leaf,
    )


def _values(version: int, position: int, each: Matter) -> dict[str, object]:
    return {
        "version": version,
        "code": each.code,
        "position": position,
        "parent_code": each.parent_code,
        "level": len(each.path),
        "path": list(each.path),
        "keywords": list(each.keywords),
        "is_leaf": each.is_leaf,
    }
