"""The time edge: what happens when a clock of a ticket is nearly, or over, due."""

from typing import Any

from tongban_common.service import Kit
from tongban_common.timers import OnDue, on_due
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.ticket import Clock


def handlers(_: Kit) -> tuple[OnDue[Any], ...]:
    return tuple(
        on_due(
            clock,
            lock=operations.lock_ticket,
            missed=operations.miss,
            approaching=operations.warn,
            rescheduled=operations.reschedule,
        )
        for clock in Clock
    )
