import csv
import io
import re
import zipfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import pytest
from fastapi.responses import StreamingResponse
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from tongban_common import export
from tongban_common.export import Cell, Column, Export, Format, TooManyRows, disposition, download
from tongban_common.working_days import SHANGHAI

AT = datetime(2026, 9, 21, 10, 5, tzinfo=SHANGHAI)
LINE_ENDS = re.compile(r"\r\n?")
UNWRITABLE = re.compile(r"[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
DANGEROUS = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - the full-width ones are what is tested
ATTACKS = [
    "=1+1",
    "+86 138",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    " =1+1",
    "＝1+1",  # noqa: RUF001 - as above
    "'=1+1",
    "''=1",
    'a";=1+1',
    "a;=1+1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil.example","x")',
    "<r><t>x</t></r>",
    '<r></t></is></c><c r="Z9"><f>1+1</f><v>2</v></c></r>',
    "_x0041_",
    "{=1+1}",
    "http://evil.example",
    "1e5",
]


def rows_of(values: Sequence[Any], *, page: int = 3, most: int = 1000) -> Export[Any]:
    """An export of one column, read by its keyset in small pages."""

    async def read(after: tuple[Any, ...] | None) -> Sequence[Any]:
        start = 0 if after is None else after[0] + 1
        return list(enumerate(values))[start : start + page]

    return Export(
        title="工单",
        columns=(Column("序号", lambda row: row[0]), Column("内容", lambda row: row[1])),
        read=read,
        key=lambda row: (row[0],),
        most_rows=most,
    )


async def content(answer: StreamingResponse) -> bytes:
    return b"".join([bytes(chunk) async for chunk in answer.body_iterator])  # type: ignore[arg-type]


async def csv_of(values: Sequence[Any], **more: int) -> bytes:
    return await content(await download(rows_of(values, **more), Format.CSV, at=AT))


async def xlsx_of(values: Sequence[Any], **more: int) -> bytes:
    return await content(await download(rows_of(values, **more), Format.XLSX, at=AT))


def read_csv(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True))


def read_xlsx(body: bytes) -> list[Any]:
    (sheet,) = load_workbook(io.BytesIO(body)).worksheets
    return [row[1] for row in sheet.iter_rows(min_row=2)]


def written(text: str) -> str:
    """What a file can hold of a text."""
    return UNWRITABLE.sub("", LINE_ENDS.sub("\n", text))


async def test_a_csv_is_what_excel_takes_for_utf8_with_a_heading() -> None:
    body = await csv_of(["路灯", None, True, Decimal("-1.5"), date(2026, 9, 1), AT])

    assert body.startswith(b"\xef\xbb\xbf")
    assert body.endswith(b"\r\n")
    assert read_csv(body) == [
        ["序号", "内容"],
        ["0", "路灯"],
        ["1", ""],
        ["2", "是"],
        ["3", "-1.5"],
        ["4", "2026-09-01"],
        ["5", "2026-09-21 10:05:00"],
    ]


async def test_an_xlsx_has_typed_cells_under_its_heading() -> None:
    body = await xlsx_of(["路灯", None, False, Decimal("-1.5"), date(2026, 9, 1), AT])

    found = [cell.value for cell in read_xlsx(body)]

    moments = [datetime(2026, 9, 1), datetime(2026, 9, 21, 10, 5)]  # noqa: DTZ001 - a cell has no zone
    assert found == ["路灯", None, "否", -1.5, *moments]
    assert load_workbook(io.BytesIO(body)).worksheets[0]["B1"].value == "内容"


@pytest.mark.parametrize("text", ATTACKS)
async def test_no_cell_of_a_csv_can_be_computed(text: str) -> None:
    body = await csv_of([text])

    (cell,) = [row[1] for row in read_csv(body)[1:]]
    bare = body.decode("utf-8-sig").split("\r\n")[1].split(",", 1)[1]
    assert not cell.lstrip().startswith(DANGEROUS)
    assert bare.startswith('"')
    assert bare.endswith('"')
    assert cell.removeprefix("'") == written(text)


@pytest.mark.parametrize("text", ATTACKS)
async def test_no_cell_of_an_xlsx_can_be_computed(text: str) -> None:
    body = await xlsx_of([text])

    (cell,) = read_xlsx(body)
    with zipfile.ZipFile(io.BytesIO(body)) as packed:
        sheet = packed.read("xl/worksheets/sheet1.xml").decode()
        names = packed.namelist()
    assert cell.data_type == "s"
    assert "<f>" not in sheet
    assert not any("externalLink" in name or "_rels/sheet" in name for name in names)
    assert cell.quotePrefix is text.lstrip().startswith((*DANGEROUS, "'"))


CELLS = st.one_of(
    st.text(max_size=60),
    st.sampled_from(ATTACKS),
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.datetimes(datetime(1901, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.dates(date(1901, 1, 1), date(2199, 1, 1)),
)


@settings(deadline=None)
@given(st.lists(CELLS, max_size=8))
async def test_what_was_written_to_a_csv_is_read_back(values: list[Cell]) -> None:
    found = [row[1] for row in read_csv(await csv_of(values))[1:]]

    for cell, value in zip(found, values, strict=True):
        if isinstance(value, str):
            assert not cell.lstrip().startswith(DANGEROUS)
            assert cell.removeprefix("'") == written(value)
        else:
            assert cell == str(export.csv_text(value))


@settings(deadline=None)
@given(st.lists(CELLS, max_size=8))
async def test_what_was_written_to_an_xlsx_is_read_back(values: list[Cell]) -> None:
    found = [cell.value for cell in read_xlsx(await xlsx_of(values))]

    for cell, value in zip(found, [*values, *[None] * (len(found) - len(values))], strict=True):
        assert cell == expected(value)


def expected(value: Cell) -> object:
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, datetime):
        return value.astimezone(SHANGHAI).replace(tzinfo=None, microsecond=0)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - a cell has no zone
    if isinstance(value, str):
        text = written(value)
        is_markup = text.startswith("<r>") and text.endswith("</r>")
        return escaped(f"{text} " if is_markup else text)
    return value


def escaped(text: str) -> str:
    """As the file has it: Excel reads `_x005F_x0041_` as `_x0041_`, openpyxl leaves it alone."""
    return re.sub(r"(_x[0-9a-fA-F]{4}_)", r"_x005F\1", text)


async def test_a_csv_that_is_cut_short_says_so() -> None:
    whole = read_csv(await csv_of(list("abcdef"), most=6))
    cut = read_csv(await csv_of(list("abcdefg"), most=6))

    assert len(whole) == 7
    assert cut[:7] == whole
    assert cut[7:] == [["（只列出前6行，其余请缩小查询条件后另行导出）"]]


async def test_an_xlsx_that_would_be_cut_short_is_refused() -> None:
    assert len(read_xlsx(await xlsx_of(list("abcdef"), most=6))) == 6
    with pytest.raises(TooManyRows):
        await xlsx_of(list("abcdefg"), most=6)


@pytest.mark.parametrize("form", Format)
async def test_an_empty_list_has_its_heading(form: Format) -> None:
    body = await content(await download(rows_of([]), form, at=AT))

    if form is Format.CSV:
        assert read_csv(body) == [["序号", "内容"]]
    else:
        assert read_xlsx(body) == []


@pytest.mark.parametrize("form", Format)
async def test_what_fails_at_first_is_raised_before_anything_is_sent(form: Format) -> None:
    async def read(_: tuple[Any, ...] | None) -> Sequence[Any]:
        raise OSError("no database")

    broken = Export(title="工单", columns=(), read=read, key=lambda _: (), most_rows=1)

    with pytest.raises(OSError, match="no database"):
        await download(broken, form, at=AT)


async def test_a_cell_longer_than_excel_takes_is_cut_and_says_so() -> None:
    (long,) = [cell.value for cell in read_xlsx(await xlsx_of(["🙂" * 20_000]))]
    (short,) = [cell.value for cell in read_xlsx(await xlsx_of(["长" * 32_767]))]

    assert len(long.encode("utf-16-le")) // 2 <= 32_767
    assert long.endswith("……（过长，已截断）")
    assert short == "长" * 32_767


@pytest.mark.parametrize("form", Format)
def test_the_name_of_the_file_is_encoded(form: Format) -> None:
    said = disposition("工单 “一”;\r\n", form, at=AT)

    plain, encoded = said.removeprefix("attachment; ").split("; ")
    assert plain == f'filename="export-202609211005.{form}"'
    assert unquote(encoded.removeprefix("filename*=UTF-8''")) == (
        f"工单 “一”;\r\n202609211005.{form}"
    )
    assert said.isascii()
    assert said.isprintable()


async def test_pages_are_read_one_by_one_as_they_are_sent() -> None:
    reads = 0
    base = rows_of(list(range(30)), page=5)

    async def counted(after: tuple[Any, ...] | None) -> Sequence[Any]:
        nonlocal reads
        reads += 1
        return await base.read(after)

    lazy = Export(title="工单", columns=base.columns, read=counted, key=base.key, most_rows=1000)
    answer = await download(lazy, Format.CSV, at=AT)
    chunks = aiter(answer.body_iterator)

    seen = []
    for _ in range(3):
        await anext(chunks)
        seen.append(reads)

    assert seen == [1, 2, 3]
