"""The items of the knowledge base with their versions and their moves."""

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
    Row,
    Table,
    Text,
    Uuid,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from tongban_common.db import Transaction
from tongban_common.errors import Conflict, NotFound
from tongban_common.working_days import Limit, Unit
from tongban_hotline_dispatch.domain.knowledge import (
    IN_WORK,
    STANDING,
    Body,
    Item,
    Material,
    ReviewTerm,
    State,
    Version,
)
from tongban_hotline_dispatch.store.reference import metadata

knowledge_item = Table(
    "knowledge_item",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("last_number", Integer, nullable=False),
    Column("source_ticket", Uuid),
    Column("revision", Integer, nullable=False),
)
Index(
    "uq_knowledge_item_source",
    knowledge_item.c.source_ticket,
    unique=True,
    postgresql_where=text("source_ticket IS NOT NULL"),
)
knowledge_version = Table(
    "knowledge_version",
    metadata,
    Column("item_id", ForeignKey("knowledge_item.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("state", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("title_key", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("unit_code", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("material", Text, nullable=False),
    Column("keywords", ARRAY(Text), nullable=False),
    Column("author", Text, nullable=False),
    Column("edited_at", DateTime(timezone=True), nullable=False),
    Column("submitted_by", Text),
    Column("reviewed_by", Text),
    Column("published_at", DateTime(timezone=True)),
    Column("review_start_at", DateTime(timezone=True)),
    Column("review_amount", Integer),
    Column("review_unit", Text),
    Column("review_clause", Text),
    Column("review_due_at", DateTime(timezone=True)),
    Column("review_warn_at", DateTime(timezone=True)),
    Column("review_policy", Text),
    Column("review_calendar", Text),
    Column("remark", Text),
)
_IS_IN_WORK = text("state IN ('draft', 'submitted', 'reviewed')")
_IS_STANDING = text("state IN ('published', 'expiring', 'expired')")
# One item may have a standing version and one in work under the same title, so there are two.
Index(
    "uq_knowledge_version_title_in_work",
    knowledge_version.c.title_key,
    unique=True,
    postgresql_where=_IS_IN_WORK,
)
Index(
    "uq_knowledge_version_title_standing",
    knowledge_version.c.title_key,
    unique=True,
    postgresql_where=_IS_STANDING,
)
Index(
    "ix_knowledge_version_newest",
    knowledge_version.c.edited_at.desc(),
    knowledge_version.c.item_id.desc(),
)
Index("ix_knowledge_version_unit", knowledge_version.c.unit_code, knowledge_version.c.state)
knowledge_move = Table(
    "knowledge_move",
    metadata,
    Column("item_id", ForeignKey("knowledge_item.id"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("move", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("note", Text),
)


class ItemNotFound(NotFound):
    code = "knowledge.not_found"


class TitleTaken(Conflict):
    code = "knowledge.title_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemMove:
    """One line of an item's history."""

    move: str
    actor: str
    at: datetime
    number: int
    note: str | None = None


class Items:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def get(self, item_id: UUID) -> Item:
        """Locks the item, with the versions that stand or are in work. Raises ItemNotFound."""
        rows = await self._tx.connection.execute(
            select(knowledge_item).where(knowledge_item.c.id == item_id).with_for_update()
        )
        row = rows.one_or_none()
        if row is None:
            raise ItemNotFound("没有这条知识")
        versions = await self._tx.connection.execute(
            select(knowledge_version)
            .where(
                knowledge_version.c.item_id == item_id,
                or_(
                    knowledge_version.c.state.in_([*IN_WORK, *STANDING]),
                    knowledge_version.c.number == row.last_number,
                ),
            )
            .order_by(knowledge_version.c.number)
        )
        return Item(
            id=row.id,
            versions=tuple(version_of(each) for each in versions),
            last_number=row.last_number,
            source_ticket=row.source_ticket,
            revision=row.revision,
        )

    async def has_source(self, ticket_id: UUID) -> bool:
        rows = await self._tx.connection.execute(
            select(knowledge_item.c.id).where(knowledge_item.c.source_ticket == ticket_id)
        )
        return rows.one_or_none() is not None

    async def title_is_free(self, body: Body, *, but: UUID | None = None) -> bool:
        statement = select(knowledge_version.c.item_id).where(
            knowledge_version.c.title_key == body.title_key,
            knowledge_version.c.state.in_([*IN_WORK, *STANDING]),
        )
        if but is not None:
            statement = statement.where(knowledge_version.c.item_id != but)
        return (await self._tx.connection.execute(statement.limit(1))).one_or_none() is None

    async def add(self, new: Item, move: ItemMove) -> None:
        """Raises TitleTaken."""
        await self._check_title(new)
        await self._tx.connection.execute(
            insert(knowledge_item).values(
                id=new.id,
                last_number=new.last_number,
                source_ticket=new.source_ticket,
                revision=new.revision,
            )
        )
        await self._keep(new)
        await self._note(new, move)

    async def save(self, moved: Item, move: ItemMove) -> None:
        """The item after a move, and the move in its history. Raises TitleTaken."""
        await self._check_title(moved)
        await self.save_redated(moved)
        await self._note(moved, move)

    async def save_redated(self, item: Item) -> None:
        await self._tx.connection.execute(
            update(knowledge_item)
            .where(knowledge_item.c.id == item.id)
            .values(last_number=item.last_number, revision=item.revision)
        )
        await self._keep(item)

    async def _check_title(self, item: Item) -> None:
        """One title at a time: between the look and the keeping nobody takes it."""
        body = item.latest.body
        await self._tx.connection.execute(
            select(func.pg_advisory_xact_lock(func.hashtext(f"knowledge title {body.title_key}")))
        )
        if item.latest.state in IN_WORK | STANDING and not await self.title_is_free(
            body, but=item.id
        ):
            raise TitleTaken("已有同名的知识，请修改标题或者更新原有知识")

    async def _keep(self, item: Item) -> None:
        # what ends first: only then is its title free for what takes its place
        for version in sorted(item.versions, key=lambda each: each.state in STANDING):
            values = _version_values(item.id, version)
            await self._tx.connection.execute(
                upsert(knowledge_version)
                .values(values)
                .on_conflict_do_update(
                    index_elements=["item_id", "number"],
                    set_={k: v for k, v in values.items() if k not in {"item_id", "number"}},
                )
            )

    async def _note(self, item: Item, move: ItemMove) -> None:
        await self._tx.connection.execute(
            insert(knowledge_move).values(
                item_id=item.id,
                revision=item.revision,
                number=move.number,
                move=move.move,
                actor=move.actor,
                at=move.at,
                note=move.note,
            )
        )


def version_of(row: Row[Any]) -> Version:
    return Version(
        number=row.number,
        state=State(row.state),
        body=Body(
            title=row.title,
            content=row.content,
            unit_code=row.unit_code,
            category=row.category,
            material=Material(row.material),
            keywords=tuple(row.keywords),
        ),
        author=row.author,
        edited_at=row.edited_at,
        submitted_by=row.submitted_by,
        reviewed_by=row.reviewed_by,
        published_at=row.published_at,
        term=_term(row),
        remark=row.remark,
    )


def _term(row: Row[Any]) -> ReviewTerm | None:
    if row.review_due_at is None:
        return None
    return ReviewTerm(
        start_at=row.review_start_at,
        limit=Limit(amount=row.review_amount, unit=Unit(row.review_unit), clause=row.review_clause),
        due_at=row.review_due_at,
        warn_at=row.review_warn_at,
        policy=row.review_policy,
        calendar_version=row.review_calendar,
    )


def _version_values(item_id: UUID, version: Version) -> dict[str, object]:
    body, term = version.body, version.term
    return {
        "item_id": item_id,
        "number": version.number,
        "state": version.state,
        "title": body.title,
        "title_key": body.title_key,
        "content": body.content,
        "unit_code": body.unit_code,
        "category": body.category,
        "material": body.material,
        "keywords": list(body.keywords),
        "author": version.author,
        "edited_at": version.edited_at,
        "submitted_by": version.submitted_by,
        "reviewed_by": version.reviewed_by,
        "published_at": version.published_at,
        "review_start_at": None if term is None else term.start_at,
        "review_amount": None if term is None else term.limit.amount,
        "review_unit": None if term is None else term.limit.unit,
        "review_clause": None if term is None else term.limit.clause,
        "review_due_at": None if term is None else term.due_at,
        "review_warn_at": None if term is None else term.warn_at,
        "review_policy": None if term is None else term.policy,
        "review_calendar": None if term is None else term.calendar_version,
        "remark": version.remark,
    }
