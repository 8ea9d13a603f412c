"""The HTTP edge that every service shares: app, transactions, refusals, pages, preconditions.

A route of `Router` owns its transaction: opened when the endpoint first needs it, committed with
the stored answer of the Idempotency-Key after the answer was rendered and before it leaves. There
is no other commit, and no answer ahead of it.

What is stored under a key: an ordinary answer, sealed, so that its twin is told the same. Not the
body of an answer that says `no-store`, unless the route is marked RECEIPT, and not of one that
streams (it is read after the commit, and once): the work is done once, and its twin is refused as
`idempotency.answer_not_kept` (409). To be told again takes a new key, which leaves a new record.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response, params
from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import AfterValidator, AwareDatetime
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.datastructures import MutableHeaders
from starlette.responses import FileResponse, StreamingResponse
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from tongban_common import idempotency, problems, web
from tongban_common.auth import Authenticator, Principal, principal_of
from tongban_common.clock import utc_now
from tongban_common.db import Database, Transaction
from tongban_common.errors import (
    BadInput,
    PreconditionMissing,
    StaleVersion,
    UnsupportedMedia,
)
from tongban_common.middleware import Edge
from tongban_common.privacy import Sealer, Signer
from tongban_common.settings import ServiceSettings
from tongban_common.working_days import SHANGHAI

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_KEPT_HEADERS = ("content-type", "location", "etag", "cache-control")

refusals = problems.refusals
# A moment as an answer tells it: in Asia/Shanghai, whatever the database gave.
LocalTime = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(SHANGHAI))]


class BadCursor(BadInput):
    code = "page.bad_cursor"


class IfMatchMissing(PreconditionMissing):
    code = "precondition.if_match_missing"


class BadIfMatch(BadInput):
    code = "precondition.bad_if_match"


class ChangedMeanwhile(StaleVersion):
    code = "precondition.changed_meanwhile"


class WrongMediaType(UnsupportedMedia):
    code = "request.unsupported_media_type"


class _UnitOfWork:
    """The one transaction of one request, opened when first asked for."""

    def __init__(self, db: Database) -> None:
        self.is_receipt = False
        self._db = db
        self._stack = AsyncExitStack()
        self._tx: Transaction | None = None

    async def begin(self) -> Transaction:
        if self._tx is None:
            self._tx = await self._stack.enter_async_context(self._db.transaction())
        return self._tx

    async def commit(self) -> None:
        await self._stack.aclose()

    async def roll_back(self, fault: BaseException) -> None:
        await self._stack.__aexit__(type(fault), fault, fault.__traceback__)


class Route(APIRoute):
    """Asks who acts, refuses another content type, and only then reads the body.

    It owns its transaction. A service's own kind of route may tell refusals in another form.
    """

    @property
    def takes_upload(self) -> bool:
        """Read by the edge, which allows more there."""
        return self.body_field is not None and isinstance(self.body_field.field_info, params.File)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(_as_get(scope))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().handle(_as_get(scope), receive, send)

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        endpoint = super().get_route_handler()
        route = self.path
        checks = tuple(_checks(self.dependant))
        headers = tuple(_headers(self.dependant))
        accepted = _accepted(self.body_field)

        async def answer(request: Request) -> Response:
            for check in checks:
                await check(request)
            _refuse_other_types(request, accepted)
            work = _UnitOfWork(request.app.state.db)
            request.state.work = work
            try:
                answer = await _answer(request, work, endpoint, route, headers)
                await work.commit()
            except BaseException as fault:
                await work.roll_back(fault)
                raise
            return answer

        return answer


def _as_get(scope: Scope) -> Scope:
    """A HEAD is answered as its GET; the edge leaves the body out."""
    return {**scope, "method": "GET"} if scope.get("method") == "HEAD" else scope


def _checks(dependant: Dependant) -> Iterator[Callable[[Request], Awaitable[object]]]:
    """The `require` of a route, wherever in its dependencies."""
    for each in dependant.dependencies:
        if each.call is not None and hasattr(each.call, "permission"):
            yield each.call
        yield from _checks(each)


def _headers(dependant: Dependant) -> Iterator[str]:
    """Those that an operation reads as its own parameters: they are part of what is asked."""
    yield from (each.alias for each in dependant.header_params)
    for each in dependant.dependencies:
        yield from _headers(each)


def _accepted(body: ModelField | None) -> tuple[str, ...]:
    match None if body is None else body.field_info:
        case None:
            return ()
        case params.File():
            return ("multipart/form-data",)
        case params.Form():
            return ("application/x-www-form-urlencoded", "multipart/form-data")
        case _:
            return ("application/json",)


def _refuse_other_types(request: Request, accepted: Sequence[str]) -> None:
    """Raises WrongMediaType where a body is expected and one of another type comes."""
    is_sent = request.headers.get("content-length", "0") != "0"
    if not accepted or not (is_sent or "transfer-encoding" in request.headers):
        return
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent.startswith("application/") and sent.endswith("+json"):
        sent = "application/json"
    if sent not in accepted:
        raise WrongMediaType(f"内容类型应为 {' 或 '.join(accepted)}")


async def _answer(
    request: Request,
    work: _UnitOfWork,
    endpoint: Callable[[Request], Any],
    route: str,
    own_headers: Sequence[str],
) -> Response:
    key = request.headers.get("idempotency-key")
    if key is None or request.method not in UNSAFE:
        answer: Response = await endpoint(request)
        return answer
    principal = await principal_of(request)
    sealer: Sealer = request.app.state.answers
    claim = idempotency.Claim.of(
        principal="" if principal is None else principal.subject,
        route=f"{request.method} {route}",
        key=key,
        target="\n".join(
            (
                f"{request.url.path}?{request.url.query}",
                *(f"{name}: {request.headers.get(name, '')}" for name in own_headers),
            )
        ),
        body=idempotency.canonical(await request.body(), request.headers.get("content-type", "")),
        sealer=sealer,
    )
    tx = await work.begin()
    stored = await idempotency.claim_key(tx, claim, sealer)
    if stored is not None:
        headers = {**stored.headers, "idempotency-replayed": "true"}
        return Response(stored.body, status_code=stored.status, headers=headers)
    answer = await endpoint(request)
    kept = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
    body = _body_to_keep(answer, is_receipt=work.is_receipt)
    await idempotency.store_answer(
        tx, claim, idempotency.StoredAnswer(answer.status_code, kept, body), sealer
    )
    return answer


def _body_to_keep(answer: Response, *, is_receipt: bool) -> bytes | None:
    if isinstance(answer, StreamingResponse | FileResponse):
        return None
    if "no-store" in answer.headers.get("cache-control", "") and not is_receipt:
        return None
    return bytes(answer.body)


async def _is_receipt(request: Request) -> None:
    work: _UnitOfWork = request.state.work
    work.is_receipt = True


# Among the `dependencies` of a route whose answer only says what its caller has just done: a client
# that lost it (a number, a query code) is told again, though no cache may keep it.
RECEIPT = Depends(_is_receipt)


class Router(APIRouter):
    """An APIRouter whose routes own their transaction."""

    def __init__(self, *, prefix: str = "", tags: list[str] | None = None) -> None:
        super().__init__(prefix=prefix, tags=list(tags or ()), route_class=Route)


async def _transaction(request: Request) -> Transaction:
    work: _UnitOfWork = request.state.work
    return await work.begin()


async def _reading(request: Request) -> AsyncGenerator[AsyncConnection]:
    db: Database = request.app.state.db
    async with db.reading() as connection:
        yield connection


async def _if_match(request: Request) -> int:
    raw = request.headers.get("if-match")
    if raw is None:
        raise IfMatchMissing("请在 If-Match 中给出所见版本（ETag）")
    digits = raw.strip().removeprefix("W/").strip('"')
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise BadIfMatch("If-Match 应为本系统返回的 ETag")
    return int(digits)


async def _pieces(request: Request) -> idempotency.Pieces | None:
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    principal = await principal_of(request)
    return idempotency.Pieces(
        principal="" if principal is None else principal.subject,
        route=f"{request.method} {request.url.path}",
        key=key,
        sealer=request.app.state.answers,
    )


Pieces = Annotated[idempotency.Pieces | None, Depends(_pieces)]
Tx = Annotated[Transaction, Depends(_transaction)]
Reads = Annotated[AsyncConnection, Depends(_reading, scope="function")]


async def now_of_request() -> datetime:
    """When the request is acted on. Async: a plain function would cost a thread."""
    return utc_now()


Now = Annotated[datetime, Depends(now_of_request)]
IfMatch = Annotated[int, Depends(_if_match)]
Who = Annotated[Principal | None, Depends(principal_of)]


def check_version(*, expected: int, actual: int) -> None:
    """Raises ChangedMeanwhile (412) unless the caller saw the current version."""
    if expected != actual:
        raise ChangedMeanwhile("内容已被他人更新，请刷新后再办理", current=actual)


def tag(response: Response, version: int) -> None:
    """The ETag of a versioned resource."""
    response.headers["ETag"] = f'"{version}"'


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One page of a keyset list: rows after `after` in the list's order, `limit` of them."""

    limit: int
    after: tuple[Any, ...] | None
    _signer: Signer
    _scope: str

    def next_cursor(self, key: Sequence[object]) -> str:
        """An opaque cursor that goes on after the row with this key."""
        return self._signer.token(orjson.dumps([self._scope, *key]))


async def _page_request(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=200, description="每页条数")] = 50,
    cursor: Annotated[str | None, Query(max_length=1000, description="上一页返回的游标")] = None,
) -> PageRequest:
    """Raises BadCursor for a cursor that is not ours, or of another list or filter."""
    signer: Signer = request.app.state.cursors
    filters = sorted(
        (name, value)
        for name, value in request.query_params.multi_items()
        if name not in {"cursor", "limit"}
    )
    scope = f"{request.url.path} {filters}"
    after = None
    if cursor is not None:
        payload = signer.payload(cursor)
        if payload is None:
            raise BadCursor("分页游标无效，请从第一页重新查询")
        found, *key = orjson.loads(payload)
        if found != scope:
            raise BadCursor("分页游标与查询条件不符，请从第一页重新查询")
        after = tuple(key)
    return PageRequest(limit, after, signer, scope)


Paged = Annotated[PageRequest, Depends(_page_request)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppParts:
    """What differs between the services' apps."""

    short: str  # intake, hotline, …: the prefix of every path
    title: str
    routers: Sequence[APIRouter]
    db: Database
    authenticator: Authenticator
    settings: ServiceSettings
    state: dict[str, object]


def create_app(parts: AppParts) -> FastAPI:
    """The service's app: problem+json everywhere, health, static files, one ASGI middleware."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        yield
        await parts.db.close()

    app = FastAPI(
        title=parts.title,
        version="1.0.0",
        openapi_url=f"/{parts.short}/v1/openapi.json",
        docs_url=None,  # the stock pages load scripts from another host
        redoc_url=None,
        lifespan=lifespan,
    )
    secret = parts.settings.secret.get_secret_value()
    app.state.db = parts.db
    app.state.authenticator = parts.authenticator
    app.state.settings = parts.settings
    app.state.cursors = Signer(secret, purpose="cursor")
    app.state.answers = Sealer(secret)
    for name, value in parts.state.items():
        setattr(app.state, name, value)
    app.state.problem_page = web.problem_page
    for router in parts.routers:
        app.include_router(router)
    app.mount("/static", web.static_app())
    problems.install(app)
    app.add_middleware(Edge, service=parts.short)
    return app


def no_store(response: Response) -> None:
    """For answers that name a person's matter: no cache keeps them, and no Idempotency-Key."""
    MutableHeaders(raw=response.raw_headers)["Cache-Control"] = "no-store"
