"""The console script loads reference data, and says where a file is wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tongban_common.db import Database
from tongban_common.settings import ServiceSettings
from tongban_intake.main import commands_of

Run = Callable[..., tuple[int, str]]

FOLDER = Path(__file__).parent / "documents"


@pytest.fixture
def run(settings: ServiceSettings, db: Database) -> Run:
    cli = commands_of(lambda _: settings)

    def invoke(*words: str) -> tuple[int, str]:
        answer = CliRunner().invoke(cli, list(words))
        return answer.exit_code, answer.output

    return invoke


def test_files_are_loaded_from_the_command_line(run: Run) -> None:
    directory = run("load-directory", str(FOLDER / "directory.yaml"))
    catalogue = run("load-catalogue", str(FOLDER / "catalogue.csv"))
    again = run("load-catalogue", str(FOLDER / "catalogue.csv"))

    assert directory == (0, "已载入：divisions 4，units 6，windows 4，staff 2；0 条没有变化\n")
    assert catalogue == (0, "已载入：items 5；0 条没有变化\n")
    assert again == (0, "已载入：items 0；5 条没有变化\n")


def test_every_fault_of_a_file_is_a_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "机构.yaml"
    file.write_text("units:\n  - {code: A}\n", encoding="utf-8")

    code, output = run("load-directory", str(file))

    assert code == 1
    assert "机构.yaml：第 2 行 units[0] name：缺少必填项" in output


def test_a_file_that_cannot_be_read_is_one_clear_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "机构.csv"
    file.write_bytes("机构\n".encode("gbk"))

    code, output = run("load-directory", str(file))

    assert code == 1
    assert "UTF-8" in output
    assert "Traceback" not in output
