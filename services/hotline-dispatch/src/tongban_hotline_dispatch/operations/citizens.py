"""What a citizen does with his own ticket, once he showed its number and its query code."""

import hmac
from dataclasses import dataclass
from datetime import datetime, time
from uuid import UUID

from tongban_common.db import Transaction
from tongban_common.privacy import Sealer, Signer
from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.citizens import (
    CitizenRules,
    check_supplements,
    check_tries,
)
from tongban_hotline_dispatch.domain.moves import Act, Status
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations.performing import CITIZEN, Step
from tongban_hotline_dispatch.operations.process import Desk
from tongban_hotline_dispatch.store import Note, NoteKind, Notes, TicketNotFound, Tickets
from tongban_hotline_dispatch.store.counter import COUNTER
from tongban_hotline_dispatch.store.query_tries import Tries

_LENGTHS = 40, 20  # of a number and of a code; more is neither


@dataclass(frozen=True, slots=True)
class Numbers:
    """工单编号 and 查询码, as typed."""

    ticket_no: str
    query_code: str


async def citizen_rules(kit: Kit, *, now: datetime) -> CitizenRules:
    return (await kit.policy(COUNTER).at(now.astimezone(SHANGHAI).date())).citizens


async def enter(kit: Kit, numbers: Numbers, *, now: datetime) -> UUID:
    """The ticket of both numbers, in a transaction of its own: a failed try is kept.

    Raises TooManyTries, or TicketNotFound without saying which number did not fit.
    """
    rules = await citizen_rules(kit, now=now)
    number, code = numbers.ticket_no.strip(), numbers.query_code.strip()
    found = None
    if len(number) <= _LENGTHS[0] and len(code) <= _LENGTHS[1]:
        key = Sealer(kit.secret).index(number, context="query_try")
        async with kit.db.transaction() as tx:
            tries = Tries(tx)
            tried = await tries.count(key, now=now, within=rules.tries_within)
            found = await _fitting(tries, number, code) if tried <= rules.tries else None
            if found is not None:
                await tries.forget(key)
        check_tries(tried, rules)
    if found is None:
        raise TicketNotFound("没有查到：请核对工单编号和查询码")
    return found


async def _fitting(tries: Tries, number: str, code: str) -> UUID | None:
    known = await tries.code_of(number)
    if known is None or not hmac.compare_digest(known[1].encode(), code.encode()):
        return None
    return known[0]


class Sessions:
    """A look that goes on without the code for a while: the ticket and the end, signed."""

    def __init__(self, secret: str) -> None:
        self._signer = Signer(secret, purpose="citizen session")

    def token(self, ticket_id: UUID, *, until: datetime) -> str:
        return self._signer.token(ticket_id.bytes + int(until.timestamp()).to_bytes(8, "big"))

    def ticket(self, token: str, *, now: datetime) -> UUID | None:
        payload = self._signer.payload(token)
        if payload is None or len(payload) != 24:
            return None
        if now.timestamp() >= int.from_bytes(payload[16:], "big"):
            return None
        return UUID(bytes=payload[:16])


@dataclass(frozen=True, slots=True, kw_only=True)
class Citizen:
    """One act of the complainant of one ticket; each method is a move."""

    tx: Transaction
    ticket_id: UUID
    rules: Rules
    now: datetime
    seen_version: int | None = None

    async def supplement(self, words: str, limits: CitizenRules) -> Ticket:
        """补充: while merged, to the ticket that answers for it. Raises TooManySupplements."""
        ticket = await self._held()
        target = ticket
        if ticket.status is Status.MERGED and ticket.parent_id is not None:
            target = await Tickets(self.tx).get(ticket.parent_id)
        today = datetime.combine(self.now.astimezone(SHANGHAI).date(), time(), SHANGHAI)
        made = await Tries(self.tx).acts_since(target.id, CITIZEN, Act.SUPPLEMENT, today)
        check_supplements(made, target, limits)
        moved = await self._desk(target.id).supplement(words)
        return ticket if target is not ticket else moved

    async def withdraw(self) -> Ticket:
        return await self._desk(self.ticket_id).withdraw()

    async def reopen(self, reason: str, words: str) -> Ticket:
        """申请重启, in the citizen's own words besides."""
        ticket = await self._desk(self.ticket_id).reopen(reason)
        note = Note(
            ticket_id=ticket.id,
            version=ticket.version,
            kind=NoteKind.SUPPLEMENT,
            at=self.now,
            words=words,
        )
        await Notes(self.tx).add(note)
        return ticket

    async def _held(self) -> Ticket:
        """A parent before its child, as wherever both are."""
        parent_id = await Tickets(self.tx).parent_of(self.ticket_id)
        if parent_id is not None:
            await Tickets(self.tx).get(parent_id)
        return await Tickets(self.tx).get(self.ticket_id)

    def _desk(self, ticket_id: UUID) -> Desk:
        step = Step(ticket_id=ticket_id, actor=CITIZEN, seen_version=self.seen_version)
        return Desk(self.tx, step=step, rules=self.rules, now=self.now)
