"""One calendar year as a State Council notice sets it, read from and written to its document.

A year holds its own days only. A notice that also moves days of the December before is imported
twice: as its year, and as a new version of the year before.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from tongban_common.errors import BadInput

EARLIEST = 2004
KEYS = ("year", "version", "status", "notice", "published_on", "days_off", "working_weekends")
WEEKDAYS = "一二三四五六日"


class Status(StrEnum):
    OFFICIAL = "official"  # 国务院办公厅已发布放假安排
    PROVISIONAL = "provisional"  # 尚未发布，按法定节假日暂算


class BadCalendar(BadInput):
    code = "calendar.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarYear:
    year: int
    version: int  # 0: computed, no notice; a notice and each correction of it count from 1
    status: Status
    notice: str
    published_on: date | None
    days_off: Mapping[date, str]  # 放假: the day and the holiday's name
    working_weekends: frozenset[date]  # 调休上班

    @property
    def label(self) -> str:
        return f"{self.year}v{self.version}"

    def is_working_day(self, day: date) -> bool:
        if day in self.days_off:
            return False
        return day.weekday() < 5 or day in self.working_weekends

    def reason(self, day: date) -> str:
        """Why the day counts or does not, in the words of the notice."""
        name = self.days_off.get(day)
        if name is not None:
            return f"{name}放假"
        if day in self.working_weekends:
            return "调休上班"
        return "工作日" if day.weekday() < 5 else f"周{WEEKDAYS[day.weekday()]}休息"


def parse_year(document: Mapping[str, Any], *, where: str) -> CalendarYear:
    """Read an imported notice; a bad one is refused with everything that is wrong in it."""
    reader = _Reader(document)
    parsed = reader.read()
    if reader.faults:
        faults = "；".join(reader.faults)
        raise BadCalendar(
            f"{where} 有 {len(reader.faults)} 处错误：{faults}", where=where, faults=reader.faults
        )
    return parsed


def to_document(year: CalendarYear) -> dict[str, Any]:
    published_on = year.published_on
    return {
        "year": year.year,
        "version": year.version,
        "status": year.status.value,
        "notice": year.notice,
        "published_on": None if published_on is None else published_on.isoformat(),
        "days_off": {day.isoformat(): name for day, name in sorted(year.days_off.items())},
        "working_weekends": [day.isoformat() for day in sorted(year.working_weekends)],
    }


class _Reader:
    """Reads each field and goes on after a fault, so that one import reports them all."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self.faults: list[str] = [f"缺少 {key}" for key in KEYS if key not in document]
        self.faults += [f"不认识的键 {_shown(key)}" for key in document if key not in KEYS]

    def read(self) -> CalendarYear:
        year = self._whole("year", least=EARLIEST)
        days_off = self._days_off(year)
        working_weekends = self._working_weekends(year)
        self.faults += [
            f"{day.isoformat()} 既列为放假又列为调休上班"
            for day in sorted(working_weekends & days_off.keys())
        ]
        return CalendarYear(
            year=year,
            version=self._whole("version", least=1),
            status=self._status(),
            notice=self._notice(),
            published_on=self._published_on(),
            days_off=days_off,
            working_weekends=working_weekends,
        )

    def _whole(self, key: str, *, least: int) -> int:
        value = self._document.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value >= least:
            return value
        self._fault(key, f"应为不小于 {least} 的整数")
        return 0

    def _status(self) -> Status:
        value = self._document.get("status")
        if value not in {each.value for each in Status}:
            self._fault("status", "应为 official 或 provisional")
            return Status.PROVISIONAL
        return Status(value)

    def _notice(self) -> str:
        value = self._document.get("notice")
        if isinstance(value, str) and value.strip():
            return value
        self._fault("notice", "应写明通知的文号或标题")
        return ""

    def _published_on(self) -> date | None:
        value = self._document.get("published_on")
        return None if value is None else self._day("published_on", value)

    def _days_off(self, year: int) -> dict[date, str]:
        listed = self._document.get("days_off")
        if not isinstance(listed, Mapping):
            self._fault("days_off", "应为“日期：节日名称”的对照")
            return {}
        days: dict[date, str] = {}
        for day, written in self._days("days_off", year, listed):
            name = listed[written]
            if isinstance(name, str) and name.strip():
                days[day] = name
            else:
                self.faults.append(f"days_off：{day.isoformat()} 没有节日名称")
        return days

    def _working_weekends(self, year: int) -> frozenset[date]:
        listed = self._document.get("working_weekends")
        if not isinstance(listed, list | tuple):
            self._fault("working_weekends", "应为日期的列表")
            return frozenset()
        days: set[date] = set()
        for day, _ in self._days("working_weekends", year, listed):
            shown = f"working_weekends：{day.isoformat()}"
            if day in days:
                self.faults.append(f"{shown} 重复")
            if day.weekday() < 5:
                weekday = f"周{WEEKDAYS[day.weekday()]}"
                self.faults.append(f"{shown} 是{weekday}，调休上班日只能是周六或周日")
            days.add(day)
        return frozenset(days)

    def _days(self, key: str, year: int, listed: Any) -> Iterator[tuple[date, Any]]:
        for written in listed:
            day = self._day(key, written)
            if day is None:
                continue
            if year and day.year != year:
                self.faults.append(f"{key}：{day.isoformat()} 不在 {year} 年，应列入该日所在年份")
            yield day, written

    def _day(self, key: str, written: object) -> date | None:
        try:
            day = date.fromisoformat(written) if isinstance(written, str) else None
        except ValueError:
            day = None
        if day is None or day.isoformat() != written:
            self.faults.append(f"{key}：{_shown(written)} 不是日期，应形如 2020-01-31")
            return None
        return day

    def _fault(self, key: str, expected: str) -> None:
        if key in self._document:
            self.faults.append(f"{key} {expected}，现为 {_shown(self._document[key])}")


def _shown(value: object) -> str:
    return f"{value!r:.40}"
