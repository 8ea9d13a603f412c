"""附件: handed in, listed, and given out as a download that no browser opens by itself."""

from collections.abc import AsyncIterator
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import Depends, File, Form, Path, Query, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from tongban_common.auth import NotPermitted, Principal, require
from tongban_common.http import LocalTime, Now, Reads, Router, Tx, refusals
from tongban_common.privacy import Sealer
from tongban_common.service import Kit, Parts
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.api.tickets import TicketId
from tongban_hotline_dispatch.domain.attachments import (
    AttachmentRules,
    EmptyFile,
    FileGroup,
    FileTooLarge,
    NotForUnits,
    TicketArchived,
    TooManyFiles,
)
from tongban_hotline_dispatch.domain.file_kinds import (
    MEDIA_TYPES,
    FileKind,
    HasMacro,
    IsBroken,
    IsEncrypted,
    UnpacksTooLarge,
    WrongKind,
)
from tongban_hotline_dispatch.domain.guard import Recused
from tongban_hotline_dispatch.domain.identity import DocumentMissing, Seen, UnknownViewReason
from tongban_hotline_dispatch.domain.ticket import NotYourTicket, Ticket
from tongban_hotline_dispatch.operations import Step, acts_for, attachments, identity, viewer_of
from tongban_hotline_dispatch.operations.attachments import Upload, is_kept_back
from tongban_hotline_dispatch.operations.identity import Look
from tongban_hotline_dispatch.store import TicketNotFound
from tongban_hotline_dispatch.store.attachments import (
    Attachment,
    AttachmentNotFound,
    of_ticket,
    one,
    pieces,
)

router = Router(prefix="/hotline/v1/tickets/{ticket_id}/attachments", tags=["附件"])
AttachmentId = Annotated[UUID, Path(description="附件标识")]


async def _rules_in_force(kit: Parts, now: Now) -> AttachmentRules:
    return await attachments.attachment_rules(kit, now=now)


# Stands before Tx where both are parameters: read before the transaction takes its connection.
InForce = Annotated[AttachmentRules, Depends(_rules_in_force)]


async def _looked_at(
    file: Annotated[UploadFile, File(description="文件")],
    group: Annotated[FileGroup, Form(description="分组：凭证、联系证明、办理证明、诉求人提供")],
    rules: InForce,
) -> Upload:
    content = await file.read()
    return await attachments.looked_at(group, file.filename or "", content, rules)


LookedAt = Annotated[Upload, Depends(_looked_at)]


class AttachmentView(BaseModel):
    id: UUID
    group: FileGroup
    kind: FileKind
    name: str
    size: int
    added_at: LocalTime
    added_by: str
    unit_code: str | None
    is_kept_back: bool

    @classmethod
    def of(cls, each: Attachment, ticket: Ticket) -> "AttachmentView":
        return cls(
            id=each.id,
            group=each.group,
            kind=each.kind,
            name=each.name,
            size=each.size,
            added_at=each.added_at,
            added_by=each.added_by,
            unit_code=each.unit_code,
            is_kept_back=is_kept_back(each, ticket),
        )


class AddedView(BaseModel):
    id: UUID
    kind: FileKind
    name: str
    size: int


@router.post(
    "",
    status_code=201,
    summary="上传附件",
    responses=refusals(
        TicketNotFound,
        NotYourTicket,
        Recused,
        EmptyFile,
        FileTooLarge,
        TooManyFiles,
        NotForUnits,
        TicketArchived,
        WrongKind,
        HasMacro,
        IsEncrypted,
        IsBroken,
        UnpacksTooLarge,
    ),
)
async def add(
    ticket_id: TicketId,
    upload: LookedAt,
    rules: InForce,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:attach"),
) -> AddedView:
    """What it is, is read from its bytes; its name is cleaned and gets the extension of that."""
    new = await attachments.attach(
        tx,
        step=Step(ticket_id=ticket_id, actor=who.subject, unit=acts_for(who)),
        upload=upload,
        rules=rules,
        sealer=Sealer(kit.secret),
        now=now,
    )
    return AddedView(id=new.id, kind=new.kind, name=new.name, size=new.size)


@router.get("", summary="工单的附件", responses=refusals(TicketNotFound))
async def list_attachments(
    ticket_id: TicketId, reads: Reads, kit: Parts, who: Principal = require("ticket:read")
) -> list[AttachmentView]:
    """Units do not see what somebody who hides has handed in."""
    ticket = await queries.one(reads, ticket_id, seen_by=viewer_of(who))
    found = await of_ticket(reads, ticket_id, Sealer(kit.secret))
    is_hub = acts_for(who) is None
    return [
        AttachmentView.of(each, ticket)
        for each in found
        if is_hub or not is_kept_back(each, ticket)
    ]


@router.get(
    "/{attachment_id}",
    summary="下载附件",
    response_class=StreamingResponse,
    responses={
        200: {"description": "文件", "content": {"application/octet-stream": {}}},
        **refusals(
            TicketNotFound,
            AttachmentNotFound,
            NotPermitted,
            UnknownViewReason,
            DocumentMissing,
        ),
    },
)
async def download(
    ticket_id: TicketId,
    attachment_id: AttachmentId,
    kit: Parts,
    now: Now,
    reason: Annotated[
        str, Query(max_length=64, description="隐藏身份的诉求人所提供的材料，须有查看理由")
    ] = "",
    document_no: Annotated[str | None, Query(max_length=100, description="文书编号")] = None,
    who: Principal = require("ticket:read"),
) -> StreamingResponse:
    sealer = Sealer(kit.secret)
    async with kit.db.reading() as reads:
        ticket = await queries.one(reads, ticket_id, seen_by=viewer_of(who))
        found = await one(reads, ticket_id, attachment_id, sealer)
    if is_kept_back(found, ticket):
        if acts_for(who) is not None:
            raise AttachmentNotFound("没有这个附件")
        look = Look(fields=[Seen.ATTACHMENT], reason=reason, document_no=document_no)
        await _recorded(kit, who, ticket_id, look, now)
    return await _sent(kit, found)


async def _sent(kit: Kit, found: Attachment) -> StreamingResponse:
    """As a download: no browser shows it, and none guesses what it is. The first piece is opened
    before anything is promised."""
    plain, name = f"file.{found.kind}", quote(found.name, safe="")
    headers = {
        "content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{name}",
        "content-length": str(found.size),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    rest = pieces(kit.db, found.digest, Sealer(kit.secret))
    first = await anext(rest)

    async def content() -> AsyncIterator[bytes]:
        yield first
        async for piece in rest:
            yield piece

    return StreamingResponse(content(), media_type=MEDIA_TYPES[found.kind], headers=headers)


async def _recorded(kit: Kit, who: Principal, ticket_id: UUID, look: Look, now: Now) -> None:
    """Committed before the first byte leaves."""
    if not who.may("ticket:unmask"):
        raise NotPermitted("诉求人要求隐藏身份，您没有查看其材料的权限", permission="ticket:unmask")
    rules = await identity.identity_rules(kit, now=now)
    step = Step(ticket_id=ticket_id, actor=who.subject, unit=acts_for(who))
    async with kit.db.transaction() as tx:
        await identity.look_at_file(tx, step=step, wanted=look, rules=rules, now=now)
