"""The rule book as it stands in `policies/rule-book.yaml`, to the value the domain works with."""

from decimal import Decimal
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tongban_common.policies import LimitRule, Policy, PolicyKind
from tongban_scoring.domain.rules import (
    Apply,
    Cap,
    CapPeriod,
    Doubling,
    Feed,
    Forfeit,
    Grade,
    Group,
    Keep,
    Minutes,
    RedLine,
    Rule,
    RuleBook,
    Side,
    Source,
)

Points = Decimal
# What a condition may ask of each event: the fields that its reading in consumers.py has.
FEEDABLE = {
    "tongban.intake.deadline-missed.v1": {"kind"},
    "tongban.intake.case-completed.v1": set[str](),
    "tongban.hotline.deadline-missed.v1": {"clock"},
    "tongban.hotline.ticket-replied.v1": set[str](),
    "tongban.evaluation.rectification-closed.v1": {"is_substantiated", "root_cause"},
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Value(_Part):
    value: Points | None
    clause: str = Field(min_length=1)


class _RangeValue(_Part):
    value: str = Field(pattern="^min$")
    clause: str = Field(min_length=1)


class _Forfeit(_Part):
    value: bool
    item: str
    rules: list[str] = Field(min_length=1)
    clause: str = Field(min_length=1)


class _Ties(_Part):
    overdue: list[str]
    clause: str = Field(min_length=1)


class _Switches(_Part):
    start: _Value
    floor: _Value
    ceiling: _Value
    range: _RangeValue
    confirm: LimitRule
    forfeit: _Forfeit
    ties: _Ties


class _Grade(_Part):
    name: str
    least: Points
    clause: str


class _Item(_Part):
    id: str
    points: Points
    label: str
    clause: str = Field(min_length=1)


class _Base(_Item):
    items: list[_Item]

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.items and sum(item.points for item in self.items) > self.points:
            raise ValueError(f"{self.id} 各项之和超过该项总分")
        return self


class _Cap(_Part):
    amount: Points = Field(gt=0)
    period: CapPeriod
    clause: str


class _Minutes(_Part):
    """`least_exclusive` is where the text says 超过; in whole minutes it is one more."""

    least: int
    least_exclusive: int | None = None
    most: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _in_whole_minutes(cls, given: dict[str, Any]) -> dict[str, Any]:
        if "least_exclusive" in given and "least" not in given:
            return {"least": given["least_exclusive"] + 1, **given}
        return given

    def value(self) -> Minutes:
        more_than = self.least_exclusive
        return Minutes(
            least=Decimal(self.least) if more_than is None else None,
            more_than=None if more_than is None else Decimal(more_than),
            most=None if self.most is None else Decimal(self.most),
        )


class _Rule(_Part):
    id: str
    amount: Points = Field(gt=0)
    most: Points | None = None
    levels: dict[str, Points] | None = None
    unit: str
    label: str
    feed: Feed
    group: str | None = None
    specificity: int = 0
    dimension: str | None = None
    minutes: _Minutes | None = None
    cap: _Cap | None = None
    waives: str | None = None
    requires: list[str] = Field(default_factory=list)
    duty: str | None = None
    sources: list[str] = Field(default_factory=list)
    clause: str = Field(min_length=1)

    def rule(self, side: Side, section: str) -> Rule:
        return Rule(
            id=self.id,
            side=side,
            amount=self.amount,
            label=self.label,
            unit=self.unit,
            feed=self.feed,
            clause=self.clause,
            section=section,
            most=self.most,
            levels=self.levels,
            group=self.group,
            specificity=self.specificity,
            dimension=self.dimension,
            minutes=None if self.minutes is None else self.minutes.value(),
            waives=self.waives,
            cap=None
            if self.cap is None
            else Cap(amount=self.cap.amount, period=self.cap.period, clause=self.cap.clause),
        )


class _Section(_Part):
    id: str
    label: str
    clause: str
    deductions: list[_Rule]


class _Doubling(_Part):
    id: str
    section: str
    count: int = Field(ge=2)
    factor: Points
    apply: Apply
    clause: str


class _RedLine(_Part):
    id: str
    label: str
    clause: str
    half_days: int | None = None
    from_rule: str | None = None


class _RedLines(_Part):
    effect: str
    clause: str
    items: list[_RedLine]


class _Group(_Part):
    keep: Keep
    per_person: bool = False
    label: str
    clause: str = Field(min_length=1)


class _Clauses(_Part):
    formula: str = Field(min_length=1)
    effective_from: str = Field(min_length=1)


class _Feed(_Part):
    event: str
    rule: str
    when: dict[str, list[bool | str]] = Field(default_factory=dict)
    clause: str = Field(min_length=1)

    @model_validator(mode="after")
    def _is_told(self) -> Self:
        if self.event not in FEEDABLE:
            raise ValueError(f"没有接入的事件：{self.event}")
        strange = sorted(set(self.when) - FEEDABLE[self.event])
        if strange:
            raise ValueError(f"事件 {self.event} 不能以 {'、'.join(strange)} 为条件")
        return self

    def value(self) -> Source:
        return Source(event=self.event, rule_id=self.rule, clause=self.clause, when=self.when)


class RuleBookPolicy(Policy):
    subject: str
    formula: str
    clauses: _Clauses
    switches: _Switches
    grades: list[_Grade] = Field(min_length=1)
    base: list[_Base]
    base_deductions: list[_Rule]
    bonus: list[_Rule]
    sections: list[_Section]
    doubling: _Doubling
    red_lines: _RedLines
    groups: dict[str, _Group]
    feeds: list[_Feed]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if sum(each.points for each in self.base) != self.switches.start.value:
            raise ValueError("基本分各项之和应等于总分")
        ids = [rule.id for rule in self._rules()]
        repeated = sorted({each for each in ids if ids.count(each) > 1})
        if repeated:
            raise ValueError(f"条款编号重复：{'、'.join(repeated)}")
        if self._forfeited() is None:
            raise ValueError(f"基本分中没有 {self.switches.forfeit.item}")
        faults = self.book().faults()
        if faults:
            raise ValueError("；".join(faults))
        return self

    def book(self) -> RuleBook:
        doubling = self.doubling
        return RuleBook(
            name=self.name,
            version=self.version,
            title=self.title,
            formula=self.formula,
            start=self.switches.start.value or Decimal(0),
            floor=self.switches.floor.value,
            ceiling=self.switches.ceiling.value,
            rules={rule.id: rule for rule in self._rules()},
            groups={
                name: Group(keep=group.keep, per_person=group.per_person)
                for name, group in self.groups.items()
            },
            doubling=Doubling(
                id=doubling.id,
                section=doubling.section,
                count=doubling.count,
                factor=doubling.factor,
                apply=doubling.apply,
                clause=doubling.clause,
            ),
            grades=tuple(
                Grade(name=each.name, least=each.least, clause=each.clause) for each in self.grades
            ),
            red_lines=tuple(
                RedLine(
                    id=each.id,
                    label=each.label,
                    clause=each.clause,
                    from_rule=each.from_rule,
                    quantity=each.half_days,
                )
                for each in self.red_lines.items
            ),
            confirm_limit=self.switches.confirm.limit(),
            sources=tuple(each.value() for each in self.feeds),
            forfeit=self._forfeited() if self.switches.forfeit.value else None,
            overdue_rules=frozenset(self.switches.ties.overdue),
        )

    def _forfeited(self) -> Forfeit | None:
        switch = self.switches.forfeit
        items = (item for each in self.base for item in each.items if item.id == switch.item)
        item = next(items, None)
        if item is None:
            return None
        return Forfeit(
            id=item.id,
            points=item.points,
            label=item.label,
            clause=switch.clause,
            rules=frozenset(switch.rules),
        )

    def _rules(self) -> list[Rule]:
        return [
            *(each.rule(Side.DEDUCTION, "BASE") for each in self.base_deductions),
            *(each.rule(Side.BONUS, "BONUS") for each in self.bonus),
            *(
                each.rule(Side.DEDUCTION, section.id)
                for section in self.sections
                for each in section.deductions
            ),
        ]


RULE_BOOK = PolicyKind("tongban_scoring", "rule-book.yaml", RuleBookPolicy)
