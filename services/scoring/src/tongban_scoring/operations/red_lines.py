"""红线: a suspicion put on file by one inspector, and decided by another."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tongban_common.db import Transaction
from tongban_common.http import check_version
from tongban_scoring.domain.entries import Evidence
from tongban_scoring.domain.red_lines import Case, CaseState, GroundsMissing, NotManual
from tongban_scoring.operations.rules import Rules
from tongban_scoring.store.ledger import Subject
from tongban_scoring.store.red_lines import RedLineCases
from tongban_scoring.store.reference import References


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """Who is said to have crossed which red line, on what evidence, by whom."""

    case_id: UUID
    red_line_id: str
    subject: Subject
    staff_code: str
    evidence: Evidence
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    case_id: UUID
    actor: str
    grounds: Evidence
    state: CaseState
    seen_version: int | None = None


async def open_red_line(
    tx: Transaction, *, suspicion: Suspicion, rules: Rules, now: datetime
) -> Case:
    """立案. Raises UnknownRule, NotManual, GroundsMissing, UnknownUnit, UnknownWindow."""
    red_line = rules.book.red_line(suspicion.red_line_id)
    if red_line.from_rule is not None:
        raise NotManual("这条红线由考勤记录累计，结算时自动立案", rule=red_line.id)
    if not suspicion.evidence.text.strip():
        raise GroundsMissing("红线立案须写明证据（时间、地点、经过或者材料编号）")
    subject = suspicion.subject
    await References(tx).check(unit_code=subject.unit_code, window_code=subject.window_code)
    case = Case(
        id=suspicion.case_id,
        red_line_id=red_line.id,
        label=red_line.label,
        window_code=subject.window_code or subject.unit_code,
        staff_code=suspicion.staff_code,
        opened_by=suspicion.actor,
        evidence=suspicion.evidence,
    )
    await RedLineCases(tx).add([case], cards=[None], now=now)
    return case


async def decide_red_line(tx: Transaction, *, verdict: Verdict, now: datetime) -> Case:
    """认定. Raises RedLineCaseNotFound, SamePerson, GroundsMissing, DecidedAlready."""
    cases = RedLineCases(tx)
    case, version = await cases.get(verdict.case_id)
    if verdict.seen_version is not None:
        check_version(expected=verdict.seen_version, actual=version)
    decided = case.decide(verdict.state, actor=verdict.actor, grounds=verdict.grounds)
    await cases.decide(decided, actor=verdict.actor, grounds=verdict.grounds, now=now)
    return decided
