"""Upper platforms (上级平台): tickets pushed down with their own number and deadline, how they
stand by that number, and what became of them, pulled up until it is acknowledged."""

from typing import Annotated

from fastapi import Response
from pydantic import AwareDatetime, BaseModel, Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.clock import new_id
from tongban_common.http import RECEIPT, Now, Paged, Reads, Router, Tx, no_store, refusals
from tongban_common.privacy import Sealer, mask_text
from tongban_common.service import Parts
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.api.particulars import ParticularsRequest, PersonRequest
from tongban_hotline_dispatch.api.tickets import InForce
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.intake import StrangeDeadline
from tongban_hotline_dispatch.domain.matters import MatterNotInForce
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.domain.upstream import Outcome
from tongban_hotline_dispatch.domain.upstream_rules import NotAPlatform, UpstreamRules
from tongban_hotline_dispatch.operations import Registration, new_query_code, upstream
from tongban_hotline_dispatch.operations.upstream import NumberReused, TooMany, upstream_of
from tongban_hotline_dispatch.store import Complainant
from tongban_hotline_dispatch.store.reference import UnitNotFound
from tongban_hotline_dispatch.store.upstream import Backlog, Report, Standing, backlogs, standings
from tongban_hotline_dispatch.store.upstream import waiting as waiting_reports

router = Router(prefix="/hotline/v1/upstream", tags=["上级平台"])
Number = Annotated[str, Field(min_length=1, max_length=64)]


class PushRequest(ParticularsRequest):
    number: str = Field(min_length=1, max_length=64, description="上级平台的工单编号")
    appeal_type: AppealType
    urgency: Urgency = Urgency.NORMAL
    matter_code: str | None = Field(default=None, min_length=1, max_length=64)
    title: str = Field(min_length=1, max_length=200)
    content: str = Field(min_length=1, max_length=20_000)
    person: PersonRequest = PersonRequest()
    wants_reply: bool = True
    wants_callback: bool = True
    target_unit_code: str | None = Field(
        default=None, min_length=1, max_length=64, description="被诉单位编码"
    )
    hides_identity: bool | None = Field(
        default=None, description="对承办单位隐藏身份；不说明的，按诉求类型，举报默认隐藏"
    )
    due: AwareDatetime = Field(description="上级平台要求的期限")
    statutory_due: AwareDatetime | None = Field(default=None, description="法定期限")

    def appeal(self, channel: Channel) -> Appeal:
        return Appeal(
            channel=channel,
            channel_order_no=self.number,
            appeal_type=self.appeal_type,
            urgency=self.urgency,
            matter_code=self.matter_code,
            title=self.title,
            content=self.content,
            upstream_due=self.due,
            statutory_due=self.statutory_due,
        )


class PushedView(BaseModel):
    number: str
    ticket_no: str
    status: Status
    phase: str = Field(description="上级平台所称的环节")
    due: AwareDatetime | None = Field(description="答复期限：不晚于上级平台要求的")
    is_new: bool = Field(description="否：这个编号的同一诉求早已收到")

    @classmethod
    def of(cls, ticket: Ticket, rules: UpstreamRules, *, is_new: bool) -> "PushedView":
        term = ticket.citizen_term
        return cls(
            number=ticket.appeal.channel_order_no or "",
            ticket_no=ticket.ticket_no,
            status=ticket.status,
            phase=rules.phases[ticket.status],
            due=term and term.due_at.astimezone(SHANGHAI),
            is_new=is_new,
        )


class StandingRequest(Body):
    numbers: list[Number] = Field(min_length=1, max_length=10_000)


class StandingView(BaseModel):
    number: str
    is_known: bool
    ticket_no: str | None = None
    status: Status | None = None
    phase: str | None = None
    unit_code: str | None = None
    registered_at: AwareDatetime | None = None
    upstream_due: AwareDatetime | None = None
    due: AwareDatetime | None = None
    replied_at: AwareDatetime | None = None
    is_overdue: bool | None = None

    @classmethod
    def of(
        cls, number: str, known: Standing | None, rules: UpstreamRules, *, now: AwareDatetime
    ) -> "StandingView":
        if known is None:
            return cls(number=number, is_known=False)
        ended = known.replied_at or known.closed_at or now
        return cls(
            number=number,
            is_known=True,
            ticket_no=known.ticket_no,
            status=known.status,
            phase=rules.phases[known.status],
            unit_code=known.unit_code,
            registered_at=known.registered_at.astimezone(SHANGHAI),
            upstream_due=_local(known.upstream_due),
            due=_local(known.due),
            replied_at=_local(known.replied_at),
            is_overdue=known.due is not None and ended > known.due,
        )


class ReportView(BaseModel):
    number: str
    version: int = Field(description="回执时与编号一起送回")
    outcome: Outcome
    words: str | None = Field(description="公开答复，或者告知诉求人的话")
    unit_code: str | None
    promised_on: str | None = Field(description="阶段性办结承诺的日期")
    at: AwareDatetime

    @classmethod
    def of(cls, report: Report) -> "ReportView":
        return cls(
            number=report.channel_order_no,
            version=report.version,
            outcome=report.outcome,
            words=None if report.words is None else mask_text(report.words),
            unit_code=report.unit_code,
            promised_on=report.promised_on,
            at=report.at.astimezone(SHANGHAI),
        )


class ReportsView(BaseModel):
    items: list[ReportView]
    next: str | None


class Receipt(Body):
    number: Number
    version: int = Field(ge=1, le=1_000_000)


class AcknowledgeRequest(Body):
    items: list[Receipt] = Field(min_length=1, max_length=10_000)


class AcknowledgedView(BaseModel):
    acknowledged: int
    unknown: list[Receipt] = Field(description="没有这样的回传")


class BacklogView(BaseModel):
    channel: Channel
    platform: str
    waiting: int = Field(description="还没有回执的回传")
    oldest_at: AwareDatetime

    @classmethod
    def of(cls, backlog: Backlog, rules: UpstreamRules) -> "BacklogView":
        names = {each.channel: each.name for each in rules.platforms.values()}
        return cls(
            channel=backlog.channel,
            platform=names.get(backlog.channel, backlog.channel),
            waiting=backlog.waiting,
            oldest_at=backlog.oldest_at.astimezone(SHANGHAI),
        )


@router.post(
    "/tickets",
    status_code=201,
    summary="交办：上级平台送来的诉求",
    responses={
        200: {"model": PushedView, "description": "这个编号的同一诉求早已收到"},
        **refusals(NotAPlatform, NumberReused, StrangeDeadline, MatterNotInForce, UnitNotFound),
    },
    dependencies=[RECEIPT],
)
async def push(
    body: PushRequest,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("upstream:exchange"),
) -> PushedView:
    """The platform's own deadline shortens ours. The same message again is the same ticket."""
    upper = upstream_of(rules)
    new = Registration(
        ticket_id=new_id(now),
        query_code=new_query_code(),
        appeal=body.appeal(upper.platform(who.subject).channel),
        person=Complainant(**body.person.model_dump()),
        actor=who.subject,
        wants_reply=body.wants_reply,
        wants_callback=body.wants_callback,
        target_unit=body.target_unit_code,
        hides_identity=body.hides_identity,
        details=body.details(),
    )
    sealer = Sealer(kit.secret)
    ticket, is_new = await upstream.push(tx, new=new, rules=rules, sealer=sealer, now=now)
    if not is_new:
        response.status_code = 200
    no_store(response)
    return PushedView.of(ticket, upper, is_new=is_new)


@router.post(
    "/standings",
    summary="按上级平台编号批量查询办理情况",
    responses=refusals(NotAPlatform, TooMany),
)
async def standing(
    body: StandingRequest,
    rules: InForce,
    reads: Reads,
    now: Now,
    who: Principal = require("upstream:exchange"),
) -> list[StandingView]:
    """In the order of the numbers; of those that this platform did not push, nothing is told."""
    upper = upstream_of(rules)
    platform = upper.platform(who.subject)
    upstream.check_batch(rules, len(body.numbers))
    known = await standings(reads, platform.channel, body.numbers)
    return [StandingView.of(each, known.get(each), upper, now=now) for each in body.numbers]


@router.get("/reports", summary="回传：还没有回执的办理结果", responses=refusals(NotAPlatform))
async def reports(
    rules: InForce,
    page: Paged,
    reads: Reads,
    who: Principal = require("upstream:exchange"),
) -> ReportsView:
    """The oldest first. Whatever is not acknowledged is handed out again at the next pull."""
    platform = upstream_of(rules).platform(who.subject)
    found = await waiting_reports(reads, platform.channel, after=page.after, most=page.limit)
    last = found[-1] if len(found) == page.limit else None
    return ReportsView(
        items=[ReportView.of(each) for each in found], next=last and page.next_cursor(last.key)
    )


@router.post(
    "/reports/acknowledge", summary="回执：收到的回传", responses=refusals(NotAPlatform, TooMany)
)
async def acknowledge(
    body: AcknowledgeRequest,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("upstream:exchange"),
) -> AcknowledgedView:
    keys = [(each.number, each.version) for each in body.items]
    unknown = await upstream.acknowledged(
        tx, platform=upstream_of(rules).platform(who.subject), keys=keys, rules=rules, now=now
    )
    return AcknowledgedView(
        acknowledged=len(keys) - len(unknown),
        unknown=[Receipt(number=number, version=version) for number, version in unknown],
    )


@router.get("/backlog", summary="各上级平台还没有取走的回传")
async def backlog(
    rules: InForce, reads: Reads, _: Principal = require("upstream:read")
) -> list[BacklogView]:
    return [BacklogView.of(each, upstream_of(rules)) for each in await backlogs(reads)]


def _local(moment: AwareDatetime | None) -> AwareDatetime | None:
    return moment and moment.astimezone(SHANGHAI)
