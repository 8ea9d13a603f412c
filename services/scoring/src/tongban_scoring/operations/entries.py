"""Facts into the ledger: by themselves, proposed to be confirmed, or recorded by an inspector."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from tongban_common import timers
from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_common.errors import Conflict, RuleViolation
from tongban_common.http import check_version
from tongban_common.timers import Deadline, Due
from tongban_common.working_days import SHANGHAI
from tongban_scoring.domain.entries import (
    EXCUSING,
    RESPONSIBILITY_NAMES,
    AttributionMissing,
    Entry,
    Evidence,
    EvidenceMissing,
    Responsibility,
    State,
)
from tongban_scoring.operations.rules import Rules
from tongban_scoring.store.ledger import Ledger, Subject
from tongban_scoring.store.reference import References

CONFIRM = "confirm"


class RecordedAlready(Conflict):
    code = "entry.recorded_already"


class NotReversible(Conflict):
    code = "entry.not_reversible"


class InFuture(RuleViolation):
    code = "entry.in_future"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What an event told: which rule it touches, whom, and which fact it is about."""

    rule_id: str
    subject: Subject
    fact: str
    source: str
    occurred_at: datetime
    quantity: Decimal = Decimal(1)
    staff_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manual:
    """What an inspector saw. The id makes the entry unique, as an event's id does."""

    entry_id: UUID
    fact: Fact
    evidence: Evidence
    actor: str
    amount: Decimal | None = None
    level: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Who decides about which entry, on what grounds, and which version of it they saw."""

    entry_id: UUID
    actor: str
    evidence: Evidence
    seen_version: int | None = None
    responsibility: Responsibility | None = None


async def record_fact(tx: Transaction, *, fact: Fact, rules: Rules) -> None:
    """自动计分: the fact speaks for itself; told twice, it counts once."""
    await Ledger(tx).add(
        _entry(fact, rules, State.CONFIRMED), fact.subject, recorded_at=fact.occurred_at
    )


async def propose(tx: Transaction, *, fact: Fact, rules: Rules) -> None:
    """线索: an inspector has a few working days to confirm it, or it expires."""
    proposed = _entry(fact, rules, State.PROPOSED)
    if not await Ledger(tx).add(proposed, fact.subject, recorded_at=fact.occurred_at):
        return
    limit = rules.book.confirm_limit
    due_at = rules.calendar.due(fact.occurred_at, limit)
    await timers.arm(
        tx,
        Deadline(
            kind=CONFIRM,
            subject=str(proposed.id),
            start_at=fact.occurred_at,
            limit=limit,
            due_at=due_at,
            warn_at=None,
            calendar_version=rules.calendar.version_for(
                fact.occurred_at.astimezone(SHANGHAI).date(), due_at.astimezone(SHANGHAI).date()
            ),
        ),
    )


async def record_manual(tx: Transaction, *, manual: Manual, rules: Rules, now: datetime) -> Entry:
    """人工记录. Refused where the book or the directory does not know what it is about.

    Raises EvidenceMissing, InFuture, UnknownRule, UnknownUnit, UnknownWindow, AmountOutOfRange,
    LevelMissing, LevelNotApplicable, QuantityNotOne, StaffMissing, RecordedAlready.
    """
    fact = manual.fact
    if not manual.evidence.text.strip():
        raise EvidenceMissing("人工记录须写明证据（时间、地点、经过或者材料编号）")
    if fact.occurred_at > now:
        raise InFuture("发生时间不能晚于现在")
    rule = rules.book.rule(fact.rule_id)
    rule.check(level=manual.level, quantity=fact.quantity, staff_code=fact.staff_code)
    subject = fact.subject
    await References(tx).check(unit_code=subject.unit_code, window_code=subject.window_code)
    entry = Entry(
        id=manual.entry_id,
        window_code=fact.subject.window_code or fact.subject.unit_code,
        rule_id=rule.id,
        amount=rule.amount_for(level=manual.level, wanted=manual.amount),
        quantity=fact.quantity,
        occurred_at=fact.occurred_at,
        fact=fact.fact,
        source=fact.source,
        state=State.CONFIRMED,
        staff_code=fact.staff_code,
        evidence=manual.evidence,
        rule=rule.wording,
    )
    added = await Ledger(tx).add(entry, fact.subject, recorded_at=now, recorded_by=manual.actor)
    if not added:
        raise RecordedAlready("这条记录已经在台账中")
    return entry


async def confirm(tx: Transaction, *, decision: Decision, now: datetime) -> Entry:
    """确认线索, with evidence; and with the window's responsibility where the rule asks for it."""
    entry = await _get(tx, decision)
    confirmed = entry.confirm(decision.evidence, decision.responsibility)
    return await _decided(tx, confirmed, decision, now)


async def attribute(
    tx: Transaction, *, decision: Decision, reversal_id: UUID, now: datetime
) -> Entry:
    """归责: an overdue case counts by working days where its window is to blame.

    What nobody of the office could help waives the point for the overdue case itself, too.
    Raises AttributionMissing, NotAttributable, EvidenceMissing, IllegalMove.
    """
    if decision.responsibility is None:
        raise AttributionMissing("须认定责任属于哪一方")
    entry = await _get(tx, decision)
    attributed = entry.attribute(decision.responsibility, decision.evidence)
    await _decided(tx, attributed, decision, now)
    if decision.responsibility in EXCUSING and entry.waives is not None:
        waived = await Ledger(tx).standing(
            rule_id=entry.waives, fact=entry.fact, window_code=entry.window_code
        )
        if waived is not None:
            excuse = f"逾期归责于{RESPONSIBILITY_NAMES[decision.responsibility]}"
            evidence = replace(decision.evidence, text=f"{excuse}：{decision.evidence.text}")
            waiver = Decision(entry_id=waived, actor=decision.actor, evidence=evidence)
            await reverse(tx, decision=waiver, entry_id=reversal_id, now=now)
    return attributed


async def reject(tx: Transaction, *, decision: Decision, now: datetime) -> Entry:
    """不予认定, with the reason."""
    entry = await _get(tx, decision)
    return await _decided(tx, entry.reject(decision.evidence), decision, now)


async def reverse(tx: Transaction, *, decision: Decision, entry_id: UUID, now: datetime) -> Entry:
    """冲销: a wrong entry is answered by another that takes it back; nothing is changed."""
    wrong = await _get(tx, decision)
    if wrong.state is not State.CONFIRMED or wrong.reverses is not None:
        raise NotReversible("只有已确认的记录可以冲销")
    if not decision.evidence.text.strip():
        raise EvidenceMissing("冲销须写明理由")
    reversal = Entry(
        id=entry_id,
        window_code=wrong.window_code,
        rule_id=wrong.rule_id,
        amount=wrong.amount,
        quantity=wrong.quantity,
        occurred_at=wrong.occurred_at,
        fact=wrong.fact,
        source=f"reversal:{wrong.id}",
        state=State.CONFIRMED,
        staff_code=wrong.staff_code,
        evidence=decision.evidence,
        reverses=wrong.id,
        rule=wrong.rule,
    )
    subject = Subject(unit_code=wrong.window_code, window_code=wrong.window_code)
    added = await Ledger(tx).add(reversal, subject, recorded_at=now, recorded_by=decision.actor)
    if not added:
        raise RecordedAlready("这条记录已经冲销过")
    return reversal


async def lock_entry(tx: Transaction, subject: str) -> Entry:
    return (await Ledger(tx).get(UUID(subject)))[0]


async def expire(tx: Transaction, entry: Entry, due: Due) -> None:
    """Nobody confirmed in time: the candidate counts for nothing."""
    if entry.state is not State.PROPOSED:
        return  # decided late, but before the sweep came by
    await Ledger(tx).save(entry.expire(), at=due.now, by=None)


def _entry(fact: Fact, rules: Rules, state: State) -> Entry:
    rule = rules.book.rule(fact.rule_id)
    return Entry(
        id=new_id(fact.occurred_at),
        window_code=fact.subject.window_code or fact.subject.unit_code,
        rule_id=fact.rule_id,
        amount=rule.amount,
        quantity=fact.quantity,
        occurred_at=fact.occurred_at,
        fact=fact.fact,
        source=fact.source,
        state=state,
        staff_code=fact.staff_code,
        rule=rule.wording,
    )


async def _get(tx: Transaction, decision: Decision) -> Entry:
    entry, version = await Ledger(tx).get(decision.entry_id)
    if decision.seen_version is not None:
        check_version(expected=decision.seen_version, actual=version)
    return entry


async def _decided(tx: Transaction, entry: Entry, decision: Decision, now: datetime) -> Entry:
    await Ledger(tx).save(entry, at=now, by=decision.actor)
    await timers.disarm(tx, subject=str(entry.id), now=now)
    return entry
