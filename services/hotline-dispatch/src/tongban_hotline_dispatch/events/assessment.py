"""What the hotline announces of the assessment of units, and of what is left out of it."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from tongban_common.events import Event
from tongban_hotline_dispatch.domain.assessment import Listed, PublishMode
from tongban_hotline_dispatch.domain.periods import PeriodType

ASSESSMENT = "tongban.hotline.assessment.v1"
BULLETIN = "tongban.hotline.bulletin.v1"
EXCLUSION = "tongban.hotline.exclusion.v1"


class AssessedUnit(BaseModel):
    """One unit's place; its points stay inside. Rates are texts of a decimal from 0 to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit_code: str
    group: str
    tier: str | None
    indicators: dict[str, str | None]  # null: nothing to count, or too few to tell
    rank: int | None  # only where the mode is ranked
    listed: Listed | None  # only where the mode is red_black_list
    needs_rectification: bool


class AssessmentFinished(Event):
    """核算完成: one run of one period. What may be made public goes by the mode."""

    type: ClassVar[str] = "tongban.hotline.assessment-finished.v1"
    topic: ClassVar[str] = ASSESSMENT
    key: ClassVar[str] = "assessment_id"

    assessment_id: UUID
    period_type: PeriodType
    period_code: str
    starts_on: date
    ends_on: date
    policy_version: int
    run: int
    mode: PublishMode
    names: dict[str, str]  # of the indicators, the groups and the tiers, by their codes
    units: tuple[AssessedUnit, ...]


class BulletinMade(Event):
    """编制月度通报: a version of one month's bulletin; what it says goes by the mode."""

    type: ClassVar[str] = "tongban.hotline.bulletin-made.v1"
    topic: ClassVar[str] = BULLETIN
    key: ClassVar[str] = "period_code"

    assessment_id: UUID
    period_code: str
    version: int
    run: int
    mode: PublishMode


class OfExclusion(Event):
    topic: ClassVar[str] = EXCLUSION
    key: ClassVar[str] = "exclusion_id"

    exclusion_id: UUID
    ticket_id: UUID
    unit_code: str


class ExclusionProposed(OfExclusion):
    """申请不计入考核."""

    type: ClassVar[str] = "tongban.hotline.exclusion-proposed.v1"

    reason: str


class ExclusionHearingOpened(OfExclusion):
    """决定听证."""

    type: ClassVar[str] = "tongban.hotline.exclusion-hearing-opened.v1"

    hearing_on: date


class ExclusionHearingHeld(OfExclusion):
    """听证结束."""

    type: ClassVar[str] = "tongban.hotline.exclusion-hearing-held.v1"


class ExclusionSeconded(OfExclusion):
    """一人同意; another one has to."""

    type: ClassVar[str] = "tongban.hotline.exclusion-seconded.v1"


class ExclusionApproved(OfExclusion):
    """二人同意: from the next run on it does not count."""

    type: ClassVar[str] = "tongban.hotline.exclusion-approved.v1"

    reason: str


class ExclusionRejected(OfExclusion):
    """不予排除."""

    type: ClassVar[str] = "tongban.hotline.exclusion-rejected.v1"


class ExclusionWithdrawn(OfExclusion):
    """撤回申请."""

    type: ClassVar[str] = "tongban.hotline.exclusion-withdrawn.v1"


class ExclusionAudited(OfExclusion):
    """抽查核查, by a third person."""

    type: ClassVar[str] = "tongban.hotline.exclusion-audited.v1"

    is_right: bool


class ExclusionAuditDrawn(Event):
    """抽样: which ones are looked at, and how anybody can draw them again."""

    type: ClassVar[str] = "tongban.hotline.exclusion-audit-drawn.v1"
    topic: ClassVar[str] = EXCLUSION
    key: ClassVar[str] = "audit_id"

    audit_id: UUID
    period_code: str
    seed: str
    population: int
    exclusion_ids: tuple[UUID, ...]


PUBLISHED: tuple[type[Event], ...] = (
    AssessmentFinished,
    BulletinMade,
    ExclusionProposed,
    ExclusionHearingOpened,
    ExclusionHearingHeld,
    ExclusionSeconded,
    ExclusionApproved,
    ExclusionRejected,
    ExclusionWithdrawn,
    ExclusionAudited,
    ExclusionAuditDrawn,
)
