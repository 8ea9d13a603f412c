"""The use cases of a case (办件): accept, decide, complete, deliver, and what its clocks do."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from tongban_common import audit, timers
from tongban_common.db import Transaction
from tongban_common.errors import RuleViolation
from tongban_common.http import check_version
from tongban_common.privacy import Sealer
from tongban_common.service import Kit
from tongban_common.timers import Deadline, Due
from tongban_common.working_days import SHANGHAI, WorkingCalendar
from tongban_intake.domain import case as cases
from tongban_intake.domain.case import (
    Applicant,
    Application,
    Case,
    Decision,
    DeliveryMethod,
    Grounds,
    Result,
)
from tongban_intake.domain.catalogue import version_on
from tongban_intake.domain.deadlines import Clock, Limits, Term
from tongban_intake.domain.receipt import Receipt
from tongban_intake.events import (
    CaseAccepted,
    CaseCompleted,
    CaseDecided,
    DeadlineApproaching,
    DeadlineMissed,
    DeadlineRescheduled,
)
from tongban_intake.store import Applicants, Cases, Directories, Items
from tongban_intake.store.policies import LIMITS

_QUERY_CODE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


class WrongWindow(RuleViolation):
    code = "window.takes_no_applications"


class UnitClosed(RuleViolation):
    code = "unit.closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the clocks of a case are computed from, as in force at one moment."""

    calendar: WorkingCalendar
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCase:
    """What comes in at a window. The id and the random query code are drawn at the edge."""

    case_id: UUID
    query_code: str
    item_code: str
    window_code: str
    applicant: Applicant
    actor: str
    staff_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Who acts on which case, and which version of it they saw; None where nobody looked."""

    case_id: UUID
    actor: str
    seen_version: int | None = None


def new_query_code() -> str:
    """Eight characters for the receipt, none of which reads like another."""
    return "".join(secrets.choice(_QUERY_CODE_ALPHABET) for _ in range(8))


async def rules_at(kit: Kit, *, now: datetime) -> Rules:
    policy = await kit.policy(LIMITS).at(now.astimezone(SHANGHAI).date())
    return Rules(calendar=await kit.calendars.current(), limits=policy.limits())


async def accept(
    tx: Transaction, *, new: NewCase, rules: Rules, sealer: Sealer, now: datetime
) -> Case:
    """受理: issue a numbered receipt and start the promise and the legal clock."""
    today = now.astimezone(SHANGHAI).date()
    item = version_on(await Items(tx).versions(new.item_code), on=today)
    await _check_place(tx, new, item.unit_code)

    repository = Cases(tx)
    serial = await repository.next_serial(item.code, today)
    application = Application(
        case_id=new.case_id,
        number=Receipt(item_code=item.code, on=today, serial=serial).number,
        query_code=new.query_code,
        window_code=new.window_code,
        staff_code=new.staff_code,
    )
    case = cases.accept(application, item, calendar=rules.calendar, limits=rules.limits, at=now)

    await repository.add(case, actor=new.actor)
    await Applicants(tx, sealer).add(case.id, new.applicant)
    await _arm(tx, case, Clock.PROMISE, case.promise, rules)
    await _arm(tx, case, Clock.LEGAL, case.legal, rules)
    tx.publish(
        CaseAccepted(
            occurred_at=now,
            case_id=case.id,
            item_code=case.item_code,
            unit_code=case.unit_code,
            window_code=case.window_code,
            promise_due=case.promise.due_at,
            legal_due=case.legal.due_at,
        )
    )
    return case


async def decide(
    tx: Transaction,
    *,
    step: Step,
    result: Result,
    grounds: Grounds | None,
    rules: Rules,
    now: datetime,
) -> Case:
    """决定: the legal clock stops; a grant starts that of delivery (许可法第四十四条)."""
    case = await _seen(tx, step)

    decision = Decision(result=result, at=now, grounds=grounds)
    case = case.decide(decision, calendar=rules.calendar, limits=rules.limits)

    await Cases(tx).save(case, actor=step.actor)
    await timers.disarm(tx, subject=str(case.id), kind=Clock.LEGAL, now=now)
    if case.delivery is not None:
        await _arm(tx, case, Clock.DELIVERY, case.delivery, rules)
    tx.publish(CaseDecided(occurred_at=now, case_id=case.id, result=result))
    return case


async def complete(tx: Transaction, *, step: Step, rules: Rules, now: datetime) -> Case:
    """办结: the promise is kept or broken, and the case may be reviewed."""
    case = await _seen(tx, step)

    case = case.complete(at=now)
    overdue = case.overdue(rules.calendar, at=now)

    await Cases(tx).save(case, actor=step.actor)
    await timers.disarm(tx, subject=str(case.id), kind=Clock.PROMISE, now=now)
    tx.publish(
        CaseCompleted(
            occurred_at=now,
            case_id=case.id,
            item_code=case.item_code,
            item_name=case.item_name,
            unit_code=case.unit_code,
            window_code=case.window_code,
            staff_code=case.staff_code,
            result=case.made_decision.result,
            completed_at=now.astimezone(SHANGHAI),
            is_overdue=overdue.is_overdue,
            overdue_working_days=overdue.working_days,
        )
    )
    return case


async def deliver(tx: Transaction, *, step: Step, method: DeliveryMethod, now: datetime) -> Case:
    """送达: handed over, posted, or issued electronically; no clock of the case runs on."""
    case = await _seen(tx, step)

    case = case.deliver(method, at=now)

    await Cases(tx).save(case, actor=step.actor)
    await timers.disarm(tx, subject=str(case.id), now=now)
    return case


async def see_applicant(
    tx: Transaction, *, case_id: UUID, actor: str, sealer: Sealer, now: datetime
) -> Applicant:
    """Unmasked: whoever looks is written down."""
    found = await Applicants(tx, sealer).get(case_id)
    await audit.record(tx, actor=actor, action="applicant.seen", subject=str(case_id), at=now)
    return found


async def lock_case(tx: Transaction, subject: str) -> Case:
    return await Cases(tx).get(UUID(subject))


async def warn(tx: Transaction, case: Case, due: Due) -> None:
    tx.publish(
        DeadlineApproaching(
            occurred_at=due.now,
            case_id=case.id,
            unit_code=case.unit_code,
            window_code=case.window_code,
            kind=Clock(due.kind),
            due=due.due_at.astimezone(SHANGHAI),
        )
    )


async def miss(tx: Transaction, case: Case, due: Due) -> None:
    tx.publish(
        DeadlineMissed(
            occurred_at=due.now,
            case_id=case.id,
            unit_code=case.unit_code,
            window_code=case.window_code,
            kind=Clock(due.kind),
            due=due.due_at.astimezone(SHANGHAI),
        )
    )


async def reschedule(tx: Transaction, case: Case, due: Due, old_due: datetime) -> None:
    """A notice on holidays moved an open due day: the case follows its timer."""
    clock = Clock(due.kind)
    term = case.running()[clock]
    moved = replace(term, due_at=due.due_at, calendar_version=due.calendar_version)
    await Cases(tx).save_redated(case.redated(clock, moved))
    tx.publish(
        DeadlineRescheduled(
            occurred_at=due.now,
            case_id=case.id,
            kind=clock,
            old_due=old_due.astimezone(SHANGHAI),
            new_due=due.due_at.astimezone(SHANGHAI),
            calendar_version=due.calendar_version,
        )
    )


async def _seen(tx: Transaction, step: Step) -> Case:
    """The case, locked. Raises CaseNotFound, and ChangedMeanwhile for a stale version."""
    case = await Cases(tx).get(step.case_id)
    if step.seen_version is not None:
        check_version(expected=step.seen_version, actual=case.version)
    return case


async def _check_place(tx: Transaction, new: NewCase, unit_code: str) -> None:
    directory = Directories(tx)
    window = await directory.open_window(new.window_code)
    if not window.takes_applications:
        raise WrongWindow("该窗口不受理申请，请到综合窗口或者部门窗口办理")
    for code in {unit_code, window.unit_code}:
        if not (await directory.unit(code)).is_active:
            raise UnitClosed("该事项的办理机构或者窗口所在机构已停用")
    if new.staff_code is not None:
        await directory.check_staff(new.staff_code)


async def _arm(tx: Transaction, case: Case, clock: Clock, term: Term, rules: Rules) -> None:
    await timers.arm(
        tx,
        Deadline(
            kind=clock,
            subject=str(case.id),
            start_at=term.counted_from,
            limit=term.limit,
            due_at=term.due_at,
            warn_at=term.warn_at(rules.calendar, rules.limits.warning),
            calendar_version=term.calendar_version,
        ),
    )
