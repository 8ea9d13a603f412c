"""The limits of a ticket (时限): which rule of the policy applies, when it is due, when to warn."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tongban_common.errors import RuleViolation
from tongban_common.working_days import SHANGHAI, Explanation, Limit, WorkingCalendar


class NoRule(RuleViolation):
    code = "policy.no_rule_fits"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRule:
    """One line of the policy: what is None fits everything; the line that says most wins."""

    limit: Limit
    appeal_type: str | None = None
    urgency: str | None = None
    level: str | None = None  # the level of the unit: city, county, township, …

    def fits(self, *, appeal_type: str, urgency: str, level: str | None) -> bool:
        return (
            self.appeal_type in {None, appeal_type}
            and self.urgency in {None, urgency}
            and self.level in {None, level}
        )

    @property
    def weight(self) -> tuple[bool, bool, bool]:
        """Urgency says more than the level, the level more than the type."""
        return self.urgency is not None, self.level is not None, self.appeal_type is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyLimits:
    """The policy in force: rules, the share of a limit after which to warn, what it is called."""

    policy: str  # name and version, as a ticket pins it
    rules: Sequence[ReplyRule]
    warn_after: Decimal
    citizen_extra: int  # working days that the citizen's clock has over the unit's

    def pick(self, *, appeal_type: str, urgency: str, level: str | None = None) -> Limit:
        """The most specific rule. Raises NoRule."""
        fitting = [
            rule
            for rule in self.rules
            if rule.fits(appeal_type=appeal_type, urgency=urgency, level=level)
        ]
        if not fitting:
            raise NoRule("现行时限规则没有适用于该类诉求的时限")
        return max(fitting, key=lambda rule: rule.weight).limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One clock of a ticket with all that it was computed from."""

    start_at: datetime
    limit: Limit
    due_at: datetime
    warn_at: datetime | None
    calendar_version: str

    def explain(self, calendar: WorkingCalendar) -> Explanation:
        """Every day of the term, counted or skipped and why."""
        return calendar.explain(self.start_at, self.limit)


def a_term(
    calendar: WorkingCalendar, limit: Limit, *, start_at: datetime, warn_after: Decimal
) -> Term:
    """The day of the start is not counted, the last one is (民法典第二百零一条；含本数)."""
    due_at = calendar.due(start_at, limit)
    return Term(
        start_at=start_at,
        limit=limit,
        due_at=due_at,
        warn_at=start_at + (due_at - start_at) * float(warn_after),
        calendar_version=calendar.version_for(
            start_at.astimezone(SHANGHAI).date(), due_at.astimezone(SHANGHAI).date()
        ),
    )
