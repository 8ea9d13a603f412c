"""The rule data of upper platforms: `policies/upstream.yaml` to what the domain works with."""

from collections.abc import Iterator
from functools import cached_property
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tongban_common.policies import Policy, PolicyKind
from tongban_common.policy_faults import Fault, Faults
from tongban_hotline_dispatch.domain.appeal import Channel
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.upstream_rules import Platform, UpstreamRules


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    clause: str = Field(min_length=1)


class _Platform(_Part):
    subject: str = Field(min_length=1, max_length=100)
    name: str = Field(min_length=1, max_length=100)
    channel: Channel


class _Phases(_Part):
    words: dict[Status, str]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        missing = [each for each in Status if each is not Status.DRAFT and not self.words.get(each)]
        Faults.check(Fault(("words", each), f"没有这些状态对应的环节：{each}") for each in missing)
        return self


class _Batch(_Part):
    most: int = Field(ge=1, le=10_000)


class UpstreamPolicy(Policy):
    platforms: list[_Platform]
    phases: _Phases
    batch: _Batch

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        Faults.check(self._faults())
        return self

    def _faults(self) -> Iterator[Fault]:
        for what in ("subject", "channel"):
            named = [str(getattr(each, what)) for each in self.platforms]
            for n, name in enumerate(named):
                before = named.index(name)
                if before != n:
                    also = ("platforms", before, what)
                    yield Fault(("platforms", n, what), f"{what} 重复：{name}", also)

    @cached_property
    def rules(self) -> UpstreamRules:
        return UpstreamRules(
            platforms={
                each.subject: Platform(subject=each.subject, name=each.name, channel=each.channel)
                for each in self.platforms
            },
            phases=self.phases.words,
            most=self.batch.most,
        )


UPSTREAM = PolicyKind("tongban_hotline_dispatch", "upstream.yaml", UpstreamPolicy)
