"""What units owe the knowledge base, the week's attestation, and what a ticket's answer cites."""

from datetime import date, datetime, time
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tongban_common.auth import NotPermitted, Principal, require
from tongban_common.clock import new_id
from tongban_common.errors import RuleViolation
from tongban_common.http import Now, Paged, Reads, Router, Tx, refusals
from tongban_common.privacy import mask_text
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.api.knowledge import InForce
from tongban_hotline_dispatch.domain.duties import Duty, DutyKind, DutySettled
from tongban_hotline_dispatch.domain.moves import TicketArchived
from tongban_hotline_dispatch.domain.ticket import NotYourTicket
from tongban_hotline_dispatch.operations import acts_for, knowledge, knowledge_duties, viewer_of
from tongban_hotline_dispatch.operations.knowledge_duties import NewDuty
from tongban_hotline_dispatch.operations.tickets import Step
from tongban_hotline_dispatch.store import TicketNotFound, UnitNotFound
from tongban_hotline_dispatch.store import knowledge_duties as stored
from tongban_hotline_dispatch.store.knowledge import ItemNotFound
from tongban_hotline_dispatch.store.knowledge_duties import DutyFilters, DutyNotFound

router = Router(prefix="/hotline/v1", tags=["知识库"])

EARLIEST = date(2004, 1, 1)  # the calendar knows no earlier working days


class PublishedInFuture(RuleViolation):
    code = "knowledge.policy_not_published"


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class NewPolicyRequest(_Request):
    unit_code: str = Field(min_length=1, max_length=64, description="负责单位编码")
    about: str = Field(min_length=1, max_length=300, description="政策名称及文号")
    published_on: date = Field(ge=EARLIEST, description="政策公布之日")


class CloseDutyRequest(_Request):
    note: str = Field(min_length=1, max_length=1_000, description="核销原因")


class CiteRequest(_Request):
    items: list[UUID] = Field(max_length=20, description="所引用的知识")


class DutyView(BaseModel):
    id: UUID
    kind: DutyKind
    unit_code: str
    about: str
    item_id: UUID | None
    start_at: AwareDatetime
    due: AwareDatetime
    clause: str
    done_at: AwareDatetime | None
    missed_at: AwareDatetime | None
    is_late: bool
    note: str | None

    @classmethod
    def of(cls, duty: Duty) -> "DutyView":
        return cls(
            id=duty.id,
            kind=duty.kind,
            unit_code=duty.unit_code,
            about=mask_text(duty.about),
            item_id=duty.item_id,
            start_at=duty.start_at.astimezone(SHANGHAI),
            due=duty.due_at.astimezone(SHANGHAI),
            clause=duty.limit.clause,
            done_at=None if duty.done_at is None else duty.done_at.astimezone(SHANGHAI),
            missed_at=None if duty.missed_at is None else duty.missed_at.astimezone(SHANGHAI),
            is_late=duty.is_late(),
            note=duty.note,
        )


class DutyPage(BaseModel):
    items: list[DutyView]
    next: str | None


class AttestedView(BaseModel):
    week: str


class CitedView(BaseModel):
    item_id: UUID
    number: int
    title: str


class CitationsView(BaseModel):
    items: list[CitedView]


@router.get("/knowledge-duties", summary="知识更新责任")
async def duties(
    page: Paged,
    reads: Reads,
    unit: Annotated[str | None, Query(max_length=64, description="单位编码")] = None,
    kind: Annotated[DutyKind | None, Query(description="责任种类")] = None,
    open_: Annotated[bool | None, Query(alias="open", description="是否尚未办结")] = None,
    missed: Annotated[bool | None, Query(description="是否逾期")] = None,
    who: Principal = require("knowledge:read"),
) -> DutyPage:
    filters = DutyFilters(
        unit_code=acts_for(who) or unit, kind=kind, is_open=open_, is_missed=missed
    )
    found = await stored.duties(reads, filters=filters, page=page)
    last = found[-1] if len(found) == page.limit else None
    return DutyPage(
        items=[DutyView.of(each.duty) for each in found],
        next=last and page.next_cursor(last.key),
    )


@router.post(
    "/knowledge-duties",
    status_code=201,
    summary="新政策公布，责成单位入库",
    responses=refusals(UnitNotFound, PublishedInFuture),
)
async def new_policy(
    body: NewPolicyRequest,
    ground: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("knowledge:duty"),
) -> DutyView:
    if body.published_on > now.astimezone(SHANGHAI).date():
        raise PublishedInFuture("政策尚未公布")
    new = NewDuty(
        duty_id=new_id(now),
        kind=DutyKind.NEW_POLICY,
        unit_code=body.unit_code,
        about=body.about,
        start_at=datetime.combine(body.published_on, time.min, tzinfo=SHANGHAI),
        opened_by=who.subject,
    )
    return DutyView.of(await knowledge_duties.open_duty(tx, new=new, ground=ground, now=now))


@router.post(
    "/knowledge-duties/{duty_id}/close",
    summary="核销责任事项",
    responses=refusals(DutyNotFound, DutySettled),
)
async def close_duty(
    duty_id: Annotated[UUID, Path(description="责任事项标识")],
    body: CloseDutyRequest,
    tx: Tx,
    now: Now,
    who: Principal = require("knowledge:duty"),
) -> DutyView:
    duty = await knowledge_duties.close_duty(
        tx, duty_id=duty_id, note=body.note, by=who.subject, now=now
    )
    return DutyView.of(duty)


@router.post(
    "/knowledge-attestations",
    summary="确认本单位本周知识无误",
    responses=refusals(UnitNotFound),
)
async def attest(
    ground: InForce, tx: Tx, now: Now, who: Principal = require("knowledge:attest")
) -> AttestedView:
    if who.unit is None:
        raise NotPermitted("您的身份没有所属承办单位")
    week = await knowledge_duties.attest(
        tx, unit_code=who.unit, by=who.subject, ground=ground, now=now
    )
    return AttestedView(week=week)


@router.get(
    "/tickets/{ticket_id}/knowledge",
    summary="答复所引用的知识",
    responses=refusals(TicketNotFound),
)
async def cited(
    ticket_id: UUID, reads: Reads, who: Principal = require("ticket:read")
) -> CitationsView:
    await queries.one(reads, ticket_id, seen_by=viewer_of(who))
    found = await stored.cited_by(reads, ticket_id)
    return CitationsView(
        items=[
            CitedView(item_id=each.item_id, number=each.number, title=each.title) for each in found
        ]
    )


@router.put(
    "/tickets/{ticket_id}/knowledge",
    status_code=204,
    summary="注明答复所引用的知识",
    responses=refusals(TicketNotFound, NotYourTicket, TicketArchived, ItemNotFound),
)
async def cite(
    ticket_id: UUID,
    body: CiteRequest,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:reply"),
) -> None:
    step = Step(ticket_id=ticket_id, actor=who.subject, unit=acts_for(who))
    await knowledge.cite(tx, step=step, items=body.items, now=now)
