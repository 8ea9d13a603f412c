"""The use cases of a reappraisal (复核): load, decide, save, wind its timer, announce."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from tongban_common import timers
from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_common.events import Event
from tongban_common.http import check_version
from tongban_common.service import Kit
from tongban_common.timers import Deadline, Due
from tongban_common.working_days import SHANGHAI, WorkingCalendar
from tongban_hotline_dispatch.domain import reappraisal as reappraisals
from tongban_hotline_dispatch.domain.assessment import (
    REAPPRAISED_RESOLUTION,
    REAPPRAISED_RESULT,
)
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.reappraisal import (
    Application,
    CountyReview,
    Judgement,
    Level,
    NotYourReappraisal,
    Reappraisal,
    State,
    Track,
)
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.events import reappraisals as told
from tongban_hotline_dispatch.operations.assessment import note_input
from tongban_hotline_dispatch.operations.performing import rules_at
from tongban_hotline_dispatch.store import Tickets
from tongban_hotline_dispatch.store.assessment import Noted
from tongban_hotline_dispatch.store.guard import is_below
from tongban_hotline_dispatch.store.reappraisals import Reappraisals

TIMER = "reappraisal"
_INPUTS = {Track.SATISFACTION: REAPPRAISED_RESULT, Track.RESOLUTION: REAPPRAISED_RESOLUTION}
Command = Callable[[Reappraisal], Reappraisal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Who acts on which reappraisal, for which unit, and which version of it they saw."""

    reappraisal_id: UUID
    actor: str
    unit: str | None
    seen_version: int


async def apply(
    tx: Transaction,
    *,
    ticket_id: UUID,
    given: Application,
    unit: str | None,
    rules: Rules,
    now: datetime,
) -> Reappraisal:
    """申请复核, of the unit that was rated. Raises NotYourTicket and what the domain refuses."""
    ticket = await Tickets(tx).get(ticket_id)
    ticket.check_unit(unit)
    contested = await Reappraisals(tx).contested(ticket_id)
    new = reappraisals.request(contested, given, rules, reappraisal_id=new_id(now), at=now)
    new.check_unit(unit)
    await Reappraisals(tx).add(new)
    await _wind(tx, None, new, rules.calendar, now)
    tx.publish(_requested(new, now))
    return new


async def review(
    tx: Transaction, act: Act, *, is_passed: bool, note: str | None, rules: Rules, now: datetime
) -> Reappraisal:
    """县级复核, by the county's centre for the units below it, by the city's for all.

    Raises NotYourReappraisal.
    """
    given = CountyReview(is_passed=is_passed, by=act.actor, at=now, note=note)

    def command(one: Reappraisal) -> Reappraisal:
        return one.pass_county(given, rules) if is_passed else one.fail_county(given)

    before = await Reappraisals(tx).get(act.reappraisal_id)
    rated = before.contested.unit_code
    if act.unit is not None and (
        act.unit == rated or not await is_below(tx.connection, rated, act.unit)
    ):
        raise NotYourReappraisal("该复核的申请单位不是本县级中心的下级单位")
    return await _perform(tx, replace(act, unit=None), command, rules=rules, now=now)


async def decide(
    tx: Transaction, act: Act, given: Judgement, *, rules: Rules, now: datetime
) -> Reappraisal:
    """市级复核."""
    return await _perform(tx, act, lambda one: one.decide(given), rules=rules, now=now)


async def withdraw(tx: Transaction, act: Act, *, rules: Rules, now: datetime) -> Reappraisal:
    return await _perform(tx, act, lambda one: one.withdraw(now), rules=rules, now=now)


async def lock(tx: Transaction, subject: str) -> Reappraisal:
    return await Reappraisals(tx).get(UUID(subject))


async def miss(tx: Transaction, one: Reappraisal, due: Due, kit: Kit) -> None:
    """逾期未复核: silence passes or fails, as the policy says."""
    if one.stage is None:
        return
    rules = await rules_at(kit, now=due.now)
    await _settle(tx, one, one.lapse(rules, due.now), rules=rules, now=due.now)


async def reschedule(tx: Transaction, one: Reappraisal, due: Due, old_due: datetime) -> None:
    if one.stage is None or one.level is None:
        return
    moved = Term(
        start_at=one.stage.start_at,
        limit=one.stage.limit,
        due_at=due.due_at,
        warn_at=None,
        policy=one.stage.policy,
        calendar_version=due.calendar_version,
    )
    await Reappraisals(tx).save(one.redated(moved))
    tx.publish(
        told.ReappraisalRescheduled(
            **_of(one, due.now),
            level=one.level,
            old_due=old_due.astimezone(SHANGHAI),
            new_due=due.due_at.astimezone(SHANGHAI),
            calendar_version=due.calendar_version,
        )
    )


async def _perform(
    tx: Transaction, act: Act, command: Command, *, rules: Rules, now: datetime
) -> Reappraisal:
    before = await Reappraisals(tx).get(act.reappraisal_id)
    before.check_unit(act.unit)
    check_version(expected=act.seen_version, actual=before.version)
    return await _settle(tx, before, command(before), rules=rules, now=now)


async def _settle(
    tx: Transaction, before: Reappraisal, after: Reappraisal, *, rules: Rules, now: datetime
) -> Reappraisal:
    await Reappraisals(tx).save(after)
    await _wind(tx, before, after, rules.calendar, now)
    if after.city is not None and before.city is None:
        await _note(tx, after, after.city, now)
    for event in _announced(before, after, now):
        tx.publish(event)
    return after


async def _wind(
    tx: Transaction,
    before: Reappraisal | None,
    after: Reappraisal,
    calendar: WorkingCalendar,
    now: datetime,
) -> None:
    subject = str(after.id)
    if after.stage is None:
        await timers.disarm(tx, subject=subject, kind=TIMER, now=now)
        return
    if before is None or before.stage != after.stage:
        await timers.wind(tx, armed=[_deadline(subject, after.stage, calendar)], now=now)


async def _note(tx: Transaction, after: Reappraisal, city: Judgement, now: datetime) -> None:
    """A mark that passed, and does not count, leaves the unit's figures."""
    if city.is_assessable:
        return
    for track, verdict in sorted(city.verdicts.items()):
        if verdict.passes:
            fact = Noted(
                kind=_INPUTS[track],
                unit_code=after.contested.unit_code,
                on_day=now.astimezone(SHANGHAI).date(),
                ref=str(after.contested.ticket_id),
            )
            await note_input(tx, fact, by=city.by or "timer", now=now)


def _deadline(subject: str, term: Term, calendar: WorkingCalendar) -> Deadline:
    start_at, left = term.left(calendar)
    return Deadline(
        kind=TIMER,
        subject=subject,
        start_at=start_at,
        limit=left,
        due_at=term.due_at,
        warn_at=None,
        calendar_version=term.calendar_version,
    )


def _announced(before: Reappraisal, after: Reappraisal, now: datetime) -> list[Event]:
    events: list[Event] = []
    if before.county is None and after.county is not None:
        events.append(
            told.ReappraisalReviewed(
                **_of(after, now),
                is_passed=after.county.is_passed,
                is_by_silence=after.county.by is None,
                due=after.stage and after.stage.due_at.astimezone(SHANGHAI),
            )
        )
    if after.state is State.WITHDRAWN:
        events.append(told.ReappraisalWithdrawn(**_of(after, now)))
    elif after.state in {State.PASSED, State.FAILED}:
        events.append(_decided(after, now))
    return events


def _decided(after: Reappraisal, now: datetime) -> Event:
    city = after.city
    verdicts = {} if city is None else city.verdicts
    return told.ReappraisalDecided(
        **_of(after, now),
        state=after.state,
        is_by_silence=after.is_by_silence,
        satisfaction=verdicts.get(Track.SATISFACTION),
        resolution=verdicts.get(Track.RESOLUTION),
        is_assessable=after.is_assessable,
        is_reasonable=city and city.is_reasonable,
    )


def _requested(new: Reappraisal, now: datetime) -> Event:
    if new.stage is None:
        raise AssertionError("what was asked for waits for somebody")
    return told.ReappraisalRequested(
        **_of(new, now),
        tracks=tuple(sorted(new.application.tracks)),
        ground=new.application.ground,
        level=new.level or Level.COUNTY,
        due=new.stage.due_at.astimezone(SHANGHAI),
    )


def _of(one: Reappraisal, now: datetime) -> dict[str, Any]:
    return {
        "occurred_at": now,
        "reappraisal_id": one.id,
        "ticket_id": one.contested.ticket_id,
        "unit_code": one.contested.unit_code,
    }
