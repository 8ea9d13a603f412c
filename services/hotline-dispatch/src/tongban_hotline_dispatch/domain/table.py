"""A table that came as a file: its columns by their headings, its rows by their lines.

For files that are taken whole or not at all: every bad row is named, then the file is refused.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import ClassVar

from tongban_common.errors import BadInput
from tongban_hotline_dispatch.domain.importing import BadFile

MOST_FAULTS_TOLD = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which columns a file may have: name → heading; both are accepted, others are left alone."""

    headings: Mapping[str, str]
    required: Sequence[str]
    most_rows: int
    longest: int = 200  # characters of one cell


@dataclass(frozen=True, slots=True)
class Line:
    """One row: its number as a spreadsheet counts, and its cells by column; absent ones empty."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with a file, by line."""

    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, fault: str) -> None:
        self.found.append((line, fault))

    def refuse(self, kind: type["BadTable"]) -> None:
        """Raises the refusal that names every bad row, if there is one."""
        if not self.found:
            return
        told = [f"第{line}行：{fault}" for line, fault in sorted(self.found)]
        if len(told) > MOST_FAULTS_TOLD:
            told[MOST_FAULTS_TOLD:] = [f"……共{len(told)}处"]
        raise kind("\n".join(told))


class BadTable(BadInput):
    code: ClassVar[str] = "table.bad"


def lines_of(cells: Iterable[Sequence[str]], columns: Columns, faults: Faults) -> list[Line]:
    """Every row that is not blank; what any cell must not hold is noted. Raises BadFile."""
    numbered = ((number, row) for number, row in enumerate(cells, start=1) if _is_filled(row))
    _, first = next(numbered, (0, None))
    if first is None:
        raise BadFile("文件是空的")
    names = _names(first, columns)
    rows = list(islice(numbered, columns.most_rows + 1))
    if not rows:
        raise BadFile("文件只有表头，没有数据行")
    if len(rows) > columns.most_rows:
        raise BadFile(f"文件超过{columns.most_rows}行")
    return [_line(number, names, row, columns, faults) for number, row in rows]


def split_list(cell: str) -> tuple[str, ...]:
    """路灯、窨井盖;井盖 → its parts, each once."""
    for mark in ("；", ";", "，", ",", "|", "\n"):
        cell = cell.replace(mark, "、")
    return tuple(dict.fromkeys(part.strip() for part in cell.split("、") if part.strip()))


def _is_filled(row: Sequence[str]) -> bool:
    return any(cell.strip() for cell in row)


def _names(headings: Sequence[str], columns: Columns) -> list[str | None]:
    known = {word: name for name, zh in columns.headings.items() for word in (name, zh)}
    names = [known.get(heading.strip()) for heading in headings]
    missing = [columns.headings[name] for name in columns.required if name not in names]
    if missing:
        raise BadFile(f"文件缺少列：{'、'.join(missing)}")
    repeated = [zh for name, zh in columns.headings.items() if names.count(name) > 1]
    if repeated:
        raise BadFile(f"文件有重复的列：{'、'.join(repeated)}")
    return names


def _line(
    number: int, names: Sequence[str | None], row: Sequence[str], columns: Columns, faults: Faults
) -> Line:
    if _is_filled(row[len(names) :]):
        faults.add(number, "比表头多出列（内容中的逗号须加引号）")
    found = {name: cell.strip() for name, cell in zip(names, row, strict=False) if name}
    for name, fault in _cell_faults(found, columns):
        faults.add(number, f"{columns.headings[name]}{fault}")
    return Line(number, {name: found.get(name, "") for name in columns.headings})


def _cell_faults(found: Mapping[str, str], columns: Columns) -> Iterator[tuple[str, str]]:
    for name, cell in found.items():
        if len(cell) > columns.longest:
            yield name, f"超过{columns.longest}字"
        if not cell.isprintable():
            yield name, "含有换行或不可见字符"
    for name in columns.required:
        if not found.get(name):
            yield name, "为空"
