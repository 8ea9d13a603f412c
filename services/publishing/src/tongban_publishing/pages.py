"""What people look at: the public portal, bulletins, and the drafts that wait for somebody."""

from typing import Annotated
from uuid import UUID

from fastapi import Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from tongban_common.auth import NotPermitted, Principal, require
from tongban_common.bodies import FreeText
from tongban_common.errors import NotFound
from tongban_common.http import Now, Paged, Reads, Router, Tx, Who
from tongban_common.service import Parts
from tongban_common.web import templates
from tongban_common.web.charts import Bar
from tongban_publishing import operations, queries
from tongban_publishing.domain.bulletin import STATUS_NAMES, Bulletin, Status
from tongban_publishing.operations import Step

router = Router(tags=["页面"])
pages = templates("tongban_publishing")
_ON_PORTAL = 6
_SHOWN = ("on_time_close_rate", "resolution_rate", "satisfaction_rate", "exclusion_rate")
_LISTS = {"red": "红榜", "black": "黑榜"}
_TONES = {"优秀": "success", "良好": "info", "合格": "warning", "不合格": "danger"}


class MoveNotFound(NotFound):
    code = "bulletin.move_not_found"


@router.get("/", summary="公开门户")
async def portal(request: Request, reads: Reads, who: Who) -> HTMLResponse:
    found = await queries.latest(reads, _ON_PORTAL)
    return pages.render(
        request,
        "portal.html",
        principal=who,
        bulletins=found,
    )


@router.get("/publishing/bulletins", summary="通报列表页")
async def bulletin_list(request: Request, page: Paged, reads: Reads, who: Who) -> HTMLResponse:
    found = await queries.published(reads, page)
    last = found[-1] if len(found) == page.limit else None
    cursor = None
    if last is not None and last.published_at is not None:
        cursor = page.next_cursor([last.published_at.isoformat(), str(last.id)])
    return pages.render(
        request, "bulletins.html", principal=who, bulletins=found, next_cursor=cursor
    )


@router.get("/publishing/bulletins/{bulletin_id}", summary="通报页")
async def bulletin_page(
    request: Request, bulletin_id: UUID, reads: Reads, who: Who
) -> HTMLResponse:
    bulletin = await queries.one_public(reads, bulletin_id)
    return await _whole(request, bulletin, reads, who, move=_withdrawal(who))


@router.get("/publishing/drafts", summary="待办通报页")
async def draft_list(
    request: Request, reads: Reads, now: Now, _: Principal = require("draft:read")
) -> HTMLResponse:
    found = await queries.drafts(reads)
    return pages.render(request, "drafts.html", drafts=found, statuses=STATUS_NAMES, now=now)


@router.get("/publishing/drafts/{bulletin_id}", summary="待办通报")
async def draft_page(
    request: Request, bulletin_id: UUID, reads: Reads, who: Principal = require("draft:read")
) -> Response:
    bulletin = await queries.one(reads, bulletin_id)
    move = _NEXT.get(bulletin.status)
    if move is None:  # published meanwhile, perhaps withdrawn: what everybody sees is what counts
        return RedirectResponse(f"/publishing/bulletins/{bulletin_id}", status_code=303)
    allowed = move if who.may(f"bulletin:{move}") else None
    return await _whole(request, bulletin, reads, who, move=allowed)


@router.post("/publishing/bulletins/{bulletin_id}/{move}", summary="在页面办理通报")
async def act(
    bulletin_id: UUID,
    move: str,
    tx: Tx,
    now: Now,
    kit: Parts,
    version: Annotated[int, Form(ge=1, le=1_000_000)],
    reason: Annotated[FreeText, Form(max_length=500)] = "",
    who: Principal = require("draft:read"),
) -> Response:
    """Each move needs the permission that its API route needs."""
    if move not in {"review", "approve", "withdraw"}:
        raise MoveNotFound("没有这个办理事项")
    if not who.may(f"bulletin:{move}"):
        raise NotPermitted("您没有办理此操作的权限", permission=f"bulletin:{move}")
    step = Step(bulletin_id=bulletin_id, actor=who.subject, seen_version=version)
    if move == "review":
        await operations.review(tx, step=step, now=now)
        return RedirectResponse("/publishing/drafts", status_code=303)
    if move == "approve":
        rules = await operations.rules_at(kit, now=now)
        await operations.approve(tx, step=step, rules=rules, now=now)
        return RedirectResponse(f"/publishing/bulletins/{bulletin_id}", status_code=303)
    await operations.withdraw(tx, step=step, reason=reason, now=now)
    return RedirectResponse("/publishing/bulletins", status_code=303)


_NEXT = {Status.DRAFT: "review", Status.REVIEWED: "approve"}


def _withdrawal(who: Principal | None) -> str | None:
    return "withdraw" if who is not None and who.may("bulletin:withdraw") else None


async def _whole(
    request: Request, bulletin: Bulletin, reads: Reads, who: Principal | None, *, move: str | None
) -> HTMLResponse:
    scores = await queries.scores(reads, bulletin.id)
    results = await queries.results(reads, bulletin.id)
    groups = {
        bulletin.labels.get(code, code): [each for each in results if each.group == code]
        for code in dict.fromkeys(each.group for each in results)
    }
    ranked = [each for each in scores if each.rank is not None]
    return pages.render(
        request,
        "bulletin.html",
        principal=who,
        bulletin=bulletin,
        scores=scores,
        groups=groups,
        shown={code: bulletin.labels[code] for code in _SHOWN if code in bulletin.labels},
        lists=_LISTS,
        move=move,
        status_name=STATUS_NAMES[bulletin.status],
        bars=[
            Bar(
                label=f"{each.rank}. {each.window_name}",
                value=each.score,
                note=each.grade,
                tone=_TONES.get(each.grade, "info"),
            )
            for each in ranked[:30]
        ],
    )
