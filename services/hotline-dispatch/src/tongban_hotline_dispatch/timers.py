"""The time edge: what happens when a clock of a ticket is nearly, or over, due."""

from functools import partial
from typing import Any

from tongban_common.service import Kit
from tongban_common.timers import OnDue, on_due
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.assignment import Clock
from tongban_hotline_dispatch.operations import reappraisals


def handlers(kit: Kit) -> tuple[OnDue[Any], ...]:
    of_tickets = tuple(
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
    return (*of_tickets, *_reappraisals(kit))


def _reappraisals(kit: Kit) -> tuple[OnDue[Any], ...]:
    return (
        on_due(
            reappraisals.TIMER,
            lock=reappraisals.lock,
            missed=partial(reappraisals.miss, kit=kit),
            rescheduled=reappraisals.reschedule,
        ),
    )
