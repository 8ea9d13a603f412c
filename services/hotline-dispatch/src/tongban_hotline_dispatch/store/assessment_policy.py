"""The rule data of the assessment: `policies/assessment.yaml` to the value of the domain."""

from decimal import Decimal
from functools import cached_property
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from tongban_common.policies import Policy, PolicyKind
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
            raise ValueError(f"{self.name} 的起止时间颠倒")
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
        _has_all("指标", Indicator, self.indicators)
        _has_all("扣分项", Deduction, self.deductions)
        _has_all("加分项", Bonus, self.bonuses.lines)
        _has_all("发布方式的考核期", PeriodType, self.publish)
        total = sum(each.weight for each in self.indicators.values())
        if total != 100:
            raise ValueError(f"权重合计为{total}，应为100")
        return self

    @model_validator(mode="after")
    def _has_falling_tiers(self) -> Self:
        least = [tier.least for tier in self.tiers]
        if least != sorted(set(least), reverse=True):
            raise ValueError("档次的分数线应由高到低，且不重复")
        if self.tiers[-1].least > self.floor.value:
            raise ValueError("末档的分数线高于最低得分")
        if len({tier.code for tier in self.tiers}) < len(self.tiers):
            raise ValueError("档次编码重复")
        return self

    @model_validator(mode="after")
    def _has_plain_groups(self) -> Self:
        codes = [group.code for group in self.groups]
        levels = [level for group in self.groups for level in group.levels]
        if len(set(codes)) < len(codes) or len(set(levels)) < len(levels):
            raise ValueError("同一分组或者同一层级出现了两次")
        if self.otherwise not in codes:
            raise ValueError("otherwise 不是所列分组")
        return self

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


def _has_all(what: str, wanted: type, given: object) -> None:
    missing = [each.value for each in wanted if each not in given]  # type: ignore[attr-defined,operator]
    if missing:
        raise ValueError(f"缺少这些{what}：{'、'.join(missing)}")


ASSESSMENT = PolicyKind("tongban_hotline_dispatch", "assessment.yaml", AssessmentPolicy)
