"""An invitation to review (邀评): for one matter, within a window, used once."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tongban_common.errors import Conflict, Gone
from tongban_common.working_days import Limit, WorkingCalendar
from tongban_evaluation.domain.deadlines import Limits, Term


class MatterKind(StrEnum):
    CASE = "case"  # 办件
    TICKET = "ticket"  # 12345工单


class AlreadyReviewed(Conflict):
    code = "evaluation.already_reviewed"


class InvitationExpired(Gone):
    code = "invitation.expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """What is reviewed: a completed case or a closed ticket, and who handled it."""

    kind: MatterKind
    id: UUID
    title: str  # 事项名称, or the ticket's number: nothing of a person
    unit_code: str
    window_code: str | None = None
    staff_code: str | None = None

    def review_limit(self, limits: Limits) -> Limit:
        """On-site services (现场“一次一评”) and online matters (网上“一事一评”) differ."""
        return limits.review_online if self.window_code is None else limits.review_onsite


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    id: UUID
    matter: Matter
    window: Term
    limits_version: int
    used_at: datetime | None = None

    def check_open(self, *, at: datetime) -> None:
        """Raises AlreadyReviewed, or InvitationExpired."""
        self.check_unused()
        if at > self.window.due_at:
            raise InvitationExpired("评价期限已过，邀请已失效")

    def check_unused(self) -> None:
        """Raises AlreadyReviewed."""
        if self.used_at is not None:
            raise AlreadyReviewed("这件事已经评价过了，每件事只评价一次")

    def used(self, *, at: datetime) -> "Invitation":
        self.check_open(at=at)
        return replace(self, used_at=at)

    def taken_down(self, *, at: datetime) -> "Invitation":
        """By a callback, whose own window is the hotline's."""
        self.check_unused()
        return replace(self, used_at=at)


def invite(
    matter: Matter, *, invitation_id: UUID, limits: Limits, calendar: WorkingCalendar, at: datetime
) -> Invitation:
    """The window starts when the matter was finished."""
    return Invitation(
        id=invitation_id,
        matter=matter,
        window=Term.under(calendar, matter.review_limit(limits), start_at=at),
        limits_version=limits.version,
    )
