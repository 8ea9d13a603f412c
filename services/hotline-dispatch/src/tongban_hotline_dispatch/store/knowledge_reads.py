"""What is read of the knowledge base: lists, one item with all of it, the public version."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.http import PageRequest
from tongban_hotline_dispatch.domain.knowledge import (
    IN_WORK,
    PUBLIC,
    STANDING,
    Item,
    Material,
    State,
    Version,
)
from tongban_hotline_dispatch.store.knowledge import (
    ItemMove,
    ItemNotFound,
    knowledge_item,
    knowledge_move,
    knowledge_version,
    version_of,
)
from tongban_hotline_dispatch.store.reference import unit


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFilters:
    state: State | None = None
    unit_code: str | None = None
    category: str | None = None  # this one and everything below it


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionLine:
    item_id: UUID
    number: int
    state: State
    title: str
    unit_code: str
    unit_name: str | None
    category: str
    material: Material
    edited_at: datetime
    review_due_at: datetime | None
    revision: int

    @property
    def key(self) -> list[str]:
        return [self.edited_at.isoformat(), str(self.item_id), str(self.number)]


async def items(
    reads: AsyncConnection, *, filters: ItemFilters, page: PageRequest
) -> Sequence[VersionLine]:
    """Versions that stand or are in work (or in the state asked for), newest first."""
    table = knowledge_version
    order = (table.c.edited_at, table.c.item_id, table.c.number)
    statement = (
        select(table, unit.c.name.label("unit_name"), knowledge_item.c.revision)
        .join(knowledge_item, knowledge_item.c.id == table.c.item_id)
        .outerjoin(unit, unit.c.code == table.c.unit_code)
        .order_by(*(each.desc() for each in order))
        .limit(page.limit)
    )
    wanted = [*IN_WORK, *STANDING] if filters.state is None else [filters.state]
    statement = statement.where(table.c.state.in_(wanted))
    if filters.unit_code is not None:
        statement = statement.where(table.c.unit_code == filters.unit_code)
    if filters.category is not None:
        statement = statement.where(within(table.c.category, filters.category))
    if page.after is not None:
        at, item_id, number = page.after
        after = (datetime.fromisoformat(at), UUID(item_id), int(number))
        statement = statement.where(tuple_(*order) < after)
    return [_line(row) for row in await reads.execute(statement)]


async def item(
    reads: AsyncConnection, item_id: UUID, *, seen_by: str | None
) -> tuple[Item, Sequence[ItemMove]]:
    """With every version and its history; another unit's is as if it were not there.

    Raises ItemNotFound.
    """
    rows = await reads.execute(select(knowledge_item).where(knowledge_item.c.id == item_id))
    row = rows.one_or_none()
    if row is None:
        raise ItemNotFound("没有这条知识")
    versions = await reads.execute(
        select(knowledge_version)
        .where(knowledge_version.c.item_id == item_id)
        .order_by(knowledge_version.c.number)
    )
    moves = await reads.execute(
        select(knowledge_move)
        .where(knowledge_move.c.item_id == item_id)
        .order_by(knowledge_move.c.revision)
    )
    found = Item(
        id=row.id,
        versions=tuple(version_of(each) for each in versions),
        last_number=row.last_number,
        source_ticket=row.source_ticket,
        revision=row.revision,
    )
    if seen_by not in {None, found.latest.body.unit_code}:
        raise ItemNotFound("没有这条知识")
    return found, [
        ItemMove(move=each.move, actor=each.actor, at=each.at, number=each.number, note=each.note)
        for each in moves
    ]


async def public_version(reads: AsyncConnection, item_id: UUID) -> tuple[Version, str | None]:
    """What everybody may read, and the name of its unit. Raises ItemNotFound."""
    rows = await reads.execute(
        select(knowledge_version, unit.c.name.label("unit_name"))
        .outerjoin(unit, unit.c.code == knowledge_version.c.unit_code)
        .where(knowledge_version.c.item_id == item_id, knowledge_version.c.state.in_(PUBLIC))
    )
    row = rows.one_or_none()
    if row is None:
        raise ItemNotFound("没有这条知识，或者已经撤下")
    return version_of(row), row.unit_name


async def public_contents(reads: AsyncConnection, items: Sequence[UUID]) -> dict[UUID, str]:
    rows = await reads.execute(
        select(knowledge_version.c.item_id, knowledge_version.c.content).where(
            knowledge_version.c.item_id.in_(items), knowledge_version.c.state.in_(PUBLIC)
        )
    )
    return {row.item_id: row.content for row in rows}


async def categories(reads: AsyncConnection) -> Sequence[tuple[str, int]]:
    """The first levels of what stands, and how many items each has."""
    top = func.split_part(knowledge_version.c.category, "/", 1)
    rows = await reads.execute(
        select(top.label("top"), func.count().label("items"))
        .where(knowledge_version.c.state.in_(PUBLIC))
        .group_by(top)
        .order_by(func.count().desc(), top)
    )
    return [(row.top, int(row.items)) for row in rows]


def within(column: Any, category: str) -> Any:
    """The condition of a category and everything below it."""
    below = category.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return or_(column == category, and_(column.like(f"{below}/%")))


def _line(row: Row[Any]) -> VersionLine:
    return VersionLine(
        item_id=row.item_id,
        number=row.number,
        state=State(row.state),
        title=row.title,
        unit_code=row.unit_code,
        unit_name=row.unit_name,
        category=row.category,
        material=Material(row.material),
        edited_at=row.edited_at,
        review_due_at=row.review_due_at,
        revision=row.revision,
    )
