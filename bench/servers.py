"""What is measured: three servers, each a process, over one embedded PostgreSQL with fsync on."""

import asyncio
import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncpg
import psutil

from bench.client import Done, Task
from tongban_common import migrations
from tongban_common.clock import utc_now
from tongban_common.events import Envelope
from tongban_common.issuer import AUDIENCE, ISSUER, DevelopmentIssuer
from tongban_common.service import Kit
from tongban_hotline_dispatch.consumers import UnitChanged
from tongban_hotline_dispatch.main import SERVICE
from tongban_hotline_dispatch.settings import HotlineSettings
from tongban_suite.embedded import EmbeddedPostgres

ROOT = Path(__file__).parents[1]
HOTLINE = (str(Path(sys.executable).parent / "tongban-hotline"),)
UNIT = "BENCH"
SECRET = "a secret of the bench only"  # noqa: S105 - of databases that live for a run
START_SECONDS = 30


class DidNotStart(Exception):
    """A server that does not answer."""


class Failed(Exception):
    """A client got an answer that is no success."""


@dataclass(slots=True)
class Server:
    """A running server. CPU in seconds of user and system time, memory in bytes."""

    port: int
    process: asyncio.subprocess.Process

    def cpu(self) -> float:
        """Raises DidNotStart for a server that has ended."""
        if self.process.returncode is not None:
            raise DidNotStart(f"the server on port {self.port} ended: {self.process.returncode}")
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def rss(self) -> int:
        return int(psutil.Process(self.process.pid).memory_info().rss)

    async def answers(self) -> None:
        """Raises DidNotStart."""
        give_up = time.monotonic() + START_SECONDS
        while self.process.returncode is None and time.monotonic() < give_up:
            if await asyncio.to_thread(_is_alive, self.port):
                return
            await asyncio.sleep(0.1)
        raise DidNotStart(f"nothing answers on port {self.port}")

    async def stop(self) -> None:
        if self.process.returncode is None:
            self.process.terminate()
        await self.process.wait()


def postgres_cpu(folder: Path) -> float:
    """CPU seconds of the embedded server so far, the backends that have ended included."""
    lines = (folder / "postmaster.pid").read_text().split()
    postmaster = psutil.Process(int(lines[0]))
    total = sum(postmaster.cpu_times()[:4])  # its own, and of the children it has reaped
    for backend in postmaster.children():
        with suppress(psutil.NoSuchProcess):
            total += sum(backend.cpu_times()[:2])
    return float(total)


async def facts(postgres: EmbeddedPostgres) -> dict[str, str]:
    """What the server says of its version, and of what makes a commit last."""
    names = ("server_version", "fsync", "synchronous_commit", "full_page_writes")
    connection = await asyncpg.connect(postgres.url("bare").replace("+asyncpg", ""))
    try:
        return {name: await connection.fetchval(f"SHOW {name}") for name in names}
    finally:
        await connection.close()


@asynccontextmanager
async def running(
    folder: Path, postgres: EmbeddedPostgres, issuer: DevelopmentIssuer
) -> AsyncIterator[Mapping[str, Server]]:
    """The three servers by subject. Raises DidNotStart."""
    await postgres.ensure(["bare"])
    hotline = await hotline_database(postgres, issuer)
    started: dict[str, Server] = {}
    with (folder / "servers.log").open("wb") as log:
        try:
            started["lifecycle"] = await start([*HOTLINE, "api"], hotline, log.fileno())
            bare = {"BENCH_DATABASE": postgres.url("bare").replace("+asyncpg", "")}
            started["insert"] = await start(_uvicorn("insert"), bare, log.fileno())
            started["empty"] = await start(_uvicorn("empty"), {}, log.fileno())
            for server in started.values():
                await server.answers()
            yield started
        finally:
            for server in started.values():
                await server.stop()


@asynccontextmanager
async def hotlines(
    folder: Path, environments: Mapping[str, Mapping[str, str]]
) -> AsyncIterator[Mapping[str, Server]]:
    """A hotline for each environment, by its name. Raises DidNotStart."""
    started: dict[str, Server] = {}
    with (folder / "servers.log").open("ab") as log:
        try:
            for name, environment in environments.items():
                started[name] = await start([*HOTLINE, "api"], environment, log.fileno())
            for server in started.values():
                await server.answers()
            yield started
        finally:
            for server in started.values():
                await server.stop()


async def hotline_database(
    postgres: EmbeddedPostgres, issuer: DevelopmentIssuer, name: str = "hotline"
) -> dict[str, str]:
    """A database with policies and one unit; the environment of its processes."""
    await postgres.ensure([name])
    values = {
        "DATABASE_URL": postgres.url(name),
        "DATABASE_POOL": "6",  # as the bare insert has
        "SECRET": SECRET,
        "ISSUER": ISSUER,
        "AUDIENCE": AUDIENCE,
        "JWKS": str(issuer.jwks),
    }
    await migrations.upgrade(values["DATABASE_URL"], SERVICE.package)
    kit = hotline_kit(values["DATABASE_URL"])
    await SERVICE.load_policies(kit)
    await SERVICE.inbox(kit).apply([_unit_changed()])
    await kit.db.close()
    return {f"TONGBAN_HOTLINE_{key}": each for key, each in values.items()}


def hotline_kit(url: str, secret: str = SECRET) -> Kit:
    """What the operations are given, in a process of the bench itself."""
    return SERVICE.kit(HotlineSettings.model_validate({"database_url": url, "secret": secret}))


async def run_client(task: Task) -> Done:
    """A client in a process of its own, until its time is over. Raises Failed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.client"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told, fault = await process.communicate(json.dumps(asdict(task)).encode())
    if process.returncode != 0:
        raise Failed(fault.decode().strip().splitlines()[-1])
    return Done(**json.loads(told))


def _unit_changed() -> Envelope:
    return Envelope(
        id="bench-1",
        source="/tongban/intake",
        type=UnitChanged.type,
        subject=UNIT,
        time=utc_now(),
        topic=UnitChanged.topic,
        shard=0,
        n=1,
        data={"unit_code": UNIT, "name": "承办单位", "level": "city", "is_active": True},
    )


async def start(command: Sequence[str], environment: Mapping[str, str], log: int) -> Server:
    port = _free_port()
    own = {"PORT": str(port), "TONGBAN_HOTLINE_PORT": str(port)}
    where = ["--port", str(port)] if "uvicorn" in command else []
    process = await asyncio.create_subprocess_exec(
        *command,
        *where,
        cwd=ROOT,
        env={**os.environ, **environment, **own},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,  # Ctrl-C is for the bench, which stops them itself
    )
    return Server(port, process)


def _uvicorn(app: str) -> list[str]:
    quiet = ["--no-access-log", "--log-level", "warning"]
    return [sys.executable, "-m", "uvicorn", f"bench.apps:{app}", *quiet]


def _is_alive(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
