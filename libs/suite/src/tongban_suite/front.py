"""The demo's front door: a page where one picks a role. No other installation has it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import FastAPI, Form, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from tongban_common import problems
from tongban_common.auth import SESSION_COOKIE
from tongban_common.errors import RuleViolation
from tongban_common.issuer import DevelopmentIssuer
from tongban_common.web import templates

pages = templates("tongban_suite")


class UnknownRole(RuleViolation):
    code = "sign_in.unknown_role"


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """Somebody whom the visitor can be: a role, the unit it acts for, and where its work lies."""

    key: str
    title: str
    roles: tuple[str, ...]
    duty: str
    desk: str
    lands_on: str = "工作台"
    unit: str | None = None


ROLES = (
    Role(
        key="dispatcher",
        title="话务派单员",
        roles=("agent", "dispatcher"),
        duty="登记、派单、审核申请，一次办理多件",
        desk="/hotline/desk/dispatch",
        lands_on="派单台",
    ),
    Role(
        key="agent",
        title="话务员",
        roles=("agent",),
        duty="接听来电：查往来、看相近工单、登记、直接答复、引导",
        desk="/hotline/desk/agent",
        lands_on="坐席台",
    ),
    Role(
        key="unit_officer",
        title="承办单位经办人",
        roles=("unit_officer", "window_lead"),
        duty="签收、联系、答复派给本单位的工单，整改差评",
        desk="/hotline/desk/unit",
        lands_on="承办台",
        unit="DONGHU",
    ),
    Role(
        key="unit_leader",
        title="承办单位分管领导",
        roles=("unit_leader",),
        duty="审签本单位的答复和申请",
        desk="/hotline/desk/unit",
        lands_on="承办台",
        unit="DONGHU",
    ),
    Role(
        key="county_hub",
        title="区县热线机构",
        roles=("county_hub",),
        duty="复核下级承办单位对评价的申请",
        desk="/hotline/reappraisals",
        unit="DONGHU",
    ),
    Role(
        key="hotline_reviewer",
        title="热线审核回访员",
        roles=("reviewer",),
        duty="审核答复、回访、办结",
        desk="/hotline/desk/dispatch?tab=review",
        lands_on="派单台",
    ),
    Role(
        key="supervisor",
        title="热线监督员",
        roles=("supervisor",),
        duty="看全局、审批申请、督办，从数字点到工单",
        desk="/hotline/desk/board",
        lands_on="监督台",
    ),
    Role(
        key="window_clerk",
        title="窗口工作人员",
        roles=("window_clerk", "case_reviewer"),
        duty="受理、办结办件",
        desk="/intake/cases",
    ),
    Role(
        key="reviewer",
        title="好差评管理员",
        roles=("inspector", "center_admin"),
        duty="核实差评、回访、办结整改",
        desk="/evaluation/rectifications",
    ),
    Role(
        key="inspector",
        title="考核督查员",
        roles=("inspector",),
        duty="确认扣分线索、记录加扣分",
        desk="/scoring/scorecards",
    ),
    Role(
        key="secrecy_reviewer",
        title="保密审查员",
        roles=("publisher", "secrecy_reviewer"),
        duty="起草通报、保密审查",
        desk="/publishing/drafts",
    ),
    Role(
        key="approver",
        title="签发人",
        roles=("approver",),
        duty="签发、撤回通报",
        desk="/publishing/drafts",
    ),
)


def front_door(issuer: DevelopmentIssuer) -> FastAPI:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.sign_in = True
    problems.install(app)
    known = {role.key: role for role in ROLES}

    @app.get("/sign-in")
    async def choose(request: Request) -> HTMLResponse:
        return pages.render(request, "sign_in.html", roles=ROLES)

    @app.post("/sign-in")
    async def sign_in(role: Annotated[str, Form(max_length=40)]) -> Response:
        chosen = known.get(role)
        if chosen is None:
            raise UnknownRole("没有这个身份，请回到选择身份的页面重新选择")
        token = issuer.token(
            subject=f"demo-{chosen.key}", roles=list(chosen.roles), unit=chosen.unit
        )
        answer = RedirectResponse(chosen.desk, status_code=303)
        answer.set_cookie(SESSION_COOKIE, token, httponly=True, samesite="lax", max_age=12 * 3600)
        return answer

    @app.post("/sign-out")
    async def sign_out() -> Response:
        answer = RedirectResponse("/", status_code=303)
        answer.delete_cookie(SESSION_COOKIE)
        return answer

    return app
