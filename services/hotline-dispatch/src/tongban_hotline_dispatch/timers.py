"""The time edge: what happens when a clock of a ticket is nearly, or over, due."""

from functools import partial
from typing import Any

from tongban_common.service import Kit
from tongban_common.timers import OnDue, on_due
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.assignment import Clock
from tongban_hotline_dispatch.operations import hot_issues, likeness_index


def handlers(kit: Kit) -> tuple[OnDue[Any], ...]:
    return (_hot_issues(kit), *_ticket_clocks(kit))


def _hot_issues(kit: Kit) -> OnDue[Any]:
    return on_due(
        likeness_index.ROUND,
        lock=hot_issues.lock_round,
        missed=partial(hot_issues.round_over, kit=kit),
    )


def _ticket_clocks(kit: Kit) -> tuple[OnDue[Any], ...]:
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
