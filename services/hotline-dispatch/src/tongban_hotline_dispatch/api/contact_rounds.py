"""Filings, units without a contact, quarterly confirmations, and who has a ticket in hand."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query
from pydantic import AwareDatetime, BaseModel

from tongban_common.auth import NotPermitted, Principal, require
from tongban_common.http import Now, Paged, Reads, Router, Tx, refusals
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.api.contacts import InForce, TakeRequest
from tongban_hotline_dispatch.domain.contacts import Change, ContactRole
from tongban_hotline_dispatch.domain.ticket import NotYourTicket
from tongban_hotline_dispatch.operations import acts_for, contact_rounds, officers, viewer_of
from tongban_hotline_dispatch.operations.contact_rounds import NothingToConfirm
from tongban_hotline_dispatch.operations.contacts import ContactStep, NotYourUnit
from tongban_hotline_dispatch.operations.officers import NothingInHand
from tongban_hotline_dispatch.operations.tickets import Step
from tongban_hotline_dispatch.store import TicketNotFound
from tongban_hotline_dispatch.store import contact_rounds as stored
from tongban_hotline_dispatch.store import contacts as stored_contacts
from tongban_hotline_dispatch.store import officers as stored_officers
from tongban_hotline_dispatch.store.contact_rounds import RoundNotFound

router = Router(prefix="/hotline/v1", tags=["承办单位联络人员"])


class FilingView(BaseModel):
    id: UUID
    unit_code: str
    unit_name: str | None
    role: ContactRole
    change: Change
    completed_on: date
    filed_at: AwareDatetime
    due: AwareDatetime | None
    clause: str | None
    is_late: bool
    handed_over: int


class FilingPage(BaseModel):
    items: list[FilingView]
    next: str | None


class GapView(BaseModel):
    unit_code: str
    unit_name: str | None
    roles: list[ContactRole]
    since: date
    found_on: date
    nights: int


class GapList(BaseModel):
    checked_at: AwareDatetime | None
    items: list[GapView]


class ConfirmationView(BaseModel):
    quarter: str
    unit_code: str
    unit_name: str | None
    due: AwareDatetime
    confirmed_at: AwareDatetime | None
    is_missed: bool


class ConfirmationList(BaseModel):
    items: list[ConfirmationView]


class OfficerView(BaseModel):
    ticket_id: UUID
    officer: str | None


Quarter = Annotated[str, Path(pattern=r"^\d{4}Q[1-4]$", description="季度，如2026Q4")]


@router.get("/contact-filings", summary="联络人员备案记录")
async def filings(
    page: Paged,
    reads: Reads,
    unit: Annotated[str | None, Query(max_length=64, description="承办单位编码")] = None,
    late: Annotated[bool | None, Query(description="是否逾期备案")] = None,
    who: Principal = require("contact:read"),
) -> FilingPage:
    found = await stored_contacts.filings(
        reads, unit_code=acts_for(who) or unit, late=late, page=page
    )
    last = found[-1] if len(found) == page.limit else None
    return FilingPage(
        items=[
            FilingView(
                id=each.id,
                unit_code=each.unit_code,
                unit_name=each.unit_name,
                role=each.role,
                change=each.change,
                completed_on=each.completed_on,
                filed_at=each.filed_at.astimezone(SHANGHAI),
                due=None if each.due_at is None else each.due_at.astimezone(SHANGHAI),
                clause=each.clause,
                is_late=each.is_late,
                handed_over=each.handed_over,
            )
            for each in found
        ],
        next=last and page.next_cursor(last.key),
    )


@router.get("/units-without-contact", summary="没有在任联络员的承办单位（每夜检查）")
async def without_contact(reads: Reads, who: Principal = require("contact:read")) -> GapList:
    found = await stored.units_without_contact(reads, unit_code=acts_for(who))
    checked_at = await stored.last_check(reads)
    return GapList(
        checked_at=None if checked_at is None else checked_at.astimezone(SHANGHAI),
        items=[
            GapView(
                unit_code=each.unit_code,
                unit_name=each.unit_name,
                roles=list(each.roles),
                since=each.since,
                found_on=each.found_on,
                nights=each.nights,
            )
            for each in found
        ],
    )


@router.get("/contact-confirmations", summary="联络人员季度确认")
async def confirmations(
    reads: Reads,
    quarter: Annotated[
        str | None, Query(pattern=r"^\d{4}Q[1-4]$", description="季度，默认最近一个")
    ] = None,
    open_: Annotated[bool | None, Query(alias="open", description="是否尚未确认")] = None,
    who: Principal = require("contact:read"),
) -> ConfirmationList:
    found = await stored.confirmations(
        reads, quarter=quarter, unit_code=acts_for(who), is_open=open_
    )
    return ConfirmationList(
        items=[
            ConfirmationView(
                quarter=each.quarter,
                unit_code=each.unit_code,
                unit_name=each.unit_name,
                due=each.due_at.astimezone(SHANGHAI),
                confirmed_at=(
                    None if each.confirmed_at is None else each.confirmed_at.astimezone(SHANGHAI)
                ),
                is_missed=each.is_missed,
            )
            for each in found
        ]
    )


@router.post(
    "/contact-confirmations/{quarter}",
    status_code=204,
    summary="确认本单位联络人员无误",
    responses=refusals(RoundNotFound, NothingToConfirm, NotYourUnit),
)
async def confirm(
    quarter: Quarter,
    ground: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("contact:confirm"),
) -> None:
    if who.unit is None:
        raise NotPermitted("您的身份没有所属承办单位")
    step = ContactStep(actor=who.subject, unit=who.unit)
    await contact_rounds.confirm(
        tx, quarter=quarter, unit_code=who.unit, step=step, rules=ground.rules, now=now
    )


@router.get(
    "/tickets/{ticket_id}/officer", summary="工单的经办人", responses=refusals(TicketNotFound)
)
async def officer_of(
    ticket_id: UUID, reads: Reads, who: Principal = require("ticket:read")
) -> OfficerView:
    await queries.one(reads, ticket_id, seen_by=viewer_of(who))
    officer = await stored_officers.officer_of(reads, ticket_id, unit=acts_for(who))
    return OfficerView(ticket_id=ticket_id, officer=officer)


@router.put(
    "/tickets/{ticket_id}/officer",
    summary="指定工单的经办人",
    responses=refusals(TicketNotFound, NotYourTicket, NothingInHand),
)
async def take(
    ticket_id: UUID,
    body: TakeRequest,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:take"),
) -> OfficerView:
    step = Step(ticket_id=ticket_id, actor=who.subject, unit=acts_for(who))
    await officers.take_in_hand(tx, step=step, officer=body.officer, now=now)
    return OfficerView(ticket_id=ticket_id, officer=body.officer)
