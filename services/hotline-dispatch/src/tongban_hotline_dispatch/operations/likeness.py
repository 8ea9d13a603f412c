"""Matters brought again: shown while filing, urged instead of filed, joined where alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tongban_common.db import Transaction
from tongban_common.errors import Conflict
from tongban_common.privacy import Sealer
from tongban_hotline_dispatch.domain import intake
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.moves import Act, Status
from tongban_hotline_dispatch.domain.repeats import (
    Likely,
    LikenessRules,
    Matter,
    is_repeat,
    judge,
    ranked,
)
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Deed, Ticket
from tongban_hotline_dispatch.operations.hot_issues import many_complainants
from tongban_hotline_dispatch.operations.likeness_index import matter_of
from tongban_hotline_dispatch.operations.performing import Step, locked, perform, settle
from tongban_hotline_dispatch.operations.tickets import Registration, register
from tongban_hotline_dispatch.store import Note, NoteKind, Notes, Tickets
from tongban_hotline_dispatch.store import likeness as store
from tongban_hotline_dispatch.store.likeness import Connection, Likenesses

__all__ = [
    "Filed",
    "NotCompared",
    "RepeatedEnded",
    "Suggestion",
    "duplicates",
    "file",
    "many_complainants",
    "repeat",
    "set_votes",
    "suggestions",
]
# As the process has it: what may still be joined to another.
MERGEABLE = (Status.REGISTERED, Status.CONSULTING, Status.ASSIGNED, Status.SIGNED)


class RepeatedEnded(Conflict):
    code = "repeat.ended"


class NotCompared(Conflict):
    code = "likeness.no_rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """A new ticket, or the one that the matter already has, with how often it was brought again."""

    ticket: Ticket
    repeats: int | None = None
    earlier_id: UUID | None = None


async def duplicates(
    reads: Connection, matter: Matter, rules: LikenessRules, *, viewer: Viewer, now: datetime
) -> list[Likely]:
    """Earlier tickets that may be about the same, each with its reasons."""
    found = await store.earlier(reads, matter, rules, now, viewer)
    judged = (judge(matter, each, rules, now) for each in found)
    return ranked([each for each in judged if each is not None], rules)


async def file(
    tx: Transaction,
    *,
    new: Registration,
    new_facts: str | None,
    rules: Rules,
    sealer: Sealer,
    now: datetime,
) -> Filed:
    """不另立工单: where the person's same matter is open, that ticket is urged and supplemented."""
    new = new.ended(rules)
    known = await _known(tx, new, rules, sealer, now)
    if known is not None:
        step = Step(ticket_id=known.earlier.ticket_id, actor=new.actor)
        ticket, repeats = await repeat(tx, step=step, new_facts=new_facts, rules=rules, now=now)
        return Filed(ticket=ticket, repeats=repeats)
    ticket = await register(tx, new=new, rules=rules, sealer=sealer, now=now)
    earlier_id = await store.earlier_of(tx.connection, ticket.id)
    return Filed(ticket=ticket, earlier_id=earlier_id)


async def repeat(
    tx: Transaction, *, step: Step, new_facts: str | None, rules: Rules, now: datetime
) -> tuple[Ticket, int]:
    """重复反映: counted, the unit urged; new facts go to whoever handles it. Raises RepeatedEnded.

    A merged ticket is handled with its parent, which is held first, as wherever both are.
    """
    likeness = in_force(rules)
    parent_id = await Tickets(tx).parent_of(step.ticket_id)
    if parent_id is not None:
        await Tickets(tx).get(parent_id)
    ticket = await locked(tx, step)
    if new_facts is not None and ticket.is_ended:
        raise RepeatedEnded("该工单已办结，新的事实请登记为新工单或者申请重启", state=ticket.status)
    number = await Likenesses(tx, likeness).count_repeat(
        ticket.id, at=now, actor=step.actor, has_new_facts=new_facts is not None
    )
    facts = {"repeats": number, "has_new_facts": new_facts is not None}

    def again(ticket: Ticket, _: Rules, __: datetime) -> Ticket:
        return ticket.noted(Deed(act=Act.REPEAT, unit_code=ticket.unit_code, facts=facts))

    ticket = await settle(tx, ticket, again, actor=step.actor, rules=rules, now=now)
    if new_facts is not None:
        ticket = await _supplement(tx, ticket, step, new_facts, rules, now)
    return ticket, number


def in_force(rules: Rules) -> LikenessRules:
    """Raises NotCompared."""
    if rules.likeness is None:
        raise NotCompared("没有生效的重复诉求规则")
    return rules.likeness


async def _known(
    tx: Transaction, new: Registration, rules: Rules, sealer: Sealer, now: datetime
) -> Likely | None:
    likeness = in_force(rules)
    appeal = new.appeal
    matter = matter_of(
        appeal.title,
        appeal.content,
        appeal.matter_code,
        new.person,
        rules=likeness,
        sealer=sealer,
    )
    is_no_matter = new.disposition is not None or appeal.appeal_type in rules.at_once
    if matter.person is None or is_no_matter:
        return None
    await Likenesses(tx, likeness).hold_person(matter.person)
    likely: Sequence[Likely] = await duplicates(
        tx.connection, matter, likeness, viewer=Viewer(subject=new.actor), now=now
    )
    return next((each for each in likely if is_repeat(each)), None)


async def _supplement(
    tx: Transaction, ticket: Ticket, step: Step, words: str, rules: Rules, now: datetime
) -> Ticket:
    """To the ticket, or to its parent where it was merged; the repeated one is given back."""
    is_merged = ticket.status is Status.MERGED and ticket.parent_id is not None
    target = ticket.parent_id if is_merged and ticket.parent_id is not None else ticket.id
    moved = await perform(
        tx,
        step=Step(ticket_id=target, actor=step.actor),
        command=intake.supplement,
        rules=rules,
        now=now,
    )
    note = Note(
        ticket_id=moved.id,
        version=moved.version,
        kind=NoteKind.SUPPLEMENT,
        at=now,
        words=words,
    )
    await Notes(tx).add(note)
    return ticket if is_merged else moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    ticket_id: UUID
    ticket_no: str
    title: str
    status: Status
    unit_code: str | None
    registered_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """Which ticket to keep, and which to join to it."""

    parent: Suggested
    children: Sequence[Suggested]
    key: tuple[str, str]


async def suggestions(
    reads: Connection, *, viewer: Viewer, after: tuple[object, ...] | None, limit: int
) -> list[Suggestion]:
    found = await store.groups(reads, statuses=MERGEABLE, viewer=viewer, after=after, limit=limit)
    return [_suggestion(each) for each in found]


async def set_votes(
    tx: Transaction, ticket_id: UUID, votes: store.Votes, *, rules: Rules, now: datetime
) -> None:
    """Raises TicketNotFound, TicketArchived."""
    (await Tickets(tx).get(ticket_id)).check_not_archived()
    await Likenesses(tx, in_force(rules)).set_votes(ticket_id, votes, now)


def _suggestion(group: store.Group) -> Suggestion:
    """The parent: what others were joined to, then what a unit has, then the oldest."""
    rows = sorted(
        group.tickets, key=lambda row: (-row.children, row.unit_code is None, row.registered_at)
    )
    parent, *children = (
        Suggested(
            ticket_id=row.ticket_id,
            ticket_no=row.ticket_no,
            title=row.title,
            status=Status(row.status),
            unit_code=row.unit_code,
            registered_at=row.registered_at,
            version=row.version,
        )
        for row in rows
    )
    return Suggestion(parent=parent, children=children, key=group.key)
