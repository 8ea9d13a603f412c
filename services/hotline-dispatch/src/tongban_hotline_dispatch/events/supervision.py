"""Supervision as the hotline announces it. No personal data, and no words of anybody."""

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from tongban_common.events import Event
from tongban_hotline_dispatch.domain.supervision_rules import Colour, Form, Kind, Level

SUPERVISION = "tongban.hotline.supervision.v1"


class OfSupervision(Event):
    topic: ClassVar[str] = SUPERVISION
    key: ClassVar[str] = "supervision_id"

    supervision_id: UUID


class SupervisionIssued(OfSupervision):
    """督办下达: by the ladder, a pattern or a person."""

    type: ClassVar[str] = "tongban.hotline.supervision-issued.v1"

    kind: Kind
    level: Level | None
    form: Form | None
    cause: str
    ticket_ids: list[UUID]
    unit_codes: list[str]
    reply_due: AwareDatetime | None
    is_published: bool
    policy_version: str


class SupervisionNoticed(OfSupervision):
    """再次通知: a further notice of the same supervision."""

    type: ClassVar[str] = "tongban.hotline.supervision-noticed.v1"

    level: Level | None
    cause: str
    unit_codes: list[str]


class SupervisionAnswered(OfSupervision):
    """督办回复: one unit answered."""

    type: ClassVar[str] = "tongban.hotline.supervision-answered.v1"

    unit_code: str
    is_late: bool
    is_complete: bool


class SupervisionDecided(OfSupervision):
    """督办审核: accepted, or sent back with a new limit."""

    type: ClassVar[str] = "tongban.hotline.supervision-decided.v1"

    is_accepted: bool
    reply_due: AwareDatetime | None


class SupervisionReplyMissed(OfSupervision):
    """督办逾期未回复."""

    type: ClassVar[str] = "tongban.hotline.supervision-reply-missed.v1"

    unit_codes: list[str]
    due: AwareDatetime


class SupervisionRescheduled(OfSupervision):
    """A new calendar moved the due moment of an answer."""

    type: ClassVar[str] = "tongban.hotline.supervision-rescheduled.v1"

    old_due: AwareDatetime
    new_due: AwareDatetime
    calendar_version: str


class SupervisionClosed(OfSupervision):
    """督办办结."""

    type: ClassVar[str] = "tongban.hotline.supervision-closed.v1"

    is_accepted: bool
    was_missed: bool


class CardIssued(OfSupervision):
    """发牌: yellow or red."""

    type: ClassVar[str] = "tongban.hotline.card-issued.v1"

    card_id: UUID
    unit_code: str
    colour: Colour
    contest_due: AwareDatetime


class CardContested(OfSupervision):
    """申诉: the unit contests its card."""

    type: ClassVar[str] = "tongban.hotline.card-contested.v1"

    card_id: UUID
    unit_code: str


class CardDecided(OfSupervision):
    """申诉审核: upheld or revoked."""

    type: ClassVar[str] = "tongban.hotline.card-decided.v1"

    card_id: UUID
    unit_code: str
    colour: Colour
    is_revoked: bool


class CardWaived(OfSupervision):
    """免除: for a reason of the policy."""

    type: ClassVar[str] = "tongban.hotline.card-waived.v1"

    card_id: UUID
    unit_code: str
    colour: Colour
    reason: str


class AccountabilityProposed(OfSupervision):
    """提出问责线索: it goes out only when another person approves."""

    type: ClassVar[str] = "tongban.hotline.accountability-proposed.v1"

    ground: str
    ticket_ids: list[UUID]
    unit_codes: list[str]


class AccountabilityDecided(OfSupervision):
    """审批问责线索."""

    type: ClassVar[str] = "tongban.hotline.accountability-decided.v1"

    is_approved: bool


PUBLISHED = (
    SupervisionIssued,
    SupervisionNoticed,
    SupervisionAnswered,
    SupervisionDecided,
    SupervisionReplyMissed,
    SupervisionRescheduled,
    SupervisionClosed,
    CardIssued,
    CardContested,
    CardDecided,
    CardWaived,
    AccountabilityProposed,
    AccountabilityDecided,
)
