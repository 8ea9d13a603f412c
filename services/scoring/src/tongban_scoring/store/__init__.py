"""The tables of scoring and the only writers to them."""

from tongban_scoring.store.cards import (
    Cards,
    PeriodNotFound,
    ScorecardNotFound,
    period,
    red_line_case,
    scorecard,
    scorecard_line,
)
from tongban_scoring.store.ledger import EntryNotFound, Ledger, activity, entry
from tongban_scoring.store.reference import References, metadata, service_window, staff, unit

__all__ = [
    "Cards",
    "EntryNotFound",
    "Ledger",
    "PeriodNotFound",
    "References",
    "ScorecardNotFound",
    "activity",
    "entry",
    "metadata",
    "period",
    "red_line_case",
    "scorecard",
    "scorecard_line",
    "service_window",
    "staff",
    "unit",
]
