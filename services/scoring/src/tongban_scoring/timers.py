"""The time edge: a candidate that nobody confirmed in time expires."""

from typing import Any

from tongban_common.service import Kit
from tongban_common.timers import OnDue, on_due
from tongban_scoring import operations
from tongban_scoring.operations.entries import CONFIRM


def handlers(_: Kit) -> tuple[OnDue[Any], ...]:
    return (on_due(CONFIRM, lock=operations.lock_entry, missed=operations.expire),)
