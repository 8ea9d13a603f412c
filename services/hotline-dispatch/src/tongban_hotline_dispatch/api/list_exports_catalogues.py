"""Matters, rules of dispatch, groups of like tickets and what platforms have not taken, by file."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from fastapi.responses import StreamingResponse

from tongban_common.export import Column
from tongban_common.http import PageRequest, Router
from tongban_common.privacy import Sealer, mask_text
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.api.list_exports import FILE, Code, Leaving, leaving
from tongban_hotline_dispatch.domain.appeal import CHANNEL_NAMES
from tongban_hotline_dispatch.domain.dispatching import Rule
from tongban_hotline_dispatch.domain.matters import Matter
from tongban_hotline_dispatch.domain.moves import STATUS_NAMES
from tongban_hotline_dispatch.operations import acts_for, hot_issues, likeness, viewer_of
from tongban_hotline_dispatch.operations.likeness import Suggestion
from tongban_hotline_dispatch.store import duty_phones
from tongban_hotline_dispatch.store.dispatching import dispatch_rules, dispatch_version_at
from tongban_hotline_dispatch.store.duty_phones import DutyPhone
from tongban_hotline_dispatch.store.hot_issues import Member
from tongban_hotline_dispatch.store.matters import MatterFilters, matter_version_at, matters
from tongban_hotline_dispatch.store.upstream import Backlog, backlogs

router = Router(prefix="/hotline/v1/exports", tags=["导出"])


@router.get("/matters.{form}", summary="导出现行的事项目录（CSV、XLSX）", **FILE)
async def matter_catalogue(
    leave: Annotated[Leaving, leaving("matter:read")],
    prefix: Annotated[str, Query(max_length=64, description="编码前缀")] = "",
    words: Annotated[str, Query(alias="q", max_length=100, description="名称或关键词")] = "",
) -> StreamingResponse:
    """By code."""
    filters = MatterFilters(prefix=prefix or None, words=words or None)
    today = leave.now.astimezone(SHANGHAI).date()

    async def read(reads: Any, page: PageRequest) -> Sequence[Matter]:
        version = await matter_version_at(reads, today)
        if version is None:
            return ()
        after = page.after[0] if page.after else None
        return await matters(reads, version, filters, after=after, limit=page.limit)

    asked = {"prefix": filters.prefix, "q": filters.words}
    return await leave.send("matters", "事项目录", _MATTERS, read, lambda one: [one.code], asked)


_MATTERS: Sequence[Column[Matter]] = (
    Column("事项编码", lambda one: one.code, 14),
    Column("事项", lambda one: one.full_name, 60),
    Column("层级", lambda one: len(one.path), 8),
    Column("是否末级", lambda one: one.is_leaf, 10),
    Column("关键词", lambda one: "、".join(one.keywords), 40),
)


@router.get("/dispatch-rules.{form}", summary="导出派单目录（CSV、XLSX）", **FILE)
async def dispatch_catalogue(
    leave: Annotated[Leaving, leaving("matter:read")],
    version: Annotated[int | None, Query(ge=1, le=1_000_000_000, description="版本")] = None,
) -> StreamingResponse:
    """Of the version in force where none is named, in the order of the file it came from."""
    today = leave.now.astimezone(SHANGHAI).date()

    async def read(reads: Any, page: PageRequest) -> Sequence[Rule]:
        chosen = version or await dispatch_version_at(reads, today)
        if chosen is None:
            return ()
        after = int(page.after[0]) if page.after else 0
        return await dispatch_rules(reads, chosen, after=after, limit=page.limit)

    return await leave.send(
        "dispatch-rules", "派单目录", _RULES, read, lambda rule: [rule.line], {"version": version}
    )


_RULES: Sequence[Column[Rule]] = (
    Column("行号", lambda rule: rule.line, 8),
    Column("事项编码", lambda rule: rule.matter_code, 14),
    Column("地点", lambda rule: "、".join(rule.places), 30),
    Column("关键词", lambda rule: "、".join(rule.keywords), 40),
    Column("承办单位编码", lambda rule: rule.unit_code, 16),
    Column("依据", lambda rule: rule.basis, 40),
    Column("生效日期", lambda rule: rule.valid_from, 12),
    Column("失效日期", lambda rule: rule.valid_to, 12),
)


@router.get("/hot-issue-tickets.{form}", summary="导出一个热点的工单（CSV、XLSX）", **FILE)
async def issue_tickets(
    leave: Annotated[Leaving, leaving("hot_issue:read")],
    issue: Annotated[UUID, Query(description="热点标识")],
) -> StreamingResponse:
    """The newest first, titles masked."""
    viewer = viewer_of(leave.who)
    return await leave.send(
        "hot-issue-tickets",
        "热点工单",
        _MEMBERS,
        lambda reads, page: hot_issues.members(
            reads, issue, viewer=viewer, after=page.after, limit=page.limit
        ),
        lambda one: [one.registered_at.isoformat(), str(one.id)],
        {"issue": issue},
    )


_MEMBERS: Sequence[Column[Member]] = (
    Column("工单编号", lambda one: one.ticket_no, 20),
    Column("标题", lambda one: mask_text(one.title), 40),
    Column("状态", lambda one: STATUS_NAMES[one.status], 12),
    Column("承办单位编码", lambda one: one.unit_code, 16),
    Column("是否已并单", lambda one: one.parent_id is not None, 10),
    Column("登记时间", lambda one: one.registered_at, 20),
)


@router.get("/merge-suggestions.{form}", summary="导出建议并单（CSV、XLSX）", **FILE)
async def merge_suggestions(
    leave: Annotated[Leaving, leaving("ticket:assign")],
) -> StreamingResponse:
    """One line a group: which to keep, which to join to it."""
    viewer = viewer_of(leave.who)
    return await leave.send(
        "merge-suggestions",
        "建议并单",
        _GROUPS,
        lambda reads, page: likeness.suggestions(
            reads, viewer=viewer, after=page.after, limit=page.limit
        ),
        lambda one: one.key,
        {},
    )


_GROUPS: Sequence[Column[Suggestion]] = (
    Column("主单编号", lambda one: one.parent.ticket_no, 20),
    Column("标题", lambda one: mask_text(one.parent.title), 40),
    Column("状态", lambda one: STATUS_NAMES[one.parent.status], 12),
    Column("承办单位编码", lambda one: one.parent.unit_code, 16),
    Column("登记时间", lambda one: one.parent.registered_at, 20),
    Column("建议并入件数", lambda one: len(one.children), 12),
    Column("建议并入", lambda one: "、".join(each.ticket_no for each in one.children), 60),
)


@router.get("/upstream-backlog.{form}", summary="导出上级平台未取走的回传（CSV、XLSX）", **FILE)
async def backlog(leave: Annotated[Leaving, leaving("upstream:read")]) -> StreamingResponse:
    async def read(reads: Any, page: PageRequest) -> Sequence[Backlog]:
        """One page holds them all: one of each platform."""
        return () if page.after else await backlogs(reads)

    return await leave.send(
        "upstream-backlog", "未取走的回传", _BACKLOG, read, lambda one: [one.channel], {}
    )


_BACKLOG: Sequence[Column[Backlog]] = (
    Column("渠道", lambda one: CHANNEL_NAMES[one.channel], 20),
    Column("未回执件数", lambda one: one.waiting, 12),
    Column("最早", lambda one: one.oldest_at, 20),
)


@router.get("/duty-phones.{form}", summary="导出各单位值班电话（CSV、XLSX）", **FILE)
async def phones(
    leave: Annotated[Leaving, leaving("contact:read")], unit: Code = ""
) -> StreamingResponse:
    """A unit takes its own."""
    mine, sealer = acts_for(leave.who) or unit or None, Sealer(leave.kit.secret)
    return await leave.send(
        "duty-phones",
        "值班电话",
        _PHONES,
        lambda reads, page: duty_phones.duty_phones(
            reads, unit_code=mine, page=page, at=leave.now, sealer=sealer
        ),
        lambda one: one.key,
        {"unit_code": unit or None},
    )


_PHONES: Sequence[Column[DutyPhone]] = (
    Column("单位编码", lambda one: one.unit_code, 16),
    Column("单位", lambda one: one.unit_name, 24),
    Column("值班电话", lambda one: one.phone, 18),
    Column("备案时间", lambda one: one.filed_at, 20),
    Column("是否以此联系", lambda one: one.is_fallback, 12),
)
