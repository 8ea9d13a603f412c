"""The rule book as it stands in `policies/rule-book.yaml`, to the value the domain works with."""

from decimal import Decimal
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tongban_common.policies import LimitRule, Policy, PolicyKind
from tongban_scoring.domain.rules import (
    Apply,
    Cap,
    CapPeriod,
    Doubling,
    Feed,
    Grade,
    Group,
    Keep,
    RedLine,
    Rule,
    RuleBook,
    Side,
)

Points = Decimal


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Value(_Part):
    value: Points | None
    clause: str = Field(min_length=1)


class _RangeValue(_Part):
    value: str = Field(pattern="^min$")
    clause: str = Field(min_length=1)


class _Switches(_Part):
    start: _Value
    floor: _Value
    ceiling: _Value
    range: _RangeValue
    confirm: LimitRule


class _Grade(_Part):
    name: str
    least: Points
    clause: str


class _Item(_Part):
    id: str
    points: Points
    label: str


class _Base(_Item):
    clause: str
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
    least: int
    most: int | None


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


class RuleBookPolicy(Policy):
    subject: str
    formula: str
    switches: _Switches
    grades: list[_Grade] = Field(min_length=1)
    base: list[_Base]
    base_deductions: list[_Rule]
    bonus: list[_Rule]
    sections: list[_Section]
    doubling: _Doubling
    red_lines: _RedLines
    groups: dict[str, _Group]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if sum(each.points for each in self.base) != self.switches.start.value:
            raise ValueError("基本分各项之和应等于总分")
        ids = [rule.id for rule in self._rules()]
        repeated = sorted({each for each in ids if ids.count(each) > 1})
        if repeated:
            raise ValueError(f"条款编号重复：{'、'.join(repeated)}")
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
