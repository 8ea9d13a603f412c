"""Hot issues by HTTP: the list by heat, one, and its tickets."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Path
from pydantic import AwareDatetime, BaseModel, Field

from tongban_common.auth import Principal, require
from tongban_common.http import Now, Paged, Reads, Router, refusals
from tongban_common.privacy import mask_text
from tongban_common.service import Parts
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.operations import hot_issues, viewer_of
from tongban_hotline_dispatch.operations.hot_issues import HotIssue, HotIssueNotFound

router = Router(prefix="/hotline/v1/hot-issues", tags=["热点"])
IssueId = Annotated[UUID, Path(description="热点标识：最先反映的工单")]


class DayView(BaseModel):
    day: date
    tickets: int


class HotIssueView(BaseModel):
    """One issue over the window of the policy, beside as many days before it."""

    issue_id: UUID
    title: str
    words: list[str]
    heat: int
    tickets: int
    before: int = Field(description="上一时段的件数")
    growth: int
    people: int = Field(description="不同的诉求人")
    votes: int
    first_at: AwareDatetime
    last_at: AwareDatetime
    raised_at: AwareDatetime | None = Field(description="提请关注的时间")
    units: dict[str, int]
    matters: dict[str, int]
    trend: list[DayView]

    @classmethod
    def of(cls, hot: HotIssue) -> "HotIssueView":
        raised = hot.raised_at
        return cls(
            issue_id=hot.issue.id,
            title=mask_text(hot.told.title),
            words=hot.words,
            heat=hot.heat,
            tickets=hot.counted.tickets,
            before=hot.counted.before,
            growth=hot.counted.growth,
            people=hot.counted.people,
            votes=hot.counted.votes,
            first_at=hot.issue.first_at.astimezone(SHANGHAI),
            last_at=hot.issue.last_at.astimezone(SHANGHAI),
            raised_at=None if raised is None else raised.astimezone(SHANGHAI),
            units=dict(hot.told.units),
            matters=dict(hot.told.matters),
            trend=[DayView(day=day, tickets=tickets) for day, tickets in hot.trend],
        )


class HotIssuesView(BaseModel):
    items: list[HotIssueView]
    next: str | None


class MemberView(BaseModel):
    ticket_id: UUID
    ticket_no: str
    title: str
    status: Status
    unit_code: str | None
    parent_id: UUID | None
    registered_at: AwareDatetime


class MembersView(BaseModel):
    items: list[MemberView]
    next: str | None


@router.get("", summary="热点列表，按热度")
async def list_hot_issues(
    page: Paged, reads: Reads, now: Now, kit: Parts, _: Principal = require("hot_issue:read")
) -> HotIssuesView:
    rules = await hot_issues.rules_of(kit, now=now)
    found = await hot_issues.hottest(reads, rules, now=now)
    shown = hot_issues.page_of(found, page.after, page.limit)
    described = await hot_issues.described(reads, shown, rules, now=now)
    last = shown[-1] if len(shown) == page.limit else None
    return HotIssuesView(
        items=[HotIssueView.of(each) for each in described],
        next=last and page.next_cursor([last[2], str(last[0])]),
    )


@router.get("/{issue_id}", summary="查看热点", responses=refusals(HotIssueNotFound))
async def read(
    issue_id: IssueId,
    reads: Reads,
    now: Now,
    kit: Parts,
    _: Principal = require("hot_issue:read"),
) -> HotIssueView:
    """By its name, or by that of one which became part of it."""
    rules = await hot_issues.rules_of(kit, now=now)
    return HotIssueView.of(await hot_issues.one(reads, issue_id, rules, now=now))


@router.get("/{issue_id}/tickets", summary="热点的工单", responses=refusals(HotIssueNotFound))
async def tickets(
    issue_id: IssueId, page: Paged, reads: Reads, who: Principal = require("hot_issue:read")
) -> MembersView:
    """The newest first, titles masked."""
    found = await hot_issues.members(
        reads, issue_id, viewer=viewer_of(who), after=page.after, limit=page.limit
    )
    last = found[-1] if len(found) == page.limit else None
    return MembersView(
        items=[
            MemberView(
                ticket_id=each.id,
                ticket_no=each.ticket_no,
                title=mask_text(each.title),
                status=each.status,
                unit_code=each.unit_code,
                parent_id=each.parent_id,
                registered_at=each.registered_at.astimezone(SHANGHAI),
            )
            for each in found
        ],
        next=last and page.next_cursor([last.registered_at.isoformat(), str(last.id)]),
    )
