"""The rule data of the hotline: `policies/limits.yaml` to the value that the domain works with."""

from decimal import Decimal
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tongban_common.policies import LimitRule, Policy, PolicyKind
from tongban_hotline_dispatch.domain.deadlines import ReplyLimits, ReplyRule
from tongban_hotline_dispatch.domain.ticket import AppealType, Urgency


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Line(LimitRule):
    appeal_type: AppealType | None = None
    urgency: Urgency | None = None
    level: str | None = None

    def rule(self) -> ReplyRule:
        return ReplyRule(
            limit=self.limit(),
            appeal_type=self.appeal_type,
            urgency=self.urgency,
            level=self.level,
        )


class _Set(_Part):
    title: str = Field(min_length=1)
    rules: list[_Line] = Field(min_length=1)


class _WarnAfter(_Part):
    share: Decimal = Field(gt=0, lt=1)
    clause: str = Field(min_length=1)


class _CitizenExtra(_Part):
    working_days: int = Field(ge=0, le=30)
    clause: str = Field(min_length=1)


class LimitsPolicy(Policy):
    in_force: str
    warn_after: _WarnAfter
    citizen_extra: _CitizenExtra
    sets: dict[str, _Set]

    @model_validator(mode="after")
    def _covers_every_matter(self) -> Self:
        if self.in_force not in self.sets:
            raise ValueError(f"in_force 指向的 {self.in_force} 不在 sets 之中")
        for name, each in self.sets.items():
            limits = self._limits_of(name, each)
            for appeal_type in AppealType:
                limits.pick(appeal_type=appeal_type, urgency=Urgency.NORMAL)
        return self

    def limits(self) -> ReplyLimits:
        """The set in force."""
        return self._limits_of(self.in_force, self.sets[self.in_force])

    def _limits_of(self, name: str, chosen: _Set) -> ReplyLimits:
        return ReplyLimits(
            policy=f"{self.name}/{name}@{self.version}",
            rules=tuple(line.rule() for line in chosen.rules),
            warn_after=self.warn_after.share,
            citizen_extra=self.citizen_extra.working_days,
        )


LIMITS = PolicyKind("tongban_hotline_dispatch", "limits.yaml", LimitsPolicy)
