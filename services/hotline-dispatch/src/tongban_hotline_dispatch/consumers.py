"""The Kafka edge: the units of intake's directory, to which tickets may be assigned."""

from typing import Any, ClassVar

from tongban_common.db import Transaction
from tongban_common.events import Reading
from tongban_common.inbox import Subscription, ignore, on
from tongban_common.service import Kit
from tongban_hotline_dispatch.store.reference import Unit, Units

DIRECTORY = "tongban.intake.directory.v1"


class UnitChanged(Reading):
    """A unit of the directory is new or different."""

    type: ClassVar[str] = "tongban.intake.unit-changed.v1"
    topic: ClassVar[str] = DIRECTORY

    unit_code: str
    name: str
    level: str
    is_active: bool
    parent_code: str | None = None


async def take_unit(tx: Transaction, changed: UnitChanged) -> None:
    unit = Unit(
        code=changed.unit_code,
        name=changed.name,
        level=changed.level,
        is_active=changed.is_active,
        parent_code=changed.parent_code,
    )
    await Units(tx).keep(unit)


def subscriptions(_: Kit) -> tuple[Subscription[Any], ...]:
    return (
        on(UnitChanged, take_unit),
        *ignore(DIRECTORY, "tongban.intake.window-changed.v1", "tongban.intake.staff-changed.v1"),
    )
