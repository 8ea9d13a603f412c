"""The citizen's own ticket by HTTP, for apps and mini programs. Nobody signs in.

Number and query code come as headers: what stands in an address is logged on its way.
"""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Response
from pydantic import AwareDatetime, BaseModel, Field

from tongban_common.auth import NotPermitted
from tongban_common.bodies import Body
from tongban_common.http import (
    RECEIPT,
    ChangedMeanwhile,
    IfMatch,
    IfMatchMissing,
    Now,
    Reads,
    Router,
    Tx,
    Who,
    no_store,
    refusals,
    tag,
)
from tongban_common.service import Parts
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.api.tickets import InForce
from tongban_hotline_dispatch.api.views import DeadlineView, ProgressView
from tongban_hotline_dispatch.domain.citizens import (
    STEPS,
    CitizenRules,
    TooManySupplements,
    TooManyTries,
    acts_open,
    clocks_of,
    may_be_rated,
)
from tongban_hotline_dispatch.domain.guard import COMPLAINANT
from tongban_hotline_dispatch.domain.intake import HasChildren, TooLateToReopen
from tongban_hotline_dispatch.domain.moves import Act, IllegalMove, Status
from tongban_hotline_dispatch.domain.process import UnknownReason
from tongban_hotline_dispatch.domain.ticket import OF_TICKET, Ticket
from tongban_hotline_dispatch.operations import citizens
from tongban_hotline_dispatch.operations.citizens import Citizen, Numbers
from tongban_hotline_dispatch.operations.ratings import RatingKeys
from tongban_hotline_dispatch.store import TicketNotFound
from tongban_hotline_dispatch.store.ticket_story import Told, story

router = Router(prefix="/hotline/v1/public", tags=["诉求人"])
ENTERING = (TicketNotFound, TooManyTries)
MOVING = (*ENTERING, IllegalMove, NotPermitted)
SEEN = (ChangedMeanwhile, IfMatchMissing)


async def _entered(
    now: Now,
    kit: Parts,
    ticket_no: Annotated[str, Header(alias="X-Ticket-No", max_length=40, description="工单编号")],
    query_code: Annotated[
        str, Header(alias="X-Query-Code", max_length=20, description="登记时告知的查询码")
    ],
) -> UUID:
    return await citizens.enter(kit, Numbers(ticket_no, query_code), now=now)


async def _limits(now: Now, kit: Parts) -> CitizenRules:
    return await citizens.citizen_rules(kit, now=now)


async def _not_staff(who: Who) -> None:
    if who is not None:
        raise NotPermitted("工作人员不能代替诉求人办理，请在工单页面登记")


# Both stand before Tx where both are parameters: they have transactions of their own.
Mine = Annotated[UUID, Depends(_entered)]
Limits = Annotated[CitizenRules, Depends(_limits)]
CITIZENS_ONLY = (Depends(_not_staff), RECEIPT)


class StepView(BaseModel):
    at: AwareDatetime
    act: Act
    name: str
    unit_name: str | None

    @classmethod
    def of(cls, line: Told) -> "StepView":
        return cls(
            at=line.at.astimezone(SHANGHAI),
            act=line.act,
            name=STEPS[line.act],
            unit_name=line.unit_name,
        )


class MineView(ProgressView):
    """What its complainant sees of a ticket: no content, no person, no member of staff."""

    unit_name: str | None
    replied_at: AwareDatetime | None
    version: int
    may: list[Act] = Field(description="现在可以办理的：补充、撤回、申请重启")
    review_link: str | None = Field(description="评价页面；已办结的才有")
    steps: list[StepView]


class DoneView(BaseModel):
    """How the ticket stands after an act. An answer kept for its Idempotency-Key tells no more."""

    status: Status
    version: int


class SupplementRequest(Body):
    words: str = Field(min_length=1, max_length=20_000, description="新的情况")


class ReopenRequest(Body):
    reason: str = Field(min_length=1, max_length=64, description="规则所列事由")
    words: str = Field(min_length=1, max_length=20_000, description="说明")


@router.get("/ticket", summary="查看本人的诉求", responses=refusals(*ENTERING))
async def read(
    ticket_id: Mine, rules: InForce, response: Response, reads: Reads, now: Now, kit: Parts
) -> MineView:
    ticket = await queries.one(reads, ticket_id, seen_by=COMPLAINANT)
    told = await story(reads, ticket_id)
    units = dict(await queries.units(reads))
    no_store(response)
    tag(response, ticket.version)
    replied = ticket.first_replied_at
    return MineView(
        **ProgressView.of(ticket).model_dump(),
        unit_name=units.get(ticket.unit_code or ""),
        replied_at=None if replied is None else replied.astimezone(SHANGHAI),
        version=ticket.version,
        may=sorted(acts_open(ticket, rules.pinned(ticket.process_version), now)),
        review_link=RatingKeys(kit.secret).link(ticket.id) if may_be_rated(ticket) else None,
        steps=[StepView.of(line) for line in told if line.act in STEPS],
    )


@router.get("/ticket/deadlines", summary="期限逐日说明", responses=refusals(*ENTERING))
async def deadlines(
    ticket_id: Mine, response: Response, reads: Reads, kit: Parts
) -> list[DeadlineView]:
    """The citizen's own clock; those of the units are theirs."""
    ticket = await queries.one(reads, ticket_id, seen_by=COMPLAINANT)
    calendar = await kit.calendars.current()
    years = await queries.imported_years(reads)
    no_store(response)
    return [
        DeadlineView.of(ticket, (clock, OF_TICKET), term, term.explain(calendar, years))
        for clock, term in clocks_of(ticket)
    ]


@router.post(
    "/ticket/supplements",
    status_code=201,
    summary="补充情况",
    responses=refusals(*MOVING, TooManySupplements),
    dependencies=CITIZENS_ONLY,
)
async def supplement(
    body: SupplementRequest,
    ticket_id: Mine,
    limits: Limits,
    rules: InForce,
    response: Response,
    tx: Tx,
    now: Now,
) -> DoneView:
    """Whatever else happened to the ticket meanwhile: news is always welcome."""
    citizen = Citizen(tx=tx, ticket_id=ticket_id, rules=rules, now=now)
    ticket = await citizen.supplement(body.words, limits)
    return _told(response, ticket)


@router.post(
    "/ticket/withdrawal",
    summary="撤回诉求",
    responses=refusals(*MOVING, *SEEN, HasChildren),
    dependencies=CITIZENS_ONLY,
)
async def withdraw(
    ticket_id: Mine,
    rules: InForce,
    expected: IfMatch,
    response: Response,
    tx: Tx,
    now: Now,
) -> DoneView:
    citizen = Citizen(tx=tx, ticket_id=ticket_id, rules=rules, now=now, seen_version=expected)
    ticket = await citizen.withdraw()
    return _told(response, ticket)


@router.post(
    "/ticket/reopening",
    summary="申请重启办理",
    responses=refusals(*MOVING, *SEEN, TooLateToReopen, UnknownReason),
    dependencies=CITIZENS_ONLY,
)
async def reopen(
    body: ReopenRequest,
    ticket_id: Mine,
    rules: InForce,
    expected: IfMatch,
    response: Response,
    tx: Tx,
    now: Now,
) -> DoneView:
    citizen = Citizen(tx=tx, ticket_id=ticket_id, rules=rules, now=now, seen_version=expected)
    ticket = await citizen.reopen(body.reason, body.words)
    return _told(response, ticket)


def _told(response: Response, ticket: Ticket) -> DoneView:
    no_store(response)
    tag(response, ticket.version)
    return DoneView(status=ticket.status, version=ticket.version)
