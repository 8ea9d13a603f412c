"""Who answers for a unit (承办单位联络人员): appointed and ended by filings, in time or late."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID

from tongban_common.errors import Conflict, RuleViolation
from tongban_common.working_days import SHANGHAI, Limit, WorkingCalendar


class ContactRole(StrEnum):
    PRINCIPAL_LEADER = "principal_leader"
    LEADER_IN_CHARGE = "leader_in_charge"
    LIAISON = "liaison"
    PLATFORM_OPERATOR = "platform_operator"
    DEDICATED_STAFF = "dedicated_staff"
    KB_ADMIN = "kb_admin"


ROLE_NAMES: dict[ContactRole, str] = {
    ContactRole.PRINCIPAL_LEADER: "主要负责人",
    ContactRole.LEADER_IN_CHARGE: "分管领导",
    ContactRole.LIAISON: "联络员",
    ContactRole.PLATFORM_OPERATOR: "平台操作员",
    ContactRole.DEDICATED_STAFF: "专职人员",
    ContactRole.KB_ADMIN: "知识库管理员",
}


EARLIEST = date(2004, 1, 1)  # the calendar knows no earlier working days


class Change(StrEnum):
    APPOINTED = "appointed"  # 新任
    REPLACED = "replaced"  # 接任
    ENDED = "ended"  # 离任
    CORRECTED = "corrected"  # 更正, no change of person


CHANGE_NAMES: dict[Change, str] = {
    Change.APPOINTED: "新任",
    Change.REPLACED: "接任",
    Change.ENDED: "离任",
    Change.CORRECTED: "更正",
}


class ChangeInFuture(RuleViolation):
    code = "contact.change_in_future"


class ChangeTooOld(RuleViolation):
    code = "contact.change_too_old"


class EndBeforeStart(RuleViolation):
    code = "contact.end_before_start"


class AlreadyEnded(Conflict):
    code = "contact.already_ended"


class RoleTaken(Conflict):
    code = "contact.role_taken"


class NotTheSamePost(RuleViolation):
    code = "contact.not_the_same_post"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """In clear only inside this process. The post (职务) is public knowledge."""

    name: str
    post: str | None = None
    office_phone: str | None = None
    mobile: str | None = None
    email: str | None = None
    officer: str | None = None  # the subject of a token, where the contact works in this system


@dataclass(frozen=True, slots=True, kw_only=True)
class FilingTerm:
    """Until when a change had to be filed, and what that was computed from."""

    start_at: datetime
    limit: Limit
    due_at: datetime
    policy: str
    calendar_version: str


def filing_start(completed_on: date) -> datetime:
    return datetime.combine(completed_on, time.min, tzinfo=SHANGHAI)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRules:
    """The rules in force."""

    policy: str
    filing: Limit
    must_file: frozenset[ContactRole]
    most: Mapping[ContactRole, int]  # a role that is absent has no bound
    needed: tuple[ContactRole, ...]
    confirmation: Limit
    nightly_hour: int
    reasons: Mapping[str, str]

    def filing_term(
        self, role: ContactRole, completed_on: date, calendar: WorkingCalendar
    ) -> FilingTerm | None:
        """The day of completion is not counted; None for a role whose change need not be filed."""
        if role not in self.must_file:
            return None
        start_at = filing_start(completed_on)
        due_at = calendar.due(start_at, self.filing)
        return FilingTerm(
            start_at=start_at,
            limit=self.filing,
            due_at=due_at,
            policy=self.policy,
            calendar_version=calendar.version_for(completed_on, due_at.date()),
        )

    def check_room(self, role: ContactRole, active: int) -> None:
        """Raises RoleTaken where somebody must be replaced rather than joined."""
        most = self.most.get(role)
        if most is not None and active >= most:
            raise RoleTaken(f"{ROLE_NAMES[role]}已有在任人员，请注明接替何人", role=role)

    def next_night(self, after: datetime) -> datetime:
        """The first nightly hour that is later."""
        local = after.astimezone(SHANGHAI)
        at = datetime.combine(local.date(), time(self.nightly_hour), tzinfo=SHANGHAI)
        return at if at > local else at + timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """备案: one change, told to the hotline."""

    id: UUID
    change: Change
    completed_on: date
    filed_at: datetime
    filed_by: str
    term: FilingTerm | None

    @property
    def is_late(self) -> bool:
        """The due instant itself is in time (含本数)."""
        return self.term is not None and self.filed_at > self.term.due_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    id: UUID
    unit_code: str
    role: ContactRole
    person: Person
    valid_from: date
    valid_to: date | None = None  # the first day on which it no longer holds
    version: int = 1

    def is_active(self, on: date) -> bool:
        return self.valid_from <= on and (self.valid_to is None or on < self.valid_to)

    def ended(self, on: date) -> "Contact":
        if self.valid_to is not None:
            raise AlreadyEnded("该人员已经离任")
        if on < self.valid_from:
            raise EndBeforeStart("离任日期早于任职日期")
        return replace(self, valid_to=on, version=self.version + 1)

    def corrected(self, person: Person) -> "Contact":
        """The same person, better described."""
        if self.valid_to is not None:
            raise AlreadyEnded("该人员已经离任，不再更正")
        return replace(self, person=person, version=self.version + 1)

    @property
    def officer(self) -> str | None:
        return self.person.officer

    def check_replaces(self, old: "Contact") -> None:
        if (old.unit_code, old.role) != (self.unit_code, self.role):
            raise NotTheSamePost("接替的人员须属于同一单位的同一岗位")


def check_completed(on: date, now: datetime) -> None:
    """Raises ChangeInFuture: what has not happened yet cannot be filed."""
    if on < EARLIEST:
        raise ChangeTooOld("变更完成日期早于2004年")
    if on > now.astimezone(SHANGHAI).date():
        raise ChangeInFuture("变更完成日期晚于今天；请在变更完成后备案")


def quarter_of(day: date) -> str:
    """2026Q4"""
    return f"{day.year}Q{(day.month + 2) // 3}"


def mask_email(email: str) -> str:
    """zhang@example.com → z****@example.com"""
    name, at, domain = email.partition("@")
    return name[:1] + "*" * (len(name) - 1) + at + domain
