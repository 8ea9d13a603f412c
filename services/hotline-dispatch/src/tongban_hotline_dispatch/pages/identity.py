"""诉求人信息查看记录, and the look itself: a page of its own, kept by no cache."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Form, Query, Request
from fastapi.responses import HTMLResponse

from tongban_common.auth import Principal, require
from tongban_common.bodies import FreeText
from tongban_common.http import Now, Paged, Reads, Router, Tx, no_store
from tongban_common.privacy import Sealer
from tongban_common.service import Kit, Parts
from tongban_hotline_dispatch.domain.identity import SEEN_NAMES, WAY_NAMES, IdentityRules, Seen, Way
from tongban_hotline_dispatch.operations import Step, acts_for, identity, viewer_of
from tongban_hotline_dispatch.operations.identity import Look
from tongban_hotline_dispatch.pages.desks import pages
from tongban_hotline_dispatch.store import desk_lists
from tongban_hotline_dispatch.store.exports import EXPORT
from tongban_hotline_dispatch.store.identity import ViewFilters, views
from tongban_hotline_dispatch.store.identity_policy import IDENTITY

router = Router(prefix="/hotline")


async def _rules_in_force(kit: Parts, now: Now) -> IdentityRules:
    return await identity.identity_rules(kit, now=now)


# Stands before Tx where both are parameters: read before the transaction takes its connection.
InForce = Annotated[IdentityRules, Depends(_rules_in_force)]


@router.get("/identity-views", response_class=HTMLResponse, include_in_schema=False)
async def view_list(
    request: Request,
    page: Paged,
    reads: Reads,
    kit: Parts,
    no: Annotated[str, Query(max_length=40)] = "",
    actor: Annotated[str, Query(max_length=128)] = "",
    way: Annotated[str, Query(max_length=20)] = "",
    who: Principal = require("identity:audit"),
) -> HTMLResponse:
    """A form sends what was left open as an empty text."""
    wanted = await desk_lists.id_of(reads, no.strip()) if no.strip() else None
    filters = ViewFilters(
        seen_by=viewer_of(who),
        ticket_id=wanted,
        actor=actor.strip() or None,
        way=Way(way) if way in set(Way) else None,
    )
    is_unknown = bool(no.strip()) and wanted is None
    found = [] if is_unknown else await views(reads, filters, after=page.after, most=page.limit)
    return pages.render(
        request,
        "identity_views.html",
        views=found,
        filters=filters,
        number=no.strip(),
        ways=list(WAY_NAMES.items()),
        seen=SEEN_NAMES,
        way_names=WAY_NAMES,
        reasons=await _reason_names(kit),
        next_cursor=page.next_cursor(found[-1].key) if len(found) == page.limit else None,
    )


@router.post("/tickets/{ticket_id}/identity", response_class=HTMLResponse, include_in_schema=False)
async def look(
    request: Request,
    ticket_id: UUID,
    rules: InForce,
    kit: Parts,
    tx: Tx,
    now: Now,
    reason: Annotated[FreeText, Form(max_length=64)] = "",
    document_no: Annotated[FreeText, Form(max_length=100)] = "",
    fields: Annotated[list[Seen], Form(max_length=len(Seen))] = [Seen.NAME, Seen.PHONE],  # noqa: B006 - read only
    who: Principal = require("ticket:unmask"),
) -> HTMLResponse:
    """Posted: a look is an act."""
    _, found = await identity.look(
        tx,
        step=Step(ticket_id=ticket_id, actor=who.subject, unit=acts_for(who)),
        wanted=Look(fields=fields, reason=reason, document_no=document_no.strip() or None),
        rules=rules,
        sealer=Sealer(kit.secret),
        now=now,
    )
    shown = pages.render(
        request,
        "identity_look.html",
        ticket_id=ticket_id,
        found=[(SEEN_NAMES[each], value) for each, value in found.items()],
        reason=rules.reasons[reason].name,
    )
    no_store(shown)
    return shown


async def _reason_names(kit: Kit) -> dict[str, str]:
    """Of every version: what was looked at under an earlier one is still shown in words."""
    names = {}
    for export in await kit.policy(EXPORT).all():
        names.update({code: each.name for code, each in export.reasons.items()})
    for policy in await kit.policy(IDENTITY).all():
        names.update({code: each.name for code, each in policy.view_reasons.items()})
    return names
