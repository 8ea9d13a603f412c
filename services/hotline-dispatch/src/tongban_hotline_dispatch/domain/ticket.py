"""The life of a ticket (工单): which moves are legal and what each one fixes.

Two clocks run, never one: the citizen's from registration, which nothing resets, and the unit's
from assignment. 12345热线：市民时钟与承办单位时钟分开计算。
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tongban_common.errors import Conflict, RuleViolation
from tongban_hotline_dispatch.domain.deadlines import Term


class Status(StrEnum):
    REGISTERED = "registered"  # 已受理
    ASSIGNED = "assigned"  # 已派单
    SIGNED = "signed"  # 已签收
    REPLIED = "replied"  # 已答复
    CLOSED = "closed"  # 已办结


MOVES: dict[Status, frozenset[Status]] = {
    Status.REGISTERED: frozenset({Status.ASSIGNED}),
    Status.ASSIGNED: frozenset({Status.SIGNED}),
    Status.SIGNED: frozenset({Status.REPLIED}),
    Status.REPLIED: frozenset({Status.CLOSED}),
    Status.CLOSED: frozenset(),
}
STATUS_NAMES: dict[Status, str] = {
    Status.REGISTERED: "待派单",
    Status.ASSIGNED: "待签收",
    Status.SIGNED: "办理中",
    Status.REPLIED: "待办结",
    Status.CLOSED: "已办结",
}


class Channel(StrEnum):
    PHONE = "phone"  # 电话
    WEBSITE = "website"  # 网站
    WECHAT = "wechat"  # 微信
    APP = "app"  # 客户端
    MAILBOX = "mailbox"  # 信箱
    NETIZEN_MESSAGE = "netizen_message"  # 网民留言
    PROVINCE_PLATFORM = "province_platform"  # 省级平台
    ON_SITE = "on_site"  # 现场
    OTHER = "other"  # 其他


CHANNEL_NAMES: dict[Channel, str] = {
    Channel.PHONE: "电话",
    Channel.WEBSITE: "网站",
    Channel.WECHAT: "微信",
    Channel.APP: "客户端",
    Channel.MAILBOX: "信箱",
    Channel.NETIZEN_MESSAGE: "网民留言",
    Channel.PROVINCE_PLATFORM: "省级平台",
    Channel.ON_SITE: "现场",
    Channel.OTHER: "其他",
}


class AppealType(StrEnum):
    CONSULT = "consult"  # 咨询
    HELP = "help"  # 求助
    SUGGESTION = "suggestion"  # 建议
    COMPLAINT = "complaint"  # 投诉
    REPORT = "report"  # 举报


APPEAL_NAMES: dict[AppealType, str] = {
    AppealType.CONSULT: "咨询",
    AppealType.HELP: "求助",
    AppealType.SUGGESTION: "建议",
    AppealType.COMPLAINT: "投诉",
    AppealType.REPORT: "举报",
}


class Urgency(StrEnum):
    NORMAL = "normal"  # 一般
    URGENT = "urgent"  # 紧急
    CRITICAL = "critical"  # 特急


class IllegalMove(Conflict):
    code = "ticket.illegal_move"


class NotYourTicket(RuleViolation):
    code = "ticket.not_your_unit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Appeal:
    """What the citizen brought: the same for the whole life of the ticket."""

    channel: Channel
    channel_order_no: str | None  # the number that the channel gave it; unique within the channel
    appeal_type: AppealType
    urgency: Urgency
    title: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    id: UUID
    ticket_no: str
    query_code: str
    appeal: Appeal
    registered_at: datetime
    citizen_term: Term | None  # None where the citizen asked for no reply
    status: Status = Status.REGISTERED
    unit_code: str | None = None
    assigned_at: datetime | None = None
    reply_term: Term | None = None
    replied_at: datetime | None = None
    reply: str | None = None
    version: int = 1

    def assign(self, *, to: str, term: Term, at: datetime) -> "Ticket":
        """派单: the unit's clock starts."""
        moved = self._moved_to(Status.ASSIGNED)
        return replace(moved, unit_code=to, reply_term=term, assigned_at=at)

    def sign(self) -> "Ticket":
        """签收. It starts no clock: a late signature may not pay (穗、筑等地规定的立法本意)."""
        return self._moved_to(Status.SIGNED)

    def answer(self, *, text: str, at: datetime) -> "Ticket":
        """答复: stops both clocks."""
        return replace(self._moved_to(Status.REPLIED), reply=text, replied_at=at)

    def close(self) -> "Ticket":
        return self._moved_to(Status.CLOSED)

    def redated(self, *, citizen: Term | None = None, reply: Term | None = None) -> "Ticket":
        """A new calendar moved a due day; no move of the ticket, so it may happen in any status."""
        return replace(
            self,
            citizen_term=citizen or self.citizen_term,
            reply_term=reply or self.reply_term,
        )

    def check_unit(self, unit: str | None) -> None:
        """Raises NotYourTicket when a unit acts on a ticket that is not assigned to it."""
        if unit is not None and unit != self.unit_code:
            raise NotYourTicket("该工单未派给本单位")

    def is_overdue(self, *, at: datetime) -> bool:
        """Against the unit's clock: an answer in the due instant is in time (含本数)."""
        if self.reply_term is None:
            return False
        return (self.replied_at or at) > self.reply_term.due_at

    def _moved_to(self, target: Status) -> "Ticket":
        if target not in MOVES[self.status]:
            raise IllegalMove(
                f"工单当前为“{STATUS_NAMES[self.status]}”，不能变为“{STATUS_NAMES[target]}”",
                status=self.status,
            )
        return replace(self, status=target, version=self.version + 1)
