"""What happens when a rung of a ladder is reached, an answer is overdue, and every night."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tongban_common import timers
from tongban_common.db import Transaction
from tongban_common.errors import Conflict
from tongban_common.service import Kit
from tongban_common.timers import Deadline, Due
from tongban_common.working_days import SHANGHAI, Limit, Unit, WorkingCalendar
from tongban_hotline_dispatch.domain import closing
from tongban_hotline_dispatch.domain.moves import Act
from tongban_hotline_dispatch.domain.process_tables import TICKET
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.supervision import Supervision
from tongban_hotline_dispatch.domain.supervision_ladder import Key, Ladder, Seen, Step
from tongban_hotline_dispatch.domain.supervision_rules import SupervisionRules
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.events.supervision import SupervisionRescheduled
from tongban_hotline_dispatch.operations.hard_cases import look_for_hard_cases
from tongban_hotline_dispatch.operations.performing import (
    Step as Acting,
)
from tongban_hotline_dispatch.operations.performing import (
    locked,
    read_subject,
    rules_at,
    settle,
)
from tongban_hotline_dispatch.operations.supervision_issuing import (
    MACHINE,
    Office,
    arm_ladder,
    reply_missed,
)
from tongban_hotline_dispatch.store import Tickets
from tongban_hotline_dispatch.store.supervision import Supervisions
from tongban_hotline_dispatch.store.supervision_cards import Cards
from tongban_hotline_dispatch.store.supervision_policy import SUPERVISION, SupervisionPolicy

ROUND = "supervision_round"
ROUND_SUBJECT = "supervision"
_SOON = timedelta(minutes=1)


class RoundUnderWay(Conflict):
    code = "supervision.round_under_way"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLadder:
    """A locked ticket, what its ladder has behind it, and the rules of every day."""

    ticket: Ticket
    seen: Mapping[Key, Seen]
    editions: Sequence[SupervisionPolicy]

    def ladder(self, now: datetime, calendar: WorkingCalendar) -> Ladder:
        day = now.astimezone(SHANGHAI).date()
        rules = [each for each in self.editions if each.effective_from <= day][-1].rules
        return Ladder(ticket=self.ticket, rules=rules, calendar=calendar, now=now, seen=self.seen)


def known(rules: Rules) -> SupervisionRules:
    if rules.supervision is None:
        raise AssertionError("the rules in force have those of supervision")
    return rules.supervision


async def lock_ladder(tx: Transaction, subject: str, kit: Kit) -> HeldLadder:
    ticket_id, _ = read_subject(subject)
    ticket = await Tickets(tx).get(ticket_id)
    seen = await Supervisions(tx).climbed(ticket_id)
    return HeldLadder(ticket=ticket, seen=seen, editions=await kit.policy(SUPERVISION).all())


async def climb(tx: Transaction, held: HeldLadder, due: Due, kit: Kit) -> None:
    """Every rung that was reached, and then the timer of the next one."""
    rules = await rules_at(kit, now=due.now)
    ladder = held.ladder(due.now, rules.calendar)
    office = Office(tx, rules=ladder.rules, calendar=rules.calendar, now=due.now)
    for step in ladder.reached(due.due_at):
        ladder = await _climb_one(tx, office, ladder, step, rules)
    await arm_ladder(tx, ladder, now=due.now)


async def _climb_one(
    tx: Transaction, office: Office, ladder: Ladder, step: Step, rules: Rules
) -> Ladder:
    ticket, unit = ladder.ticket, ladder.ticket.unit_code
    original = ladder.original(step)
    if original is not None:
        made = await Supervisions(tx).get(original.supervision_id)
        await office.notify_again(made, step, ticket.id)
    elif unit is not None:
        made = await office.climb(ticket, step, unit)
        ticket = await flag(tx, ticket, made, rules, ladder.now)
    else:
        return _with_seen(ladder, step, None)
    return replace(_with_seen(ladder, step, made), ticket=ticket)


def _with_seen(ladder: Ladder, step: Step, made: Supervision | None) -> Ladder:
    if made is None or made.level is None:
        return ladder
    found = Seen(
        supervision_id=made.id,
        level=made.level,
        state=made.state,
        was_accepted=made.was_accepted,
    )
    return replace(ladder, seen={**ladder.seen, step.key: found})


async def flag(
    tx: Transaction, ticket: Ticket, made: Supervision, rules: Rules, now: datetime
) -> Ticket:
    """督办中: the ticket says so itself, where the level asks for it and its status allows."""
    level = made.level
    flags = level is not None and known(rules).levels[level].flags_ticket
    may = bool(TICKET.targets(Act.SUPERVISE, ticket.status))
    if not flags or ticket.is_supervised or not may:
        return ticket
    cause = made.order.cause
    return await settle(
        tx,
        ticket,
        lambda t, _, __: closing.supervise(t, cause),
        actor=made.order.issuer,
        rules=rules,
        now=now,
    )


def due_of_rung(held: HeldLadder, due: Due, calendar: WorkingCalendar) -> datetime:
    """Under a new calendar: counted anew from what the rung is counted on."""
    step = held.ladder(due.now, calendar).next()
    return due.due_at if step is None else step.at


async def lock_supervision(tx: Transaction, subject: str) -> Supervision:
    return await Supervisions(tx).get(read_subject(subject)[0])


async def miss_reply(tx: Transaction, one: Supervision, due: Due) -> None:
    await Supervisions(tx).save(one.miss(), actor=MACHINE, at=due.now)
    tx.publish(reply_missed(one, due.now, due.due_at))


async def redate_reply(tx: Transaction, one: Supervision, due: Due, old_due: datetime) -> None:
    term = one.running
    if term is None:
        return
    moved = replace(term, due_at=due.due_at, calendar_version=due.calendar_version)
    await Supervisions(tx).save_redated(one.redated(moved))
    tx.publish(
        SupervisionRescheduled(
            occurred_at=due.now,
            supervision_id=one.id,
            old_due=old_due.astimezone(SHANGHAI),
            new_due=due.due_at.astimezone(SHANGHAI),
            calendar_version=due.calendar_version,
        )
    )


async def lock_round(_: Transaction, subject: str) -> str:
    return subject


async def nightly(tx: Transaction, _: str, due: Due, kit: Kit) -> None:
    """The patterns are looked at, and the next night is armed; soon again where somebody counts."""
    rules = await rules_at(kit, now=due.now)
    if await Cards(tx).may_count():
        await _look_round(tx, rules, due.now)
        await _arm_round(tx, known(rules).next_round(due.now), due.now)
    else:
        await _arm_round(tx, due.now + _SOON, due.now)


async def look_round(kit: Kit, *, now: datetime) -> list[Supervision]:
    """The round by hand; the next night is armed as after any. Raises RoundUnderWay."""
    rules = await rules_at(kit, now=now)
    async with kit.db.transaction() as tx:
        if not await Cards(tx).may_count():
            raise RoundUnderWay("督办核对正在进行，请稍后再试")
        made = await _look_round(tx, rules, now)
        await _arm_round(tx, known(rules).next_round(now), now)
    return made


async def _look_round(tx: Transaction, rules: Rules, now: datetime) -> list[Supervision]:
    office = Office(tx, rules=known(rules), calendar=rules.calendar, now=now)
    made: list[Supervision] = []
    for pattern in known(rules).patterns:
        made += await office.follow_pattern(pattern)
    await flag_all(tx, made, rules, now)
    await look_for_hard_cases(tx, rules, now)
    return made


async def flag_all(
    tx: Transaction, made: Sequence[Supervision], rules: Rules, now: datetime
) -> None:
    """The tickets are locked in the order in which sweeps lock them."""
    pairs = [(ticket_id, each) for each in made for ticket_id in each.order.ticket_ids]
    for ticket_id, each in sorted(pairs, key=lambda pair: str(pair[0])):
        ticket = await locked(tx, Acting(ticket_id=ticket_id, actor=each.order.issuer))
        await flag(tx, ticket, each, rules, now)


async def _arm_round(tx: Transaction, at: datetime, now: datetime) -> None:
    deadline = Deadline(
        kind=ROUND,
        subject=ROUND_SUBJECT,
        start_at=at - timedelta(days=1),
        limit=Limit(amount=24, unit=Unit.HOURS, clause="每日核对"),
        due_at=at,
        warn_at=None,
        calendar_version="",
    )
    await timers.wind(tx, armed=[deadline], now=now)
