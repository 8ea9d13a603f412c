"""Monthly bulletins by HTTP: made, made again as a new version, read, taken by the file."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.export import Column
from tongban_common.http import LocalTime, Now, Paged, PageRequest, Reads, Router, Tx, refusals
from tongban_common.policies import NoPolicy
from tongban_common.service import Parts
from tongban_hotline_dispatch.api.list_exports import FILE, Leaving, leaving
from tongban_hotline_dispatch.domain.assessment import Indicator, PublishMode
from tongban_hotline_dispatch.domain.bulletins import (
    Document,
    GroupPart,
    HotPart,
    NotEnded,
    NotForBulletin,
    Sides,
    Totals,
    UnitPart,
    month_of,
)
from tongban_hotline_dispatch.domain.periods import BadPeriod
from tongban_hotline_dispatch.operations import bulletins
from tongban_hotline_dispatch.store import AssessmentNotFound
from tongban_hotline_dispatch.store import bulletins as stored
from tongban_hotline_dispatch.store.bulletins import Bulletin, BulletinNotFound

router = Router(prefix="/hotline/v1/bulletins", tags=["考核"])
files = Router(prefix="/hotline/v1/exports", tags=["导出"])
Month = Annotated[str, Path(max_length=10, description="月份，如 2026-09")]
Version = Annotated[int | None, Query(ge=1, le=1_000_000, description="第几版；不给则最新一版")]


class MakeRequest(Body):
    period: str = Field(min_length=7, max_length=10, description="月份，如 2026-09")


class BulletinLineView(BaseModel):
    id: UUID
    period_code: str
    version: int
    run: int
    mode: PublishMode
    made_at: LocalTime

    @classmethod
    def of(cls, found: Bulletin) -> "BulletinLineView":
        return cls(**_head(found))


class UnitPartView(BaseModel):
    unit_code: str
    unit_name: str
    tier: str | None
    rank: int | None
    listed: str | None
    needs_rectification: bool
    dispatched: int
    overdue: int | None
    open_overdue: int
    unsatisfied: int | None
    callbacks: int
    reached: int
    yellow_cards: int
    yellow_cards_waived: int
    red_cards: int
    red_cards_waived: int
    figures: dict[str, Sides]

    @classmethod
    def of(cls, unit: UnitPart) -> "UnitPartView":
        month = unit.month
        return cls(
            unit_code=unit.unit_code,
            unit_name=unit.unit_name,
            tier=unit.tier,
            rank=unit.rank,
            listed=unit.listed,
            needs_rectification=unit.needs_rectification,
            dispatched=month.dispatched,
            overdue=unit.overdue,
            open_overdue=month.open_overdue,
            unsatisfied=unit.unsatisfied,
            callbacks=month.callbacks,
            reached=month.reached,
            yellow_cards=month.yellow.given,
            yellow_cards_waived=month.yellow.waived,
            red_cards=month.red.given,
            red_cards_waived=month.red.waived,
            figures=dict(unit.figures),
        )


class GroupPartView(BaseModel):
    code: str
    name: str
    figures: dict[str, Sides]
    units: list[UnitPartView]

    @classmethod
    def of(cls, group: GroupPart) -> "GroupPartView":
        return cls(
            code=group.code,
            name=group.name,
            figures=dict(group.figures),
            units=[UnitPartView.of(each) for each in group.units],
        )


class BulletinView(BulletinLineView):
    policy_version: int
    names: dict[str, str]
    totals: Totals
    groups: list[GroupPartView]
    hot_issues: list[HotPart]

    @classmethod
    def of(cls, found: Bulletin) -> "BulletinView":
        document = found.document
        return cls(
            **_head(found),
            policy_version=document.policy_version,
            names=dict(document.names),
            totals=document.totals,
            groups=[GroupPartView.of(each) for each in document.groups],
            hot_issues=list(document.hot_issues),
        )


class BulletinPage(BaseModel):
    items: list[BulletinLineView]
    next: str | None


@router.post(
    "",
    status_code=201,
    summary="编制月度通报（再编为新的一版）",
    responses=refusals(BadPeriod, AssessmentNotFound, NotEnded, NotForBulletin, NoPolicy),
)
async def make(
    body: MakeRequest,
    response: Response,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("assessment:run"),
) -> BulletinView:
    """From the last run of the month, in the mode that the policy of the assessment chooses."""
    period = month_of(body.period)
    made = await bulletins.make(tx, kit, period=period, actor=who.subject, now=now)
    response.headers["Location"] = f"{router.prefix}/{period.code}?version={made.version}"
    return BulletinView.of(made)


@router.get("", summary="各期月度通报")
async def list_bulletins(
    page: Paged, reads: Reads, _: Principal = require("assessment:read")
) -> BulletinPage:
    found = await stored.bulletins(reads, page)
    last = found[-1] if len(found) == page.limit else None
    return BulletinPage(
        items=[BulletinLineView.of(each) for each in found],
        next=last and page.next_cursor(last.key),
    )


@router.get("/{period}", summary="一期月度通报", responses=refusals(BadPeriod, BulletinNotFound))
async def read(
    period: Month,
    reads: Reads,
    version: Version = None,
    _: Principal = require("assessment:read"),
) -> BulletinView:
    """Whole, for the units too: it says only what the mode makes known."""
    return BulletinView.of(await stored.one(reads, month_of(period), version))


@files.get("/bulletin.{form}", summary="导出一期月度通报（CSV、XLSX）", **FILE)
async def file(
    leave: Annotated[Leaving, leaving("assessment:read")],
    period: Annotated[str, Query(max_length=10, description="月份，如 2026-09")],
    version: Version = None,
) -> StreamingResponse:
    async with leave.kit.db.reading() as reads:
        found = await stored.one(reads, month_of(period), version)
    rows = [(group, unit) for group in found.document.groups for unit in group.units]

    async def read_all(_: Any, page: PageRequest) -> Sequence[tuple[GroupPart, UnitPart]]:
        """One page holds them all: one of each unit."""
        return () if page.after is not None else rows

    return await leave.send(
        "bulletin",
        f"月度通报{found.period.code}第{found.version}版",
        _columns(found.document),
        read_all,
        lambda each: [each[1].unit_code],
        {"period": found.period.code, "version": found.version},
    )


def _columns(document: Document) -> Sequence[Column[tuple[GroupPart, UnitPart]]]:
    names = document.names
    head: list[Column[tuple[GroupPart, UnitPart]]] = [
        Column("分组", lambda each: each[0].name),
        Column("单位编码", lambda each: each[1].unit_code),
        Column("单位", lambda each: each[1].unit_name, 24),
        Column("档次", lambda each: each[1].tier and names.get(each[1].tier, each[1].tier), 10),
        Column("派单", lambda each: each[1].month.dispatched, 10),
        Column("逾期", lambda each: each[1].overdue, 10),
        Column("逾期未办结", lambda each: each[1].month.open_overdue, 12),
        Column("不满意", lambda each: each[1].unsatisfied, 10),
        Column("回访", lambda each: each[1].month.callbacks, 10),
        Column("有效回访", lambda each: each[1].month.reached, 10),
        Column("黄牌", lambda each: each[1].month.yellow.given, 10),
        Column("黄牌免除", lambda each: each[1].month.yellow.waived, 10),
        Column("红牌", lambda each: each[1].month.red.given, 10),
        Column("红牌免除", lambda each: each[1].month.red.waived, 10),
    ]
    if document.mode == PublishMode.RANKED:
        head.append(Column("名次", lambda each: each[1].rank, 10))
    if document.mode == PublishMode.RED_BLACK_LIST:
        listed = {"red": "红榜", "black": "黑榜"}
        head.append(Column("红黑榜", lambda each: listed.get(each[1].listed or ""), 10))
    return [*head, *(_rate(names[code], code) for code in Indicator if code in names)]


def _rate(name: str, code: str) -> Column[tuple[GroupPart, UnitPart]]:
    def cell(each: tuple[GroupPart, UnitPart]) -> str | None:
        found = each[1].figures.get(code)
        return None if found is None else found.rate

    return Column(name, cell, 12)


def _head(found: Bulletin) -> dict[str, Any]:
    return {
        "id": found.id,
        "period_code": found.period.code,
        "version": found.version,
        "run": found.document.run,
        "mode": found.document.mode,
        "made_at": found.made_at,
    }
