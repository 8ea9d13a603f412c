"""What an operator sees: structured logs without personal data, metrics, and the trace context."""

import logging
import re
import secrets
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

import structlog
from prometheus_client import Counter, Histogram
from structlog.typing import ExcInfo

from tongban_common.privacy import mask_text

REQUESTS = Histogram(
    "http_server_request_duration_seconds",
    "Duration of a request by route template",
    ["method", "route", "status"],
)
RELAYED = Counter("tongban_outbox_published_total", "Events sent", ["topic", "event_type"])
CONSUMED = Counter(
    "tongban_consumer_processed_total", "Events by outcome", ["consumer", "event_type", "outcome"]
)
GAPS = Counter("tongban_consumer_gaps_total", "Gaps seen in a shard", ["consumer", "topic"])
DEADLINES = Counter("tongban_deadline_total", "Timers by outcome", ["kind", "outcome"])

_TRACEPARENT = re.compile(r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")
_traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)


def current_traceparent() -> str | None:
    return _traceparent.get()


@contextmanager
def trace(traceparent: str | None) -> Iterator[str]:
    """Continue a trace where a valid one came in, else start one."""
    valid = traceparent is not None and _TRACEPARENT.match(traceparent)
    current = traceparent if traceparent is not None and valid else new_traceparent()
    token = _traceparent.set(current)
    try:
        yield current
    finally:
        _traceparent.reset(token)


def new_traceparent() -> str:
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def configure_logging(*, service: str, json: bool) -> None:
    """One line per event on standard output; mobile and identity numbers never get through."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            _mask,
            *_renderers(json=json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # Looked up at each line: whoever replaces a stream for a while may close its substitute.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stdout if json else sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(service=service)


def _renderers(*, json: bool) -> list[structlog.typing.Processor]:
    if json:
        return [
            structlog.processors.ExceptionRenderer(_traceback),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    return [
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_to_console)
    ]


def _to_console(console: TextIO, exc_info: ExcInfo) -> None:
    console.write(f"\n{_traceback(exc_info)}")


def _traceback(exc_info: ExcInfo) -> str:
    """Where it failed and with what kind of fault, the first cause first.

    Never the message or a local variable: those quote what was sent and what is stored (the
    DETAIL of PostgreSQL, the whole row), which may be somebody's name.
    """
    return "".join(_told(exc_info[1]))


def _told(fault: BaseException) -> Iterator[str]:
    before = fault.__cause__ if fault.__suppress_context__ else fault.__context__
    if before is not None:
        yield from _told(before)
    yield from traceback.format_tb(fault.__traceback__)
    kind = type(fault)
    sqlstate = getattr(fault, "sqlstate", None)
    state = "" if sqlstate is None else f" (SQLSTATE {sqlstate})"
    yield f"{kind.__module__}.{kind.__qualname__}{state}\n"
    if isinstance(fault, BaseExceptionGroup):
        for part in fault.exceptions:
            yield from _told(part)


def _mask(
    _logger: object, _method: str, entry: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name, value in entry.items():
        if isinstance(value, str):
            entry[name] = mask_text(value, whole=True)
    return entry
