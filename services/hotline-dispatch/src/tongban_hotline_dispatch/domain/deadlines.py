"""The limits of a ticket (时限): which rule of the policy applies, when it is due, when to warn."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum

from tongban_common.errors import RuleViolation
from tongban_common.working_days import (
    SHANGHAI,
    CalendarYear,
    DayExplained,
    Explanation,
    Limit,
    Unit,
    WorkingCalendar,
    shipped_years,
    statutory_year,
)
from tongban_hotline_dispatch.domain.appeal import HANDLED, Appeal, AppealType, Urgency

_ONE_DAY = timedelta(days=1)
_BEFORE = "工作时间以外收到，视为次一工作日收到"
_UNIT_NAMES = {
    Unit.WORKING_DAYS: "个工作日",
    Unit.NATURAL_DAYS: "日",
    Unit.HOURS: "小时",
    Unit.MINUTES: "分钟",
}


class NoRule(RuleViolation):
    code = "policy.no_rule_fits"


class UnitLevel(StrEnum):
    """The levels of the directory, as rules may name them."""

    CITY = "city"
    COUNTY = "county"
    TOWNSHIP = "township"
    VILLAGE = "village"
    PARK = "park"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a limit may depend on."""

    appeal_type: AppealType
    urgency: Urgency
    matter_code: str | None = None
    level: str | None = None  # of the unit: city, county, township, …; None before assignment

    @classmethod
    def of(cls, appeal: Appeal, *, level: str | None = None) -> "Facts":
        return cls(
            appeal_type=appeal.appeal_type,
            urgency=appeal.urgency,
            matter_code=appeal.matter_code,
            level=level,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRule:
    """One line of the policy: a condition that is None fits everything."""

    limit: Limit
    urgency: Urgency | None = None
    matter_code: str | None = None
    level: str | None = None
    appeal_type: AppealType | None = None

    @property
    def conditions(self) -> tuple[str | None, ...]:
        """The most telling first: urgency, then the matter, the unit's level, the type."""
        return self.urgency, self.matter_code, self.level, self.appeal_type

    @property
    def weight(self) -> tuple[bool, ...]:
        return tuple(each is not None for each in self.conditions)

    def fits(self, facts: Facts) -> bool:
        found = (facts.urgency, facts.matter_code, facts.level, facts.appeal_type)
        return all(
            asked in {None, given} for asked, given in zip(self.conditions, found, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A time in which the clocks stood still (挂起).

    In a limit of days, the day on which it began and those up to the day before it ended do not
    count; in a limit of hours its whole length does not.
    """

    reason: str
    from_at: datetime
    to_at: datetime

    def covers(self, day: date) -> bool:
        return _day(self.from_at) <= day < _day(self.to_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """How days are counted where a city departs from the statute (民法典第二百零三条)."""

    ends: time | None = None  # 业务活动时间截止; None: at 24:00
    rolls: time | None = None  # what is received later, or on a day off, counts as the next day's

    def received(self, calendar: WorkingCalendar, moment: datetime, unit: Unit) -> datetime:
        """The moment from which days count: a limit of hours runs from the receipt itself."""
        if self.rolls is None or unit.is_elapsed:
            return moment
        local = moment.astimezone(SHANGHAI)
        if calendar.is_working_day(local.date()) and local.time() < self.rolls:
            return moment
        return datetime.combine(calendar.deadline(local, 1).date(), time.min, tzinfo=SHANGHAI)

    def due(self, calendar: WorkingCalendar, start_at: datetime, limit: Limit) -> datetime:
        due_at = calendar.due(start_at, limit)
        if self.ends is None or limit.unit.is_elapsed:
            return due_at
        return datetime.combine(_day(due_at), self.ends, tzinfo=SHANGHAI)


STATUTE = Counting()


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One clock of a ticket with all that it was computed from."""

    start_at: datetime
    limit: Limit  # an approved extension is part of it
    due_at: datetime
    warn_at: datetime | None
    policy: str  # the set of rules and its version
    calendar_version: str
    pauses: tuple[Pause, ...] = ()
    extended_by: int = 0  # how much of the limit is extension
    cap_at: datetime | None = None  # an upper platform's deadline, which goes before
    floor_at: datetime | None = None  # a longer term set by law
    counting: Counting = STATUTE

    def has_run_out(self, *, at: datetime) -> bool:
        """The due instant itself is in time (含本数)."""
        return at > self.due_at

    def received(self, calendar: WorkingCalendar) -> datetime:
        return self.counting.received(calendar, self.start_at, self.limit.unit)

    def left(self, calendar: WorkingCalendar) -> tuple[datetime, Limit]:
        """What is left after the last pause: from when, and how much."""
        start, limit = self.received(calendar), self.limit
        for pause in self.pauses:
            if limit.unit.is_elapsed:
                start += pause.to_at - pause.from_at
                continue
            last = _day(pause.from_at) - _ONE_DAY
            if limit.unit is Unit.WORKING_DAYS:
                used = calendar.working_days_between(_day(start), last)
            else:
                used = max(0, (last - _day(start)).days)
            limit = replace(limit, amount=max(1, limit.amount - used))
            resumed = datetime.combine(_day(pause.to_at) - _ONE_DAY, time.min, tzinfo=SHANGHAI)
            start = max(start, resumed)
        return start, limit

    def due_under(self, calendar: WorkingCalendar) -> datetime:
        due_at = self.counting.due(calendar, *self.left(calendar))
        if self.floor_at is not None:
            due_at = max(due_at, self.floor_at)
        return due_at if self.cap_at is None else min(due_at, self.cap_at)

    def explain(self, calendar: WorkingCalendar, imported: Iterable[CalendarYear]) -> Explanation:
        """Every day of the term, counted, skipped or paused, by the calendar it was pinned to."""
        pinned = as_pinned(calendar, self.calendar_version, imported)
        plain = pinned.explain(self.start_at, self.limit)
        if plain.due == self.due_at and not (self.pauses or self.extended_by or self._departs):
            return plain
        return replace(
            plain,
            due=self.due_at.astimezone(SHANGHAI),
            days=tuple(self._days(pinned)),
            calendar_version=self.calendar_version,
            rule=plain.rule + self._exceptions(),
        )

    @property
    def _departs(self) -> bool:
        """Whether the city's own way of counting days bears on this term."""
        return self.counting != STATUTE and not self.limit.unit.is_elapsed

    def _exceptions(self) -> str:
        said = [f"{pause.reason}期间挂起，不计入" for pause in self.pauses]
        if self.extended_by:
            said.insert(0, f"其中延期{self.extended_by}{_UNIT_NAMES[self.limit.unit]}")
        if self.cap_at is not None:
            said.append("上级平台的期限在先的，从其期限")
        if self.floor_at is not None:
            said.append("法定期限更长的，从其期限")
        if self._departs and self.counting.rolls is not None:
            said.append(f"{self.counting.rolls:%H:%M}以后和休息日收到的，视为次一工作日收到")
        if self._departs and self.counting.ends is not None:
            said.append(f"届满日至{self.counting.ends:%H:%M}为止")
        return "".join(f"；{each}" for each in said)

    def _days(self, calendar: WorkingCalendar) -> Iterator[DayExplained]:
        first, last = _day(self.start_at), _day(self.due_at)
        received = _day(self.received(calendar))
        number = 0
        for offset in range((last - first).days + 1):
            day = first + offset * _ONE_DAY
            if self.limit.unit.is_elapsed or day > received:
                counted, reason = self._counted(calendar, day, number)
            else:
                counted, reason = False, _BEFORE if day < received else "起算日不计入"
            number += counted
            yield DayExplained(
                day=day,
                counted=counted,
                number=number if counted and not self.limit.unit.is_elapsed else None,
                reason=reason,
            )

    def _counted(self, calendar: WorkingCalendar, day: date, so_far: int) -> tuple[bool, str]:
        pause = next((each for each in self.pauses if each.covers(day)), None)
        if pause is not None:
            return False, f"挂起（{pause.reason}），不计入"
        if self.limit.unit.is_elapsed:
            return True, "连续计算，不扣除休息日"
        reason = calendar.in_force(day.year).reason(day)
        if so_far >= self.limit.amount:
            return False, f"{reason}，期限届满日顺延"
        counted = self.limit.unit is Unit.NATURAL_DAYS or calendar.is_working_day(day)
        is_extension = counted and so_far >= self.limit.amount - self.extended_by
        return counted, f"{reason}（延期）" if is_extension else reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyLimits:
    """The set of rules in force."""

    policy: str  # its name and version, as a term pins it
    rules: Sequence[ReplyRule]
    warn_points: Mapping[Unit, Decimal]  # the share of a limit after which to warn
    citizen_slack: int  # working days that the citizen's clock has over the unit's
    slack_clause: str
    counting: Counting = STATUTE

    def pick(self, facts: Facts) -> Limit:
        """The rule that says most of those that fit; a type beyond the five (其他) that no rule
        fits has the limit of 求助. Raises NoRule."""
        fitting = [rule for rule in self.rules if rule.fits(facts)]
        if not fitting and facts.appeal_type not in HANDLED:
            return self.pick(replace(facts, appeal_type=AppealType.HELP))
        if not fitting:
            raise NoRule("现行时限规则没有适用于该类诉求的时限")
        return max(fitting, key=lambda rule: rule.weight).limit

    def pick_for_citizen(self, facts: Facts) -> Limit:
        """市民时钟: no return or re-assignment resets it, so it is the longer by the slack."""
        limit = self.pick(facts)
        if limit.unit is not Unit.WORKING_DAYS or self.citizen_slack == 0:
            return limit
        return replace(
            limit,
            amount=limit.amount + self.citizen_slack,
            clause=f"{limit.clause}；{self.slack_clause}",
        )

    def term(self, calendar: WorkingCalendar, limit: Limit, *, start_at: datetime) -> Term:
        received = self.counting.received(calendar, start_at, limit.unit)
        due_at = self.counting.due(calendar, received, limit)
        term = Term(
            start_at=start_at,
            limit=limit,
            due_at=due_at,
            warn_at=None,
            policy=self.policy,
            calendar_version=_version(calendar, start_at, due_at),
            counting=self.counting,
        )
        return replace(term, warn_at=self._warn_at(calendar, term))

    def rewound(self, calendar: WorkingCalendar, term: Term) -> Term:
        """The term with its due moment computed anew, after a pause, an extension or a cap."""
        due_at = term.due_under(calendar)
        version = _version(calendar, term.start_at, due_at)
        term = replace(term, due_at=due_at, calendar_version=version)
        return replace(term, warn_at=self._warn_at(calendar, term))

    def _warn_at(self, calendar: WorkingCalendar, term: Term) -> datetime | None:
        """A limit in working days warns as its working day begins, never in a holiday."""
        share = self.warn_points.get(term.limit.unit)
        if share is None:
            return None
        numerator, denominator = share.as_integer_ratio()
        start_at, left = term.left(calendar)
        is_plain = term.due_at == term.counting.due(calendar, start_at, left)
        if term.limit.unit is not Unit.WORKING_DAYS or not is_plain:
            return start_at + (term.due_at - start_at) * numerator // denominator
        number = -(-left.amount * numerator // denominator)  # rounded up: 0.8 of 1 is day 1
        day = calendar.deadline(start_at, number).date()
        return datetime.combine(day, time.min, tzinfo=SHANGHAI)


def _day(moment: datetime) -> date:
    return moment.astimezone(SHANGHAI).date()


def _version(calendar: WorkingCalendar, start_at: datetime, due_at: datetime) -> str:
    return calendar.version_for(*sorted((_day(start_at), _day(due_at))))  # a cap may be earlier


def as_pinned(
    calendar: WorkingCalendar, version: str, imported: Iterable[CalendarYear]
) -> WorkingCalendar:
    """The calendar as it was when `version` named it, such as "2025v1+2026v1".

    A notice corrects only what is open; what was settled keeps the tables it was counted by.
    """
    known = {each.label: each for each in (*shipped_years(), *imported)}
    for label in version.split("+"):
        year = int(label.partition("v")[0])
        if calendar.in_force(year).label != label:
            calendar = calendar.with_year(known.get(label) or statutory_year(year))
    return calendar
