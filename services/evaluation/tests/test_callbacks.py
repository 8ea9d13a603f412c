"""The hotline's callback and the citizen's review: one rating of a ticket, whoever was first."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row, select

from tongban_common.db import Database
from tongban_common.service import Kit
from tongban_evaluation import operations
from tongban_evaluation.domain.invitation import AlreadyReviewed
from tongban_evaluation.domain.review import Channel, NotByThemselves, Opinion
from tongban_evaluation.store.policies import rule_book
from tongban_evaluation.store.rectifications import rectification
from tongban_evaluation.store.reviews import invitation, review

TICKETS = "tongban.hotline.ticket.v1"
NOW = datetime(2026, 9, 30, 2, 0, tzinfo=UTC)
ID = str(UUID(int=2))
INVITED = {"ticket_id": ID, "ticket_no": "260930090000000001", "unit_code": "U1"}
HEARD = {
    **INVITED,
    "is_answered": True,
    "resolved": "resolved",
    "result": "satisfied",
    "process": "basically",
    "no": 6,
    "outcome": "reached",
    "result_level": 5,
    "process_level": 3,
    "replied": True,
    "is_final": True,
}
UNHEARD = {
    **HEARD,
    "is_answered": False,
    "resolved": None,
    "result": None,
    "process": None,
    "outcome": "no_answer",
    "result_level": None,
    "process_level": None,
    "replied": None,
}


async def reviews(db: Database) -> list[Row[Any]]:
    async with db.reading() as connection:
        return list((await connection.execute(select(review))).all())


async def test_a_reply_invites_before_the_ticket_is_closed_and_only_once(
    db: Database, deliver: Any
) -> None:
    await deliver(TICKETS, "rating-invited", ID, **INVITED)
    await deliver(TICKETS, "rating-invited", ID, **INVITED)

    async with db.reading() as connection:
        rows = (await connection.execute(select(invitation))).all()
    assert [(row.matter_kind, str(row.matter_id)) for row in rows] == [("ticket", ID)]


async def test_what_the_callback_heard_is_the_ticket_s_one_review(
    db: Database, deliver: Any, announced: Any
) -> None:
    await deliver(TICKETS, "rating-invited", ID, **INVITED)

    await deliver(TICKETS, "callback-completed", ID, **HEARD)
    await deliver(TICKETS, "callback-completed", ID, **{**HEARD, "result_level": 1})

    (row,) = await reviews(db)
    assert (row.level, row.channel, str(row.matter_id)) == (5, "callback", ID)
    assert len(await announced()) == 1


async def test_whoever_was_not_reached_has_rated_nothing_and_still_may(
    db: Database, deliver: Any, kit: Kit
) -> None:
    await deliver(TICKETS, "rating-invited", ID, **INVITED)
    await deliver(TICKETS, "callback-completed", ID, **UNHEARD)
    assert await reviews(db) == []

    await submitted(db, kit, level=4)

    (row,) = await reviews(db)
    assert (row.level, row.channel) == (4, "sms")


@pytest.mark.parametrize(
    "said",
    [
        {"is_final": False, "result_level": 2, "result": "dissatisfied"},
        {"outcome": "own_review"},
        {"outcome": "cannot_callback", "result_level": None},
        {"unit_code": None},
    ],
)
async def test_a_callback_that_ends_nothing_or_repeats_a_review_writes_none(
    db: Database, deliver: Any, said: dict[str, Any]
) -> None:
    await deliver(TICKETS, "callback-completed", ID, **{**HEARD, **said})

    assert await reviews(db) == []


async def test_a_review_given_first_stays_and_the_callback_adds_no_second(
    db: Database, deliver: Any, kit: Kit
) -> None:
    await deliver(TICKETS, "rating-invited", ID, **INVITED)
    await submitted(db, kit, level=4)

    await deliver(TICKETS, "callback-completed", ID, **{**HEARD, "result_level": 1})

    (row,) = await reviews(db)
    assert (row.level, row.channel) == (4, "sms")


async def test_whoever_was_heard_on_the_phone_cannot_rate_by_the_link_again(
    db: Database, deliver: Any, kit: Kit
) -> None:
    await deliver(TICKETS, "rating-invited", ID, **INVITED)
    await deliver(TICKETS, "callback-completed", ID, **HEARD)

    with pytest.raises(AlreadyReviewed):
        await submitted(db, kit, level=1)


async def test_nobody_rates_by_the_channel_of_the_callback(
    db: Database, deliver: Any, kit: Kit
) -> None:
    await deliver(TICKETS, "rating-invited", ID, **INVITED)

    with pytest.raises(NotByThemselves):
        await submitted(db, kit, level=5, channel=Channel.CALLBACK)


async def test_a_bad_mark_on_the_phone_is_rectified_like_any_other(
    db: Database, deliver: Any
) -> None:
    await deliver(
        TICKETS,
        "callback-completed",
        ID,
        **{**HEARD, "result": "dissatisfied", "result_level": 2},
    )

    async with db.reading() as connection:
        opened = (await connection.execute(select(rectification))).all()
    assert len(opened) == 1


async def submitted(db: Database, kit: Kit, *, level: int, channel: Channel = Channel.SMS) -> None:
    async with db.reading() as connection:
        (row,) = (await connection.execute(select(invitation))).all()
    opinion = Opinion(level=level, tags=(), channel=channel)
    if level < 3:
        opinion = Opinion(level=level, tags=("115",), channel=channel)
    async with db.transaction() as tx:
        await operations.submit(
            tx, invitation_id=row.id, opinion=opinion, book=rule_book(kit), now=NOW
        )
