"""What a reappraisal announces, on a topic of its own. No text and nothing of a person."""

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from tongban_common.events import Event
from tongban_hotline_dispatch.domain.reappraisal import Level, State, Track, Verdict

REAPPRAISALS = "tongban.hotline.reappraisal.v1"


class OfReappraisal(Event):
    topic: ClassVar[str] = REAPPRAISALS
    key: ClassVar[str] = "reappraisal_id"

    reappraisal_id: UUID
    ticket_id: UUID
    unit_code: str


class ReappraisalRequested(OfReappraisal):
    """申请复核: the unit contests a bad mark."""

    type: ClassVar[str] = "tongban.hotline.reappraisal-requested.v1"

    tracks: tuple[Track, ...]
    ground: str
    level: Level  # who reviews it first
    due: AwareDatetime


class ReappraisalReviewed(OfReappraisal):
    """县级复核: passed on to the city, or ended."""

    type: ClassVar[str] = "tongban.hotline.reappraisal-reviewed.v1"

    is_passed: bool
    is_by_silence: bool
    due: AwareDatetime | None  # of the city's review, where it goes on


class ReappraisalDecided(OfReappraisal):
    """复核结束: each track, and whether the mark is assessed and was reasonable."""

    type: ClassVar[str] = "tongban.hotline.reappraisal-decided.v1"

    state: State
    is_by_silence: bool
    satisfaction: Verdict | None
    resolution: Verdict | None
    is_assessable: bool
    is_reasonable: bool | None  # null: nobody judged it


class ReappraisalWithdrawn(OfReappraisal):
    """撤回复核申请: the mark stands."""

    type: ClassVar[str] = "tongban.hotline.reappraisal-withdrawn.v1"


class ReappraisalRescheduled(OfReappraisal):
    """A notice on holidays moved the end of a review."""

    type: ClassVar[str] = "tongban.hotline.reappraisal-rescheduled.v1"

    level: Level
    old_due: AwareDatetime
    new_due: AwareDatetime
    calendar_version: str


PUBLISHED: tuple[type[Event], ...] = (
    ReappraisalRequested,
    ReappraisalReviewed,
    ReappraisalDecided,
    ReappraisalWithdrawn,
    ReappraisalRescheduled,
)
