"""Everything that fails is application/problem+json (RFC 9457), in Chinese, with a stable code.

What the caller sent is never echoed: it may hold a name or a number of somebody.
"""

from collections import defaultdict
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from tongban_common import errors
from tongban_common.db import is_transient
from tongban_common.telemetry import current_traceparent

_log = structlog.get_logger()

STATUS: dict[type[errors.Refusal], int] = {
    errors.BadInput: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Gone: 410,
    errors.StaleVersion: 412,
    errors.TooLarge: 413,
    errors.UnsupportedMedia: 415,
    errors.RuleViolation: 422,
    errors.PreconditionMissing: 428,
    errors.TooOften: 429,
    errors.TooBusy: 503,
}
_TITLES = {
    400: "请求有误",
    401: "需要登录",
    403: "没有权限",
    404: "没有找到",
    405: "不支持的操作",
    409: "与当前状态冲突",
    410: "已失效",
    412: "内容已更新",
    413: "内容过大",
    415: "不支持的内容类型",
    422: "不符合要求",
    428: "缺少前提条件",
    429: "次数过多，请稍后再试",
    500: "系统内部错误",
    503: "系统繁忙，请稍后再试",
}
_FAULTS = {
    "missing": "缺少必填项",
    "extra_forbidden": "含有未知字段",
    "control_characters": "含有控制字符",
    "json_invalid": "不是合法的JSON",
    "string_type": "应为文本",
    "string_too_short": "内容过短",
    "string_too_long": "内容过长",
    "string_pattern_mismatch": "格式不符",
    "int_parsing": "应为整数",
    "int_parsing_size": "大于允许的最大值",
    "int_type": "应为整数",
    "less_than": "大于允许的最大值",
    "greater_than": "小于允许的最小值",
    "greater_than_equal": "小于允许的最小值",
    "less_than_equal": "大于允许的最大值",
    "uuid_parsing": "应为UUID",
    "enum": "不在允许的取值之内",
    "literal_error": "不在允许的取值之内",
    "datetime_parsing": "应为日期时间",
    "datetime_from_date_parsing": "应为日期时间",
    "timezone_aware": "时间须带时区",
    "date_from_datetime_parsing": "应为日期",
    "date_parsing": "应为日期",
    "bool_parsing": "应为是或否",
    "decimal_parsing": "应为数值",
    "too_short": "数量过少",
    "too_long": "数量过多",
    "model_attributes_type": "应为JSON对象",
    "dict_type": "应为JSON对象",
    "list_type": "应为数组",
}


class FieldFault(BaseModel):
    pointer: str
    code: str
    message: str


class Problem(BaseModel):
    """The body of every failure."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    trace_id: str | None
    errors: list[FieldFault] | None = None


_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


class RefusedBody(HTTPException):
    """A body refused while it was read. FastAPI lets an HTTPException through, nothing else."""

    def __init__(self, status: int, *, code: str, message: str) -> None:
        super().__init__(status, message)
        self.code = code


def refusals(*kinds: type[errors.Refusal]) -> dict[int | str, dict[str, Any]]:
    """The problem responses of an operation, for OpenAPI: kinds that share a status are merged."""
    codes: dict[int, list[str]] = defaultdict(list)
    for kind in kinds:
        codes[status_of(kind)].append(kind.code)
    return {
        status: {
            "description": f"{_TITLES[status]}：{'、'.join(names)}",
            "content": _CONTENT,
        }
        for status, names in sorted(codes.items())
    }


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document: every operation says that it fails with a Problem; pages are left out.

    FastAPI's own schema of validation errors goes: it promises to echo the rejected input.
    """
    made: dict[str, Any] = get_openapi(
        title=app.title, version=app.version, openapi_version=app.openapi_version, routes=app.routes
    )
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem_schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem_schema.pop("$defs"), Problem=problem_schema)
    made["paths"] = {
        path: operations for path, operations in made["paths"].items() if "/v1/" in path
    }
    for operations in made["paths"].values():
        for operation in operations.values():
            answers = operation["responses"]
            if "application/json" in answers.get("422", {}).get("content", {}):
                del answers["422"]
            answers["default"] = {"description": "未能办理", "content": _CONTENT}
    return made


def status_of(kind: type[errors.Refusal]) -> int:
    """The one map from kinds of refusal to HTTP."""
    return next((STATUS[base] for base in kind.__mro__ if base in STATUS), 422)


def problem(
    status: int,
    *,
    code: str,
    detail: str,
    faults: list[dict[str, str]] | None = None,
    facts: Mapping[str, object] | None = None,
) -> Response:
    body: dict[str, object] = {
        "type": _type(code),
        "title": _TITLES.get(status, HTTPStatus(status).phrase),
        "status": status,
        "detail": detail,
        "code": code,
        "trace_id": _trace_id(),
        **(facts or {}),
    }
    if faults is not None:
        body["errors"] = faults
    headers = {"Retry-After": "2"} if status == 503 else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(
        orjson.dumps(body, default=str),
        status_code=status,
        media_type="application/problem+json",
        headers=headers,
    )


def install(app: FastAPI) -> None:
    app.openapi = lambda: document(app)  # type: ignore[method-assign]  # FastAPI's documented way
    app.add_exception_handler(errors.Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(SQLAlchemyError, _database)
    app.add_exception_handler(OSError, _database)


async def _refused(request: Request, refusal: Exception) -> Response:
    if not isinstance(refusal, errors.Refusal):  # the signature is Starlette's
        raise refusal
    status = status_of(type(refusal))
    return _answer(request, status, code=refusal.code, detail=refusal.message, facts=refusal.facts)


async def _invalid(request: Request, fault: Exception) -> Response:
    if not isinstance(fault, RequestValidationError):
        raise fault
    found = fault.errors()
    malformed = any(each["type"] == "json_invalid" for each in found)
    told = dict.fromkeys((_pointer(each), each["type"]) for each in found)
    faults = [
        {"pointer": pointer, "code": kind, "message": _FAULTS.get(kind, "取值不合要求")}
        for pointer, kind in told
    ]
    status, code = (400, "request.not_json") if malformed else (422, "request.invalid")
    detail = "；".join(f"{each['pointer']} {each['message']}" for each in faults[:5])
    return _answer(request, status, code=code, detail=detail, faults=faults)


def _pointer(fault: Mapping[str, Any]) -> str:
    """Where it is. An unknown field's name is the caller's own text: its parent is where."""
    where = fault["loc"][:-1] if fault["type"] == "extra_forbidden" else fault["loc"]
    return "#/" + "/".join(str(part) for part in where)


async def _http(request: Request, fault: Exception) -> Response:
    if not isinstance(fault, HTTPException):
        raise fault
    status = fault.status_code
    if isinstance(fault, RefusedBody):
        return _answer(request, status, code=fault.code, detail=fault.detail)
    detail = _TITLES.get(status, "请求未能完成")
    answer = _answer(request, status, code=f"http.{status}", detail=detail)
    if status == 405:
        answer.headers["Allow"] = ", ".join(sorted(_allowed(request)))
    return answer


def _allowed(request: Request) -> set[str]:
    """The methods of an address, over all of its routes; a mount is of static files."""
    found: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if route.path_regex.match(request.scope["path"]):
            found |= route.methods or {"GET"}
    return found | {"HEAD"} if "GET" in found else found


async def _database(request: Request, fault: Exception) -> Response:
    if is_transient(fault):
        _log.warning("http.database_unavailable", fault=type(fault).__name__)
        return _answer(request, 503, code="busy", detail="系统繁忙，请稍后再试；办理尚未生效")
    return await unexpected(request, fault)


async def unexpected(request: Request, fault: Exception) -> Response:
    """A fault of ours: logged, and told without a word of what it was."""
    _log.error("http.unexpected", fault=type(fault).__name__, exc_info=fault)
    return _answer(request, 500, code="internal", detail="系统内部错误，已记录；请凭追踪号联系运维")


def _answer(
    request: Request,
    status: int,
    *,
    code: str,
    detail: str,
    faults: list[dict[str, str]] | None = None,
    facts: Mapping[str, object] | None = None,
) -> Response:
    """A person in a browser gets a page, a program problem+json."""
    page = getattr(request.app.state, "problem_page", None)
    if page is not None and "text/html" in request.headers.get("accept", ""):
        title = _TITLES.get(status, "出错了")
        told = Problem(
            type=_type(code),
            title=title,
            status=status,
            detail=detail,
            code=code,
            trace_id=_trace_id(),
        )
        rendered: Response = page(request, told)
        return rendered
    return problem(status, code=code, detail=detail, faults=faults, facts=facts)


def _type(code: str) -> str:
    return f"urn:tongban:problem:{code}"


def _trace_id() -> str | None:
    traceparent = current_traceparent()
    return None if traceparent is None else traceparent.split("-")[1]
