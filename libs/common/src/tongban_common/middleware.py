"""One ASGI middleware around every app: trace, limits, safe headers, one log line, one metric."""

import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tongban_common import problems
from tongban_common.telemetry import REQUESTS, trace

_log = structlog.get_logger()

MAX_BODY = 1 << 20
MAX_UPLOAD = 64 << 20
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; form-action 'self'"
    ),
}


class BrokenOff(Exception):
    """An answer that failed after its first part was sent: the connection is cut."""


class Edge:
    def __init__(self, app: ASGIApp, *, service: str) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with trace(Headers(scope=scope).get("traceparent")) as traceparent:
            started = time.perf_counter()
            status = 500
            has_begun = False

            async def answer(message: Message) -> None:
                nonlocal status, has_begun
                if message["type"] == "http.response.start":
                    status, has_begun = message["status"], True
                    headers = MutableHeaders(scope=message)
                    headers["X-Request-Id"] = traceparent.split("-")[1]
                    for name, value in _SAFE.items():
                        headers.setdefault(name, value)
                elif scope["method"] == "HEAD":
                    message = {**message, "body": b""}
                await send(message)

            try:
                await self._guarded(scope, receive, answer)
            except Exception as fault:  # noqa: BLE001 - the server would log what it quotes
                refused = await problems.unexpected(Request(scope), fault)
                if has_begun:
                    raise BrokenOff from None
                await refused(scope, receive, answer)
            finally:
                self._report(scope, status, time.perf_counter() - started)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        if b"%00" in scope.get("raw_path", b"") or b"%00" in scope["query_string"]:
            refused = problems.problem(400, code="request.nul", detail="地址中含有空字符")
            await refused(scope, receive, send)
            return
        seen = 0

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            limit = MAX_UPLOAD if _takes_upload(scope) else MAX_BODY
            body = message.get("body", b"")
            seen += len(body)
            if seen > limit:
                raise problems.RefusedBody(
                    413, code="request.too_large", message=f"内容超过{limit >> 20}MB上限"
                )
            if limit == MAX_BODY and (b"\x00" in body or b"\\u0000" in body):
                raise problems.RefusedBody(422, code="request.nul", message="内容中含有空字符")
            return message

        await self._app(scope, limited, send)

    def _report(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")  # the template, never the raw path
        REQUESTS.labels(scope["method"], route, status).observe(seconds)
        if route not in {"/livez", "/readyz"}:
            _log.info(
                "http.request",
                method=scope["method"],
                route=route,
                status=status,
                ms=round(seconds * 1000, 1),
            )


def _takes_upload(scope: Scope) -> bool:
    """As the route says, which is known when its body is read; never as the caller says."""
    return getattr(scope.get("route"), "takes_upload", False)
