"""Lists by the file: any list that is read page by page, as CSV or XLSX, in constant memory.

A page is read, written and forgotten. Between pages nothing is held: no transaction, no connection.
A spreadsheet computes what looks like a formula, so no text may look like one: in CSV it gets a
leading apostrophe, in XLSX it is a text cell that says so.
"""

import asyncio
import csv
import io
import re
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, BinaryIO, Generic, Self, TypeAlias, TypeVar
from urllib.parse import quote

from fastapi.responses import StreamingResponse

from tongban_common.errors import TooLarge
from tongban_common.working_days import SHANGHAI

RowT = TypeVar("RowT")
Cell: TypeAlias = str | int | Decimal | bool | datetime | date | None

PAGE = 1000  # rows read at once
_CHUNK = 1 << 16
_BOM = "\ufeff"  # without it Excel takes UTF-8 for the local code page
_LONGEST_CELL = 32_767  # of XLSX, in UTF-16 units
_CUT = "……（过长，已截断）"
# What neither XML nor a spreadsheet holds; a line ends in one way only.
_UNWRITABLE = re.compile(r"[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# The full-width forms count as well where the spreadsheet is a Chinese one.
_FORMULA = re.compile(r"[\s']*[=+\-@\t\r\n'\uff1d\uff0b\uff0d\uff20]")
_EARLIEST = 1900  # a spreadsheet knows no day before


class TooManyRows(TooLarge):
    code = "export.too_many_rows"


class Format(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"

    @property
    def mime(self) -> str:
        if self is Format.CSV:
            return "text/csv; charset=utf-8"
        return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True, slots=True)
class Column(Generic[RowT]):
    heading: str
    cell: Callable[[RowT], Cell]
    width: int = 16  # in characters, of XLSX


@dataclass(frozen=True, slots=True, kw_only=True)
class Export(Generic[RowT]):
    """What is written: `read` gives the page after a key, or the first one after None."""

    title: str  # of the file, in Chinese
    columns: Sequence[Column[RowT]]
    read: Callable[[tuple[Any, ...] | None], Awaitable[Sequence[RowT]]]
    key: Callable[[RowT], Sequence[Any]]
    most_rows: int

    async def pages(self) -> AsyncGenerator[Sequence[RowT]]:
        """At most one row more than `most_rows`, so that a writer knows that there are more."""
        left = self.most_rows + 1
        after: tuple[Any, ...] | None = None
        while left > 0:
            page = await self.read(after)
            if not page:
                return
            yield page[:left]
            left -= len(page)
            after = tuple(self.key(page[-1]))


async def download(export: Export[RowT], form: Format, *, at: datetime) -> StreamingResponse:
    """The answer. What fails before the first byte is refused as ever; later the line is cut.

    CSV is sent as it is read; XLSX is built in a temporary file first, because its index stands at
    its end. Raises TooManyRows for XLSX; a CSV that is cut short says so in its last line.
    """
    if form is Format.CSV:
        content = await _begun(_csv(export))
    else:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it was sent
        try:
            await _write_xlsx(export, file)
        except BaseException:
            file.close()
            raise
        content = _sent(file)
    headers = {"content-disposition": disposition(export.title, form, at=at)}
    headers["cache-control"] = "no-store"
    return StreamingResponse(content, media_type=form.mime, headers=headers)


def disposition(title: str, form: Format, *, at: datetime) -> str:
    """The file's name as RFC 6266 has it: encoded by RFC 5987, and a plain one for the rest."""
    moment = at.astimezone(SHANGHAI)
    name = quote(f"{title}{moment:%Y%m%d%H%M}.{form}", safe="")
    return f"attachment; filename=\"export-{moment:%Y%m%d%H%M}.{form}\"; filename*=UTF-8''{name}"


def csv_text(cell: Cell) -> str | int | Decimal:
    """A cell of CSV. Text that could be computed starts with an apostrophe, and so does text that
    starts with one, so that taking one away gives back what was meant."""
    if isinstance(cell, bool):
        return "是" if cell else "否"
    if isinstance(cell, int | Decimal):
        return cell
    text = _text(cell)
    return f"'{text}" if _FORMULA.match(text) else text


async def _begun(chunks: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    """The first chunk is made before anything is promised."""
    first = await anext(chunks)

    async def all_of_them() -> AsyncGenerator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return all_of_them()


async def _csv(export: Export[RowT]) -> AsyncGenerator[bytes]:
    written = 0
    lines: list[Sequence[str | int | Decimal]] = [[each.heading for each in export.columns]]
    head = _BOM
    async for page in export.pages():
        kept = page[: export.most_rows - written]
        lines += [[csv_text(each.cell(row)) for each in export.columns] for row in kept]
        written += len(page)
        yield (head + _csv_lines(lines)).encode()
        head, lines = "", []
    if written > export.most_rows:
        lines = [[f"（只列出前{export.most_rows}行，其余请缩小查询条件后另行导出）"]]
    if head or lines:
        yield (head + _csv_lines(lines)).encode()


def _csv_lines(lines: Sequence[Sequence[str | int | Decimal]]) -> str:
    """Every text in quotes: where a semicolon separates cells, a bare one would start another."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC).writerows(lines)
    return buffer.getvalue()


async def _sent(file: BinaryIO) -> AsyncGenerator[bytes]:
    with file:
        file.seek(0)
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk


async def _write_xlsx(export: Export[RowT], file: BinaryIO) -> None:
    with tempfile.TemporaryDirectory() as folder, _Book(export.columns, file, folder) as book:
        async for page in export.pages():
            if book.rows + len(page) > export.most_rows:
                raise TooManyRows(
                    f"超过{export.most_rows}行，请缩小查询条件，或者导出为CSV",
                    most=export.most_rows,
                )
            await asyncio.to_thread(book.write, page)
        await asyncio.to_thread(book.close)


class _Book(Generic[RowT]):
    """One sheet. The library keeps no row in memory; it is used from one thread at a time."""

    def __init__(self, columns: Sequence[Column[RowT]], file: BinaryIO, folder: str) -> None:
        from xlsxwriter import Workbook

        self._columns = columns
        self._book = Workbook(file, {"constant_memory": True, "tmpdir": folder})
        self._sheet = self._book.add_worksheet()
        self._moment = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._day = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._quoted = self._book.add_format({"quote_prefix": True})
        self._bold = self._book.add_format({"bold": True})
        self.rows = 0
        self._sheet.freeze_panes(1, 0)
        for number, each in enumerate(columns):
            self._sheet.set_column(number, number, each.width)
            self._sheet.write_string(0, number, each.heading, self._bold)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Where it was not put together, the library still has its rows open."""
        self._sheet.row_data_fh.close()

    def write(self, page: Sequence[RowT]) -> None:
        for row in page:
            self.rows += 1
            for number, each in enumerate(self._columns):
                self._write(number, each.cell(row))

    def close(self) -> None:
        self._book.close()

    def _write(self, column: int, cell: Cell) -> None:
        place = (self.rows, column)
        if cell is None:
            return
        if isinstance(cell, int | Decimal) and not isinstance(cell, bool):
            self._sheet.write_number(*place, cell)
        elif isinstance(cell, datetime) and cell.year > _EARLIEST:
            local = cell.astimezone(SHANGHAI).replace(tzinfo=None, microsecond=0)
            self._sheet.write_datetime(*place, local, self._moment)
        elif isinstance(cell, date) and not isinstance(cell, datetime) and cell.year > _EARLIEST:
            self._sheet.write_datetime(*place, cell, self._day)
        else:
            text = "是" if cell is True else "否" if cell is False else _fitting(_text(cell))
            # Never as `write`, which would guess; edited or saved as CSV, the prefix holds.
            self._sheet.write_string(*place, text, self._quoted if _FORMULA.match(text) else None)


def _text(cell: str | datetime | date | None) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return f"{cell.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
    if isinstance(cell, date):
        return cell.isoformat()
    return _UNWRITABLE.sub("", cell.replace("\r\n", "\n").replace("\r", "\n"))


def _fitting(text: str) -> str:
    """The library writes `<r>…</r>` as markup of its own: a space behind it makes it a text."""
    if text.startswith("<r>") and text.endswith("</r>"):
        text += " "
    if len(text) <= _LONGEST_CELL // 2:
        return text
    units = text.encode("utf-16-le")
    if len(units) // 2 <= _LONGEST_CELL:
        return text
    kept = units[: (_LONGEST_CELL - len(_CUT)) * 2].decode("utf-16-le", errors="ignore")
    return kept + _CUT
