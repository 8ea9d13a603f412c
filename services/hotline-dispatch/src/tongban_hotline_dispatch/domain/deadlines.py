"""The limits of a ticket (时限): which rule of the policy applies, when it is due, when to warn."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from decimal import Decimal

from tongban_common.errors import RuleViolation
from tongban_common.working_days import (
    SHANGHAI,
    CalendarYear,
    Explanation,
    Limit,
    Unit,
    WorkingCalendar,
    shipped_years,
    statutory_year,
)
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType, Urgency


class NoRule(RuleViolation):
    code = "policy.no_rule_fits"


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
class Term:
    """One clock of a ticket with all that it was computed from."""

    start_at: datetime
    limit: Limit
    due_at: datetime
    warn_at: datetime | None
    policy: str  # the set of rules and its version
    calendar_version: str

    def has_run_out(self, *, at: datetime) -> bool:
        """The due instant itself is in time (含本数)."""
        return at > self.due_at

    def explain(self, calendar: WorkingCalendar, imported: Iterable[CalendarYear]) -> Explanation:
        """Every day of the term, counted or skipped and why, by the calendar it was pinned to."""
        pinned = as_pinned(calendar, self.calendar_version, imported)
        return pinned.explain(self.start_at, self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyLimits:
    """The set of rules in force."""

    policy: str  # its name and version, as a term pins it
    rules: Sequence[ReplyRule]
    warn_points: Mapping[Unit, Decimal]  # the share of a limit after which to warn
    citizen_slack: int  # working days that the citizen's clock has over the unit's
    slack_clause: str

    def pick(self, facts: Facts) -> Limit:
        """The rule that says most of those that fit. Raises NoRule."""
        fitting = [rule for rule in self.rules if rule.fits(facts)]
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
        due_at = calendar.due(start_at, limit)
        return Term(
            start_at=start_at,
            limit=limit,
            due_at=due_at,
            warn_at=self._warn_at(calendar, limit, start_at, due_at),
            policy=self.policy,
            calendar_version=calendar.version_for(
                start_at.astimezone(SHANGHAI).date(), due_at.astimezone(SHANGHAI).date()
            ),
        )

    def _warn_at(
        self, calendar: WorkingCalendar, limit: Limit, start_at: datetime, due_at: datetime
    ) -> datetime | None:
        """A limit in working days warns as its working day begins, never in a holiday."""
        share = self.warn_points.get(limit.unit)
        if share is None:
            return None
        numerator, denominator = share.as_integer_ratio()
        if limit.unit is not Unit.WORKING_DAYS:
            return start_at + (due_at - start_at) * numerator // denominator
        number = -(-limit.amount * numerator // denominator)  # rounded up: 0.8 of 1 is day 1
        day = calendar.deadline(start_at, number).date()
        return datetime.combine(day, time.min, tzinfo=SHANGHAI)


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
