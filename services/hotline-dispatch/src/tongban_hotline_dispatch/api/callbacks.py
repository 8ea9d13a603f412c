"""Callbacks (回访) by HTTP: the queue, who takes a task, what was heard, what becomes of it."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.http import IfMatch, LocalTime, Now, Paged, Reads, Router, Tx, refusals, tag
from tongban_common.privacy import mask_text
from tongban_hotline_dispatch.api.tickets import MOVE_REFUSALS, InForce, TicketId, step_of
from tongban_hotline_dispatch.api.views import TicketView
from tongban_hotline_dispatch.domain.callback import Cause, Mark, Resolved
from tongban_hotline_dispatch.domain.callback_rules import UnknownCallbackReason
from tongban_hotline_dispatch.domain.callbacks import NothingToDecide, TooEarlyToCall
from tongban_hotline_dispatch.domain.closing import AlreadyRated, CallbackNotOpen
from tongban_hotline_dispatch.domain.process import UnknownReason
from tongban_hotline_dispatch.operations import viewer_of
from tongban_hotline_dispatch.operations.callbacks import Answers, CallbackDesk
from tongban_hotline_dispatch.store import TicketNotFound
from tongban_hotline_dispatch.store.callback_reads import Task, What, tasks
from tongban_hotline_dispatch.store.callbacks import AlreadyTaken, CallbackNotFound

router = Router(prefix="/hotline/v1", tags=["回访"])
_REFUSALS: tuple[Any, ...] = (*MOVE_REFUSALS, CallbackNotOpen, TooEarlyToCall)


class TaskView(BaseModel):
    ticket_id: UUID
    no: int = Field(description="回访序号：打开它的工单版本")
    ticket_no: str
    title: str
    version: int
    cause: Cause
    unit_name: str | None
    opened_at: LocalTime
    attempts: int
    attempted_at: LocalTime | None
    call_due: LocalTime | None = Field(description="人工回访的期限")
    due: LocalTime | None = Field(description="评价期的终点")
    own_mark: Mark | None = Field(description="诉求人自行评价，待决定是否重办")
    is_mine: bool
    is_taken: bool

    @classmethod
    def of(cls, task: Task, who: str) -> "TaskView":
        return cls(
            ticket_id=task.ticket_id,
            no=task.no,
            ticket_no=task.ticket_no,
            title=mask_text(task.title),
            version=task.version,
            cause=task.cause,
            unit_name=task.unit_name,
            opened_at=task.opened_at,
            attempts=task.attempts,
            attempted_at=task.attempted_at,
            call_due=task.call_due,
            due=task.due,
            own_mark=task.own_mark,
            is_mine=task.taken_by == who,
            is_taken=task.taken_by is not None,
        )


class TasksView(BaseModel):
    items: list[TaskView]
    next: str | None


class AnswersRequest(Body):
    """What the person said; levels are those of the national scale, 5 is the best."""

    resolved: Resolved
    result_level: int = Field(ge=1, le=5, description="对办理结果的评价")
    process_level: int = Field(ge=1, le=5, description="对办理过程的评价")
    replied: bool | None = Field(default=None, description="承办单位是否答复了诉求人")
    no_redo: str | None = Field(default=None, max_length=64, description="不再重办的事由")
    note: str | None = Field(default=None, max_length=2000)

    def answers(self) -> Answers:
        return Answers(**self.model_dump())


class CannotRequest(Body):
    reason: str = Field(min_length=1, max_length=64, description="规则所列无法回访的事由")


class DecideRequest(Body):
    no_redo: str | None = Field(
        default=None, max_length=64, description="不再重办的事由；不填则退回重办"
    )


@router.get("/callbacks", summary="待回访")
async def queue(
    page: Paged,
    reads: Reads,
    now: Now,
    what: Annotated[
        What | None, Query(description="待回访、到期未答复、差评待处理、我领取的；不给则全部")
    ] = None,
    who: Principal = require("ticket:callback"),
) -> TasksView:
    """What may be called about by now; the end of the rating period first."""
    found = await tasks(
        reads, viewer=viewer_of(who), now=now, after=page.after, most=page.limit, what=what
    )
    last = found[-1] if len(found) == page.limit else None
    return TasksView(
        items=[TaskView.of(each, who.subject) for each in found],
        next=last and page.next_cursor(last.key),
    )


@router.post(
    "/tickets/{ticket_id}/callback/take",
    status_code=204,
    summary="领取回访",
    responses=refusals(TicketNotFound, CallbackNotFound, AlreadyTaken),
)
async def take(
    ticket_id: TicketId,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:callback"),
) -> None:
    """For a while nobody else is shown it as free, so that nobody is called by two at once."""
    await CallbackDesk(tx, step=step_of(ticket_id, who, None), rules=rules, now=now).take()


@router.post(
    "/tickets/{ticket_id}/callback/record",
    summary="回访记录（五级评价）",
    responses=refusals(*_REFUSALS, AlreadyRated, UnknownReason),
)
async def record(
    ticket_id: TicketId,
    body: AnswersRequest,
    expected: IfMatch,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:callback"),
) -> TicketView:
    desk = CallbackDesk(tx, step=step_of(ticket_id, who, expected), rules=rules, now=now)
    ticket = await desk.record(body.answers())
    tag(response, ticket.version)
    return TicketView.of(ticket, now=now)


@router.post(
    "/tickets/{ticket_id}/callback/skip",
    summary="无法回访",
    responses=refusals(*_REFUSALS, AlreadyRated, UnknownCallbackReason),
)
async def skip(
    ticket_id: TicketId,
    body: CannotRequest,
    expected: IfMatch,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:callback"),
) -> TicketView:
    """In no denominator, like whoever was not reached."""
    desk = CallbackDesk(tx, step=step_of(ticket_id, who, expected), rules=rules, now=now)
    ticket = await desk.skip(body.reason)
    tag(response, ticket.version)
    return TicketView.of(ticket, now=now)


@router.post(
    "/tickets/{ticket_id}/callback/decide",
    summary="对诉求人自行给出的差评作出处理",
    responses=refusals(*_REFUSALS, NothingToDecide, UnknownReason),
)
async def decide(
    ticket_id: TicketId,
    body: DecideRequest,
    expected: IfMatch,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:callback"),
) -> TicketView:
    """The rating stays as it was given; done again, or, for a listed reason, not."""
    desk = CallbackDesk(tx, step=step_of(ticket_id, who, expected), rules=rules, now=now)
    ticket = await desk.decide(body.no_redo)
    tag(response, ticket.version)
    return TicketView.of(ticket, now=now)
