"""Working days (工作日) of the People's Republic: which days count, and when a limit ends.

Pure: a calendar is a value made of versioned years. `years` holds one year as its notice sets it,
`shipped` the years that come with this package, `calendar` the arithmetic and its explanation.
"""

from tongban_common.working_days.calendar import (
    SHANGHAI,
    BadLimit,
    DayExplained,
    Explanation,
    Limit,
    NaiveMoment,
    Unit,
    WorkingCalendar,
    bundled,
)
from tongban_common.working_days.shipped import CalendarNotCovered, shipped_years, statutory_year
from tongban_common.working_days.years import (
    BadCalendar,
    CalendarYear,
    Status,
    parse_year,
    to_document,
)

__all__ = [
    "SHANGHAI",
    "BadCalendar",
    "BadLimit",
    "CalendarNotCovered",
    "CalendarYear",
    "DayExplained",
    "Explanation",
    "Limit",
    "NaiveMoment",
    "Status",
    "Unit",
    "WorkingCalendar",
    "bundled",
    "parse_year",
    "shipped_years",
    "statutory_year",
    "to_document",
]
