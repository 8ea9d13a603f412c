import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError
from urllib.request import urlopen

import orjson
import psutil
import pytest
from typer.testing import CliRunner

from tongban_common.testing import Postgres
from tongban_suite.embedded import EmbeddedPostgres
from tongban_suite.home import BadHome, Home
from tongban_suite.main import cli

PATIENCE = 180


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """Not in tmp_path: another pytest that starts closes it to all but root, and PostgreSQL."""
    with TemporaryDirectory(prefix="tb-home-") as folder:
        monkeypatch.setenv("TONGBAN_HOME", f"{folder}/home")
        yield Home(Path(folder) / "home")


def servers_over(folder: Path) -> list[int]:
    return [
        each.pid
        for each in psutil.process_iter(["name", "cmdline"])
        if each.info["name"] == "postgres" and str(folder) in (each.info["cmdline"] or ())
    ]


def refused(*arguments: str) -> str:
    """What the command says: a plain refusal, never a traceback."""
    answer = CliRunner().invoke(cli, arguments)
    assert answer.exit_code == 1
    assert isinstance(answer.exception, SystemExit)
    assert "Traceback" not in answer.output
    return answer.output


@contextmanager
def running(home: Home, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [str(Path(sys.executable).parent / "tongban"), "run", "--port", str(port)]
    environment = {**os.environ, "TONGBAN_HOME": str(home.folder)}
    log = home.folder.with_name("log")
    with (
        log.open("wb") as out,
        subprocess.Popen(command, env=environment, stdout=out, stderr=out) as process,  # noqa: S603 - our own command
    ):
        try:
            yield process
        finally:
            process.kill()
            sys.stdout.write(log.read_text())  # shown when the test fails


def until(said: Path, process: subprocess.Popen[bytes]) -> None:
    ends_at = time.monotonic() + PATIENCE
    while not said.exists():
        assert process.poll() is None
        assert time.monotonic() < ends_at
        time.sleep(0.05)


def page(port: int, path: str, process: subprocess.Popen[bytes]) -> str:
    while True:
        assert process.poll() is None
        try:
            with urlopen(f"http://localhost:{port}{path}", timeout=PATIENCE) as answer:
                return str(answer.read().decode())
        except URLError:
            time.sleep(0.05)


def test_a_run_survives_a_stop_while_loading_holds_its_home_and_leaves_no_server(
    home: Home, port: int
) -> None:
    with running(home, port) as process:
        until(home.database / "base" / "5", process)
        until(home.folder / "secret", process)
        time.sleep(1.5)  # somewhere in the demo
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert not (home.folder / "demo").exists()
    assert servers_over(home.database) == []

    with running(home, port) as process:
        feed = page(port, "/publishing/feed.atom", process)
        said = refused("run", "--reset", "--port", str(port - 1 if port > 60_000 else port + 1))
        assert page(port, "/", process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert str(process.pid) in said
    assert f"http://localhost:{port}/" in feed
    assert "localhost:8000" not in feed
    assert home.has_demo
    assert servers_over(home.database) == []
    told = home.folder.with_name("log").read_text(errors="replace")
    (asked, *_) = [line for line in told.splitlines() if "route=/publishing/feed.atom" in line]
    assert "service=suite" in asked  # as the suite sets its logs up: they keep no values


def test_a_home_has_one_user_at_a_time(home: Home, port: int) -> None:
    with home.locked():
        said = refused("run", "--port", str(port))
        home.remove()
        assert [each.name for each in home.folder.iterdir()] == ["lock"]
    assert f"进程 {os.getpid()} 使用" in said


def test_a_port_in_use_is_refused_before_anything_is_touched(home: Home) -> None:
    home.make()
    home.keep_demo()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"端口 {port} 已被占用" in refused("run", "--reset", "--port", str(port))

    assert home.has_demo
    assert "--host 203.0.113.7" in refused("run", "--host", "203.0.113.7")
    assert "--host no.such.host.invalid" in refused("run", "--host", "no.such.host.invalid")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"PG_VERSION": "9\n"}, "PG_VERSION"),
        ({"PG_VERSION": "x"}, "PG_VERSION"),
        ({"PG_VERSION": "18\n"}, "pg_control"),
        ({"PG_VERSION": "18\n", "global/pg_control": ""}, "数据库无法启动"),
        ({"base": ""}, "数据库无法启动"),
    ],
    ids=["another version", "no version", "no pg_control", "an empty pg_control", "no database"],
)
def test_a_broken_database_is_explained_with_what_mends_it(
    home: Home, port: int, files: dict[str, str], words: str
) -> None:
    for name, content in files.items():
        file = home.database / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    said = refused("run", "--port", str(port))

    assert words in said
    assert "RESET=1" in said


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"kty":"EC"}', "\0"])
def test_a_broken_key_is_explained_with_what_mends_it(home: Home, content: str) -> None:
    file = home.folder / "issuer" / "key.json"
    file.parent.mkdir(parents=True)
    file.write_text(content)

    said = refused("token", "--role", "dispatcher")

    assert "key.json" in said
    assert "RESET=1" in said


def test_an_empty_secret_is_explained_with_what_mends_it(home: Home) -> None:
    home.make()
    (home.folder / "secret").touch()

    with pytest.raises(BadHome, match="RESET=1"):
        home.secret()


@pytest.mark.parametrize("where", ["file/home", "file", "/proc/no/home"])
def test_a_home_that_cannot_be_made_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int, where: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TONGBAN_HOME", str(tmp_path / where))

    assert "请检查 TONGBAN_HOME" in refused("run", "--port", str(port)).replace("\n", "")


KILLED = """
import os, sys
from pathlib import Path
from tongban_suite.embedded import EmbeddedPostgres
EmbeddedPostgres(Path(sys.argv[1])).__enter__()
os.kill(os.getpid(), 9)
"""


def test_the_last_to_leave_stops_the_server_whoever_was_killed(home: Home) -> None:
    home.make()
    command = [sys.executable, "-c", KILLED, str(home.database)]
    killed = subprocess.run(command, check=False)  # noqa: S603 - our own program
    handles = home.database / ".handle_pids.json"
    (dead,) = orjson.loads(handles.read_bytes())
    assert killed.returncode == -signal.SIGKILL
    assert servers_over(home.database) != []

    with subprocess.Popen(["sleep", "60"]) as later:  # noqa: S607 - as if it got a dead one's number
        handles.write_bytes(orjson.dumps([dead, later.pid]))
        os.utime(handles, (0, 0))
        try:
            with EmbeddedPostgres(home.database):
                assert orjson.loads(handles.read_bytes()) == [os.getpid()]
        finally:
            later.kill()
    assert servers_over(home.database) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"[]", "应为JSON对象"), (b"{", "不是合法的JSON"), (b'{"notice":"\\u0000"}', "空字符")],
)
def test_a_notice_that_is_none_is_refused(
    home: Home, tmp_path: Path, content: bytes, words: str
) -> None:
    file = tmp_path / "notice.json"
    file.write_bytes(content)

    assert words in refused("calendar", "import", str(file))


def test_a_notice_needs_a_city(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "notice.json"
    file.write_bytes(b"{}")

    assert "make run" in refused("calendar", "import", str(file))


def address(postgres: Postgres, **change: str) -> str:
    return postgres.url.set(**change).render_as_string(hide_password=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"username": "nobody-here"}, "没有这个角色"),
        ({"database": "no-such-database"}, "数据库不存在"),
        ({"drivername": "mysql"}, "postgresql+asyncpg://"),
        ({"drivername": "postgresql"}, "postgresql+asyncpg://"),
        ({"drivername": "nosuch"}, "postgresql+asyncpg://"),
        ({"host": "/nowhere", "query": ""}, "数据库连不上"),
    ],
    ids=["role", "database", "MySQL", "another driver", "no driver", "nobody listens"],
)
def test_the_doctor_explains_what_keeps_a_service_from_its_database(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], words: str
) -> None:
    url = (
        "postgresql+asyncpg://postgres@127.0.0.1:9/x"
        if "host" in change
        else address(postgres, **change)
    )
    monkeypatch.setenv("TONGBAN_HOTLINE_DATABASE_URL", url)
    monkeypatch.setenv("TONGBAN_HOTLINE_SECRET", "a secret of the tests only")

    assert words in refused("doctor").replace("\n", "")


def test_the_doctor_explains_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGBAN_HOTLINE_DATABASE_URL", "what")
    monkeypatch.setenv("TONGBAN_HOTLINE_SECRET", "a secret of the tests only")

    assert "postgresql+asyncpg://" in refused("doctor").replace("\n", "")


def test_the_doctor_explains_a_broken_home(home: Home) -> None:
    home.database.mkdir(parents=True)
    (home.database / "PG_VERSION").write_text("9")

    assert "RESET=1" in refused("doctor").replace("\n", "")
