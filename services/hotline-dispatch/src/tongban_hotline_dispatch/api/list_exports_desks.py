"""The desks' lists by the file: what waits at the hub, what units ask for, what a unit has."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import StreamingResponse

from tongban_common.auth import NotPermitted, Principal
from tongban_common.export import Column
from tongban_common.http import PageRequest, Router
from tongban_common.privacy import mask_text
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.api.list_exports import FILE, Code, Leaving, Open, leaving
from tongban_hotline_dispatch.domain.appeal import (
    APPEAL_NAMES,
    URGENCY_NAMES,
    AppealType,
    Urgency,
)
from tongban_hotline_dispatch.domain.assignment import ASK_NAMES, ROLE_NAMES, AskKind
from tongban_hotline_dispatch.domain.moves import STATE_NAMES, STATUS_NAMES, State, Status
from tongban_hotline_dispatch.operations import viewer_of
from tongban_hotline_dispatch.store import desk_lists
from tongban_hotline_dispatch.store.desk_lists import AskLine, Narrow, QueueLine, ShareLine

router = Router(prefix="/hotline/v1/exports", tags=["导出"])


class Waiting(StrEnum):
    """Which of the open tickets, where no status is named."""

    OPEN = "open"  # all that is not ended
    RUNNING = "running"  # in a unit's hand, not answered
    TODAY = "today"  # of these, due today
    OVERDUE = "overdue"  # of these, over


@router.get("/desk-queue.{form}", summary="导出派单台、监督台的工单队列（CSV、XLSX）", **FILE)
async def desk_queue(
    leave: Annotated[Leaving, leaving("ticket:all_units")],
    what: Annotated[Waiting | Status | None, Open, Query(description="口径或者状态")] = None,
    kind: Annotated[AppealType | None, Open, Query(alias="type", description="诉求类型")] = None,
    urgency: Annotated[Urgency | None, Open, Query(description="紧急程度")] = None,
    unit: Code = "",
) -> StreamingResponse:
    """In the order of the desk: the most urgent, the least time left, or the oldest first."""
    asked = {"what": what, "type": kind, "urgency": urgency, "unit_code": unit or None}
    narrow = Narrow(
        viewer=viewer_of(leave.who), unit_code=unit or None, appeal_type=kind, urgency=urgency
    )
    chosen = what or Waiting.OPEN
    narrow = _due(narrow, chosen, leave.now)

    async def read(reads: Any, page: PageRequest) -> Sequence[QueueLine]:
        if isinstance(chosen, Status):
            return await desk_lists.queue(reads, chosen, narrow, after=page.after, most=page.limit)
        walk = desk_lists.open_ones if chosen is Waiting.OPEN else desk_lists.running
        return await walk(reads, narrow, after=page.after, most=page.limit)

    def key(line: QueueLine) -> list[str]:
        if isinstance(chosen, Status):
            return line.stage_key
        return line.age_key if chosen is Waiting.OPEN else line.due_key

    return await leave.send("desk-queue", "工单队列", _QUEUE, read, key, asked)


def _due(narrow: Narrow, chosen: Waiting | Status, now: datetime) -> Narrow:
    tomorrow = now.astimezone(SHANGHAI).date() + timedelta(days=1)
    match chosen:
        case Waiting.TODAY:
            midnight = datetime.combine(tomorrow, time.min, tzinfo=SHANGHAI)
            return replace(narrow, due_from=now, due_before=midnight)
        case Waiting.OVERDUE:
            return replace(narrow, due_before=now)
        case _:
            return narrow


_QUEUE: Sequence[Column[QueueLine]] = (
    Column("工单编号", lambda line: line.ticket_no, 20),
    Column("标题", lambda line: mask_text(line.title), 40),
    Column("诉求类型", lambda line: APPEAL_NAMES[line.appeal_type], 10),
    Column("紧急程度", lambda line: URGENCY_NAMES[line.urgency], 10),
    Column("状态", lambda line: STATUS_NAMES[line.status], 12),
    Column("承办单位", lambda line: line.unit_name, 24),
    Column("登记时间", lambda line: line.registered_at, 20),
    Column("市民等候期限", lambda line: line.citizen_due, 20),
    Column("答复期限", lambda line: line.reply_due, 20),
    Column("本环节期限", lambda line: line.stage_due, 20),
    Column("退单次数", lambda line: line.returns, 10),
    Column("重办次数", lambda line: line.rework_rounds, 10),
    Column("并入件数", lambda line: line.children, 10),
    Column("是否督办", lambda line: line.is_supervised, 10),
)


@router.get("/asks.{form}", summary="导出承办单位待审的申请（CSV、XLSX）", **FILE)
async def asks(leave: Annotated[Leaving, leaving("ticket:all_units")]) -> StreamingResponse:
    """What whoever takes it decides on, by the time left to decide."""
    kinds = [kind for kind in AskKind if leave.who.may(f"ticket:decide_{kind}")]
    viewer = viewer_of(leave.who)
    return await leave.send(
        "asks",
        "待审申请",
        _ASKS,
        lambda reads, page: desk_lists.asks(
            reads, kinds, viewer, after=page.after, most=page.limit
        ),
        lambda line: line.key,
        {},
    )


_ASKS: Sequence[Column[AskLine]] = (
    Column("申请", lambda line: ASK_NAMES[line.ask.kind], 12),
    Column("工单编号", lambda line: line.ticket.ticket_no, 20),
    Column("标题", lambda line: mask_text(line.ticket.title), 40),
    Column("申请单位", lambda line: line.unit_name or line.unit_code, 24),
    Column("申请时间", lambda line: line.ask.asked_at, 20),
    Column("理由", lambda line: mask_text(str(line.ask.grounds.get("reason") or "")), 40),
    Column("依据", lambda line: mask_text(str(line.ask.grounds.get("citation") or "")), 30),
    Column("审核期限", lambda line: line.ask.term.due_at, 20),
    Column("答复期限", lambda line: line.ticket.reply_due, 20),
    Column("已延期次数", lambda line: line.extensions, 10),
)


@router.get("/unit-desk.{form}", summary="导出承办台的承办单（CSV、XLSX）", **FILE)
async def unit_desk(
    leave: Annotated[Leaving, leaving("ticket:sign")],
    state: Annotated[State | None, Open, Query(description="承办单状态")] = None,
) -> StreamingResponse:
    """What the unit has in hand, by due time. Raises NotPermitted for who acts for none."""
    viewer = viewer_of(leave.who)
    _check_has_unit(leave.who)
    return await leave.send(
        "unit-desk",
        "承办单",
        _SHARES,
        lambda reads, page: desk_lists.shares(
            reads, viewer, state, after=page.after, most=page.limit
        ),
        lambda line: line.key,
        {"state": state},
    )


def _check_has_unit(who: Principal) -> None:
    if viewer_of(who).unit is None:
        raise NotPermitted("承办台只对承办单位开放，中心请用派单台")


_SHARES: Sequence[Column[ShareLine]] = (
    Column("工单编号", lambda line: line.ticket.ticket_no, 20),
    Column("标题", lambda line: mask_text(line.ticket.title), 40),
    Column("诉求类型", lambda line: APPEAL_NAMES[line.ticket.appeal_type], 10),
    Column("紧急程度", lambda line: URGENCY_NAMES[line.ticket.urgency], 10),
    Column("承办方式", lambda line: ROLE_NAMES[line.role], 12),
    Column("状态", lambda line: STATE_NAMES[line.state], 12),
    Column("答复期限", lambda line: line.due_at, 20),
    Column("签收期限", lambda line: line.sign_due, 20),
    Column("先行联系期限", lambda line: line.contact_due, 20),
    Column("待审的申请", lambda line: None if line.asking is None else ASK_NAMES[line.asking], 12),
    Column("是否指定承办", lambda line: line.is_forced, 12),
    Column("是否自动签收", lambda line: line.is_auto_signed, 12),
)
