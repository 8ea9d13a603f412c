"""Where staff write, review and publish knowledge, and see what units owe it."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Form, Query, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tongban_common.auth import NotPermitted, Principal, require
from tongban_common.clock import new_id
from tongban_common.http import Now, Paged, Reads, Router, Tx
from tongban_common.privacy import mask_text
from tongban_common.service import Parts
from tongban_common.web import templates
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.domain.duties import DUTY_NAMES
from tongban_hotline_dispatch.domain.importing import BadFile
from tongban_hotline_dispatch.domain.knowledge import (
    FROM,
    MATERIAL_NAMES,
    MOVE_NAMES,
    STATE_NAMES,
    Body,
    Item,
    Material,
    Move,
    State,
)
from tongban_hotline_dispatch.operations import acts_for, knowledge, knowledge_duties
from tongban_hotline_dispatch.operations.knowledge import ItemStep
from tongban_hotline_dispatch.operations.knowledge_duties import KnowledgeGround
from tongban_hotline_dispatch.operations.knowledge_import import (
    COLUMNS,
    REQUIRED,
    ItemsImport,
    import_items,
    keywords_of,
)
from tongban_hotline_dispatch.pages.explaining import explained
from tongban_hotline_dispatch.store import knowledge_duties as stored_duties
from tongban_hotline_dispatch.store import knowledge_reads as stored
from tongban_hotline_dispatch.store.knowledge_duties import DutyFilters, DutyNotFound
from tongban_hotline_dispatch.store.knowledge_reads import ItemFilters

router = Router(prefix="/hotline/knowledge-items")
pages = templates("tongban_hotline_dispatch")
_TEXT = r"^[^\x00]*$"
_SAID = {
    "saved": "已保存",
    "done": "已办理",
    "attested": "已确认本周知识无误",
    "reported": "已报告差错",
}
_DONE: dict[str, str] = {
    **{str(move): name for move, name in MOVE_NAMES.items()},
    "create": "新建草稿",
    "edit": "修改",
    "expiring": "临近复审期限",
    "expired": "逾期未复审，停止公开",
}
_ASKS_WHY = frozenset({Move.SEND_BACK, Move.WITHDRAW, Move.DISCARD})
TONES = {
    State.PUBLISHED: "success",
    State.EXPIRING: "warning",
    State.EXPIRED: "danger",
    State.SUBMITTED: "info",
    State.REVIEWED: "info",
}


async def _ground_in_force(kit: Parts, now: Now) -> KnowledgeGround:
    return await knowledge_duties.ground_at(kit, now=now)


InForce = Annotated[KnowledgeGround, Depends(_ground_in_force)]


def _body(
    title: Annotated[str, Form(max_length=1_000, pattern=_TEXT)],
    content: Annotated[str, Form(max_length=100_000, pattern=_TEXT)],
    category: Annotated[str, Form(max_length=500, pattern=_TEXT)],
    material: Annotated[Material, Form()],
    keywords: Annotated[str, Form(max_length=2_000, pattern=_TEXT)] = "",
    unit_code: Annotated[str, Form(max_length=64, pattern=_TEXT)] = "",
    who: Principal = require("knowledge:write"),
) -> Body:
    return Body(
        title=title.strip(),
        content=content.strip(),
        unit_code=acts_for(who) or unit_code,
        category=category.strip(),
        material=material,
        keywords=keywords_of(keywords),
    )


FormBody = Annotated[Body, Depends(_body)]


@router.get("", response_class=HTMLResponse, include_in_schema=False)
async def item_list(
    request: Request,
    page: Paged,
    reads: Reads,
    state: Annotated[str, Query(max_length=20)] = "",
    unit: Annotated[str, Query(max_length=64)] = "",
    who: Principal = require("knowledge:read"),
) -> HTMLResponse:
    filters = ItemFilters(
        state=State(state) if state in set(State) else None,
        unit_code=acts_for(who) or unit or None,
    )
    found = await stored.items(reads, filters=filters, page=page)
    return pages.render(
        request,
        "knowledge_items.html",
        items=found,
        states=STATE_NAMES,
        tones=TONES,
        units=await queries.units(reads) if acts_for(who) is None else (),
        filters=filters,
        next_cursor=page.next_cursor(found[-1].key) if len(found) == page.limit else None,
    )


@router.get("/duties", response_class=HTMLResponse, include_in_schema=False)
async def duty_list(
    request: Request,
    page: Paged,
    reads: Reads,
    missed: Annotated[str, Query(max_length=5)] = "",
    said: Annotated[str, Query(max_length=20)] = "",
    who: Principal = require("knowledge:read"),
) -> HTMLResponse:
    filters = DutyFilters(unit_code=acts_for(who), is_missed=True if missed else None)
    found = await stored_duties.duties(reads, filters=filters, page=page)
    return pages.render(
        request,
        "knowledge_duties.html",
        lines=[(each, mask_text(each.duty.about)) for each in found],
        kinds=DUTY_NAMES,
        missed=bool(missed),
        may_attest=who.may("knowledge:attest") and who.unit is not None,
        flash=_SAID.get(said),
        next_cursor=page.next_cursor(found[-1].key) if len(found) == page.limit else None,
    )


@router.get("/duties/{duty_id}", response_class=HTMLResponse, include_in_schema=False)
async def duty_deadline(
    request: Request,
    duty_id: UUID,
    reads: Reads,
    kit: Parts,
    who: Principal = require("knowledge:read"),
) -> HTMLResponse:
    found = await stored_duties.duty(reads, duty_id, unit_code=acts_for(who))
    if not found.calendar_version:
        raise DutyNotFound("每周确认的时刻由规则直接规定，不逐日计算")
    explanation = await explained(
        reads,
        kit,
        start_at=found.start_at,
        limit=found.limit,
        calendar_version=found.calendar_version,
    )
    return pages.render(
        request,
        "deadline.html",
        heading="更新责任的期限",
        about=f"{DUTY_NAMES[found.kind]}：{mask_text(found.about)}",
        explanation=explanation,
        policy=found.policy,
        back="/hotline/knowledge-items/duties",
    )


@router.post("/attest", response_class=HTMLResponse, include_in_schema=False)
async def attest(
    ground: InForce, tx: Tx, now: Now, who: Principal = require("knowledge:attest")
) -> Response:
    if who.unit is None:
        raise NotPermitted("您的身份没有所属承办单位")
    await knowledge_duties.attest(tx, unit_code=who.unit, by=who.subject, ground=ground, now=now)
    return RedirectResponse("/hotline/knowledge-items/duties?said=attested", status_code=303)


@router.get("/import", response_class=HTMLResponse, include_in_schema=False)
async def import_form(request: Request, _: Principal = require("knowledge:import")) -> HTMLResponse:
    return _import_page(request)


@router.post("/import", response_class=HTMLResponse, include_in_schema=False)
async def import_file(
    request: Request,
    file: UploadFile,
    now: Now,
    kit: Parts,
    who: Principal = require("knowledge:import"),
) -> HTMLResponse:
    brought = ItemsImport(content=await file.read(), actor=who.subject, unit=acts_for(who))
    try:
        report = await import_items(kit, file=brought, now=now)
    except BadFile as refusal:
        return _import_page(request, status=400, fault=refusal.message)
    return _import_page(request, report=report)


@router.get("/new", response_class=HTMLResponse, include_in_schema=False)
async def new_form(
    request: Request, reads: Reads, ground: InForce, who: Principal = require("knowledge:write")
) -> HTMLResponse:
    return pages.render(
        request,
        "knowledge_form.html",
        body=None,
        action="/hotline/knowledge-items/new",
        revision=None,
        unit=acts_for(who),
        units=await queries.units(reads),
        materials=MATERIAL_NAMES,
        bounds=ground.rules.bounds,
    )


@router.post("/new", response_class=HTMLResponse, include_in_schema=False)
async def create(
    body: FormBody,
    ground: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("knowledge:write"),
) -> Response:
    step = ItemStep(item_id=new_id(now), actor=who.subject, unit=acts_for(who))
    item = await knowledge.create(tx, body=body, step=step, ground=ground, now=now)
    return _back(item.id, "saved")


@router.get("/{item_id}", response_class=HTMLResponse, include_in_schema=False)
async def item_page(
    request: Request,
    item_id: UUID,
    reads: Reads,
    said: Annotated[str, Query(max_length=20)] = "",
    who: Principal = require("knowledge:read"),
) -> HTMLResponse:
    item, moves = await stored.item(reads, item_id, seen_by=acts_for(who))
    units = dict(await queries.units(reads))
    return pages.render(
        request,
        "knowledge_item.html",
        item=item,
        version=item.in_work or item.standing or item.latest,
        unit_name=units.get(item.latest.body.unit_code, item.latest.body.unit_code),
        states=STATE_NAMES,
        tones=TONES,
        materials=MATERIAL_NAMES,
        history=[
            {
                "at": each.at,
                "title": f"{_DONE.get(each.move, each.move)}（第{each.number}版）",
                "actor": each.actor,
                "note": each.note,
            }
            for each in moves
        ],
        moves=_offered(item, who),
        may_edit=who.may("knowledge:write")
        and (item.in_work is None or item.in_work.state is State.DRAFT),
        may_report=who.may("knowledge:report_error") and item.standing is not None,
        flash=_SAID.get(said),
    )


@router.get("/{item_id}/edit", response_class=HTMLResponse, include_in_schema=False)
async def edit_form(
    request: Request,
    item_id: UUID,
    reads: Reads,
    ground: InForce,
    who: Principal = require("knowledge:write"),
) -> HTMLResponse:
    item, _ = await stored.item(reads, item_id, seen_by=acts_for(who))
    return pages.render(
        request,
        "knowledge_form.html",
        body=(item.in_work or item.standing or item.latest).body,
        action=f"/hotline/knowledge-items/{item_id}/edit",
        revision=item.revision,
        unit=acts_for(who),
        units=await queries.units(reads),
        materials=MATERIAL_NAMES,
        bounds=ground.rules.bounds,
    )


@router.post("/{item_id}/edit", response_class=HTMLResponse, include_in_schema=False)
async def edit(
    item_id: UUID,
    body: FormBody,
    revision: Annotated[int, Form(ge=1, le=1_000_000)],
    ground: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("knowledge:write"),
) -> Response:
    step = ItemStep(item_id=item_id, actor=who.subject, unit=acts_for(who), seen_revision=revision)
    await knowledge.edit(tx, body=body, step=step, ground=ground, now=now)
    return _back(item_id, "saved")


@router.post("/{item_id}/error", response_class=HTMLResponse, include_in_schema=False)
async def report_error(
    item_id: UUID,
    what: Annotated[str, Form(min_length=1, max_length=1_000, pattern=_TEXT)],
    ground: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("knowledge:report_error"),
) -> Response:
    step = ItemStep(item_id=item_id, actor=who.subject)
    await knowledge.report_error(
        tx, step=step, duty_id=new_id(now), what=what, ground=ground, now=now
    )
    return _back(item_id, "reported")


@router.post("/{item_id}/{move}", response_class=HTMLResponse, include_in_schema=False)
async def act(
    item_id: UUID,
    move: Move,
    revision: Annotated[int, Form(ge=1, le=1_000_000)],
    ground: InForce,
    tx: Tx,
    now: Now,
    why: Annotated[str, Form(max_length=1_000, pattern=_TEXT)] = "",
    who: Principal = require("knowledge:read"),
) -> Response:
    if not who.may(knowledge.PERMISSION[move]):
        raise NotPermitted("您没有办理此操作的权限", permission=knowledge.PERMISSION[move])
    step = ItemStep(item_id=item_id, actor=who.subject, unit=acts_for(who), seen_revision=revision)
    await knowledge.act(tx, move=move, why=why, step=step, ground=ground, now=now)
    return _back(item_id, "done")


def _offered(item: Item, who: Principal) -> list[tuple[Move, str, bool]]:
    """The moves that this person may make now: name, and whether a reason is asked for."""
    states = {each.state for each in (item.in_work, item.standing) if each is not None}
    return [
        (move, MOVE_NAMES[move], move in _ASKS_WHY)
        for move in Move
        if who.may(knowledge.PERMISSION[move]) and states & FROM[move]
    ]


def _back(item_id: UUID, said: str) -> RedirectResponse:
    return RedirectResponse(f"/hotline/knowledge-items/{item_id}?said={said}", status_code=303)


def _import_page(request: Request, *, status: int = 200, **context: object) -> HTMLResponse:
    values: dict[str, object] = {"report": None, "fault": None, **context}
    return pages.render(
        request,
        "knowledge_import.html",
        status=status,
        required=[COLUMNS[name] for name in REQUIRED],
        optional=[zh for name, zh in COLUMNS.items() if name not in REQUIRED],
        **values,
    )
