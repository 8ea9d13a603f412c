"""`tongban run`: what may be refused comes first, and slow things happen side by side."""

import gc
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module

from rich.console import Console

from tongban_suite import signals
from tongban_suite.doors import Door, opened
from tongban_suite.home import Home

_console = Console(soft_wrap=True)


def start(home: Home, *, host: str, port: int, reset: bool) -> None:
    """Until Ctrl-C. Nothing is lost to a port or a home that somebody else uses."""
    with suppress(KeyboardInterrupt):
        _start(home, host, port, reset=reset)
    kept = "数据保留在" if home.has_demo else "演示城市尚未建好，下次从头建："
    _console.print(f"已停止；{kept} {home.folder}", markup=False)


def _start(home: Home, host: str, port: int, *, reset: bool) -> None:
    with opened(host, port) as door, home.locked():
        if reset:
            home.remove()
        _run(home, door)


def _run(home: Home, door: Door) -> None:
    """The services are imported while the server starts: both take seconds."""
    gc.disable()  # nothing that is imported is garbage
    with ThreadPoolExecutor(1) as loader:
        loading = loader.submit(import_module, "tongban_suite.run")
        with home.server() as server:
            loaded = loading.result()
            gc.freeze()
            gc.enable()
            signals.run(loaded.run_suite(home, server, door))
