"""What units owe the knowledge base: opened, met, missed; and the attestation of each week."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid5

from tongban_common import timers
from tongban_common.db import Transaction
from tongban_common.errors import Forbidden
from tongban_common.service import Kit
from tongban_common.timers import Deadline, Due
from tongban_common.web.filters import due_time
from tongban_common.working_days import SHANGHAI, WorkingCalendar
from tongban_hotline_dispatch.domain.duties import (
    DUTY_NAMES,
    Duty,
    DutyKind,
    KnowledgeRules,
    hours_from_monday,
    monday_of,
    week_code,
)
from tongban_hotline_dispatch.domain.knowledge import Item, Move
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.supervision import Order
from tongban_hotline_dispatch.events.knowledge import (
    KnowledgeDutyDone,
    KnowledgeDutyMissed,
    KnowledgeDutyOpened,
)
from tongban_hotline_dispatch.operations.assessment import note_input
from tongban_hotline_dispatch.operations.performing import rules_at
from tongban_hotline_dispatch.operations.supervision_issuing import MACHINE, Occasion, Office
from tongban_hotline_dispatch.store.arming import arm_once
from tongban_hotline_dispatch.store.assessment import Noted
from tongban_hotline_dispatch.store.knowledge_duties import Duties
from tongban_hotline_dispatch.store.knowledge_rules import KNOWLEDGE
from tongban_hotline_dispatch.store.reference import Units

DUTY = "knowledge-duty"
WEEK = "knowledge-week"
EVERYWHERE = "all"
_NAMESPACE = UUID("5b0d1f0e-6b8e-5d6f-9c53-8f1f4a8d7a10")  # of the ids of attestations
# What a move of an item says about its open duties.
_MEETS: dict[Move, frozenset[str]] = {
    Move.SUBMIT: frozenset({"submitted"}),
    Move.PUBLISH: frozenset({"submitted", "published"}),
    Move.WITHDRAW: frozenset({"published"}),
    Move.DISCARD: frozenset({"submitted"}),
}


class NotYourDuty(Forbidden):
    code = "knowledge.not_your_duty"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeGround:
    """What items and duties are judged by, as in force at one moment."""

    calendar: WorkingCalendar
    rules: KnowledgeRules


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDuty:
    """What a unit owes from a moment on. The id is drawn at the edge."""

    duty_id: UUID
    kind: DutyKind
    unit_code: str
    about: str
    start_at: datetime
    opened_by: str
    item_id: UUID | None = None


async def ground_at(kit: Kit, *, now: datetime) -> KnowledgeGround:
    policy = await kit.policy(KNOWLEDGE).at(now.astimezone(SHANGHAI).date())
    return KnowledgeGround(calendar=await kit.calendars.current(), rules=policy.rules())


async def open_duty(
    tx: Transaction, *, new: NewDuty, ground: KnowledgeGround, now: datetime
) -> Duty:
    """The unit owes it from `start_at` on, in whatever day that was."""
    await Units(tx).active(new.unit_code)
    limit = ground.rules.duties[new.kind].limit
    due_at = ground.calendar.due(new.start_at, limit)
    first, last = (each.astimezone(SHANGHAI).date() for each in (new.start_at, due_at))
    duty = Duty(
        id=new.duty_id,
        kind=new.kind,
        unit_code=new.unit_code,
        about=new.about,
        start_at=new.start_at,
        limit=limit,
        due_at=due_at,
        policy=ground.rules.policy,
        calendar_version=ground.calendar.version_for(first, last),
        opened_by=new.opened_by,
        item_id=new.item_id,
    )
    await Duties(tx).add(duty)
    await timers.arm(tx, _deadline(duty))
    tx.publish(
        KnowledgeDutyOpened(
            occurred_at=now,
            duty_id=duty.id,
            kind=duty.kind,
            unit_code=duty.unit_code,
            item_id=duty.item_id,
            due=duty.due_at,
        )
    )
    return duty


async def link_item(tx: Transaction, *, duty_id: UUID, item: Item, unit: str | None) -> None:
    """A new policy's duty is met by this item. Raises NotYourDuty."""
    duties = Duties(tx)
    duty = await duties.get(duty_id)
    if duty.unit_code != item.latest.body.unit_code or unit not in {None, duty.unit_code}:
        raise NotYourDuty("该责任事项属于其他单位")
    await duties.save(replace(duty, item_id=item.id))


async def meet(
    tx: Transaction, *, item: Item, move: Move, by: str, rules: KnowledgeRules, now: datetime
) -> None:
    """Settle the open duties of an item that this move meets."""
    met = _MEETS.get(move, frozenset())
    for duty in await Duties(tx).open_of_item(item.id):
        if rules.duties[duty.kind].met_by in met:
            await _settle(tx, duty.done(by=by, at=now))


async def close_duty(tx: Transaction, *, duty_id: UUID, note: str, by: str, now: datetime) -> Duty:
    """The hub takes it off the list, and says why."""
    duty = (await Duties(tx).get(duty_id)).done(by=by, at=now, note=note)
    await _settle(tx, duty)
    return duty


async def lock_duty(tx: Transaction, subject: str) -> Duty:
    return await Duties(tx).get(UUID(subject))


async def miss_duty(tx: Transaction, duty: Duty, due: Due, kit: Kit) -> None:
    await Duties(tx).save(duty.missed(due.now))
    await _miss(tx, duty, await rules_at(kit, now=due.now), due.now)


async def redate_duty(tx: Transaction, duty: Duty, due: Due, _: datetime) -> None:
    """A notice on holidays moved it: the duty follows its timer."""
    moved = replace(duty, due_at=due.due_at, calendar_version=due.calendar_version)
    await Duties(tx).save(moved)


async def attest(
    tx: Transaction, *, unit_code: str, by: str, ground: KnowledgeGround, now: datetime
) -> str:
    """每周确认: what the unit has in the knowledge base is right. Once a week; late is taken."""
    week = week_code(now)
    due_at = ground.rules.week.due(monday_of(now), ground.calendar)
    is_late = due_at is not None and now > due_at
    duties = Duties(tx)
    await Units(tx).active(unit_code)
    if await duties.attest(unit_code, week, by=by, at=now, is_late=is_late):
        owed = await duties.open_attestation(unit_code, week)
        if owed is not None:
            await _settle(tx, owed.done(by=by, at=now))
    return week


async def arm_week(tx: Transaction, *, ground: KnowledgeGround, after: datetime) -> None:
    """The next moment at which a week's attestations are due, armed once."""
    week = ground.rules.week
    due_at = week.next_due(after, ground.calendar)
    start_at, limit = hours_from_monday(due_at, week.clause)
    await arm_once(
        tx,
        Deadline(
            kind=WEEK,
            subject=EVERYWHERE,
            start_at=start_at,
            limit=limit,
            due_at=due_at,
            warn_at=None,
            calendar_version="",  # hours know no calendar
        ),
    )


async def lock_week(_: Transaction, subject: str) -> str:
    """The timer's own compare-and-set is the lock."""
    return subject


async def week_over(tx: Transaction, _: str, due: Due, *, kit: Kit) -> None:
    """Who owed the attestation of this week and did not give it; then the next week."""
    ground, rules = await ground_at(kit, now=due.now), await rules_at(kit, now=due.now)
    week = week_code(due.due_at)
    duties = Duties(tx)
    owing = await duties.unattested(
        week, begun_at=due.start_at, everybody=ground.rules.everybody_attests
    )
    for unit_code in owing:
        duty = Duty(
            id=_drawn(due, unit_code),
            kind=DutyKind.ATTESTATION,
            unit_code=unit_code,
            about=week,
            start_at=due.start_at,
            limit=due.limit,
            due_at=due.due_at,
            policy=ground.rules.policy,
            calendar_version="",
            opened_by="calendar",
            missed_at=due.now,
        )
        await duties.add(duty)
        await _miss(tx, duty, rules, due.now)
    await arm_week(tx, ground=ground, after=due.now)


async def _settle(tx: Transaction, duty: Duty) -> None:
    if duty.done_at is None or duty.done_by is None:
        raise AssertionError("only what is done is settled")
    await Duties(tx).save(duty)
    await timers.disarm(tx, subject=str(duty.id), now=duty.done_at)
    if not duty.is_late():
        await note_input(tx, _noted(duty, "knowledge_on_time"), by=duty.done_by, now=duty.done_at)
    tx.publish(
        KnowledgeDutyDone(
            occurred_at=duty.done_at,
            duty_id=duty.id,
            kind=duty.kind,
            unit_code=duty.unit_code,
            item_id=duty.item_id,
            is_late=duty.is_late(),
        )
    )


async def _miss(tx: Transaction, duty: Duty, rules: Rules, now: datetime) -> None:
    """知识库逾期: told, noted for the assessment, and supervised (济南市条例第二十八条第三项)."""
    await note_input(tx, _noted(duty, "knowledge_late"), by=MACHINE, now=now)
    known = rules.supervision
    if known is not None:
        cause = known.cause(known.knowledge_cause)
        order = Order(
            issuer=MACHINE,
            cause=known.knowledge_cause,
            legal_basis=cause.clause,
            units=(duty.unit_code,),
            ticket_ids=(),
            level=known.knowledge_level,
            words=f"{DUTY_NAMES[duty.kind]}：{duty.about}，期限{due_time(duty.due_at)}，已逾期。",
        )
        office = Office(tx, rules=known, calendar=rules.calendar, now=now)
        await office.issue(order, Occasion(values={"due": due_time(duty.due_at)}))
    tx.publish(
        KnowledgeDutyMissed(
            occurred_at=now,
            duty_id=duty.id,
            kind=duty.kind,
            unit_code=duty.unit_code,
            item_id=duty.item_id,
            due=duty.due_at.astimezone(SHANGHAI),
        )
    )


def _noted(duty: Duty, kind: str) -> Noted:
    on_day = duty.due_at.astimezone(SHANGHAI).date()
    return Noted(kind=kind, unit_code=duty.unit_code, on_day=on_day, ref=str(duty.id))


def _deadline(duty: Duty) -> Deadline:
    return Deadline(
        kind=DUTY,
        subject=str(duty.id),
        start_at=duty.start_at,
        limit=duty.limit,
        due_at=duty.due_at,
        warn_at=None,
        calendar_version=duty.calendar_version,
    )


def _drawn(due: Due, unit_code: str) -> UUID:
    """The same for the same week and unit, whichever worker comes to it."""
    return uuid5(_NAMESPACE, f"{week_code(due.due_at)}/{unit_code}")
