"""监督台: what is open, due today and overdue, by unit and type; thirty days; down to a ticket."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from tongban_common.auth import Principal, require
from tongban_common.http import Now, Paged, PageRequest, Reads, Router
from tongban_common.service import Parts
from tongban_common.web.charts import Column, Part, Stack
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.domain.appeal import APPEAL_NAMES, AppealType
from tongban_hotline_dispatch.domain.moves import STATUS_NAMES, Status
from tongban_hotline_dispatch.domain.supervision_cards import (
    CARD_STATE_NAMES,
    COLOUR_NAMES,
    Card,
)
from tongban_hotline_dispatch.domain.supervision_rules import Colour
from tongban_hotline_dispatch.operations import hot_issues, viewer_of
from tongban_hotline_dispatch.operations.hot_issues import HotIssue
from tongban_hotline_dispatch.pages.desks import (
    CARD_TONES,
    Lit,
    citizen_lamp,
    pages,
    policy_at,
    stage_lamp,
    unit_lamp,
)
from tongban_hotline_dispatch.pages.hot_issues import sparkline
from tongban_hotline_dispatch.store import desk_lists
from tongban_hotline_dispatch.store.board import Board, DayCount, UnitLoad, board
from tongban_hotline_dispatch.store.desk_lists import Narrow, QueueLine
from tongban_hotline_dispatch.store.desks import OFF_BOARD
from tongban_hotline_dispatch.store.supervision_cards import cards_since, newest_cards
from tongban_hotline_dispatch.store.supervision_reads import unit_names

router = Router(prefix="/hotline/desk/board")
_NEWEST = 5
_CARD_DAYS = 30


class What(StrEnum):
    """What a figure of the board leads to."""

    OPEN = "open"
    RUNNING = "running"
    TODAY = "today"
    OVERDUE = "overdue"


WHAT_NAMES = {
    What.OPEN: "全部在办",
    What.RUNNING: "在单位办理",
    What.TODAY: "今日到期",
    What.OVERDUE: "已超期",
}


@router.get("", response_class=HTMLResponse, include_in_schema=False)
async def board_page(
    request: Request,
    reads: Reads,
    now: Now,
    kit: Parts,
    units: Annotated[str, Query(max_length=5)] = "",
    who: Principal = require("ticket:board"),
) -> HTMLResponse:
    policy = await policy_at(kit, now)
    figures = await board(reads, now=now, days=policy.trend.days)
    most = len(figures.units) if units == "all" else policy.units_shown.most
    return pages.render(
        request,
        "supervisor_board.html",
        board=figures,
        asks=sum((await desk_lists.ask_counts(reads)).values()),
        unit_stacks=[_stack(each) for each in figures.units[:most]],
        more_units=max(0, len(figures.units) - most),
        status_bars=_status_bars(figures),
        type_bars=_type_bars(figures),
        trends=_trends(figures.trend),
        cards=await _cards(reads, now) if who.may("supervision:read") else None,
        card_tones=CARD_TONES,
        hot=await _hot(reads, kit, now) if who.may("hot_issue:read") else None,
        now=now,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CardsShown:
    """How many were given of each colour of late, and the newest with the names of their units."""

    days: int
    counts: Mapping[Colour, int]
    newest: Sequence[Card]
    units: Mapping[str, str]


async def _cards(reads: Reads, now: datetime) -> CardsShown:
    newest = await newest_cards(reads, _NEWEST)
    return CardsShown(
        days=_CARD_DAYS,
        counts=await cards_since(reads, now - timedelta(days=_CARD_DAYS)),
        newest=newest,
        units=await unit_names(reads, [each.unit_code for each in newest]),
    )


async def _hot(reads: Reads, kit: Parts, now: datetime) -> list[tuple[HotIssue, str]]:
    """What was raised, each with the line of its days."""
    rules = await hot_issues.rules_of(kit, now=now)
    found = await hot_issues.raised(reads, rules, now=now, most=_NEWEST)
    return [(each, sparkline(each.trend)) for each in found]


@router.get("/list", response_class=HTMLResponse, include_in_schema=False)
async def list_page(
    request: Request,
    page: Paged,
    reads: Reads,
    now: Now,
    kit: Parts,
    what: Annotated[str, Query(max_length=20)] = "",
    unit: Annotated[str, Query(max_length=64)] = "",
    type_: Annotated[str, Query(alias="type", max_length=20)] = "",
    who: Principal = require("ticket:board"),
) -> HTMLResponse:
    """By what runs with the units, or by a status."""
    status = _status(what)
    wanted = What(what) if what in set(What) else What.OPEN
    kind = AppealType(type_) if type_ in set(AppealType) else None
    open_to = Narrow(viewer=viewer_of(who), unit_code=unit or None, appeal_type=kind)
    narrow = _narrow(wanted, now, open_to)
    found = await _found(reads, status, wanted, narrow, page)
    policy = await policy_at(kit, now)
    last = _key(status, wanted, found[-1]) if found else []
    return pages.render(
        request,
        "supervisor_list.html",
        title=WHAT_NAMES[wanted] if status is None else STATUS_NAMES[status],
        lines=[
            Lit(
                each,
                unit_lamp(each, now) if status is None else stage_lamp(each, policy, now),
                citizen_lamp(each, now),
            )
            for each in found
        ],
        whats=[*WHAT_NAMES.items(), *_open_statuses()],
        what=status or wanted,
        narrow=narrow,
        units=await queries.units(reads),
        next_cursor=page.next_cursor(last) if len(found) == page.limit else None,
    )


def _status(what: str) -> Status | None:
    is_open = what in set(Status) and Status(what) not in OFF_BOARD
    return Status(what) if is_open else None


def _open_statuses() -> list[tuple[Status, str]]:
    return [
        (each, f"　{name}")
        for each, name in STATUS_NAMES.items()
        if each not in OFF_BOARD and each is not Status.DRAFT
    ]


def _narrow(what: What, now: datetime, whole: Narrow) -> Narrow:
    tomorrow = now.astimezone(SHANGHAI).date() + timedelta(days=1)
    midnight = datetime.combine(tomorrow, time.min, tzinfo=SHANGHAI)
    return replace(
        whole,
        due_from=now if what is What.TODAY else None,
        due_before={What.TODAY: midnight, What.OVERDUE: now}.get(what),
    )


async def _found(
    reads: Reads, status: Status | None, what: What, narrow: Narrow, page: PageRequest
) -> list[QueueLine]:
    if status is not None:
        plain = replace(narrow, due_from=None, due_before=None)
        return await desk_lists.queue(reads, status, plain, after=page.after, most=page.limit)
    if what is What.OPEN:
        return await desk_lists.open_ones(reads, narrow, after=page.after, most=page.limit)
    return await desk_lists.running(reads, narrow, after=page.after, most=page.limit)


def _key(status: Status | None, what: What, last: QueueLine) -> list[str]:
    if status is not None:
        return last.stage_key
    return last.age_key if what is What.OPEN else last.due_key


def _stack(each: UnitLoad) -> Stack:
    rest = each.open - each.today - each.overdue
    notes = [f"{name}{n}" for name, n in (("超期", each.overdue), ("今日到期", each.today)) if n]
    return Stack(
        label=each.name,
        parts=(
            Part(value=Decimal(each.overdue), tone="danger"),
            Part(value=Decimal(each.today), tone="warning"),
            Part(value=Decimal(rest), tone="info"),
        ),
        note="　".join(notes),
        href=f"/hotline/desk/board/list?what=open&unit={each.code}",
    )


def _status_bars(figures: Board) -> list[Stack]:
    return [
        _bar(STATUS_NAMES[status], n, f"what={status}") for status, n in figures.by_status.items()
    ]


def _type_bars(figures: Board) -> list[Stack]:
    return [
        _bar(APPEAL_NAMES[kind], n, f"what=open&type={kind}") for kind, n in figures.by_type.items()
    ]


def _bar(label: str, n: int, query: str) -> Stack:
    part = Part(value=Decimal(n), tone="info")
    return Stack(label=label, parts=(part,), href=f"/hotline/desk/board/list?{query}")


def _trends(days: Sequence[DayCount]) -> list[tuple[str, str, list[Column]]]:
    """Title, tone and columns of each."""
    return [
        ("每日登记", "info", _columns(days, [each.registered for each in days])),
        ("每日办结", "success", _columns(days, [each.closed for each in days])),
        ("每日超期（按到期日）", "danger", _columns(days, [each.overdue for each in days])),
    ]


def _columns(days: Sequence[DayCount], counts: Sequence[int]) -> list[Column]:
    return [Column(day=each.day, value=Decimal(n)) for each, n in zip(days, counts, strict=True)]


pages.environment.globals.update(colours=COLOUR_NAMES, card_states=CARD_STATE_NAMES)
