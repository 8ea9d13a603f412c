"""The use cases of the units' contacts: filed, ended, corrected, seen in clear."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from tongban_common import audit
from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_common.errors import BadInput, Conflict, Forbidden
from tongban_common.http import check_version
from tongban_common.privacy import Sealer
from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI, WorkingCalendar
from tongban_hotline_dispatch.domain.contacts import (
    Change,
    Contact,
    ContactRole,
    ContactRules,
    Filing,
    Person,
    check_completed,
)
from tongban_hotline_dispatch.events.contacts import UnitContactChanged
from tongban_hotline_dispatch.operations.assessment import note_input
from tongban_hotline_dispatch.operations.contact_nights import arm_night
from tongban_hotline_dispatch.operations.officers import hand_over
from tongban_hotline_dispatch.store.assessment import Noted
from tongban_hotline_dispatch.store.contact_rounds import Rounds
from tongban_hotline_dispatch.store.contacts import Contacts
from tongban_hotline_dispatch.store.contacts_rules import CONTACTS
from tongban_hotline_dispatch.store.officers import Officers
from tongban_hotline_dispatch.store.reference import Units


class NotYourUnit(Forbidden):
    code = "contact.not_your_unit"


class NobodyTakesOver(Conflict):
    code = "contact.nobody_takes_over"


class UnknownReason(BadInput):
    code = "contact.unknown_reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactGround:
    """What filings are judged by, as in force at one moment."""

    calendar: WorkingCalendar
    rules: ContactRules
    sealer: Sealer


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactStep:
    """Who acts, for which unit, on which version of which contact."""

    actor: str
    unit: str | None = None  # None: acts for the hub
    seen_version: int | None = None

    def check_unit(self, unit_code: str) -> None:
        if self.unit is not None and self.unit != unit_code:
            raise NotYourUnit("只能备案本单位的联络人员")


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """What is filed. The id is drawn at the edge."""

    contact_id: UUID
    unit_code: str
    role: ContactRole
    person: Person
    completed_on: date
    replaces: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """When somebody left, and the account that takes what he had in hand."""

    completed_on: date
    take_over: str | None = None


async def ground_at(kit: Kit, *, now: datetime) -> ContactGround:
    policy = await kit.policy(CONTACTS).at(now.astimezone(SHANGHAI).date())
    return ContactGround(
        calendar=await kit.calendars.current(), rules=policy.rules(), sealer=Sealer(kit.secret)
    )


async def appoint(
    tx: Transaction,
    *,
    new: Appointment,
    step: ContactStep,
    ground: ContactGround,
    now: datetime,
) -> tuple[Contact, Filing]:
    """备案: somebody holds a post from now on; who is replaced hands his open tickets over."""
    step.check_unit(new.unit_code)
    check_completed(new.completed_on, now)
    contacts = Contacts(tx, ground.sealer)
    await Units(tx).active(new.unit_code)
    await contacts.lock_unit(new.unit_code)
    contact = _contact(new)
    old = None
    if new.replaces is None:
        today = now.astimezone(SHANGHAI).date()
        active = await contacts.active_count(new.unit_code, new.role, today)
        ground.rules.check_room(new.role, active)
    else:
        old = await contacts.get(new.replaces)
        contact.check_replaces(old)
        await contacts.save(old.ended(new.completed_on))
    await contacts.add(contact)
    await Rounds(tx).forget_gap(new.unit_code, new.role)
    await arm_night(tx, rules=ground.rules, after=now)
    handed = await _pass_on(tx, contacts, old, to=contact.officer, step=step, now=now)
    change = Change.APPOINTED if old is None else Change.REPLACED
    filing = _filing(change, contact, new.completed_on, step=step, ground=ground, now=now)
    await contacts.file(filing, contact, replaces=new.replaces, handed_over=handed)
    await _announce(tx, filing, contact, handed)
    return contact, filing


async def end(
    tx: Transaction,
    *,
    contact_id: UUID,
    leaving: Leaving,
    step: ContactStep,
    ground: ContactGround,
    now: datetime,
) -> tuple[Contact, Filing]:
    """离任 without a successor in the post: somebody must take what is open."""
    check_completed(leaving.completed_on, now)
    contacts = Contacts(tx, ground.sealer)
    contact = (await _get(contacts, contact_id, step)).ended(leaving.completed_on)
    await contacts.save(contact)
    handed = await _pass_on(tx, contacts, contact, to=leaving.take_over, step=step, now=now)
    filing = _filing(Change.ENDED, contact, leaving.completed_on, step=step, ground=ground, now=now)
    await contacts.file(filing, contact, replaces=None, handed_over=handed)
    await _announce(tx, filing, contact, handed)
    return contact, filing


async def correct(
    tx: Transaction,
    *,
    contact_id: UUID,
    person: Person,
    step: ContactStep,
    ground: ContactGround,
    now: datetime,
) -> Contact:
    """更正: the same person, another number or account. No change that must be filed."""
    contacts = Contacts(tx, ground.sealer)
    before = await _get(contacts, contact_id, step)
    contact = before.corrected(person)
    await contacts.save(contact)
    handed = await _pass_on(tx, contacts, before, to=contact.officer, step=step, now=now)
    today = now.astimezone(SHANGHAI).date()
    filing = Filing(
        id=new_id(now),
        change=Change.CORRECTED,
        completed_on=today,
        filed_at=now,
        filed_by=step.actor,
        term=None,
    )
    await contacts.file(filing, contact, replaces=None, handed_over=handed)
    await _announce(tx, filing, contact, handed)
    return contact


async def reveal(
    tx: Transaction,
    *,
    contact_id: UUID,
    reason: str,
    step: ContactStep,
    ground: ContactGround,
    now: datetime,
) -> Contact:
    """In clear, and kept on record: who saw which contact, when and for what."""
    if reason not in ground.rules.reasons:
        raise UnknownReason("请选择查看原因", reasons=sorted(ground.rules.reasons))
    contact = await _get(Contacts(tx, ground.sealer), contact_id, step)
    await audit.record(
        tx,
        actor=step.actor,
        action="contact.unmasked",
        subject=str(contact_id),
        at=now,
        reason=reason,
    )
    return contact


async def _get(contacts: Contacts, contact_id: UUID, step: ContactStep) -> Contact:
    contact = await contacts.get(contact_id)
    step.check_unit(contact.unit_code)
    if step.seen_version is not None:
        check_version(expected=step.seen_version, actual=contact.version)
    return contact


async def _pass_on(
    tx: Transaction,
    contacts: Contacts,
    leaving: Contact | None,
    *,
    to: str | None,
    step: ContactStep,
    now: datetime,
) -> int:
    """The open tickets of who leaves, unless he works on in another post of the unit."""
    if leaving is None or leaving.officer is None or leaving.officer == to:
        return 0
    unit, officer = leaving.unit_code, leaving.officer
    if await contacts.still_works(unit, officer, now.astimezone(SHANGHAI).date()):
        return 0
    if to is None:
        held = len(await Officers(tx).open_of(unit, officer))
        if held:
            raise NobodyTakesOver(
                f"离任人员名下还有{held}件未办结工单，请注明接手人员的账号", open_tickets=held
            )
        return 0
    return await hand_over(tx, unit=unit, from_=officer, to=to, by=step.actor, now=now)


def _contact(new: Appointment) -> Contact:
    return Contact(
        id=new.contact_id,
        unit_code=new.unit_code,
        role=new.role,
        person=new.person,
        valid_from=new.completed_on,
    )


def _filing(
    change: Change,
    contact: Contact,
    completed_on: date,
    *,
    step: ContactStep,
    ground: ContactGround,
    now: datetime,
) -> Filing:
    return Filing(
        id=new_id(now),
        change=change,
        completed_on=completed_on,
        filed_at=now,
        filed_by=step.actor,
        term=ground.rules.filing_term(contact.role, completed_on, ground.calendar),
    )


async def _announce(tx: Transaction, filing: Filing, contact: Contact, handed_over: int) -> None:
    if filing.term is not None:
        fact = Noted(
            kind="contact_late" if filing.is_late else "contact_on_time",
            unit_code=contact.unit_code,
            on_day=filing.filed_at.astimezone(SHANGHAI).date(),
            ref=str(filing.id),
        )
        await note_input(tx, fact, by=filing.filed_by, now=filing.filed_at)
    due = None if filing.term is None else filing.term.due_at
    tx.publish(
        UnitContactChanged(
            occurred_at=filing.filed_at,
            unit_code=contact.unit_code,
            contact_id=contact.id,
            role=contact.role,
            change=filing.change,
            completed_on=filing.completed_on,
            filing_due=due,
            is_late=filing.is_late,
            handed_over=handed_over,
        )
    )
