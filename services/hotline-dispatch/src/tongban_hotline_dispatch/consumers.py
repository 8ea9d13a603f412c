"""The Kafka edge: the units of intake's directory, and the reviews that citizens give."""

from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from tongban_common.db import Transaction
from tongban_common.events import Reading
from tongban_common.inbox import Subscription, ignore, on
from tongban_common.service import Kit
from tongban_hotline_dispatch.operations.callbacks import Rated, take_review
from tongban_hotline_dispatch.store.reference import Unit, Units

DIRECTORY = "tongban.intake.directory.v1"
REVIEWS = "tongban.evaluation.review.v1"


class UnitChanged(Reading):
    """A unit of the directory is new or different."""

    type: ClassVar[str] = "tongban.intake.unit-changed.v1"
    topic: ClassVar[str] = DIRECTORY

    unit_code: str
    name: str
    level: str
    is_active: bool
    parent_code: str | None = None


class ReviewSubmitted(Reading):
    """A matter was reviewed; a ticket's review is its rating, wherever it was given."""

    type: ClassVar[str] = "tongban.evaluation.review-submitted.v1"
    topic: ClassVar[str] = REVIEWS

    review_id: UUID
    matter_kind: str
    matter_id: UUID
    unit_code: str
    level: int
    channel: str


async def take_unit(tx: Transaction, changed: UnitChanged) -> None:
    unit = Unit(
        code=changed.unit_code,
        name=changed.name,
        level=changed.level,
        is_active=changed.is_active,
        parent_code=changed.parent_code,
    )
    await Units(tx).keep(unit)


async def take_rating(tx: Transaction, review: ReviewSubmitted, kit: Kit) -> None:
    if review.matter_kind != "ticket":
        return
    rated = Rated(
        ticket_id=review.matter_id,
        review_id=review.review_id,
        unit_code=review.unit_code,
        channel=review.channel,
        level=review.level,
        at=review.occurred_at,
    )
    await take_review(tx, rated, kit)


def subscriptions(kit: Kit) -> tuple[Subscription[Any], ...]:
    return (
        on(UnitChanged, take_unit),
        on(ReviewSubmitted, partial(take_rating, kit=kit)),
        *ignore(DIRECTORY, "tongban.intake.window-changed.v1", "tongban.intake.staff-changed.v1"),
    )
