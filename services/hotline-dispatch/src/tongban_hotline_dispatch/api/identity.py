"""诉求人信息: looked at in clear for a listed reason, and the record of who looked."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Response
from pydantic import BaseModel, Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.http import (
    LocalTime,
    Now,
    Paged,
    Reads,
    Router,
    Tx,
    no_store,
    refusals,
)
from tongban_common.privacy import Sealer
from tongban_common.service import Parts
from tongban_hotline_dispatch.api.tickets import TicketId
from tongban_hotline_dispatch.domain.guard import Recused
from tongban_hotline_dispatch.domain.identity import (
    DocumentMissing,
    IdentityRules,
    Seen,
    UnknownViewReason,
    Way,
)
from tongban_hotline_dispatch.domain.ticket import NotYourTicket
from tongban_hotline_dispatch.operations import Step, acts_for, identity, viewer_of
from tongban_hotline_dispatch.operations.identity import IdentityHidden, Look
from tongban_hotline_dispatch.store import TicketNotFound
from tongban_hotline_dispatch.store.identity import ViewFilters, ViewLine, views

router = Router(prefix="/hotline/v1", tags=["诉求人信息"])


async def _rules_in_force(kit: Parts, now: Now) -> IdentityRules:
    return await identity.identity_rules(kit, now=now)


# Stands before Tx where both are parameters: read before the transaction takes its connection.
InForce = Annotated[IdentityRules, Depends(_rules_in_force)]


class LookRequest(Body):
    fields: list[Seen] = Field(min_length=1, max_length=len(Seen), description="要看的项目")
    reason: str = Field(min_length=1, max_length=64, description="规则所列理由")
    document_no: str | None = Field(
        default=None, min_length=1, max_length=100, description="调取文书、申请书的编号"
    )

    def look(self) -> Look:
        return Look(fields=self.fields, reason=self.reason, document_no=self.document_no)


class LookView(BaseModel):
    """In clear. Kept by no cache; the record has this id."""

    view_id: UUID
    fields: dict[Seen, str | None]


class ViewView(BaseModel):
    """One look: who, which fields, when, why. What was seen is not in it."""

    id: UUID
    at: LocalTime
    actor: str
    unit_code: str | None
    way: Way
    ticket_id: UUID | None
    ticket_no: str | None
    fields: list[Seen]
    reason: str
    document_no: str | None
    policy: str
    filters: str
    is_of_list: bool = Field(description="在导出的列表之中")

    @classmethod
    def of(cls, line: ViewLine) -> "ViewView":
        view = line.view
        return cls(
            id=view.id,
            at=view.at,
            actor=view.actor,
            unit_code=view.unit_code,
            way=view.way,
            ticket_id=view.ticket_id,
            ticket_no=line.ticket_no,
            fields=list(view.fields),
            reason=view.reason,
            document_no=view.document_no,
            policy=view.policy,
            filters=view.filters,
            is_of_list=line.is_of_list,
        )


class ViewsView(BaseModel):
    items: list[ViewView]
    next: str | None


@router.post(
    "/tickets/{ticket_id}/identity-views",
    status_code=201,
    summary="查看诉求人信息（不脱敏，须有理由，留下记录）",
    responses=refusals(
        TicketNotFound, NotYourTicket, Recused, IdentityHidden, UnknownViewReason, DocumentMissing
    ),
)
async def look(
    ticket_id: TicketId,
    body: LookRequest,
    response: Response,
    rules: InForce,
    kit: Parts,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:unmask"),
) -> LookView:
    view, found = await identity.look(
        tx,
        step=Step(ticket_id=ticket_id, actor=who.subject, unit=acts_for(who)),
        wanted=body.look(),
        rules=rules,
        sealer=Sealer(kit.secret),
        now=now,
    )
    no_store(response)
    return LookView(view_id=view.id, fields=dict(found))


@router.get("/identity-views", summary="诉求人信息查看记录", response_model=ViewsView)
async def list_views(
    page: Paged,
    reads: Reads,
    ticket_id: Annotated[UUID | None, Query(description="工单标识；含其所在的导出列表")] = None,
    actor: Annotated[str | None, Query(max_length=128, description="查看人")] = None,
    way: Annotated[Way | None, Query(description="查看方式")] = None,
    reason: Annotated[str | None, Query(max_length=64, description="理由代码")] = None,
    who: Principal = require("identity:audit"),
) -> ViewsView:
    """The newest first."""
    filters = ViewFilters(
        seen_by=viewer_of(who), ticket_id=ticket_id, actor=actor, way=way, reason=reason
    )
    found = await views(reads, filters, after=page.after, most=page.limit)
    last = found[-1] if len(found) == page.limit else None
    return ViewsView(
        items=[ViewView.of(each) for each in found], next=last and page.next_cursor(last.key)
    )
