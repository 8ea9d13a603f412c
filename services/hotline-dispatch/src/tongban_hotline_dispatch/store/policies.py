"""The rule data of the hotline: `policies/limits.yaml` to the value that the domain works with."""

from collections.abc import Iterator
from datetime import time
from decimal import Decimal
from functools import cached_property
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tongban_common.policies import LimitRule, Policy, PolicyKind
from tongban_common.policy_faults import Fault, Faults
from tongban_common.working_days import Unit
from tongban_hotline_dispatch.domain.appeal import HANDLED, AppealType, Urgency
from tongban_hotline_dispatch.domain.deadlines import (
    STATUTE,
    Counting,
    ReplyLimits,
    ReplyRule,
    UnitLevel,
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Line(LimitRule):
    urgency: Urgency | None = None
    matter_code: str | None = None
    level: UnitLevel | None = None
    appeal_type: AppealType | None = None

    def rule(self) -> ReplyRule:
        return ReplyRule(
            limit=self.limit(),
            urgency=self.urgency,
            matter_code=self.matter_code,
            level=self.level,
            appeal_type=self.appeal_type,
        )


class _Set(_Part):
    title: str = Field(min_length=1)
    rules: list[_Line] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_unambiguous(self) -> Self:
        first: dict[tuple[object, ...], int] = {}
        Faults.check(
            Fault(("rules", n), f"同一条件有多条时限：{line.clause}", also=("rules", before))
            for n, line in enumerate(self.rules)
            if (before := first.setdefault(line.rule().conditions, n)) != n
        )
        return self


class _WarnPoint(_Part):
    share: Decimal = Field(gt=0, le=1)
    clause: str = Field(min_length=1)


class _CitizenSlack(_Part):
    working_days: int = Field(ge=0, le=30)
    clause: str = Field(min_length=1)


class _DayEnd(_Part):
    at: time | None  # null: 24:00
    clause: str = Field(min_length=1)


class _AfterHours(_Part):
    rolls_from: time | None  # null: a receipt counts on its own day, at whatever hour
    clause: str = Field(min_length=1)


class _Counting(_Part):
    day_end: _DayEnd
    after_hours: _AfterHours

    def value(self) -> Counting:
        return Counting(ends=self.day_end.at, rolls=self.after_hours.rolls_from)


class LimitsPolicy(Policy):
    in_force: str
    counting: _Counting | None = None  # absent: as the statute counts
    warn_points: dict[Unit, _WarnPoint]
    citizen_slack: _CitizenSlack
    sets: dict[str, _Set]

    @model_validator(mode="after")
    def _covers_every_appeal(self) -> Self:
        Faults.check(self._faults())
        return self

    def _faults(self) -> Iterator[Fault]:
        if self.in_force not in self.sets:
            yield Fault(("in_force",), f"in_force 指向的 {self.in_force} 不在 sets 之中")
        for name, each in self.sets.items():
            covered = {rule.appeal_type for rule in _without_other_conditions(each)}
            missing = [
                kind for kind in AppealType if kind in HANDLED and not {kind, None} & covered
            ]
            if missing:
                yield Fault(("sets", name), f"{name} 没有这些诉求类型的时限：{'、'.join(missing)}")

    def limits(self) -> ReplyLimits:
        """The set in force."""
        return self.reply_limits

    @cached_property
    def reply_limits(self) -> ReplyLimits:
        return ReplyLimits(
            policy=f"{self.name}/{self.in_force}@{self.version}",
            rules=tuple(line.rule() for line in self.sets[self.in_force].rules),
            warn_points={unit: point.share for unit, point in self.warn_points.items()},
            citizen_slack=self.citizen_slack.working_days,
            slack_clause=self.citizen_slack.clause,
            counting=self.counting.value() if self.counting else STATUTE,
        )


def _without_other_conditions(chosen: _Set) -> list[ReplyRule]:
    """The rules that hold for an ordinary appeal, whatever its matter and its unit."""
    rules = [line.rule() for line in chosen.rules]
    return [rule for rule in rules if rule.conditions[:-1] == (None, None, None)]


LIMITS = PolicyKind("tongban_hotline_dispatch", "limits.yaml", LimitsPolicy)
