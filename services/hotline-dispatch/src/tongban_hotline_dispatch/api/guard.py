"""Whom a ticket is kept from: the unit complained of (被诉单位), and staff who recused (回避)."""

from typing import Annotated
from uuid import UUID

from fastapi import Path
from pydantic import BaseModel, Field

from tongban_common.auth import NotPermitted, Principal, require
from tongban_common.bodies import Body
from tongban_common.http import LocalTime, Now, Reads, Router, Tx, refusals
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.api.tickets import InForce, TicketId
from tongban_hotline_dispatch.api.views import TicketView
from tongban_hotline_dispatch.domain.guard import (
    AlreadyRecused,
    GuardAct,
    JoinedTicket,
    NotRecused,
    OwnRecusal,
    Recused,
)
from tongban_hotline_dispatch.domain.moves import TicketArchived
from tongban_hotline_dispatch.domain.process import UnknownReason
from tongban_hotline_dispatch.domain.ticket import NotYourTicket
from tongban_hotline_dispatch.operations import Step, acts_for, guard, redaction, viewer_of
from tongban_hotline_dispatch.operations.guard import Recusal
from tongban_hotline_dispatch.store import TicketNotFound, UnitNotFound
from tongban_hotline_dispatch.store.guard import GuardLine, lines

router = Router(prefix="/hotline/v1/tickets", tags=["回避"])
Staff = Annotated[str, Path(min_length=1, max_length=128, description="人员账号")]


class TargetRequest(Body):
    unit_code: str | None = Field(
        min_length=1, max_length=64, description="被诉单位编码；空表示没有被诉单位"
    )
    reason: str = Field(min_length=1, max_length=500, description="认定的理由")


class RecusalRequest(Body):
    staff: str | None = Field(
        default=None, min_length=1, max_length=128, description="须回避的人员账号；不给则为本人"
    )
    reason: str = Field(min_length=1, max_length=64, description="规则所列回避事由")
    note: str | None = Field(default=None, min_length=1, max_length=500)

    def recusal(self, own: str) -> Recusal:
        return Recusal(staff=self.staff or own, reason=self.reason, note=self.note)


class LiftRequest(Body):
    reason: str = Field(min_length=1, max_length=500, description="解除的理由")


class PublicTextRequest(Body):
    title: str = Field(min_length=1, max_length=200, description="对单位和公众公开的标题")
    content: str = Field(min_length=1, max_length=20_000, description="对单位和公众公开的内容")
    reason: str = Field(min_length=1, max_length=500, description="改写的理由")


class GuardLineView(BaseModel):
    at: LocalTime
    act: GuardAct
    actor: str
    unit_code: str | None
    staff: str | None
    reason: str
    note: str | None

    @classmethod
    def of(cls, line: GuardLine) -> "GuardLineView":
        return cls(
            at=line.at,
            act=line.act,
            actor=line.actor,
            unit_code=line.unit_code,
            staff=line.staff,
            reason=line.reason,
            note=line.note,
        )


_REFUSALS = (TicketNotFound, NotYourTicket, Recused, TicketArchived)


@router.put(
    "/{ticket_id}/target",
    summary="认定被诉单位：该单位及其下属不得承办，也看不到",
    responses=refusals(*_REFUSALS, UnitNotFound, JoinedTicket),
)
async def name_target(
    ticket_id: TicketId,
    body: TargetRequest,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:intake"),
) -> TicketView:
    """Where the unit has the ticket already it is shut out at once; the hub transfers it."""
    ticket = await guard.name_target(
        tx, step=_step(ticket_id, who), unit_code=body.unit_code, reason=body.reason, now=now
    )
    return TicketView.of(ticket, now=now)


@router.put(
    "/{ticket_id}/public-text",
    summary="改写对单位和公众公开的标题和内容（隐去可识别诉求人的信息）",
    responses=refusals(*_REFUSALS),
)
async def rewrite(
    ticket_id: TicketId,
    body: PublicTextRequest,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:intake"),
) -> TicketView:
    """The original stays, to be looked at for a reason. Numbers are masked here, too."""
    ticket = await redaction.rewrite(
        tx,
        step=_step(ticket_id, who),
        title=body.title,
        content=body.content,
        reason=body.reason,
        now=now,
    )
    return TicketView.of(ticket, now=now)


@router.post(
    "/{ticket_id}/recusals",
    status_code=201,
    summary="回避：本人提出，或者按诉求人的要求",
    responses=refusals(*_REFUSALS, UnknownReason, AlreadyRecused, NotPermitted),
)
async def recuse(
    ticket_id: TicketId,
    body: RecusalRequest,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:read"),
) -> GuardLineView:
    """Oneself anybody may; others only who decides on recusals."""
    wanted = body.recusal(who.subject)
    if wanted.staff != who.subject and not who.may("ticket:recuse"):
        raise NotPermitted("您没有决定他人回避的权限", permission="ticket:recuse")
    step = _step(ticket_id, who)
    return GuardLineView.of(await guard.recuse(tx, step=step, wanted=wanted, rules=rules, now=now))


@router.post(
    "/{ticket_id}/recusals/{staff}/lift",
    summary="解除回避",
    responses=refusals(*_REFUSALS, NotRecused, OwnRecusal),
)
async def lift(
    ticket_id: TicketId,
    staff: Staff,
    body: LiftRequest,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:recuse"),
) -> GuardLineView:
    line = await guard.lift(
        tx, step=_step(ticket_id, who), staff=staff, reason=body.reason, now=now
    )
    return GuardLineView.of(line)


@router.get(
    "/{ticket_id}/recusals",
    summary="回避和被诉单位的记录",
    responses=refusals(TicketNotFound),
)
async def recorded(
    ticket_id: TicketId, reads: Reads, who: Principal = require("ticket:recuse")
) -> list[GuardLineView]:
    """In the order in which they happened; append-only."""
    await queries.one(reads, ticket_id, seen_by=viewer_of(who))
    return [GuardLineView.of(each) for each in await lines(reads, ticket_id)]


def _step(ticket_id: UUID, who: Principal) -> Step:
    return Step(ticket_id=ticket_id, actor=who.subject, unit=acts_for(who))
