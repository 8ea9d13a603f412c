"""The rule data of the process: `policies/process.yaml` to the value that the domain works with."""

from collections.abc import Iterator
from functools import cached_property
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tongban_common.policies import LimitRule, Policy, PolicyKind
from tongban_common.policy_faults import Fault, Faults
from tongban_common.working_days import Limit, Unit
from tongban_hotline_dispatch.domain.appeal import AppealType, Urgency
from tongban_hotline_dispatch.domain.assignment import AskKind, Clock
from tongban_hotline_dispatch.domain.deadlines import UnitLevel
from tongban_hotline_dispatch.domain.process import (
    AutoPass,
    Counts,
    Disposition,
    Exemption,
    Keep,
    Process,
    StageLimit,
    Trigger,
    Whistle,
)
from tongban_hotline_dispatch.domain.ticket import STAGES

# Every stage that the tables and the clocks name.
STAGE_NAMES = (
    {clock.value for clock in STAGES.values()}
    | {f"{kind}_decision" for kind in AskKind}
    | {"sign", "contact", "return", "rework", "reopen"}
)
WHISTLED = {Clock.REPORT_IN.value}  # only where the rule has a whistle


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Line(LimitRule):
    urgency: Urgency | None = None


class _Count(_Part):
    value: int = Field(ge=0, le=100)
    clause: str = Field(min_length=1)


class _Counts(_Part):
    returns_before_forced: _Count
    rework_rounds: _Count
    extensions: _Count
    extensions_by_center: _Count
    extension_days: _Count
    callback_attempts: _Count
    co_unit_margin: _Count

    def counts(self) -> Counts:
        return Counts(**{name: getattr(self, name).value for name in type(self).model_fields})


class _NotExtendable(_Part):
    appeal_types: frozenset[AppealType]
    urgencies: frozenset[Urgency]
    clause: str = Field(min_length=1)


class _Reason(_Part):
    name: str = Field(min_length=1)
    clause: str = Field(min_length=1)


class _Disposition(_Part):
    name: str = Field(min_length=1)
    basis: str = Field(min_length=1)
    words: str = Field(min_length=1)
    route: str | None = None
    is_sealed: bool = False
    is_immediate: bool = False
    situation: str = Field(min_length=1)
    closes_as: str | None = None
    lines: dict[str, str] = {}
    may_guide: bool = False
    makes_evidence: bool = False


class _Exempt(_Part):
    when: Exemption
    clause: str = Field(min_length=1)


class _Callback(_Part):
    trigger: Trigger
    clause: str = Field(min_length=1)
    exempt: list[_Exempt]


class _AutoPass(_Part):
    appeal_types: frozenset[AppealType]
    urgencies: frozenset[Urgency]
    clause: str = Field(min_length=1)


class _Keep(_Part):
    matter: str = Field(min_length=1)
    levels: frozenset[UnitLevel] = Field(min_length=1)
    clause: str = Field(min_length=1)


class _SignOffs(_Part):
    """分管领导审签: what goes out of a unit only once a second person has signed it off here."""

    of: frozenset[Literal["return", "reply"]] = Field(min_length=1)
    clause: str = Field(min_length=1)


class _Notice(_Part):
    hours: int = Field(ge=1, le=72)
    clause: str = Field(min_length=1)

    def limit(self) -> Limit:
        return Limit(amount=self.hours, unit=Unit.HOURS, clause=self.clause)


class _Whistle(_Part):
    """吹哨报到."""

    levels: frozenset[UnitLevel]
    clause: str = Field(min_length=1)


class ProcessPolicy(Policy):
    limits: dict[str, list[_Line]]
    counts: _Counts
    not_extendable: _NotExtendable
    pause_reasons: dict[str, _Reason] = Field(min_length=1)
    reopen_reasons: dict[str, _Reason] = Field(min_length=1)
    no_redo_reasons: dict[str, _Reason] = Field(min_length=1)
    dispositions: dict[str, _Disposition] = Field(min_length=1)
    callback: _Callback
    auto_pass: list[_AutoPass]
    not_delegable: list[_Keep]
    sign_offs: _SignOffs | None = None  # absent: the unit says that it was done
    extension_notice: _Notice | None = None  # absent: until the limit ends
    whistle: _Whistle | None = None  # absent: who is whistled for is a co-unit

    @model_validator(mode="after")
    def _has_every_stage(self) -> Self:
        Faults.check(self._faults())
        return self

    def _faults(self) -> Iterator[Fault]:
        known = STAGE_NAMES if self.whistle is None else STAGE_NAMES | WHISTLED
        for name in sorted(known - set(self.limits)):
            yield Fault(("limits",), f"缺少这些环节的时限：{name}")
        for name in sorted(set(self.limits) - known):
            yield Fault(("limits", name), f"没有这些环节：{name}")
        for name, lines in self.limits.items():
            first: dict[Urgency | None, int] = {}
            for n, line in enumerate(lines):
                before = first.setdefault(line.urgency, n)
                if before != n:
                    also = ("limits", name, before)
                    yield Fault(("limits", name, n), f"{name} 同一紧急程度有多条时限", also)
            if None not in first:
                yield Fault(("limits", name), f"{name} 没有一般时限")

    @cached_property
    def process(self) -> Process:
        return Process(
            label=f"{self.name}@{self.version}",
            version=self.version,
            limits={
                name: tuple(StageLimit(limit=line.limit(), urgency=line.urgency) for line in lines)
                for name, lines in self.limits.items()
            },
            counts=self.counts.counts(),
            not_extendable=(self.not_extendable.appeal_types, self.not_extendable.urgencies),
            pause_reasons=_names(self.pause_reasons),
            reopen_reasons=_names(self.reopen_reasons),
            no_redo_reasons=_names(self.no_redo_reasons),
            dispositions={
                code: Disposition(code=code, **given.model_dump())
                for code, given in self.dispositions.items()
            },
            callback_trigger=self.callback.trigger,
            exemptions=frozenset(each.when for each in self.callback.exempt),
            auto_pass=tuple(
                AutoPass(appeal_types=each.appeal_types, urgencies=each.urgencies)
                for each in self.auto_pass
            ),
            kept=tuple(Keep(**each.model_dump()) for each in self.not_delegable),
            signed=self.sign_offs.of if self.sign_offs else frozenset(),
            signed_clause=self.sign_offs.clause if self.sign_offs else "",
            extension_notice=self.extension_notice.limit() if self.extension_notice else None,
            whistle=None if self.whistle is None else Whistle(**self.whistle.model_dump()),
        )


def _names(reasons: dict[str, _Reason]) -> dict[str, str]:
    return {code: reason.name for code, reason in reasons.items()}


PROCESS = PolicyKind("tongban_hotline_dispatch", "process.yaml", ProcessPolicy)
