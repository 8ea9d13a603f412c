"""The rule data of intake: `policies/limits.yaml` to the value that the domain works with."""

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from tongban_common.policies import Policy, PolicyKind
from tongban_common.working_days import Limit, Unit
from tongban_intake.domain.deadlines import Limits, WarningRule


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    clause: str = Field(min_length=1)


class _LimitRule(_Part):
    amount: int = Field(ge=1, le=3650)
    unit: Unit

    def limit(self) -> Limit:
        return Limit(amount=self.amount, unit=self.unit, clause=self.clause)


class _UnitsBefore(_Part):
    value: int = Field(ge=1)


class _UsedRatio(_Part):
    value: Decimal = Field(gt=0, lt=1)


class _Warning(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    units_before: _UnitsBefore
    used_ratio: _UsedRatio


class LimitsPolicy(Policy):
    """`precheck` and `decide_extension` are kept here for the steps that will run under them."""

    precheck: _LimitRule
    decide: _LimitRule
    decide_extension: _LimitRule
    instant: _LimitRule
    delivery: _LimitRule
    warning: _Warning

    def limits(self) -> Limits:
        return Limits(
            version=self.version,
            decide=self.decide.limit(),
            instant=self.instant.limit(),
            delivery=self.delivery.limit(),
            warning=WarningRule(
                units_before=self.warning.units_before.value, ratio=self.warning.used_ratio.value
            ),
        )


LIMITS = PolicyKind("tongban_intake", "limits.yaml", LimitsPolicy)
