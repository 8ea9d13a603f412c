"""A policy file with faults is refused with every fault at once, each with its line."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from tongban_common.policies import BadPolicy, packaged_text
from tongban_common.service import Kit
from tongban_common.settings import ServiceSettings
from tongban_hotline_dispatch.main import SERVICE, commands_of

PACKAGE = "tongban_hotline_dispatch"
SURGES = """\
profiles:
  - name: 台风应急
    words: [台风]
    from_at: 2026-09-21T00:00:00+08:00
    to_at: 2026-09-24T00:00:00+08:00
    limits:
      reply: {amount: 30, unit: minutes, clause: 台风}
  - name: 防汛应急
    words: [台风, 内涝]
    from_at: 2026-09-25T00:00:00+08:00
    to_at: 2026-09-26T00:00:00+08:00
    limits:
      reply: {amount: 60, unit: minutes, clause: 内涝}
"""
WINDOW = """\
windows:
  - {name: 停机, reason: SYSTEM_FAULT, from_at: 2026-09-02T00:00:00+08:00, clause: 甲,
     to_at: 2026-09-01T00:00:00+08:00}
"""
KINDS = {kind.file: kind for kind in SERVICE.policies}


class Case(NamedTuple):
    file: str
    model: str  # whose validator finds it
    old: str
    new: str
    said: str
    at: str  # what begins the line that is named


def text_of(file: str) -> str:
    text = packaged_text(PACKAGE, file)
    return text.replace("profiles: []\n", SURGES) if file == "surge.yaml" else text


CASES = [
    Case("limits.yaml", "_Set", "level: county, amount: 2", "amount: 2", "另一处在第",
         "      - {appeal_type: consult, amount: 2"),
    Case("limits.yaml", "LimitsPolicy", "in_force: guizhou_default", "in_force: nowhere",
         "nowhere 不在 sets", "in_force: nowhere"),
    Case("limits.yaml", "LimitsPolicy", "appeal_type: help, ",
         "urgency: normal, appeal_type: help, ", "没有这些诉求类型的时限", "  guizhou_default:"),
    Case("process.yaml", "ProcessPolicy", "  reopen:\n", "  reopened:\n", "没有这些环节：reopened",
         "  reopened:"),
    Case("process.yaml", "ProcessPolicy", "  reopen:\n", "  reopened:\n",
         "缺少这些环节的时限：reopen", "limits:"),
    Case("process.yaml", "ProcessPolicy", "{amount: 1, unit: working_days, clause: 办后审核",
         "{urgency: urgent, amount: 1, unit: working_days, clause: 办后审核", "review 没有一般时限",
         "  review:"),
    Case("surge.yaml", "_Profile", "to_at: 2026-09-24", "to_at: 2026-09-20", "起止时间颠倒",
         "    to_at: 2026-09-20"),
    Case("surge.yaml", "_Profile", "words: [台风]", "words: ['']", "词不能为空", "    words: ['']"),
    Case("surge.yaml", "_Profile", "reply: {amount: 30, unit: minutes, clause: 台风}",
         "lunch: {amount: 30, unit: minutes, clause: 台风}", "没有这些环节：lunch",
         "      lunch: {"),
    Case("surge.yaml", "SurgePolicy", "from_at: 2026-09-25", "from_at: 2026-09-23",
         "台风应急 与 防汛应急 在同一时段对同一事项规定了同一时限（另一处在第", "  - name: 防汛"),
    Case("counter.yaml", "_Told", "工单编号是{ticket_no}，查询码", "工单编号是{name}，查询码",
         "只能用这些占位", "@{name}"),
    Case("counter.yaml", "_AtOnce", "    disposition: MALICIOUS\n", "", "写明其一",
         "  harassment:"),
    Case("counter.yaml", "CounterPolicy", "appeal_types: [consult, help, ",
         "appeal_types: [help, ", "没有要求联系电话：consult", "required:"),
    Case("counter.yaml", "CounterPolicy", "  thanks:\n    answer",
         "  report: {answer: 好, clause: 甲}\n  thanks:\n    answer", "须受理", "  report: {"),
    Case("likeness.yaml", "_Wording", "        没有 我们\n", "        没有 我们 没有\n",
         "不止一次：没有", "      words: >-"),
    Case("contacts.yaml", "ContactsPolicy", "  kb_admin:", "  #", "没有这些岗位的规则：kb_admin",
         "roles:"),
    Case("assessment.yaml", "_Window", "windows: []\n", WINDOW, "起止时间颠倒",
         "     to_at: 2026-09-01"),
    Case("assessment.yaml", "AssessmentPolicy", 'name: 联系率, weight: "10"',
         'name: 联系率, weight: "11"', "权重合计为101", "indicators:"),
    Case("assessment.yaml", "AssessmentPolicy", "  red_card: {", "  # {",
         "缺少这些扣分项：red_card", "deductions:"),
    Case("assessment.yaml", "AssessmentPolicy", 'least: "80"', 'least: "95"', "由高到低",
         "  - {code: B"),
    Case("assessment.yaml", "AssessmentPolicy", "{code: B,", "{code: A,", "档次编码重复：A",
         "  - {code: A, name: B"),
    Case("assessment.yaml", "AssessmentPolicy", 'least: "0"', 'least: "1"', "末档的分数线高于",
         "  - {code: D"),
    Case("assessment.yaml", "AssessmentPolicy", "levels: [county, park]",
         "levels: [county, village]", "出现了两次：village", "  - {code: town"),
    Case("assessment.yaml", "AssessmentPolicy", "otherwise: department", "otherwise: nobody",
         "otherwise 不是所列分组", "otherwise: nobody"),
    Case("supervision.yaml", "_Reminder", "days_before: 1, ", "", "应有 share 或者 days_before",
         "  - {code: last_day"),
    Case("supervision.yaml", "_Overdue", "morning_of: 1, ", "", "应有 days_after 或者 morning_of",
         "  - {code: urge_written"),
    Case("supervision.yaml", "_Inspections", "    data: {", "    # {", "缺少这些督查方式：data",
         "  forms:"),
    Case("supervision.yaml", "SupervisionPolicy", "template: bulletin", "template: none",
         "没有这些通知模板：none", "    template: none"),
    Case("supervision.yaml", "SupervisionPolicy", "audience: [leader_in_charge]",
         "audience: [mayor]", "没有这些通知对象：mayor", "    audience: [mayor]"),
    Case("supervision.yaml", "SupervisionPolicy", "knowledge: {cause: KNOWLEDGE",
         "knowledge: {cause: WHIM", "没有这些督办事由：WHIM", "knowledge: {"),
    Case("supervision.yaml", "SupervisionPolicy", "  S5: {", "  # {", "缺少这些督办层级：S5",
         "levels:"),
    Case("supervision.yaml", "SupervisionPolicy", "code: late_signing", "code: unsatisfied",
         "编码重复：unsatisfied（另一处在第", "  - {code: unsatisfied, name: 多次逾期"),
    Case("supervision.yaml", "SupervisionPolicy", "adds_to: urge,", "adds_to: nothing,",
         "没有这些催办：nothing", "  - {code: urge_written"),
    Case("supervision.yaml", "SupervisionPolicy", "knowledge: {cause: KNOWLEDGE, level: U1",
         "knowledge: {cause: KNOWLEDGE, level: S5", "不得自动产生", "knowledge: {"),
    Case("upstream.yaml", "_Phases", "    hard_case: 督办\n", "", "对应的环节：hard_case",
         "  words:"),
    Case("upstream.yaml", "UpstreamPolicy", "subject: people-message-board",
         "subject: province-12345", "subject 重复：province-12345（另一处在第", "@- subject: p"),
    Case("knowledge.yaml", "KnowledgePolicy", "  correction: {", "  mistake: {", "duties",
         "  mistake: {"),
    Case("open311.yaml", "_Area", 'north: "54"', 'north: "5"', "south 须小于 north", "area: {"),
    Case("open311.yaml", "_Stage", "update: in_progress", "update: hurry", "不在允许的取值",
         "@update: hurry"),
    Case("open311.yaml", "_Attribute", "        values: {dark", "        # {dark",
         "values 只用于", "      - code: FAULT"),
    Case("open311.yaml", "_Service", "- code: FAULT", "- code: LAMP_NO",
         "attributes 的 code 有重复", "      - code: LAMP_NO"),
    Case("open311.yaml", "Open311Policy", "code: road-damage", "code: street-light",
         "service code 有重复：street-light", "@- code: street-light"),
    Case("open311.yaml", "Open311Policy", "otherwise: {reads: open", "otherwise: {reads: closed",
         "otherwise 须为 open", "otherwise: {"),
    Case("callback.yaml", "_Band", 'ends: "12:00"', 'ends: "08:00"', "起止时间颠倒",
         "    - {name: 上午"),
    Case("callback.yaml", "_Attempts", 'begins: "18:00"', 'begins: "17:00"',
         "下午 与 晚间 时段重叠（另一处在第", "    - {name: 晚间"),
    Case("callback.yaml", "_Attempts", "bands: {value: 2", "bands: {value: 4", "只有3个时段",
         "  bands: {"),
    Case("callback.yaml", "_Mark", "levels: [4, 5], code: 4", "levels: [4, 5], code: 3",
         "code 应为其 levels 之一", "  satisfied: {"),
    Case("callback.yaml", "CallbackPolicy", "levels: [4, 5]", "levels: [4]", "各归入一类",
         "marks:"),
    Case("callback.yaml", "CallbackPolicy", "  basically: {", "  # {", "marks 缺少：basically",
         "marks:"),
]  # fmt: skip


def line_of(text: str, at: str) -> int:
    """The first line that begins so, or the last that holds what stands after an @."""
    lines = list(enumerate(text.splitlines(), 1))
    if at.startswith("@"):
        return [n for n, line in lines if at[1:] in line][-1]
    return next(n for n, line in lines if line.startswith(at))


def lines_said(refused: pytest.ExceptionInfo[BadPolicy]) -> list[str]:
    return str(refused.value).splitlines()


@pytest.mark.parametrize("case", CASES, ids=[f"{c.file}-{c.said[:12]}" for c in CASES])
@pytest.mark.parametrize("is_hidden", [False, True], ids=["alone", "behind_a_field"])
def test_a_fault_between_values_is_named_with_its_line(case: Case, *, is_hidden: bool) -> None:
    text = text_of(case.file)
    assert case.old in text, case.old
    text = text.replace(case.old, case.new, 1)
    if is_hidden:  # pydantic looks at a whole only where each of its fields is fine
        text = text.replace("\nversion: ", "\nversion: -", 1) + "surprise: 1\n"
        if "clause: 甲" in text:
            text = text.replace("clause: 甲", "clause: ''", 1)

    with pytest.raises(BadPolicy) as refused:
        KINDS[case.file].parse(text, where="p.yaml")

    said = lines_said(refused)
    number = line_of(text, case.at)
    assert any(each.startswith(f"p.yaml 第{number}行 ") and case.said in each for each in said), (
        number,
        said,
    )
    if is_hidden:
        assert any("version" in each for each in said)
        assert any("surprise" in each for each in said)


def test_every_check_of_every_policy_is_among_the_cases() -> None:
    """Checks by a model's validator, of each model that a policy of the hotline is made of."""
    checked = {
        (kind.file, model.__name__)
        for kind in SERVICE.policies
        for model in models_of(kind.model)
        if model.__pydantic_decorators__.model_validators
    }
    assert checked == {(case.file, case.model) for case in CASES}


def models_of(part: Any) -> Iterator[type[BaseModel]]:
    if isinstance(part, type) and issubclass(part, BaseModel):
        yield part
        for field in part.model_fields.values():
            yield from models_of(field.annotation)
    for each in get_args(part):
        yield from models_of(each)


SIX = [
    ("- {appeal_type: help, amount: 5, unit", "- {appeal_type: help, unit"),
    ("{appeal_type: report, amount: 10,", "{appeal_type: gossip, amount: 10,"),
    ("in_force: guizhou_default", "in_force: nowhere"),
    ("title: 12345热线办理时限", "title: 12345热线办理时限\ntitle: 又一个"),
    ('hours: {share: "0.5"', 'lightyears: {share: "0.5"'),
]


def six_faults() -> tuple[str, list[int]]:
    text = text_of("limits.yaml")
    for old, new in SIX:
        assert old in text
        text = text.replace(old, new, 1)
    head, name, tail = text.partition("\n  graded_2_24_7_15:")  # another set, with one rule twice
    rules = tail.splitlines()
    first = next(n for n, line in enumerate(rules) if line.lstrip().startswith("- {"))
    rules.insert(first, rules[first])
    text = head + name + "\n".join(rules) + "\n"
    twice = head.count("\n") + 1 + first + 1 + 1
    marks = ["- {appeal_type: help, unit", "{appeal_type: gossip", "in_force: nowhere",
             "title: 又一个", "lightyears: {"]  # fmt: skip
    return text, sorted([*(line_of(text, f"@{mark}") for mark in marks), twice])


def numbers(said: list[str]) -> list[int]:
    return [int(each.partition(" 第")[2].partition("行")[0]) for each in said]


def test_six_faults_are_six_lines() -> None:
    text, lines = six_faults()

    with pytest.raises(BadPolicy) as refused:
        KINDS["limits.yaml"].parse(text, where="limits.yaml")

    assert numbers(lines_said(refused)) == lines, str(refused.value)
    assert len(set(lines)) == 6


@pytest.mark.parametrize("command", ["check", "load"])
async def test_the_commands_name_all_six(
    command: str, settings: ServiceSettings, kit: Kit, tmp_path: Path
) -> None:
    text, lines = six_faults()
    file = tmp_path / "limits.yaml"
    file.write_text(text, encoding="utf-8")

    done = await asyncio.to_thread(
        CliRunner().invoke, commands_of(lambda _: settings), ["policies", command, str(file)]
    )

    assert done.exit_code == 1
    assert [f"limits.yaml 第{n}行" in done.output.replace("\n", "") for n in lines] == [True] * 6


def test_a_document_of_nothing_but_faults_is_refused_soon() -> None:
    for kind in SERVICE.policies:
        for text in ("name: 1\n", "[]", "null", text_of(kind.file).replace("clause: ", "claws: ")):
            with pytest.raises(BadPolicy):
                kind.parse(text, where=kind.file)
