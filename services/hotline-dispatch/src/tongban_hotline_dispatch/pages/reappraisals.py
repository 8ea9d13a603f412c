"""差评复核: what a unit may contest, its applications, and whose turn it is to judge them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Self
from uuid import UUID

from fastapi import Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tongban_common.auth import NotPermitted, Principal, require
from tongban_common.errors import Refusal
from tongban_common.http import Now, Paged, Reads, Router
from tongban_common.problems import status_of
from tongban_common.service import Kit, Parts
from tongban_hotline_dispatch import operations, queries
from tongban_hotline_dispatch.domain.reappraisal import (
    STATE_NAMES,
    TRACK_NAMES,
    VERDICT_NAMES,
    Application,
    Judgement,
    Reappraisal,
    State,
    Track,
    Verdict,
)
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.operations import acts_for, reappraisals, viewer_of
from tongban_hotline_dispatch.operations.reappraisals import Act
from tongban_hotline_dispatch.pages.desks import pages
from tongban_hotline_dispatch.pages.forms import Field, Kind, Options, Typed, Value, read
from tongban_hotline_dispatch.store import callback_reads as reading
from tongban_hotline_dispatch.store.callback_reads import ReappraisalLine
from tongban_hotline_dispatch.store.reappraisals import ReappraisalNotFound

router = Router(prefix="/hotline/reappraisals")
_LOOK_BACK = timedelta(days=40)  # no limit for applying is longer, with every holiday
_VERDICTS: Options = tuple((each.value, name) for each, name in VERDICT_NAMES.items())
_WHY = Field(name="words", label="理由", kind=Kind.AREA, most=5000)
_EVIDENCE = Field(
    name="evidence",
    label="证据材料",
    kind=Kind.LINES,
    most=5000,
    hint="录音、照片、文书等的编号或者说明，每行一件",
)
_TRACKS = {
    Track.SATISFACTION: Field(name="on_result", label="满意度", kind=Kind.CHECK, required=False),
    Track.RESOLUTION: Field(name="on_resolved", label="解决情况", kind=Kind.CHECK, required=False),
}
APPLY = (
    *_TRACKS.values(),
    Field(name="ground", label="复核事由", kind=Kind.SELECT, listed="grounds"),
    _WHY,
    _EVIDENCE,
    Field(name="is_signed_off", label="分管领导已审签", kind=Kind.CHECK),
)
COUNTY = (
    Field(
        name="is_passed",
        label="县级复核结论",
        kind=Kind.RADIO,
        options=(("yes", "通过，转市级"), ("no", "不通过，维持原评价")),
    ),
    _WHY,
)
_YES_NO: Options = (("yes", "是"), ("no", "否"))
_ON_JUDGEMENT = (
    Field(name="is_assessable", label="评价是否纳入考核", kind=Kind.RADIO, options=_YES_NO),
    Field(name="is_reasonable", label="差评是否合理", kind=Kind.RADIO, options=_YES_NO),
    _WHY,
    Field(
        name="evidence",
        label="证据材料",
        kind=Kind.LINES,
        required=False,
        most=5000,
        hint="每行一件",
    ),
)


_PERMISSIONS = {
    "review": "reappraisal:review",
    "decide": "reappraisal:decide",
    "withdraw": "reappraisal:request",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Who looks, and when."""

    request: Request
    kit: Kit
    who: Principal
    now: datetime


@dataclass(frozen=True, slots=True)
class Failed:
    """A form that was not taken: what was typed, and why."""

    typed: Typed
    message: str = "填写的内容有误，没有提交"
    code: int = 422

    @classmethod
    def by(cls, refusal: Refusal, typed: Typed) -> Self:
        return cls(typed, refusal.message, status_of(type(refusal)))


@router.get("", response_class=HTMLResponse, include_in_schema=False)
async def list_page(
    request: Request,
    page: Paged,
    reads: Reads,
    now: Now,
    state: Annotated[str, Query(max_length=20)] = "",
    who: Principal = require("reappraisal:read"),
) -> HTMLResponse:
    chosen = State(state) if state in set(State) else None
    viewer = viewer_of(who)
    found = await reading.reappraisals(
        reads,
        viewer=viewer,
        state=chosen,
        after=page.after,
        most=page.limit,
        with_below=who.may("reappraisal:review"),
    )
    marks = []
    if viewer.unit is not None and who.may("reappraisal:request"):
        marks = await reading.contestable(reads, viewer, since=now - _LOOK_BACK)
    return pages.render(
        request,
        "reappraisals.html",
        found=found,
        contestable=marks,
        units=dict(await queries.units(reads)),
        state_names=STATE_NAMES,
        tracks=TRACK_NAMES,
        state=chosen,
        next_cursor=page.next_cursor(found[-1].key) if len(found) == page.limit else None,
        flash={"done": "已办理"}.get(request.query_params.get("said", "")),
    )


@router.get("/new", response_class=HTMLResponse, include_in_schema=False)
async def new_page(
    request: Request,
    ticket: UUID,
    now: Now,
    kit: Parts,
    who: Principal = require("reappraisal:request"),
) -> HTMLResponse:
    return await _form(Look(request=request, kit=kit, who=who, now=now), ticket)


@router.post("/new", response_class=HTMLResponse, include_in_schema=False)
async def apply(
    request: Request,
    ticket: Annotated[UUID, Form()],
    now: Now,
    kit: Parts,
    who: Principal = require("reappraisal:request"),
) -> Response:
    look = Look(request=request, kit=kit, who=who, now=now)
    typed = read(APPLY, await request.form())
    if typed.faults:
        return await _form(look, ticket, Failed(typed))
    rules = await operations.rules_at(kit, now=now)
    try:
        async with kit.db.transaction() as tx:
            new = await reappraisals.apply(
                tx,
                ticket_id=ticket,
                given=_application(typed, who.subject),
                unit=acts_for(who),
                rules=rules,
                now=now,
            )
    except Refusal as refusal:
        return await _form(look, ticket, Failed.by(refusal, typed))
    return RedirectResponse(f"/hotline/reappraisals/{new.id}", status_code=303)


@router.get("/{reappraisal_id}", response_class=HTMLResponse, include_in_schema=False)
async def one_page(
    request: Request,
    reappraisal_id: UUID,
    now: Now,
    kit: Parts,
    who: Principal = require("reappraisal:read"),
) -> HTMLResponse:
    return await _shown(Look(request=request, kit=kit, who=who, now=now), reappraisal_id)


@router.post("/{reappraisal_id}/{move}", response_class=HTMLResponse, include_in_schema=False)
async def act(
    request: Request,
    reappraisal_id: UUID,
    move: str,
    now: Now,
    kit: Parts,
    version: Annotated[int, Form(ge=1, le=1_000_000)],
    who: Principal = require("reappraisal:read"),
) -> Response:
    """Each needs the permission that its API route needs."""
    if move not in _PERMISSIONS:
        raise ReappraisalNotFound("没有这个办理事项")
    if not who.may(_PERMISSIONS[move]):
        raise NotPermitted("您没有办理此操作的权限")
    look = Look(request=request, kit=kit, who=who, now=now)
    one = (await _one(look, reappraisal_id)).reappraisal
    typed = read(fields_of(move, one), await request.form())
    if typed.faults:
        return await _shown(look, reappraisal_id, Failed(typed))
    step = Act(
        reappraisal_id=reappraisal_id,
        actor=who.subject,
        unit=acts_for(who),
        seen_version=version,
    )
    try:
        await _made(look, step, move, typed)
    except Refusal as refusal:
        return await _shown(look, reappraisal_id, Failed.by(refusal, typed))
    return RedirectResponse("/hotline/reappraisals?said=done", status_code=303)


def fields_of(move: str, one: Reappraisal) -> tuple[Field, ...]:
    if move == "decide":
        return tuple(_verdict(each) for each in sorted(one.application.tracks)) + _ON_JUDGEMENT
    return COUNTY if move == "review" else ()


def _verdict(track: Track) -> Field:
    label = f"{TRACK_NAMES[track]}复核结论"
    return Field(name=track.value, label=label, kind=Kind.SELECT, options=_VERDICTS)


async def _made(look: Look, step: Act, move: str, typed: Typed) -> Reappraisal:
    rules = await operations.rules_at(look.kit, now=look.now)
    said = dict(typed.values)
    async with look.kit.db.transaction() as tx:
        if move == "withdraw":
            return await reappraisals.withdraw(tx, step, rules=rules, now=look.now)
        if move == "review":
            return await reappraisals.review(
                tx,
                step,
                is_passed=said["is_passed"] == "yes",
                note=str(said["words"]),
                rules=rules,
                now=look.now,
            )
        given = Judgement(
            verdicts={each: Verdict(str(said[each.value])) for each in Track if each.value in said},
            is_assessable=said["is_assessable"] == "yes",
            is_reasonable=said["is_reasonable"] == "yes",
            by=look.who.subject,
            at=look.now,
            reason=str(said["words"]),
            evidence=_lines(said["evidence"]),
        )
        return await reappraisals.decide(tx, step, given, rules=rules, now=look.now)


async def _form(look: Look, ticket_id: UUID, failed: Failed | None = None) -> HTMLResponse:
    rules = await operations.rules_at(look.kit, now=look.now)
    async with look.kit.db.reading() as reads:
        ticket = await queries.one(reads, ticket_id, seen_by=viewer_of(look.who))
    return pages.render(
        look.request,
        "reappraisal_form.html",
        status=200 if failed is None else failed.code,
        ticket_id=ticket_id,
        number=ticket.ticket_no,
        fields=APPLY,
        options={"grounds": tuple(_grounds(rules).items())},
        failed=failed,
    )


async def _shown(look: Look, reappraisal_id: UUID, failed: Failed | None = None) -> HTMLResponse:
    rules = await operations.rules_at(look.kit, now=look.now)
    line = await _one(look, reappraisal_id)
    one = line.reappraisal
    async with look.kit.db.reading() as reads:
        rounds = await reading.rounds(reads, one.contested.ticket_id)
        units = dict(await queries.units(reads))
        years = await queries.imported_years(reads)
    turn = _turn(look.who, one)
    return pages.render(
        look.request,
        "reappraisal.html",
        status=200 if failed is None else failed.code,
        one=one,
        number=line.ticket_no,
        rounds=rounds,
        hides_notes=line.hides_identity and acts_for(look.who) is not None,
        units=units,
        state_names=STATE_NAMES,
        tracks=TRACK_NAMES,
        verdicts=VERDICT_NAMES,
        grounds=_grounds(rules),
        turn=turn,
        fields=() if turn is None else fields_of(turn, one),
        may_withdraw=one.stage is not None and _may_withdraw(look.who, one),
        explained=None if one.stage is None else one.stage.explain(rules.calendar, years),
        failed=failed,
    )


async def _one(look: Look, reappraisal_id: UUID) -> ReappraisalLine:
    async with look.kit.db.reading() as reads:
        return await reading.one_reappraisal(
            reads,
            reappraisal_id,
            seen_by=viewer_of(look.who),
            with_below=look.who.may("reappraisal:review"),
        )


def _turn(who: Principal, one: Reappraisal) -> str | None:
    """What this person may judge now; when it comes, the domain decides."""
    unit = acts_for(who)
    if one.state is State.AT_CITY and unit is None and who.may("reappraisal:decide"):
        return "decide"
    if (
        one.state is State.AT_COUNTY
        and unit != one.contested.unit_code
        and who.may("reappraisal:review")
    ):
        return "review"
    return None


def _may_withdraw(who: Principal, one: Reappraisal) -> bool:
    return who.may("reappraisal:request") and acts_for(who) in {None, one.contested.unit_code}


def _application(typed: Typed, by: str) -> Application:
    said = dict(typed.values)
    return Application(
        tracks=frozenset(track for track, each in _TRACKS.items() if said[each.name]),
        ground=str(said["ground"]),
        words=str(said["words"]),
        evidence=_lines(said["evidence"]),
        by=by,
        is_signed_off=bool(said["is_signed_off"]),
    )


def _lines(said: Value) -> tuple[str, ...]:
    return said if isinstance(said, tuple) else ()


def _grounds(rules: Rules) -> Mapping[str, str]:
    return {} if rules.callback is None else rules.callback.current.reappraisal.grounds
