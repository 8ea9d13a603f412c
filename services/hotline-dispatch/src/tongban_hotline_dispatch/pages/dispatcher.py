"""派单台: the hub's queues by urgency and time left, bulk moves, and what it is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tongban_common.auth import NotPermitted, Principal, require
from tongban_common.bodies import FreeText
from tongban_common.db import Transaction
from tongban_common.errors import BadInput
from tongban_common.http import Now, Paged, PageRequest, Reads, Router
from tongban_common.service import Parts
from tongban_hotline_dispatch import operations, queries
from tongban_hotline_dispatch.domain.appeal import AppealType, Urgency
from tongban_hotline_dispatch.domain.assignment import AskKind
from tongban_hotline_dispatch.domain.desks import Lamp, lamp
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import Desk, Rules, Step, viewer_of
from tongban_hotline_dispatch.operations.bulk import MOST, Item, one_by_one
from tongban_hotline_dispatch.operations.deciding import Choice
from tongban_hotline_dispatch.pages.desks import (
    Lit,
    citizen_lamp,
    pages,
    policy_at,
    stage_lamp,
    unit_lamp,
    works_at_dispatch,
)
from tongban_hotline_dispatch.pages.move_table import BY_PATH
from tongban_hotline_dispatch.pages.routing import Proposal, Seen, proposals
from tongban_hotline_dispatch.store import desk_lists
from tongban_hotline_dispatch.store.board import counted_by_status
from tongban_hotline_dispatch.store.desk_lists import AskLine, Narrow

router = Router(prefix="/hotline/desk/dispatch")
SUGGESTED = "suggested"  # as a unit: to the one suggested for each ticket


class NothingPicked(BadInput):
    code = "desk.nothing_picked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """One queue. Without a status: what runs with the units, or what waits for a decision."""

    key: str
    label: str
    permission: str
    status: Status | None = None
    bulk: tuple[str, str] | None = None  # what may be done with several: its word and its name


TABS = (
    Tab(
        key="dispatch",
        label="待派单",
        permission="assign",
        status=Status.REGISTERED,
        bulk=("assign", "派单"),
    ),
    Tab(key="asks", label="待审申请", permission="decide"),
    Tab(key="consult", label="会商中", permission="consult", status=Status.CONSULTING),
    Tab(key="facts", label="待补充", permission="intake", status=Status.AWAITING_FACTS),
    Tab(key="running", label="在单位", permission="assign", bulk=("transfer", "改派")),
    Tab(key="review", label="待审核", permission="review", status=Status.REPLIED),
    Tab(key="callback", label="待回访", permission="callback", status=Status.CALLBACK),
    Tab(
        key="hard",
        label="疑难",
        permission="assign",
        status=Status.HARD_CASE,
        bulk=("transfer", "改派"),
    ),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a unit asks for, and whether this person decides it."""

    line: AskLine
    lamp: Lamp
    may_decide: bool


@dataclass(frozen=True, slots=True)
class Chosen:
    """What somebody wants to see of the desk."""

    tab: Tab | None  # None: wherever something waits for him
    narrow: Narrow


def tabs_of(who: Principal) -> list[Tab]:
    return [tab for tab in TABS if _may(tab, who)]


def _may(tab: Tab, who: Principal) -> bool:
    if tab.permission == "decide":
        return bool(_decided_by(who))
    return who.may(f"ticket:{tab.permission}")


def _decided_by(who: Principal) -> list[AskKind]:
    return [kind for kind in AskKind if who.may(f"ticket:decide_{kind}")]


def _chosen(
    who: Principal = require("ticket:all_units"),
    tab: Annotated[str, Query(max_length=20)] = "",
    type_: Annotated[str, Query(alias="type", max_length=20)] = "",
    urgency: Annotated[str, Query(max_length=20)] = "",
    unit: Annotated[str, Query(max_length=64)] = "",
) -> Chosen:
    """Raises NotPermitted for a tab that is not his. A form sends what was left open as empty."""
    mine = {each.key: each for each in tabs_of(who)}
    if not works_at_dispatch(who) or (tab and tab not in mine):
        raise NotPermitted("您没有办理此操作的权限")
    narrow = Narrow(
        viewer=viewer_of(who),
        unit_code=unit or None,
        appeal_type=AppealType(type_) if type_ in set(AppealType) else None,
        urgency=Urgency(urgency) if urgency in set(Urgency) else None,
    )
    return Chosen(mine.get(tab), narrow)


@router.get("", response_class=HTMLResponse, include_in_schema=False)
async def queue_page(
    request: Request,
    chosen: Annotated[Chosen, Depends(_chosen)],
    page: Paged,
    reads: Reads,
    now: Now,
    kit: Parts,
) -> Response:
    who: Principal = request.state.principal
    rules = await operations.rules_at(kit, now=now)
    units = await queries.units(reads)
    counted = await _counted(reads, who)
    tab = chosen.tab
    if tab is None:
        waits = next((each for each, n in counted if n), counted[0][0])
        return RedirectResponse(f"/hotline/desk/dispatch?tab={waits.key}", status_code=303)
    context: dict[str, Any] = {
        "tabs": counted,
        "tab": tab,
        "narrow": chosen.narrow,
        "units": units,
        "process": rules.process,
    }
    last: list[str] = []
    if tab.key == "asks":
        asked = await _asked(reads, who, page, now)
        found = len(asked)
        last = asked[-1].line.key if asked else []
        context |= {"asked": asked, "moves": BY_PATH, "unit_names": dict(units)}
    else:
        lines = await _lines(reads, tab, chosen.narrow, page)
        found = len(lines)
        last = _key(tab, lines)
        proposed = await _proposed(request, reads, tab, lines, kit, now)
        context |= {"lines": await _lit(tab, lines, proposed, kit, now)}
    shown = "dispatcher_asks.html" if tab.key == "asks" else "dispatcher_queue.html"
    cursor = page.next_cursor(last) if found == page.limit else None
    flash = {"done": "已办理"}.get(request.query_params.get("said", ""))
    return pages.render(request, shown, next_cursor=cursor, flash=flash, **context)


@router.post("/bulk", response_class=HTMLResponse, include_in_schema=False)
async def bulk(
    request: Request,
    now: Now,
    kit: Parts,
    act: Annotated[str, Form(pattern="^(assign|transfer)$")],
    unit_code: Annotated[FreeText, Form(max_length=64)] = "",
    pick: Annotated[list[str], Form(max_length=MOST)] = [],  # noqa: B006 - read only
    seen: Annotated[list[str], Form(max_length=MOST)] = [],  # noqa: B006 - read only
    who: Principal = require("ticket:assign"),
) -> HTMLResponse:
    """Each ticket by itself, under the version that was seen, with a result of its own."""
    rules = await operations.rules_at(kit, now=now)
    picked = _picked(pick)
    async with kit.db.reading() as reads:
        named = await desk_lists.named_by_returning(reads, list(picked))
        brief = await desk_lists.briefly(reads, list(picked), viewer_of(who))
    suggestions = Seen.of(seen)
    items = [
        Item(ticket_id=ticket_id, wanted=(version, named.get(ticket_id, ("",))[0]))
        for ticket_id, version in picked.items()
    ]

    async def move(tx: Transaction, item: Item[tuple[int, str]]) -> Ticket:
        version, to = item.wanted
        if unit_code != SUGGESTED:
            to = unit_code
        elif not to:
            proposed = await suggestions.proposed(item.ticket_id, kit, now)
            to = (proposed and proposed.unit_code) or ""
        step = Step(ticket_id=item.ticket_id, actor=who.subject, seen_version=version)
        moved = await _moved(tx, act, step, to, rules, now)
        if act == "assign" and who.may("routing:decide"):
            choice = Choice(
                ticket_id=item.ticket_id, matter_code=None, unit_code=to, actor=who.subject
            )
            await suggestions.keep(tx, choice=choice, kit=kit, now=now)
        return moved

    outcomes = await one_by_one(kit, items, move)
    results = [(brief.get(each.ticket_id), each) for each in outcomes]
    done = sum(each.code is None for each in outcomes)
    return pages.render(
        request,
        "dispatcher_result.html",
        results=results,
        done=done,
        refused=len(outcomes) - done,
        tab="dispatch" if act == "assign" else "running",
        what="派单" if act == "assign" else "改派",
    )


async def _moved(
    tx: Transaction, act: str, step: Step, to: str, rules: Rules, now: datetime
) -> Ticket:
    if act == "assign":
        return await operations.assign(tx, step=step, unit_code=to, rules=rules, now=now)
    return await Desk(tx, step=step, rules=rules, now=now).transfer(to)


def _picked(pick: Sequence[str]) -> Mapping[UUID, int]:
    """Ticket and seen version, as a row's checkbox has them. Raises NothingPicked."""
    picked = {}
    for each in pick:
        ticket_id, _, version = each.partition(":")
        try:
            picked[UUID(ticket_id)] = int(version)
        except ValueError:
            raise NothingPicked("选中的工单无法识别，请回到列表重选") from None
    if not picked:
        raise NothingPicked("请先选中工单")
    return picked


async def _counted(reads: Reads, who: Principal) -> list[tuple[Tab, int | None]]:
    by_status = await counted_by_status(reads)
    asks = await desk_lists.ask_counts(reads)
    mine = sum(n for kind, n in asks.items() if kind in _decided_by(who))
    return [
        (
            tab,
            mine if tab.key == "asks" else None if tab.status is None else by_status[tab.status],
        )
        for tab in tabs_of(who)
    ]


async def _lines(
    reads: Reads, tab: Tab, narrow: Narrow, page: PageRequest
) -> list[desk_lists.QueueLine]:
    if tab.status is None:
        return await desk_lists.running(reads, narrow, after=page.after, most=page.limit)
    return await desk_lists.queue(reads, tab.status, narrow, after=page.after, most=page.limit)


async def _proposed(
    request: Request,
    reads: Reads,
    tab: Tab,
    lines: Sequence[desk_lists.QueueLine],
    kit: Parts,
    now: datetime,
) -> Mapping[UUID, Proposal]:
    """What the last unit to return a ticket named comes before what its words suggest."""
    if tab.status is not Status.REGISTERED:
        return {}
    returned = [each.id for each in lines if each.returns]
    named = await desk_lists.named_by_returning(reads, returned) if returned else {}
    others = [each.id for each in lines if each.id not in named]
    found = await proposals(reads, others, request.app.state.suggester, kit, now)
    by_return = {
        ticket_id: Proposal(code=code, name=name) for ticket_id, (code, name) in named.items()
    }
    return {**found, **by_return}


async def _lit(
    tab: Tab,
    lines: Sequence[desk_lists.QueueLine],
    proposed: Mapping[UUID, Proposal],
    kit: Parts,
    now: datetime,
) -> list[Lit]:
    policy = await policy_at(kit, now)
    return [
        Lit(
            each,
            unit_lamp(each, now) if tab.status is None else stage_lamp(each, policy, now),
            citizen_lamp(each, now),
            proposed.get(each.id),
        )
        for each in lines
    ]


async def _asked(reads: Reads, who: Principal, page: PageRequest, now: datetime) -> list[Asked]:
    """Everything that waits, to be seen by all who decide something."""
    mine = _decided_by(who)
    found = await desk_lists.asks(reads, mine, viewer_of(who), after=page.after, most=page.limit)
    return [
        Asked(each, lamp(each.ask.term.due_at, None, now), each.ask.kind in mine) for each in found
    ]


def _key(tab: Tab, lines: Sequence[desk_lists.QueueLine]) -> list[str]:
    if not lines:
        return []
    return lines[-1].due_key if tab.status is None else lines[-1].stage_key
