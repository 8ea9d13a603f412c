"""Ctrl-C and SIGTERM end a command's work the same way: what it started is stopped again."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def take_sigterm() -> None:
    """As Ctrl-C, wherever the command is."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Raises KeyboardInterrupt after the work has cleaned up behind itself."""
    try:
        return asyncio.run(_until_told(work))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        take_sigterm()  # the loop has put the default back


async def _until_told(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    return await task
