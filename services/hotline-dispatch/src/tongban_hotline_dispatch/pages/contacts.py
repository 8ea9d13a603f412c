"""The contacts of the units: the list, one with what may be done, filings, gaps, confirmations."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tongban_common.auth import NotPermitted, Principal, require
from tongban_common.clock import new_id
from tongban_common.http import Now, Paged, Reads, Router, Tx, no_store
from tongban_common.privacy import Sealer
from tongban_common.service import Parts
from tongban_common.web import templates
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.domain.contacts import (
    CHANGE_NAMES,
    ROLE_NAMES,
    ContactRole,
    Person,
)
from tongban_hotline_dispatch.domain.importing import PHONE
from tongban_hotline_dispatch.operations import acts_for, contact_rounds, contacts
from tongban_hotline_dispatch.operations.contacts import (
    Appointment,
    ContactGround,
    ContactStep,
    Leaving,
)
from tongban_hotline_dispatch.pages.explaining import explained
from tongban_hotline_dispatch.store import contact_rounds as stored_rounds
from tongban_hotline_dispatch.store import contacts as stored
from tongban_hotline_dispatch.store.contacts import ContactFilters, FilingNotFound

router = Router(prefix="/hotline/contacts")
pages = templates("tongban_hotline_dispatch")
_SAID = {"filed": "已备案", "late": "已备案；已超过备案期限，按逾期备案登记", "confirmed": "已确认"}
_LINE = r"^[^\x00-\x1f]*$"
_PHONE_OR_NOT = rf"{PHONE}|^$"


async def _ground_in_force(kit: Parts, now: Now) -> ContactGround:
    return await contacts.ground_at(kit, now=now)


InForce = Annotated[ContactGround, Depends(_ground_in_force)]


def _person(
    name: Annotated[str, Form(max_length=100, pattern=r"^[^\x00-\x1f]*\S[^\x00-\x1f]*$")],
    post: Annotated[str, Form(max_length=100, pattern=_LINE)] = "",
    office_phone: Annotated[str, Form(pattern=_PHONE_OR_NOT)] = "",
    mobile: Annotated[str, Form(pattern=_PHONE_OR_NOT)] = "",
    email: Annotated[str, Form(max_length=160, pattern=r"^([^\x00-\x20@]+@[^\x00-\x20@]+)?$")] = "",
    officer: Annotated[str, Form(max_length=128, pattern=r"^[^\x00\s]*$")] = "",
) -> Person:
    return Person(
        name=name.strip(),
        post=post.strip() or None,
        office_phone=office_phone or None,
        mobile=mobile or None,
        email=email or None,
        officer=officer or None,
    )


FormPerson = Annotated[Person, Depends(_person)]


@router.get("", response_class=HTMLResponse, include_in_schema=False)
async def contact_list(
    request: Request,
    page: Paged,
    reads: Reads,
    now: Now,
    kit: Parts,
    unit: Annotated[str, Query(max_length=64)] = "",
    role: Annotated[str, Query(max_length=40)] = "",
    who: Principal = require("contact:read"),
) -> HTMLResponse:
    filters = ContactFilters(
        unit_code=acts_for(who) or unit or None,
        role=ContactRole(role) if role in set(ContactRole) else None,
        active_on=now.astimezone(SHANGHAI).date(),
    )
    found = await stored.contacts(reads, filters=filters, page=page, sealer=Sealer(kit.secret))
    gaps = await stored_rounds.units_without_contact(reads, unit_code=acts_for(who))
    return pages.render(
        request,
        "contacts.html",
        contacts=found,
        roles=ROLE_NAMES,
        units=await queries.units(reads) if acts_for(who) is None else (),
        filters=filters,
        gaps=len(gaps),
        next_cursor=page.next_cursor(found[-1].key) if len(found) == page.limit else None,
    )


@router.get("/filings", response_class=HTMLResponse, include_in_schema=False)
async def filing_list(
    request: Request,
    page: Paged,
    reads: Reads,
    ground: InForce,
    late: Annotated[str, Query(max_length=5)] = "",
    who: Principal = require("contact:read"),
) -> HTMLResponse:
    found = await stored.filings(
        reads, unit_code=acts_for(who), late=True if late else None, page=page
    )
    return pages.render(
        request,
        "contact_filings.html",
        filings=found,
        roles=ROLE_NAMES,
        changes=CHANGE_NAMES,
        limit=ground.rules.filing,
        late=bool(late),
        next_cursor=page.next_cursor(found[-1].key) if len(found) == page.limit else None,
    )


@router.get("/filings/{filing_id}", response_class=HTMLResponse, include_in_schema=False)
async def filing_deadline(
    request: Request,
    filing_id: UUID,
    reads: Reads,
    kit: Parts,
    who: Principal = require("contact:read"),
) -> HTMLResponse:
    found = await stored.filing(reads, filing_id, unit_code=acts_for(who))
    if found.term is None:
        raise FilingNotFound("该岗位的变更没有备案期限")
    explanation = await explained(
        reads,
        kit,
        start_at=found.term.start_at,
        limit=found.term.limit,
        calendar_version=found.term.calendar_version,
    )
    return pages.render(
        request,
        "deadline.html",
        heading="备案期限",
        about=f"{found.unit_name or found.unit_code} {ROLE_NAMES[found.role]}",
        explanation=explanation,
        policy=found.term.policy,
        back="/hotline/contacts/filings",
    )


@router.get("/missing", response_class=HTMLResponse, include_in_schema=False)
async def gap_list(
    request: Request, reads: Reads, who: Principal = require("contact:read")
) -> HTMLResponse:
    return pages.render(
        request,
        "contact_gaps.html",
        gaps=await stored_rounds.units_without_contact(reads, unit_code=acts_for(who)),
        checked_at=await stored_rounds.last_check(reads),
        roles=ROLE_NAMES,
    )


@router.get("/confirmations", response_class=HTMLResponse, include_in_schema=False)
async def confirmation_list(
    request: Request,
    reads: Reads,
    said: Annotated[str, Query(max_length=20)] = "",
    who: Principal = require("contact:read"),
) -> HTMLResponse:
    found = await stored_rounds.confirmations(
        reads, quarter=None, unit_code=acts_for(who), is_open=None
    )
    return pages.render(
        request,
        "contact_confirmations.html",
        confirmations=found,
        may_confirm=who.unit if who.may("contact:confirm") else None,
        flash=_SAID.get(said),
    )


@router.post("/confirmations", response_class=HTMLResponse, include_in_schema=False)
async def confirm(
    quarter: Annotated[str, Form(pattern=r"^\d{4}Q[1-4]$")],
    ground: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("contact:confirm"),
) -> Response:
    if who.unit is None:
        raise NotPermitted("您的身份没有所属承办单位")
    step = ContactStep(actor=who.subject, unit=who.unit)
    await contact_rounds.confirm(
        tx, quarter=quarter, unit_code=who.unit, step=step, rules=ground.rules, now=now
    )
    return RedirectResponse("/hotline/contacts/confirmations?said=confirmed", status_code=303)


@router.get("/new", response_class=HTMLResponse, include_in_schema=False)
async def new_form(
    request: Request,
    reads: Reads,
    now: Now,
    kit: Parts,
    ground: InForce,
    replaces: UUID | None = None,
    who: Principal = require("contact:file"),
) -> HTMLResponse:
    old = None
    if replaces is not None:
        old = await stored.contact(
            reads, replaces, seen_by=acts_for(who), sealer=Sealer(kit.secret)
        )
    return pages.render(
        request,
        "contact_form.html",
        old=old,
        unit=acts_for(who),
        units=await queries.units(reads),
        roles=ROLE_NAMES,
        limit=ground.rules.filing,
        today=now.astimezone(SHANGHAI).date(),
    )


@router.post("/new", response_class=HTMLResponse, include_in_schema=False)
async def file(
    person: FormPerson,
    role: Annotated[ContactRole, Form()],
    completed_on: Annotated[date, Form()],
    ground: InForce,
    tx: Tx,
    now: Now,
    unit_code: Annotated[str, Form(max_length=64, pattern=r"^[^\x00]*$")] = "",
    replaces: Annotated[UUID | None, Form()] = None,
    who: Principal = require("contact:file"),
) -> Response:
    new = Appointment(
        contact_id=new_id(now),
        unit_code=acts_for(who) or unit_code,
        role=role,
        person=person,
        completed_on=completed_on,
        replaces=replaces,
    )
    step = ContactStep(actor=who.subject, unit=acts_for(who))
    contact, filing = await contacts.appoint(tx, new=new, step=step, ground=ground, now=now)
    said = "late" if filing.is_late else "filed"
    return RedirectResponse(f"/hotline/contacts/{contact.id}?said={said}", status_code=303)


@router.get("/{contact_id}", response_class=HTMLResponse, include_in_schema=False)
async def contact_page(
    request: Request,
    contact_id: UUID,
    reads: Reads,
    now: Now,
    ground: InForce,
    said: Annotated[str, Query(max_length=20)] = "",
    who: Principal = require("contact:read"),
) -> HTMLResponse:
    found = await stored.contact(reads, contact_id, seen_by=acts_for(who), sealer=ground.sealer)
    return pages.render(
        request,
        "contact.html",
        contact=found,
        person=found.person,
        is_clear=False,
        roles=ROLE_NAMES,
        today=now.astimezone(SHANGHAI).date(),
        reasons=list(ground.rules.reasons.items()),
        may_file=who.may("contact:file") and found.valid_to is None,
        may_unmask=who.may("contact:unmask"),
        flash=_SAID.get(said),
    )


@router.post("/{contact_id}/end", response_class=HTMLResponse, include_in_schema=False)
async def end(
    contact_id: UUID,
    version: Annotated[int, Form(ge=1, le=1_000_000)],
    completed_on: Annotated[date, Form()],
    ground: InForce,
    tx: Tx,
    now: Now,
    take_over: Annotated[str, Form(max_length=128, pattern=r"^[^\x00\s]*$")] = "",
    who: Principal = require("contact:file"),
) -> Response:
    _, filing = await contacts.end(
        tx,
        contact_id=contact_id,
        leaving=Leaving(completed_on=completed_on, take_over=take_over or None),
        step=ContactStep(actor=who.subject, unit=acts_for(who), seen_version=version),
        ground=ground,
        now=now,
    )
    said = "late" if filing.is_late else "filed"
    return RedirectResponse(f"/hotline/contacts/{contact_id}?said={said}", status_code=303)


@router.post("/{contact_id}/unmasked", response_class=HTMLResponse, include_in_schema=False)
async def unmasked(
    request: Request,
    contact_id: UUID,
    reason: Annotated[str, Form(max_length=40)],
    reads: Reads,
    ground: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("contact:unmask"),
) -> HTMLResponse:
    """Posted: a viewing is an act, and its page is kept by no cache."""
    line = await stored.contact(reads, contact_id, seen_by=acts_for(who), sealer=ground.sealer)
    step = ContactStep(actor=who.subject, unit=acts_for(who))
    contact = await contacts.reveal(
        tx, contact_id=contact_id, reason=reason, step=step, ground=ground, now=now
    )
    shown = pages.render(
        request,
        "contact.html",
        contact=line,
        person=contact.person,
        is_clear=True,
        roles=ROLE_NAMES,
        today=now.astimezone(SHANGHAI).date(),
        reasons=(),
        may_file=False,
        may_unmask=False,
    )
    no_store(shown)
    return shown
