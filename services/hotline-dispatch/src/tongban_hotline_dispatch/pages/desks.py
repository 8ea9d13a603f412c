"""What the pages of the desks share: templates, who has which desk, lamps, the search by number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tongban_common.auth import Principal, require
from tongban_common.http import PageRequest, Reads, Router
from tongban_common.privacy import mask_text
from tongban_common.service import Parts
from tongban_common.web import templates
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.domain.appeal import APPEAL_NAMES, CHANNEL_NAMES, URGENCY_NAMES
from tongban_hotline_dispatch.domain.assignment import ASK_NAMES, ROLE_NAMES
from tongban_hotline_dispatch.domain.callback import MARK_NAMES, OUTCOME_NAMES, RESOLVED_NAMES
from tongban_hotline_dispatch.domain.desks import LIGHT_NAMES, Lamp, lamp, warn_point
from tongban_hotline_dispatch.domain.moves import STATE_NAMES, STATUS_NAMES, Status
from tongban_hotline_dispatch.domain.supervision_rules import Colour
from tongban_hotline_dispatch.operations import viewer_of
from tongban_hotline_dispatch.pages.routing import Proposal
from tongban_hotline_dispatch.store import TicketNotFound
from tongban_hotline_dispatch.store.desk_lists import QueueLine, id_of
from tongban_hotline_dispatch.store.desks import DESKS, DesksPolicy

router = Router(prefix="/hotline/desk")
pages = templates("tongban_hotline_dispatch")
CARD_TONES = {Colour.YELLOW: "warning", Colour.RED: "danger"}
GROUND_NAMES = {
    "reason": "理由",
    "citation": "依据",
    "suggested_unit": "建议承办单位",
    "amount": "延长",
    "pause_reason": "挂起事由",
    "measures": "已采取的措施",
    "promised_on": "承诺办结日期",
}
# Address, label, and the permission that shows it.
_DESKS = (
    ("/hotline/desk/dispatch", "派单台", "ticket:all_units"),
    ("/hotline/desk/agent", "坐席台", "ticket:register"),
    ("/hotline/desk/callbacks", "回访台", "ticket:callback"),
    ("/hotline/desk/unit", "承办台", "ticket:sign"),
    ("/hotline/desk/board", "监督台", "ticket:board"),
)
# What is worked with beside the desks.
_BESIDE = (
    ("/hotline/tickets", "全部工单", "ticket:read"),
    ("/hotline/supervisions", "督办", "supervision:read"),
    ("/hotline/hot-issues", "热点", "hot_issue:read"),
    ("/hotline/merge-suggestions", "归并建议", "ticket:assign"),
    ("/hotline/reappraisals", "差评复核", "reappraisal:read"),
    ("/hotline/assessment", "承办考核", "assessment:read"),
    ("/hotline/knowledge-items", "知识库", "knowledge:read"),
    ("/hotline/contacts", "联络人员", "contact:read"),
    ("/hotline/dispositions", "引导去向", "ticket:register"),
    ("/hotline/import", "批量导入", "ticket:import"),
    ("/hotline/identity-views", "查看记录", "identity:audit"),
)


@dataclass(frozen=True, slots=True)
class Lit:
    """A ticket of a list with the lamps that belong to it."""

    line: QueueLine
    lamp: Lamp | None  # of the clock that the list is ordered by
    citizen: Lamp | None
    suggested: Proposal | None = None  # of the unit to assign it to


def desks_of(who: Principal | None) -> list[tuple[str, str]]:
    """The desks that somebody has: nobody is led where he is turned away."""
    if who is None:
        return []
    is_hub = who.may("ticket:all_units")
    return [
        (path, label)
        for path, label, permission in _DESKS
        if who.may(permission) and not (label == "承办台" and is_hub) and _works(path, who)
    ]


def beside_of(who: Principal | None) -> list[tuple[str, str]]:
    """The lists and records that somebody may open, in one order for all."""
    if who is None:
        return []
    return [(path, label) for path, label, permission in _BESIDE if who.may(permission)]


def works_at_dispatch(who: Principal) -> bool:
    """Whoever only reads has no work there."""
    return any(who.may(f"ticket:{name}") for name in ("assign", "review", "callback", "intake"))


def _works(path: str, who: Principal) -> bool:
    return not path.endswith("/dispatch") or works_at_dispatch(who)


def stage_lamp(line: QueueLine, policy: DesksPolicy, now: datetime) -> Lamp | None:
    if line.stage_due is None:
        return None
    warn_at = None
    if line.stage_start is not None:
        warn_at = warn_point(line.stage_start, line.stage_due, policy.stage_warning.share)
    return lamp(line.stage_due, warn_at, now)


def unit_lamp(line: QueueLine, now: datetime) -> Lamp | None:
    """Of the unit's clock, where it runs."""
    if line.reply_due is None or line.status is Status.SUSPENDED:
        return None
    return lamp(line.reply_due, line.reply_warn_at, now)


def citizen_lamp(line: QueueLine, now: datetime) -> Lamp | None:
    return None if line.citizen_due is None else lamp(line.citizen_due, None, now)


def next_cursor(found: Sequence[object], page: PageRequest, key: Sequence[str]) -> str | None:
    return page.next_cursor(key) if len(found) == page.limit else None


async def policy_at(kit: Parts, now: datetime) -> DesksPolicy:
    return await kit.policy(DESKS).at(now.astimezone(SHANGHAI).date())


@router.get("", response_class=HTMLResponse, include_in_schema=False)
async def my_desk(who: Principal = require("ticket:read")) -> Response:
    """Everybody's own: whoever registers and does not assign sits at a phone; else the first."""
    if who.may("ticket:register") and not who.may("ticket:assign"):
        return RedirectResponse("/hotline/desk/agent", status_code=303)
    return RedirectResponse(desks_of(who)[0][0], status_code=303)


@router.get("/find", response_class=HTMLResponse, include_in_schema=False)
async def find(
    request: Request,
    reads: Reads,
    no: Annotated[str, Query(max_length=40)] = "",
    who: Principal = require("ticket:read"),
) -> Response:
    """By the whole number: of another unit's ticket nothing is told, not even that it is there."""
    found = await id_of(reads, no.strip())
    if found is not None:
        try:
            await queries.one(reads, found, seen_by=viewer_of(who))
        except TicketNotFound:
            pass
        else:
            return RedirectResponse(f"/hotline/tickets/{found}", status_code=303)
    return pages.render(request, "desks_not_found.html", status=404, number=no.strip())


pages.environment.filters["mask_text"] = mask_text
pages.environment.globals.update(
    desks_of=desks_of,
    beside_of=beside_of,
    statuses=STATUS_NAMES,
    states=STATE_NAMES,
    types=APPEAL_NAMES,
    urgencies=URGENCY_NAMES,
    channels=CHANNEL_NAMES,
    shares_as=ROLE_NAMES,
    ask_names=ASK_NAMES,
    ground_names=GROUND_NAMES,
    lights=LIGHT_NAMES,
    marks=MARK_NAMES,
    resolutions=RESOLVED_NAMES,
    outcomes=OUTCOME_NAMES,
)
