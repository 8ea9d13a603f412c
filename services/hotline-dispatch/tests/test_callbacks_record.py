"""The rating of record: what the evaluation service holds, of which reply, and what is assessed."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from tongban_common.clock import new_id
from tongban_common.events import Envelope, shard_of
from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.assessment import REAPPRAISED_RESULT
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import Desk
from tongban_hotline_dispatch.operations.assessment import note_input
from tongban_hotline_dispatch.store.assessment import Noted

NOW = datetime(2026, 9, 14, 10, 0, tzinfo=SHANGHAI)  # a Monday
DAY = timedelta(days=1)
GOOD = Heard(resolved=Resolved.YES, result=Mark.SATISFIED, process=Mark.DISSATISFIED)
BAD = Heard(resolved=Resolved.NO, result=Mark.DISSATISFIED, process=Mark.BASICALLY)
SETTLED = Heard(
    resolved=Resolved.NO,
    result=Mark.DISSATISFIED,
    process=Mark.BASICALLY,
    no_redo="POLICY_FORBIDS",
)
Opened = Callable[..., Awaitable[Any]]  # a `conftest.Called`
_sent: Counter[int] = Counter()  # of each shard: its events are numbered without a hole
Figures = Callable[[], Awaitable[dict[str, tuple[int, int]]]]


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW
    _sent.clear()


@pytest.fixture
def figures(client: Client, clock: Clock) -> Figures:
    """Of A3 in the month, by a run some weeks later."""

    async def assess() -> dict[str, tuple[int, int]]:
        clock.now = datetime(2026, 10, 20, 10, 0, tzinfo=SHANGHAI)
        supervisor = client.as_("supervisor", subject="s-1")
        made = await supervisor.post("/hotline/v1/assessments", json={"period": "2026-09"})
        assert made.status_code == 201, made.text
        found = await supervisor.get(f"/hotline/v1/assessments/{made.json()['id']}/units/A3")
        of = found.json()["figures"].items()
        return {name: (each["numerator"], each["denominator"]) for name, each in of}

    return assess


def reviewed(ticket: Ticket, level: int, at: datetime) -> Envelope:
    """What the evaluation service says that the citizen said."""
    review_id = new_id(at)
    shard = shard_of(str(review_id))
    _sent[shard] += 1
    return Envelope(
        id=f"e-{review_id}",
        source="/tongban/evaluation",
        type="tongban.evaluation.review-submitted.v1",
        subject=str(review_id),
        time=at,
        topic="tongban.evaluation.review.v1",
        shard=shard,
        n=_sent[shard],
        data={
            "review_id": str(review_id),
            "matter_kind": "ticket",
            "matter_id": str(ticket.id),
            "unit_code": "A3",
            "window_code": None,
            "level": level,
            "channel": "sms",
            "tags": [],
            "tag_set_version": 1,
        },
    )


async def test_the_assessment_counts_the_rating_of_record_and_no_silence(
    opened: Opened, service: Service, kit: Kit, figures: Figures
) -> None:
    for heard in (*(GOOD,) * 4, BAD):
        case = await opened()
        await case.reply(NOW + DAY)
        await case.on_desk(NOW + 2 * DAY, partial(Desk.call_back, heard=heard))
    for level in (5, 1):
        case = await opened()
        ticket = await case.reply(NOW + DAY)
        await service.inbox(kit).apply([reviewed(ticket, level, NOW + 2 * DAY)])
    tries = [datetime(2026, 9, 16, 10, tzinfo=SHANGHAI) + timedelta(hours=n) for n in (0, 5, 24)]
    for late in (4, None):  # not reached: one rates by the link after all
        case = await opened()
        ticket = await case.reply(NOW + DAY)
        await case.attempts(*tries)
        await case.on_desk(tries[-1], lambda desk: desk.give_up_callback())
        if late is not None:
            await service.inbox(kit).apply([reviewed(ticket, late, tries[-1] + DAY)])

    of = await figures()

    assert of["satisfaction_rate"] == (6, 8)
    assert of["resolution_rate"] == (4, 5)
    assert of["on_time_close_rate"] == (9, 9)


async def test_a_review_of_an_earlier_reply_is_not_the_callback_of_a_later_one(
    opened: Opened, service: Service, kit: Kit
) -> None:
    case = await opened()
    await case.reply(NOW + DAY)
    await case.on_desk(NOW + 2 * DAY, lambda desk: desk.call_back(BAD))
    second = await case.reply(NOW + 4 * DAY)

    await service.inbox(kit).apply([reviewed(second, 5, NOW + 3 * DAY)])

    assert (await case.again()).status is Status.CALLBACK


async def test_a_unit_that_never_spoke_to_the_person_has_not_responded(
    opened: Opened, figures: Figures
) -> None:
    for replied in (True, True, True, True, False, None):
        case = await opened()
        await case.sign(NOW)
        await case.on_desk(NOW + timedelta(hours=1), Desk.contact, unit="A3")
        await case.reply(NOW + DAY)
        heard = Heard(
            resolved=Resolved.YES, result=Mark.SATISFIED, process=Mark.SATISFIED, replied=replied
        )
        await case.on_desk(NOW + 2 * DAY, partial(Desk.call_back, heard=heard))

    assert (await figures())["response_rate"] == (5, 6)


async def test_a_reappraisal_takes_out_the_mark_before_it_and_not_a_later_one(
    opened: Opened, kit: Kit, figures: Figures
) -> None:
    """第二次差评须再次复核."""
    once, twice = await opened(), await opened()
    for case in (once, twice):
        await case.reply(NOW + DAY)
        await case.on_desk(NOW + 2 * DAY, partial(Desk.call_back, heard=SETTLED))
        await _reappraised(kit, case, NOW + 3 * DAY)
        await case.on_desk(NOW + 4 * DAY, lambda desk: desk.reopen("NEW_FACTS"))
        await _assigned(kit, case, NOW + 4 * DAY)
        await case.reply(NOW + 5 * DAY)
        await case.on_desk(NOW + 6 * DAY, partial(Desk.call_back, heard=SETTLED))
    await _reappraised(kit, twice, NOW + 7 * DAY)
    for _ in range(5):
        case = await opened()
        await case.reply(NOW + DAY)
        await case.on_desk(NOW + 2 * DAY, partial(Desk.call_back, heard=GOOD))

    # Of each ticket the two leads are counted apart: the first mark is out, of one the second too.
    assert (await figures())["satisfaction_rate"] == (5, 6)


async def _assigned(kit: Kit, case: Any, at: datetime) -> None:
    rules = await operations.rules_at(kit, now=at)
    step = operations.Step(ticket_id=case.ticket.id, actor="d-1")
    async with kit.db.transaction() as tx:
        case.ticket = await operations.assign(tx, step=step, unit_code="A3", rules=rules, now=at)


async def _reappraised(kit: Kit, case: Any, at: datetime) -> None:
    fact = Noted(kind=REAPPRAISED_RESULT, unit_code="A3", on_day=at.date(), ref=str(case.ticket.id))
    async with kit.db.transaction() as tx:
        await note_input(tx, fact, by="s-1", now=at)
