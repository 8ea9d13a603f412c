"""The counter (坐席) by HTTP: who calls, and what must be asked."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.http import LocalTime, Now, Reads, Router, no_store
from tongban_common.privacy import Sealer, mask_text
from tongban_common.service import Parts
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.api.tickets import ElementsInForce
from tongban_hotline_dispatch.domain.appeal import AppealType, Channel
from tongban_hotline_dispatch.domain.elements import ELEMENT_NAMES, Asked, Element, Ending
from tongban_hotline_dispatch.domain.importing import PHONE
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.operations import viewer_of
from tongban_hotline_dispatch.operations.counter import caller_matters
from tongban_hotline_dispatch.store.counter import COUNTER

router = Router(prefix="/hotline/v1", tags=["坐席"])


class CallerRequest(Body):
    phone: str = Field(pattern=PHONE, description="来电号码")


class CallerMatterView(BaseModel):
    """An earlier ticket of the same caller."""

    ticket_id: UUID
    ticket_no: str
    title: str
    status: Status
    is_open: bool
    unit_code: str | None
    registered_at: LocalTime


class RequiredView(BaseModel):
    """One element that must be known, and on what it rests."""

    field: Element
    name: str
    clause: str


@router.post("/callers", summary="来电人的历史工单")
async def callers(
    body: CallerRequest,
    response: Response,
    reads: Reads,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:register"),
) -> list[CallerMatterView]:
    """Posted, so that the number stays out of addresses and logs."""
    policy = await kit.policy(COUNTER).at(now.astimezone(SHANGHAI).date())
    found = await caller_matters(
        reads,
        body.phone,
        viewer=viewer_of(who),
        sealer=Sealer(kit.secret),
        most=policy.agent.caller_matters,
    )
    no_store(response)
    return [
        CallerMatterView(
            ticket_id=each.ticket_id,
            ticket_no=each.ticket_no,
            title=mask_text(each.title),
            status=each.status,
            is_open=each.is_open,
            unit_code=each.unit_code,
            registered_at=each.registered_at,
        )
        for each in found
    ]


@router.get(
    "/required-elements",
    summary="登记时必须问明的要素",
    dependencies=[require("ticket:register")],
)
async def required(
    elements: ElementsInForce,
    appeal_type: Annotated[AppealType, Query(description="诉求类型")],
    channel: Annotated[Channel, Query(description="渠道")] = Channel.PHONE,
    matter_code: Annotated[str | None, Query(max_length=64, description="事项编码")] = None,
    ending: Annotated[Ending, Query(description="登记后的去向")] = Ending.ACCEPTED,
) -> list[RequiredView]:
    asked = Asked(appeal_type=appeal_type, channel=channel, matter_code=matter_code, ending=ending)
    return [
        RequiredView(field=each.element, name=ELEMENT_NAMES[each.element], clause=each.clause)
        for each in elements.needed(asked)
    ]
