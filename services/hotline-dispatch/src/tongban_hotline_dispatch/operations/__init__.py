"""The use cases of the hotline: a ticket's moves, its clocks, and tickets by the file."""

from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.operations.access import acts_for, viewer_of
from tongban_hotline_dispatch.operations.deadlines import (
    due_of,
    lock_ticket,
    miss,
    reschedule,
    warn,
)
from tongban_hotline_dispatch.operations.importing import Outcome, Report, RowReport, import_file
from tongban_hotline_dispatch.operations.performing import Step, perform, rules_at
from tongban_hotline_dispatch.operations.process import Desk
from tongban_hotline_dispatch.operations.tickets import (
    Registration,
    assign,
    close,
    new_query_code,
    register,
    reply,
    sign,
)

__all__ = [
    "Desk",
    "Outcome",
    "Registration",
    "Report",
    "RowReport",
    "Rules",
    "Step",
    "acts_for",
    "assign",
    "close",
    "due_of",
    "import_file",
    "lock_ticket",
    "miss",
    "new_query_code",
    "perform",
    "register",
    "reply",
    "reschedule",
    "rules_at",
    "sign",
    "viewer_of",
    "warn",
]
