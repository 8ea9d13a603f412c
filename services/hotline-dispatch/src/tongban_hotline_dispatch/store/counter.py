"""The rule data of looking up a ticket and of taking a matter in: `policies/counter.yaml`."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tongban_common.policies import Policy, PolicyKind
from tongban_common.policy_faults import Fault, Faults
from tongban_hotline_dispatch.domain.appeal import HANDLED, AppealType, Channel
from tongban_hotline_dispatch.domain.citizens import CitizenRules
from tongban_hotline_dispatch.domain.elements import AtOnce, Element, Elements, Ending, Requirement

PLACEHOLDERS = ("ticket_no", "query_code", "due", "words", "repeats")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    clause: str = Field(min_length=1)


class _Tries(_Part):
    most: int = Field(ge=1, le=100)
    minutes: int = Field(ge=1, le=1440)


class _Session(_Part):
    minutes: int = Field(ge=1, le=240)


class _Supplements(_Part):
    a_day: int = Field(ge=1, le=100)


class _Required(_Part):
    element: Element
    appeal_types: frozenset[AppealType] = frozenset(AppealType)
    except_channels: frozenset[Channel] = frozenset()
    matters: tuple[str, ...] = ()
    unless: frozenset[Ending] = frozenset()


class _Agent(_Part):
    caller_matters: int = Field(ge=1, le=50)
    matters_offered: int = Field(ge=1, le=50)


class _Told(_Part):
    accepted: str = Field(min_length=1)
    no_reply: str = Field(min_length=1)
    awaiting_facts: str = Field(min_length=1)
    answered: str = Field(min_length=1)
    routed_out: str = Field(min_length=1)
    repeated: str = Field(min_length=1)

    @model_validator(mode="after")
    def _names_what_there_is(self) -> Self:
        Faults.check(self._faults())
        return self

    def _faults(self) -> Iterator[Fault]:
        for name, template in self.words().items():
            try:
                template.format(**dict.fromkeys(PLACEHOLDERS, ""))
            except (KeyError, IndexError, ValueError):
                yield Fault((name,), f"{name} 只能用这些占位：{'、'.join(PLACEHOLDERS)}")

    def words(self) -> dict[str, str]:
        return self.model_dump(exclude={"clause"})


class _AtOnce(_Part):
    disposition: str | None = Field(default=None, min_length=1)
    answer: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _is_one_of_the_two(self) -> Self:
        if (self.disposition is None) is (self.answer is None):
            raise ValueError("登记即办结的，引导情形（disposition）和答复（answer）写明其一")
        return self


class CounterPolicy(Policy):
    query_tries: _Tries
    query_session: _Session
    supplements: _Supplements
    agent: _Agent
    required: list[_Required] = Field(min_length=1)
    at_once: dict[AppealType, _AtOnce] = Field(default={})
    told: _Told

    @model_validator(mode="after")
    def _asks_and_handles(self) -> Self:
        Faults.check([*self._contact_faults(), *self._handling_faults()])
        return self

    def _contact_faults(self) -> Iterator[Fault]:
        """联系方式不得缺省：北京市接诉即办工作条例第十条。"""
        asked = {kind for each in self.required for kind in each.appeal_types if _is_contact(each)}
        lacking = [kind for kind in AppealType if kind not in asked | self.at_once.keys()]
        if lacking:
            yield Fault(("required",), f"这些诉求类型没有要求联系电话：{'、'.join(lacking)}")

    def _handling_faults(self) -> Iterator[Fault]:
        """咨询、求助、建议、投诉、举报都须受理：北京市接诉即办工作条例第二条。"""
        for kind in AppealType:
            if kind in HANDLED & self.at_once.keys():
                yield Fault(("at_once", kind), f"这些诉求类型须受理，不得登记即办结：{kind}")

    @cached_property
    def ends_at_once(self) -> dict[AppealType, AtOnce]:
        return {
            kind: AtOnce(disposition=each.disposition, answer=each.answer)
            for kind, each in self.at_once.items()
        }

    @cached_property
    def elements(self) -> Elements:
        return Elements([Requirement(**each.model_dump()) for each in self.required])

    @cached_property
    def citizens(self) -> CitizenRules:
        return CitizenRules(
            tries=self.query_tries.most,
            tries_within=timedelta(minutes=self.query_tries.minutes),
            session=timedelta(minutes=self.query_session.minutes),
            supplements_a_day=self.supplements.a_day,
        )


def _is_contact(required: _Required) -> bool:
    return required.element is Element.PHONE and Channel.PHONE not in required.except_channels


COUNTER = PolicyKind("tongban_hotline_dispatch", "counter.yaml", CounterPolicy)
