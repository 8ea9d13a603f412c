"""进度查询: the citizen's own ticket, without a sign-in and without a script, on a phone, too.

Number and code are posted once; a signed cookie that no script reads and no other site sends then
stands for them for a while, so that no address and no log holds the code.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tongban_common.auth import NotPermitted, refuse_cross_site
from tongban_common.bodies import FreeText
from tongban_common.errors import Refusal
from tongban_common.http import ChangedMeanwhile, Now, Reads, Router, Who, no_store
from tongban_common.problems import status_of
from tongban_common.service import Kit, Parts
from tongban_hotline_dispatch import operations, queries
from tongban_hotline_dispatch.domain.citizens import STEPS, acts_open, clocks_of, may_be_rated
from tongban_hotline_dispatch.domain.guard import COMPLAINANT
from tongban_hotline_dispatch.domain.moves import Act, IllegalMove
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import Rules, citizens
from tongban_hotline_dispatch.operations.citizens import Citizen, Numbers, Sessions
from tongban_hotline_dispatch.operations.performing import CITIZEN
from tongban_hotline_dispatch.operations.ratings import RatingKeys
from tongban_hotline_dispatch.pages.desks import pages
from tongban_hotline_dispatch.pages.forms import Field, Kind, Typed, read
from tongban_hotline_dispatch.pages.ticket_view import CLOCK_NAMES, Happened
from tongban_hotline_dispatch.store import TicketNotFound
from tongban_hotline_dispatch.store.ticket_story import Told, story

router = Router(prefix="/hotline/progress")
COOKIE = "tongban_progress"
HERE = "/hotline/progress"
SAID = {
    "supplement": "已收到您补充的情况",
    "withdraw": "已撤回您的诉求",
    "reopen": "已收到您的申请，将重新办理",
    "left": "已退出查询",
}
WORDS = Field(
    name="words",
    label="新的情况",
    kind=Kind.AREA,
    most=2000,
    hint="请写明时间、地点和经过；不要写身份证号码和银行卡号",
)
WHY = Field(name="words", label="说明", kind=Kind.AREA, most=2000)
REASON = Field(name="reason", label="重启事由", kind=Kind.SELECT, listed="reopen_reasons")
SURE = Field(name="is_sure", label="我确认撤回，不再要求办理", kind=Kind.CHECK)
Does = Callable[[Citizen, Kit, Mapping[str, Any]], Awaitable[Ticket]]


async def _supplement(citizen: Citizen, kit: Kit, said: Mapping[str, Any]) -> Ticket:
    limits = await citizens.citizen_rules(kit, now=citizen.now)
    return await citizen.supplement(said["words"], limits)


async def _withdraw(citizen: Citizen, _: Kit, __: Mapping[str, Any]) -> Ticket:
    return await citizen.withdraw()


async def _reopen(citizen: Citizen, _: Kit, said: Mapping[str, Any]) -> Ticket:
    return await citizen.reopen(said["reason"], said["words"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """One thing that the citizen does, as a form."""

    path: str
    name: str
    about: str
    act: Act
    does: Does
    fields: tuple[Field, ...]
    button: str
    is_versioned: bool = True  # only where nothing else happened since the page was shown


ACTS = (
    Own(
        path="supplement",
        name="补充情况",
        about="有新的情况、新的证据，随时补充，转给承办单位。",
        act=Act.SUPPLEMENT,
        does=_supplement,
        fields=(WORDS,),
        button="提交补充",
        is_versioned=False,
    ),
    Own(
        path="reopen",
        name="申请重启",
        about="办结后有新的事实，或者承诺没有兑现的，可以申请重新办理。",
        act=Act.REOPEN,
        does=_reopen,
        fields=(REASON, WHY),
        button="申请重启",
    ),
    Own(
        path="withdraw",
        name="撤回诉求",
        about="撤回后不再办理，记录保留。",
        act=Act.WITHDRAW,
        does=_withdraw,
        fields=(SURE,),
        button="撤回",
    ),
)
BY_PATH = {each.path: each for each in ACTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What was not done: why, and what was typed for it."""

    own: Own
    typed: Typed
    code: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    request: Request
    kit: Kit
    now: datetime
    ticket_id: UUID
    is_staff: bool


@router.get("", response_class=HTMLResponse, include_in_schema=False)
async def progress_page(
    request: Request,
    now: Now,
    kit: Parts,
    who: Who,
    said: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    ticket_id = _session(request, kit, now)
    if ticket_id is None:
        return _asked(request, flash=SAID.get(said))
    look = Look(request=request, kit=kit, now=now, ticket_id=ticket_id, is_staff=who is not None)
    try:
        return await _shown(look, flash=SAID.get(said))
    except TicketNotFound:
        return _asked(request)


@router.post("", response_class=HTMLResponse, include_in_schema=False)
async def enter(
    request: Request,
    now: Now,
    kit: Parts,
    _: Who,
    ticket_no: Annotated[FreeText, Form(max_length=40)] = "",
    query_code: Annotated[FreeText, Form(max_length=20)] = "",
) -> Response:
    refuse_cross_site(request)
    number = ticket_no.strip()
    try:
        ticket_id = await citizens.enter(kit, Numbers(number, query_code), now=now)
    except Refusal as refusal:
        status = status_of(type(refusal))
        kept = number if number.isascii() and number.isdigit() else ""  # nothing else comes back
        return _asked(request, status=status, ticket_no=kept, fault=refusal.message)
    answer = RedirectResponse(HERE, status_code=303)
    await _go_on(answer, request, kit, ticket_id, now)
    return answer


@router.post("/leave", include_in_schema=False)
async def leave(request: Request) -> Response:
    refuse_cross_site(request)
    answer = RedirectResponse(f"{HERE}?said=left", status_code=303)
    answer.delete_cookie(COOKIE, path=HERE)
    return answer


@router.post("/{path}", response_class=HTMLResponse, include_in_schema=False)
async def act(
    request: Request,
    path: str,
    now: Now,
    kit: Parts,
    who: Who,
    version: Annotated[int, Form(ge=1, le=1_000_000)],
) -> Response:
    """By the cookie alone, which no other site can make a browser send."""
    refuse_cross_site(request)
    own = BY_PATH.get(path)
    if own is None:
        raise TicketNotFound("没有这个办理事项")
    if who is not None:
        raise NotPermitted("工作人员不能代替诉求人办理，请在工单页面登记")
    typed = read(own.fields, await request.form())
    ticket_id = _session(request, kit, now)
    if ticket_id is None:
        return _asked(
            request,
            status=401,
            fault="已超过查询时间，请重新查询后再提交",
            kept=typed.raw.get("words", ""),
        )
    look = Look(request=request, kit=kit, now=now, ticket_id=ticket_id, is_staff=False)
    if typed.faults:
        message = "填写的内容有误，没有提交"
        return await _shown(look, Refused(own=own, typed=typed, code=422, message=message))
    try:
        await _made(look, own, typed, version)
    except TicketNotFound:
        raise
    except Refusal as refusal:
        return await _shown(look, _refused(own, typed, refusal))
    return RedirectResponse(f"{HERE}?said={own.path}", status_code=303)


def _refused(own: Own, typed: Typed, refusal: Refusal) -> Refused:
    message = refusal.message
    if isinstance(refusal, ChangedMeanwhile | IllegalMove):
        message = "办理情况刚有变化，没有提交；请看最新情况后再办理"
    return Refused(own=own, typed=typed, code=status_of(type(refusal)), message=message)


async def _made(look: Look, own: Own, typed: Typed, version: int) -> Ticket:
    """In a transaction of its own: what is refused leaves nothing behind, and the page is shown."""
    rules = await operations.rules_at(look.kit, now=look.now)
    async with look.kit.db.transaction() as tx:
        citizen = Citizen(
            tx=tx,
            ticket_id=look.ticket_id,
            rules=rules,
            now=look.now,
            seen_version=version if own.is_versioned else None,
        )
        return await own.does(citizen, look.kit, typed.values)


async def _shown(
    look: Look, refused: Refused | None = None, *, flash: str | None = None
) -> Response:
    rules = await operations.rules_at(look.kit, now=look.now)
    async with look.kit.db.reading() as reads:
        context = await _context(reads, look, rules)
    page = pages.render(
        look.request,
        "citizen_ticket.html",
        status=200 if refused is None else refused.code,
        flash=flash,
        refused=refused,
        is_staff=look.is_staff,
        **context,
    )
    await _go_on(page, look.request, look.kit, look.ticket_id, look.now)
    return page


async def _context(reads: Reads, look: Look, rules: Rules) -> dict[str, object]:
    ticket = await queries.one(reads, look.ticket_id, seen_by=COMPLAINANT)
    rules = rules.pinned(ticket.process_version)
    years = await queries.imported_years(reads)
    units = dict(await queries.units(reads))
    told = await story(reads, ticket.id)
    may = acts_open(ticket, rules, look.now)
    keys = RatingKeys(look.kit.secret)
    return {
        "ticket": ticket,
        "unit_name": units.get(ticket.unit_code or ""),
        "clocks": [
            (CLOCK_NAMES[clock], term, term.explain(rules.calendar, years))
            for clock, term in clocks_of(ticket)
        ],
        "is_late": ticket.citizen_term is not None
        and ticket.citizen_term.has_run_out(at=ticket.first_replied_at or look.now),
        "acts": [each for each in ACTS if each.act in may],
        "options": {"reopen_reasons": tuple(rules.process.reopen_reasons.items())},
        "review_link": keys.link(ticket.id) if may_be_rated(ticket) else None,
        "steps": [_step(line) for line in told if line.act in STEPS],
    }


def _step(line: Told) -> Happened:
    """His own words and those that were told to him; no member of staff."""
    notes = [line.unit_name or ""]
    if line.act is Act.ROUTE_OUT or line.actor == CITIZEN:
        notes.append(line.words or "")
    return Happened(line.at, STEPS[line.act], "", "；".join(each for each in notes if each))


def _asked(request: Request, *, status: int = 200, **context: object) -> Response:
    values: dict[str, object] = {"fault": None, "ticket_no": "", "kept": "", **context}
    page = pages.render(request, "citizen_enter.html", status=status, **values)
    no_store(page)
    return page


def _session(request: Request, kit: Kit, now: datetime) -> UUID | None:
    return Sessions(kit.secret).ticket(request.cookies.get(COOKIE, ""), now=now)


async def _go_on(
    answer: Response, request: Request, kit: Kit, ticket_id: UUID, now: datetime
) -> None:
    """As long again from now on."""
    rules = await citizens.citizen_rules(kit, now=now)
    no_store(answer)
    answer.set_cookie(
        COOKIE,
        Sessions(kit.secret).token(ticket_id, until=now + rules.session),
        max_age=int(rules.session.total_seconds()),
        path=HERE,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
