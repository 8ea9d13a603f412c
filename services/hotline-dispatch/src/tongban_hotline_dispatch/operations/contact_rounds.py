"""What the calendar asks about contacts: each night who lacks one, each quarter a confirmation."""

from datetime import date, datetime, time, timedelta

from tongban_common.db import Transaction
from tongban_common.errors import Conflict
from tongban_common.service import Kit
from tongban_common.timers import Deadline, Due
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.contacts import ContactRole, ContactRules, quarter_of
from tongban_hotline_dispatch.events.contacts import (
    ContactsChecked,
    UnitContactMissing,
    UnitContactsAsked,
    UnitContactsConfirmed,
    UnitContactsUnconfirmed,
)
from tongban_hotline_dispatch.operations.contact_nights import arm_night
from tongban_hotline_dispatch.operations.contacts import ContactGround, ContactStep, ground_at
from tongban_hotline_dispatch.store.arming import arm_once
from tongban_hotline_dispatch.store.contact_rounds import Gap, Round, Rounds

CONFIRMATION = "contacts-confirmation"


class NothingToConfirm(Conflict):
    code = "contact.nothing_to_confirm"


async def lock_night(_: Transaction, subject: str) -> str:
    """The timer's own compare-and-set is the lock."""
    return subject


async def nightly(tx: Transaction, _: str, due: Due, *, kit: Kit) -> None:
    """Check every unit, open the quarter's confirmation where it is new, arm the next night."""
    ground = await ground_at(kit, now=due.now)
    night = ground.rules.next_night(due.now) - timedelta(days=1)
    day = night.astimezone(SHANGHAI).date()
    await check_units(tx, rules=ground.rules, day=day, now=due.now)
    await open_round(tx, ground=ground, day=day, now=due.now)
    await arm_night(tx, rules=ground.rules, after=due.now)


async def check_units(tx: Transaction, *, rules: ContactRules, day: date, now: datetime) -> int:
    """Find the units without an active contact, once a day. Returns how many there are."""
    rounds = Rounds(tx)
    if not await rounds.begin_check(day, now):
        return 0
    units = await rounds.active_units()
    filled = await rounds.roles_by_unit(day)
    before = await rounds.gaps()
    found = []
    for code in units:
        missing = tuple(role for role in rules.needed if role not in filled.get(code, ()))
        if missing:
            found.append(_gap(code, missing, before.get(code), day))
    await rounds.keep_gaps(found)
    await rounds.end_check(day, units=len(units), missing=len(found))
    for each in found:
        if each.unit_code not in before or each.roles != before[each.unit_code].roles:
            tx.publish(
                UnitContactMissing(
                    occurred_at=now,
                    unit_code=each.unit_code,
                    roles=list(each.roles),
                    since=each.since,
                    found_on=each.found_on,
                )
            )
    tx.publish(
        ContactsChecked(occurred_at=now, day=day, units=len(units), without_contact=len(found))
    )
    return len(found)


async def open_round(tx: Transaction, *, ground: ContactGround, day: date, now: datetime) -> None:
    """Ask every active unit to confirm its contacts, once a quarter."""
    quarter = quarter_of(day)
    start_at = datetime.combine(day, time.min, tzinfo=SHANGHAI)
    limit = ground.rules.confirmation
    due_at = ground.calendar.due(start_at, limit)
    rounds = Rounds(tx)
    asked = await rounds.open_round(quarter, due_at=due_at, now=now)
    if not asked:
        return
    await arm_once(
        tx,
        Deadline(
            kind=CONFIRMATION,
            subject=quarter,
            start_at=start_at,
            limit=limit,
            due_at=due_at,
            warn_at=None,
            calendar_version=ground.calendar.version_for(day, due_at.date()),
        ),
    )
    for code in asked:
        tx.publish(UnitContactsAsked(occurred_at=now, unit_code=code, quarter=quarter, due=due_at))


async def confirm(
    tx: Transaction,
    *,
    quarter: str,
    unit_code: str,
    step: ContactStep,
    rules: ContactRules,
    now: datetime,
) -> None:
    """The unit says that its contacts are right. Once is enough; late is taken and said so."""
    step.check_unit(unit_code)
    rounds = Rounds(tx)
    asked = await rounds.get_round(quarter)
    filled = await rounds.roles_by_unit(now.astimezone(SHANGHAI).date())
    if any(role not in filled.get(unit_code, ()) for role in rules.needed):
        raise NothingToConfirm("本单位没有在任的联络员，请先备案再确认")
    if await rounds.confirm(quarter, unit_code, by=step.actor, now=now):
        tx.publish(
            UnitContactsConfirmed(
                occurred_at=now,
                unit_code=unit_code,
                quarter=quarter,
                is_late=now > asked.due_at,
            )
        )


async def lock_round(tx: Transaction, subject: str) -> Round:
    return await Rounds(tx).get_round(subject)


async def miss_round(tx: Transaction, asked: Round, due: Due) -> None:
    for code in await Rounds(tx).close_round(asked.quarter, due.now):
        tx.publish(
            UnitContactsUnconfirmed(
                occurred_at=due.now,
                unit_code=code,
                quarter=asked.quarter,
                due=due.due_at.astimezone(SHANGHAI),
            )
        )


async def redate_round(tx: Transaction, asked: Round, due: Due, _: datetime) -> None:
    """A notice on holidays moved it: the round follows its timer."""
    await Rounds(tx).redate_round(asked.quarter, due.due_at)


def _gap(code: str, missing: tuple[ContactRole, ...], before: Gap | None, day: date) -> Gap:
    return Gap(
        unit_code=code,
        roles=missing,
        since=day if before is None else before.since,
        found_on=day,
        nights=1 if before is None else before.nights + 1,
    )
