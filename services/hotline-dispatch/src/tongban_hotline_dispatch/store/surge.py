"""The rule data of surges: `policies/surge.yaml` to the value that the domain works with."""

from collections.abc import Iterator
from functools import cached_property
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from tongban_common.policies import LimitRule, Policy, PolicyKind
from tongban_common.policy_faults import Fault, Faults
from tongban_hotline_dispatch.domain.surge import Surge
from tongban_hotline_dispatch.store.process import STAGE_NAMES

_SURGED = STAGE_NAMES | {"reply"}


class _Profile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    matter: str = ""
    words: frozenset[str] = frozenset()
    from_at: AwareDatetime
    to_at: AwareDatetime
    limits: dict[str, LimitRule] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        Faults.check(self._faults())
        return self

    def _faults(self) -> Iterator[Fault]:
        if self.from_at >= self.to_at:
            yield Fault(("to_at",), f"{self.name} 的起止时间颠倒")
        if "" in self.words:
            yield Fault(("words",), f"{self.name} 的词不能为空")
        for stage in sorted(set(self.limits) - _SURGED):
            yield Fault(("limits", stage), f"{self.name} 没有这些环节：{stage}")

    def meets(self, other: "_Profile") -> bool:
        """Neither is the more specific, and both could hold at one moment for one stage."""
        is_same = self.matter == other.matter and bool(self.words) == bool(other.words)
        is_met = not self.words or bool(self.words & other.words)
        same_time = self.from_at < other.to_at and other.from_at < self.to_at
        return is_same and is_met and same_time and bool(set(self.limits) & set(other.limits))

    def surge(self) -> Surge:
        return Surge(
            name=self.name,
            matter=self.matter,
            words=self.words,
            from_at=self.from_at,
            to_at=self.to_at,
            limits={name: rule.limit() for name, rule in self.limits.items()},
        )


class SurgePolicy(Policy):
    profiles: list[_Profile]

    @model_validator(mode="after")
    def _has_no_overlap(self) -> Self:
        Faults.check(
            Fault(
                ("profiles", number),
                f"{other.name} 与 {one.name} 在同一时段对同一事项规定了同一时限",
                also=("profiles", before),
            )
            for number, one in enumerate(self.profiles)
            for before, other in enumerate(self.profiles[:number])
            if one.meets(other)
        )
        return self

    @cached_property
    def surges(self) -> tuple[Surge, ...]:
        return tuple(each.surge() for each in self.profiles)


SURGE = PolicyKind("tongban_hotline_dispatch", "surge.yaml", SurgePolicy)
