"""The use cases over a real database: what they leave behind, and what they tell the others."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row, select
from sqlalchemy.exc import IntegrityError

from tongban_common.db import Database
from tongban_common.errors import Refusal
from tongban_common.http import ChangedMeanwhile
from tongban_common.service import Kit
from tongban_common.timers import timer
from tongban_common.working_days import SHANGHAI
from tongban_evaluation import operations
from tongban_evaluation.domain.deadlines import Grade
from tongban_evaluation.domain.invitation import (
    AlreadyReviewed,
    InvitationExpired,
    Matter,
    MatterKind,
)
from tongban_evaluation.domain.rectification import (
    Answer,
    Findings,
    Rectification,
    RootCause,
    Status,
)
from tongban_evaluation.domain.review import Channel, Opinion, ReasonMissing, Review
from tongban_evaluation.operations import Act, NotYourUnit
from tongban_evaluation.store.policies import RuleBook, rule_book
from tongban_evaluation.store.rectifications import (
    RectificationNotFound,
    Rectifications,
    rectification,
    rectification_clock,
)
from tongban_evaluation.store.reviews import InvitationNotFound, invitation, review

MATTER = Matter(
    kind=MatterKind.CASE,
    id=UUID(int=1),
    title="食品经营许可",
    unit_code="U1",
    window_code="W1",
    staff_code="S1",
)
BAD = Opinion(level=2, tags=["209"], comment="等了两个小时，请回电13812345678", channel=Channel.SMS)
TRUE = Findings(
    is_factual=True,
    is_reasonable=True,
    note="情况属实",
    root_cause=RootCause.EFFICIENCY,
    grade=Grade.SIMPLE,
)
UNTRUE = Findings(is_factual=False, is_reasonable=True, note="当时窗口有人值守")


@pytest.fixture
def book(kit: Kit) -> RuleBook:
    return rule_book(kit)


async def rows(db: Database, table: Any) -> list[Row[Any]]:
    async with db.reading() as connection:
        return list((await connection.execute(select(table))).all())


async def submitted(db: Database, book: RuleBook, opinion: Opinion, *, at: datetime) -> Review:
    async with db.transaction() as tx:
        await operations.invite(tx, matter=MATTER, book=book, finished_at=at)
    (invited,) = await rows(db, invitation)
    async with db.transaction() as tx:
        return await operations.submit(
            tx, invitation_id=invited.id, opinion=opinion, book=book, now=at
        )


async def opened(db: Database, book: RuleBook, *, at: datetime) -> UUID:
    await submitted(db, book, BAD, at=at)
    (row,) = await rows(db, rectification)
    found: UUID = row.id
    return found


async def loaded(db: Database, rectification_id: UUID) -> Rectification:
    async with db.transaction() as tx:
        return await Rectifications(tx).get(rectification_id)


def act(rectification_id: UUID, expected: int, at: datetime) -> Act:
    return Act(rectification_id=rectification_id, expected=expected, actor="s-1", scope=None, at=at)


async def test_a_good_review_is_kept_and_announced_and_opens_nothing(
    db: Database, book: RuleBook, announced: Any, now: datetime
) -> None:
    given = await submitted(db, book, Opinion(level=5, tags=["517", "510"]), at=now)

    assert await announced() == [
        (
            "review-submitted",
            {
                "review_id": str(given.id),
                "matter_kind": "case",
                "matter_id": str(MATTER.id),
                "unit_code": "U1",
                "window_code": "W1",
                "level": 5,
                "channel": "web",
                "tags": ["510", "517"],
                "tag_set_version": 1,
            },
        )
    ]
    assert (await rows(db, rectification), await rows(db, timer)) == ([], [])


async def test_a_bad_review_opens_its_rectification_with_the_clock_of_verification(
    db: Database, book: RuleBook, announced: Any, now: datetime
) -> None:
    given = await submitted(db, book, BAD, at=now)

    (row,) = await rows(db, rectification)
    (armed,) = await rows(db, timer)
    assert (row.review_id, row.status, row.limits_version) == (given.id, "opened", 1)
    assert (armed.kind, armed.subject, armed.state) == ("verify", str(row.id), "armed")
    assert armed.due_at == datetime(2026, 10, 8, 23, 59, 59, 999999, tzinfo=SHANGHAI)
    assert armed.warn_at == datetime(2026, 10, 8, tzinfo=SHANGHAI)
    told = dict(await announced())
    assert told["rectification-opened"] == {
        "rectification_id": str(row.id),
        "review_id": str(given.id),
        "unit_code": "U1",
        "window_code": "W1",
        "level": 2,
        "verify_due": "2026-10-08T23:59:59.999999+08:00",
    }


async def test_the_words_of_a_review_stay_here(
    db: Database, book: RuleBook, announced: Any, now: datetime
) -> None:
    await submitted(db, book, BAD, at=now)

    (kept,) = await rows(db, review)
    assert kept.comment == BAD.comment
    assert "小时" not in str(await announced())
    assert "13812345678" not in str(await announced())


async def test_a_matter_has_one_review_for_ever(
    db: Database, book: RuleBook, announced: Any, now: datetime
) -> None:
    await submitted(db, book, Opinion(level=5), at=now)

    with pytest.raises(AlreadyReviewed):
        await submitted(db, book, BAD, at=now + timedelta(days=1))

    (kept,) = await rows(db, review)
    assert kept.level == 5
    assert len(await announced()) == 1


async def test_the_database_refuses_a_second_review_whoever_writes_it(
    db: Database, book: RuleBook, now: datetime
) -> None:
    await submitted(db, book, Opinion(level=5), at=now)
    async with db.transaction() as tx:
        await tx.connection.execute(invitation.update().values(used_at=None))

    with pytest.raises(AlreadyReviewed):
        await submitted(db, book, BAD, at=now)


async def test_the_database_refuses_an_active_review_without_a_proof(
    db: Database, book: RuleBook, now: datetime
) -> None:
    await submitted(db, book, Opinion(level=5), at=now)

    with pytest.raises(IntegrityError):
        async with db.transaction() as tx:
            await tx.connection.execute(review.update().values(proof_ref=None))


async def test_a_refused_review_leaves_nothing_and_the_invitation_open(
    db: Database, book: RuleBook, announced: Any, now: datetime
) -> None:
    with pytest.raises(ReasonMissing):
        await submitted(db, book, Opinion(level=1), at=now)

    (invited,) = await rows(db, invitation)
    assert invited.used_at is None
    assert (await rows(db, review), await announced()) == ([], [])


async def test_a_late_review_and_an_unknown_invitation_are_refused(
    db: Database, book: RuleBook, now: datetime
) -> None:
    async with db.transaction() as tx:
        await operations.invite(tx, matter=MATTER, book=book, finished_at=now)
    (invited,) = await rows(db, invitation)

    for invitation_id, refusal in (
        (invited.id, InvitationExpired),
        (UUID(int=9), InvitationNotFound),
    ):
        with pytest.raises(refusal):
            async with db.transaction() as tx:
                await operations.submit(
                    tx,
                    invitation_id=invitation_id,
                    opinion=Opinion(level=5),
                    book=book,
                    now=now + timedelta(days=60),
                )


async def test_a_substantiated_review_runs_through_its_clocks_to_the_end(
    db: Database, book: RuleBook, announced: Any, now: datetime
) -> None:
    id_ = await opened(db, book, at=now)
    days = [now + timedelta(days=8), now + timedelta(days=9), now + timedelta(days=12)]

    async with db.transaction() as tx:
        await operations.verify(tx, act(id_, 1, days[0]), TRUE, book=book)
    async with db.transaction() as tx:
        await operations.rectify(tx, act(id_, 2, days[1]), "增开窗口", book=book)
    async with db.transaction() as tx:
        await operations.call_back(tx, act(id_, 3, days[2]), Answer.SATISFIED, None, book=book)
    async with db.transaction() as tx:
        closed = await operations.close(tx, act(id_, 4, days[2]), book=book)

    assert closed == await loaded(db, id_)
    clocks = await rows(db, rectification_clock)
    assert [(row.stage, row.stopped_at) for row in clocks] == list(
        zip(["verify", "rectify", "callback"], days, strict=True)
    )
    assert {row.state for row in await rows(db, timer)} == {"disarmed"}
    told = dict(await announced())
    assert told["rectification-closed"] == {
        "rectification_id": str(id_),
        "review_id": str(closed.review_id),
        "unit_code": "U1",
        "window_code": "W1",
        "staff_code": "S1",
        "is_substantiated": True,
        "root_cause": "efficiency",
        "outcome": "rectified",
        "answer": "satisfied",
    }


async def test_an_unsubstantiated_review_is_explained(
    db: Database, book: RuleBook, announced: Any, now: datetime
) -> None:
    id_ = await opened(db, book, at=now)

    async with db.transaction() as tx:
        await operations.verify(tx, act(id_, 1, now), UNTRUE, book=book)
        await operations.call_back(tx, act(id_, 2, now), Answer.UNREACHABLE, "三次未接", book=book)
        await operations.close(tx, act(id_, 3, now), book=book)

    told = dict(await announced())["rectification-closed"]
    assert (told["is_substantiated"], told["root_cause"]) == (False, None)
    assert (told["outcome"], told["answer"]) == ("explained", "unreachable")


async def test_an_unsatisfied_reviewer_is_heard_again_under_new_clocks(
    db: Database, book: RuleBook, now: datetime
) -> None:
    id_ = await opened(db, book, at=now)

    async with db.transaction() as tx:
        await operations.verify(tx, act(id_, 1, now), UNTRUE, book=book)
        await operations.call_back(tx, act(id_, 2, now), Answer.UNSATISFIED, None, book=book)

    again = await loaded(db, id_)
    assert (again.status, again.hearing, again.findings) == (Status.OPENED, 2, None)
    (armed,) = [row for row in await rows(db, timer) if row.state == "armed"]
    assert armed.kind == "verify"
    clocks = await rows(db, rectification_clock)
    assert [(row.hearing, row.stage) for row in clocks] == [
        (1, "verify"),
        (1, "callback"),
        (2, "verify"),
    ]


@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [
        pytest.param({"expected": 7}, ChangedMeanwhile, id="所见版本已旧"),
        pytest.param({"scope": "U2"}, NotYourUnit, id="不是本单位的"),
        pytest.param({"scope": ""}, NotYourUnit, id="没有单位的人"),
        pytest.param({"rectification_id": UUID(int=9)}, RectificationNotFound, id="没有这个整改"),
    ],
)
async def test_an_action_that_may_not_be_done_changes_nothing(
    db: Database, book: RuleBook, now: datetime, wrong: dict[str, Any], refusal: type[Refusal]
) -> None:
    id_ = await opened(db, book, at=now)
    before = await loaded(db, id_)

    with pytest.raises(refusal):
        async with db.transaction() as tx:
            await operations.verify(tx, replace(act(id_, 1, now), **wrong), TRUE, book=book)

    assert await loaded(db, id_) == before
