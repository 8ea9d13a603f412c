import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.appeal import AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.importing import (
    COLUMNS,
    MOST_ROWS,
    BadFile,
    BadRow,
    Checked,
    Row,
    checked,
    csv_cells,
)

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
PARTICULARS = tuple(COLUMNS)[tuple(COLUMNS).index("demand") + 1 :]
GOOD = {
    "channel": "phone",
    "channel_order_no": "T-1",
    "appeal_type": "求助",
    "urgency": "",
    "matter_code": "",
    "title": "路灯不亮",
    "content": "桂花路口的路灯，已三天不亮",
    "registered_at": "2026-09-20 09:30",
    "name": "张三",
    "phone": "13812345678",
    "address": "",
    "target_name": "",
    "demand": "",
    **dict.fromkeys(PARTICULARS, ""),
}


def a_row(**changes: str) -> list[str]:
    return list({**GOOD, **changes}.values())


def read(*rows: Sequence[str], headings: Sequence[str] = tuple(COLUMNS)) -> list[Checked]:
    return checked([headings, *rows], now=NOW)


def reason(**changes: str) -> str:
    (_, row), *_ = read(a_row(**changes))
    assert isinstance(row, BadRow)
    return row.reason


def as_csv(*rows: Sequence[str], encoding: str = "utf-8") -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows([list(COLUMNS.values()), *rows])
    return written.getvalue().encode(encoding)


def test_a_good_row_is_read_whole() -> None:
    ((line, row),) = read(a_row(urgency="紧急", matter_code="0407"))

    assert line == 2
    assert isinstance(row, Row)
    assert row.appeal.channel is Channel.PHONE
    assert row.appeal.appeal_type is AppealType.HELP
    assert row.appeal.urgency is Urgency.URGENT
    assert row.appeal.matter_code == "0407"
    assert row.registered_at == datetime(2026, 9, 20, 9, 30, tzinfo=SHANGHAI)
    assert (row.name, row.phone, row.address) == ("张三", "13812345678", None)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk"], ids=["UTF-8", "带BOM", "GB18030", "GBK"]
)
def test_the_encodings_of_spreadsheets_are_read(encoding: str) -> None:
    ((_, row),) = checked(csv_cells(as_csv(a_row(), encoding=encoding)), now=NOW)

    assert isinstance(row, Row)
    assert row.appeal.content == "桂花路口的路灯，已三天不亮"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "文件是空的"),
        (b"\xef\xbb\xbf", "文件是空的"),
        (b" \r\n,,\r\n", "文件是空的"),
        (as_csv(), "没有数据行"),
        (as_csv(a_row(), encoding="utf-16"), "编码"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\xff", "编码"),
        (as_csv(a_row()) + '"没有结束的引号'.encode(), "不是完整的CSV"),
        ("标题,内容\r\n路灯,不亮\r\n".encode(), "缺少列：渠道、渠道编号、诉求类型"),
        (
            "渠道,channel,渠道编号,诉求类型,标题,内容\r\n1,2,3,4,5,6".encode(),
            "重复的列：渠道",
        ),
    ],
    ids=[
        "空文件",
        "只有BOM",
        "只有空行",
        "只有表头",
        "UTF-16",
        "旧版XLS",
        "引号没有配对",
        "缺少列",
        "列重复",
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole(content: bytes, said: str) -> None:
    with pytest.raises(BadFile, match=said):
        checked(csv_cells(content), now=NOW)


def test_a_file_with_too_many_rows_is_refused_whole() -> None:
    with pytest.raises(BadFile, match="分开导入"):
        read(*[a_row()] * (MOST_ROWS + 1))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"channel": ""}, "渠道为空"),
        ({"channel": "飞鸽"}, "渠道不在允许的取值之内"),
        ({"appeal_type": "闲聊"}, "诉求类型不在允许的取值之内"),
        ({"urgency": "十万火急"}, "紧急程度不在允许的取值之内"),
        ({"channel_order_no": " "}, "渠道编号为空"),
        ({"title": "长" * 201}, "标题超过200字"),
        ({"content": ""}, "内容为空"),
        ({"content": "长" * 10_000_000}, "内容超过20000字"),
        ({"content": "路灯\x00不亮"}, "内容含有空字符或者控制字符"),
        ({"phone": "打我电话"}, "电话应为5至20位数字"),
        ({"registered_at": "昨天"}, "来件时间不是可识别的日期时间"),
        ({"registered_at": "2026-13-01"}, "来件时间不是可识别的日期时间"),
        ({"registered_at": "2026-09-21 10:00:01"}, "来件时间晚于当前时间"),
        ({"registered_at": "2026-09-21T02:30:00Z"}, "来件时间晚于当前时间"),
        ({"registered_at": "9999-12-31T23:59:59-14:00"}, "来件时间晚于当前时间"),
        ({"registered_at": "2003-12-31"}, "来件时间早于2004年"),
        ({"registered_at": "0001-01-01T00:00+14:00"}, "来件时间早于2004年"),
    ],
    ids=[
        "渠道为空",
        "未知渠道",
        "未知类型",
        "未知紧急程度",
        "渠道编号为空白",
        "标题过长",
        "内容为空",
        "10MB的字段",
        "空字符",
        "电话格式",
        "不是日期",
        "没有的月份",
        "来自将来",
        "带时区的将来",
        "最后的时刻",
        "早于日历",
        "最初的时刻",
    ],
)
def test_a_bad_row_is_refused_with_its_reason(changes: dict[str, str], said: str) -> None:
    assert said in reason(**changes)


def test_every_fault_of_a_row_is_named_and_no_cell_is_repeated() -> None:
    told = reason(channel="飞鸽", title="", phone="张三的电话", registered_at="昨天")

    assert told.count("；") == 3
    assert "张三" not in told


@pytest.mark.parametrize(
    "given_as",
    [
        "2026-09-20 09:30",
        "2026-09-20T09:30:00",
        "2026/9/20 9:30",
        "2026.9.20 9:30:00",
        "2026年9月20日 9:30",
        "2026-09-20T09:30:00+08:00",
        "2026-09-20T01:30:00Z",
        "2026/9/20 1:30:00+00:00",
    ],
)
def test_moments_are_read_with_and_without_a_zone(given_as: str) -> None:
    ((_, row),) = read(a_row(registered_at=given_as))

    assert isinstance(row, Row)
    assert row.registered_at.astimezone(UTC) == datetime(2026, 9, 20, 1, 30, tzinfo=UTC)


def test_a_row_without_a_moment_came_in_now() -> None:
    ((_, row),) = read(a_row(registered_at=""))

    assert isinstance(row, Row)
    assert row.registered_at == NOW


def test_a_repeated_number_is_taken_once_and_told_of_where() -> None:
    rows = read(
        a_row(channel="飞鸽"),
        a_row(),
        a_row(title="另一件"),
        a_row(channel="website"),
        a_row(channel="电话"),
    )

    refused = {line: row.reason for line, row in rows if isinstance(row, BadRow)}
    assert set(refused) == {2, 4, 6}
    assert refused[4] == refused[6] == "与第3行重复：渠道和渠道编号相同"


def test_blank_rows_are_left_out_and_lines_count_as_in_a_spreadsheet() -> None:
    content = as_csv([], a_row(content="第一行\n第二行"), ["", " "], a_row(channel_order_no="T-2"))

    assert [line for line, _ in checked(csv_cells(content), now=NOW)] == [3, 5]


def test_cells_beyond_the_headings_show_that_the_row_is_shifted() -> None:
    ((_, shifted), (_, padded)) = read(
        [*a_row(), "多出"], [*a_row(channel_order_no="T-2"), "", " "]
    )

    assert isinstance(shifted, BadRow)
    assert "比表头多出列" in shifted.reason
    assert isinstance(padded, Row)


def test_a_short_row_lacks_what_it_lacks() -> None:
    ((_, row),) = read(["phone", "T-1", "求助"])

    assert row == BadRow("标题为空；内容为空")


def test_columns_come_in_any_order_and_unknown_ones_are_left_alone() -> None:
    headings = ["备注", *list(COLUMNS.values())[::-1]]

    ((_, row),) = read(["随便", *reversed(a_row())], headings=headings)

    assert isinstance(row, Row)
    assert row.appeal.title == "路灯不亮"


@given(st.lists(st.lists(st.text(max_size=30), max_size=14), max_size=12))
def test_whatever_the_cells_hold_every_filled_row_is_answered_once(rows: list[list[str]]) -> None:
    filled = [number for number, row in enumerate(rows, start=2) if any(c.strip() for c in row)]

    if not filled:
        with pytest.raises(BadFile):
            read(*rows)
    else:
        assert [line for line, _ in read(*rows)] == filled


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    try:
        rows = checked(csv_cells(content), now=NOW)
    except BadFile:
        return
    assert rows
