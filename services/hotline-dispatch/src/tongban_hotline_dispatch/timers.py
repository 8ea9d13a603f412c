"""The time edge: what happens when a clock of a ticket is nearly, or over, due."""

from functools import partial
from typing import Any

from tongban_common.service import Kit
from tongban_common.timers import OnDue, on_due
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.assignment import Clock
from tongban_hotline_dispatch.operations import supervision_issuing, supervision_timers


def handlers(kit: Kit) -> tuple[OnDue[Any], ...]:
    return (*_clocks(kit), *_supervision(kit))


def _clocks(kit: Kit) -> tuple[OnDue[Any], ...]:
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


def _supervision(kit: Kit) -> tuple[OnDue[Any], ...]:
    return (
        on_due(
            supervision_issuing.LADDER,
            lock=partial(supervision_timers.lock_ladder, kit=kit),
            missed=partial(supervision_timers.climb, kit=kit),
            due_of=supervision_timers.due_of_rung,
        ),
        on_due(
            supervision_issuing.REPLY,
            lock=supervision_timers.lock_supervision,
            missed=supervision_timers.miss_reply,
            rescheduled=supervision_timers.redate_reply,
        ),
        on_due(
            supervision_timers.ROUND,
            lock=supervision_timers.lock_round,
            missed=partial(supervision_timers.nightly, kit=kit),
        ),
    )
