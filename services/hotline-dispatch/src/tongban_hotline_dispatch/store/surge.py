"""The rule data of surges: `policies/surge.yaml` to the value that the domain works with."""

from functools import cached_property
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from tongban_common.policies import LimitRule, Policy, PolicyKind
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
        if self.from_at >= self.to_at:
            raise ValueError(f"{self.name} 的起止时间颠倒")
        if "" in self.words:
            raise ValueError(f"{self.name} 的词不能为空")
        unknown = set(self.limits) - _SURGED
        if unknown:
            raise ValueError(f"{self.name} 没有这些环节：{'、'.join(sorted(unknown))}")
        return self

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
        for number, one in enumerate(self.profiles):
            for other in self.profiles[:number]:
                if one.meets(other):
                    raise ValueError(
                        f"{other.name} 与 {one.name} 在同一时段对同一事项规定了同一时限"
                    )
        return self

    @cached_property
    def surges(self) -> tuple[Surge, ...]:
        return tuple(each.surge() for each in self.profiles)


SURGE = PolicyKind("tongban_hotline_dispatch", "surge.yaml", SurgePolicy)
