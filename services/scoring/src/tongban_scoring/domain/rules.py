"""The rule book (考核细则) as values: what each rule is worth, and how rules bear on each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from tongban_common.errors import BadInput, RuleViolation
from tongban_common.working_days import Limit


class BadRuleBook(BadInput):
    code = "rules.bad_book"


class UnknownRule(RuleViolation):
    code = "rules.unknown"


class AmountOutOfRange(RuleViolation):
    code = "rules.amount_out_of_range"


class LevelMissing(RuleViolation):
    code = "rules.level_missing"


class LevelNotApplicable(RuleViolation):
    code = "rules.level_not_applicable"


class QuantityNotOne(RuleViolation):
    code = "rules.quantity_not_one"


class StaffMissing(RuleViolation):
    code = "rules.staff_missing"


class Feed(StrEnum):
    AUTO = "auto"  # 自动
    CANDIDATE = "candidate"  # 线索，须确认
    MANUAL = "manual"  # 人工记录


class Side(StrEnum):
    BONUS = "bonus"  # 加分
    DEDUCTION = "deduction"  # 扣分
    CORRECTION = "correction"  # 冲销以前周期的记录


class CapPeriod(StrEnum):
    MONTH = "month"
    QUARTER = "quarter"  # the whole of the assessed period


class Keep(StrEnum):
    MAX = "max"
    MOST_SPECIFIC = "most_specific"


class Apply(StrEnum):
    ALL_IN_MONTH = "all_in_month"
    FROM_NTH = "from_nth"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    amount: Decimal
    period: CapPeriod
    clause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Minutes:
    """How long somebody was away: from `least`, or from more than `more_than`, up to `most`."""

    least: Decimal | None = None
    more_than: Decimal | None = None
    most: Decimal | None = None

    def hold(self, minutes: Decimal) -> bool:
        return (
            (self.least is None or minutes >= self.least)
            and (self.more_than is None or minutes > self.more_than)
            and (self.most is None or minutes <= self.most)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """A rule as an entry keeps it: enough to explain the entry when the book is without it."""

    side: Side
    label: str
    unit: str
    clause: str
    waives: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One atomic rule. `most` is the upper end where the text gives a range.

    `waives`: the rule that falls with this one when nobody of the office is to blame; such a
    rule is confirmed only by attribution to the window.
    """

    id: str
    side: Side
    amount: Decimal
    label: str
    unit: str
    feed: Feed
    clause: str
    section: str
    most: Decimal | None = None
    levels: Mapping[str, Decimal] | None = None
    group: str | None = None
    specificity: int = 0
    dimension: str | None = None
    cap: Cap | None = None
    minutes: Minutes | None = None
    waives: str | None = None
    is_retired: bool = False  # no longer in the book; its entries keep their amount

    @property
    def wording(self) -> Wording:
        return Wording(
            side=self.side,
            label=self.label,
            unit=self.unit,
            clause=self.clause,
            waives=self.waives,
        )

    def check(self, *, level: str | None, quantity: Decimal, staff_code: str | None) -> None:
        """What a record of this rule must say, and must not.

        Raises LevelMissing, LevelNotApplicable, QuantityNotOne, StaffMissing.
        """
        if self.levels is not None and level is None:
            raise LevelMissing(f"“{self.label}”须写明级别", rule=self.id)
        if self.levels is None and level is not None:
            raise LevelNotApplicable(f"“{self.label}”不分级别", rule=self.id)
        if "人次" in self.unit and quantity != 1:
            raise QuantityNotOne(f"“{self.label}”按人次计，一人一次记一条", rule=self.id)
        if "人" in self.unit and staff_code is None:
            raise StaffMissing(f"“{self.label}”按人计，须写明工作人员编码", rule=self.id)

    def amount_for(self, *, level: str | None = None, wanted: Decimal | None = None) -> Decimal:
        """The points of one unit: by level, or within the range; the lower end by default."""
        if level is not None and self.levels is not None:
            if level not in self.levels:
                raise AmountOutOfRange(f"“{self.label}”没有这一级别", rule=self.id)
            return self.levels[level]
        if wanted is None:
            return self.amount
        if not self.amount <= wanted <= (self.most or self.amount):
            raise AmountOutOfRange(f"“{self.label}”的分值不在规定幅度内", rule=self.id)
        return wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """互斥组: rules that may meet in one fact (of one person, where `per_person`)."""

    keep: Keep
    per_person: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubling:
    """同一人同一条款一月内累计数次的，加倍扣分."""

    id: str
    section: str
    count: int
    factor: Decimal
    apply: Apply
    clause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    name: str
    least: Decimal
    clause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RedLine:
    """红线: no points, but a case of its own; never fires by itself."""

    id: str
    label: str
    clause: str
    from_rule: str | None = None
    quantity: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forfeit:
    """全有或全无: these base points are lost as a whole when an entry of any of `rules` counts."""

    id: str
    points: Decimal
    label: str
    clause: str
    rules: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Which event, under which conditions, touches which rule."""

    event: str
    rule_id: str
    clause: str
    when: Mapping[str, Sequence[object]]

    def matches(self, event: str, told: Mapping[str, object]) -> bool:
        return event == self.event and all(
            told.get(field) in allowed for field, allowed in self.when.items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    name: str
    version: int
    title: str
    formula: str
    start: Decimal
    floor: Decimal | None
    ceiling: Decimal | None
    rules: Mapping[str, Rule]
    groups: Mapping[str, Group]
    doubling: Doubling
    grades: Sequence[Grade]  # the best first
    red_lines: Sequence[RedLine]
    confirm_limit: Limit
    sources: Sequence[Source] = ()
    forfeit: Forfeit | None = None
    overdue_rules: frozenset[str] = frozenset()  # fewer of them go first among equal scores

    def rule(self, rule_id: str) -> Rule:
        """Raises UnknownRule."""
        found = self.rules.get(rule_id)
        if found is None:
            raise UnknownRule("考核细则中没有这一条款")
        return found

    def touched_by(self, event: str, told: Mapping[str, object]) -> list[Rule]:
        """The rules that an event touches, by what it tells."""
        return [self.rule(each.rule_id) for each in self.sources if each.matches(event, told)]

    def red_line(self, red_line_id: str) -> RedLine:
        """Raises UnknownRule."""
        found = next((each for each in self.red_lines if each.id == red_line_id), None)
        if found is None:
            raise UnknownRule("考核细则中没有这条红线")
        return found

    def grade_of(self, score: Decimal) -> Grade:
        return next((each for each in self.grades if score >= each.least), self.grades[-1])

    def faults(self) -> list[str]:
        """What does not fit together, for the person who changes the book."""
        found = [
            f"{rule.id} 引用了不存在的互斥组 {rule.group}"
            for rule in self.rules.values()
            if rule.group is not None and rule.group not in self.groups
        ]
        found += [
            f"{rule.id} 的幅度上限小于下限"
            for rule in self.rules.values()
            if rule.most is not None and rule.most < rule.amount
        ]
        found += self._missing_rules()
        found += [
            f"{each.rule_id} 由人工记录，不能由事件 {each.event} 触发"
            for each in self.sources
            if each.rule_id in self.rules and self.rules[each.rule_id].feed is Feed.MANUAL
        ]
        if self.doubling.section not in {rule.section for rule in self.rules.values()}:
            found.append(f"加倍规则引用了不存在的章节 {self.doubling.section}")
        if list(self.grades) != sorted(self.grades, key=lambda each: -each.least):
            found.append("等次应由高到低排列")
        return found

    def _missing_rules(self) -> list[str]:
        """Ids that the book mentions and does not have."""
        mentioned = [
            *(("feeds", each.rule_id) for each in self.sources),
            *((rule.id, rule.waives) for rule in self.rules.values() if rule.waives is not None),
            *(("ties", each) for each in sorted(self.overdue_rules)),
        ]
        if self.forfeit is not None:
            mentioned += [(self.forfeit.id, each) for each in sorted(self.forfeit.rules)]
        return [
            f"{where} 引用了不存在的条款 {rule_id}"
            for where, rule_id in mentioned
            if rule_id not in self.rules
        ]


def rule_for_minutes(book: RuleBook, minutes: Decimal) -> Rule | None:
    """离岗: the rule for the time somebody was away from the post, if it costs anything."""
    timed = ((rule, rule.minutes) for rule in book.rules.values())
    return next((rule for rule, span in timed if span is not None and span.hold(minutes)), None)
