"""An invitation: one matter, one window, one use."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from tongban_common.working_days import SHANGHAI, WorkingCalendar
from tongban_evaluation.domain.deadlines import Limits
from tongban_evaluation.domain.invitation import (
    AlreadyReviewed,
    Invitation,
    InvitationExpired,
    Matter,
    MatterKind,
    invite,
)


@pytest.mark.parametrize(
    ("kind", "window_code", "last_day"),
    [
        pytest.param(MatterKind.CASE, "W1", "2026-10-13", id="现场服务五个工作日"),
        pytest.param(MatterKind.CASE, None, "2026-10-30", id="网上办件三十日"),
        pytest.param(MatterKind.TICKET, None, "2026-10-30", id="工单三十日"),
    ],
)
def test_the_window_is_that_of_the_way_the_matter_was_served(
    limits: Limits, calendar: WorkingCalendar, kind: MatterKind, window_code: str, last_day: str
) -> None:
    matter = Matter(kind=kind, id=UUID(int=1), title="甲", unit_code="U1", window_code=window_code)
    at = datetime(2026, 9, 30, 10, 0, tzinfo=SHANGHAI)

    made = invite(matter, invitation_id=UUID(int=2), limits=limits, calendar=calendar, at=at)

    assert made.window.due_at.date().isoformat() == last_day
    assert made.limits_version == limits.version


def test_it_is_good_to_the_last_instant_of_its_window(invitation: Invitation) -> None:
    last = invitation.window.due_at

    assert invitation.used(at=last).used_at == last
    with pytest.raises(InvitationExpired):
        invitation.used(at=last + timedelta(microseconds=1))


def test_it_is_used_once(invitation: Invitation, now: datetime) -> None:
    used = invitation.used(at=now)

    with pytest.raises(AlreadyReviewed):
        used.used(at=now)


def test_a_used_one_says_so_even_after_its_window(invitation: Invitation, now: datetime) -> None:
    used = replace(invitation, used_at=now)

    with pytest.raises(AlreadyReviewed):
        used.check_open(at=now + timedelta(days=365))
