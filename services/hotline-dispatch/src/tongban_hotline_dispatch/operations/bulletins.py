"""编制月度通报: from the last run of the month's figures, as everything stands at this moment."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tongban_common import audit
from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_common.privacy import mask_text
from tongban_common.service import Kit
from tongban_hotline_dispatch.domain.assessment import PublishMode, Standard
from tongban_hotline_dispatch.domain.bulletins import (
    Document,
    GroupPart,
    HotPart,
    Sides,
    UnitMonth,
    UnitPart,
    check_may_be_made,
)
from tongban_hotline_dispatch.domain.periods import Period
from tongban_hotline_dispatch.events.assessment import BulletinMade
from tongban_hotline_dispatch.operations import hot_issues
from tongban_hotline_dispatch.operations.assessment import names_of, standard_of
from tongban_hotline_dispatch.store import bulletins as stored
from tongban_hotline_dispatch.store.assessment import AssessmentNotFound, Assessments
from tongban_hotline_dispatch.store.assessment_reads import (
    Figure,
    UnitLine,
    group_figures,
    run_of,
    unit_lines,
)
from tongban_hotline_dispatch.store.bulletins import Bulletin, Bulletins

MOST_HOT_ISSUES = 10


async def make(tx: Transaction, kit: Kit, *, period: Period, actor: str, now: datetime) -> Bulletin:
    """Raises AssessmentNotFound, NotEnded, NotForBulletin."""
    known = await Assessments(tx).of_period(period.code)
    if known is None:
        raise AssessmentNotFound("本月尚未核算，先核算再编制通报")
    _, run = await run_of(tx.connection, known.id, None)
    mode = PublishMode(run.mode)
    check_may_be_made(period, mode, now)
    standard = await standard_of(kit, period.ends_on, run.policy_version)
    lines = await unit_lines(tx.connection, run.id, unit_code=None)
    document = Document(
        run=run.no,
        policy_version=run.policy_version,
        mode=mode,
        names=names_of(standard),
        totals=await stored.totals(tx.connection, period),
        groups=_groups(
            standard,
            lines,
            await group_figures(tx.connection, run.id),
            await stored.unit_months(tx.connection, period),
        ),
        hot_issues=await _hot(tx, kit, period, now),
    )
    made = Bulletin(
        id=new_id(now),
        period=period,
        version=await Bulletins(tx).next_version(period),
        run_id=run.id,
        made_at=now,
        made_by=actor,
        document=document,
    )
    await Bulletins(tx).add(made)
    await audit.record(tx, actor=actor, action="bulletin.made", subject=str(made.id), at=now)
    tx.publish(
        BulletinMade(
            occurred_at=now,
            assessment_id=known.id,
            period_code=period.code,
            version=made.version,
            run=run.no,
            mode=mode,
        )
    )
    return made


def _groups(
    standard: Standard,
    lines: Sequence[UnitLine],
    of_groups: Mapping[str, Mapping[str, Figure]],
    months: Mapping[str, UnitMonth],
) -> list[GroupPart]:
    """By unit code: the order of the points would tell the ranks."""
    found = []
    for group in standard.groups:
        own = sorted(
            (line for line in lines if line.group == group.code), key=lambda each: each.unit_code
        )
        if own:
            units = [_unit(line, months.get(line.unit_code, UnitMonth())) for line in own]
            figures = _sides(of_groups.get(group.code, {}))
            part = GroupPart(code=group.code, name=group.name, figures=figures, units=units)
            found.append(part)
    return found


def _unit(line: UnitLine, month: UnitMonth) -> UnitPart:
    return UnitPart(
        unit_code=line.unit_code,
        unit_name=line.unit_name,
        tier=line.tier,
        rank=line.rank,
        listed=line.listed,
        needs_rectification=line.needs_rectification,
        month=month,
        figures=_sides(line.figures),
    )


def _sides(figures: Mapping[str, Figure]) -> dict[str, Sides]:
    return {
        measure: Sides(
            numerator=each.numerator,
            denominator=each.denominator,
            rate=None if each.rate is None else str(each.rate),
            is_withheld=each.is_withheld,
        )
        for measure, each in figures.items()
    }


async def _hot(tx: Transaction, kit: Kit, period: Period, now: datetime) -> list[HotPart]:
    """The month is the window, whatever the one of the ongoing view."""
    rules = await hot_issues.rules_of(kit, now=now)
    days = (period.ends_on - period.starts_on).days + 1
    rules = replace(rules, heat=replace(rules.heat, window_days=days))
    until = period.ends_at - timedelta(microseconds=1)
    hottest = await hot_issues.hottest(tx.connection, rules, now=until)
    described = await hot_issues.described(
        tx.connection, hottest[:MOST_HOT_ISSUES], rules, now=until
    )
    return [
        HotPart(
            title=mask_text(each.told.title),
            tickets=each.counted.tickets,
            people=each.counted.people,
            heat=each.heat,
        )
        for each in described
    ]
