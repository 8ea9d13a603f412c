"""The contacts of the units, sealed field by field, and the filings that brought and ended them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    Uuid,
    func,
    insert,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_common.errors import NotFound
from tongban_common.http import PageRequest
from tongban_common.privacy import Sealer, mask_name, mask_phone
from tongban_common.working_days import Limit
from tongban_common.working_days import Unit as LimitUnit
from tongban_hotline_dispatch.domain.contacts import (
    Change,
    Contact,
    ContactRole,
    Filing,
    FilingTerm,
    Person,
    filing_start,
    mask_email,
)
from tongban_hotline_dispatch.store.reference import metadata, unit

unit_contact = Table(
    "unit_contact",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("unit_code", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("officer", Text),
    Column("name", LargeBinary, nullable=False),
    Column("post", Text),
    Column("office_phone", LargeBinary),
    Column("mobile", LargeBinary),
    Column("email", LargeBinary),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date),
    Column("version", Integer, nullable=False),
)
Index("ix_unit_contact_unit", unit_contact.c.unit_code, unit_contact.c.role, unit_contact.c.id)
contact_filing = Table(
    "contact_filing",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("unit_code", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("contact_id", Uuid, nullable=False),
    Column("replaces_id", Uuid),
    Column("change", Text, nullable=False),
    Column("completed_on", Date, nullable=False),
    Column("filed_at", DateTime(timezone=True), nullable=False),
    Column("filed_by", Text, nullable=False),
    Column("due_at", DateTime(timezone=True)),
    Column("amount", Integer),
    Column("unit", Text),
    Column("clause", Text),
    Column("policy", Text),
    Column("calendar_version", Text),
    Column("is_late", Boolean, nullable=False),
    Column("handed_over", Integer, nullable=False),
)
Index("ix_contact_filing_newest", contact_filing.c.filed_at.desc(), contact_filing.c.id.desc())
Index("ix_contact_filing_contact", contact_filing.c.contact_id)
_SEALED = ("name", "office_phone", "mobile", "email")


class ContactNotFound(NotFound):
    code = "contact.not_found"


class FilingNotFound(NotFound):
    code = "contact.filing_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactFilters:
    unit_code: str | None = None
    role: ContactRole | None = None
    active_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactLine:
    """One line of a list, masked."""

    id: UUID
    unit_code: str
    unit_name: str | None
    role: ContactRole
    person: Person
    has_officer: bool
    valid_from: date
    valid_to: date | None
    version: int

    @property
    def key(self) -> list[str]:
        return [self.unit_code, self.role, str(self.id)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilingLine:
    id: UUID
    unit_code: str
    unit_name: str | None
    role: ContactRole
    change: Change
    completed_on: date
    filed_at: datetime
    filed_by: str
    term: FilingTerm | None
    is_late: bool
    handed_over: int

    @property
    def due_at(self) -> datetime | None:
        return None if self.term is None else self.term.due_at

    @property
    def clause(self) -> str | None:
        return None if self.term is None else self.term.limit.clause

    @property
    def key(self) -> list[str]:
        return [self.filed_at.isoformat(), str(self.id)]


class Contacts:
    def __init__(self, tx: Transaction, sealer: Sealer) -> None:
        self._tx = tx
        self._sealer = sealer

    async def lock_unit(self, code: str) -> None:
        """Filings of one unit come one after the other: a post is never filled twice at once."""
        await self._tx.connection.execute(
            select(unit.c.code).where(unit.c.code == code).with_for_update()
        )

    async def get(self, contact_id: UUID) -> Contact:
        """Locks it. Raises ContactNotFound."""
        rows = await self._tx.connection.execute(
            select(unit_contact).where(unit_contact.c.id == contact_id).with_for_update()
        )
        row = rows.one_or_none()
        if row is None:
            raise ContactNotFound("没有这个联络人员")
        return _contact(row, self._sealer)

    async def active_count(self, code: str, role: ContactRole, on: date) -> int:
        rows = await self._tx.connection.execute(
            select(func.count())
            .select_from(unit_contact)
            .where(unit_contact.c.unit_code == code, unit_contact.c.role == role, active(on))
        )
        return int(rows.scalar_one())

    async def still_works(self, code: str, officer: str, on: date) -> bool:
        """Whether the officer holds any other active post of the unit."""
        rows = await self._tx.connection.execute(
            select(unit_contact.c.id)
            .where(unit_contact.c.unit_code == code, unit_contact.c.officer == officer, active(on))
            .limit(1)
        )
        return rows.one_or_none() is not None

    async def add(self, new: Contact) -> None:
        await self._tx.connection.execute(
            insert(unit_contact).values(
                id=new.id,
                unit_code=new.unit_code,
                role=new.role,
                valid_from=new.valid_from,
                valid_to=new.valid_to,
                version=new.version,
                **self._described(new),
            )
        )

    async def save(self, changed: Contact) -> None:
        await self._tx.connection.execute(
            update(unit_contact)
            .where(unit_contact.c.id == changed.id)
            .values(valid_to=changed.valid_to, version=changed.version, **self._described(changed))
        )

    async def file(
        self, filing: Filing, contact: Contact, *, replaces: UUID | None, handed_over: int
    ) -> None:
        term = filing.term
        await self._tx.connection.execute(
            insert(contact_filing).values(
                id=filing.id,
                unit_code=contact.unit_code,
                role=contact.role,
                contact_id=contact.id,
                replaces_id=replaces,
                change=filing.change,
                completed_on=filing.completed_on,
                filed_at=filing.filed_at,
                filed_by=filing.filed_by,
                due_at=None if term is None else term.due_at,
                amount=None if term is None else term.limit.amount,
                unit=None if term is None else term.limit.unit,
                clause=None if term is None else term.limit.clause,
                policy=None if term is None else term.policy,
                calendar_version=None if term is None else term.calendar_version,
                is_late=filing.is_late,
                handed_over=handed_over,
            )
        )

    def _described(self, contact: Contact) -> dict[str, object]:
        person = contact.person
        sealed = {name: self._seal(contact.id, name, getattr(person, name)) for name in _SEALED}
        return {"officer": contact.officer, "post": person.post, **sealed}

    def _seal(self, contact_id: UUID, field: str, value: str | None) -> bytes | None:
        if not value:
            return None
        return self._sealer.seal(value, context=f"unit_contact:{contact_id}:{field}")


def active(on: date) -> Any:
    """The condition of a contact that holds on a day."""
    still = or_(unit_contact.c.valid_to.is_(None), unit_contact.c.valid_to > on)
    return (unit_contact.c.valid_from <= on) & still


async def contacts(
    reads: AsyncConnection, *, filters: ContactFilters, page: PageRequest, sealer: Sealer
) -> Sequence[ContactLine]:
    """By unit and role; everything personal is masked."""
    order = (unit_contact.c.unit_code, unit_contact.c.role, unit_contact.c.id)
    statement = _with_unit(unit_contact).order_by(*order).limit(page.limit)
    if filters.unit_code is not None:
        statement = statement.where(unit_contact.c.unit_code == filters.unit_code)
    if filters.role is not None:
        statement = statement.where(unit_contact.c.role == filters.role)
    if filters.active_on is not None:
        statement = statement.where(active(filters.active_on))
    if page.after is not None:
        code, role, contact_id = page.after
        statement = statement.where(tuple_(*order) > (code, role, UUID(contact_id)))
    return [_line(row, sealer) for row in await reads.execute(statement)]


async def colleagues(
    reads: AsyncConnection, unit_code: str, *, on: date, sealer: Sealer
) -> dict[str, str]:
    """The accounts of a unit's active contacts, each with a masked name and the post."""
    statement = (
        select(unit_contact)
        .where(unit_contact.c.unit_code == unit_code, unit_contact.c.officer.is_not(None))
        .where(active(on))
        .order_by(unit_contact.c.role, unit_contact.c.id)
    )
    found: dict[str, str] = {}
    for row in await reads.execute(statement):
        person = masked(_person(row, sealer))
        found.setdefault(row.officer, f"{person.name}　{person.post or row.officer}")
    return found


async def contact(
    reads: AsyncConnection, contact_id: UUID, *, seen_by: str | None, sealer: Sealer
) -> ContactLine:
    """Masked; another unit's is as if it were not there. Raises ContactNotFound."""
    rows = await reads.execute(_with_unit(unit_contact).where(unit_contact.c.id == contact_id))
    row = rows.one_or_none()
    if row is None or (seen_by is not None and row.unit_code != seen_by):
        raise ContactNotFound("没有这个联络人员")
    return _line(row, sealer)


async def filings(
    reads: AsyncConnection, *, unit_code: str | None, late: bool | None, page: PageRequest
) -> Sequence[FilingLine]:
    """Newest first."""
    order = (contact_filing.c.filed_at, contact_filing.c.id)
    statement = _with_unit(contact_filing).order_by(*(each.desc() for each in order))
    if unit_code is not None:
        statement = statement.where(contact_filing.c.unit_code == unit_code)
    if late is not None:
        statement = statement.where(contact_filing.c.is_late == late)
    if page.after is not None:
        at, filing_id = page.after
        after = (datetime.fromisoformat(at), UUID(filing_id))
        statement = statement.where(tuple_(*order) < after)
    return [_filing_line(row) for row in await reads.execute(statement.limit(page.limit))]


async def filing(reads: AsyncConnection, filing_id: UUID, *, unit_code: str | None) -> FilingLine:
    """Raises FilingNotFound, also for one of another unit."""
    statement = _with_unit(contact_filing).where(contact_filing.c.id == filing_id)
    if unit_code is not None:
        statement = statement.where(contact_filing.c.unit_code == unit_code)
    row = (await reads.execute(statement)).one_or_none()
    if row is None:
        raise FilingNotFound("没有这条备案记录")
    return _filing_line(row)


def _with_unit(table: Table) -> Any:
    return select(table, unit.c.name.label("unit_name")).select_from(
        table.outerjoin(unit, text(f"unit.code = {table.name}.unit_code"))
    )


def _contact(row: Row[Any], sealer: Sealer) -> Contact:
    return Contact(
        id=row.id,
        unit_code=row.unit_code,
        role=ContactRole(row.role),
        person=_person(row, sealer),
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        version=row.version,
    )


def _person(row: Row[Any], sealer: Sealer) -> Person:
    def clear(field: str) -> str | None:
        sealed = getattr(row, field)
        if sealed is None:
            return None
        return sealer.open(sealed, context=f"unit_contact:{row.id}:{field}")

    return Person(
        name=clear("name") or "",
        post=row.post,
        office_phone=clear("office_phone"),
        mobile=clear("mobile"),
        email=clear("email"),
        officer=row.officer,
    )


def _line(row: Row[Any], sealer: Sealer) -> ContactLine:
    return ContactLine(
        id=row.id,
        unit_code=row.unit_code,
        unit_name=row.unit_name,
        role=ContactRole(row.role),
        person=masked(_person(row, sealer)),
        has_officer=row.officer is not None,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        version=row.version,
    )


def masked(person: Person) -> Person:
    """What everybody sees of a contact."""
    return Person(
        name=mask_name(person.name),
        post=person.post,
        office_phone=None if person.office_phone is None else mask_phone(person.office_phone),
        mobile=None if person.mobile is None else mask_phone(person.mobile),
        email=None if person.email is None else mask_email(person.email),
    )


def _filing_line(row: Row[Any]) -> FilingLine:
    return FilingLine(
        id=row.id,
        unit_code=row.unit_code,
        unit_name=row.unit_name,
        role=ContactRole(row.role),
        change=Change(row.change),
        completed_on=row.completed_on,
        filed_at=row.filed_at,
        filed_by=row.filed_by,
        term=_term(row),
        is_late=row.is_late,
        handed_over=row.handed_over,
    )


def _term(row: Row[Any]) -> FilingTerm | None:
    if row.due_at is None:
        return None
    return FilingTerm(
        start_at=filing_start(row.completed_on),
        limit=Limit(amount=row.amount, unit=LimitUnit(row.unit), clause=row.clause),
        due_at=row.due_at,
        policy=row.policy,
        calendar_version=row.calendar_version,
    )
