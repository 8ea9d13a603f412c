"""The use cases of scoring: facts into the ledger, decisions on them, and the end of a period."""

from tongban_scoring.operations.access import sees_unpublished
from tongban_scoring.operations.entries import (
    Decision,
    Fact,
    Manual,
    attribute,
    confirm,
    expire,
    lock_entry,
    propose,
    record_fact,
    record_manual,
    reject,
    reverse,
)
from tongban_scoring.operations.periods import Finished, finish_period
from tongban_scoring.operations.red_lines import (
    Suspicion,
    Verdict,
    decide_red_line,
    open_red_line,
)
from tongban_scoring.operations.rules import Rules, rules_at

__all__ = [
    "Decision",
    "Fact",
    "Finished",
    "Manual",
    "Rules",
    "Suspicion",
    "Verdict",
    "attribute",
    "confirm",
    "decide_red_line",
    "expire",
    "finish_period",
    "lock_entry",
    "open_red_line",
    "propose",
    "record_fact",
    "record_manual",
    "reject",
    "reverse",
    "rules_at",
    "sees_unpublished",
]
