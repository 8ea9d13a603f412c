"""One more file, from a ticket's page. The page leads to the API for each as a download."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, File, Form, UploadFile
from fastapi.responses import RedirectResponse, Response

from tongban_common.auth import Principal, require
from tongban_common.http import Now, Router, Tx
from tongban_common.privacy import Sealer
from tongban_common.service import Parts
from tongban_hotline_dispatch.domain.attachments import AttachmentRules, FileGroup
from tongban_hotline_dispatch.operations import Step, acts_for, attachments
from tongban_hotline_dispatch.operations.attachments import Upload

router = Router(prefix="/hotline/tickets/{ticket_id}/attachments")


async def _rules_in_force(kit: Parts, now: Now) -> AttachmentRules:
    return await attachments.attachment_rules(kit, now=now)


# Stand before Tx where both are parameters: done before the transaction takes its connection.
InForce = Annotated[AttachmentRules, Depends(_rules_in_force)]


async def _looked_at(
    file: Annotated[UploadFile, File()], group: Annotated[FileGroup, Form()], rules: InForce
) -> Upload:
    return await attachments.looked_at(group, file.filename or "", await file.read(), rules)


@router.post("", include_in_schema=False)
async def add(
    ticket_id: UUID,
    upload: Annotated[Upload, Depends(_looked_at)],
    rules: InForce,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:attach"),
) -> Response:
    await attachments.attach(
        tx,
        step=Step(ticket_id=ticket_id, actor=who.subject, unit=acts_for(who)),
        upload=upload,
        rules=rules,
        sealer=Sealer(kit.secret),
        now=now,
    )
    return RedirectResponse(f"/hotline/tickets/{ticket_id}?said=done", status_code=303)
