"""Files handed in with a ticket: looked at, named anew, kept under seal."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_common.privacy import Sealer, mask_text
from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.attachments import (
    AttachmentRules,
    FileGroup,
    NotForUnits,
    TicketArchived,
    TooManyFiles,
    clean_name,
)
from tongban_hotline_dispatch.domain.file_kinds import FileKind
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations.performing import Step, locked
from tongban_hotline_dispatch.store.attachments import Attachment, Attachments
from tongban_hotline_dispatch.store.identity_policy import IDENTITY


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that was looked at."""

    group: FileGroup
    name: str
    kind: FileKind
    content: bytes


async def attachment_rules(kit: Kit, *, now: datetime) -> AttachmentRules:
    return (await kit.policy(IDENTITY).at(now.astimezone(SHANGHAI).date())).attachment_rules


async def looked_at(group: FileGroup, name: str, content: bytes, rules: AttachmentRules) -> Upload:
    """Before a connection is taken, and beside the event loop: an archive takes its time. Raises
    the refusals of AttachmentRules.check."""
    kind = await asyncio.to_thread(rules.check, content)
    named = mask_text(clean_name(name, kind), whole=True)
    return Upload(group=group, name=named, kind=kind, content=content)


async def attach(
    tx: Transaction,
    *,
    step: Step,
    upload: Upload,
    rules: AttachmentRules,
    sealer: Sealer,
    now: datetime,
) -> Attachment:
    """By the unit that has the ticket, or by the hub; what the complainant gave, by the hub only.

    Raises NotForUnits, TicketArchived, TooManyFiles.
    """
    if step.unit is not None and upload.group is FileGroup.COMPLAINANT:
        raise NotForUnits("诉求人提供的材料由热线中心登记")
    ticket = await locked(tx, step)
    if ticket.status is Status.ARCHIVED:
        raise TicketArchived("已归档的工单不再增加附件")
    files = Attachments(tx, sealer)
    if await files.count(ticket.id) >= rules.most_files:
        raise TooManyFiles(f"一件工单的附件不超过{rules.most_files}个")
    new = Attachment(
        id=new_id(now),
        ticket_id=ticket.id,
        group=upload.group,
        kind=upload.kind,
        name=upload.name,
        size=len(upload.content),
        digest=await files.keep(upload.content),
        added_at=now,
        added_by=step.actor,
        unit_code=step.unit,
    )
    await files.add(new)
    return new


def is_kept_back(of: Attachment, ticket: Ticket) -> bool:
    """诉求人提供的材料 says who it is: of somebody who hides it is seen as a name is."""
    return ticket.hides_identity and of.group is FileGroup.COMPLAINANT
