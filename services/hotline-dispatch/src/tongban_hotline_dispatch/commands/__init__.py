"""The command line's edge: one module by subject; `main` hangs them on the service's script."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import typer
from rich.console import Console

from tongban_common.cli import SettingsSource
from tongban_common.errors import Refusal
from tongban_common.service import Kit, Service

T = TypeVar("T")
out = Console()
err = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Bench:
    """What a command works with: the service, and where its settings come from."""

    service: Service
    settings_of: SettingsSource

    def run(self, act: Callable[[Kit], Coroutine[Any, Any, T]]) -> T:
        with refusing():
            return asyncio.run(self._with_kit(act))

    async def _with_kit(self, act: Callable[[Kit], Coroutine[Any, Any, T]]) -> T:
        kit = self.service.kit(self.settings_of(self.service))
        try:
            return await act(kit)
        finally:
            await kit.db.close()


@contextmanager
def refusing() -> Iterator[None]:
    """A refusal is one clear message and exit status 1, not a traceback."""
    try:
        yield
    except Refusal as refusal:
        stop(refusal.message)


def stop(message: str) -> NoReturn:
    err.print(message, style="red", markup=False, highlight=False)
    raise typer.Exit(1)


def say(message: str) -> None:
    """One line, as it stands: no markup, no wrapping."""
    out.print(message, markup=False, highlight=False, soft_wrap=True)
