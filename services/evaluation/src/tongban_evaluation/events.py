"""What evaluation publishes. No text of a review and nothing of a reviewer is ever in it."""

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from tongban_common.events import Event
from tongban_evaluation.domain.deadlines import Stage
from tongban_evaluation.domain.invitation import MatterKind
from tongban_evaluation.domain.rectification import Answer, Outcome, RootCause
from tongban_evaluation.domain.review import Channel

REVIEWS = "tongban.evaluation.review.v1"
RECTIFICATIONS = "tongban.evaluation.rectification.v1"


class ReviewSubmitted(Event):
    """Somebody reviewed a completed case or a closed ticket."""

    type: ClassVar[str] = "tongban.evaluation.review-submitted.v1"
    topic: ClassVar[str] = REVIEWS
    key: ClassVar[str] = "review_id"

    review_id: UUID
    matter_kind: MatterKind
    matter_id: UUID
    unit_code: str
    window_code: str | None
    level: int
    channel: Channel
    tags: tuple[str, ...]
    tag_set_version: int


class RectificationOpened(Event):
    """A bad review opened its rectification; the clock of verification runs."""

    type: ClassVar[str] = "tongban.evaluation.rectification-opened.v1"
    topic: ClassVar[str] = RECTIFICATIONS
    key: ClassVar[str] = "rectification_id"

    rectification_id: UUID
    review_id: UUID
    unit_code: str
    window_code: str | None
    level: int
    verify_due: AwareDatetime


class RectificationClosed(Event):
    """A rectification ended: rectified, or explained where nothing was substantiated."""

    type: ClassVar[str] = "tongban.evaluation.rectification-closed.v1"
    topic: ClassVar[str] = RECTIFICATIONS
    key: ClassVar[str] = "rectification_id"

    rectification_id: UUID
    review_id: UUID
    unit_code: str
    window_code: str | None
    staff_code: str | None
    is_substantiated: bool
    root_cause: RootCause | None
    outcome: Outcome
    answer: Answer | None = None  # at the last call-back


class DeadlineApproaching(Event):
    """A stage of a rectification is soon due."""

    type: ClassVar[str] = "tongban.evaluation.deadline-approaching.v1"
    topic: ClassVar[str] = RECTIFICATIONS
    key: ClassVar[str] = "rectification_id"

    rectification_id: UUID
    unit_code: str
    stage: Stage
    due: AwareDatetime


class DeadlineMissed(Event):
    """A stage of a rectification was not done in time."""

    type: ClassVar[str] = "tongban.evaluation.deadline-missed.v1"
    topic: ClassVar[str] = RECTIFICATIONS
    key: ClassVar[str] = "rectification_id"

    rectification_id: UUID
    unit_code: str
    stage: Stage
    due: AwareDatetime


class DeadlineRescheduled(Event):
    """A notice on holidays moved a deadline."""

    type: ClassVar[str] = "tongban.evaluation.deadline-rescheduled.v1"
    topic: ClassVar[str] = RECTIFICATIONS
    key: ClassVar[str] = "rectification_id"

    rectification_id: UUID
    unit_code: str
    stage: Stage
    old_due: AwareDatetime
    new_due: AwareDatetime
    calendar_version: str


EVENTS = (
    ReviewSubmitted,
    RectificationOpened,
    RectificationClosed,
    DeadlineApproaching,
    DeadlineMissed,
    DeadlineRescheduled,
)
