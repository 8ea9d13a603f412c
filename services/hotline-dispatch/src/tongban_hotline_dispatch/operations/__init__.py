"""The use cases of the hotline: a ticket's moves, and tickets by the file."""

from tongban_hotline_dispatch.operations.access import acts_for
from tongban_hotline_dispatch.operations.importing import Outcome, Report, RowReport, import_file
from tongban_hotline_dispatch.operations.tickets import (
    Registration,
    Rules,
    Step,
    assign,
    close,
    lock_ticket,
    miss,
    new_query_code,
    register,
    reply,
    reschedule,
    rules_at,
    sign,
    warn,
)

__all__ = [
    "Outcome",
    "Registration",
    "Report",
    "RowReport",
    "Rules",
    "Step",
    "acts_for",
    "assign",
    "close",
    "import_file",
    "lock_ticket",
    "miss",
    "new_query_code",
    "register",
    "reply",
    "reschedule",
    "rules_at",
    "sign",
    "warn",
]
