"""Looking at a complainant in clear: the right, the reason, and the record come before the look."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from tongban_common import audit
from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_common.errors import Forbidden
from tongban_common.privacy import Sealer
from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.identity import IdentityRules, Seen, Way, in_order
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations.performing import Step, locked
from tongban_hotline_dispatch.store import Complainant, Complainants, Notes
from tongban_hotline_dispatch.store.details import details_of
from tongban_hotline_dispatch.store.identity import View, Views
from tongban_hotline_dispatch.store.identity_policy import IDENTITY

OF_A_LIST = (Seen.NAME, Seen.PHONE, Seen.TITLE)
OF_EVIDENCE = (Seen.NAME, Seen.PHONE, Seen.ADDRESS, Seen.TITLE, Seen.CONTENT)


class IdentityHidden(Forbidden):
    code = "identity.hidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Which fields, and why."""

    fields: Collection[Seen]
    reason: str
    document_no: str | None = None


class Taken(Protocol):
    """A ticket that left the system in clear."""

    @property
    def ticket_id(self) -> UUID: ...


async def identity_rules(kit: Kit, *, now: datetime) -> IdentityRules:
    return (await kit.policy(IDENTITY).at(now.astimezone(SHANGHAI).date())).rules


async def look(
    tx: Transaction,
    *,
    step: Step,
    wanted: Look,
    rules: IdentityRules,
    sealer: Sealer,
    now: datetime,
) -> tuple[View, Mapping[Seen, str | None]]:
    """What was asked for in clear, with the record of it in the same transaction.

    Raises UnknownViewReason, DocumentMissing, IdentityHidden, TicketNotFound, NotYourTicket.
    """
    rules.check(wanted.reason, wanted.document_no)
    ticket = await locked(tx, step)
    if step.unit is not None and ticket.hides_identity:
        raise IdentityHidden("诉求人要求隐藏身份，须联系的请由热线中心代为联系")
    view = await _recorded(tx, step, wanted, Way.TICKET, rules, now)
    person = await Complainants(tx, sealer).of(ticket.id)
    found = {each: _clear(each, ticket, person) for each in view.fields}
    if Seen.SUPPLEMENTS in found:
        found[Seen.SUPPLEMENTS] = await Notes(tx).supplements(ticket.id)
    if found.keys() & {Seen.ENTERPRISE, Seen.PLACE}:
        details = await details_of(tx.connection, ticket.id, sealer)
        place = None if details.place is None else str(details.place)
        clear = {Seen.ENTERPRISE: details.enterprise_name, Seen.PLACE: place}
        found |= {each: clear[each] for each in found.keys() & clear.keys()}
    return view, found


async def look_at_file(
    tx: Transaction, *, step: Step, wanted: Look, rules: IdentityRules, now: datetime
) -> View:
    """A file of somebody who hides says who it is as a name does. Raises UnknownViewReason,
    DocumentMissing."""
    rules.check(wanted.reason, wanted.document_no)
    return await _recorded(tx, step, wanted, Way.ATTACHMENT, rules, now)


async def _recorded(
    tx: Transaction, step: Step, wanted: Look, way: Way, rules: IdentityRules, now: datetime
) -> View:
    view = View(
        id=new_id(now),
        at=now,
        actor=step.actor,
        unit_code=step.unit,
        way=way,
        fields=in_order(wanted.fields),
        reason=wanted.reason,
        policy=rules.label,
        ticket_id=step.ticket_id,
        document_no=wanted.document_no,
    )
    await Views(tx).add(view)
    await audit.record(
        tx,
        actor=step.actor,
        action="identity.viewed",
        subject=str(step.ticket_id),
        at=now,
        fields=" ".join(view.fields),
        reason=view.reason,
    )
    return view


async def note_evidence(
    tx: Transaction,
    *,
    taken: Collection[Taken],
    about: UUID,
    actor: str,
    reason: str,
    now: datetime,
) -> None:
    """What is handed to the police is seen in clear, ticket by ticket."""
    view = View(
        id=new_id(now),
        at=now,
        actor=actor,
        unit_code=None,
        way=Way.EVIDENCE,
        fields=OF_EVIDENCE,
        reason=reason,
        policy="",
        ticket_id=about,
    )
    await Views(tx).add(view)
    others = [each.ticket_id for each in taken if each.ticket_id != about]
    await Views(tx).add_tickets(view, others, now=now)


async def note_tickets(
    kit: Kit, view: View, ticket_ids: Collection[UUID], *, now: datetime
) -> None:
    """One page of a list in clear: noted, and committed, before any of it leaves."""
    async with kit.db.transaction() as tx:
        await Views(tx).add_tickets(view, ticket_ids, now=now)


def _clear(field: Seen, ticket: Ticket, person: Complainant) -> str | None:
    match field:
        case Seen.TITLE:
            return ticket.appeal.title
        case Seen.CONTENT:
            return ticket.appeal.content
        case Seen.REPLY:
            return ticket.reply
        case Seen.SUPPLEMENTS | Seen.ATTACHMENT | Seen.ENTERPRISE | Seen.PLACE:
            return None
        case _:
            value: str | None = getattr(person, field.value)
            return value
