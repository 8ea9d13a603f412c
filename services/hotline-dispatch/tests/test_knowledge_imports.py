import io
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from openpyxl import Workbook
from typer.testing import CliRunner

from tongban_common.db import Database
from tongban_common.settings import ServiceSettings
from tongban_common.testing import Client
from tongban_hotline_dispatch.domain.knowledge import MATERIAL_NAMES
from tongban_hotline_dispatch.main import commands_of

URL = "/hotline/v1/knowledge/imports"
HEADINGS = "标题,内容,单位编码,分类,材料类型,关键词\r\n"
GOOD = "公积金提取条件,购房可以提取,A3,住房/公积金,热点问答,公积金、提取\r\n"
Run = Callable[..., tuple[int, str]]


def upload(text: str, encoding: str = "utf-8") -> dict[str, tuple[str, bytes, str]]:
    return {"file": ("知识.csv", text.encode(encoding), "text/csv")}


@pytest.fixture
def run(settings: ServiceSettings, db: Database) -> Run:
    cli = commands_of(lambda _: settings)

    def invoke(*words: str) -> tuple[int, str]:
        answer = CliRunner().invoke(cli, list(words), env={"COLUMNS": "160"})
        return answer.exit_code, answer.stdout + answer.stderr

    return invoke


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
async def test_good_rows_are_taken_and_bad_ones_named(hub: Client, encoding: str) -> None:
    text = (
        HEADINGS
        + GOOD
        + ",空标题,A3,住房,热点问答,\r\n"
        + "长关键词,内容,A3,住房,热点问答," + "词" * 21 + "\r\n"
        + "同名关键词,内容,A3,住房,热点问答,同名关键词\r\n"
        + "未知材料,内容,A3,住房,小说,\r\n"
        + "停用单位,内容,A9,住房,,\r\n"
        + "公积金 提取条件,又一次,A3,住房,,\r\n"
    )  # fmt: skip

    report = (await hub.post(URL, files=upload(text, encoding))).json()

    assert (report["taken"], report["refused"]) == (1, 6)
    assert [(row["line"], row["reason"]) for row in report["rows"]][1:] == [
        (3, "标题为空"),
        (4, "关键词超过20字"),
        (5, "关键词与标题相同"),
        (6, f"材料类型不在允许的取值之内（{'、'.join(MATERIAL_NAMES.values())}）"),
        (7, "没有这个承办单位，或者该单位已停用"),
        (8, "与第2行标题重复"),
    ]


async def test_what_is_known_is_refused_the_second_time(hub: Client) -> None:
    await hub.post(URL, files=upload(HEADINGS + GOOD))

    again = (await hub.post(URL, files=upload(HEADINGS + GOOD))).json()

    assert again["rows"][0]["reason"].startswith("已有同名的知识")


async def test_a_spreadsheet_is_taken_and_sent_for_review_at_once(hub: Client) -> None:
    book = Workbook()
    assert book.active is not None
    book.active.append(["标题", "内容", "单位编码", "分类"])
    book.active.append(["居住证办理", "到派出所办理", "A7", "户政/居住证"])
    packed = io.BytesIO()
    book.save(packed)

    answer = await hub.post(
        URL, params={"submit": "true"}, files={"file": ("知识.xlsx", packed.getvalue(), "x/y")}
    )

    listed = (await hub.get("/hotline/v1/knowledge", params={"state": "submitted"})).json()
    assert answer.json()["taken"] == 1
    assert [each["title"] for each in listed["items"]] == ["居住证办理"]


async def test_a_unit_imports_for_itself_only(officer: Client) -> None:
    row = "公积金提取条件,购房可以提取,A7,住房/公积金,热点问答,\r\n"

    answer = await officer.post(URL, files=upload(HEADINGS + row))

    listed = (await officer.get("/hotline/v1/knowledge")).json()["items"]
    assert answer.json()["taken"] == 1
    assert [each["unit_code"] for each in listed] == ["A3"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "文件是空的"),
        (HEADINGS.encode(), "只有表头"),
        ("标题,内容\r\n甲,乙\r\n".encode(), "文件缺少列：分类"),
        (b"\xff\xff\xff", "无法识别文件的编码"),
        (b"PK\x03\x04broken", "不是可读取的XLSX"),
        (("标题,内容,分类\r\n" + "甲,乙,丙\r\n" * 1001).encode(), "超过1000条"),
    ],
)
async def test_a_file_that_is_no_good_takes_nothing(hub: Client, content: bytes, said: str) -> None:
    answer = await hub.post(URL, files={"file": ("a.csv", content, "text/csv")})

    assert (answer.status_code, answer.json()["code"]) == (400, "import.bad_file")
    assert said in answer.json()["detail"]


async def test_the_largest_file_allowed_is_taken(hub: Client) -> None:
    rows = "".join(f"知识{n},内容{n},A3,分类,,\r\n" for n in range(1000))

    answer = await hub.post(URL, files=upload(HEADINGS + rows))

    assert (answer.json()["taken"], answer.json()["refused"]) == (1000, 0)


def test_the_command_imports_and_names_what_it_refused(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "知识.csv"
    file.write_text(HEADINGS + GOOD + ",空,A3,住房,,\r\n", encoding="utf-8")

    code, output = run("knowledge", "import", str(file), "--submit")

    assert code == 2
    assert "第3行 未导入：标题为空" in output
    assert "导入1条，未导入1条" in output


def test_the_command_measures_recall_on_a_file(run: Run, tmp_path: Path) -> None:
    file, out = tmp_path / "messages.csv", tmp_path / "recall.json"
    rows = "".join(
        f"关于{name}的问题,{name}何时办理？请答复。,{name}可以随时办理。\r\n"
        for name in ("公积金", "居住证", "养老金", "路灯", "噪音", "停车")
    )
    file.write_text("title,content,reply\r\n" + rows, encoding="utf-8")

    code, output = run("knowledge", "recall", str(file), "--json", str(out))

    scores = orjson.loads(out.read_bytes())
    assert code == 0, output
    assert [(each["n"], each["recall_at_1"]) for each in scores[:2]] == [(6, 1.0), (6, 1.0)]
    assert "title → content" in output


def test_a_file_without_replies_cannot_be_measured(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "messages.csv"
    file.write_text("title\r\n甲\r\n", encoding="utf-8")

    code, output = run("knowledge", "recall", str(file))

    assert (code, "title、content、reply" in output) == (1, True)
