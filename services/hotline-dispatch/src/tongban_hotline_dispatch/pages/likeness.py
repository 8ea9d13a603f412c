"""For the dispatcher: what is nearly the same, to be joined with one key."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Form, Request
from fastapi.responses import HTMLResponse, Response

from tongban_common.auth import Principal, require
from tongban_common.db import Transaction
from tongban_common.http import Now, Paged, PageRequest, Reads, Router
from tongban_common.privacy import mask_text
from tongban_common.service import Parts
from tongban_common.web import templates
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.moves import STATUS_NAMES
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import Desk, Rules, Step, acts_for, likeness, viewer_of
from tongban_hotline_dispatch.operations.bulk import MOST, Item, Outcome, one_by_one
from tongban_hotline_dispatch.store.likeness import Connection

router = Router(prefix="/hotline")
pages = templates("tongban_hotline_dispatch")
pages.environment.filters["mask_text"] = mask_text


async def _rules_in_force(kit: Parts, now: Now) -> Rules:
    return await operations.rules_at(kit, now=now)


# Stands before Tx where both are parameters: read before the transaction takes its connection.
InForce = Annotated[Rules, Depends(_rules_in_force)]


@router.get("/merge-suggestions", response_class=HTMLResponse, include_in_schema=False)
async def suggestion_list(
    request: Request, page: Paged, reads: Reads, who: Principal = require("ticket:assign")
) -> HTMLResponse:
    return await _shown(request, page, reads, viewer_of(who))


@router.post("/merge-suggestions", response_class=HTMLResponse, include_in_schema=False)
async def join(
    request: Request,
    page: Paged,
    reads: Reads,
    rules: InForce,
    now: Now,
    kit: Parts,
    parent_id: Annotated[UUID, Form()],
    child: Annotated[list[UUID], Form(max_length=MOST)],
    who: Principal = require("ticket:merge"),
) -> Response:
    async def move(tx: Transaction, item: Item[None]) -> Ticket:
        step = Step(ticket_id=item.ticket_id, actor=who.subject, unit=acts_for(who))
        return await Desk(tx, step=step, rules=rules, now=now).merge(parent_id)

    items = [Item(ticket_id=each, wanted=None) for each in child]
    done = await one_by_one(kit, items, move)
    return await _shown(request, page, reads, viewer_of(who), done)


async def _shown(
    request: Request,
    page: PageRequest,
    reads: Connection,
    viewer: Viewer,
    done: list[Outcome] | None = None,
) -> HTMLResponse:
    found = await likeness.suggestions(reads, viewer=viewer, after=page.after, limit=page.limit)
    return pages.render(
        request,
        "merge_suggestions.html",
        groups=found,
        statuses=STATUS_NAMES,
        joined=sum(each.code is None for each in done or ()),
        refused=[each.reason for each in done or () if each.reason],
        next_cursor=page.next_cursor(found[-1].key) if len(found) == page.limit else None,
    )
