"""Tickets by the file: CSV or XLSX, each row taken or refused for itself, none taken twice."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from zipfile import BadZipFile

from tongban_common.clock import new_id
from tongban_common.privacy import Sealer
from tongban_common.service import Kit
from tongban_hotline_dispatch.domain.rows import BadFile, BadRow, Row, headings, read_row
from tongban_hotline_dispatch.operations import tickets
from tongban_hotline_dispatch.operations.tickets import Registration
from tongban_hotline_dispatch.store import Complainant
from tongban_hotline_dispatch.store.tickets import AlreadyTakenIn

MOST_ROWS = 100_000
_FIELD_LIMIT = 1 << 26  # a huge field is a bad row, not the end of the file


@dataclass(frozen=True, slots=True, kw_only=True)
class RowReport:
    line: int
    outcome: str  # taken, known, refused
    reason: str | None = None
    ticket_no: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    rows: list[RowReport]

    def _count(self, outcome: str) -> int:
        return sum(row.outcome == outcome for row in self.rows)

    @property
    def taken(self) -> int:
        return self._count("taken")

    @property
    def known(self) -> int:
        return self._count("known")

    @property
    def refused(self) -> int:
        return self._count("refused")


async def import_file(
    kit: Kit,
    *,
    name: str,
    content: bytes,
    actor: str,
    now: datetime,
    progress: Callable[[int, int], object] = lambda _done, _all: None,
) -> Report:
    """Take in what can be taken. Raises BadFile when the file as a whole cannot be read.

    Each row is its own transaction, so an interrupted import is simply repeated: rows that have a
    ticket are reported as known.
    """
    lines = list(_lines(name, content))
    report = Report([])
    for line, cells in lines:
        report.rows.append(await _take(kit, line, cells, actor=actor, now=now))
        progress(len(report.rows), len(lines))
    return report


async def _take(
    kit: Kit, line: int, cells: dict[str, str], *, actor: str, now: datetime
) -> RowReport:
    try:
        row = read_row(cells, now=now)
        ticket_no = await _register(kit, row, actor)
    except BadRow as refusal:
        return RowReport(line=line, outcome="refused", reason=refusal.message)
    except AlreadyTakenIn as refusal:
        return RowReport(line=line, outcome="known", reason=refusal.message)
    return RowReport(line=line, outcome="taken", ticket_no=ticket_no)


async def _register(kit: Kit, row: Row, actor: str) -> str:
    at = row.registered_at
    rules = await tickets.rules_at(kit, now=at)
    new = Registration(
        ticket_id=new_id(at),
        ticket_no=tickets.new_ticket_no(at),
        query_code=tickets.new_query_code(),
        appeal=row.appeal,
        person=Complainant(name=row.name, phone=row.phone, address=row.address),
        actor=actor,
    )
    async with kit.db.transaction() as tx:
        ticket = await tickets.register(tx, new=new, rules=rules, sealer=Sealer(kit.secret), now=at)
    return ticket.ticket_no


def _lines(name: str, content: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number in the file (as a spreadsheet counts) and cells by column; blanks left out."""
    if not content.strip():
        raise BadFile("文件是空的")
    rows = _xlsx(content) if content.startswith(b"PK") else _csv(name, content)
    numbered = enumerate(rows, start=1)
    first = next(((number, cells) for number, cells in numbered if any(cells)), None)
    if first is None:
        raise BadFile("文件是空的")
    columns = headings(first[1])
    for number, cells in numbered:
        if number > MOST_ROWS:
            raise BadFile(f"文件超过{MOST_ROWS}行，请分开导入")
        if any(cells):
            yield (
                number,
                {
                    column: cell
                    for column, cell in zip(columns, cells, strict=False)
                    if column is not None
                },
            )


def _csv(name: str, content: bytes) -> Iterator[list[str]]:
    csv.field_size_limit(_FIELD_LIMIT)
    text = _decoded(name, content)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), strict=True)
    except csv.Error as fault:
        raise BadFile("不是完整的CSV：引号没有配对，或者文件被截断") from fault


def _decoded(name: str, content: bytes) -> str:
    """UTF-8 with or without a mark, else GB18030 (which holds GBK and GB2312)."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    kind = name.rpartition(".")[2][:8] or "文件"
    raise BadFile(f"无法识别该{kind}文件的编码，请存为UTF-8或GBK编码的CSV，或者XLSX")


def _xlsx(content: bytes) -> Iterator[list[str]]:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        rows: Iterable[tuple[object, ...]] = sheet.iter_rows(values_only=True)
        for cells in rows:
            yield [_text(cell) for cell in cells]
    except (BadZipFile, InvalidFileException, KeyError, IndexError, ValueError, OSError) as fault:
        raise BadFile("不是可读取的XLSX文件，可能已损坏") from fault


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
