"""The rules of supervision (督办) as values: levels, rungs, patterns, reasons, templates.

Thresholds, names and words are policy data (policies/supervision.yaml); here is only how they are
used.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from string import Formatter
from typing import TypeVar

from tongban_common.errors import RuleViolation
from tongban_common.working_days import SHANGHAI, Limit, Unit, WorkingCalendar

FLAGGED = "flagged"  # the cause where the core put a ticket under supervision
LONG_OVERDUE, MANY_COMPLAINANTS = "long_overdue", "many_complainants"  # 列为疑难 by itself
_ONE_DAY = timedelta(days=1)
ListedT = TypeVar("ListedT")


class UnknownCause(RuleViolation):
    code = "supervision.unknown_reason"


class Kind(StrEnum):
    URGE = "urge"  # 提醒、催办
    SUPERVISION = "supervision"  # 督办
    INSPECTION = "inspection"  # 督查, which needs an authorised actor (政府督查工作条例第七条)


class Level(StrEnum):
    U0 = "U0"  # 提醒
    U1 = "U1"  # 催办
    S1 = "S1"  # 书面督办
    S2 = "S2"  # 通报
    S3 = "S3"  # 约谈
    S4 = "S4"  # 挂牌督办
    S5 = "S5"  # 问责线索


class Form(StrEnum):
    """督查方式: 政府督查工作条例第十二条."""

    SELF_CHECK = "self_check"
    REPORT = "report"
    INSPECTION = "inspection"
    HEARING = "hearing"
    DATA = "data"
    INTERVIEW = "interview"


class Colour(StrEnum):
    YELLOW = "yellow"
    RED = "red"


class Anchor(StrEnum):
    """What a rung is counted from."""

    REMINDER = "reminder"  # the lead's term, before its end
    OVERDUE = "overdue"  # the end of the lead's term
    HARD_CASE = "hard_case"  # since the ticket is a hard case


class Signal(StrEnum):
    """What a pattern counts."""

    RED_CARD = "red_card"
    YELLOW_CARD = "yellow_card"
    UNSATISFIED = "unsatisfied_callback"  # of one ticket
    AUTO_SIGNED = "auto_signed"
    RETURN_REJECTED = "return_rejected"
    LOWEST_TIER = "lowest_tier"  # of a month's assessment
    KNOWLEDGE_MISSED = "knowledge_missed"

    @property
    def is_of_ticket(self) -> bool:
        return self is Signal.UNSATISFIED


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A running term that rungs are counted on."""

    no: int  # of the assignment; 0 for the ticket itself
    start_at: datetime
    due_at: datetime
    limit: Limit
    left: tuple[datetime, Limit] | None = None  # after a pause: from when, and how much
    is_hard_case: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One step of the ladder. Which of the numbers are given says how its moment is found."""

    code: str
    name: str
    level: Level
    anchor: Anchor
    clause: str
    template: str
    share: Decimal | None = None  # of the limit elapsed
    days_before: int | None = None  # working days left
    days_after: int | None = None  # more than so many working days over
    morning_of: int | None = None  # the beginning of the n-th working day after
    adds_to: str | None = None  # a further notice to what that rung issued
    unless_answered: Level | None = None
    skips_elapsed: bool = False  # not for limits in hours
    audience: tuple[str, ...] = ()

    @property
    def is_reminder(self) -> bool:
        return self.anchor is Anchor.REMINDER

    def moment(self, span: Span, calendar: WorkingCalendar) -> datetime | None:
        """None where the rung does not belong to such a span."""
        if (self.anchor is Anchor.HARD_CASE) is not span.is_hard_case:
            return None
        if self.skips_elapsed and span.limit.unit.is_elapsed:
            return None
        if self.share is not None:
            return _share_of(self.share, span, calendar)
        if self.days_before is not None:
            return _before(span.due_at, self.days_before, calendar)
        from_at = span.start_at if span.is_hard_case else span.due_at
        if self.morning_of is not None:
            return _morning(calendar.deadline(from_at, self.morning_of))
        return calendar.deadline(from_at, self.days_after) if self.days_after else from_at


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelRule:
    level: Level
    name: str
    kind: Kind
    audience: tuple[str, ...]
    template: str
    clause: str
    card: Colour | None = None
    needs_reply: bool = False
    flags_ticket: bool = False
    is_published: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    name: str
    clause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """So many signals of one unit (or ticket) within so many months."""

    code: str
    name: str
    level: Level
    signal: Signal
    at_least: int
    months: int
    clause: str

    def since(self, now: datetime) -> datetime:
        day = now.astimezone(SHANGHAI)
        months = day.year * 12 + day.month - 1 - self.months
        year, month = divmod(months, 12)
        return datetime.combine(_last_upto(year, month + 1, day.day), time.min, tzinfo=SHANGHAI)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The words of a notice; `body` names its values in braces."""

    code: str
    version: int
    title: str
    body: str

    def render(self, values: Mapping[str, str]) -> str:
        return f"{self.title}\n\n{self.body.strip()}".format_map(values)


# What a template may name; nothing personal is among them.
PLACES = frozenset(
    {
        "unit",  # 督办对象
        "tickets",  # 工单编号
        "level",
        "form",
        "date",
        "due",  # when the unit's term ends or ended
        "overdue_days",
        "reply_due",
        "basis",
        "cause",
        "count",
        "words",
    }
)


def places_of(text: str) -> Iterator[str]:
    """Raises ValueError for braces that are no place."""
    for _, name, form, conversion in Formatter().parse(text):
        if name is None:
            continue
        if name not in PLACES or form or conversion:
            raise ValueError(f"没有 {{{name}}} 这一项，可用：{'、'.join(sorted(PLACES))}")
        yield name


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionRules:
    label: str
    version: int
    levels: Mapping[Level, LevelRule]
    rungs: Sequence[Rung]  # in the order in which they are climbed
    patterns: Sequence[Pattern]
    flagged: Level  # where the core puts a ticket under supervision
    flagged_reason: Reason
    knowledge_cause: str  # of what a unit owes the knowledge base and has not done in time
    knowledge_level: Level
    hard_after_days: int  # overdue by more working days than these makes a hard case
    hard_cases: Mapping[str, Reason]
    reply_limit: Limit
    contest_limit: Limit
    causes: Mapping[str, Reason]
    forms: Mapping[Form, Reason]
    grounds: Mapping[str, Reason]  # 问责线索
    waivers: Mapping[str, Reason]
    audiences: Mapping[str, str]
    templates: Mapping[str, Template]
    form_template: str
    form_audience: tuple[str, ...]
    round_hour: int
    fallback_audience: str | None = None  # of a unit without a contact in post

    def template(self, code: str, *, is_of_term: bool) -> Template:
        """The words; those of an overdue term only where there is one (hotline.md 4.2)."""
        other = None if is_of_term else self.templates.get(f"{code}_otherwise")
        return other or self.templates[code]

    def cause(self, code: str) -> Reason:
        return _known(self.causes, code, "督办事由")

    def ground(self, code: str) -> Reason:
        return _known(self.grounds, code, "问责情形")

    def waiver(self, code: str) -> Reason:
        return _known(self.waivers, code, "免除事由")

    def cause_name(self, code: str) -> str:
        """As people read it; a code of an earlier version stands for itself."""
        named = {each.code: each.name for each in self.rungs}
        named |= {each.code: each.name for each in self.patterns}
        reasons = {**self.causes, **self.grounds, **self.hard_cases, FLAGGED: self.flagged_reason}
        named |= {each: reason.name for each, reason in reasons.items()}
        return named.get(code, code)

    def next_round(self, now: datetime) -> datetime:
        """The night after."""
        local = now.astimezone(SHANGHAI)
        tonight = datetime.combine(local.date(), time(self.round_hour), tzinfo=SHANGHAI)
        return tonight if tonight > local else tonight + _ONE_DAY


def _known(listed: Mapping[str, ListedT], code: str, what: str) -> ListedT:
    if code not in listed:
        raise UnknownCause(f"{what}应为：{'、'.join(listed)}", given=code)
    return listed[code]


def _share_of(share: Decimal, span: Span, calendar: WorkingCalendar) -> datetime:
    """In working days it falls on the beginning of one, as the warning of a term does."""
    numerator, denominator = share.as_integer_ratio()
    start_at, left = span.left or (span.start_at, span.limit)
    is_plain = span.due_at == calendar.due(start_at, left)
    if span.limit.unit is not Unit.WORKING_DAYS or not is_plain:
        return start_at + (span.due_at - start_at) * numerator // denominator
    number = -(-span.limit.amount * numerator // denominator)  # rounded up: half of 5 is day 3
    number -= span.limit.amount - left.amount
    return start_at if number < 1 else _morning(calendar.deadline(start_at, number))


def _before(due_at: datetime, days: int, calendar: WorkingCalendar) -> datetime:
    """With `days` working days left, the due day among them."""
    day = due_at.astimezone(SHANGHAI).date()
    left = days - calendar.is_working_day(day)
    while left > 0:
        day -= _ONE_DAY
        left -= calendar.is_working_day(day)
    return datetime.combine(day, time.min, tzinfo=SHANGHAI)


def _morning(moment: datetime) -> datetime:
    return datetime.combine(moment.astimezone(SHANGHAI).date(), time.min, tzinfo=SHANGHAI)


def _last_upto(year: int, month: int, day: int) -> date:
    """The day of that month, or its last one where the month is shorter."""
    last = date(year + month // 12, month % 12 + 1, 1) - _ONE_DAY
    return last.replace(day=min(day, last.day))
