"""The suite's processes: started, restarted whenever they end, killed, frozen, stopped by pid."""

import asyncio
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One process of the suite, as its supervisor would declare it."""

    name: str  # hotline-relay-1
    role: str  # api, relay, consumer, timers
    command: Sequence[str]
    environment: Mapping[str, str]


class CommandFailed(Exception):
    """A command of a service ended with an error."""


class Supervised:
    """One program, restarted as soon as it has ended, until it is stopped."""

    def __init__(self, program: Program, folder: Path) -> None:
        self.program = program
        self.log = folder / f"{program.name}.log"
        self.unasked = 0  # how often it ended by itself
        self.is_frozen = False
        self._lives = 0
        self._process: Process | None = None
        self._killed = self._stopping = False
        self._task = asyncio.create_task(self._keep_alive())

    @property
    def is_running(self) -> bool:
        alive = self._process is not None and self._process.returncode is None
        return alive and not self._killed

    @property
    def pid(self) -> int:
        return 0 if self._process is None else self._process.pid

    def kill9(self) -> None:
        self._killed = True
        self._signal(signal.SIGKILL)

    async def freeze(self, seconds: float) -> None:
        """SIGSTOP now, SIGCONT after this long."""
        self.is_frozen = True
        self._signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._signal(signal.SIGCONT)
            self.is_frozen = False

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not end."""
        self._stopping = True
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.shield(self._task)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._task

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _keep_alive(self) -> None:
        while not self._stopping:
            self._killed = False
            self._process = await self._start()
            await self._process.wait()
            self._lives += 1
            if not self._killed and not self._stopping:
                self.unasked += 1
                await asyncio.sleep(0.5)

    async def _start(self) -> Process:
        return await _spawn(self.program, self.log, life=self._lives)


class Suite:
    """The processes of one run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.processes: list[Supervised] = []

    def start(self, programs: Sequence[Program]) -> None:
        self.processes += [Supervised(program, self._folder) for program in programs]

    def of_role(self, role: str) -> list[Supervised]:
        """Those that can be killed or frozen now."""
        return [
            each
            for each in self.processes
            if each.program.role == role and each.is_running and not each.is_frozen
        ]

    def unasked(self) -> dict[str, int]:
        """Processes that ended though nobody killed them."""
        return {each.program.name: each.unasked for each in self.processes if each.unasked}

    async def stop(self) -> None:
        await asyncio.gather(*(each.stop() for each in self.processes))


async def run_once(program: Program, folder: Path) -> None:
    """A command that ends by itself. Raises CommandFailed."""
    process = await _spawn(program, folder / f"{program.name}.log", life=0)
    try:
        if await process.wait() != 0:
            raise CommandFailed(f"{program.command}: {process.returncode}")
    finally:
        if process.returncode is None:
            process.kill()


async def _spawn(program: Program, file: Path, *, life: int) -> Process:
    environment = {**_inherited(), **program.environment, "CRASH_LIFE": str(life)}
    with file.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *program.command,
            cwd=ROOT,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the harness, which stops them itself
        )


def _inherited() -> dict[str, str]:
    """The harness's environment, but with compiled modules kept: restarts are many."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TONGBAN_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, "PYTHONPYCACHEPREFIX": str(ROOT / ".cache" / "pycache")}
