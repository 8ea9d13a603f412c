"""The use cases of the assessment: run it, run it again, note a fact, put a unit into a group."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from tongban_common import audit
from tongban_common.auth import NotPermitted, Principal
from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_common.errors import RuleViolation
from tongban_common.http import check_version
from tongban_common.service import Kit
from tongban_hotline_dispatch.domain.assessment import (
    EXCLUSION_RATE,
    INPUTS,
    NOTHING,
    Counts,
    Indicator,
    Placed,
    PublishMode,
    Standard,
    input_kind,
    placed,
)
from tongban_hotline_dispatch.domain.periods import Period
from tongban_hotline_dispatch.events.assessment import AssessedUnit, AssessmentFinished
from tongban_hotline_dispatch.operations.access import acts_for
from tongban_hotline_dispatch.store import Units
from tongban_hotline_dispatch.store.assessment import Assessed, Assessments, Noted, Run
from tongban_hotline_dispatch.store.assessment_policy import ASSESSMENT

EXCLUSION_NAME = "不计入考核率"


class NotByHand(RuleViolation):
    code = "assessment.input_not_by_hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which version of the policy: the one named, or the one in force on the period's last day."""

    actor: str
    policy_version: int | None = None
    seen_runs: int | None = None


async def standard_of(kit: Kit, day: date, version: int | None = None) -> Standard:
    """Raises NoPolicy."""
    shelf = kit.policy(ASSESSMENT)
    found = await shelf.at(day) if version is None else await shelf.version(version)
    return found.standard


async def assess(
    tx: Transaction, *, period: Period, wanted: Wanted, standard: Standard, now: datetime
) -> tuple[Assessed, Run]:
    """核算: the first run of a period. Raises AlreadyAssessed, NotBegun."""
    period.check_begun(now)
    new = await Assessments(tx).add(new_id(now), period)
    return await _run(tx, new, wanted, standard, now)


async def recompute(
    tx: Transaction, *, assessment_id: UUID, wanted: Wanted, standard: Standard, now: datetime
) -> tuple[Assessed, Run]:
    """重新核算: a new run; the old ones stay as they are. Raises AssessmentNotFound."""
    known = await Assessments(tx).get(assessment_id)
    if wanted.seen_runs is not None:
        check_version(expected=wanted.seen_runs, actual=known.runs)
    return await _run(tx, known, wanted, standard, now)


async def assess_or_recompute(
    tx: Transaction, *, period: Period, wanted: Wanted, standard: Standard, now: datetime
) -> tuple[Assessed, Run]:
    """What the command does: whichever it takes."""
    known = await Assessments(tx).of_period(period.code)
    if known is None:
        return await assess(tx, period=period, wanted=wanted, standard=standard, now=now)
    return await _run(tx, known, wanted, standard, now)


async def note_input(tx: Transaction, fact: Noted, *, by: str, now: datetime) -> bool:
    """A fact that the tickets do not tell, for whoever knows of it: a card, a duty, a filing.

    `fact.kind` is one of domain.assessment.INPUTS; `fact.ref` names what it rests on, and a fact
    is taken once for each kind, unit and ref. False where it was known. Raises UnknownInput.
    """
    input_kind(fact.kind)
    return await Assessments(tx).note(fact, by=by, at=now)


async def void_input(tx: Transaction, *, kind: str, ref: str, now: datetime) -> None:
    """The fact is no more: a card was waived. Raises UnknownInput."""
    input_kind(kind)
    await Assessments(tx).void(kind, ref, at=now)


async def note_by_hand(tx: Transaction, fact: Noted, *, by: str, now: datetime) -> bool:
    """Raises NotByHand, UnitNotFound for what no person may note."""
    if not input_kind(fact.kind).is_manual:
        manual = [kind for kind, each in INPUTS.items() if each.is_manual]
        raise NotByHand(f"由人工记录的只有：{'、'.join(manual)}", given=fact.kind)
    await Units(tx).active(fact.unit_code)
    return await note_input(tx, fact, by=by, now=now)


async def put_into_group(
    tx: Transaction, *, unit_code: str, group: str, standard: Standard, by: str, now: datetime
) -> None:
    """From the next run on. Raises UnknownGroup, UnitNotFound."""
    standard.check_group(group)
    await Units(tx).active(unit_code)
    await Assessments(tx).group(unit_code, group)
    await audit.record(tx, actor=by, action="assessment.grouped", subject=unit_code, at=now)


def check_own(who: Principal, unit_code: str) -> None:
    """Raises NotPermitted for another unit's figures."""
    mine = acts_for(who)
    if mine is not None and mine != unit_code:
        raise NotPermitted("只能查看本单位的考核")


async def _run(
    tx: Transaction, known: Assessed, wanted: Wanted, standard: Standard, now: datetime
) -> tuple[Assessed, Run]:
    mode = standard.modes[known.period.type]
    run = Run(
        id=new_id(now),
        assessment_id=known.id,
        no=known.runs + 1,
        policy_version=standard.version,
        mode=mode,
        as_of=now,
        started_by=wanted.actor,
        watermark={},
    )
    assessments = Assessments(tx)
    await assessments.compute(run, known.period, standard)
    units = await assessments.units(run.id)
    found = placed(units, standard, mode)
    await assessments.place(run.id, found)
    await audit.record(
        tx, actor=wanted.actor, action="assessment.computed", subject=str(run.id), at=now
    )
    assessed = Assessed(id=known.id, period=known.period, runs=run.no)
    tx.publish(
        _finished(assessed, run, [(each, units[each.unit_code][1]) for each in found], standard)
    )
    return assessed, run


def _finished(
    assessed: Assessed, run: Run, found: list[tuple[Placed, Counts]], standard: Standard
) -> AssessmentFinished:
    period = assessed.period
    return AssessmentFinished(
        occurred_at=run.as_of,
        assessment_id=assessed.id,
        period_type=period.type,
        period_code=period.code,
        starts_on=period.starts_on,
        ends_on=period.ends_on,
        policy_version=run.policy_version,
        run=run.no,
        mode=PublishMode(run.mode),
        names=names_of(standard),
        units=tuple(_unit(each, counts, standard) for each, counts in found),
    )


def names_of(standard: Standard) -> dict[str, str]:
    return {
        **{code.value: each.name for code, each in standard.indicators.items()},
        EXCLUSION_RATE: EXCLUSION_NAME,
        **standard.group_names,
        **{tier.code: tier.name for tier in standard.tiers},
    }


def _unit(each: Placed, counts: Counts, standard: Standard) -> AssessedUnit:
    told = [*(indicator.value for indicator in Indicator), EXCLUSION_RATE]
    return AssessedUnit(
        unit_code=each.unit_code,
        group=each.group,
        tier=each.tier,
        indicators={name: _rate(name, counts, standard) for name in told},
        rank=each.rank,
        listed=each.listed,
        needs_rectification=each.needs_rectification,
    )


def _rate(name: str, counts: Counts, standard: Standard) -> str | None:
    count = counts.get(name, NOTHING)
    rate = None if count.is_withheld(name, standard) else count.rate
    return None if rate is None else str(rate)


def line_names(standard: Standard) -> Mapping[str, str]:
    """Deductions and bonuses as they are called."""
    return {
        **{code.value: line.name for code, line in standard.deductions.items()},
        **{code.value: line.name for code, line in standard.bonuses.items()},
    }
