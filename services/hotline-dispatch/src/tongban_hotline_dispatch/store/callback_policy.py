"""The rule data of callbacks: `policies/callback.yaml` to the value that the domain works with."""

from collections.abc import Iterator
from datetime import time
from functools import cached_property
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tongban_common.policies import LimitRule, Policy, PolicyKind
from tongban_common.policy_faults import Fault, Faults
from tongban_hotline_dispatch.domain.assignment import Clock
from tongban_hotline_dispatch.domain.callback import Mark
from tongban_hotline_dispatch.domain.callback_rules import (
    Attempts,
    Band,
    CallbackRules,
    Undecided,
)
from tongban_hotline_dispatch.domain.reappraisal_rules import ReappraisalRules

_LEVELS = [1, 2, 3, 4, 5]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Clause(_Part):
    clause: str = Field(min_length=1)


class _Deadline(_Clause):
    clock: Clock

    @field_validator("clock")
    @classmethod
    def _is_one_of_the_two(cls, clock: Clock) -> Clock:
        if clock not in {Clock.CITIZEN, Clock.UNIT}:
            raise ValueError("应为 citizen 或者 unit")
        return clock


class _Number(_Clause):
    value: int = Field(ge=1, le=10)


class _Band(_Part):
    name: str = Field(min_length=1)
    begins: time
    ends: time

    @model_validator(mode="after")
    def _is_forward(self) -> Self:
        if self.begins >= self.ends:
            raise Faults([Fault(("ends",), f"{self.name} 的起止时间颠倒")])
        return self


class _Attempts(_Clause):
    days: _Number
    bands: _Number
    listed: list[_Band] = Field(min_length=1)

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        Faults.check(self._faults())
        return self

    def _faults(self) -> Iterator[Fault]:
        for n, one in enumerate(self.listed):
            for before, other in enumerate(self.listed[:n]):
                if one.begins < other.ends and other.begins < one.ends:
                    words = f"{other.name} 与 {one.name} 时段重叠"
                    yield Fault(("listed", n), words, also=("listed", before))
        if self.bands.value > len(self.listed):
            words = f"只有{len(self.listed)}个时段，不能要求{self.bands.value}个"
            yield Fault(("bands", "value"), words)


class _Mark(_Clause):
    levels: list[int] = Field(min_length=1)
    code: int

    @model_validator(mode="after")
    def _is_one_of_its_own(self) -> Self:
        if self.code not in self.levels:
            raise Faults([Fault(("code",), "code 应为其 levels 之一")])
        return self


class _Reason(_Clause):
    name: str = Field(min_length=1)


class _Switch(_Clause):
    value: bool


class _Undecided(_Clause):
    effect: Undecided


class _Lease(_Clause):
    minutes: int = Field(ge=1, le=1440)


class _Shown(_Clause):
    view_reason: str = Field(min_length=1)


class _Silence(_Clause):
    passes: bool


class _Levels(_Clause):
    levels: frozenset[str]


class _Reappraisal(_Part):
    apply: LimitRule
    county: LimitRule
    city: LimitRule
    county_silence: _Silence
    city_silence: _Silence
    without_county: _Levels
    grounds: dict[str, _Reason] = Field(min_length=1)

    def rules(self) -> ReappraisalRules:
        return ReappraisalRules(
            apply=self.apply.limit(),
            county=self.county.limit(),
            city=self.city.limit(),
            county_silence_passes=self.county_silence.passes,
            city_silence_passes=self.city_silence.passes,
            without_county=self.without_county.levels,
            grounds={code: each.name for code, each in self.grounds.items()},
        )


class CallbackPolicy(Policy):
    deadline: _Deadline
    call: LimitRule
    attempts: _Attempts
    marks: dict[Mark, _Mark]
    cannot_reasons: dict[str, _Reason] = Field(min_length=1)
    silence_is_satisfied: _Switch
    undecided_bad_review: _Undecided
    lease: _Lease
    number: _Shown
    reappraisal: _Reappraisal

    @model_validator(mode="after")
    def _reads_every_level_once(self) -> Self:
        Faults.check(self._faults())
        return self

    def _faults(self) -> Iterator[Fault]:
        missing = [each for each in Mark if each not in self.marks]
        if missing:
            yield Fault(("marks",), f"marks 缺少：{'、'.join(missing)}")
        elif sorted(level for each in self.marks.values() for level in each.levels) != _LEVELS:
            yield Fault(("marks",), "marks 应把一至五级各归入一类")

    @cached_property
    def rules(self) -> CallbackRules:
        return CallbackRules(
            label=f"{self.name}@{self.version}",
            version=self.version,
            deadline_clock=self.deadline.clock,
            call=self.call.limit(),
            attempts=Attempts(
                days=self.attempts.days.value,
                bands=self.attempts.bands.value,
                listed=tuple(
                    Band(name=each.name, begins=each.begins, ends=each.ends)
                    for each in self.attempts.listed
                ),
            ),
            marks={level: mark for mark, each in self.marks.items() for level in each.levels},
            levels={mark: each.code for mark, each in self.marks.items()},
            cannot_reasons={code: each.name for code, each in self.cannot_reasons.items()},
            silence_is_satisfied=self.silence_is_satisfied.value,
            undecided=self.undecided_bad_review.effect,
            lease_minutes=self.lease.minutes,
            view_reason=self.number.view_reason,
            reappraisal=self.reappraisal.rules(),
        )


CALLBACK = PolicyKind("tongban_hotline_dispatch", "callback.yaml", CallbackPolicy)
