"""The knowledge base: public search, and the items that staff write, review and publish."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Response, UploadFile

from tongban_common.auth import NotPermitted, Principal, require
from tongban_common.clock import new_id
from tongban_common.errors import Refusal
from tongban_common.http import (
    ChangedMeanwhile,
    IfMatch,
    IfMatchMissing,
    Now,
    Paged,
    Reads,
    Router,
    Tx,
    refusals,
    tag,
)
from tongban_common.service import Parts
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.api.knowledge_views import (
    BulkRequest,
    BulkResult,
    BulkView,
    ErrorRequest,
    FoundView,
    ItemLineView,
    ItemPage,
    ItemRowView,
    ItemsImportView,
    ItemView,
    KnowledgeRequest,
    MoveRequest,
    NewKnowledgeRequest,
    PublicView,
    SearchView,
)
from tongban_hotline_dispatch.domain.importing import BadFile
from tongban_hotline_dispatch.domain.knowledge import (
    BadItem,
    IllegalKnowledgeMove,
    Move,
    NotYourItem,
    ReasonMissing,
    SamePerson,
    State,
)
from tongban_hotline_dispatch.operations import acts_for, knowledge, knowledge_duties
from tongban_hotline_dispatch.operations.knowledge import ItemStep, Origin
from tongban_hotline_dispatch.operations.knowledge_duties import KnowledgeGround, NotYourDuty
from tongban_hotline_dispatch.operations.knowledge_import import ItemsImport, import_items
from tongban_hotline_dispatch.store import UnitNotFound
from tongban_hotline_dispatch.store import knowledge_reads as stored
from tongban_hotline_dispatch.store.knowledge import ItemNotFound, TitleTaken
from tongban_hotline_dispatch.store.knowledge_duties import DutyNotFound
from tongban_hotline_dispatch.store.knowledge_index import search

router = Router(prefix="/hotline/v1/knowledge", tags=["知识库"])

_EDIT_REFUSALS = (BadItem, TitleTaken, UnitNotFound, NotYourItem)
_MOVE_REFUSALS = (
    ItemNotFound,
    IllegalKnowledgeMove,
    SamePerson,
    ReasonMissing,
    NotYourItem,
    TitleTaken,
)
_SEEN = (ChangedMeanwhile, IfMatchMissing)
ItemId = Annotated[UUID, Path(description="知识标识")]


async def _ground_in_force(kit: Parts, now: Now) -> KnowledgeGround:
    return await knowledge_duties.ground_at(kit, now=now)


InForce = Annotated[KnowledgeGround, Depends(_ground_in_force)]


@router.get("/search", summary="公众检索知识库")
async def find(
    reads: Reads,
    q: Annotated[str, Query(max_length=200, description="要问的话或者关键词")],
    category: Annotated[str | None, Query(max_length=500, description="分类及其下级")] = None,
    limit: Annotated[int, Query(ge=1, le=50, description="至多几条")] = 20,
) -> SearchView:
    """Best first. There is no next page: what is not among these is not what was meant."""
    found = await search(reads, q, category=category, limit=limit)
    return SearchView(
        items=[
            FoundView(
                item_id=each.item_id,
                number=each.number,
                title=each.title,
                category=each.category,
                material=each.material,
                unit_code=each.unit_code,
                score=round(each.score, 4),
            )
            for each in found
        ]
    )


@router.get("/public/{item_id}", summary="公众查看知识", responses=refusals(ItemNotFound))
async def public(item_id: ItemId, response: Response, reads: Reads) -> PublicView:
    version, unit_name = await stored.public_version(reads, item_id)
    tag(response, version.number)
    published_at = version.published_at
    return PublicView(
        item_id=item_id,
        number=version.number,
        title=version.body.title,
        content=version.body.content,
        unit_name=unit_name,
        category=version.body.category,
        material=version.body.material,
        keywords=list(version.body.keywords),
        published_at=None if published_at is None else published_at.astimezone(SHANGHAI),
    )


@router.get("", summary="知识列表（工作人员）")
async def list_items(
    page: Paged,
    reads: Reads,
    state: Annotated[State | None, Query(description="状态")] = None,
    unit: Annotated[str | None, Query(max_length=64, description="负责单位编码")] = None,
    category: Annotated[str | None, Query(max_length=500, description="分类及其下级")] = None,
    who: Principal = require("knowledge:read"),
) -> ItemPage:
    filters = stored.ItemFilters(state=state, unit_code=acts_for(who) or unit, category=category)
    found = await stored.items(reads, filters=filters, page=page)
    last = found[-1] if len(found) == page.limit else None
    return ItemPage(
        items=[
            ItemLineView(
                item_id=each.item_id,
                number=each.number,
                state=each.state,
                title=each.title,
                unit_code=each.unit_code,
                unit_name=each.unit_name,
                category=each.category,
                material=each.material,
                edited_at=each.edited_at.astimezone(SHANGHAI),
                review_due=(
                    None if each.review_due_at is None else each.review_due_at.astimezone(SHANGHAI)
                ),
                revision=each.revision,
            )
            for each in found
        ],
        next=last and page.next_cursor(last.key),
    )


@router.post(
    "",
    status_code=201,
    summary="新建知识草稿",
    responses=refusals(*_EDIT_REFUSALS, DutyNotFound, NotYourDuty),
)
async def create(
    body: NewKnowledgeRequest,
    response: Response,
    ground: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("knowledge:write"),
) -> ItemView:
    step = ItemStep(item_id=new_id(now), actor=who.subject, unit=acts_for(who))
    item = await knowledge.create(
        tx,
        body=body.body(),
        step=step,
        ground=ground,
        now=now,
        origin=Origin(duty_id=body.duty_id),
    )
    response.headers["Location"] = f"/hotline/v1/knowledge/{item.id}"
    tag(response, item.revision)
    return ItemView.of(item)


@router.post("/imports", summary="批量导入知识（CSV、XLSX）", responses=refusals(BadFile))
async def import_file(
    file: UploadFile,
    now: Now,
    kit: Parts,
    submit: Annotated[bool, Query(description="导入后即提交审核")] = False,  # noqa: FBT002
    who: Principal = require("knowledge:import"),
) -> ItemsImportView:
    """Rows are taken each for itself: a bad one is named with its line, the rest are taken."""
    brought = ItemsImport(
        content=await file.read(), actor=who.subject, unit=acts_for(who), is_submitted=submit
    )
    report = await import_items(kit, file=brought, now=now)
    return ItemsImportView(
        taken=report.taken,
        refused=report.refused,
        rows=[
            ItemRowView(
                line=each.line, outcome=each.outcome, reason=each.reason, item_id=each.item_id
            )
            for each in report.rows
        ],
    )


@router.post("/bulk", summary="成批办理，逐条给出结果")
async def bulk(
    body: BulkRequest,
    ground: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("knowledge:read"),
) -> BulkView:
    check_may(who, body.move)
    results = []
    for seen in body.items:
        step = ItemStep(
            item_id=seen.item_id,
            actor=who.subject,
            unit=acts_for(who),
            seen_revision=seen.revision,
        )
        try:
            async with tx.savepoint():
                await knowledge.act(
                    tx, move=body.move, why=body.why, step=step, ground=ground, now=now
                )
            results.append(BulkResult(item_id=seen.item_id, done=True, code=None, reason=None))
        except Refusal as refusal:
            results.append(
                BulkResult(
                    item_id=seen.item_id, done=False, code=refusal.code, reason=refusal.message
                )
            )
    return BulkView(results=results)


@router.get("/{item_id}", summary="查看知识及其各版本", responses=refusals(ItemNotFound))
async def read(
    item_id: ItemId,
    response: Response,
    reads: Reads,
    who: Principal = require("knowledge:read"),
) -> ItemView:
    item, _ = await stored.item(reads, item_id, seen_by=acts_for(who))
    tag(response, item.revision)
    return ItemView.of(item)


@router.put(
    "/{item_id}",
    summary="修改草稿，或者另起新版本",
    responses=refusals(*_EDIT_REFUSALS, ItemNotFound, IllegalKnowledgeMove, *_SEEN),
)
async def edit(
    item_id: ItemId,
    body: KnowledgeRequest,
    expected: IfMatch,
    response: Response,
    ground: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("knowledge:write"),
) -> ItemView:
    step = _step(item_id, who, expected)
    item = await knowledge.edit(tx, body=body.body(), step=step, ground=ground, now=now)
    tag(response, item.revision)
    return ItemView.of(item)


@router.post(
    "/{item_id}/errors",
    status_code=204,
    summary="报告差错，负责单位须更正",
    responses=refusals(ItemNotFound, UnitNotFound),
)
async def report_error(
    item_id: ItemId,
    body: ErrorRequest,
    ground: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("knowledge:report_error"),
) -> None:
    step = ItemStep(item_id=item_id, actor=who.subject)
    await knowledge.report_error(
        tx, step=step, duty_id=new_id(now), what=body.what, ground=ground, now=now
    )


@router.post(
    "/{item_id}/{move}", summary="提交、审核、发布等", responses=refusals(*_MOVE_REFUSALS, *_SEEN)
)
async def act(
    item_id: ItemId,
    move: Move,
    body: MoveRequest,
    expected: IfMatch,
    response: Response,
    ground: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("knowledge:read"),
) -> ItemView:
    check_may(who, move)
    step = _step(item_id, who, expected)
    item = await knowledge.act(tx, move=move, why=body.why, step=step, ground=ground, now=now)
    tag(response, item.revision)
    return ItemView.of(item)


def check_may(who: Principal, move: Move) -> None:
    if not who.may(knowledge.PERMISSION[move]):
        raise NotPermitted("您没有办理此操作的权限", permission=knowledge.PERMISSION[move])


def _step(item_id: UUID, who: Principal, expected: int) -> ItemStep:
    return ItemStep(item_id=item_id, actor=who.subject, unit=acts_for(who), seen_revision=expected)
