"""What people look at: how far a case has come, for the public; cases and clocks, for staff."""

from typing import Annotated
from uuid import UUID

from fastapi import Form, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from tongban_common.auth import Principal, require
from tongban_common.bodies import FreeText
from tongban_common.http import Now, Paged, Reads, Router, Who, no_store
from tongban_common.privacy import Sealer
from tongban_common.service import Parts
from tongban_common.web import templates
from tongban_intake import queries
from tongban_intake.domain.case import Status
from tongban_intake.queries import CaseFilter
from tongban_intake.store import CaseNotFound

pages = templates("tongban_intake")
router = Router(prefix="/intake", tags=["页面"])

WORDS = {
    "statuses": {
        "accepted": "已受理",
        "decided": "已决定",
        "completed": "已办结",
        "delivered": "已送达",
    },
    "results": {"approved": "准予", "refused": "不予"},
    "methods": {"handed_over": "当面领取", "posted": "邮寄送达", "electronic": "电子证照"},
    "clocks": {"promise": "承诺办结时限", "legal": "法定办结时限", "delivery": "送达时限"},
}


class ProgressForm(BaseModel):
    number: FreeText = ""
    query_code: FreeText = ""


@router.get("/progress", response_class=HTMLResponse, include_in_schema=False)
async def ask(request: Request, _: Who) -> HTMLResponse:
    return _progress(request)


@router.post("/progress", response_class=HTMLResponse, include_in_schema=False)
async def answer(
    request: Request, form: Annotated[ProgressForm, Form()], reads: Reads, _: Who
) -> HTMLResponse:
    number, query_code = form.number.strip(), form.query_code.strip()
    try:
        found = await queries.progress(reads, number=number, query_code=query_code)
    except CaseNotFound as refusal:
        errors = {"number": refusal.message}
        return _progress(request, status=404, number=number[:50], errors=errors)
    return _progress(request, number=number, found=found)


@router.get("/cases", response_class=HTMLResponse, include_in_schema=False)
async def list_cases(
    request: Request,
    page: Paged,
    reads: Reads,
    now: Now,
    status: Annotated[Status | None, Query()] = None,
    overdue: Annotated[bool | None, Query()] = None,
    _: Principal = require("case:read"),
) -> HTMLResponse:
    chosen = CaseFilter(status=status, is_overdue=overdue)
    rows, following = await queries.list_cases(reads, chosen, page, now=now)
    shown = pages.render(
        request, "cases.html", rows=rows, chosen=chosen, next_cursor=following, words=WORDS
    )
    no_store(shown)
    return shown


@router.get("/cases/{case_id}", response_class=HTMLResponse, include_in_schema=False)
async def one_case(
    request: Request,
    case_id: UUID,
    reads: Reads,
    kit: Parts,
    now: Now,
    _: Principal = require("case:read"),
) -> HTMLResponse:
    calendar = await kit.calendars.current()
    detail = await queries.one_case(reads, case_id, calendar=calendar, now=now)
    shown = pages.render(
        request,
        "case.html",
        detail=detail,
        case=detail.case,
        applicant=await queries.masked_applicant(reads, case_id, Sealer(kit.secret)),
        clocks=queries.clocks_of(detail.case, calendar),
        history=[
            {"at": move.at, "title": WORDS["statuses"][move.status], "actor": move.actor}
            for move in detail.moves
        ],
        words=WORDS,
    )
    no_store(shown)
    return shown


def _progress(request: Request, *, status: int = 200, **context: object) -> HTMLResponse:
    values = {"number": "", "found": None, "errors": {}, "words": WORDS, **context}
    shown = pages.render(request, "progress.html", status=status, **values)
    no_store(shown)
    return shown
