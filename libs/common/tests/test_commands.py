"""What the service commands say when something is wrong: one plain line, never a traceback."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest
from structlog.testing import capture_logs
from toy_service import TOY, ToySettings
from typer.testing import CliRunner

from tongban_common.cli import commands, settings_from_environment
from tongban_common.service import run_worker
from tongban_common.settings import ServiceSettings
from tongban_common.testing import Postgres, fresh_database

Run = Callable[..., tuple[int, str]]
SERVER = "postgresql+asyncpg://somebody:hunter2@127.0.0.1"


def invoked(settings: ServiceSettings, *words: str) -> tuple[int, str]:
    answer = CliRunner().invoke(commands(TOY, lambda _: settings), list(words))
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer.exit_code, answer.output


@pytest.fixture
def run(settings: ServiceSettings) -> Run:
    return lambda *words: invoked(settings, *words)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("words", [["migrate"], ["dlq", "list"], ["policies", "list"]])
def test_a_database_that_does_not_answer_is_one_line(
    settings: ServiceSettings, words: list[str]
) -> None:
    away = settings.model_copy(update={"database_url": f"{SERVER}:{closed_port()}/toy"})

    code, output = invoked(away, *words)

    assert (code, output.count("\n")) == (1, 1)
    assert "连接不上数据库" in output
    assert "hunter2" not in output


@pytest.mark.parametrize("part", ["database", "username"])
def test_a_database_that_refuses_is_one_line(
    settings: ServiceSettings, postgres: Postgres, part: str
) -> None:
    url = postgres.url.set(**{part: "nobody"}).render_as_string(hide_password=False)  # type: ignore[arg-type]

    code, output = invoked(settings.model_copy(update={"database_url": url}), "dlq", "list")

    assert (code, output.count("\n")) == (1, 1)
    assert "DATABASE_URL" in output


async def test_a_database_that_is_not_migrated_is_one_line(
    settings: ServiceSettings, postgres: Postgres
) -> None:
    url = await fresh_database(postgres, "tb_bare")
    bare = settings.model_copy(update={"database_url": url})

    code, output = await asyncio.to_thread(invoked, bare, "dlq", "list")

    assert (code, output) == (1, "数据库尚未迁移，请先运行 migrate\n")


@pytest.mark.parametrize(
    "url", ["postgresql://a:hunter2@db/toy", "mysql://a:hunter2@db/toy", "hunter2", f"{SERVER}:x/y"]
)
def test_an_address_of_another_kind_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("TONGBAN_TOY_DATABASE_URL", url)
    monkeypatch.setenv("TONGBAN_TOY_SECRET", "a secret of the tests only")

    answer = CliRunner().invoke(commands(TOY, settings_from_environment), ["dlq", "list"])

    assert answer.exit_code == 1
    assert "TONGBAN_TOY_DATABASE_URL：应形如 postgresql+asyncpg://" in answer.output
    assert "hunter2" not in answer.output


def test_settings_that_are_not_json_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGBAN_TOY_PEERS", "intake=http://intake")

    answer = CliRunner().invoke(commands(TOY, settings_from_environment), ["dlq", "list"])

    assert answer.exit_code == 1
    assert "peers" in answer.output
    assert isinstance(answer.exception, SystemExit)


def test_an_unknown_revision_is_one_line(run: Run) -> None:
    code, output = run("migrate", "--revision", "bogus")

    assert (code, output.count("\n")) == (1, 1)
    assert "bogus" in output


@pytest.mark.parametrize("command", ["show", "replay", "skip"])
@pytest.mark.parametrize("letter", ["7", "0", "99999999999999999999"])
def test_a_dead_letter_that_is_not_there_is_one_line(run: Run, command: str, letter: str) -> None:
    code, output = run("dlq", command, letter)

    assert (code, output.count("\n")) == (1, 1)
    assert f"没有编号为 {letter} 的" in output


HEAD = "name: rule\nversion: 2\n"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"a: [1", 1),
        (f"{HEAD}effective_from: !!python/name:os.system x\n".encode(), 3),
        (f"{HEAD}effective_from: !date 2026-01-01\n".encode(), 3),
        (f"{HEAD}effective_from: 2026-13-45\n".encode(), 3),
        (f"{HEAD}effective_from: 2026-01-01\ntitle: 规则\n".encode("gbk"), 4),
        (b"name: rule\nversion: 99999999999999999999\neffective_from: 2026-01-01\n", 2),
        (b"name: rule\nversion: 3000000000\neffective_from: 2026-01-01\n", 2),
        (b"name: rule\nversion: " + b"9" * 5000 + b"\neffective_from: 2026-01-01\n", 2),
        (f"{HEAD}effective_from: 2026-01-01\ntitle: a\x01b\n".encode(), 4),
        (b"- rule\n", 1),
        (b"", 1),
        (b"version: 1\n", 1),
        (b"version: 1\nname: [rule]\n", 2),
        (b"version: 1\nname: other\n", 2),
        (b"[" * 5000, 1),
    ],
    ids=[
        "half",
        "python tag",
        "unknown tag",
        "no such day",
        "GBK",
        "more than 64 bits",
        "more than 32 bits",
        "5000 digits",
        "control character",
        "a list",
        "empty",
        "no name",
        "a list for a name",
        "another name",
        "nested too deep",
    ],
)
@pytest.mark.parametrize("command", ["check", "load"])
def test_each_fault_of_a_policy_is_named_with_its_line(
    run: Run, tmp_path: Path, command: str, content: bytes, line: int
) -> None:
    file = tmp_path / "rule.yaml"
    file.write_bytes(content)

    code, output = run("policies", command, str(file))

    assert code == 1
    assert f"rule.yaml 第{line}行" in output
    assert "Traceback" not in output


def test_a_good_policy_passes_and_is_loaded(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "rule.yaml"
    file.write_text(f"{HEAD}effective_from: 2026-02-01\n", encoding="utf-8")

    assert run("policies", "check", str(file)) == (
        0,
        "rule.yaml：rule 第2版，2026-02-01起施行，合格\n",
    )
    assert run("policies", "load", str(file))[0] == 0


async def test_a_worker_waits_for_its_brokers_and_stops_meanwhile(
    settings: ServiceSettings,
) -> None:
    away = ToySettings.model_validate(
        {**settings.model_dump(), "kafka": f"127.0.0.1:{closed_port()}"}
    )
    stop = asyncio.Event()

    with capture_logs() as logs:
        working = asyncio.create_task(
            run_worker(TOY, away, roles=["relay", "consumer", "timers"], stop=stop)
        )
        async with asyncio.timeout(10):
            while "kafka.not_there" not in str(logs):  # noqa: ASYNC110 - only it knows
                await asyncio.sleep(0.05)
        assert not working.done()
        began = monotonic()
        stop.set()
        await working

    assert monotonic() - began < 5
