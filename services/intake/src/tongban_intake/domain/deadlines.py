"""The clocks of a case (时限): which limit each runs under, when it is due, and when to warn.

Two run from acceptance: the promise drives warnings and the score, the legal one the legal red
light. Delivery runs from the decision. No limit is written here: they come from `policies/`.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum

from tongban_common.working_days import SHANGHAI, Explanation, Limit, WorkingCalendar
from tongban_intake.domain.catalogue import CaseKind, Item, ItemType


class Clock(StrEnum):
    PROMISE = "promise"  # 承诺办结时限
    LEGAL = "legal"  # 法定办结时限
    DELIVERY = "delivery"  # 送达时限


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningRule:
    """Warn at the earlier of two moments: so many units before the end, or so much used up."""

    units_before: int
    ratio: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The general limits in force on a day; an item's own limits go before them."""

    version: int
    decide: Limit
    instant: Limit
    delivery: Limit
    warning: WarningRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One running clock: when it started, under which limit and calendar, and when it is due.

    An instant case ends on the day it is accepted, so the day of the start counts as the first.
    """

    start_at: datetime
    limit: Limit
    due_at: datetime
    calendar_version: str
    counts_start_day: bool = False

    @property
    def counted_from(self) -> datetime:
        """The moment from which the calendar counts, which leaves that moment's own day out."""
        return self.start_at - timedelta(days=1) if self.counts_start_day else self.start_at

    def warn_at(self, calendar: WorkingCalendar, rule: WarningRule) -> datetime | None:
        """None where the limit is too short for a warning before its last unit."""
        used = (rule.ratio * self.limit.amount).to_integral_value(ROUND_CEILING)
        amount = min(self.limit.amount - rule.units_before, int(used))
        if amount < 1:
            return None
        return calendar.due(self.counted_from, replace(self.limit, amount=amount))

    def explain(self, calendar: WorkingCalendar) -> Explanation:
        """Every day of the term, counted or skipped and why."""
        explained = calendar.explain(self.counted_from, self.limit)
        if not self.counts_start_day:
            return explained
        return replace(
            explained,
            start=self.start_at.astimezone(SHANGHAI),
            days=explained.days[1:],
            rule=_SAME_DAY,
        )


_SAME_DAY = "即办件当日办结，受理当日计入，至当日24时止；当日不是工作日的，至其后第一个工作日24时止"


def a_term(
    calendar: WorkingCalendar, limit: Limit, *, start_at: datetime, counts_start_day: bool = False
) -> Term:
    """The day of the start is left out (民法典第二百零一条), but for what ends on that very day."""
    first = start_at.astimezone(SHANGHAI)
    due_at = calendar.due(first - timedelta(days=counts_start_day), limit)
    return Term(
        start_at=start_at,
        limit=limit,
        due_at=due_at,
        calendar_version=calendar.version_for(first.date(), due_at.date()),
        counts_start_day=counts_start_day,
    )


def promise_term(
    item: Item, calendar: WorkingCalendar, limits: Limits, *, start_at: datetime
) -> Term:
    """承诺: an instant case ends on its day; without an own promise, the legal limit is one."""
    if item.case_kind is CaseKind.INSTANT:
        return a_term(calendar, limits.instant, start_at=start_at, counts_start_day=True)
    limit = item.promise_limit or item.legal_limit or limits.decide
    return a_term(calendar, limit, start_at=start_at)


def legal_term(
    item: Item, calendar: WorkingCalendar, limits: Limits, *, start_at: datetime
) -> Term:
    """法定: the item's own limit (许可法第四十二条“另有规定的，依照其规定”), else the general one
    of permits. Matters of other types have no general limit in law: their promise stands in.
    """
    if item.legal_limit is not None:
        return a_term(calendar, item.legal_limit, start_at=start_at)
    if item.type is ItemType.PERMIT:
        return a_term(calendar, limits.decide, start_at=start_at)
    return promise_term(item, calendar, limits, start_at=start_at)
