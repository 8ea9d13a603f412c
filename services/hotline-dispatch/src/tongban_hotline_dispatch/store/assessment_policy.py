"""The rule data of the assessment: `policies/assessment.yaml` to the value of the domain."""

from collections.abc import Container, Iterator
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from tongban_common.policies import Policy, PolicyKind
from tongban_common.policy_faults import Fault, Faults, Path
from tongban_hotline_dispatch.domain.assessment import (
    Automatic,
    Bonus,
    ByRule,
    Deduction,
    Group,
    Indicator,
    Line,
    PublishMode,
    Reason,
    Standard,
    Tier,
    Weighed,
    Window,
)
from tongban_hotline_dispatch.domain.deadlines import UnitLevel
from tongban_hotline_dispatch.domain.periods import PeriodType


def _written(value: object) -> object:
    """A number without quotes is a float to YAML, and 0.1 of it is not 0.1."""
    if isinstance(value, float):
        raise ValueError("小数请加引号")  # noqa: TRY004 - pydantic reports a ValueError
    return value


Points = Annotated[
    Decimal, BeforeValidator(_written), Field(ge=0, le=100, max_digits=8, decimal_places=4)
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    clause: str = Field(min_length=1)


class _Named(_Part):
    name: str = Field(min_length=1)


class _Weighed(_Named):
    weight: Points


class _Value(_Part):
    value: Points


class _SmallNumbers(_Part):
    least: int = Field(ge=1, le=1000)
    indicators: frozenset[Indicator]


class _Line(_Named):
    points: Points
    cap: Points | None = None


class _Bonuses(_Part):
    cap: Points
    lines: dict[Bonus, _Line]


class _Tier(_Named):
    code: str = Field(pattern=r"^[A-Z0-9]{1,8}$")
    least: Points


class _Group(_Named):
    code: str = Field(pattern=r"^[a-z_]{1,32}$")
    levels: frozenset[UnitLevel]


class _Mode(_Part):
    mode: PublishMode


class _Lists(_Part):
    red: int = Field(ge=0, le=100)
    black: int = Field(ge=0, le=100)


class _Reason(_Named):
    needs_hearing: bool = False


class _ByRule(_Named):
    when: Automatic
    reason: str = Field(pattern=r"^[A-Z_]{1,32}$")


class _Window(_Named):
    reason: str = Field(pattern=r"^[A-Z_]{1,32}$")
    from_at: AwareDatetime
    to_at: AwareDatetime

    @model_validator(mode="after")
    def _is_forward(self) -> Self:
        if self.from_at >= self.to_at:
            raise Faults([Fault(("to_at",), f"{self.name} 的起止时间颠倒")])
        return self


class _Share(_Part):
    share: Annotated[Decimal, BeforeValidator(_written), Field(gt=0, le=1, decimal_places=4)]


class AssessmentPolicy(Policy):
    indicators: dict[Indicator, _Weighed]
    least_weight: _Value
    small_numbers: _SmallNumbers
    floor: _Value
    deductions: dict[Deduction, _Line]
    bonuses: _Bonuses
    tiers: list[_Tier] = Field(min_length=1)
    groups: list[_Group] = Field(min_length=1)
    otherwise: str
    publish: dict[PeriodType, _Mode]
    lists: _Lists
    exclusion_reasons: dict[str, _Reason] = Field(min_length=1)
    automatic: list[_ByRule]
    windows: list[_Window]
    four_eyes: _Part
    audit: _Share

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        Faults.check([*self._gaps(), *self._tier_faults(), *self._group_faults()])
        return self

    def _gaps(self) -> Iterator[Fault]:
        yield from _lacking("指标", Indicator, self.indicators, ("indicators",))
        yield from _lacking("扣分项", Deduction, self.deductions, ("deductions",))
        yield from _lacking("加分项", Bonus, self.bonuses.lines, ("bonuses", "lines"))
        yield from _lacking("发布方式的考核期", PeriodType, self.publish, ("publish",))
        total = sum(each.weight for each in self.indicators.values())
        if total != 100 and set(self.indicators) == set(Indicator):
            yield Fault(("indicators",), f"权重合计为{total}，应为100")

    def _tier_faults(self) -> Iterator[Fault]:
        codes = [tier.code for tier in self.tiers]
        for n, tier in enumerate(self.tiers):
            if n and tier.least >= self.tiers[n - 1].least:
                words = "档次的分数线应由高到低，且不重复"
                yield Fault(("tiers", n, "least"), words, also=("tiers", n - 1, "least"))
            if codes.index(tier.code) != n:
                also = ("tiers", codes.index(tier.code), "code")
                yield Fault(("tiers", n, "code"), f"档次编码重复：{tier.code}", also)
        if self.tiers[-1].least > self.floor.value:
            at = ("tiers", len(self.tiers) - 1, "least")
            yield Fault(at, "末档的分数线高于最低得分", also=("floor", "value"))

    def _group_faults(self) -> Iterator[Fault]:
        codes: dict[str, Path] = {}
        levels: dict[UnitLevel, Path] = {}
        words = "同一分组或者同一层级出现了两次"
        for n, group in enumerate(self.groups):
            before = codes.setdefault(group.code, ("groups", n, "code"))
            if before[1] != n:
                yield Fault(("groups", n, "code"), f"{words}：{group.code}", also=before)
            for level in sorted(group.levels):
                before = levels.setdefault(level, ("groups", n, "levels"))
                if before[1] != n:
                    yield Fault(("groups", n, "levels"), f"{words}：{level}", also=before)
        if self.otherwise not in codes:
            yield Fault(("otherwise",), "otherwise 不是所列分组")

    @cached_property
    def standard(self) -> Standard:
        return Standard(
            version=self.version,
            indicators={
                each: Weighed(name=self.indicators[each].name, weight=self.indicators[each].weight)
                for each in Indicator
            },
            least_weight=self.least_weight.value,
            small_number=self.small_numbers.least,
            guarded=self.small_numbers.indicators,
            floor=self.floor.value,
            deductions={each: _line(self.deductions[each]) for each in Deduction},
            bonuses={each: _line(self.bonuses.lines[each]) for each in Bonus},
            bonus_cap=self.bonuses.cap,
            tiers=tuple(Tier(code=t.code, name=t.name, least=t.least) for t in self.tiers),
            groups=tuple(Group(code=g.code, name=g.name, levels=g.levels) for g in self.groups),
            otherwise=self.otherwise,
            modes={each.value: self.publish[each].mode for each in PeriodType},
            red=self.lists.red,
            black=self.lists.black,
            reasons={
                code: Reason(name=each.name, needs_hearing=each.needs_hearing)
                for code, each in self.exclusion_reasons.items()
            },
            automatic=tuple(
                ByRule(when=each.when, reason=each.reason, name=each.name)
                for each in self.automatic
            ),
            windows=tuple(
                Window(reason=each.reason, name=each.name, from_at=each.from_at, to_at=each.to_at)
                for each in self.windows
            ),
            audit_share=self.audit.share,
        )


def _line(found: _Line) -> Line:
    return Line(name=found.name, points=found.points, cap=found.cap)


def _lacking(
    what: str, wanted: type[StrEnum], given: Container[object], at: Path
) -> Iterator[Fault]:
    for each in wanted:
        if each not in given:
            yield Fault(at, f"缺少这些{what}：{each}")


ASSESSMENT = PolicyKind("tongban_hotline_dispatch", "assessment.yaml", AssessmentPolicy)
