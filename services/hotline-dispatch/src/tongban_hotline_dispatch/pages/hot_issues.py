"""The hot issues as a page: heat, how it grew, and the tickets of one."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse

from tongban_common.auth import Principal, require
from tongban_common.http import Now, Paged, Reads, Router
from tongban_common.privacy import mask_text
from tongban_common.service import Parts
from tongban_common.web import templates
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.domain.moves import STATUS_NAMES
from tongban_hotline_dispatch.operations import hot_issues, viewer_of

router = Router(prefix="/hotline")
pages = templates("tongban_hotline_dispatch")
pages.environment.filters["mask_text"] = mask_text
_WIDE, _HIGH = 120, 24


@router.get("/hot-issues", response_class=HTMLResponse, include_in_schema=False)
async def hot_issue_list(
    request: Request,
    page: Paged,
    reads: Reads,
    now: Now,
    kit: Parts,
    _: Principal = require("hot_issue:read"),
) -> HTMLResponse:
    rules = await hot_issues.rules_of(kit, now=now)
    shown = hot_issues.page_of(
        await hot_issues.hottest(reads, rules, now=now), page.after, page.limit
    )
    found = await hot_issues.described(reads, shown, rules, now=now)
    last = shown[-1] if len(shown) == page.limit else None
    return pages.render(
        request,
        "hot_issues.html",
        issues=[(each, sparkline(each.trend)) for each in found],
        days=rules.heat.window_days,
        raised_from=rules.heat.raised_from,
        next_cursor=last and page.next_cursor([last[2], str(last[0])]),
    )


@router.get("/hot-issues/{issue_id}", response_class=HTMLResponse, include_in_schema=False)
async def hot_issue_page(
    request: Request,
    issue_id: UUID,
    page: Paged,
    reads: Reads,
    now: Now,
    kit: Parts,
    who: Principal = require("hot_issue:read"),
) -> HTMLResponse:
    rules = await hot_issues.rules_of(kit, now=now)
    found = await hot_issues.one(reads, issue_id, rules, now=now)
    tickets = await hot_issues.members(
        reads, issue_id, viewer=viewer_of(who), after=page.after, limit=page.limit
    )
    last = tickets[-1] if len(tickets) == page.limit else None
    return pages.render(
        request,
        "hot_issue.html",
        hot=found,
        line=sparkline(found.trend),
        days=rules.heat.window_days,
        units=dict(await queries.units(reads)),
        tickets=tickets,
        statuses=STATUS_NAMES,
        next_cursor=last and page.next_cursor([last.registered_at.isoformat(), str(last.id)]),
    )


def sparkline(trend: Sequence[tuple[date, int]]) -> str:
    """The points of an SVG line, the first day at the left; every line starts at zero."""
    most = max((tickets for _, tickets in trend), default=0) or 1
    step = _WIDE / max(1, len(trend) - 1)
    points = (
        (number * step, _HIGH - tickets * (_HIGH - 2) / most)
        for number, (_, tickets) in enumerate(trend)
    )
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
