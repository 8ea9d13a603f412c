"""What units owe the knowledge base (更新责任): due by a limit, met in time, late, or missed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Literal
from uuid import UUID

from tongban_common.errors import Conflict
from tongban_common.working_days import SHANGHAI, Limit, Unit, WorkingCalendar
from tongban_hotline_dispatch.domain.knowledge import Bounds, ReviewTerm


class DutyKind(StrEnum):
    NEW_POLICY = "new_policy"
    CORRECTION = "correction"
    DRAFT = "draft"
    ATTESTATION = "attestation"


DUTY_NAMES: dict[DutyKind, str] = {
    DutyKind.NEW_POLICY: "新政策入库",
    DutyKind.CORRECTION: "差错更正",
    DutyKind.DRAFT: "咨询件形成草稿",
    DutyKind.ATTESTATION: "每周确认",
}


class DutySettled(Conflict):
    code = "knowledge.duty_settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyRule:
    limit: Limit
    met_by: Literal["submitted", "published"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """When a week's attestation is due."""

    weekday: int  # 1 is Monday
    hour: int
    clause: str

    def due(self, monday: date, calendar: WorkingCalendar) -> datetime | None:
        """The weekday, or the last working day before it; None in a week without one."""
        day = monday + timedelta(days=self.weekday - 1)
        while day >= monday:
            if calendar.is_working_day(day):
                return datetime.combine(day, time(self.hour), tzinfo=SHANGHAI)
            day -= timedelta(days=1)
        return None

    def next_due(self, after: datetime, calendar: WorkingCalendar) -> datetime:
        """The first one that is later than a moment."""
        monday = monday_of(after)
        while True:
            due = self.due(monday, calendar)
            if due is not None and due > after:
                return due
            monday += timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeRules:
    """The rules in force."""

    policy: str
    bounds: Bounds
    import_rows: int
    review: Limit
    warn_days: int
    duties: Mapping[DutyKind, DutyRule]
    week: Week
    everybody_attests: bool
    draft_category: str

    def review_term(self, calendar: WorkingCalendar, start_at: datetime) -> ReviewTerm:
        due_at = calendar.due(start_at, self.review)
        first, last = (each.astimezone(SHANGHAI).date() for each in (start_at, due_at))
        return ReviewTerm(
            start_at=start_at,
            limit=self.review,
            due_at=due_at,
            warn_at=max(start_at, due_at - timedelta(days=self.warn_days)),
            policy=self.policy,
            calendar_version=calendar.version_for(first, last),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    id: UUID
    kind: DutyKind
    unit_code: str
    about: str  # what it is about: the policy's title, what is wrong, the week
    start_at: datetime
    limit: Limit
    due_at: datetime
    policy: str
    calendar_version: str
    opened_by: str
    item_id: UUID | None = None
    done_at: datetime | None = None
    done_by: str | None = None
    missed_at: datetime | None = None
    note: str | None = None

    @property
    def is_open(self) -> bool:
        return self.done_at is None

    def is_late(self) -> bool:
        return self.missed_at is not None or (
            self.done_at is not None and self.done_at > self.due_at
        )

    def done(self, *, by: str, at: datetime, note: str | None = None) -> "Duty":
        if self.done_at is not None:
            raise DutySettled("该责任事项已经办结")
        return replace(self, done_at=at, done_by=by, note=note)

    def missed(self, at: datetime) -> "Duty":
        return replace(self, missed_at=at)


def monday_of(moment: datetime) -> date:
    day = moment.astimezone(SHANGHAI).date()
    return day - timedelta(days=day.weekday())


def week_code(moment: datetime) -> str:
    """2026-W39"""
    year, week, _ = moment.astimezone(SHANGHAI).date().isocalendar()
    return f"{year}-W{week:02}"


def hours_from_monday(due: datetime, clause: str) -> tuple[datetime, Limit]:
    """A limit in hours that ends at `due`, so that no calendar moves it."""
    start = datetime.combine(monday_of(due), time.min, tzinfo=SHANGHAI)
    hours = int((due - start).total_seconds()) // 3600
    return start, Limit(amount=hours, unit=Unit.HOURS, clause=clause)
