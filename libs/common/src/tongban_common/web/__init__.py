"""The look that every service's pages share: base template, macros, stylesheet, filters.

A service writes `pages = templates("tongban_x")` once and `pages.render(request, "x.html", …)`
in each page. Everything is rendered here on the server; nothing is loaded from another host.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from tongban_common.auth import SESSION_COOKIE
from tongban_common.problems import Problem
from tongban_common.web import charts, filters

_HERE = Path(__file__).parent

_HUB = {"agent", "dispatcher", "reviewer", "supervisor"}
_UNIT = {"unit_officer", "unit_leader"}
_WINDOWS = {"window_lead", "chief_rep", "center_admin"}
_ALL = {"inspector", "admin"}
# Address, label, and who may look (None: everybody): nobody is led to a page that turns him away.
NAVIGATION = (
    ("/", "公开门户", None),
    ("/publishing/bulletins", "通报", None),
    ("/hotline/desk", "工单", _HUB | _UNIT | _ALL),
    ("/intake/cases", "办件", {"window_clerk", "case_reviewer"} | _WINDOWS | _ALL),
    ("/evaluation/rectifications", "差评整改", _WINDOWS | _ALL),
    ("/scoring/scorecards", "考核", None),
)
# The roles of the services' access.yaml as people call them. A role of somebody else is not shown.
ROLE_NAMES = {
    "agent": "话务员",
    "dispatcher": "派单员",
    "unit_officer": "承办单位经办人",
    "unit_leader": "承办单位分管领导",
    "county_hub": "区县热线机构",
    "reviewer": "审核回访员",
    "window_clerk": "窗口人员",
    "window_lead": "窗口负责人",
    "case_reviewer": "审核员",
    "chief_rep": "首席代表",
    "inspector": "督查员",
    "center_admin": "中心管理员",
    "publisher": "信息发布员",
    "secrecy_reviewer": "保密审查员",
    "approver": "签发人",
    "supervisor": "监督员",
    "admin": "系统管理员",
    "operator": "运维人员",
}


class Templates:
    """One service's templates, found in its own `templates/` first and in the shared ones then."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment

    def render(
        self, request: Request, name: str, *, status: int = 200, **context: Any
    ) -> HTMLResponse:
        """A page. `principal` and `flash` may be left out; the principal is then the request's."""
        principal = context.get("principal", getattr(request.state, "principal", None))
        values = {
            "flash": None,
            **context,
            "principal": principal,
            "is_signed_in": principal is not None or _may_be_signed_in(request),
            "may_sign_in": getattr(request.app.state, "sign_in", False),
            "request": request,
        }
        return HTMLResponse(self.environment.get_template(name).render(values), status_code=status)


def _may_be_signed_in(request: Request) -> bool:
    """Where nobody asked who it is, as on a page that was not found, the cookie is a hint."""
    return not hasattr(request.state, "principal") and SESSION_COOKIE in request.cookies


@cache
def templates(package: str) -> Templates:
    """The templates of a service package; made once per process."""
    return Templates(_environment(PackageLoader(package, "templates")))


@cache
def _shared() -> Templates:
    return Templates(_environment(None))


def problem_page(request: Request, problem: Problem) -> HTMLResponse:
    """What a browser is shown where a program gets problem+json."""
    return _shared().render(request, "problem.html", status=problem.status, problem=problem)


def static_app() -> StaticFiles:
    """To be mounted at /static."""
    return StaticFiles(directory=_HERE / "static")


@cache
def static_url(name: str) -> str:
    """The address of a shared file; it changes with the content, so browsers may keep it."""
    digest = hashlib.blake2b((_HERE / "static" / name).read_bytes(), digest_size=5).hexdigest()
    return f"/static/{name}?v={digest}"


def query(request: Request, **changed: str | None) -> str:
    """This page's query string with some parameters replaced, or left out where None."""
    removed = [name for name, value in changed.items() if value is None]
    url = request.url.remove_query_params(removed)
    kept = {name: value for name, value in changed.items() if value is not None}
    return f"?{url.include_query_params(**kept).query}"


def _environment(own: PackageLoader | None) -> Environment:
    shared = FileSystemLoader(_HERE / "templates")
    environment = Environment(
        loader=shared if own is None else ChoiceLoader([own, shared]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        navigation=NAVIGATION, role_names=ROLE_NAMES, static_url=static_url, query=query
    )
    environment.filters.update(filters.ALL)
    environment.filters.update(charts.ALL)
    return environment
