"""A policy file with faults is refused at load, every fault with its line (issue: bad input)."""

from collections.abc import Iterator
from typing import Literal, Self

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tongban_common.policies import BadPolicy, parse_document
from tongban_common.policy_faults import Fault, Faults


class Reopening(BaseModel):
    model_config = ConfigDict(extra="forbid")

    days: int
    reasons: list[str] = []


class Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    reopen: Reopening
    steps: list[Reopening] = []


def test_a_key_written_twice_is_refused_with_its_line_beside_the_other_faults() -> None:
    text = """\
name: process
reopen:
  days: 30
  days: 99
steps:
  - days: many
  - {days: 1, reasons: [a], reasons: [b]}
name: again
"""
    with pytest.raises(BadPolicy) as refused:
        parse_document(text, Document, where="process.yaml")

    said = str(refused.value).splitlines()
    assert [line.split(" ", 2)[1] for line in said] == ["第4行", "第6行", "第7行", "第8行"]
    assert said[0] == "process.yaml 第4行 days：重复的键，第3行已有"
    assert "steps.0.days" in said[1]
    assert said[3].endswith("name：重复的键，第1行已有")


def test_an_anchor_used_again_is_no_key_written_twice() -> None:
    text = "name: a\nreopen: &same {days: 1}\nsteps: [*same, *same]\n"
    assert len(parse_document(text, Document, where="a.yaml").steps) == 2


class Rule(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Literal["a", "b"]
    amount: int = Field(ge=1)
    unit: Literal["hours", "days"]


class Group(BaseModel):
    rules: list[Rule]
    from_day: int = 0
    to_day: int = 9

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        Faults.check(self._faults())
        return self

    def _faults(self) -> Iterator[Fault]:
        if self.from_day >= self.to_day:
            yield Fault(("to_day",), "颠倒")
        for number, rule in enumerate(self.rules):
            for earlier, other in enumerate(self.rules[:number]):
                if rule.kind == other.kind:
                    yield Fault(("rules", number), f"{rule.kind}重复", ("rules", earlier))


class Groups(BaseModel):
    model_config = ConfigDict(extra="forbid")

    chosen: str
    groups: dict[str, Group]

    @model_validator(mode="after")
    def _is_there(self) -> Self:
        if self.chosen not in self.groups:
            raise Faults([Fault(("chosen",), "没有这一组")])
        return self


def test_every_fault_is_named_at_once_whatever_hides_it() -> None:
    text = """\
chosen: none
groups:
  one:
    rules:
      - {kind: a, unit: hours}
      - {kind: c, amount: 1, unit: days}
  two:
    rules:
      - {kind: a, amount: 1, unit: lightyears}
      - {kind: b, amount: 1, unit: days}
      - {kind: b, amount: 2, unit: days}
    from_day: 5
    to_day: 5
    from_day: 4
more: 1
"""
    with pytest.raises(BadPolicy) as refused:
        parse_document(text, Groups, where="g.yaml")

    said = [line.removeprefix("g.yaml 第") for line in str(refused.value).splitlines()]
    assert [line.partition("行")[0] for line in said] == ["1", "5", "6", "9", "11", "14", "15"]
    assert "groups.two.rules.2：b重复（另一处在第10行）" in said[4]

    sound_fields = text.replace("    from_day: 4\n", "").replace("more: 1\n", "")
    with pytest.raises(BadPolicy, match=r"第13行 groups\.two\.to_day：颠倒"):
        parse_document(sound_fields, Groups, where="g.yaml")
