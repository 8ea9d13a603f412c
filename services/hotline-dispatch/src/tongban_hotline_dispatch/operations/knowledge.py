"""The use cases of knowledge items: written, reviewed by another, published, renewed, expired."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from tongban_common import timers
from tongban_common.db import Transaction
from tongban_common.http import check_version
from tongban_common.timers import Deadline, Due
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.duties import DutyKind
from tongban_hotline_dispatch.domain.knowledge import (
    PUBLIC,
    Body,
    Item,
    Move,
    ReviewTerm,
    State,
    Version,
)
from tongban_hotline_dispatch.events.knowledge import KnowledgeItemChanged
from tongban_hotline_dispatch.operations import knowledge_duties
from tongban_hotline_dispatch.operations.knowledge_duties import KnowledgeGround
from tongban_hotline_dispatch.operations.tickets import Step
from tongban_hotline_dispatch.store import Tickets
from tongban_hotline_dispatch.store.arming import arm_once
from tongban_hotline_dispatch.store.knowledge import ItemMove, ItemNotFound, Items
from tongban_hotline_dispatch.store.knowledge_duties import Duties
from tongban_hotline_dispatch.store.knowledge_index import SearchIndex
from tongban_hotline_dispatch.store.reference import Units

REVIEW = "knowledge-review"
CREATED, EDITED = "create", "edit"
EXPIRING, EXPIRED = "expiring", "expired"
BY_CALENDAR = "calendar"

PERMISSION: dict[Move, str] = {
    Move.SUBMIT: "knowledge:write",
    Move.DISCARD: "knowledge:write",
    Move.REVIEW: "knowledge:review",
    Move.SEND_BACK: "knowledge:review",
    Move.RENEW: "knowledge:review",
    Move.PUBLISH: "knowledge:publish",
    Move.WITHDRAW: "knowledge:publish",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemStep:
    """Who acts on which item, for which unit, and which revision of it they saw."""

    item_id: UUID
    actor: str
    unit: str | None = None  # None: acts for the hub
    seen_revision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a new item comes from, if not out of somebody's head."""

    duty_id: UUID | None = None
    ticket_id: UUID | None = None


OWN_HEAD = Origin()


async def create(
    tx: Transaction,
    *,
    body: Body,
    step: ItemStep,
    ground: KnowledgeGround,
    now: datetime,
    origin: Origin = OWN_HEAD,
) -> Item:
    """A draft; it may be incomplete, but not too long, and its title is its own."""
    body.check(ground.rules.bounds)
    await Units(tx).active(body.unit_code)
    item = Item(
        id=step.item_id,
        versions=(
            Version(number=1, state=State.DRAFT, body=body, author=step.actor, edited_at=now),
        ),
        last_number=1,
        source_ticket=origin.ticket_id,
    )
    item.check_unit(step.unit)
    await Items(tx).add(item, _moved(item, CREATED, step, now))
    if origin.duty_id is not None:
        await knowledge_duties.link_item(tx, duty_id=origin.duty_id, item=item, unit=step.unit)
    _announce(tx, item, CREATED, now)
    return item


async def edit(
    tx: Transaction, *, body: Body, step: ItemStep, ground: KnowledgeGround, now: datetime
) -> Item:
    """The draft rewritten, or a new version begun beside the one that stands."""
    body.check(ground.rules.bounds)
    items = Items(tx)
    before = await _get(items, step)
    item = before.edited(body, by=step.actor, at=now)
    item.check_unit(step.unit)
    if body.unit_code != before.latest.body.unit_code:
        await Units(tx).active(body.unit_code)
    await items.save(item, _moved(item, EDITED, step, now))
    _announce(tx, item, EDITED, now)
    return item


async def act(
    tx: Transaction,
    *,
    move: Move,
    why: str,
    step: ItemStep,
    ground: KnowledgeGround,
    now: datetime,
) -> Item:
    """One of the moves of an item: its rules, its timer, its place in the search, its duties."""
    items = Items(tx)
    before = await _get(items, step)
    item = _decided(before, move, why=why, by=step.actor, ground=ground, now=now)
    await items.save(item, _moved(item, move, step, now, note=why.strip() or None))
    await _follow(tx, before, item, ground=ground, now=now)
    await knowledge_duties.meet(
        tx, item=item, move=move, by=step.actor, rules=ground.rules, now=now
    )
    _announce(tx, item, move, now)
    return item


async def report_error(
    tx: Transaction,
    *,
    step: ItemStep,
    duty_id: UUID,
    what: str,
    ground: KnowledgeGround,
    now: datetime,
) -> None:
    """差错: the unit that answers for the item owes its correction."""
    item = await Items(tx).get(step.item_id)
    if item.standing is None:
        raise ItemNotFound("没有这条知识，或者已经撤下")
    new = knowledge_duties.NewDuty(
        duty_id=duty_id,
        kind=DutyKind.CORRECTION,
        unit_code=item.standing.body.unit_code,
        about=what,
        start_at=now,
        opened_by=step.actor,
        item_id=item.id,
    )
    await knowledge_duties.open_duty(tx, new=new, ground=ground, now=now)


async def cite(tx: Transaction, *, step: Step, items: list[UUID], now: datetime) -> None:
    """The versions in force of these items are what the ticket's answer is based on."""
    ticket = await Tickets(tx).get(step.ticket_id)
    ticket.check_not_recused(step.actor)
    ticket.check_unit(step.unit)
    ticket.check_not_archived()
    duties = Duties(tx)
    numbers = await duties.public_numbers(items)
    if set(items) - set(numbers):
        raise ItemNotFound("只能引用现行有效的知识")
    await duties.cite(ticket.id, sorted(numbers.items()), by=step.actor, at=now)


async def lock_item(tx: Transaction, subject: str) -> Item:
    return await Items(tx).get(UUID(subject.partition("/")[0]))


async def warn(tx: Transaction, item: Item, due: Due) -> None:
    """待复审: in force still, and somebody should look at it."""
    if _is_current(item, due) and item.standing and item.standing.state is State.PUBLISHED:
        await _by_calendar(tx, item.expiring(), EXPIRING, due)


async def miss(tx: Transaction, item: Item, due: Due) -> None:
    """Nobody looked at it in time: it is public no longer."""
    if _is_current(item, due) and item.standing and item.standing.state in PUBLIC:
        await _by_calendar(tx, item.expired(), EXPIRED, due)
        await SearchIndex(tx).forget(item.id)


async def reschedule(tx: Transaction, item: Item, due: Due, old_due: datetime) -> None:
    standing = item.standing
    if standing is None or standing.term is None or standing.term.due_at != old_due:
        return
    term = replace(
        standing.term,
        due_at=due.due_at,
        warn_at=due.warn_at or standing.term.warn_at,
        calendar_version=due.calendar_version,
    )
    await Items(tx).save_redated(item.redated(term))


def _decided(
    item: Item, move: Move, *, why: str, by: str, ground: KnowledgeGround, now: datetime
) -> Item:
    def term() -> ReviewTerm:
        return ground.rules.review_term(ground.calendar, now)

    decided = {
        Move.SUBMIT: lambda: item.submitted(by=by),
        Move.REVIEW: lambda: item.reviewed(by=by),
        Move.SEND_BACK: lambda: item.sent_back(why=why),
        Move.PUBLISH: lambda: item.published(at=now, term=term()),
        Move.RENEW: lambda: item.renewed(by=by, term=term()),
        Move.WITHDRAW: lambda: item.withdrawn(why=why),
        Move.DISCARD: lambda: item.discarded(why=why),
    }
    return decided[move]()


async def _follow(
    tx: Transaction, before: Item, after: Item, *, ground: KnowledgeGround, now: datetime
) -> None:
    """The timer and the search index go with what stands; with the first item, the weeks begin."""
    if before.standing == after.standing:
        return
    old = before.standing.term if before.standing else None
    new = after.standing.term if after.standing else None
    index = SearchIndex(tx)
    if old is not None:
        await timers.disarm(tx, subject=_subject(after.id, old), now=now)
    if new is not None and after.standing is not None:
        await arm_once(tx, _deadline(after.id, new))
        await index.keep(after.id, after.standing)
        await knowledge_duties.arm_week(tx, ground=ground, after=now)
    else:
        await index.forget(after.id)


async def _by_calendar(tx: Transaction, item: Item, move: str, due: Due) -> None:
    step = ItemStep(item_id=item.id, actor=BY_CALENDAR)
    await Items(tx).save(item, _moved(item, move, step, due.now))
    _announce(tx, item, move, due.now)


def _is_current(item: Item, due: Due) -> bool:
    """A renewed or replaced version has another term: the old one's moment means nothing."""
    term = item.standing.term if item.standing else None
    return term is not None and _subject(item.id, term) == due.subject


async def _get(items: Items, step: ItemStep) -> Item:
    item = await items.get(step.item_id)
    item.check_unit(step.unit)
    if step.seen_revision is not None:
        check_version(expected=step.seen_revision, actual=item.revision)
    return item


def _moved(
    item: Item, move: str, step: ItemStep, now: datetime, *, note: str | None = None
) -> ItemMove:
    return ItemMove(move=move, actor=step.actor, at=now, number=item.latest.number, note=note)


def _subject(item_id: UUID, term: ReviewTerm) -> str:
    """One timer for each term: a term that ran out before its renewal does not block the next."""
    return f"{item_id}/{term.start_at.astimezone(SHANGHAI):%Y%m%d%H%M%S%f}"


def _deadline(item_id: UUID, term: ReviewTerm) -> Deadline:
    return Deadline(
        kind=REVIEW,
        subject=_subject(item_id, term),
        start_at=term.start_at,
        limit=term.limit,
        due_at=term.due_at,
        warn_at=term.warn_at,
        calendar_version=term.calendar_version,
    )


def _announce(tx: Transaction, item: Item, move: str, now: datetime) -> None:
    latest = item.latest
    tx.publish(
        KnowledgeItemChanged(
            occurred_at=now,
            item_id=item.id,
            number=latest.number,
            move=move,
            state=latest.state,
            unit_code=latest.body.unit_code,
        )
    )
