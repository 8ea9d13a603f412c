"""The two tables as a document and as diagrams, so that what is written is what is enforced."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from tongban_common.working_days import Limit, Unit
from tongban_hotline_dispatch.domain.appeal import URGENCY_NAMES
from tongban_hotline_dispatch.domain.moves import State, Status, Table, Transition
from tongban_hotline_dispatch.domain.process import Process, StageLimit
from tongban_hotline_dispatch.domain.process_tables import ASSIGNMENT, TICKET

_UNITS = {
    Unit.WORKING_DAYS: "个工作日",
    Unit.NATURAL_DAYS: "日",
    Unit.HOURS: "小时",
    Unit.MINUTES: "分钟",
}
_HEAD = """# 12345热线工单流转

本文由 `tongban-hotline process --format md` 从流转表和 `policies/process.yaml` 生成，
请勿手改。时限是随附规则的数值，各地以所载规则为准；“不变”表示状态不变。
"""
StateT = TypeVar("StateT", Status, State)


def as_markdown(process: Process) -> str:
    parts = [
        _HEAD,
        "## 工单",
        *_rows(TICKET, process),
        "",
        "```mermaid",
        as_mermaid_of(TICKET),
        "```",
        "",
        "## 承办单",
        *_rows(ASSIGNMENT, process),
        "",
        "```mermaid",
        as_mermaid_of(ASSIGNMENT),
        "```",
        "",
        "## 时限",
        *_limits(process),
    ]
    return "\n".join(parts) + "\n"


def as_mermaid() -> str:
    """The ticket's diagram, and the assignment's."""
    return f"{as_mermaid_of(TICKET)}\n\n{as_mermaid_of(ASSIGNMENT)}\n"


def as_mermaid_of(table: Table[StateT]) -> str:
    lines = ["stateDiagram-v2"]
    lines += [f"  {state.value} : {name}" for state, name in table.names.items()]
    edges: dict[tuple[str, str], list[str]] = {}
    for row in table.rows:
        for source in sorted(row.sources):
            if row.target is not None and row.target is not source:
                names = edges.setdefault((source.value, row.target.value), [])
                if row.name not in names:
                    names.append(row.name)
    lines += [f"  {source} --> {to} : {'、'.join(names)}" for (source, to), names in edges.items()]
    return "\n".join(lines)


def _rows(table: Table[StateT], process: Process) -> Iterator[str]:
    yield ""
    yield "| 动作 | 自 | 至 | 由 | 时限 | 依据 |"
    yield "|---|---|---|---|---|---|"
    for row in table.rows:
        yield f"| {' | '.join(_cells(table, row, process))} |"


def _cells(table: Table[StateT], row: Transition[StateT], process: Process) -> Iterator[str]:
    yield row.name
    yield "、".join(name for state, name in table.names.items() if state in row.sources)
    yield "不变" if row.target is None else table.names[row.target]
    yield "、".join(row.actors)
    yield "" if row.limit is None else _said(process.limits[row.limit])
    yield row.clause


def _limits(process: Process) -> Iterator[str]:
    yield ""
    yield "| 环节 | 时限 | 依据 |"
    yield "|---|---|---|"
    for name, lines in process.limits.items():
        clauses = "；".join(line.limit.clause for line in lines)
        yield f"| `{name}` | {_said(lines)} | {clauses} |"


def _said(lines: Sequence[StageLimit]) -> str:
    return "；".join(_one(line) for line in lines)


def _one(line: StageLimit) -> str:
    name = "" if line.urgency is None else f"{URGENCY_NAMES[line.urgency]}"
    return f"{name}{_amount(line.limit)}"


def _amount(limit: Limit) -> str:
    return f"{limit.amount}{_UNITS[limit.unit]}"
