"""The use cases of the hotline: a ticket's moves, and tickets by the file."""

from tongban_hotline_dispatch.operations.importing import Report, RowReport, import_file
from tongban_hotline_dispatch.operations.tickets import (
    Registration,
    Rules,
    Step,
    assign,
    close,
    lock_ticket,
    miss,
    new_query_code,
    new_ticket_no,
    register,
    reply,
    reschedule,
    rules_at,
    sign,
    warn,
)

__all__ = [
    "Registration",
    "Report",
    "RowReport",
    "Rules",
    "Step",
    "assign",
    "close",
    "import_file",
    "lock_ticket",
    "miss",
    "new_query_code",
    "new_ticket_no",
    "register",
    "reply",
    "reschedule",
    "rules_at",
    "sign",
    "warn",
]
