"""分管领导审签 by HTTP: an officer sends what is written, another of the unit signs it off."""

from typing import Any
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field

from tongban_common.auth import NotPermitted, Principal, require
from tongban_common.bodies import Body
from tongban_common.http import IfMatch, LocalTime, Now, Reads, Router, Tx, refusals, tag
from tongban_common.privacy import mask_text
from tongban_hotline_dispatch.api.tickets import (
    MOVE_REFUSALS,
    InForce,
    ReplyRequest,
    TicketId,
    step_of,
)
from tongban_hotline_dispatch.api.views import TicketView
from tongban_hotline_dispatch.domain.asking import (
    ForcedAssignment,
    IncompleteGrounds,
    NotAllowed,
    TooLateToAsk,
)
from tongban_hotline_dispatch.domain.assignment import AlreadyAsked, EmptyReply
from tongban_hotline_dispatch.operations import sign_offs, viewer_of
from tongban_hotline_dispatch.operations.sign_offs import NothingToSign, SamePerson
from tongban_hotline_dispatch.store.sign_offs import Pending, What, pending

router = Router(prefix="/hotline/v1", tags=["审签"])
_MOST = 200
_REFUSALS = (NothingToSign, SamePerson, NotAllowed, TooLateToAsk, ForcedAssignment)


class ReturnDraftRequest(Body):
    reason: str = Field(min_length=1, max_length=2000, description="退单理由")
    citation: str = Field(min_length=1, max_length=500, description="法律依据")
    suggested_unit: str = Field(min_length=1, max_length=64, description="建议承办单位")


class PendingView(BaseModel):
    ticket_id: UUID
    ticket_no: str
    title: str
    version: int
    what: What
    by: str = Field(description="起草人的账号")
    at: LocalTime
    reply_due: LocalTime
    text: dict[str, Any]

    @classmethod
    def of(cls, each: Pending) -> "PendingView":
        return cls(
            ticket_id=each.ticket_id,
            ticket_no=each.ticket_no,
            title=mask_text(each.title),
            version=each.version,
            what=each.draft.what,
            by=each.draft.by,
            at=each.draft.at,
            reply_due=each.reply_due,
            text=dict(each.draft.text),
        )


@router.get("/sign-offs", summary="本单位待审签的内容")
async def waiting(reads: Reads, who: Principal = require("ticket:sign_off")) -> list[PendingView]:
    viewer = viewer_of(who)
    if viewer.unit is None:
        raise NotPermitted("审签只对承办单位开放")
    return [PendingView.of(each) for each in await pending(reads, viewer, most=_MOST)]


@router.post(
    "/tickets/{ticket_id}/sign-offs/return",
    summary="退单申请送审签",
    responses=refusals(*MOVE_REFUSALS, NotAllowed),
)
async def propose_return(
    ticket_id: TicketId,
    body: ReturnDraftRequest,
    expected: IfMatch,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:ask"),
) -> TicketView:
    step = step_of(ticket_id, who, expected)
    text = body.model_dump(mode="json")
    return TicketView.of(
        await sign_offs.propose(tx, step=step, what="return", text=text, now=now), now=now
    )


@router.post(
    "/tickets/{ticket_id}/sign-offs/reply",
    summary="答复送审签",
    responses=refusals(*MOVE_REFUSALS, NotAllowed),
)
async def propose_reply(
    ticket_id: TicketId,
    body: ReplyRequest,
    expected: IfMatch,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:reply"),
) -> TicketView:
    step = step_of(ticket_id, who, expected)
    text = body.model_dump(mode="json")
    return TicketView.of(
        await sign_offs.propose(tx, step=step, what="reply", text=text, now=now), now=now
    )


@router.post(
    "/tickets/{ticket_id}/sign-offs/sign",
    summary="审签",
    responses=refusals(*MOVE_REFUSALS, *_REFUSALS, IncompleteGrounds, AlreadyAsked, EmptyReply),
)
async def sign(
    ticket_id: TicketId,
    expected: IfMatch,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:sign_off"),
) -> TicketView:
    """The return is asked, or the reply given, at this moment and as it was written."""
    step = step_of(ticket_id, who, expected)
    ticket = await sign_offs.sign_off(tx, step=step, rules=rules, now=now)
    tag(response, ticket.version)
    return TicketView.of(ticket, now=now)


@router.post(
    "/tickets/{ticket_id}/sign-offs/refuse",
    summary="不予审签",
    responses=refusals(*MOVE_REFUSALS, NothingToSign),
)
async def refuse(
    ticket_id: TicketId,
    expected: IfMatch,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:sign_off"),
) -> TicketView:
    step = step_of(ticket_id, who, expected)
    return TicketView.of(await sign_offs.refuse(tx, step=step, now=now), now=now)
