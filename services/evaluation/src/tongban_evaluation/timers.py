"""The time edge: what happens when a stage of a rectification is nearly, or over, due."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from tongban_common.db import Transaction
from tongban_common.service import Kit
from tongban_common.timers import Due, OnDue, on_due
from tongban_common.working_days import SHANGHAI
from tongban_evaluation import operations
from tongban_evaluation.domain.deadlines import Clock, Stage, Term
from tongban_evaluation.domain.rectification import Rectification
from tongban_evaluation.store.rectifications import Rectifications


async def _lock(tx: Transaction, subject: str) -> Rectification:
    return await Rectifications(tx).get(UUID(subject))


async def _approaching(tx: Transaction, rectification: Rectification, due: Due) -> None:
    await operations.approach(tx, rectification, _clock(due), now=due.now)


async def _missed(tx: Transaction, rectification: Rectification, due: Due) -> None:
    await operations.miss(tx, rectification, _clock(due), now=due.now)


async def _rescheduled(
    tx: Transaction, rectification: Rectification, due: Due, old_due: datetime
) -> None:
    await operations.reschedule(
        tx, rectification, _clock(due), old_due=old_due.astimezone(SHANGHAI), now=due.now
    )


def _clock(due: Due) -> Clock:
    term = Term(
        start_at=due.start_at,
        limit=due.limit,
        due_at=due.due_at.astimezone(SHANGHAI),
        calendar_version=due.calendar_version,
    )
    return Clock(stage=Stage(due.kind), term=term)


def timers(_: Kit) -> Sequence[OnDue[Any]]:
    return [
        on_due(
            stage,
            lock=_lock,
            missed=_missed,
            approaching=_approaching,
            rescheduled=_rescheduled,
        )
        for stage in Stage
    ]
