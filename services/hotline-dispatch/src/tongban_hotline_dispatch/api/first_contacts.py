"""先行联系 by HTTP: in which way, and by which number."""

from fastapi import Response
from pydantic import Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.http import IfMatch, Now, Router, Tx, refusals, tag
from tongban_common.privacy import Sealer
from tongban_common.service import Parts
from tongban_hotline_dispatch.api.tickets import MOVE_REFUSALS, InForce, TicketId, step_of
from tongban_hotline_dispatch.api.views import TicketView
from tongban_hotline_dispatch.domain.assignment import ContactWay
from tongban_hotline_dispatch.domain.importing import PHONE
from tongban_hotline_dispatch.operations.process import Desk

router = Router(prefix="/hotline/v1/tickets", tags=["工单"])


class ContactRequest(Body):
    way: ContactWay | None = Field(default=None, description="联系方式")
    number: str | None = Field(
        default=None, pattern=PHONE, description="联系所用号码；不填为登记的号码"
    )


@router.post("/{ticket_id}/contact", summary="先行联系", responses=refusals(*MOVE_REFUSALS))
async def contact(
    ticket_id: TicketId,
    expected: IfMatch,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    kit: Parts,
    body: ContactRequest | None = None,
    who: Principal = require("ticket:reply"),
) -> TicketView:
    given = body or ContactRequest()
    way = given.way or (ContactWay.PHONE if given.number else None)
    desk = Desk(tx, step=step_of(ticket_id, who, expected), rules=rules, now=now)
    ticket = await desk.contact(way, given.number, sealer=Sealer(kit.secret))
    tag(response, ticket.version)
    return TicketView.of(ticket, now=now)
