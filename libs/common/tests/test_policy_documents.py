"""A policy file with faults is refused at load, every fault with its line (issue: bad input)."""

import pytest
from pydantic import BaseModel, ConfigDict

from tongban_common.policies import BadPolicy, parse_document


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
