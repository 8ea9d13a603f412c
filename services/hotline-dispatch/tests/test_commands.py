from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tongban_common.db import Database
from tongban_common.settings import ServiceSettings
from tongban_hotline_dispatch.main import commands_of

Run = Callable[..., tuple[int, str]]
HEADINGS = "渠道,渠道编号,诉求类型,标题,内容\n"
GOOD = "微信,T-1,求助,路灯不亮,已三天不亮\n"


@pytest.fixture
def run(settings: ServiceSettings, db: Database) -> Run:
    cli = commands_of(lambda _: settings)

    def invoke(*words: str) -> tuple[int, str]:
        answer = CliRunner().invoke(cli, list(words))
        return answer.exit_code, answer.stdout + answer.stderr

    return invoke


def test_a_file_is_imported_from_the_command_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "诉求.csv"
    file.write_text(HEADINGS + GOOD, encoding="gbk")

    first, again = run("import", str(file)), run("import", str(file))

    assert (first[0], again[0]) == (0, 0)
    assert "导入1条，已有0条，未导入0条" in first[1]
    assert "导入0条，已有1条，未导入0条" in again[1]


def test_bad_rows_are_named_and_the_command_says_that_there_were_some(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "诉求.csv"
    file.write_text(HEADINGS + GOOD + "微信,T-2,闲聊,标题,内容\n", encoding="utf-8")

    code, output = run("import", str(file))

    assert code == 2
    assert "第3行 未导入：诉求类型不在允许的取值之内" in output.replace("\n", "").replace(
        "行 ", "行 "
    )
    assert "导入1条，已有0条，未导入1条" in output


def test_a_file_that_cannot_be_read_is_one_clear_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "诉求.csv"
    file.write_bytes(b"")

    code, output = run("import", str(file))

    assert code == 1
    assert "文件是空的" in output
    assert "Traceback" not in output


def test_the_document_of_the_process_is_what_the_tables_say() -> None:
    document = Path(__file__).parents[3] / "docs" / "hotline-process.md"

    said = CliRunner().invoke(commands_of(), ["process", "--format", "md"])
    drawn = CliRunner().invoke(commands_of(), ["process", "--format", "mermaid"])

    assert said.output == document.read_text(encoding="utf-8")
    assert drawn.output.count("stateDiagram-v2") == 2


def test_the_nightly_round_of_supervision_can_be_run_by_hand(run: Run) -> None:
    code, output = run("supervision", "round")

    assert (code, output) == (0, "新下达0件\n")
