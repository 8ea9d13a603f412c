"""Every other list by the file: supervision, callbacks, contests, exclusions, looks, hot issues.

Masked as the list itself is, by the filters of the list; each file is on record.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Depends, Path, Query
from fastapi.responses import StreamingResponse
from pydantic import BeforeValidator

from tongban_common.auth import NotPermitted, Principal, require
from tongban_common.export import PAGE, Column, Export, Format, TooManyRows, download
from tongban_common.http import Now, PageRequest, Router, refusals
from tongban_common.privacy import Signer, mask_text
from tongban_common.service import Kit, Parts
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.api.tickets import InForce
from tongban_hotline_dispatch.domain import exclusions as excluding
from tongban_hotline_dispatch.domain import reappraisal as contesting
from tongban_hotline_dispatch.domain.callback import MARK_NAMES, Cause
from tongban_hotline_dispatch.domain.identity import SEEN_NAMES, WAY_NAMES, Way
from tongban_hotline_dispatch.domain.supervision import STATE_NAMES, SupervisionState
from tongban_hotline_dispatch.domain.supervision_cards import COLOUR_NAMES
from tongban_hotline_dispatch.domain.supervision_rules import Kind, Level, SupervisionRules
from tongban_hotline_dispatch.operations import hot_issues, viewer_of
from tongban_hotline_dispatch.operations.exports import Taking, record_export
from tongban_hotline_dispatch.operations.hot_issues import HotIssue
from tongban_hotline_dispatch.operations.supervision_timers import known
from tongban_hotline_dispatch.store import callback_reads, exclusions, identity, supervision_reads
from tongban_hotline_dispatch.store.exports import EXPORT

router = Router(prefix="/hotline/v1/exports", tags=["导出"])
RowT = TypeVar("RowT")
# A form sends what was left open as an empty text.
Open = BeforeValidator(lambda given: given or None)
Code = Annotated[str, Query(max_length=64)]  # empty: any
KINDS = {Kind.URGE: "提醒、催办", Kind.SUPERVISION: "督办", Kind.INSPECTION: "督查"}
CAUSES = {Cause.REPLIED: "已答复", Cause.DEADLINE: "办理时限届满"}
FILE: Any = {
    "response_class": StreamingResponse,
    "responses": {
        200: {"description": "文件", "content": {form.mime: {} for form in Format}},
        **refusals(NotPermitted, TooManyRows),
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """Who takes a list away, in which form; `send` records it and answers with the file."""

    kit: Kit
    form: Format
    now: datetime
    who: Principal

    def page(self, after: tuple[Any, ...] | None) -> PageRequest:
        return PageRequest(PAGE, after, Signer(self.kit.secret, purpose="cursor"), "export")

    async def send(
        self,
        subject: str,
        title: str,
        columns: Sequence[Column[RowT]],
        read: Callable[[Any, PageRequest], Awaitable[Sequence[RowT]]],
        key: Callable[[RowT], Sequence[Any]],
        filters: Mapping[str, object | None],
    ) -> StreamingResponse:
        policy = await self.kit.policy(EXPORT).at(self.now.astimezone(SHANGHAI).date())
        told = {name: str(value) for name, value in filters.items() if value is not None}
        taking = Taking(who=self.who, subject=subject, form=self.form, filters=told, reason=None)
        label = f"{policy.name}/{policy.version}"
        await record_export(self.kit, taking, reasons=(), policy=label, now=self.now)

        async def pages(after: tuple[Any, ...] | None) -> Sequence[RowT]:
            async with self.kit.db.reading() as reads:
                return await read(reads, self.page(after))

        export = Export(
            title=title,
            columns=columns,
            read=pages,
            key=key,
            most_rows=policy.most_rows(self.form),
        )
        return await download(export, self.form, at=self.now)


def leaving(permission: str) -> Any:
    """Who may read the list and may take lists away."""

    async def take(
        form: Annotated[Format, Path(description="csv 或 xlsx")],
        kit: Parts,
        now: Now,
        who: Principal = require(permission),
        _: Principal = require("ticket:export"),
    ) -> Leaving:
        return Leaving(kit=kit, form=form, now=now, who=who)

    return Depends(take)


@router.get("/supervisions.{form}", summary="导出督办件（CSV、XLSX）", **FILE)
async def supervisions(
    leave: Annotated[Leaving, leaving("supervision:read")],
    rules: InForce,
    kind: Annotated[Kind | None, Open, Query(description="催办、督办、督查")] = None,
    level: Annotated[Level | None, Open, Query(description="层级")] = None,
    state: Annotated[SupervisionState | None, Open, Query(description="状态")] = None,
    unit: Code = "",
    ticket: Annotated[UUID | None, Open, Query(description="所涉工单标识")] = None,
) -> StreamingResponse:
    asked = {
        "unit_code": unit or None,
        "kind": kind,
        "level": level,
        "state": state,
        "ticket_id": ticket,
    }
    filters = supervision_reads.Filters(seen_by=viewer_of(leave.who), **asked)  # type: ignore[arg-type]
    return await leave.send(
        "supervisions",
        "督办件",
        _supervision_columns(known(rules), leave.now),
        lambda reads, page: supervision_reads.lines(reads, filters=filters, page=page),
        lambda line: line.key,
        asked,
    )


def _supervision_columns(
    rules: SupervisionRules, now: datetime
) -> Sequence[Column[supervision_reads.SupervisionLine]]:
    return (
        Column("种类", lambda line: KINDS[line.kind], 12),
        Column("层级", lambda line: None if line.level is None else rules.levels[line.level].name),
        Column("督查方式", lambda line: None if line.form is None else rules.forms[line.form].name),
        Column("事由", lambda line: rules.cause_name(line.cause), 24),
        Column("督办对象", lambda line: "、".join(line.units), 24),
        Column("所涉工单数", lambda line: line.tickets, 10),
        Column("状态", lambda line: STATE_NAMES[line.state], 10),
        Column("下达时间", lambda line: line.issued_at, 20),
        Column("回复期限", lambda line: line.reply_due, 20),
        Column("是否逾期回复", lambda line: line.is_late(now), 12),
        Column("有效的牌", lambda line: "、".join(COLOUR_NAMES[each] for each in line.colours)),
        Column("是否公开通报", lambda line: line.is_published, 12),
    )


@router.get("/callbacks.{form}", summary="导出待回访（CSV、XLSX）", **FILE)
async def callbacks(
    leave: Annotated[Leaving, leaving("ticket:callback")],
    what: Annotated[
        callback_reads.What | None, Open, Query(description="待回访、到期未答复等")
    ] = None,
) -> StreamingResponse:
    viewer = viewer_of(leave.who)
    return await leave.send(
        "callbacks",
        "待回访",
        _CALLBACKS,
        lambda reads, page: callback_reads.tasks(
            reads, viewer=viewer, now=leave.now, after=page.after, most=page.limit, what=what
        ),
        lambda task: task.key,
        {"what": what},
    )


_CALLBACKS: Sequence[Column[callback_reads.Task]] = (
    Column("工单编号", lambda task: task.ticket_no, 20),
    Column("标题", lambda task: mask_text(task.title), 40),
    Column("起因", lambda task: CAUSES[task.cause], 14),
    Column("承办单位", lambda task: task.unit_name, 24),
    Column("开始时间", lambda task: task.opened_at, 20),
    Column("未接通次数", lambda task: task.attempts, 10),
    Column("最近一次", lambda task: task.attempted_at, 20),
    Column("人工回访期限", lambda task: task.call_due, 20),
    Column("评价期终点", lambda task: task.due, 20),
    Column("自行评价", lambda task: None if task.own_mark is None else MARK_NAMES[task.own_mark]),
    Column("是否已领取", lambda task: task.taken_by is not None, 10),
)


@router.get("/reappraisals.{form}", summary="导出差评复核（CSV、XLSX）", **FILE)
async def reappraisals(
    leave: Annotated[Leaving, leaving("reappraisal:read")],
    state: Annotated[contesting.State | None, Open, Query(description="状态")] = None,
) -> StreamingResponse:
    viewer, with_below = viewer_of(leave.who), leave.who.may("reappraisal:review")
    return await leave.send(
        "reappraisals",
        "差评复核",
        _REAPPRAISALS,
        lambda reads, page: callback_reads.reappraisals(
            reads,
            viewer=viewer,
            state=state,
            after=page.after,
            most=page.limit,
            with_below=with_below,
        ),
        lambda line: line.key,
        {"state": state},
    )


def _tracks(application: contesting.Application) -> str:
    return "、".join(contesting.TRACK_NAMES[each] for each in sorted(application.tracks))


_REAPPRAISALS: Sequence[Column[callback_reads.ReappraisalLine]] = (
    Column("工单编号", lambda line: line.ticket_no, 20),
    Column("标题", lambda line: mask_text(line.title), 40),
    Column("申请单位", lambda line: line.unit_name, 24),
    Column("申请项", lambda line: _tracks(line.reappraisal.application), 18),
    Column("申请时间", lambda line: line.reappraisal.requested_at, 20),
    Column("状态", lambda line: contesting.STATE_NAMES[line.reappraisal.state], 14),
    Column("决定时间", lambda line: line.reappraisal.decided_at, 20),
    Column("是否计入考核", lambda line: line.reappraisal.is_assessable, 12),
)


@router.get("/exclusions.{form}", summary="导出不计入考核的申请（CSV、XLSX）", **FILE)
async def left_out(
    leave: Annotated[Leaving, leaving("assessment:read")],
    state: Annotated[excluding.State | None, Open, Query(description="状态")] = None,
    unit: Code = "",
) -> StreamingResponse:
    viewer = viewer_of(leave.who)
    return await leave.send(
        "exclusions",
        "不计入考核的申请",
        _EXCLUSIONS,
        lambda reads, page: exclusions.listed(
            reads, page, seen_by=viewer, unit=unit or None, state=state
        ),
        lambda one: [one.proposed_at.isoformat(), str(one.id)],
        {"state": state, "unit_code": unit or None},
    )


_EXCLUSIONS: Sequence[Column[excluding.Exclusion]] = (
    Column("工单标识", lambda one: str(one.ticket_id), 38),
    Column("承办单位编码", lambda one: one.unit_code),
    Column("事由代码", lambda one: one.reason, 20),
    Column("说明", lambda one: mask_text(one.grounds), 40),
    Column("申请时间", lambda one: one.proposed_at, 20),
    Column("状态", lambda one: excluding.STATE_NAMES[one.state], 14),
    Column("听证日期", lambda one: one.hearing_on, 12),
    Column("决定时间", lambda one: one.decided_at, 20),
)


@router.get("/identity-views.{form}", summary="导出诉求人信息查看记录（CSV、XLSX）", **FILE)
async def looks(
    leave: Annotated[Leaving, leaving("identity:audit")],
    ticket_id: Annotated[UUID | None, Open, Query(description="工单标识")] = None,
    actor: Annotated[str, Query(max_length=128, description="查看人")] = "",
    way: Annotated[Way | None, Open, Query(description="查看方式")] = None,
    reason: Code = "",
) -> StreamingResponse:
    """Who looked, when and why; what was seen is not in it."""
    asked = {"ticket_id": ticket_id, "actor": actor or None, "way": way, "reason": reason or None}
    filters = identity.ViewFilters(seen_by=viewer_of(leave.who), **asked)  # type: ignore[arg-type]
    return await leave.send(
        "identity-views",
        "诉求人信息查看记录",
        _LOOKS,
        lambda reads, page: identity.views(reads, filters, after=page.after, most=page.limit),
        lambda line: line.key,
        asked,
    )


_LOOKS: Sequence[Column[identity.ViewLine]] = (
    Column("时间", lambda line: line.view.at, 20),
    Column("查看人", lambda line: line.view.actor, 20),
    Column("单位", lambda line: line.unit_name, 24),
    Column("方式", lambda line: WAY_NAMES[line.view.way], 12),
    Column("工单编号", lambda line: line.ticket_no, 20),
    Column("查看的信息", lambda line: "、".join(SEEN_NAMES[each] for each in line.view.fields), 24),
    Column("理由代码", lambda line: line.view.reason, 16),
    Column("文号", lambda line: line.view.document_no, 20),
    Column("查询条件", lambda line: line.view.filters, 30),
)


@router.get("/hot-issues.{form}", summary="导出热点（CSV、XLSX）", **FILE)
async def issues(
    leave: Annotated[Leaving, leaving("hot_issue:read")],
) -> StreamingResponse:
    """The hottest first, as of one moment."""
    rules = await hot_issues.rules_of(leave.kit, now=leave.now)

    async def read(reads: Any, page: PageRequest) -> Sequence[HotIssue]:
        found = await hot_issues.hottest(reads, rules, now=leave.now)
        shown = hot_issues.page_of(found, page.after, page.limit)
        return await hot_issues.described(reads, shown, rules, now=leave.now)

    return await leave.send(
        "hot-issues", "热点", _ISSUES, read, lambda hot: [hot.heat, str(hot.issue.id)], {}
    )


_ISSUES: Sequence[Column[HotIssue]] = (
    Column("热度", lambda hot: hot.heat, 10),
    Column("标题", lambda hot: mask_text(hot.told.title), 40),
    Column("件数", lambda hot: hot.counted.tickets, 10),
    Column("人数", lambda hot: hot.counted.people, 10),
    Column("附议", lambda hot: hot.counted.votes, 10),
    Column("较上期增加", lambda hot: hot.counted.growth, 12),
    Column("最早", lambda hot: hot.issue.first_at, 20),
    Column("最近", lambda hot: hot.issue.last_at, 20),
    Column("上报时间", lambda hot: hot.raised_at, 20),
)
