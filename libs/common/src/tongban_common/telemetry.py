"""What an operator sees: structured logs without personal data, metrics, and the trace context."""

import logging
import re
import secrets
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog
from prometheus_client import Counter, Histogram

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
_PERSONAL = re.compile(
    r"(?<!\d)(?:1[3-9]\d{9}|\d{6}(?:19|20)\d{2}(?:0[1-9]|1[0-2])\d{5}[\dXx])(?!\d)"
)
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
        logger_factory=structlog.PrintLoggerFactory(sys.stdout if json else sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(service=service)


def _renderers(*, json: bool) -> list[structlog.typing.Processor]:
    """Tracebacks without the values of local variables: those may be somebody's name."""
    if json:
        return [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    ]


def _mask(
    _logger: object, _method: str, entry: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name, value in entry.items():
        if isinstance(value, str):
            entry[name] = _PERSONAL.sub("***", value)
    return entry
