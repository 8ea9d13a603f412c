import io
from datetime import datetime
from itertools import pairwise
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from openpyxl import Workbook
from sqlalchemy import func, select

from tongban_common.db import Database
from tongban_common.outbox import outbox
from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.appeal import APPEAL_NAMES
from tongban_hotline_dispatch.domain.importing import COLUMNS, BadFile
from tongban_hotline_dispatch.operations import Outcome, Report
from tongban_hotline_dispatch.operations.importing import BATCH
from tongban_hotline_dispatch.operations.matters import first_catalogue
from tongban_hotline_dispatch.store import complainant, ticket

IMPORTS = "/hotline/v1/imports"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)


def a_row(number: int, **changes: object) -> list[object]:
    return list(
        {
            "channel": "网民留言",
            "channel_order_no": f"M-{number}",
            "appeal_type": "投诉",
            "urgency": None,
            "matter_code": None,
            "title": "路灯不亮",
            "content": "桂花路口的路灯，已三天不亮",
            "registered_at": datetime(2026, 9, 20, 9, 30),  # noqa: DTZ001 - as a sheet holds it
            "name": "张三",
            "phone": 13812345678.0,
            "address": None,
            **changes,
        }.values()
    )


def a_sheet(*rows: list[object]) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(list(COLUMNS.values()))
    for row in rows:
        sheet.append(row)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def a_csv(*rows: list[object], encoding: str = "utf-8") -> bytes:
    lines: list[list[object]] = [list(COLUMNS.values()), *rows]
    quoted = (",".join("" if cell is None else f'"{cell}"' for cell in row) for row in lines)
    return "\r\n".join(quoted).encode(encoding)


async def imported(kit: Kit, content: bytes) -> Report:
    return await operations.import_file(kit, content=content, actor="d-1", now=NOW)


async def count(db: Database, table: Any) -> int:
    async with db.reading() as connection:
        counted = await connection.execute(select(func.count()).select_from(table))
        return int(counted.scalar_one())


@pytest.mark.parametrize(
    "content",
    [
        a_sheet(a_row(1), a_row(2)),
        a_csv(a_row(1, phone="13812345678"), a_row(2, phone="13812345678")),
        a_csv(a_row(1, phone=""), a_row(2, phone=""), encoding="gbk"),
    ],
    ids=["XLSX", "UTF-8的CSV", "GBK的CSV"],
)
async def test_good_rows_become_tickets_as_of_when_they_came_in(
    kit: Kit, db: Database, content: bytes
) -> None:
    report = await imported(kit, content)

    assert (report.taken, report.known, report.refused) == (2, 0, 0)
    assert [row.line for row in report.rows] == [2, 3]
    async with db.reading() as connection:
        row = (await connection.execute(select(ticket).limit(1))).one()
    assert row.registered_at == datetime(2026, 9, 20, 9, 30, tzinfo=SHANGHAI)
    assert row.ticket_no.startswith("260920093000")
    assert await count(db, complainant) == await count(db, outbox) == 2


async def test_bad_rows_are_named_and_the_rest_is_taken(kit: Kit, db: Database) -> None:
    future = datetime(2026, 9, 22, 9, 0)  # noqa: DTZ001 - as a sheet holds it
    content = a_sheet(
        a_row(1),
        a_row(2, appeal_type="闲聊"),
        a_row(3, registered_at=future),
        a_row(1),
        a_row(5, title=None, phone="不详"),
        a_row(6),
    )

    report = await imported(kit, content)

    assert (report.taken, report.known, report.refused) == (2, 0, 4)
    assert {row.line: row.reason for row in report.rows if row.reason} == {
        3: f"诉求类型不在允许的取值之内（{'、'.join(APPEAL_NAMES.values())}）",
        4: "来件时间晚于当前时间",
        5: "与第2行重复：渠道和渠道编号相同",
        6: "标题为空；电话应为5至20位数字",
    }
    assert await count(db, ticket) == 2


async def test_the_same_file_again_takes_nothing_twice(kit: Kit, db: Database) -> None:
    rows = [a_row(number) for number in range(5)]
    first = await imported(kit, a_sheet(*rows))

    again = await imported(kit, a_sheet(*rows, a_row(5)))

    assert (first.taken, first.known) == (5, 0)
    assert (again.taken, again.known) == (1, 5)
    assert {row.reason for row in again.rows if row.reason} == {
        "该渠道编号的诉求已受理，不重复登记"
    }
    assert await count(db, ticket) == await count(db, outbox) == 6


async def test_a_long_file_is_taken_in_batches_and_tells_how_far_it_is(
    kit: Kit, db: Database
) -> None:
    told: list[tuple[int, int]] = []
    rows = [a_row(number, phone="") for number in range(BATCH + 10)]

    report = await operations.import_file(
        kit,
        content=a_csv(*rows),
        actor="d-1",
        now=NOW,
        progress=lambda done, total: told.append((done, total)),
    )

    assert report.taken == await count(db, ticket) == BATCH + 10
    assert told == [(BATCH, BATCH + 10), (BATCH + 10, BATCH + 10)]
    assert len({row.ticket_no for row in report.rows}) == BATCH + 10


def _a_bomb() -> bytes:
    """Says of itself that it unpacks to three gigabytes."""
    written = io.BytesIO()
    with ZipFile(written, "w", ZIP_DEFLATED) as packed:
        packed.writestr("xl/workbook.xml", "<workbook/>")
        packed.filelist[0].file_size = 3 << 30
    return written.getvalue()


async def test_a_number_that_the_spreadsheet_rounded_is_no_order_number(kit: Kit) -> None:
    rows = [a_row(1, channel_order_no=each) for each in (2.0261120001e20, 123456789012345.0)]

    report = await imported(kit, a_sheet(*rows))

    assert [row.outcome for row in report.rows] == [Outcome.REFUSED, Outcome.TAKEN]
    assert "超过15位" in (report.rows[0].reason or "")


def _an_archive() -> bytes:
    written = io.BytesIO()
    with ZipFile(written, "w") as packed:
        packed.writestr("readme.txt", "not a workbook")
    return written.getvalue()


def _with_entities() -> bytes:
    """A workbook whose sheet declares entities within entities."""
    dtd = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    dtd += "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in pairwise("abcdefghij")) + "]>"
    written = io.BytesIO()
    with ZipFile(io.BytesIO(a_sheet(a_row(1)))) as good, ZipFile(written, "w") as bad:
        for name in good.namelist():
            part = good.read(name)
            if name == "xl/worksheets/sheet1.xml":
                part = dtd.encode() + part.replace(b"</sheetData>", b"&j;</sheetData>")
            bad.writestr(name, part)
    return written.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04" + b"\0" * 100, "损坏"),
        (a_sheet(a_row(1))[:-200], "损坏"),
        (_an_archive(), "损坏"),
        (_a_bomb(), "解压后超过"),
        (_with_entities(), "损坏"),
        (a_sheet(), "没有数据行"),
        (Workbook, "文件是空的"),
    ],
    ids=["不是压缩包", "被截断", "别的压缩包", "压缩炸弹", "嵌套实体", "只有表头", "空表"],
)
async def test_a_workbook_that_cannot_be_read_is_refused_whole(
    kit: Kit, db: Database, content: Any, said: str
) -> None:
    if content is Workbook:
        written = io.BytesIO()
        Workbook().save(written)
        content = written.getvalue()

    with pytest.raises(BadFile, match=said):
        await imported(kit, content)

    assert await count(db, ticket) == 0


async def test_the_report_of_the_api_names_every_row(hub: Client, clock: Clock) -> None:
    clock.now = NOW
    upload = {"file": ("诉求.xlsx", a_sheet(a_row(1), a_row(2, channel="飞鸽")))}

    answer = await hub.post(IMPORTS, files=upload)
    empty = await hub.post(IMPORTS, files={"file": ("a.csv", b"")})

    told = answer.json()
    assert answer.status_code == 200
    assert [told[name] for name in ("taken", "known", "refused")] == [1, 0, 1]
    assert [row["outcome"] for row in told["rows"]] == ["taken", "refused"]
    assert told["rows"][0]["ticket_no"]
    assert (empty.status_code, empty.json()["code"]) == (400, "import.bad_file")


async def test_a_field_of_ten_megabytes_and_a_nul_are_bad_rows(hub: Client, clock: Clock) -> None:
    clock.now = NOW
    rows = (
        a_row(1, phone="", content="长" * 10_000_000),
        a_row(2, phone="", content="空\x00字符"),
        a_row(3, phone=""),
    )

    answer = await hub.post(IMPORTS, files={"file": ("a.csv", a_csv(*rows))})

    reasons = [row["reason"] for row in answer.json()["rows"]]
    assert reasons == ["内容超过20000字", "内容含有空字符或者控制字符", None]


async def test_a_unit_imports_nothing(officer: Client) -> None:
    assert (await officer.post(IMPORTS, files={"file": ("a.csv", b"x")})).status_code == 403


async def test_a_matter_that_the_catalogue_does_not_know_is_a_bad_row(
    kit: Kit, hub: Client
) -> None:
    await first_catalogue(kit, now=NOW)
    file = a_sheet(a_row(1, matter_code="99"), a_row(2))

    report = await operations.import_file(kit, content=file, actor="i-1", now=NOW)
    asked = {"channel": "wechat", "appeal_type": "help", "title": "路灯", "content": "不亮"}
    answer = await hub.post("/hotline/v1/tickets", json=asked | {"matter_code": "99"})

    assert [row.outcome for row in report.rows] == [Outcome.REFUSED, Outcome.TAKEN]
    assert report.rows[0].reason == "现行事项目录中没有这个事项"
    assert (answer.status_code, answer.json()["code"]) == (422, "matter.not_in_force")
