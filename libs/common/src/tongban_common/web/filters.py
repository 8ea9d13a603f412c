"""How values read in Chinese: instants in Shanghai time, points with their sign, weeks of days."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from tongban_common.privacy import mask_text

_SHANGHAI = ZoneInfo("Asia/Shanghai")
_MISSING = "—"
_MINUS = "\N{MINUS SIGN}"


class OfADay(Protocol):
    @property
    def day(self) -> date: ...


DayT = TypeVar("DayT", bound=OfADay)


def local_day(value: date | datetime) -> date:
    """The calendar day in Shanghai. A naive instant is a mistake, not a guess."""
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError("an instant without a time zone cannot be shown")
    return value.astimezone(_SHANGHAI).date()


def local_date(value: date | datetime | None) -> str:
    """2026年11月22日"""
    if value is None:
        return _MISSING
    day = local_day(value)
    return f"{day.year}年{day.month}月{day.day}日"


def local_time(value: datetime | None) -> str:
    """2026年11月22日 15:04"""
    if value is None:
        return _MISSING
    return f"{local_date(value)} {value.astimezone(_SHANGHAI):%H:%M}"


def due_time(value: datetime | None) -> str:
    """As local_time, but the last instant of a day reads 24:00: the day is the applicant's."""
    if value is None:
        return _MISSING
    after = value + timedelta(microseconds=1)
    if local_day(after) > local_day(value):
        return f"{local_date(value)} 24:00"
    return local_time(value)


def number(value: Decimal | int | None) -> str:
    """A decimal without exponent and without trailing zeros."""
    if value is None:
        return _MISSING
    text = f"{Decimal(value):f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text.replace("-", _MINUS)


def points(value: Decimal | int | None) -> str:
    """+0.5, or with a true minus sign; zero has none."""
    if value is None:
        return _MISSING
    return f"+{number(value)}" if value > 0 else number(value)


def percent(value: Decimal | float | None) -> str:
    """A ratio as 12.5%."""
    if value is None:
        return _MISSING
    return f"{number(round(Decimal(str(value)) * 100, 1))}%"


def weeks(days: Sequence[DayT]) -> list[list[DayT | None]]:
    """Consecutive days laid out in weeks from Monday, with blanks before and after."""
    if not days:
        return []
    before = days[0].day.weekday()
    cells: list[DayT | None] = [*([None] * before), *days]
    cells += [None] * (-len(cells) % 7)
    return [cells[start : start + 7] for start in range(0, len(cells), 7)]


ALL = {
    "local_day": local_day,
    "local_date": local_date,
    "local_time": local_time,
    "due_time": due_time,
    "number": number,
    "points": points,
    "percent": percent,
    "weeks": weeks,
    "masked": mask_text,
}
