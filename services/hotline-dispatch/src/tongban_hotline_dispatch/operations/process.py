"""Every other move of a ticket: what the hub, a unit, the citizen or the callback desk does."""

import re
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from tongban_common.db import Transaction
from tongban_common.errors import RuleViolation
from tongban_common.privacy import Sealer
from tongban_hotline_dispatch.domain import asking, closing, handling, intake, joining
from tongban_hotline_dispatch.domain.asking import Decision, Request
from tongban_hotline_dispatch.domain.assignment import ContactWay, NothingAsked, Reply, Role
from tongban_hotline_dispatch.domain.callback import Heard
from tongban_hotline_dispatch.domain.handling import ToUnit
from tongban_hotline_dispatch.domain.importing import PHONE
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.process import Disposition
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import likeness_index
from tongban_hotline_dispatch.operations.guard import named_unit, or_propose
from tongban_hotline_dispatch.operations.performing import Command, Step, perform
from tongban_hotline_dispatch.operations.tickets import hidden, note_routing
from tongban_hotline_dispatch.store import Note, NoteKind, Notes, Tickets, Units
from tongban_hotline_dispatch.store.first_contacts import note_contact


class BadNumber(RuleViolation):
    code = "contact.bad_number"


class Desk:
    """One step of somebody at some moment; each method is a move."""

    def __init__(self, tx: Transaction, *, step: Step, rules: Rules, now: datetime) -> None:
        self._tx = tx
        self._step = step
        self._rules = rules
        self._now = now

    async def request_facts(self) -> Ticket:
        return await self._perform(intake.request_facts)

    async def supplement(self, words: str) -> Ticket:
        ticket = await self._perform(intake.supplement)
        await self._note(ticket, NoteKind.SUPPLEMENT, words)
        return ticket

    async def route_out(self, code: str, *, sealer: Sealer, line: str | None = None) -> Ticket:
        given = self._rules.process.disposition(code)
        ticket = await self._perform(
            lambda t, rules, at: intake.route_out(t, given, rules, at, line=line)
        )
        await self._told(ticket, given, sealer)
        return ticket

    async def answer(self, text: str) -> Ticket:
        reply = Reply.of(text)
        return await self._perform(lambda t, rules, at: intake.answer_directly(t, reply, rules, at))

    async def consult(self) -> Ticket:
        return await self._perform(intake.consult)

    async def conclude(self, words: str) -> Ticket:
        ticket = await self._perform(intake.conclude)
        await self._note(ticket, NoteKind.DECISION, words)
        return ticket

    async def transfer(self, unit_code: str) -> Ticket:
        to = await self._unit(unit_code)
        return await self._perform(lambda t, rules, at: handling.transfer(t, to, rules, at))

    async def contact(
        self,
        way: ContactWay | None = None,
        number: str | None = None,
        *,
        sealer: Sealer | None = None,
    ) -> Ticket:
        """先行联系. The number goes under seal and into no event; none: the one registered.

        Raises BadNumber.
        """
        if number is not None and not re.match(PHONE, number):
            raise BadNumber("联系所用号码应为5至20位数字")
        unit = self._step.unit
        ticket = await self._perform(lambda t, _, at: handling.contact(t, unit, at))
        if way is not None and sealer is not None:
            no = ticket.share_of(unit).no
            await note_contact(self._tx, ticket.id, no, way, number, sealer)
        return ticket

    async def add_unit(self, unit_code: str, role: Role, days: int | None) -> Ticket:
        by, to = self._step.unit, await self._unit(unit_code, role, days)
        if by is not None and role is Role.WHISTLE:
            to = replace(to, whistled_by=(await Units(self._tx).known(by)).level)
        return await self._perform(lambda t, rules, at: handling.add_unit(t, by, to, rules, at))

    async def report_in(self) -> Ticket:
        unit = self._step.unit
        return await self._perform(lambda t, _, at: handling.report_in(t, unit, at))

    async def delegate(self, unit_code: str, days: int | None) -> Ticket:
        by, to = self._step.unit, await self._unit(unit_code, Role.CO, days)
        return await self._perform(lambda t, rules, at: handling.delegate(t, by, to, rules, at))

    async def ask(self, request: Request) -> Ticket:
        unit = self._step.unit
        return await self._perform(lambda t, rules, at: asking.ask(t, unit, request, rules, at))

    async def decide(
        self, decision: Decision, no: int | None = None, *, sealer: Sealer | None = None
    ) -> Ticket:
        """On the assignment given, or on the one that asks for it. What turns out to be secret as
        it is terminated goes under seal."""

        def command(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
            return asking.decide(ticket, no or asking_one(ticket, decision), decision, rules, at)

        ticket = await self._perform(command)
        if ticket.status is Status.TERMINATED and ticket.disposition and sealer is not None:
            given = self._rules.process.disposition(ticket.disposition)
            await self._told(ticket, given, sealer)
        return ticket

    async def resume(self) -> Ticket:
        return await self._perform(asking.resume)

    async def pass_review(self) -> Ticket:
        return await self._perform(closing.pass_review)

    async def fail_review(self) -> Ticket:
        return await self._perform(closing.fail_review)

    async def attempt_callback(self) -> Ticket:
        return await self._perform(lambda t, _, at: closing.attempt(t, at))

    async def call_back(self, heard: Heard) -> Ticket:
        return await self._perform(lambda t, rules, at: closing.call_back(t, heard, rules, at))

    async def give_up_callback(self) -> Ticket:
        return await self._perform(
            lambda t, rules, at: closing.lapse_callback(t, rules, at, in_time=True)
        )

    async def escalate(self, cause: str) -> Ticket:
        return await self._perform(lambda t, rules, at: closing.escalate(t, cause, rules, at))

    async def supervise(self, cause: str) -> Ticket:
        return await self._perform(lambda t, _, __: closing.supervise(t, cause))

    async def withdraw(self) -> Ticket:
        return await self._leave(intake.withdraw)

    async def reopen(self, reason: str) -> Ticket:
        return await self._leave(lambda t, rules, at: intake.reopen(t, reason, rules, at))

    async def merge(self, parent_id: UUID) -> Ticket:
        """The parent is locked before its child, here as wherever both are."""
        parent = await Tickets(self._tx).get(parent_id)
        parent.check_not_recused(self._step.actor)
        return await self._perform(lambda t, rules, at: joining.merge(t, parent, rules, at))

    async def unmerge(self) -> Ticket:
        return await self._leave(joining.unmerge)

    async def _leave(self, command: Command) -> Ticket:
        """What may part a child from its parent, which is locked first."""
        parent_id = await Tickets(self._tx).parent_of(self._step.ticket_id)
        if parent_id is not None:
            await Tickets(self._tx).get(parent_id)
        return await self._perform(command)

    async def _perform(self, command: Command) -> Ticket:
        doing = perform(
            self._tx, step=self._step, command=command, rules=self._rules, now=self._now
        )
        return await or_propose(self._tx, doing, self._rules)

    async def _told(self, ticket: Ticket, given: Disposition, sealer: Sealer) -> None:
        """The words given are kept; secret content is taken out of sight."""
        await note_routing(self._tx, ticket, ticket.appeal, given, sealer=sealer, now=self._now)
        if given.is_sealed:
            await Tickets(self._tx).quarantine(_hidden(ticket))
            await likeness_index.forget(self._tx, ticket.id, self._rules)

    async def _unit(self, code: str, role: Role = Role.LEAD, days: int | None = None) -> ToUnit:
        return await named_unit(self._tx, code, self._now, role=role, days=days)

    async def _note(self, ticket: Ticket, kind: NoteKind, words: str) -> None:
        note = Note(
            ticket_id=ticket.id, version=ticket.version, kind=kind, at=self._now, words=words
        )
        await Notes(self._tx).add(note)


def asking_one(ticket: Ticket, decision: Decision) -> int:
    """Raises NothingAsked."""
    for each in ticket.assignments:
        if each.asking is not None and each.asking.kind is decision.kind:
            return each.no
    raise NothingAsked("没有待审核的该项申请")


def _hidden(ticket: Ticket) -> Ticket:
    appeal = hidden(ticket.appeal)
    return replace(ticket, appeal=appeal, public_title=None, public_content=None)
