"""Invitations and reviews: one of each for a matter, which the database guarantees."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Integer,
    Row,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from tongban_common.db import Transaction
from tongban_common.errors import NotFound
from tongban_common.working_days import SHANGHAI, Limit, Unit
from tongban_evaluation.domain.deadlines import Term
from tongban_evaluation.domain.invitation import AlreadyReviewed, Invitation, Matter, MatterKind
from tongban_evaluation.domain.review import Review
from tongban_evaluation.store import metadata

invitation = Table(
    "invitation",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("matter_kind", Text, nullable=False),
    Column("matter_id", Uuid, nullable=False),
    Column("title", Text, nullable=False),
    Column("unit_code", Text, nullable=False),
    Column("window_code", Text),
    Column("staff_code", Text),
    Column("limits_version", Integer, nullable=False),
    Column("start_at", DateTime(timezone=True), nullable=False),
    Column("amount", Integer, nullable=False),
    Column("unit", Text, nullable=False),
    Column("clause", Text, nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("calendar_version", Text, nullable=False),
    Column("used_at", DateTime(timezone=True)),
    UniqueConstraint("matter_kind", "matter_id"),
)
review = Table(
    "review",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("matter_kind", Text, nullable=False),
    Column("matter_id", Uuid, nullable=False),
    Column("unit_code", Text, nullable=False),
    Column("window_code", Text),
    Column("staff_code", Text),
    Column("level", SmallInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("tags", ARRAY(Text), nullable=False),
    Column("tag_set_version", Integer, nullable=False),
    Column("comment", Text),
    Column("origin", Text, nullable=False),
    Column("proof_kind", Text),
    Column("proof_ref", Text),
    Column("submitted_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("matter_kind", "matter_id"),
    CheckConstraint("level BETWEEN 1 AND 5", name="level"),
    # whoever writes here: an active review names the proof of its origin
    CheckConstraint(
        "(origin = 'active') = (proof_kind IS NOT NULL AND proof_ref IS NOT NULL)", name="proof"
    ),
)


class InvitationNotFound(NotFound):
    code = "invitation.not_found"


class Invitations:
    def __init__(self, tx: Transaction) -> None:
        self._connection = tx.connection

    async def add(self, invited: Invitation) -> None:
        """Once per matter: a second one for the same matter changes nothing."""
        matter, window = invited.matter, invited.window
        await self._connection.execute(
            insert(invitation)
            .values(
                id=invited.id,
                matter_kind=matter.kind,
                matter_id=matter.id,
                title=matter.title,
                unit_code=matter.unit_code,
                window_code=matter.window_code,
                staff_code=matter.staff_code,
                limits_version=invited.limits_version,
                start_at=window.start_at,
                amount=window.limit.amount,
                unit=window.limit.unit,
                clause=window.limit.clause,
                due_at=window.due_at,
                calendar_version=window.calendar_version,
                used_at=invited.used_at,
            )
            .on_conflict_do_nothing()
        )

    async def get(self, invitation_id: UUID) -> Invitation:
        """Locked until the transaction ends. Raises InvitationNotFound."""
        found = await self._connection.execute(
            select(invitation).where(invitation.c.id == invitation_id).with_for_update()
        )
        row = found.one_or_none()
        if row is None:
            raise InvitationNotFound("没有这个评价邀请")
        return invitation_of(row)

    async def of_matter(self, matter: Matter) -> Invitation:
        """Locked until the transaction ends. Raises InvitationNotFound."""
        found = await self._connection.execute(
            select(invitation)
            .where(invitation.c.matter_kind == matter.kind, invitation.c.matter_id == matter.id)
            .with_for_update()
        )
        row = found.one_or_none()
        if row is None:
            raise InvitationNotFound("没有这个评价邀请")
        return invitation_of(row)

    async def save(self, used: Invitation) -> None:
        await self._connection.execute(
            invitation.update().where(invitation.c.id == used.id).values(used_at=used.used_at)
        )


class Reviews:
    def __init__(self, tx: Transaction) -> None:
        self._connection = tx.connection

    async def add(self, given: Review) -> None:
        """Raises AlreadyReviewed when the matter has a review."""
        matter, opinion, proof = given.matter, given.opinion, given.proof
        added = await self._connection.execute(
            insert(review)
            .values(
                id=given.id,
                matter_kind=matter.kind,
                matter_id=matter.id,
                unit_code=matter.unit_code,
                window_code=matter.window_code,
                staff_code=matter.staff_code,
                level=opinion.level,
                channel=opinion.channel,
                tags=list(opinion.tags),
                tag_set_version=given.scale_version,
                comment=opinion.comment,
                origin=given.origin,
                proof_kind=None if proof is None else proof.kind,
                proof_ref=None if proof is None else proof.ref,
                submitted_at=given.submitted_at,
            )
            .on_conflict_do_nothing()
            .returning(review.c.id)
        )
        if added.one_or_none() is None:
            raise AlreadyReviewed("这件事已经评价过了，每件事只评价一次")


def invitation_of(row: Row[Any]) -> Invitation:
    return Invitation(
        id=row.id,
        matter=Matter(
            kind=MatterKind(row.matter_kind),
            id=row.matter_id,
            title=row.title,
            unit_code=row.unit_code,
            window_code=row.window_code,
            staff_code=row.staff_code,
        ),
        window=term_of(row),
        limits_version=row.limits_version,
        used_at=row.used_at,
    )


def term_of(row: Row[Any]) -> Term:
    return Term(
        start_at=row.start_at,
        limit=Limit(amount=row.amount, unit=Unit(row.unit), clause=row.clause),
        due_at=row.due_at.astimezone(SHANGHAI),
        calendar_version=row.calendar_version,
    )
