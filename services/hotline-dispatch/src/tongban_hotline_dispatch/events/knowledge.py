"""What moves in the knowledge base, and what units owe it. No personal data."""

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from tongban_common.events import Event
from tongban_hotline_dispatch.domain.duties import DutyKind
from tongban_hotline_dispatch.domain.knowledge import State

KNOWLEDGE = "tongban.hotline.knowledge.v1"
DUTY = "tongban.hotline.knowledge-duty.v1"


class KnowledgeItemChanged(Event):
    """A version of an item was written, moved, or let run out."""

    type: ClassVar[str] = "tongban.hotline.knowledge-item-changed.v1"
    topic: ClassVar[str] = KNOWLEDGE
    key: ClassVar[str] = "item_id"

    item_id: UUID
    number: int
    move: str
    state: State
    unit_code: str


class _OfDuty(Event):
    topic: ClassVar[str] = DUTY
    key: ClassVar[str] = "duty_id"

    duty_id: UUID
    kind: DutyKind
    unit_code: str
    item_id: UUID | None


class KnowledgeDutyOpened(_OfDuty):
    """A unit owes the knowledge base something by a moment."""

    type: ClassVar[str] = "tongban.hotline.knowledge-duty-opened.v1"

    due: AwareDatetime


class KnowledgeDutyDone(_OfDuty):
    """It was done, in time or late."""

    type: ClassVar[str] = "tongban.hotline.knowledge-duty-done.v1"

    is_late: bool


class KnowledgeDutyMissed(_OfDuty):
    """It was not done in time: a ground for supervision (济南条例第二十八条)."""

    type: ClassVar[str] = "tongban.hotline.knowledge-duty-missed.v1"

    due: AwareDatetime


PUBLISHED: tuple[type[Event], ...] = (
    KnowledgeItemChanged,
    KnowledgeDutyOpened,
    KnowledgeDutyDone,
    KnowledgeDutyMissed,
)
