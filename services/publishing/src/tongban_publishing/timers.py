"""The time edge: a draft that is nearly, or over, its day of publication."""

from typing import Any

from tongban_common.service import Kit
from tongban_common.timers import OnDue, on_due
from tongban_publishing import operations


def handlers(_: Kit) -> tuple[OnDue[Any], ...]:
    return (
        on_due(
            operations.PUBLICATION_DUE,
            lock=operations.lock_bulletin,
            missed=operations.miss,
            approaching=operations.warn,
            rescheduled=operations.reschedule,
        ),
    )
