"""How people routed tickets, beside what was proposed to them: what a classifier learns from.

Title and content stand here masked, by themselves: they outlive what a ticket may have to forget.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    Uuid,
    case,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_common.policies import Policy, PolicyKind
from tongban_common.privacy import Sealer
from tongban_hotline_dispatch.domain.appeal import HIDDEN
from tongban_hotline_dispatch.domain.suggesting import Source, Tuning
from tongban_hotline_dispatch.store.complainants import complainant, opened
from tongban_hotline_dispatch.store.reference import metadata
from tongban_hotline_dispatch.store.tickets import ticket

routing_decision = Table(
    "routing_decision",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("ticket_id", ForeignKey("ticket.id"), nullable=False),
    Column("decided_at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),  # the subject of a token, never a name
    Column("title", Text, nullable=False),  # masked, as the content
    Column("content", Text, nullable=False),
    Column("matter_version", Integer),
    Column("matter_code", Text),
    Column("matter_path", ARRAY(Text), nullable=False),
    Column("unit_code", Text),
    Column("proposed_matter", Text),
    Column("proposed_unit", Text),
    Column("source", Text),
    Column("confidence", Numeric(5, 4)),
    Column("made_with", JSONB, nullable=False),
    Column("is_correction", Boolean),  # null: nothing had been proposed
)
Index("ix_routing_decision_ticket", routing_decision.c.ticket_id, routing_decision.c.decided_at)
Index("ix_routing_decision_at", routing_decision.c.decided_at)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    clause: str = Field(min_length=1)


class _Shown(_Part):
    most: int = Field(ge=1, le=10)
    least_confidence: Decimal = Field(ge=0, le=1)


class _Believed(_Part):
    confidence: Decimal = Field(ge=0, le=1)


class _Names(_Part):
    smoothing: Decimal = Field(gt=0, le=1000)


class _Hours(_Part):
    hours: int = Field(ge=1, le=24 * 30)


class _Classifiers(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    category: str
    matter: str
    unit: str


class RoutingPolicy(Policy):
    """`policies/routing.yaml`."""

    shown: _Shown
    keyword_rules: _Believed
    matter_names: _Names
    place_only: _Believed
    suggestion_hours: _Hours
    classifiers: _Classifiers

    def tuning(self) -> Tuning:
        return Tuning(
            most=self.shown.most,
            least_confidence=float(self.shown.least_confidence),
            keyword_confidence=float(self.keyword_rules.confidence),
            name_smoothing=float(self.matter_names.smoothing),
            place_confidence=float(self.place_only.confidence),
        )


ROUTING = PolicyKind("tongban_hotline_dispatch", "routing.yaml", RoutingPolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """What a person had before them."""

    matter_code: str | None
    unit_code: str | None
    source: Source | None
    confidence: Decimal | None
    made_with: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person chose."""

    id: UUID
    ticket_id: UUID
    decided_at: datetime
    actor: str
    title: str
    content: str
    matter_version: int | None
    matter_code: str | None
    matter_path: tuple[str, ...]
    unit_code: str | None
    proposed: Proposed | None
    is_correction: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The last decision on a ticket, as something to learn from."""

    title: str
    content: str
    matter_code: str | None
    matter_path: tuple[str, ...]
    unit_code: str | None
    is_correction: bool | None
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """How often what a source proposed was taken."""

    source: Source
    decided: int
    confirmed: int


class Decisions:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def add(self, made: Decision) -> None:
        proposed = made.proposed
        await self._tx.connection.execute(
            insert(routing_decision).values(
                id=made.id,
                ticket_id=made.ticket_id,
                decided_at=made.decided_at,
                actor=made.actor,
                title=made.title,
                content=made.content,
                matter_version=made.matter_version,
                matter_code=made.matter_code,
                matter_path=list(made.matter_path),
                unit_code=made.unit_code,
                proposed_matter=proposed and proposed.matter_code,
                proposed_unit=proposed and proposed.unit_code,
                source=proposed and proposed.source,
                confidence=proposed and proposed.confidence,
                made_with=dict(proposed.made_with) if proposed else {},
                is_correction=made.is_correction,
            )
        )


async def latest_decisions(reads: AsyncConnection) -> AsyncIterator[Chosen]:
    """The last decision on each ticket, read as a stream."""
    decided = routing_decision.c
    latest = (
        select(routing_decision)
        .where(decided.content != HIDDEN)  # under seal: nothing to learn from
        .ext(distinct_on(decided.ticket_id))
        .order_by(decided.ticket_id, decided.decided_at.desc(), decided.id.desc())
    )
    async with reads.stream(latest) as rows:
        async for row in rows:
            yield Chosen(
                title=row.title,
                content=row.content,
                matter_code=row.matter_code,
                matter_path=tuple(row.matter_path),
                unit_code=row.unit_code,
                is_correction=row.is_correction,
                decided_at=row.decided_at,
            )


async def complainant_name(tx: Transaction, ticket_id: UUID, sealer: Sealer) -> str | None:
    """In clear, to be hidden from what is kept."""
    rows = await tx.connection.execute(
        select(complainant).where(complainant.c.ticket_id == ticket_id)
    )
    return opened(rows.one_or_none(), ticket_id, sealer).name


async def confirmed_by_source(reads: AsyncConnection) -> list[Confirmed]:
    decided = routing_decision.c
    rows = await reads.execute(
        select(
            decided.source,
            func.count().label("decided"),
            func.count(case((decided.is_correction.is_(False), 1))).label("confirmed"),
        )
        .where(decided.is_correction.is_not(None))
        .group_by(decided.source)
        .order_by(decided.source)
    )
    return [
        Confirmed(source=Source(row.source), decided=row.decided, confirmed=row.confirmed)
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Told:
    """What a ticket says, and the unit that it is about."""

    id: UUID
    title: str
    content: str
    target: str | None


async def told(reads: AsyncConnection, ticket_ids: Sequence[UUID]) -> list[Told]:
    t = ticket.c
    statement = select(t.id, t.title, t.content, t.target_unit_code)
    rows = await reads.execute(statement.where(t.id.in_(ticket_ids)))
    return [Told(*row) for row in rows]
