"""The use cases of a bulletin (通报): draft, review, approve, withdraw, and its deadline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from uuid import UUID

from tongban_common import audit, timers
from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_common.http import check_version
from tongban_common.policies import LimitRule
from tongban_common.privacy import mask_text
from tongban_common.service import Kit
from tongban_common.timers import Deadline, Due
from tongban_common.working_days import SHANGHAI, WorkingCalendar
from tongban_publishing.domain.bulletin import (
    Bulletin,
    Kind,
    Score,
    Status,
    UnitResult,
    hotline_title_of,
    index_number,
    title_of,
)
from tongban_publishing.events import (
    BulletinPublished,
    BulletinWithdrawn,
    DeadlineApproaching,
    DeadlineMissed,
    DeadlineRescheduled,
)
from tongban_publishing.store import Bulletins
from tongban_publishing.store.policies import PUBLICATION, PublicationPolicy

PUBLICATION_DUE = "publication"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    policy: PublicationPolicy
    calendar: WorkingCalendar


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a finished period has to say."""

    period_id: UUID
    period_code: str
    starts_on: date
    ends_on: date
    scores: Sequence[Score]


@dataclass(frozen=True, slots=True, kw_only=True)
class HotlineResult:
    """What a run of the hotline's assessment has to say, in a mode that is for the public."""

    assessment_id: UUID
    period_code: str
    starts_on: date
    ends_on: date
    run: int
    units: Sequence[UnitResult]
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Who acts on which bulletin, and which version of it they saw."""

    bulletin_id: UUID
    actor: str
    seen_version: int | None = None


async def rules_at(kit: Kit, *, now: datetime) -> Rules:
    policy = await kit.policy(PUBLICATION).at(now.astimezone(SHANGHAI).date())
    return Rules(policy=policy, calendar=await kit.calendars.current())


async def draft(tx: Transaction, *, result: Result, rules: Rules, now: datetime) -> None:
    """起草: one bulletin for each finished period, however often its end is announced."""
    bulletin_id = new_id(now)
    deadline = _deadline(bulletin_id, result.ends_on, rules, rules.policy.quarter_bulletin)
    drafted = Bulletin(
        id=bulletin_id,
        period_id=result.period_id,
        period_code=result.period_code,
        starts_on=result.starts_on,
        ends_on=result.ends_on,
        title=title_of(result.period_code, result.starts_on, result.ends_on),
        scores=result.scores,
        drafted_at=now,
        due_at=deadline.due_at,
    )
    if await Bulletins(tx).add(drafted):
        await timers.arm(tx, deadline)


async def draft_hotline(
    tx: Transaction, *, result: HotlineResult, rules: Rules, now: datetime
) -> None:
    """起草: one bulletin for each period; a later run takes its place until it is published, and
    corrects it by another one after that."""
    bulletins = Bulletins(tx)
    known = await bulletins.latest_of(result.assessment_id)
    if known is not None and known.run >= result.run:
        return
    drafted = _hotline_draft(result, rules, now, is_correction=known is not None)
    if known is not None and known.status in {Status.DRAFT, Status.REVIEWED}:
        await bulletins.replace(known.redrafted(drafted))
        return
    if await bulletins.add(drafted):
        await timers.arm(tx, _hotline_deadline(drafted.id, result.ends_on, rules))


async def review(tx: Transaction, *, step: Step, now: datetime) -> Bulletin:
    """保密审查."""
    bulletin = (await _get(tx, step)).review(by=step.actor, at=now)
    await Bulletins(tx).save(bulletin)
    await _record(tx, step, "bulletin.reviewed", now)
    return bulletin


async def approve(tx: Transaction, *, step: Step, rules: Rules, now: datetime) -> Bulletin:
    """签发: published at once, under an index number."""
    bulletins = Bulletins(tx)
    found = await _get(tx, step)
    today = now.astimezone(SHANGHAI).date()
    serial = await bulletins.next_serial(today)
    index_no = index_number(rules.policy.publisher.code, today, serial)
    bulletin = found.approve(by=step.actor, at=now, index_no=index_no)

    await bulletins.save(bulletin)
    if not bulletin.is_overdue(now):  # else the sweep still tells that it was late
        await timers.disarm(tx, subject=str(bulletin.id), now=now)
    await _record(tx, step, "bulletin.approved", now)
    tx.publish(
        BulletinPublished(
            occurred_at=now,
            bulletin_id=bulletin.id,
            index_no=index_no,
            title=bulletin.title,
            period_code=bulletin.period_code,
            kind=bulletin.kind,
        )
    )
    return bulletin


async def withdraw(tx: Transaction, *, step: Step, reason: str, now: datetime) -> Bulletin:
    """撤回, with the reason that everybody will read."""
    bulletin = (await _get(tx, step)).withdraw(reason=mask_text(reason), at=now)
    await Bulletins(tx).save(bulletin)
    await _record(tx, step, "bulletin.withdrawn", now)
    tx.publish(
        BulletinWithdrawn(
            occurred_at=now,
            bulletin_id=bulletin.id,
            index_no=bulletin.index_no or "",
            reason=bulletin.withdrawal or "",
        )
    )
    return bulletin


async def keep_name(tx: Transaction, *, kind: str, code: str, name: str) -> None:
    await Bulletins(tx).keep_name(kind, code, name)


async def lock_bulletin(tx: Transaction, subject: str) -> Bulletin:
    return await Bulletins(tx).get(UUID(subject))


async def warn(tx: Transaction, bulletin: Bulletin, due: Due) -> None:
    tx.publish(DeadlineApproaching(occurred_at=due.now, bulletin_id=bulletin.id, due=due.due_at))


async def miss(tx: Transaction, bulletin: Bulletin, due: Due) -> None:
    tx.publish(DeadlineMissed(occurred_at=due.now, bulletin_id=bulletin.id, due=due.due_at))


async def reschedule(tx: Transaction, bulletin: Bulletin, due: Due, old_due: datetime) -> None:
    moved = bulletin.rescheduled(due.due_at)
    await Bulletins(tx).save(moved)
    if moved.published_at is not None and not moved.is_overdue(due.now):
        await timers.disarm(tx, subject=due.subject, now=due.now)
    tx.publish(
        DeadlineRescheduled(
            occurred_at=due.now,
            bulletin_id=bulletin.id,
            old_due=old_due,
            new_due=due.due_at,
            calendar_version=due.calendar_version,
        )
    )


async def _get(tx: Transaction, step: Step) -> Bulletin:
    bulletin = await Bulletins(tx).get(step.bulletin_id)
    if step.seen_version is not None:
        check_version(expected=step.seen_version, actual=bulletin.version)
    return bulletin


async def _record(tx: Transaction, step: Step, action: str, now: datetime) -> None:
    await audit.record(tx, actor=step.actor, action=action, subject=str(step.bulletin_id), at=now)


def _hotline_draft(
    result: HotlineResult, rules: Rules, now: datetime, *, is_correction: bool
) -> Bulletin:
    bulletin_id = new_id(now)
    return Bulletin(
        id=bulletin_id,
        kind=Kind.HOTLINE,
        period_id=result.assessment_id,
        run=result.run,
        period_code=result.period_code,
        starts_on=result.starts_on,
        ends_on=result.ends_on,
        title=hotline_title_of(result.starts_on, result.ends_on, is_correction=is_correction),
        results=result.units,
        labels=result.names,
        drafted_at=now,
        due_at=_hotline_deadline(bulletin_id, result.ends_on, rules).due_at,
    )


def _hotline_deadline(bulletin_id: UUID, ends_on: date, rules: Rules) -> Deadline:
    rule = rules.policy.hotline_bulletin or rules.policy.quarter_bulletin
    return _deadline(bulletin_id, ends_on, rules, rule)


def _deadline(bulletin_id: UUID, ends_on: date, rules: Rules, rule: LimitRule) -> Deadline:
    """The clock runs from the end of the period, not from the draft."""
    start_at = datetime.combine(ends_on, time(23, 59), SHANGHAI)
    limit = rule.limit()
    due_at = rules.calendar.due(start_at, limit)
    share = float(rules.policy.warn_after.share)
    return Deadline(
        kind=PUBLICATION_DUE,
        subject=str(bulletin_id),
        start_at=start_at,
        limit=limit,
        due_at=due_at,
        warn_at=start_at + (due_at - start_at) * share,
        calendar_version=rules.calendar.version_for(ends_on, due_at.date()),
    )
