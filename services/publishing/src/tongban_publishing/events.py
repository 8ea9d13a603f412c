"""What publishing announces: bulletins published and withdrawn, and the deadline of drafts."""

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from tongban_common.events import Event
from tongban_publishing.domain.bulletin import Kind

BULLETIN = "tongban.publishing.bulletin.v1"


class _OfBulletin(Event):
    topic: ClassVar[str] = BULLETIN
    key: ClassVar[str] = "bulletin_id"

    bulletin_id: UUID


class BulletinPublished(_OfBulletin):
    """发布: everybody may read it now."""

    type: ClassVar[str] = "tongban.publishing.bulletin-published.v1"

    index_no: str
    title: str
    period_code: str
    kind: Kind = Kind.WINDOWS


class BulletinWithdrawn(_OfBulletin):
    """撤回: the content is gone, the fact and its reason stay."""

    type: ClassVar[str] = "tongban.publishing.bulletin-withdrawn.v1"

    index_no: str
    reason: str


class DeadlineApproaching(_OfBulletin):
    """A draft is about to be late."""

    type: ClassVar[str] = "tongban.publishing.deadline-approaching.v1"

    due: AwareDatetime


class DeadlineMissed(_OfBulletin):
    """A draft was not published in time."""

    type: ClassVar[str] = "tongban.publishing.deadline-missed.v1"

    due: AwareDatetime


class DeadlineRescheduled(_OfBulletin):
    """A new calendar moved the due moment of a draft."""

    type: ClassVar[str] = "tongban.publishing.deadline-rescheduled.v1"

    old_due: AwareDatetime
    new_due: AwareDatetime
    calendar_version: str


PUBLISHED: tuple[type[Event], ...] = (
    BulletinPublished,
    BulletinWithdrawn,
    DeadlineApproaching,
    DeadlineMissed,
    DeadlineRescheduled,
)
