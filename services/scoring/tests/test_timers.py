"""The five working days in which a candidate is confirmed, or expires."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tongban_common.events import Envelope
from tongban_common.service import Kit, Service
from tongban_common.working_days import SHANGHAI
from tongban_scoring import operations
from tongban_scoring.domain.entries import Evidence, IllegalMove

RECTIFICATIONS = "tongban.evaluation.rectification.v1"
LAST = datetime(2026, 7, 8, 23, 59, 59, 999999, tzinfo=SHANGHAI)  # proposed on Wednesday, July 1st
Tell = Callable[..., Awaitable[Envelope]]
Ledger = Callable[[], Awaitable[list[Any]]]


@pytest.fixture
async def candidate(tell: Tell, ledger: Ledger) -> UUID:
    closed = str(UUID(int=1))
    await tell(
        RECTIFICATIONS,
        "rectification-closed",
        closed,
        rectification_id=closed,
        review_id=str(UUID(int=2)),
        unit_code="U1",
        window_code="W1",
        staff_code=None,
        is_substantiated=True,
        root_cause="attitude",
        outcome="satisfied",
    )
    (proposed,) = await ledger()
    found: UUID = proposed.id
    return found


async def state(ledger: Ledger) -> str:
    (only,) = await ledger()
    found: str = only.state
    return found


async def decide(kit: Kit, candidate: UUID, *, now: datetime) -> None:
    decision = operations.Decision(
        entry_id=candidate, actor="i-1", evidence=Evidence(text="复核单第3号")
    )
    async with kit.db.transaction() as tx:
        await operations.confirm(tx, decision=decision, now=now)


@pytest.mark.usefixtures("candidate")
async def test_a_candidate_expires_after_its_fifth_working_day_and_not_before(
    service: Service, kit: Kit, ledger: Ledger
) -> None:
    sweeper = service.sweeper(kit)

    await sweeper.sweep(now=LAST)
    assert await state(ledger) == "proposed"

    await sweeper.sweep(now=LAST + timedelta(microseconds=1))
    assert await state(ledger) == "expired"


async def test_a_confirmed_candidate_never_expires(
    service: Service, kit: Kit, ledger: Ledger, candidate: UUID
) -> None:
    await decide(kit, candidate, now=LAST)

    fired = await service.sweeper(kit).sweep(now=LAST + timedelta(days=30))

    assert fired == 0
    assert await state(ledger) == "confirmed"


async def test_an_expired_candidate_is_not_confirmed_afterwards(
    service: Service, kit: Kit, ledger: Ledger, candidate: UUID
) -> None:
    await service.sweeper(kit).sweep(now=LAST + timedelta(days=1))

    with pytest.raises(IllegalMove):
        await decide(kit, candidate, now=LAST + timedelta(days=1))

    assert await state(ledger) == "expired"
