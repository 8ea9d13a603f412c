"""A timer that is armed once, however often it is asked for: what the calendar brings round."""

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from tongban_common.db import Transaction
from tongban_common.timers import Deadline, timer


async def arm_once(tx: Transaction, deadline: Deadline) -> None:
    """Nothing happens where a timer of this kind and subject is armed."""
    await tx.connection.execute(
        insert(timer)
        .values(
            kind=deadline.kind,
            subject=deadline.subject,
            start_at=deadline.start_at,
            amount=deadline.limit.amount,
            unit=deadline.limit.unit,
            clause=deadline.limit.clause,
            calendar_version=deadline.calendar_version,
            due_at=deadline.due_at,
            warn_at=deadline.warn_at,
            state="armed",
        )
        .on_conflict_do_nothing(
            index_elements=["subject", "kind"], index_where=text("state = 'armed'")
        )
    )
