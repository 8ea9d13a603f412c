"""The calendar data that comes with the package: every notice since 2004, and the statutory days.

A year without a notice is computed from the statutory days and marked provisional. Nothing is
guessed: weekends stay weekends and no day is moved (调休), for only the notice can move one. So a
statutory day that falls on a weekend earns no substitute until the notice names it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, date
from functools import cache
from importlib.resources import files

from tongban_common.errors import RuleViolation
from tongban_common.working_days.years import CalendarYear, Status, parse_year

HOLIDAYS = files("tongban_common") / "holidays"
STATUTORY = "statutory.json"


class CalendarNotCovered(RuleViolation):
    code = "calendar.not_covered"


@cache
def shipped_years() -> tuple[CalendarYear, ...]:
    """Every version of every year, the earlier before the later."""
    parsed = [
        parse_year(json.loads(file.read_text(encoding="utf-8")), where=file.name)
        for file in HOLIDAYS.iterdir()
        if file.name.endswith(".json") and file.name != STATUTORY
    ]
    return tuple(sorted(parsed, key=lambda each: (each.year, each.version)))


def statutory_year(year: int) -> CalendarYear:
    """A year whose notice is not known: weekends and the 13 statutory days (放假办法第二条)."""
    law = _law()
    if not law.since <= year <= MAXYEAR:
        raise CalendarNotCovered(f"没有 {year} 年的放假安排，不能计算该年的工作日", year=year)
    return CalendarYear(
        year=year,
        version=0,
        status=Status.PROVISIONAL,
        notice=law.title,
        published_on=None,
        days_off=law.days_off(year),
        working_weekends=frozenset(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Law:
    title: str
    since: int
    every_year: Mapping[str, str]  # "10-01" -> 国庆节
    by_year: Mapping[str, Mapping[str, str]]  # festivals of the lunar and the solar-term calendar

    def days_off(self, year: int) -> dict[date, str]:
        fixed = {f"{year:04}-{day}": name for day, name in self.every_year.items()}
        named: dict[date, str] = {}
        for days in (self.by_year.get(str(year), {}), fixed):
            for written, name in days.items():
                day = date.fromisoformat(written)
                named[day] = f"{named[day]}、{name}" if day in named else name
        return named


@cache
def _law() -> _Law:
    document = json.loads((HOLIDAYS / STATUTORY).read_text(encoding="utf-8"))
    return _Law(
        title=document["law"],
        since=document["since"],
        every_year=document["every_year"],
        by_year=document["by_year"],
    )
