"""What the callback desk does, and what a review given to the evaluation service does here."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tongban_common.db import Transaction
from tongban_common.privacy import Sealer
from tongban_common.service import Kit
from tongban_hotline_dispatch.domain import callbacks, closing
from tongban_hotline_dispatch.domain.callback import Heard, Mark, OwnReview, Resolved
from tongban_hotline_dispatch.domain.callback_rules import CallbackRules
from tongban_hotline_dispatch.domain.identity import Seen
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import identity
from tongban_hotline_dispatch.operations.performing import (
    Command,
    Step,
    locked,
    perform,
    rules_at,
    settle,
)
from tongban_hotline_dispatch.store import Complainant, TicketNotFound, Tickets
from tongban_hotline_dispatch.store.callbacks import Callbacks, TicketReview

CITIZEN = "citizen"
OF_DESK = "callback"  # the channel of what evaluation has from here


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the person said, level by level; 5 is the best."""

    resolved: Resolved
    result_level: int
    process_level: int
    replied: bool | None = None
    no_redo: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """A review of a ticket, as the evaluation service has it."""

    ticket_id: UUID
    review_id: UUID
    unit_code: str
    channel: str
    level: int
    at: datetime


class CallbackDesk:
    """One step of the callback desk on one ticket."""

    def __init__(self, tx: Transaction, *, step: Step, rules: Rules, now: datetime) -> None:
        self._tx = tx
        self._step = step
        self._rules = rules
        self._now = now

    async def take(self) -> None:
        """领取: for a while the task is theirs."""
        await locked(self._tx, self._step)
        minutes = _in_force(self._rules).lease_minutes
        await Callbacks(self._tx).take(
            self._step.ticket_id, self._step.actor, now=self._now, lease_minutes=minutes
        )

    async def number(self, sealer: Sealer) -> Complainant:
        """Whom to call, for who has the task: a look like any other, with its reason on record.

        Raises NotTaken, UnknownViewReason.
        """
        await locked(self._tx, self._step)
        own = _in_force(self._rules)
        await Callbacks(self._tx).check_taken(
            self._step.ticket_id,
            self._step.actor,
            now=self._now,
            lease_minutes=own.lease_minutes,
        )
        if self._rules.identity is None:
            raise AssertionError("the rules in force have those of identity")
        _, seen = await identity.look(
            self._tx,
            step=self._step,
            wanted=identity.Look(fields=(Seen.NAME, Seen.PHONE), reason=own.view_reason),
            rules=self._rules.identity,
            sealer=sealer,
            now=self._now,
        )
        return Complainant(name=seen[Seen.NAME], phone=seen[Seen.PHONE])

    async def attempt(self) -> Ticket:
        """未接通."""
        return await self._perform(lambda t, _, at: closing.attempt(t, at))

    async def record(self, given: Answers) -> Ticket:
        """已接通: what was heard, in the codes of the national scale."""

        def command(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
            return closing.call_back(ticket, _heard(ticket, given, rules), rules, at)

        return await self._perform(command)

    async def hear(self, heard: Heard) -> Ticket:
        """The same, in the three marks of the hotline."""
        return await self._perform(lambda t, rules, at: closing.call_back(t, heard, rules, at))

    async def skip(self, reason: str) -> Ticket:
        """无法回访."""
        return await self._perform(lambda t, rules, at: callbacks.give_up(t, reason, rules, at))

    async def give_up(self) -> Ticket:
        """多次未接通."""
        return await self._perform(
            lambda t, rules, at: closing.lapse_callback(t, rules, at, in_time=True)
        )

    async def decide(self, no_redo: str | None) -> Ticket:
        """On a bad review of the person's own: done again, or not, for a listed reason."""
        return await self._perform(lambda t, rules, at: callbacks.decide_own(t, no_redo, rules, at))

    async def _perform(self, command: Command) -> Ticket:
        def in_time(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
            callbacks.check_open_at(ticket, at)
            return command(ticket, rules, at)

        return await perform(
            self._tx, step=self._step, command=in_time, rules=self._rules, now=self._now
        )


async def take_review(tx: Transaction, rated: Rated, kit: Kit) -> None:
    """评价以好差评为准: kept as the rating of record; one that came first is the callback's."""
    rules = await rules_at(kit, now=rated.at)
    current = _in_force(rules)
    mark = current.marks[rated.level]
    is_first = await Callbacks(tx).record_review(
        TicketReview(
            ticket_id=rated.ticket_id,
            review_id=rated.review_id,
            unit_code=rated.unit_code,
            channel=rated.channel,
            level=rated.level,
            mark=mark,
            rules_version=current.version,
            submitted_at=rated.at,
        )
    )
    if is_first and rated.channel != OF_DESK:
        await _count_as_callback(tx, rated, mark, rules)


async def _count_as_callback(tx: Transaction, rated: Rated, mark: Mark, rules: Rules) -> None:
    try:
        ticket = await Tickets(tx).get(rated.ticket_id)
    except TicketNotFound:
        return  # of another city's database, or not there any more
    if not callbacks.takes_own_review(ticket, rated.at):
        return
    own = OwnReview(review_id=rated.review_id, level=rated.level, mark=mark, at=rated.at)

    def command(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
        return callbacks.take_own_review(ticket, own, rules, at)

    await settle(tx, ticket, command, actor=CITIZEN, rules=rules, now=rated.at)


def _in_force(rules: Rules) -> CallbackRules:
    if rules.callback is None:
        raise AssertionError("the rules in force have those of callbacks")
    return rules.callback.current


def _heard(ticket: Ticket, given: Answers, rules: Rules) -> Heard:
    """The marks that the levels read as under the rules of the callback."""
    if rules.callback is None:
        raise AssertionError("the rules in force have those of callbacks")
    own = rules.callback.of(closing.open_one(ticket))
    return Heard(
        resolved=given.resolved,
        result=own.marks[given.result_level],
        process=own.marks[given.process_level],
        no_redo=given.no_redo,
        note=given.note,
        result_level=given.result_level,
        process_level=given.process_level,
        replied=given.replied,
    )
