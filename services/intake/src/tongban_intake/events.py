"""What intake announces: its directory and catalogue as reference events, and the life of a case.

No event holds a name, a number or an address of a person; staff appear by code.
"""

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from tongban_common.events import Event
from tongban_intake.domain.case import Result
from tongban_intake.domain.catalogue import CaseKind
from tongban_intake.domain.deadlines import Clock
from tongban_intake.domain.directory import Level, Role, UnitKind, WindowKind

DIRECTORY = "tongban.intake.directory.v1"
ITEM = "tongban.intake.item.v1"
CASE = "tongban.intake.case.v1"


class UnitChanged(Event):
    """A unit of the directory is new or different."""

    type: ClassVar[str] = "tongban.intake.unit-changed.v1"
    topic: ClassVar[str] = DIRECTORY
    key: ClassVar[str] = "unit_code"

    unit_code: str
    name: str
    kind: UnitKind
    level: Level
    parent_code: str | None
    division_code: str
    is_active: bool


class WindowChanged(Event):
    """A window is new or different."""

    type: ClassVar[str] = "tongban.intake.window-changed.v1"
    topic: ClassVar[str] = DIRECTORY
    key: ClassVar[str] = "unit_code"

    window_code: str
    unit_code: str
    name: str
    kind: WindowKind
    is_active: bool


class StaffChanged(Event):
    """A member of staff is new or placed differently. There is no name in it."""

    type: ClassVar[str] = "tongban.intake.staff-changed.v1"
    topic: ClassVar[str] = DIRECTORY
    key: ClassVar[str] = "unit_code"

    staff_code: str
    unit_code: str
    window_code: str | None
    role: Role
    is_active: bool


class ItemChanged(Event):
    """Another version of an item is in force, or the item opened or closed."""

    type: ClassVar[str] = "tongban.intake.item-changed.v1"
    topic: ClassVar[str] = ITEM
    key: ClassVar[str] = "item_code"

    item_code: str
    version: int
    name: str
    unit_code: str
    case_kind: CaseKind
    is_active: bool


class CaseAccepted(Event):
    """受理: the clocks run from here."""

    type: ClassVar[str] = "tongban.intake.case-accepted.v1"
    topic: ClassVar[str] = CASE
    key: ClassVar[str] = "case_id"

    case_id: UUID
    item_code: str
    unit_code: str
    window_code: str
    promise_due: AwareDatetime
    legal_due: AwareDatetime


class CaseDecided(Event):
    """决定: granted or refused."""

    type: ClassVar[str] = "tongban.intake.case-decided.v1"
    topic: ClassVar[str] = CASE
    key: ClassVar[str] = "case_id"

    case_id: UUID
    result: Result


class CaseCompleted(Event):
    """办结: may be reviewed now; lateness is against the promise."""

    type: ClassVar[str] = "tongban.intake.case-completed.v1"
    topic: ClassVar[str] = CASE
    key: ClassVar[str] = "case_id"

    case_id: UUID
    item_code: str
    item_name: str
    unit_code: str
    window_code: str
    staff_code: str | None
    result: Result
    completed_at: AwareDatetime
    is_overdue: bool
    overdue_working_days: int


class _CaseDeadline(Event):
    topic: ClassVar[str] = CASE
    key: ClassVar[str] = "case_id"

    case_id: UUID
    unit_code: str
    window_code: str
    kind: Clock
    due: AwareDatetime


class DeadlineApproaching(_CaseDeadline):
    """A clock of an open case is about to run out."""

    type: ClassVar[str] = "tongban.intake.deadline-approaching.v1"


class DeadlineMissed(_CaseDeadline):
    """A clock of an open case ran out."""

    type: ClassVar[str] = "tongban.intake.deadline-missed.v1"


class DeadlineRescheduled(Event):
    """A notice on holidays moved the due day of an open case."""

    type: ClassVar[str] = "tongban.intake.deadline-rescheduled.v1"
    topic: ClassVar[str] = CASE
    key: ClassVar[str] = "case_id"

    case_id: UUID
    kind: Clock
    old_due: AwareDatetime
    new_due: AwareDatetime
    calendar_version: str


PUBLISHED: tuple[type[Event], ...] = (
    UnitChanged,
    WindowChanged,
    StaffChanged,
    ItemChanged,
    CaseAccepted,
    CaseDecided,
    CaseCompleted,
    DeadlineApproaching,
    DeadlineMissed,
    DeadlineRescheduled,
)
