"""A consultation that closes leaves a draft to the knowledge base: armed here, made by the sweep.

So that closing a ticket neither waits for the knowledge base nor fails because of it.
"""

from datetime import datetime, timedelta

from tongban_common.db import Transaction
from tongban_common.timers import Deadline
from tongban_common.working_days import Limit, Unit
from tongban_hotline_dispatch.domain.appeal import AppealType
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.store.arming import arm_once

DRAFT = "knowledge-draft"


async def note_closed(tx: Transaction, before: Ticket, after: Ticket, now: datetime) -> None:
    """Whichever way it closed. A merged ticket has its parent's answer and leaves none."""
    is_closed = after.status is Status.CLOSED and before.status is not Status.CLOSED
    is_consultation = after.appeal.appeal_type is AppealType.CONSULT
    if not is_closed or not is_consultation or after.parent_id is not None:
        return
    await arm_once(
        tx,
        Deadline(
            kind=DRAFT,
            subject=str(after.id),
            start_at=now - timedelta(hours=1),
            limit=Limit(amount=1, unit=Unit.HOURS, clause="办结后即形成知识草稿"),
            due_at=now,
            warn_at=None,
            calendar_version="",
        ),
    )
