import csv
import gzip
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from tongban_common.working_days import SHANGHAI
from tongban_suite.city import City
from tongban_suite.main import cli
from tongban_suite.messages import COLUMNS, BadMessages, read_messages
from tongban_suite.places import packaged_places
from tongban_suite.replay import replay_file
from tongban_suite.simulation import Simulation

LATER = datetime(2026, 11, 20, tzinfo=SHANGHAI)


def written(file: Path, rows: Sequence[Sequence[str]], columns: Sequence[str] = COLUMNS) -> Path:
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([columns, *rows])
    return file


def a_row(number: int, title: str, received: str, replied: str) -> list[str]:
    return [str(number), "A1", title, received, "内容", "答复", replied]


async def test_a_replay_counts_by_the_due_day_and_publishes_every_quarter(tmp_path: Path) -> None:
    rows = [
        a_row(1, "A3区路灯不亮", "2026-08-03T10:00:00+08:00", "2026-08-10T18:00:00+08:00"),
        a_row(2, "A7县停水", "2026-08-03T10:00:00+08:00", "2026-08-11T00:00:00+08:00"),
        a_row(3, "全市公交", "2026-09-29T10:00:00+08:00", "2026-11-01T00:00:00+08:00"),
    ]
    file = tmp_path / "out.json"

    await replay_file(written(tmp_path / "in.csv", rows), reply_days=5, json_file=file, now=LATER)

    result = orjson.loads(file.read_bytes())
    assert (result["tickets"], result["on_time"], result["overdue"]) == (3, 1, 2)
    assert {unit["code"]: unit["overdue"] for unit in result["units"]} == {
        "A3": 0,
        "A7": 1,
        "HUB": 1,
    }
    assert result["quarters"] == {
        "2026Q3": {"tickets": 2, "overdue": 1},
        "2026Q4": {"tickets": 1, "overdue": 1},
    }
    assert (result["deadlines_fired"], result["bulletins"]) == (2, 2)
    assert (result["gaps"], result["duplicates"], result["dead_letters"]) == (0, 0, 0)
    assert result["events"]["tongban.hotline.ticket-closed.v1"] == 3
    assert result["scorecards"] >= 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "缺少列"),
        (b"a,b\n1,2\n", "缺少列"),
        ("标题\n".encode("gbk"), "UTF-8"),
        (gzip.compress(b"a,b\n")[:-4], "不完整"),
        (gzip.compress(b"a,b\n")[:-8] + bytes(8), "gzip文件已损坏"),
        (",".join(COLUMNS).encode() + b"\n", "没有一条"),
    ],
    ids=["empty", "other columns", "GBK", "cut gzip", "broken gzip", "no rows"],
)
def test_a_bad_file_is_refused_clearly(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "in.csv"
    file.write_bytes(content)

    with pytest.raises(BadMessages, match=words):
        read_messages(file, now=LATER)


def test_a_bad_row_is_named_with_its_line(tmp_path: Path) -> None:
    rows = [
        a_row(1, "甲", "2026-08-03T10:00:00+08:00", "2026-08-04T10:00:00+08:00"),
        a_row(2, "乙", "昨天", "2026-08-04T10:00:00+08:00"),
        a_row(3, "丙", "2026-08-05T10:00:00+08:00", "2026-08-04T10:00:00+08:00"),
    ]

    with pytest.raises(BadMessages) as refusal:
        read_messages(written(tmp_path / "in.csv", rows), now=LATER)

    assert "第3行" in refusal.value.message
    assert "第4行" in refusal.value.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({4: "长" * 10_000_000}, "第3行.*超过128KB"),
        ({4: "内\0容"}, "第3行：含有空字符"),
        ({6: "2026-12-01T00:00:00+08:00"}, "第3行：replied_at 在未来"),
        ({3: "1999-12-01T00:00:00+08:00"}, "第3行：received_at 早于"),
        ({0: "1"}, "第3行：message_id 与前面的行重复"),
    ],
    ids=["a field of 10 MB", "NUL", "the future", "before every calendar", "twice"],
)
def test_a_row_that_cannot_have_happened_or_be_kept_is_refused_with_its_line(
    tmp_path: Path, change: dict[int, str], words: str
) -> None:
    rows = [
        a_row(number, "甲", "2026-08-03T10:00:00+08:00", "2026-08-04T10:00:00+08:00")
        for number in (1, 2)
    ]
    for place, value in change.items():
        rows[1][place] = value

    with pytest.raises(BadMessages, match=words):
        read_messages(written(tmp_path / "in.csv", rows), now=LATER)


def test_a_result_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    rows = [a_row(1, "甲", "2026-08-03T10:00:00+08:00", "2026-08-04T10:00:00+08:00")]
    file = written(tmp_path / "in.csv", rows)

    answer = CliRunner().invoke(cli, ["replay", str(file), "--json", str(tmp_path / "no" / "x")])

    assert answer.exit_code == 1
    assert "不存在" in answer.output
    assert isinstance(answer.exception, SystemExit)


@pytest.mark.parametrize(
    ("title", "content", "unit"),
    [
        ("A3区某小区", "A7县", "A3"),
        ("某小区", "位于A市A3区的A7县", "A3"),
        ("K10县与K1区", "", "K10"),
        ("A市某小区", "没有区县", "HUB"),
        ("", "", "HUB"),
    ],
    ids=["title first", "first in the text", "the longer number", "city only", "nothing"],
)
def test_the_place_table_finds_the_unit(title: str, content: str, unit: str) -> None:
    assert packaged_places().unit_of(title, content) == unit


class Quiet:
    """A city in which one deadline falls due."""

    def __init__(self, due: datetime) -> None:
        self._due: datetime | None = due
        self.fired: list[datetime] = []

    async def next_due(self) -> datetime | None:
        return self._due

    async def sweep(self, now: datetime) -> int:
        self.fired.append(now)
        self._due = None
        return 1


async def test_a_deadline_on_the_last_day_of_a_quarter_does_not_hide_the_next_day() -> None:
    due = datetime(2026, 9, 30, 23, 59, 59, 999999, tzinfo=SHANGHAI)
    city = Quiet(due)
    simulation = Simulation(city, datetime(2026, 9, 28, 10, tzinfo=SHANGHAI))  # type: ignore[arg-type]
    begun: list[datetime] = []

    async def begin(now: datetime) -> None:
        begun.append(now)

    simulation.each_day(begin)
    await simulation.advance(datetime(2026, 10, 2, 9, tzinfo=SHANGHAI))

    assert [moment.day for moment in begun] == [29, 30, 1, 2]
    assert city.fired == [due + timedelta(microseconds=1)]


async def test_the_clock_never_goes_back(city: City) -> None:
    simulation = Simulation(city, datetime(2026, 9, 28, 10, tzinfo=SHANGHAI))

    with pytest.raises(ValueError, match="cannot go back"):
        await simulation.advance(datetime(2026, 9, 28, 9, tzinfo=SHANGHAI))
