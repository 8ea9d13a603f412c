"""The main road of a ticket (工单): registered, assigned, signed, replied, closed."""

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from tongban_common.db import Transaction
from tongban_common.privacy import Sealer
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain import closing, handling, intake
from tongban_hotline_dispatch.domain.appeal import HIDDEN, Appeal
from tongban_hotline_dispatch.domain.assignment import Reply
from tongban_hotline_dispatch.domain.callback import Heard
from tongban_hotline_dispatch.domain.elements import Asked, Details, Element, Elements, Ending
from tongban_hotline_dispatch.domain.process import Disposition
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import likeness_index
from tongban_hotline_dispatch.operations.guard import named_unit, or_propose
from tongban_hotline_dispatch.operations.matters import matter_in_force
from tongban_hotline_dispatch.operations.performing import (
    Step,
    announce,
    perform,
    rules_at,
    wind,
)
from tongban_hotline_dispatch.operations.redaction import redacted
from tongban_hotline_dispatch.operations.reporting_up import report_up
from tongban_hotline_dispatch.store import (
    Complainant,
    Complainants,
    Note,
    NoteKind,
    Notes,
    Tickets,
    Units,
)
from tongban_hotline_dispatch.store.details import TicketDetails
from tongban_hotline_dispatch.store.secrecy import Secrecy
from tongban_hotline_dispatch.store.tickets import Move

__all__ = [
    "Registration",
    "Rules",
    "Step",
    "assign",
    "close",
    "new_query_code",
    "register",
    "reply",
    "rules_at",
    "sign",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What comes in. Its id and the random query code are drawn at the edge."""

    ticket_id: UUID
    query_code: str
    appeal: Appeal
    person: Complainant
    actor: str
    wants_reply: bool = True
    wants_callback: bool = True
    target_unit: str | None = None  # 被诉单位
    hides_identity: bool | None = None  # None: as the type of the appeal has it
    lacks_facts: bool = False  # 待补充
    disposition: str | None = None  # 引导: known at once
    line: str | None = None  # 紧急警情: to which line it was handed over
    answer: str | None = None  # 直接答复
    details: Details = field(default_factory=Details)

    @property
    def ending(self) -> Ending:
        if self.disposition is not None:
            return Ending.ROUTED
        if self.answer is not None:
            return Ending.ANSWERED
        return Ending.AWAITING if self.lacks_facts else Ending.ACCEPTED

    def ended(self, rules: Rules) -> "Registration":
        """登记即办结: a type that is no matter to handle ends here, unless whoever took it in has
        said how."""
        how = rules.at_once.get(self.appeal.appeal_type)
        if how is None or self.disposition is not None or self.answer is not None:
            return self
        return replace(self, disposition=how.disposition, answer=how.answer, lacks_facts=False)

    def check(self, elements: Elements) -> None:
        """By whoever takes a matter in from people. Raises ElementsMissing."""
        elements.check(Asked.of(self.appeal, self.ending), self.given())

    def given(self) -> dict[Element, object]:
        return {
            Element.NAME: self.person.name,
            Element.PHONE: self.person.phone,
            Element.ADDRESS: self.person.address,
            Element.MATTER: self.appeal.matter_code,
            Element.OCCURRED: self.details.occurred_at,
            Element.TARGET: self.details.target_name,
            Element.DEMAND: self.details.demand,
        }


def new_query_code() -> str:
    return f"{secrets.randbelow(10**8):08}"


async def register(
    tx: Transaction, *, new: Registration, rules: Rules, sealer: Sealer, now: datetime
) -> Ticket:
    """受理: the citizen's clock starts, and nothing will reset it."""
    new = new.ended(rules)
    intake.check_deadlines(new.appeal, now)
    await matter_in_force(tx, code=new.appeal.matter_code, on=now.astimezone(SHANGHAI).date())
    tickets = Tickets(tx)
    if new.target_unit is not None:
        await Units(tx).known(new.target_unit)
    given = None if new.disposition is None else rules.process.disposition(new.disposition)
    draft = Ticket(
        id=new.ticket_id,
        ticket_no=await tickets.new_number(now),
        query_code=new.query_code,
        appeal=new.appeal if given is None or not given.is_sealed else hidden(new.appeal),
        registered_at=now,
        wants_reply=new.wants_reply,
        wants_callback=new.wants_callback,
        has_contact=bool(new.person.phone),
        target_unit=new.target_unit,
        hides_identity=rules.hides_identity(new.appeal, asked=new.hides_identity),
    )
    if given is None or not given.is_sealed:
        draft = redacted(draft, new.person)
    ticket = _taken_in(draft, new, given, rules, now)
    await tickets.add(ticket, Move(actor=new.actor, at=now))
    await Complainants(tx, sealer).add(ticket.id, new.person)
    if given is None or not given.is_sealed:
        await TicketDetails(tx, sealer).add(ticket.id, new.details)
        await likeness_index.take_in(tx, ticket, new.person, rules, sealer)
    if given is not None:
        await note_routing(tx, ticket, new.appeal, given, sealer=sealer, now=now)
    await wind(tx, draft, ticket, rules, now)
    announce(tx, draft, ticket, rules.calendar, now)
    await report_up(tx, draft, ticket, rules, now)
    return ticket


async def assign(
    tx: Transaction,
    *,
    step: Step,
    unit_code: str,
    rules: Rules,
    now: datetime,
    forced: bool = False,
) -> Ticket:
    """派单: give the ticket to one unit and tell the other services when its reply is due."""
    to = await named_unit(tx, unit_code, now)

    def command(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
        return handling.assign(ticket, to, rules, at, forced=forced)

    doing = perform(tx, step=step, command=command, rules=rules, now=now)
    return await or_propose(tx, doing, rules)


async def sign(tx: Transaction, *, step: Step, rules: Rules, now: datetime) -> Ticket:
    """签收: the unit acknowledges the ticket; its clock has been running since the assignment."""

    def command(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
        return handling.sign(ticket, step.unit, rules, at)

    return await perform(tx, step=step, command=command, rules=rules, now=now)


async def reply(
    tx: Transaction, *, step: Step, answer: Reply, rules: Rules, now: datetime
) -> Ticket:
    """答复: the unit's clock stops; in time or not is decided here, once."""

    def command(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
        return handling.reply(ticket, step.unit, answer, rules, at)

    return await perform(tx, step=step, command=command, rules=rules, now=now)


async def close(
    tx: Transaction, *, step: Step, rules: Rules, now: datetime, heard: Heard | None = None
) -> Ticket:
    """办结: with what the citizen said, or without where the policy asks for no callback."""

    def command(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
        return closing.close(ticket, heard, rules, at)

    return await perform(tx, step=step, command=command, rules=rules, now=now)


def hidden(appeal: Appeal) -> Appeal:
    return replace(appeal, title=HIDDEN, content=HIDDEN)


async def note_routing(
    tx: Transaction,
    ticket: Ticket,
    appeal: Appeal,
    given: Disposition,
    *,
    sealer: Sealer,
    now: datetime,
) -> None:
    """The words given to the person; of what is quarantined, the appeal itself, under seal, with
    what had been said of it by then."""
    if given.is_sealed:
        besides = await Secrecy(tx, sealer, hidden=HIDDEN).take_out(ticket.id, ticket.version)
        words = "\n".join((appeal.title, appeal.content, *besides))
        kind, seal = NoteKind.QUARANTINED, sealer
    else:
        kind, words, seal = NoteKind.ROUTED, given.told(_line(ticket)), None
    note = Note(ticket_id=ticket.id, version=ticket.version, kind=kind, at=now, words=words)
    await Notes(tx).add(note, seal)


def _line(ticket: Ticket) -> str | None:
    """To which line the move before handed it over."""
    line = None if ticket.deed is None else ticket.deed.facts.get("line")
    return line if isinstance(line, str) else None


def _taken_in(
    draft: Ticket, new: Registration, given: Disposition | None, rules: Rules, now: datetime
) -> Ticket:
    if given is not None:
        return intake.route_out(draft, given, rules, now, line=new.line)
    if new.answer is not None:
        return intake.answer_directly(draft, Reply.of(new.answer), rules, now)
    if new.lacks_facts:
        return intake.request_facts(draft, rules, now)
    return intake.register(draft, rules, now)
