"""What there is to read of callbacks by HTTP: the number to call, earlier rounds, counts, figures.

The same as the desk of callbacks shows (hotline.md section 5); nothing is decided here.
"""

from datetime import date, datetime, time, timedelta
from typing import Annotated

from fastapi import Query, Response
from pydantic import BaseModel, Field

from tongban_common.auth import Principal, require
from tongban_common.errors import BadInput
from tongban_common.http import LocalTime, Now, Reads, Router, Tx, no_store, refusals
from tongban_common.privacy import Sealer, mask_text
from tongban_common.service import Parts
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.api.tickets import InForce, TicketId, step_of
from tongban_hotline_dispatch.domain.callback import Cause, Mark, Outcome, Resolved
from tongban_hotline_dispatch.operations import acts_for, viewer_of
from tongban_hotline_dispatch.operations.callbacks import CallbackDesk
from tongban_hotline_dispatch.store import TicketNotFound
from tongban_hotline_dispatch.store import callback_reads as reading
from tongban_hotline_dispatch.store.callback_figures import (
    CallbackFigures,
    Share,
    figures,
)
from tongban_hotline_dispatch.store.callback_reads import Round, What
from tongban_hotline_dispatch.store.callbacks import NotTaken

router = Router(prefix="/hotline/v1", tags=["回访"])
MOST_DAYS = 366
EARLIEST, LATEST = date(2000, 1, 1), date(9999, 1, 1)


class BadPeriod(BadInput):
    code = "callback.bad_period"


class CallbackNumberView(BaseModel):
    """In clear. Kept by no cache; the look is on record."""

    name: str | None
    phone: str | None = Field(description="空：没有留下电话")


class RoundView(BaseModel):
    no: int = Field(description="回访序号：打开它的工单版本")
    cause: Cause
    opened_at: LocalTime
    attempts: int = Field(description="未接通的次数")
    outcome: Outcome | None = Field(description="空：还没有回访完")
    resolved: Resolved | None
    result: Mark | None
    process: Mark | None
    replied: bool | None = Field(description="承办单位是否答复了诉求人")
    note: str | None
    done_at: LocalTime | None

    @classmethod
    def of(cls, each: Round, *, hides_note: bool) -> "RoundView":
        note = None if hides_note or each.note is None else mask_text(each.note)
        return cls(
            no=each.no,
            cause=each.cause,
            opened_at=each.opened_at,
            attempts=each.attempts,
            outcome=each.outcome,
            resolved=each.resolved,
            result=each.result,
            process=each.process,
            replied=each.replied,
            note=note,
            done_at=each.done_at,
        )


class RoundsView(BaseModel):
    items: list[RoundView]


class CallbackCountsView(BaseModel):
    call: int = Field(description="待回访")
    silent: int = Field(description="到期未答复")
    bad: int = Field(description="差评待处理")
    mine: int = Field(description="我领取的")


class ShareView(BaseModel):
    numerator: int
    denominator: int
    rate: float | None = Field(description="分母为零的为空")

    @classmethod
    def of(cls, share: Share) -> "ShareView":
        return cls(numerator=share.numerator, denominator=share.denominator, rate=share.rate)


class CallbackFiguresView(BaseModel):
    done: int
    outcomes: dict[Outcome, int]
    results: dict[Mark, int] = Field(description="对办理结果的评价；未接通和期满默认的不计")
    processes: dict[Mark, int] = Field(description="对办理过程的评价")
    resolutions: dict[Resolved, int]
    reached: ShareView = Field(description="接通的，占已接通、未接通和无法回访的")
    satisfaction: ShareView = Field(description="满意和基本满意的，占已评价的")
    process_satisfaction: ShareView
    resolution: ShareView = Field(description="已解决和基本解决的，占已评价的")

    @classmethod
    def of(cls, found: CallbackFigures) -> "CallbackFiguresView":
        return cls(
            done=found.done,
            outcomes={each: found.outcomes.get(each, 0) for each in Outcome},
            results={each: found.results.get(each, 0) for each in Mark},
            processes={each: found.processes.get(each, 0) for each in Mark},
            resolutions={each: found.resolutions.get(each, 0) for each in Resolved},
            reached=ShareView.of(found.reached),
            satisfaction=ShareView.of(found.satisfaction),
            process_satisfaction=ShareView.of(found.process_satisfaction),
            resolution=ShareView.of(found.resolution),
        )


class UnitCallbackFiguresView(CallbackFiguresView):
    unit_code: str | None
    unit_name: str | None


class CallbackPeriodView(BaseModel):
    since: date
    until: date = Field(description="含当日")
    total: CallbackFiguresView
    units: list[UnitCallbackFiguresView]


@router.get("/callbacks/counts", summary="待回访的件数")
async def counts(
    reads: Reads, now: Now, who: Principal = require("ticket:callback")
) -> CallbackCountsView:
    found = await reading.counts(reads, viewer=viewer_of(who), now=now)
    return CallbackCountsView(**{each.value: found[each] for each in What})


@router.get("/callbacks/figures", summary="一段时间的回访情况", responses=refusals(BadPeriod))
async def period(
    reads: Reads,
    since: Annotated[date, Query(description="回访完成之日，从这一日起")],
    until: Annotated[date, Query(description="到这一日为止，含当日")],
    unit: Annotated[str | None, Query(max_length=64, description="承办单位编码")] = None,
    who: Principal = require("callback:figures"),
) -> CallbackPeriodView:
    """Each rate with its two sides; a unit sees its own alone."""
    is_bounded = timedelta() <= until - since < timedelta(days=MOST_DAYS)
    if not is_bounded or since < EARLIEST or until >= LATEST:
        raise BadPeriod(f"起止日期应先后相继，且不超过{MOST_DAYS}日")
    found = await figures(
        reads,
        since=_midnight(since),
        before=_midnight(until + timedelta(days=1)),
        unit_code=acts_for(who) or unit,
    )
    total = CallbackFigures()
    for each in found:
        total.add(each.figures)
    return CallbackPeriodView(
        since=since,
        until=until,
        total=CallbackFiguresView.of(total),
        units=[
            UnitCallbackFiguresView(
                **CallbackFiguresView.of(each.figures).model_dump(),
                unit_code=each.unit_code,
                unit_name=each.unit_name,
            )
            for each in found
        ],
    )


@router.get(
    "/tickets/{ticket_id}/callbacks", summary="历次回访", responses=refusals(TicketNotFound)
)
async def rounds(
    ticket_id: TicketId, reads: Reads, who: Principal = require("ticket:read")
) -> RoundsView:
    """The first one first. What a caller noted of who hides is for the hub alone."""
    viewer = viewer_of(who)
    ticket = await queries.one(reads, ticket_id, seen_by=viewer)
    hides_note = ticket.hides_identity and viewer.unit is not None
    found = await reading.rounds(reads, ticket.id)
    return RoundsView(items=[RoundView.of(each, hides_note=hides_note) for each in found])


@router.post(
    "/tickets/{ticket_id}/callback/number",
    summary="查看回访号码（领取后，留下记录）",
    responses=refusals(TicketNotFound, NotTaken),
)
async def number(
    ticket_id: TicketId,
    response: Response,
    rules: InForce,
    kit: Parts,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:callback"),
) -> CallbackNumberView:
    """Posted: a look is an act. For who has the task in hand, by the reason of callback.yaml."""
    desk = CallbackDesk(tx, step=step_of(ticket_id, who, None), rules=rules, now=now)
    person = await desk.number(Sealer(kit.secret))
    no_store(response)
    return CallbackNumberView(name=person.name, phone=person.phone)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=SHANGHAI)
