"""What happens when a clock of a case runs out, is about to, or is moved by a new calendar."""

from tongban_common.service import Kit
from tongban_common.timers import OnDue, on_due
from tongban_intake import operations
from tongban_intake.domain.case import Case
from tongban_intake.domain.deadlines import Clock


def handlers(_: Kit) -> tuple[OnDue[Case], ...]:
    return tuple(
        on_due(
            clock,
            lock=operations.lock_case,
            missed=operations.miss,
            approaching=operations.warn,
            rescheduled=operations.reschedule,
        )
        for clock in Clock
    )
