"""What may be said in a review, and by whom."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tongban_common.errors import Refusal
from tongban_evaluation.domain.invitation import AlreadyReviewed, Invitation, InvitationExpired
from tongban_evaluation.domain.review import (
    CommentTooLong,
    CommentUnreadable,
    Opinion,
    Origin,
    Proof,
    ProofKind,
    ProofMissing,
    ReasonMissing,
    Review,
    write,
)
from tongban_evaluation.domain.tags import Scale, TagOfAnotherLevel, UnknownLevel

ID = UUID(int=3)


@pytest.mark.parametrize("level", [5, 4, 3])
def test_a_good_review_may_be_bare(scale: Scale, now: datetime, level: int) -> None:
    assert Opinion(level=level).checked(scale, at=now) == Opinion(level=level)


@pytest.mark.parametrize(
    ("opinion", "refusal"),
    [
        pytest.param(Opinion(level=2), ReasonMissing, id="差评须有原因"),
        pytest.param(Opinion(level=1, comment=" \n　"), ReasonMissing, id="空白不是原因"),
        pytest.param(Opinion(level=2, tags=["510"]), TagOfAnotherLevel, id="标签属于另一等级"),
        pytest.param(Opinion(level=6), UnknownLevel, id="没有第六级"),
        pytest.param(Opinion(level=1, comment="字" * 501), CommentTooLong, id="五百零一字"),
        pytest.param(Opinion(level=1, comment="慢\x00"), CommentUnreadable, id="空字符"),
        pytest.param(Opinion(level=1, comment="\u202e慢"), CommentUnreadable, id="反向文字"),
        pytest.param(Opinion(level=1, comment="慢\ud800"), CommentUnreadable, id="残缺字符"),
    ],
)
def test_an_opinion_that_breaks_a_rule_is_refused(
    scale: Scale, now: datetime, opinion: Opinion, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        opinion.checked(scale, at=now)


@pytest.mark.parametrize(
    "opinion",
    [
        pytest.param(Opinion(level=2, tags=("209",)), id="有标签"),
        pytest.param(Opinion(level=1, comment="等了两个小时\n无人理会"), id="有文字"),
        pytest.param(Opinion(level=1, comment="字" * 500), id="五百字"),
    ],
)
def test_a_bad_review_with_a_reason_is_taken(scale: Scale, now: datetime, opinion: Opinion) -> None:
    assert opinion.checked(scale, at=now) == opinion


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    level=st.integers(0, 6),
    comment=st.none() | st.text(max_size=600),
    tags=st.lists(st.sampled_from(["510", "209", "210", "211", "103", "999"]), max_size=3),
)
def test_what_is_taken_is_taken_again_and_a_bad_one_always_has_a_reason(
    scale: Scale, now: datetime, level: int, comment: str | None, tags: list[str]
) -> None:
    try:
        checked = Opinion(level=level, tags=tags, comment=comment).checked(scale, at=now)
    except Refusal:
        return

    assert checked.checked(scale, at=now) == checked
    assert level > 2 or checked.tags or checked.comment
    assert all(code.startswith(str(level)) for code in checked.tags)


def test_a_review_proves_where_it_came_from(
    invitation: Invitation, scale: Scale, now: datetime
) -> None:
    review = write(Opinion(level=5), invitation, review_id=ID, scale=scale, at=now)

    assert review.origin is Origin.ACTIVE
    assert review.proof == Proof(kind=ProofKind.INVITATION, ref=str(invitation.id))
    assert review.matter == invitation.matter
    assert (review.scale_version, review.submitted_at) == (scale.version, now)


def test_no_review_without_an_open_invitation(
    invitation: Invitation, scale: Scale, now: datetime
) -> None:
    late = invitation.window.due_at + timedelta(seconds=1)

    with pytest.raises(AlreadyReviewed):
        write(Opinion(level=5), invitation.used(at=now), review_id=ID, scale=scale, at=now)
    with pytest.raises(InvitationExpired):
        write(Opinion(level=5), invitation, review_id=ID, scale=scale, at=late)


def test_an_active_review_needs_a_proof_and_a_default_one_cannot_have_any(
    invitation: Invitation, scale: Scale, now: datetime
) -> None:
    review: Review = write(Opinion(level=5), invitation, review_id=ID, scale=scale, at=now)

    assert replace(review, origin=Origin.DEFAULT, proof=None).proof is None
    with pytest.raises(ProofMissing):
        replace(review, proof=None)
    with pytest.raises(ProofMissing):
        replace(review, origin=Origin.DEFAULT)
