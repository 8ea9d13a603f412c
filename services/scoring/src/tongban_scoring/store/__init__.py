"""The tables of scoring and the only writers to them."""

from tongban_scoring.store.cards import (
    Cards,
    PeriodNotFound,
    ScorecardNotFound,
    period,
    scorecard,
    scorecard_line,
)
from tongban_scoring.store.hotline import HotlineResult, HotlineResults, hotline_result
from tongban_scoring.store.ledger import EntryNotFound, Ledger, activity, entry
from tongban_scoring.store.red_lines import RedLineCaseNotFound, RedLineCases, red_line_case
from tongban_scoring.store.reference import (
    References,
    UnknownUnit,
    UnknownWindow,
    metadata,
    service_window,
    staff,
    unit,
)

__all__ = [
    "Cards",
    "EntryNotFound",
    "HotlineResult",
    "HotlineResults",
    "Ledger",
    "PeriodNotFound",
    "RedLineCaseNotFound",
    "RedLineCases",
    "References",
    "ScorecardNotFound",
    "UnknownUnit",
    "UnknownWindow",
    "activity",
    "entry",
    "hotline_result",
    "metadata",
    "period",
    "red_line_case",
    "scorecard",
    "scorecard_line",
    "service_window",
    "staff",
    "unit",
]
