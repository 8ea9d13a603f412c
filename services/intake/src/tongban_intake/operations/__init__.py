"""The use cases of intake: `cases`, and reference data loaded from documents."""

from tongban_intake.operations.cases import (
    NewCase,
    Rules,
    Step,
    UnitClosed,
    WrongWindow,
    accept,
    complete,
    decide,
    deliver,
    lock_case,
    miss,
    new_query_code,
    reschedule,
    rules_at,
    see_applicant,
    warn,
)
from tongban_intake.operations.documents import (
    Document,
    DocumentTooLarge,
    FaultyDocument,
    UnreadableDocument,
)
from tongban_intake.operations.loading import Loaded, load_catalogue, load_directory

__all__ = [
    "Document",
    "DocumentTooLarge",
    "FaultyDocument",
    "Loaded",
    "NewCase",
    "Rules",
    "Step",
    "UnitClosed",
    "UnreadableDocument",
    "WrongWindow",
    "accept",
    "complete",
    "decide",
    "deliver",
    "load_catalogue",
    "load_directory",
    "lock_case",
    "miss",
    "new_query_code",
    "reschedule",
    "rules_at",
    "see_applicant",
    "warn",
]
