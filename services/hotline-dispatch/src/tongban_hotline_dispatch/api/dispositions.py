"""Instead of an assignment, by HTTP: what to say, emergencies, guidance, evidence."""

from typing import Any
from uuid import UUID

from fastapi import Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.clock import new_id
from tongban_common.export import Column, Export, Format, download
from tongban_common.http import RECEIPT, IfMatch, Now, Router, Tx, no_store, refusals, tag
from tongban_common.privacy import Sealer
from tongban_common.service import Parts
from tongban_hotline_dispatch.api.tickets import MOVE_REFUSALS, InForce, TicketId, step_of
from tongban_hotline_dispatch.api.views import RegisteredView, TicketView
from tongban_hotline_dispatch.domain.appeal import CHANNEL_NAMES, Channel
from tongban_hotline_dispatch.domain.guard import AccusedUnit
from tongban_hotline_dispatch.domain.importing import PHONE
from tongban_hotline_dispatch.domain.moves import STATUS_NAMES
from tongban_hotline_dispatch.domain.process import Disposition, UnknownReason
from tongban_hotline_dispatch.operations import dispositions
from tongban_hotline_dispatch.operations.dispositions import (
    Emergency,
    NoEvidence,
    NotForGuidance,
    UnknownEvidenceReason,
)
from tongban_hotline_dispatch.store import Complainant, TicketNotFound, UnitNotFound
from tongban_hotline_dispatch.store.evidence import MOST, Evidence

router = Router(prefix="/hotline/v1", tags=["引导"])
COLUMNS: tuple[Column[Evidence], ...] = (
    Column("工单编号", lambda row: row.ticket_no, 20),
    Column("登记时间", lambda row: row.registered_at, 20),
    Column("渠道", lambda row: CHANNEL_NAMES[Channel(row.channel)], 10),
    Column("诉求人", lambda row: row.person.name, 12),
    Column("联系电话", lambda row: row.person.phone, 16),
    Column("标题", lambda row: row.title, 40),
    Column("内容", lambda row: row.content, 60),
    Column("状态", lambda row: STATUS_NAMES[row.status], 10),
    Column("引导情形", lambda row: row.disposition, 16),
)


class DispositionView(BaseModel):
    """引导情形: when it applies, on what it rests, what to say, and the proper route."""

    code: str
    name: str
    situation: str
    basis: str
    words: str
    route: str | None
    lines: dict[str, str]
    is_immediate: bool
    is_sealed: bool
    may_guide: bool
    makes_evidence: bool
    closes_as: str | None

    @classmethod
    def of(cls, given: Disposition) -> "DispositionView":
        return cls(
            code=given.code,
            name=given.name,
            situation=given.situation,
            basis=given.basis,
            words=given.words,
            route=given.route,
            lines=dict(given.lines),
            is_immediate=given.is_immediate,
            is_sealed=given.is_sealed,
            may_guide=given.may_guide,
            makes_evidence=given.makes_evidence,
            closes_as=given.closes_as,
        )


class EmergencyRequest(Body):
    line: str = Field(min_length=1, max_length=20, description="110、119、120、122")
    words: str = Field(default="", max_length=2000, description="听到的情况；可以不填")
    phone: str | None = Field(default=None, pattern=PHONE)
    address: str | None = Field(default=None, max_length=300)


class GuideRequest(Body):
    unit_code: str = Field(min_length=1, max_length=64, description="请其指导的单位")
    disposition: str = Field(default="OUT_OF_DUTY", min_length=1, max_length=64)


class EvidenceRequest(Body):
    ticket_id: UUID = Field(description="按恶意占用热线引导的工单")
    reason: str = Field(min_length=1, max_length=64, description="规则所列理由")
    form: Format = Format.XLSX


@router.get("/dispositions", summary="引导情形和告知用语")
async def listed(
    rules: InForce, _: Principal = require("ticket:register")
) -> list[DispositionView]:
    return [DispositionView.of(each) for each in dispositions.listed(rules)]


@router.post(
    "/emergencies",
    status_code=201,
    summary="紧急警情一键转接",
    responses=refusals(UnknownReason),
    dependencies=[RECEIPT],
)
async def emergency(
    body: EmergencyRequest,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:register"),
) -> RegisteredView:
    """The line is all that must be known."""
    call = Emergency(
        ticket_id=new_id(now),
        line=body.line,
        words=body.words,
        person=Complainant(phone=body.phone, address=body.address),
        actor=who.subject,
    )
    ticket = await dispositions.hand_over(
        tx, call=call, rules=rules, sealer=Sealer(kit.secret), now=now
    )
    no_store(response)
    tag(response, ticket.version)
    view = TicketView.of(ticket, now=now).model_dump()
    return RegisteredView(**view, query_code=ticket.query_code)


@router.post(
    "/tickets/{ticket_id}/guide",
    summary="派给单位仅供指导，不计入考核",
    responses=refusals(*MOVE_REFUSALS, UnitNotFound, UnknownReason, NotForGuidance, AccusedUnit),
)
async def guide(
    ticket_id: TicketId,
    body: GuideRequest,
    expected: IfMatch,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:assign"),
) -> TicketView:
    """北京市接诉即办工作条例第十一条第五项."""
    ticket = await dispositions.guide(
        tx,
        step=step_of(ticket_id, who, expected),
        unit_code=body.unit_code,
        given=rules.process.disposition(body.disposition),
        rules=rules,
        now=now,
    )
    tag(response, ticket.version)
    return TicketView.of(ticket, now=now)


@router.post(
    "/evidence-packs",
    summary="导出恶意占用热线的证据",
    response_class=StreamingResponse,
    responses={
        200: {"description": "文件", "content": {form.mime: {} for form in Format}},
        **refusals(TicketNotFound, NoEvidence, UnknownEvidenceReason),
    },
)
async def evidence(
    body: EvidenceRequest,
    rules: InForce,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:unmask"),
) -> StreamingResponse:
    """Not masked; who took it, why, and its digest stand in the audit.

    It streams: an Idempotency-Key makes the pack once, and refuses its twin (409) without another.
    """
    pack = await dispositions.evidence(
        kit,
        ticket_id=body.ticket_id,
        reason=body.reason,
        actor=who.subject,
        rules=rules,
        now=now,
    )

    async def read(after: tuple[Any, ...] | None) -> list[Evidence]:
        return list(pack.rows) if after is None else []

    export = Export(
        title=f"证据{pack.digest[:12]}",
        columns=COLUMNS,
        read=read,
        key=lambda row: [row.ticket_no],
        most_rows=MOST,
    )
    return await download(export, body.form, at=now)
