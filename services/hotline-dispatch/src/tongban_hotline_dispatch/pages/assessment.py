"""The assessment as people look at it: units by group with bars, one unit, what a figure counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from tongban_common.auth import Principal, require
from tongban_common.http import Paged, Reads, Router
from tongban_common.service import Parts
from tongban_common.web import templates
from tongban_common.web.charts import Bar
from tongban_hotline_dispatch.domain.appeal import APPEAL_NAMES, AppealType
from tongban_hotline_dispatch.domain.assessment import (
    EXCLUSION_RATE,
    INPUTS,
    Indicator,
    Listed,
    PublishMode,
    Standard,
)
from tongban_hotline_dispatch.domain.periods import PERIOD_NAMES
from tongban_hotline_dispatch.operations import acts_for, assessment, viewer_of
from tongban_hotline_dispatch.store import AssessmentNotFound
from tongban_hotline_dispatch.store import assessment_reads as reading
from tongban_hotline_dispatch.store.assessment import Assessed, Run
from tongban_hotline_dispatch.store.assessment_reads import Asked, UnitLine

router = Router(prefix="/hotline/assessment")
pages = templates("tongban_hotline_dispatch")
_SHOWN = (
    Indicator.ON_TIME_SIGN.value,
    Indicator.RESPONSE.value,
    Indicator.ON_TIME_CLOSE.value,
    Indicator.RESOLUTION.value,
    Indicator.SATISFACTION.value,
    EXCLUSION_RATE,
)
_LATEST = 24
_MODES = {
    PublishMode.NONE: "不公布",
    PublishMode.INTERNAL: "内部使用",
    PublishMode.TIER_ONLY: "公布档次",
    PublishMode.RANKED: "公布名次",
    PublishMode.RED_BLACK_LIST: "公布红黑榜",
}
_LISTED = {Listed.RED: "红榜", Listed.BLACK: "黑榜"}
RunNo = Annotated[int | None, Query(alias="run", ge=1, le=1_000_000)]
Code = Annotated[str, Query(max_length=10)]


@dataclass(frozen=True, slots=True, kw_only=True)
class InGroup:
    """One group by itself: its units are compared with nobody else."""

    name: str
    lines: Sequence[UnitLine]
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    assessed: Assessed
    run: Run
    standard: Standard

    @property
    def measures(self) -> Mapping[str, str]:
        names = assessment.names_of(self.standard)
        return {name: names[name] for name in _SHOWN}

    @property
    def query(self) -> str:
        return f"period={self.assessed.period.code}&run={self.run.no}"

    @property
    def lead(self) -> str:
        period, kind = self.assessed.period, PERIOD_NAMES[self.assessed.period.type]
        return (
            f"{period.code}（{kind}），第{self.run.no}次核算，"
            f"考核办法第{self.run.policy_version}版，{_MODES[PublishMode(self.run.mode)]}"
        )


@router.get("", response_class=HTMLResponse, include_in_schema=False)
async def overview(
    request: Request,
    reads: Reads,
    kit: Parts,
    page: Paged,
    period: Code = "",
    no: RunNo = None,
    who: Principal = require("assessment:read"),
) -> HTMLResponse:
    """The latest period, unless another is chosen; a unit sees itself."""
    known = await reading.assessments(reads, page)
    found = await reading.of_code(reads, period or None)
    if found is None and period:
        raise AssessmentNotFound("没有这个考核期")
    shown = None if found is None else await _shown(reads, kit, found, no)
    lines = []
    if shown is not None:
        lines = await reading.unit_lines(reads, shown.run.id, unit_code=acts_for(who))
    return pages.render(
        request,
        "assessment.html",
        periods=[(each.period.code, each.period.code) for each in known[:_LATEST]],
        shown=shown,
        groups=[] if shown is None else _grouped(shown.standard, lines),
        tiers={} if shown is None else _tiers(shown.standard),
        listed=_LISTED,
    )


@router.get("/units/{unit_code}", response_class=HTMLResponse, include_in_schema=False)
async def one_unit(
    request: Request,
    unit_code: str,
    reads: Reads,
    kit: Parts,
    period: Code,
    no: RunNo = None,
    who: Principal = require("assessment:read"),
) -> HTMLResponse:
    assessment.check_own(who, unit_code)
    shown = await _chosen(reads, kit, period, no)
    lines = await reading.unit_lines(reads, shown.run.id, unit_code=unit_code)
    if not lines:
        raise AssessmentNotFound("该单位本期没有考核结果")
    by_type = await reading.by_type(reads, shown.run.id, unit_code)
    return pages.render(
        request,
        "assessment_unit.html",
        shown=shown,
        line=lines[0],
        titles=assessment.names_of(shown.standard),
        weights={code.value: each.weight for code, each in shown.standard.indicators.items()},
        measures=[*(each.value for each in Indicator), EXCLUSION_RATE],
        types=APPEAL_NAMES,
        by_type=by_type,
        kind_names=[APPEAL_NAMES[AppealType(kind)] for kind in by_type],
        tiers=_tiers(shown.standard),
    )


@router.get(
    "/units/{unit_code}/figures/{measure}", response_class=HTMLResponse, include_in_schema=False
)
async def behind(
    request: Request,
    unit_code: str,
    measure: str,
    page: Paged,
    reads: Reads,
    kit: Parts,
    period: Code,
    side: Annotated[str, Query(pattern="^(numerator|denominator|missing)$")] = "denominator",
    no: RunNo = None,
    who: Principal = require("assessment:read"),
) -> HTMLResponse:
    assessment.check_own(who, unit_code)
    shown = await _chosen(reads, kit, period, no)
    only_met = {"numerator": True, "missing": False}.get(side)
    asked = Asked(unit_code=unit_code, measure=measure, only_met=only_met)
    found = await reading.behind(reads, shown.run.id, asked, page, seen_by=viewer_of(who))
    names = {**assessment.names_of(shown.standard), **assessment.line_names(shown.standard)}
    last = found[-1] if len(found) == page.limit else None
    return pages.render(
        request,
        "assessment_behind.html",
        shown=shown,
        unit_code=unit_code,
        title=names.get(measure, measure),
        measure=measure,
        side=side,
        rows=found,
        types=APPEAL_NAMES,
        kinds={kind: each.name for kind, each in INPUTS.items()},
        reasons=_reasons(shown.standard),
        next_cursor=None if last is None else page.next_cursor([last.ref, last.no]),
    )


async def _chosen(reads: Reads, kit: Parts, code: str, no: int | None) -> Shown:
    found = await reading.of_code(reads, code)
    if found is None:
        raise AssessmentNotFound("没有这个考核期")
    return await _shown(reads, kit, found, no)


async def _shown(reads: Reads, kit: Parts, found: Assessed, no: int | None) -> Shown:
    """With the version of the policy that the run was made by."""
    assessed, run = await reading.run_of(reads, found.id, no)
    standard = await assessment.standard_of(kit, found.period.ends_on, run.policy_version)
    return Shown(assessed=assessed, run=run, standard=standard)


def _grouped(standard: Standard, lines: Sequence[UnitLine]) -> list[InGroup]:
    found = []
    for group in standard.groups:
        own = [line for line in lines if line.group == group.code]
        if own:
            bars = [
                Bar(label=line.unit_name, value=line.total, note=line.tier or "", tone=_tone(line))
                for line in own
                if line.total is not None
            ]
            found.append(InGroup(name=group.name, lines=own, bars=bars))
    return found


def _tone(line: UnitLine) -> str:
    return "danger" if line.needs_rectification else "info"


def _tiers(standard: Standard) -> dict[str, str]:
    return {tier.code: tier.name for tier in standard.tiers}


def _reasons(standard: Standard) -> dict[str, str]:
    return {
        **{code: each.name for code, each in standard.reasons.items()},
        **{each.reason: each.name for each in standard.windows},
        **{each.reason: each.name for each in standard.automatic},
    }
