"""The time edge: what happens when a clock of a ticket is nearly, or over, due."""

from functools import partial
from typing import Any

from tongban_common.service import Kit
from tongban_common.timers import OnDue, on_due
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.assignment import Clock


def handlers(kit: Kit) -> tuple[OnDue[Any], ...]:
    return tuple(
        on_due(
            clock,
            lock=operations.lock_ticket,
            missed=partial(operations.miss, kit=kit),
            approaching=operations.warn,
            rescheduled=operations.reschedule,
            due_of=operations.due_of,
        )
        for clock in Clock
    )
