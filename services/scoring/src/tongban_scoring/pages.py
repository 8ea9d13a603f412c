"""What people look at: scorecards, one with every point explained, the rule book, the ledger."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from tongban_common.auth import Principal, require
from tongban_common.bodies import FreeText
from tongban_common.clock import new_id
from tongban_common.errors import NotFound
from tongban_common.http import Now, Paged, Reads, Router, Tx, Who
from tongban_common.service import Parts
from tongban_common.web import templates
from tongban_common.web.charts import Bar
from tongban_common.working_days import SHANGHAI
from tongban_scoring import operations, queries
from tongban_scoring.domain.entries import (
    RESPONSIBILITY_NAMES,
    STATE_NAMES,
    Evidence,
    Responsibility,
    State,
)
from tongban_scoring.domain.rules import Side
from tongban_scoring.store.policies import RULE_BOOK

router = Router(prefix="/scoring", tags=["页面"])
pages = templates("tongban_scoring")
_TONES = {"优秀": "success", "良好": "info", "合格": "warning", "不合格": "danger"}


@router.get("/scorecards", summary="记分卡列表页")
async def card_list(
    request: Request, reads: Reads, who: Who, period: Annotated[str, Query(max_length=40)] = ""
) -> HTMLResponse:
    finished = await queries.periods(reads, unpublished=operations.sees_unpublished(who))
    chosen = next((each for each in finished if each.code == period), None)
    chosen = chosen or (finished[0] if finished else None)
    cards = [] if chosen is None else await queries.cards(reads, chosen.id)
    return pages.render(
        request,
        "scorecards.html",
        principal=who,
        periods=finished,
        chosen=chosen,
        cards=cards,
        bars=[
            Bar(
                label=each.window_name if each.rank is None else f"{each.rank}. {each.window_name}",
                value=each.score,
                note=each.grade,
                tone=_TONES.get(each.grade, "info"),
            )
            for each in cards[:30]
        ],
    )


@router.get("/scorecards/{scorecard_id}", summary="记分卡页")
async def card_page(request: Request, scorecard_id: UUID, reads: Reads, who: Who) -> HTMLResponse:
    card, period, points = await queries.card(
        reads, scorecard_id, unpublished=operations.sees_unpublished(who)
    )
    by_rule: dict[tuple[str, str], list[queries.PointLine]] = {}
    for each in points:
        by_rule.setdefault((each.rule_id, each.side), []).append(each)
    totals = [_total(rule_id, side, lines) for (rule_id, side), lines in by_rule.items()]
    return pages.render(
        request,
        "scorecard.html",
        principal=who,
        card=card,
        period=period,
        points=points,
        totals=totals,
    )


def _total(rule_id: str, side: str, lines: Sequence[queries.PointLine]) -> Bar:
    value = sum((line.points for line in lines), start=Decimal(0))
    return Bar(
        label=f"{rule_id}　{'冲销：' if side == Side.CORRECTION else ''}{lines[0].label}",
        value=value,
        note=f"{len(lines)}笔",
        tone="danger" if value < 0 else "success",
    )


@router.get("/rules", summary="考核细则页")
async def rule_page(request: Request, now: Now, kit: Parts, who: Who) -> HTMLResponse:
    policy = await kit.policy(RULE_BOOK).at(now.astimezone(SHANGHAI).date())
    return pages.render(request, "rules.html", principal=who, book=policy)


@router.get("/entries", summary="考核台账页")
async def entry_page(
    request: Request,
    page: Paged,
    reads: Reads,
    now: Now,
    kit: Parts,
    state: Annotated[str, Query(max_length=20)] = "proposed",
    who: Principal = require("entry:read"),
) -> HTMLResponse:
    wanted = State(state) if state in set(State) else None
    found = await queries.entries(reads, state=wanted, window_code=None, page=page)
    last = found[-1] if len(found) == page.limit else None
    policy = await kit.policy(RULE_BOOK).at(now.astimezone(SHANGHAI).date())
    return pages.render(
        request,
        "entries.html",
        entries=found,
        windows=await queries.window_names(reads),
        labels={rule.id: rule.label for rule in policy.book().rules.values()},
        states=STATE_NAMES,
        responsibilities=RESPONSIBILITY_NAMES,
        chosen=state,
        may_decide=who.may("entry:decide"),
        next_cursor=last and page.next_cursor([last.recorded_at.isoformat(), str(last.id)]),
    )


@router.post("/entries/{entry_id}/{decision}", summary="在台账页确认、归责或者不予认定")
async def decide(
    entry_id: UUID,
    decision: str,
    tx: Tx,
    now: Now,
    version: Annotated[int, Form(ge=1, le=1_000_000)],
    evidence: Annotated[FreeText, Form(max_length=2000)] = "",
    responsibility: Annotated[Responsibility | None, Form()] = None,
    who: Principal = require("entry:decide"),
) -> Response:
    made = operations.Decision(
        entry_id=entry_id,
        actor=who.subject,
        evidence=Evidence(text=evidence),
        seen_version=version,
        responsibility=responsibility,
    )
    if decision == "confirm":
        await operations.confirm(tx, decision=made, now=now)
    elif decision == "reject":
        await operations.reject(tx, decision=made, now=now)
    elif decision == "attribute":
        await operations.attribute(tx, decision=made, reversal_id=new_id(now), now=now)
    else:
        raise NotFound("没有这个办理事项")
    return RedirectResponse("/scoring/entries", status_code=303)
