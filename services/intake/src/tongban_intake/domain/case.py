"""The life of a case (办件): which moves are legal, what each one fixes, and what was overdue."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tongban_common.errors import Conflict, RuleViolation
from tongban_common.working_days import SHANGHAI, WorkingCalendar
from tongban_intake.domain.catalogue import Item
from tongban_intake.domain.deadlines import Clock, Limits, Term, a_term, legal_term, promise_term


class Status(StrEnum):
    ACCEPTED = "accepted"  # 已受理
    DECIDED = "decided"  # 已决定
    COMPLETED = "completed"  # 已办结
    DELIVERED = "delivered"  # 已送达


MOVES: dict[Status, set[Status]] = {
    Status.ACCEPTED: {Status.DECIDED},
    Status.DECIDED: {Status.COMPLETED},
    Status.COMPLETED: {Status.DELIVERED},
    Status.DELIVERED: set(),
}


class Result(StrEnum):
    APPROVED = "approved"  # 准予
    REFUSED = "refused"  # 不予


class RefusalReason(StrEnum):
    CONDITION_NOT_MET = "RF01"  # 不符合法定条件
    INSPECTION_FAILED = "RF02"  # 检验、检测、检疫不合格（许可法第五十五条）
    THIRD_PARTY_INTEREST = "RF03"  # 听证或者第三人利益
    QUANTITY_LIMIT = "RF04"  # 数量限制
    FALSE_MATERIAL = "RF05"  # 隐瞒情况或者提供虚假材料
    OTHER = "RF99"  # 其他


class DeliveryMethod(StrEnum):
    HANDED_OVER = "handed_over"  # 当面领取
    POSTED = "posted"  # 邮寄送达
    ELECTRONIC = "electronic"  # 电子证照


class IllegalMove(Conflict):
    code = "case.illegal_move"


class NotDecided(Conflict):
    code = "case.not_decided"


class GroundsMissing(RuleViolation):
    code = "case.grounds_missing"


class TooEarly(RuleViolation):
    code = "case.too_early"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """Why the answer is no, and what the applicant may do about it (许可法第三十八条)."""

    reason: RefusalReason
    text: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    result: Result
    at: datetime
    grounds: Grounds | None = None

    def __post_init__(self) -> None:
        """许可法第三十八条: a refusal states its reasons and the right to review and litigation."""
        if self.result is Result.REFUSED and self.grounds is None:
            raise GroundsMissing("不予许可的决定应当说明理由，并告知复议、诉讼权利")
        if self.result is Result.APPROVED and self.grounds is not None:
            raise GroundsMissing("准予的决定不应附不予许可的理由")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """How late a case was against its promise; late on a day off counts no working day yet."""

    is_overdue: bool
    working_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicant:
    """Who applies. Kept sealed, apart from the case; no event and no list ever holds it."""

    name: str
    id_type: str  # 证件类型, GA/T 2000.156: three digits
    id_number: str
    phone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What comes in at the window, but for who applies."""

    case_id: UUID
    number: str  # 办件编号
    query_code: str = field(repr=False)  # 查询密码: the number alone reveals nothing
    window_code: str
    staff_code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One application under one pinned version of an item."""

    id: UUID
    number: str
    query_code: str = field(repr=False)
    item_code: str
    item_version: int
    item_name: str
    unit_code: str
    window_code: str
    staff_code: str | None
    accepted_at: datetime
    promise: Term
    legal: Term
    status: Status = Status.ACCEPTED
    decision: Decision | None = None
    delivery: Term | None = None
    completed_at: datetime | None = None
    delivered_at: datetime | None = None
    delivery_method: DeliveryMethod | None = None
    version: int = 1

    def decide(self, decision: Decision, *, calendar: WorkingCalendar, limits: Limits) -> "Case":
        """许可法第四十四条: only a grant is followed by the limit for handing the licence over."""
        granted = decision.result is Result.APPROVED
        due = a_term(calendar, limits.delivery, start_at=decision.at) if granted else None
        return replace(
            self._moved_to(Status.DECIDED, at=decision.at), decision=decision, delivery=due
        )

    def complete(self, *, at: datetime) -> "Case":
        """办结: the result document is issued and registered; the promise is kept or broken."""
        return replace(self._moved_to(Status.COMPLETED, at=at), completed_at=at)

    def deliver(self, method: DeliveryMethod, *, at: datetime) -> "Case":
        moved = self._moved_to(Status.DELIVERED, at=at)
        return replace(moved, delivered_at=at, delivery_method=method)

    def overdue(self, calendar: WorkingCalendar, *, at: datetime) -> Overdue:
        """Against the promise: until completion once there is one, else until `at`."""
        end = self.completed_at or at
        return Overdue(
            is_overdue=end > self.promise.due_at,
            working_days=calendar.overdue_working_days(self.promise.due_at, end),
        )

    def running(self) -> dict[Clock, Term]:
        """The clocks that have not been stopped by the event that each one waits for."""
        clocks: dict[Clock, Term] = {}
        if self.completed_at is None:
            clocks[Clock.PROMISE] = self.promise
        if self.decision is None:
            clocks[Clock.LEGAL] = self.legal
        if self.delivery is not None and self.delivered_at is None:
            clocks[Clock.DELIVERY] = self.delivery
        return clocks

    def redated(self, clock: Clock, term: Term) -> "Case":
        """A later notice on holidays moved the due day of one clock."""
        if clock is Clock.PROMISE:
            return replace(self, promise=term)
        if clock is Clock.LEGAL:
            return replace(self, legal=term)
        return replace(self, delivery=term)

    @property
    def made_decision(self) -> Decision:
        """Raises NotDecided."""
        if self.decision is None:
            raise NotDecided("办件尚未作出决定")
        return self.decision

    @property
    def moved_at(self) -> datetime:
        """When the case came into its present state."""
        decided_at = self.accepted_at if self.decision is None else self.decision.at
        return self.delivered_at or self.completed_at or decided_at

    def _moved_to(self, target: Status, *, at: datetime) -> "Case":
        if target not in MOVES[self.status]:
            raise IllegalMove(f"办件处于 {self.status}，不能变为 {target}", state=self.status)
        if at < self.moved_at:
            raise TooEarly("办理时间早于上一环节的时间")
        return replace(self, status=target, version=self.version + 1)


def accept(
    application: Application, item: Item, *, calendar: WorkingCalendar, limits: Limits, at: datetime
) -> Case:
    """受理: the legal start of the clocks. A promise is never due after the legal limit."""
    item.check_open(on=at.astimezone(SHANGHAI).date())
    legal = legal_term(item, calendar, limits, start_at=at)
    promise = promise_term(item, calendar, limits, start_at=at)
    return Case(
        id=application.case_id,
        number=application.number,
        query_code=application.query_code,
        item_code=item.code,
        item_version=item.version,
        item_name=item.name,
        unit_code=item.unit_code,
        window_code=application.window_code,
        staff_code=application.staff_code,
        accepted_at=at,
        promise=min(promise, legal, key=lambda term: term.due_at),
        legal=legal,
    )
