"""The contacts of the units: filed, ended, corrected; masked, unless a reason is given and kept."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from tongban_common.auth import Principal, require
from tongban_common.clock import new_id
from tongban_common.http import (
    ChangedMeanwhile,
    IfMatch,
    IfMatchMissing,
    Now,
    Paged,
    Reads,
    Router,
    Tx,
    no_store,
    refusals,
    tag,
)
from tongban_common.privacy import Sealer
from tongban_common.service import Parts
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.contacts import (
    AlreadyEnded,
    Change,
    ChangeInFuture,
    ChangeTooOld,
    Contact,
    ContactRole,
    EndBeforeStart,
    Filing,
    NotTheSamePost,
    Person,
    RoleTaken,
)
from tongban_hotline_dispatch.domain.importing import PHONE
from tongban_hotline_dispatch.operations import acts_for, contacts
from tongban_hotline_dispatch.operations.contacts import (
    Appointment,
    ContactGround,
    ContactStep,
    Leaving,
    NobodyTakesOver,
    NotYourUnit,
    UnknownReason,
)
from tongban_hotline_dispatch.store import UnitNotFound
from tongban_hotline_dispatch.store import contacts as reads_of
from tongban_hotline_dispatch.store.contacts import ContactFilters, ContactLine, ContactNotFound

router = Router(prefix="/hotline/v1/contacts", tags=["承办单位联络人员"])

_MOVE_REFUSALS = (ContactNotFound, AlreadyEnded, ChangedMeanwhile, IfMatchMissing, NotYourUnit)
ContactId = Annotated[UUID, Path(description="联络人员标识")]
Account = Annotated[str, StringConstraints(pattern=r"^[^\x00\s]{1,128}$")]
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,100}$")]
Email = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x20@]{1,64}@[^\x00-\x20@]{3,100}$")]


async def _ground_in_force(kit: Parts, now: Now) -> ContactGround:
    return await contacts.ground_at(kit, now=now)


InForce = Annotated[ContactGround, Depends(_ground_in_force)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class ContactPerson(_Request):
    """Stored under seal and shown masked."""

    name: Line
    post: Line | None = None
    office_phone: str | None = Field(default=None, pattern=PHONE)
    mobile: str | None = Field(default=None, pattern=PHONE)
    email: Email | None = None
    officer: Account | None = Field(default=None, description="其在本系统的账号（令牌的sub）")

    def person(self) -> Person:
        return Person(**self.model_dump())


class FileContactRequest(_Request):
    unit_code: str = Field(min_length=1, max_length=64, description="承办单位编码")
    role: ContactRole
    person: ContactPerson
    completed_on: date = Field(description="变更完成之日")
    replaces: UUID | None = Field(default=None, description="接替何人")


class EndContactRequest(_Request):
    completed_on: date = Field(description="变更完成之日")
    take_over: Account | None = Field(default=None, description="接手其在办工单的账号")


class TakeRequest(_Request):
    officer: Account = Field(description="经办人的账号")


class PersonMasked(BaseModel):
    name: str
    post: str | None
    office_phone: str | None
    mobile: str | None
    email: str | None

    @classmethod
    def of(cls, person: Person) -> "PersonMasked":
        return cls(
            name=person.name,
            post=person.post,
            office_phone=person.office_phone,
            mobile=person.mobile,
            email=person.email,
        )


class ContactView(BaseModel):
    id: UUID
    unit_code: str
    role: ContactRole
    person: PersonMasked
    has_officer: bool
    valid_from: date
    valid_to: date | None
    version: int

    @classmethod
    def of(cls, contact: Contact) -> "ContactView":
        return cls(
            id=contact.id,
            unit_code=contact.unit_code,
            role=contact.role,
            person=PersonMasked.of(reads_of.masked(contact.person)),
            has_officer=contact.officer is not None,
            valid_from=contact.valid_from,
            valid_to=contact.valid_to,
            version=contact.version,
        )


class ContactLineView(ContactView):
    unit_name: str | None

    @classmethod
    def of_line(cls, line: ContactLine) -> "ContactLineView":
        return cls(
            id=line.id,
            unit_code=line.unit_code,
            unit_name=line.unit_name,
            role=line.role,
            person=PersonMasked.of(line.person),
            has_officer=line.has_officer,
            valid_from=line.valid_from,
            valid_to=line.valid_to,
            version=line.version,
        )


class ContactPage(BaseModel):
    items: list[ContactLineView]
    next: str | None


class FiledView(BaseModel):
    contact: ContactView
    change: Change
    completed_on: date
    filed_at: AwareDatetime
    due: AwareDatetime | None
    clause: str | None
    is_late: bool

    @classmethod
    def of(cls, contact: Contact, filing: Filing) -> "FiledView":
        term = filing.term
        return cls(
            contact=ContactView.of(contact),
            change=filing.change,
            completed_on=filing.completed_on,
            filed_at=filing.filed_at.astimezone(SHANGHAI),
            due=None if term is None else term.due_at,
            clause=None if term is None else term.limit.clause,
            is_late=filing.is_late,
        )


@router.post(
    "",
    status_code=201,
    summary="备案联络人员（新任或接任）",
    responses=refusals(
        UnitNotFound,
        ContactNotFound,
        ChangeInFuture,
        ChangeTooOld,
        EndBeforeStart,
        NotTheSamePost,
        AlreadyEnded,
        RoleTaken,
        NotYourUnit,
        NobodyTakesOver,
    ),
)
async def file(
    body: FileContactRequest,
    response: Response,
    ground: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("contact:file"),
) -> FiledView:
    new = Appointment(
        contact_id=new_id(now),
        unit_code=body.unit_code,
        role=body.role,
        person=body.person.person(),
        completed_on=body.completed_on,
        replaces=body.replaces,
    )
    step = ContactStep(actor=who.subject, unit=acts_for(who))
    contact, filing = await contacts.appoint(tx, new=new, step=step, ground=ground, now=now)
    response.headers["Location"] = f"/hotline/v1/contacts/{contact.id}"
    tag(response, contact.version)
    return FiledView.of(contact, filing)


@router.get("", summary="联络人员列表（遮蔽显示）")
async def list_contacts(
    page: Paged,
    reads: Reads,
    now: Now,
    kit: Parts,
    unit: Annotated[str | None, Query(max_length=64, description="承办单位编码")] = None,
    role: Annotated[ContactRole | None, Query(description="岗位")] = None,
    active: Annotated[bool, Query(description="只看在任")] = True,  # noqa: FBT002 - a query
    who: Principal = require("contact:read"),
) -> ContactPage:
    filters = ContactFilters(
        unit_code=acts_for(who) or unit,
        role=role,
        active_on=now.astimezone(SHANGHAI).date() if active else None,
    )
    sealer = Sealer(kit.secret)
    found = await reads_of.contacts(reads, filters=filters, page=page, sealer=sealer)
    last = found[-1] if len(found) == page.limit else None
    return ContactPage(
        items=[ContactLineView.of_line(each) for each in found],
        next=last and page.next_cursor(last.key),
    )


@router.get(
    "/{contact_id}", summary="查看联络人员（遮蔽显示）", responses=refusals(ContactNotFound)
)
async def read(
    contact_id: ContactId,
    response: Response,
    reads: Reads,
    kit: Parts,
    who: Principal = require("contact:read"),
) -> ContactLineView:
    found = await reads_of.contact(
        reads, contact_id, seen_by=acts_for(who), sealer=Sealer(kit.secret)
    )
    tag(response, found.version)
    return ContactLineView.of_line(found)


@router.get(
    "/{contact_id}/unmasked",
    summary="查看联络人员原文（须说明原因，留有记录）",
    responses=refusals(ContactNotFound, UnknownReason, NotYourUnit),
)
async def unmasked(
    contact_id: ContactId,
    reason: Annotated[str, Query(max_length=40, description="查看原因的代码")],
    response: Response,
    ground: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("contact:unmask"),
) -> PersonMasked:
    step = ContactStep(actor=who.subject, unit=acts_for(who))
    contact = await contacts.reveal(
        tx, contact_id=contact_id, reason=reason, step=step, ground=ground, now=now
    )
    no_store(response)
    return PersonMasked.of(contact.person)


@router.put(
    "/{contact_id}",
    summary="更正联络人员（同一人）",
    responses=refusals(*_MOVE_REFUSALS, NobodyTakesOver),
)
async def correct(
    contact_id: ContactId,
    body: ContactPerson,
    expected: IfMatch,
    response: Response,
    ground: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("contact:file"),
) -> ContactView:
    contact = await contacts.correct(
        tx,
        contact_id=contact_id,
        person=body.person(),
        step=_step(who, expected),
        ground=ground,
        now=now,
    )
    tag(response, contact.version)
    return ContactView.of(contact)


@router.post(
    "/{contact_id}/end",
    summary="备案离任",
    responses=refusals(
        *_MOVE_REFUSALS, ChangeInFuture, ChangeTooOld, EndBeforeStart, NobodyTakesOver
    ),
)
async def end(
    contact_id: ContactId,
    body: EndContactRequest,
    expected: IfMatch,
    response: Response,
    ground: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("contact:file"),
) -> FiledView:
    contact, filing = await contacts.end(
        tx,
        contact_id=contact_id,
        leaving=Leaving(completed_on=body.completed_on, take_over=body.take_over),
        step=_step(who, expected),
        ground=ground,
        now=now,
    )
    tag(response, contact.version)
    return FiledView.of(contact, filing)


def _step(who: Principal, expected: int) -> ContactStep:
    return ContactStep(actor=who.subject, unit=acts_for(who), seen_version=expected)
