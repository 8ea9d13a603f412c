"""Reference documents: bytes of a YAML or CSV file to entries that know where they stand.

Every value stays the text that was written, so that a code such as 012 keeps its zero; what it
means is decided by the models of `loading`.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from tongban_common.errors import BadInput, RuleViolation, TooLarge

LARGEST = 16 << 20
LONGEST_VALUE = 10_000
LONGEST_CELL = 1 << 17  # what the csv module takes unless somebody in the process raised it
SHOWN_FAULTS = 200

ModelT = TypeVar("ModelT", bound=BaseModel)


class UnreadableDocument(BadInput):
    code = "document.unreadable"


class DocumentTooLarge(TooLarge):
    code = "document.too_large"


class FaultyDocument(RuleViolation):
    """The document was read and is refused as a whole; `faults` names every place."""

    code = "document.faulty"

    def __init__(self, faults: Sequence[str]) -> None:
        shown = list(faults[:SHOWN_FAULTS])
        super().__init__(f"文件有 {len(faults)} 处错误，未载入：" + "；".join(shown), faults=shown)
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    name: str  # its ending says the format
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    table: str
    where: str
    values: Mapping[str, str]


def entries_of(document: Document, tables: Sequence[str]) -> list[Entry]:
    """Raises UnreadableDocument, DocumentTooLarge or FaultyDocument."""
    text = _text(document)
    match PurePath(document.name).suffix.lower():
        case ".csv":
            entries = _of_csv(text, tables)
        case ".yaml" | ".yml":
            entries = _of_yaml(text, tables)
        case _:
            raise UnreadableDocument("只接受 .csv、.yaml、.yml 文件")
    if not entries:
        raise UnreadableDocument("文件中没有任何记录")
    return entries


def checked(entry: Entry, model: type[ModelT]) -> ModelT | list[str]:
    """The entry as a value, or what is wrong with it, without repeating what was written."""
    try:
        return model.model_validate(entry.values)
    except ValidationError as faults:
        return [
            f"{entry.where} {'.'.join(str(part) for part in fault['loc'])}：{_meaning(fault)}"
            for fault in faults.errors(include_input=False, include_url=False)
        ]


_MEANINGS = {
    "missing": "缺少必填项",
    "extra_forbidden": "不认识的字段",
    "string_pattern_mismatch": "格式不符",
    "string_too_long": "内容过长",
    "int_parsing": "应为整数",
    "bool_parsing": "应为 true 或 false",
}


def _meaning(fault: Mapping[str, object]) -> str:
    kind = str(fault["type"])
    context = fault.get("ctx")
    if kind == "enum" and isinstance(context, dict):
        return f"应为 {str(context['expected']).replace(' or ', '、').replace(', ', '、')} 之一"
    if kind.startswith("date"):
        return "应为日期，形如 2026-01-31"
    return _MEANINGS.get(kind, "取值不合要求")


def _text(document: Document) -> str:
    if len(document.content) > LARGEST:
        raise DocumentTooLarge(f"文件超过 {LARGEST >> 20} MB 上限")
    if b"\x00" in document.content:
        raise UnreadableDocument("文件中含有空字符，不是 UTF-8 文本")
    try:
        return document.content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = document.content.count(b"\n", 0, fault.start) + 1
        raise UnreadableDocument(
            f"第 {line} 行不是 UTF-8 编码（可能是 GBK），请另存为 UTF-8 后再载入"
        ) from None


def _of_csv(text: str, tables: Sequence[str]) -> list[Entry]:
    """One table a file, or several told apart by a first column `table`."""
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        return list(_csv_entries(reader, tables))
    except csv.Error:
        raise UnreadableDocument(f"第 {reader.line_num} 行不是合法的 CSV") from None


def _csv_entries(reader: "csv.DictReader[str]", tables: Sequence[str]) -> Iterator[Entry]:
    faults = []
    only = tables[0] if len(tables) == 1 else ""
    for row in reader:
        where = f"第 {reader.line_num} 行"
        if any(isinstance(value, str) and len(value) > LONGEST_CELL for value in row.values()):
            raise csv.Error
        if None in row:
            faults.append(f"{where} 的列数多于表头")
            continue
        values = {name.strip(): value for name, value in row.items() if value}
        table = values.pop("table", only)
        if table not in tables:
            faults.append(f"{where} table 应为 {'、'.join(tables)} 之一")
        yield Entry(table=table, where=where, values=_short(where, values, faults))
    if faults:
        raise FaultyDocument(faults)


def _of_yaml(text: str, tables: Sequence[str]) -> list[Entry]:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as fault:
        line = "" if fault.problem_mark is None else f"第 {fault.problem_mark.line + 1} 行"
        raise UnreadableDocument(f"{line}不是合法的 YAML") from None
    except (yaml.YAMLError, RecursionError):
        raise UnreadableDocument("文件不是合法的 YAML") from None
    if not isinstance(root, yaml.MappingNode):
        raise UnreadableDocument(f"文件应由 {'、'.join(tables)} 组成")
    faults: list[str] = []
    entries = list(_yaml_entries(root, tables, faults))
    if faults:
        raise FaultyDocument(faults)
    return entries


def _yaml_entries(
    root: yaml.MappingNode, tables: Sequence[str], faults: list[str]
) -> Iterator[Entry]:
    for key, listed in root.value:
        table, where = str(key.value), f"第 {key.start_mark.line + 1} 行"
        if table not in tables:
            faults.append(f"{where} 不认识的部分，应为 {'、'.join(tables)} 之一")
        elif not isinstance(listed, yaml.SequenceNode):
            faults.append(f"{where} {table} 应为列表")
        else:
            yield from _yaml_rows(table, listed.value, faults)


def _yaml_rows(table: str, nodes: Iterable[yaml.Node], faults: list[str]) -> Iterator[Entry]:
    for place, node in enumerate(nodes):
        where = f"第 {node.start_mark.line + 1} 行 {table}[{place}]"
        if not isinstance(node, yaml.MappingNode) or not _is_flat(node):
            faults.append(f"{where} 应为“字段：值”的对照，值不再分层")
            continue
        values = {
            str(key.value): str(value.value)
            for key, value in node.value
            if value.value not in {"", "null", "~"}
        }
        yield Entry(table=table, where=where, values=_short(where, values, faults))


def _is_flat(node: yaml.MappingNode) -> bool:
    return all(isinstance(part, yaml.ScalarNode) for pair in node.value for part in pair)


def _short(where: str, values: dict[str, str], faults: list[str]) -> dict[str, str]:
    if any(len(value) > LONGEST_VALUE for value in values.values()):
        faults.append(f"{where} 有一项超过 {LONGEST_VALUE} 字")
        return {}
    return values
