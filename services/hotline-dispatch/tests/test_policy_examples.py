"""Every example that a packaged policy file shows is one that the service takes, and does as said.

An example stands in the comments of a file: the document's own key with values under it.
"""

import re
from collections.abc import Callable
from datetime import datetime
from importlib.resources import files

import yaml

from tongban_common.policies import packaged_text
from tongban_common.working_days import SHANGHAI, Unit
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.surge import surge_limit
from tongban_hotline_dispatch.main import SERVICE
from tongban_hotline_dispatch.store.surge import SURGE

PACKAGE = SERVICE.package
_MARK = re.compile(r"例如|示例|\bexamples?\b|\be\.g\.", re.IGNORECASE)
_KEY = re.compile(r"# ([a-z_]+):\s*$")


def examples_in(text: str) -> list[tuple[str, str]]:
    """The key and the YAML of each example."""
    lines = text.splitlines()
    found = []
    for number, line in enumerate(lines):
        key = _KEY.match(line)
        if key is None:
            continue
        body = [key[1] + ":"]
        for below in lines[number + 1 :]:
            if not below.startswith("#  "):
                break
            body.append(below.removeprefix("# "))
        if len(body) > 1:
            found.append((key[1], "\n".join(body) + "\n"))
    return found


def a_surge_example(example: str) -> int:
    """Its words and its matter bring a ticket under its limits, within its window only."""
    text = packaged_text(PACKAGE, "surge.yaml").replace("profiles: []\n", example)
    surges = SURGE.parse(text, where="surge.yaml").surges
    ran = 0
    for surge in surges:
        about = Appeal(
            channel=Channel.PHONE,
            channel_order_no=None,
            appeal_type=AppealType.HELP,
            urgency=Urgency.NORMAL,
            matter_code=f"{surge.matter}01",
            title="",
            content="、".join(surge.words),
        )
        for stage, limit in surge.limits.items():
            found = surge_limit(surges, stage, about, surge.from_at)
            assert found is not None
            assert (found.amount, found.unit) == (limit.amount, limit.unit)
            assert found.unit is Unit.MINUTES
            assert f"{limit.amount}分钟内" in found.clause
            assert surge_limit(surges, stage, about, surge.to_at) is None
            assert surge_limit(surges, stage, about, datetime(2020, 1, 1, tzinfo=SHANGHAI)) is None
            ran += 1
    return ran


RUN: dict[tuple[str, str], Callable[[str], int]] = {("surge.yaml", "profiles"): a_surge_example}


def test_every_example_in_the_policy_files_is_run() -> None:
    ran = {}
    for file in sorted(files(PACKAGE).joinpath("policies").iterdir(), key=lambda each: each.name):
        if not file.name.endswith(".yaml"):
            continue
        text = file.read_text(encoding="utf-8")
        examples = examples_in(text)
        if _MARK.search(text):  # one in words only would go unexecuted
            assert examples, f"{file.name} speaks of an example that is not run"
        for key, example in examples:
            assert key in yaml.safe_load(text), f"{file.name}: {key} is no key of the document"
            ran[file.name, key] = RUN[file.name, key](example)

    shown = {("surge.yaml", "profiles"): 2}  # the limits in the examples
    assert ran == shown
    assert set(RUN) == set(ran)
