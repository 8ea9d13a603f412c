"""The figures of an assessment by the file: each rate with its two sides, unit by unit, and the
tickets behind one."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from fastapi.responses import StreamingResponse

from tongban_common.export import Column
from tongban_common.http import PageRequest, Router
from tongban_hotline_dispatch.api.assessment import ONLY_MET, Side
from tongban_hotline_dispatch.api.list_exports import FILE, Leaving, leaving
from tongban_hotline_dispatch.domain.appeal import APPEAL_NAMES, AppealType
from tongban_hotline_dispatch.operations import acts_for, assessment, viewer_of
from tongban_hotline_dispatch.store import assessment_reads as reading
from tongban_hotline_dispatch.store.assessment import AssessmentNotFound
from tongban_hotline_dispatch.store.assessment_reads import Asked, Behind, UnitLine

router = Router(prefix="/hotline/v1/exports", tags=["导出"])


@router.get("/assessment.{form}", summary="导出一期考核的各单位指标（CSV、XLSX）", **FILE)
async def figures(
    leave: Annotated[Leaving, leaving("assessment:read")],
    period: Annotated[str, Query(max_length=10, description="考核期；不给则最近一期")] = "",
    no: Annotated[int | None, Query(alias="run", ge=1, le=1_000_000, description="核算次")] = None,
) -> StreamingResponse:
    """By group, the best first; a unit sees itself. What is withheld of few ratings stays so."""
    mine = acts_for(leave.who)
    async with leave.kit.db.reading() as reads:
        found = await reading.of_code(reads, period or None)
        if found is None:
            raise AssessmentNotFound("没有这个考核期")
        _, run = await reading.run_of(reads, found.id, no)
    standard = await assessment.standard_of(leave.kit, found.period.ends_on, run.policy_version)
    names = assessment.names_of(standard)

    async def read(reads: Any, page: PageRequest) -> Sequence[UnitLine]:
        """One page holds them all: one of each unit."""
        if page.after is not None:
            return ()
        return await reading.unit_lines(reads, run.id, unit_code=mine)

    return await leave.send(
        "assessment",
        f"考核{found.period.code}",
        _columns(names, sorted(code.value for code in standard.indicators)),
        read,
        lambda line: [line.unit_code],
        {"period": found.period.code, "run": run.no},
    )


def _columns(names: dict[str, str], codes: Sequence[str]) -> Sequence[Column[UnitLine]]:
    head: Sequence[Column[UnitLine]] = (
        Column("分组", lambda line: names.get(line.group, line.group)),
        Column("单位编码", lambda line: line.unit_code),
        Column("单位", lambda line: line.unit_name, 24),
        Column("得分", lambda line: line.total, 10),
        Column("档次", lambda line: line.tier and names.get(line.tier, line.tier), 10),
        Column("限期整改", lambda line: line.needs_rectification, 10),
    )
    return [*head, *(each for code in codes for each in _sides(names[code], code))]


def _sides(name: str, code: str) -> Sequence[Column[UnitLine]]:
    def side(part: str) -> Any:
        def cell(line: UnitLine) -> Any:
            found = line.figures.get(code)
            return None if found is None else getattr(found, part)

        return cell

    return (
        Column(f"{name}（分子）", side("numerator"), 12),
        Column(f"{name}（分母）", side("denominator"), 12),
        Column(name, side("rate"), 12),
    )


def _type(line: Behind) -> str | None:
    return None if not line.appeal_type else APPEAL_NAMES[AppealType(line.appeal_type)]


@router.get("/figure-tickets.{form}", summary="导出指标所依据的工单（CSV、XLSX）", **FILE)
async def behind(
    leave: Annotated[Leaving, leaving("assessment:read")],
    assessment_id: Annotated[UUID, Query(description="考核标识")],
    unit: Annotated[str, Query(max_length=64, description="承办单位编码")],
    measure: Annotated[str, Query(pattern=r"^[a-z_]{1,40}$", description="指标或者加减分项")],
    side: Annotated[Side, Query(description="分子、分母或者未达")] = Side.DENOMINATOR,
    no: Annotated[int | None, Query(alias="run", ge=1, le=1_000_000, description="核算次")] = None,
) -> StreamingResponse:
    assessment.check_own(leave.who, unit)
    async with leave.kit.db.reading() as reads:
        _, run = await reading.run_of(reads, assessment_id, no)
    viewer = viewer_of(leave.who)
    asked = Asked(unit_code=unit, measure=measure, appeal_type="", only_met=ONLY_MET[side])
    return await leave.send(
        "figure-tickets",
        "指标所依据的工单",
        _BEHIND,
        lambda reads, page: reading.behind(reads, run.id, asked, page, seen_by=viewer),
        lambda line: [line.ref, line.no],
        {"assessment_id": assessment_id, "unit": unit, "measure": measure, "side": side},
    )


_BEHIND: Sequence[Column[Behind]] = (
    Column("工单编号", lambda line: line.ticket_no or line.ref, 38),
    Column("诉求类型", _type, 12),
    Column("不计入的事由代码", lambda line: line.reason, 20),
    Column("计入分子", lambda line: line.numerator, 10),
    Column("计入分母", lambda line: line.denominator, 10),
)
