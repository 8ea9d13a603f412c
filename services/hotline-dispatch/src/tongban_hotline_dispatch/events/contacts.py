"""Who answers for a unit, as the hotline announces it. No personal data."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from tongban_common.events import Event
from tongban_hotline_dispatch.domain.contacts import Change, ContactRole

UNIT = "tongban.hotline.unit.v1"


class _OfUnit(Event):
    topic: ClassVar[str] = UNIT
    key: ClassVar[str] = "unit_code"

    unit_code: str


class UnitContactChanged(_OfUnit):
    """备案: a post of the unit changed hands; how many open tickets went to the successor."""

    type: ClassVar[str] = "tongban.hotline.unit-contact-changed.v1"

    contact_id: UUID
    role: ContactRole
    change: Change
    completed_on: date
    filing_due: AwareDatetime | None
    is_late: bool
    handed_over: int


class UnitContactMissing(_OfUnit):
    """A night found the unit without an active contact in these roles: said once a change."""

    type: ClassVar[str] = "tongban.hotline.unit-contact-missing.v1"

    roles: list[ContactRole]
    since: date
    found_on: date


class ContactsChecked(Event):
    """The nightly check was made: one a day."""

    type: ClassVar[str] = "tongban.hotline.contacts-checked.v1"
    topic: ClassVar[str] = "tongban.hotline.contact-check.v1"
    key: ClassVar[str] = "day"

    day: date
    units: int
    without_contact: int


class UnitContactsAsked(_OfUnit):
    """A quarter began: the unit is to confirm its contacts."""

    type: ClassVar[str] = "tongban.hotline.unit-contacts-asked.v1"

    quarter: str
    due: AwareDatetime


class UnitContactsConfirmed(_OfUnit):
    """The unit confirmed its contacts of the quarter."""

    type: ClassVar[str] = "tongban.hotline.unit-contacts-confirmed.v1"

    quarter: str
    is_late: bool


class UnitContactsUnconfirmed(_OfUnit):
    """The unit let the confirmation of the quarter run out."""

    type: ClassVar[str] = "tongban.hotline.unit-contacts-unconfirmed.v1"

    quarter: str
    due: AwareDatetime


PUBLISHED: tuple[type[Event], ...] = (
    UnitContactChanged,
    UnitContactMissing,
    ContactsChecked,
    UnitContactsAsked,
    UnitContactsConfirmed,
    UnitContactsUnconfirmed,
)
