"""Knowledge items by the file: CSV or XLSX, each row taken or refused for itself."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_common.errors import Refusal
from tongban_common.service import Kit
from tongban_hotline_dispatch.domain.importing import BadFile, BadRow, csv_cells
from tongban_hotline_dispatch.domain.knowledge import (
    MATERIAL_NAMES,
    Body,
    Bounds,
    Material,
    Move,
)
from tongban_hotline_dispatch.operations import knowledge, knowledge_duties
from tongban_hotline_dispatch.operations.importing import Outcome, xlsx_cells
from tongban_hotline_dispatch.operations.knowledge import ItemStep
from tongban_hotline_dispatch.operations.knowledge_duties import KnowledgeGround

# column → its heading in Chinese; both are accepted
COLUMNS: Mapping[str, str] = {
    "title": "标题",
    "content": "内容",
    "unit_code": "单位编码",
    "category": "分类",
    "material": "材料类型",
    "keywords": "关键词",
}
REQUIRED = ("title", "content", "category")
SEPARATORS = str.maketrans(dict.fromkeys("、,，;；|", "\n"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemReport:
    line: int  # as a spreadsheet counts, the headings being the first
    outcome: Outcome
    reason: str | None = None
    item_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ItemsReport:
    rows: list[ItemReport] = field(default_factory=list)

    @property
    def taken(self) -> int:
        return sum(row.outcome is Outcome.TAKEN for row in self.rows)

    @property
    def refused(self) -> int:
        return len(self.rows) - self.taken


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsImport:
    """A file, who brings it, and what becomes of its rows."""

    content: bytes
    actor: str
    unit: str | None = None  # None: the hub, whose rows name their unit
    is_submitted: bool = False  # at once, or left as drafts


async def import_items(kit: Kit, *, file: ItemsImport, now: datetime) -> ItemsReport:
    """Take in what can be taken, in one transaction. Raises BadFile for the file as a whole."""
    ground = await knowledge_duties.ground_at(kit, now=now)
    rows = await asyncio.to_thread(_read, file, ground)
    report = ItemsReport()
    async with kit.db.transaction() as tx:
        for line, row in rows:
            report.rows.append(await _take(tx, line, row, file=file, ground=ground, now=now))
    return report


async def _take(
    tx: Transaction,
    line: int,
    row: Body | BadRow,
    *,
    file: ItemsImport,
    ground: KnowledgeGround,
    now: datetime,
) -> ItemReport:
    if isinstance(row, BadRow):
        return ItemReport(line=line, outcome=Outcome.REFUSED, reason=row.reason)
    step = ItemStep(item_id=new_id(now), actor=file.actor, unit=file.unit)
    try:
        async with tx.savepoint():
            await knowledge.create(tx, body=row, step=step, ground=ground, now=now)
            if file.is_submitted:
                await knowledge.act(tx, move=Move.SUBMIT, why="", step=step, ground=ground, now=now)
    except Refusal as refusal:
        return ItemReport(line=line, outcome=Outcome.REFUSED, reason=refusal.message)
    return ItemReport(line=line, outcome=Outcome.TAKEN, item_id=step.item_id)


def _read(file: ItemsImport, ground: KnowledgeGround) -> list[tuple[int, Body | BadRow]]:
    is_packed = file.content.startswith(b"PK")
    cells = xlsx_cells(file.content) if is_packed else csv_cells(file.content)
    filled = ((at, row) for at, row in enumerate(cells, start=1) if any(map(str.strip, row)))
    _, headings = next(filled, (0, None))
    if headings is None:
        raise BadFile("文件是空的")
    columns = _columns(headings)
    found: list[tuple[int, Body | BadRow]] = []
    for at, row in filled:
        if len(found) == ground.rules.import_rows:
            raise BadFile(f"文件超过{ground.rules.import_rows}条，请分开导入")
        values = {name: cell.strip() for name, cell in zip(columns, row, strict=False) if name}
        found.append((at, _body(values, file.unit, ground.rules.bounds)))
    if not found:
        raise BadFile("文件只有表头，没有数据行")
    return list(_without_repeats(found))


def _columns(headings: Sequence[str]) -> list[str | None]:
    known = {heading: name for name, zh in COLUMNS.items() for heading in (name, zh)}
    columns = [known.get(heading.strip()) for heading in headings]
    missing = [COLUMNS[name] for name in REQUIRED if name not in columns]
    if missing:
        raise BadFile(f"文件缺少列：{'、'.join(missing)}")
    return columns


def _body(values: Mapping[str, str], unit: str | None, bounds: Bounds) -> Body | BadRow:
    material = _material(values.get("material", ""))
    unit_code = unit or values.get("unit_code", "")
    body = Body(
        title=values.get("title", ""),
        content=values.get("content", ""),
        unit_code=unit_code,
        category=values.get("category", ""),
        material=material or Material.OTHER,
        keywords=keywords_of(values.get("keywords", "")),
    )
    faults = list(body.faults(bounds))
    if material is None:
        faults.append(f"材料类型不在允许的取值之内（{'、'.join(MATERIAL_NAMES.values())}）")
    if not unit_code:
        faults.append("单位编码为空")
    if any("\x00" in each for each in values.values()):
        faults.append("含有空字符")
    return BadRow("；".join(faults)) if faults else body


def keywords_of(written: str) -> tuple[str, ...]:
    """What people write between separators; one that stands twice stands once."""
    parts = (each.strip() for each in written.translate(SEPARATORS).split("\n"))
    return tuple(dict.fromkeys(each for each in parts if each))


def _material(given: str) -> Material | None:
    if not given:
        return Material.OTHER
    for material, name in MATERIAL_NAMES.items():
        if given in {material.value, name}:
            return material
    return None


def _without_repeats(
    rows: Iterable[tuple[int, Body | BadRow]],
) -> Iterator[tuple[int, Body | BadRow]]:
    seen: dict[str, int] = {}
    for line, row in rows:
        earlier = line if isinstance(row, BadRow) else seen.setdefault(row.title_key, line)
        yield line, BadRow(f"与第{earlier}行标题重复") if earlier != line else row
