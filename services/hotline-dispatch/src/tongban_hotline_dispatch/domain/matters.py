"""The catalogue of matters (事项目录): up to four levels, versioned, in force from a date.

A code names its matter for good: a new version keeps the code of a path that an earlier one had,
and a code that was dropped is never given to another matter.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tongban_common.errors import NotFound, RuleViolation
from tongban_hotline_dispatch.domain.table import (
    BadTable,
    Columns,
    Faults,
    Line,
    lines_of,
    split_list,
)

LEVELS = ("level1", "level2", "level3", "level4")
COLUMNS = Columns(
    headings={
        "level1": "一级",
        "level2": "二级",
        "level3": "三级",
        "level4": "四级",
        "code": "事项编码",
        "keywords": "关键词",
    },
    required=("level1",),
    most_rows=20_000,
)
_CODE = re.compile(r"[0-9A-Za-z.\-]{1,40}")
_CATCH_ALL = "其他"
_WIDTHS = (2, 3, 3, 3)  # digits that each level adds to a code that we give

Path: TypeAlias = tuple[str, ...]


class BadCatalogue(BadTable):
    code = "matter.bad_catalogue"


class MatterNotFound(NotFound):
    code = "matter.not_found"


class MatterNotInForce(RuleViolation):
    code = "matter.not_in_force"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """事项. A leaf, or a heading over others."""

    code: str
    path: Path
    parent_code: str | None
    keywords: tuple[str, ...] = ()
    is_leaf: bool = True

    @property
    def name(self) -> str:
        return self.path[-1]

    @property
    def full_name(self) -> str:
        return "/".join(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCodes:
    """What the versions before this one gave: a path's code, and every code ever given."""

    by_path: Mapping[Path, str] = field(default_factory=dict)
    given: frozenset[str] = frozenset()


def catalogue_of(cells: Iterable[Sequence[str]], known: KnownCodes) -> list[Matter]:
    """Headings before what they head. Raises BadFile, or BadCatalogue naming every bad row."""
    faults = Faults()
    rows = _Rows(faults)
    for line in lines_of(cells, COLUMNS, faults):
        rows.take(line)
    faults.refuse(BadCatalogue)
    codes = _Codes(rows, known)
    paths = sorted(rows.order, key=lambda path: rows.order[path])
    made = {path: codes.of(path) for path in sorted(paths, key=len)}
    heads = {path[:-1] for path in paths}
    return [
        Matter(
            code=made[path],
            path=path,
            parent_code=made.get(path[:-1]),
            keywords=rows.keywords.get(path, ()),
            is_leaf=path not in heads,
        )
        for path in paths
    ]


class _Rows:
    """The rows as read: which paths there are, in the file's order, headings filled in."""

    def __init__(self, faults: Faults) -> None:
        self.order: dict[Path, int] = {}
        self.codes: dict[Path, str] = {}
        self.keywords: dict[Path, tuple[str, ...]] = {}
        self._faults = faults
        self._lines: dict[Path, int] = {}
        self._code_lines: dict[str, int] = {}

    def take(self, line: Line) -> None:
        path = self._path(line)
        if path is None:
            return
        earlier = self._lines.setdefault(path, line.number)
        if earlier != line.number:
            self._faults.add(line.number, f"与第{earlier}行重复：{'/'.join(path)}")
            return
        for depth in range(1, len(path) + 1):
            self.order.setdefault(path[:depth], len(self.order))
        self._take_code(path, line)
        self.keywords[path] = split_list(line.cells["keywords"])

    def _path(self, line: Line) -> Path | None:
        names = [line.cells[level] for level in LEVELS]
        path = tuple(name for name in names if name)
        if not path or names[: len(path)] != list(path):
            if path:
                self._faults.add(line.number, "上级为空而下级不空")
            return None
        if any("/" in name for name in path):
            self._faults.add(line.number, "名称不得含有“/”")
            return None
        return path

    def _take_code(self, path: Path, line: Line) -> None:
        code = line.cells["code"]
        if not code:
            return
        if not _CODE.fullmatch(code):
            self._faults.add(line.number, "事项编码应为1至40位字母、数字、点或连字符")
        earlier = self._code_lines.setdefault(code, line.number)
        if earlier != line.number:
            self._faults.add(line.number, f"事项编码与第{earlier}行重复")
        self.codes[path] = code


class _Codes:
    """The file's own code, else the one that the path had before, else the next under its head."""

    def __init__(self, rows: _Rows, known: KnownCodes) -> None:
        self._own = rows.codes
        self._own_codes = frozenset(rows.codes.values())
        self._known = known.by_path
        self._taken = {*known.given, *rows.codes.values()}
        self._made: dict[Path, str] = {}
        self._last: dict[Path, int] = {}

    def of(self, path: Path) -> str:
        code = self._own.get(path) or self._kept(path) or self._next(path)
        self._made[path] = code
        return code

    def _kept(self, path: Path) -> str | None:
        kept = self._known.get(path)
        return None if kept in self._own_codes else kept

    def _next(self, path: Path) -> str:
        head, width = path[:-1], _WIDTHS[len(path) - 1]
        number = self._last.get(head, 0)
        while True:
            number += 1
            code = f"{self._made.get(head, '')}{number:0{width}}"
            if code not in self._taken:
                break
        self._last[head] = number
        self._taken.add(code)
        return code


def names_of(matters: Iterable[Matter], label: str) -> list[tuple[str, str, str]]:
    """Each leaf's label, its name and what it stands under; for one level, or for the codes."""
    found = []
    for matter in matters:
        depth = LEVELS.index(label) if label in LEVELS else None
        if not matter.is_leaf or (depth is None and label != "matter_code"):
            continue
        if depth is not None and depth >= len(matter.path):
            continue
        named = matter.code if depth is None else matter.path[depth]
        below = [name for name in matter.path[1:] if name != _CATCH_ALL]
        title = "" if matter.name == _CATCH_ALL else matter.name
        found.append((named, title, "。".join((*below, *matter.keywords))))
    return found
