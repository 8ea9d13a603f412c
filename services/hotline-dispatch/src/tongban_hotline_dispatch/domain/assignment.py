"""One unit's share of a ticket (承办单): its state, its clocks, and what it asks the hub for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from tongban_common.errors import Conflict, RuleViolation
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.moves import GONE_STATES, OPEN_STATES, Act, State
from tongban_hotline_dispatch.domain.process_tables import ASSIGNMENT

Json = str | int | bool | None


class NothingAsked(Conflict):
    code = "assignment.nothing_asked"


class AlreadyAsked(Conflict):
    code = "assignment.already_asked"


class EmptyReply(RuleViolation):
    code = "ticket.empty_reply"


class Clock(StrEnum):
    """What may run out. `unit` and `citizen` are the two clocks; the others watch a stage."""

    UNIT = "unit"  # 承办单位时钟
    CITIZEN = "citizen"  # 市民时钟
    SIGN = "sign"  # 签收
    CONTACT = "contact"  # 先行联系
    REPORT_IN = "report_in"  # 吹哨后到现场报到
    DECISION = "decision"  # 中心对申请的审核
    DISPATCH = "dispatch"  # 派单
    SUPPLEMENT = "supplement"  # 等待补充
    CONSULTATION = "consultation"  # 会商
    SUSPENSION = "suspension"  # 挂起
    REVIEW = "review"  # 办后审核
    CALLBACK = "callback"  # 回访
    CALL = "call"  # 人工回访
    TRACKER = "tracker"  # 阶段性办结的承诺
    HARD_CASE = "hard_case"  # 疑难
    ARCHIVE = "archive"  # 归档


class Role(StrEnum):
    LEAD = "lead"  # 主办
    CO = "co"  # 协办
    WHISTLE = "whistle"  # 吹哨报到


ROLE_NAMES: Mapping[Role, str] = {Role.LEAD: "主办", Role.CO: "协办", Role.WHISTLE: "吹哨报到"}


class ContactWay(StrEnum):
    """先行联系的方式."""

    PHONE = "phone"
    SMS = "sms"
    VISIT = "visit"
    ONLINE = "online"
    OTHER = "other"


CONTACT_WAY_NAMES: Mapping[ContactWay, str] = {
    ContactWay.PHONE: "电话",
    ContactWay.SMS: "短信",
    ContactWay.VISIT: "上门、当面",
    ContactWay.ONLINE: "网络",
    ContactWay.OTHER: "其他",
}


class AskKind(StrEnum):
    RETURN = "return"  # 退单
    EXTENSION = "extension"  # 延期
    SUSPENSION = "suspension"  # 挂起
    PHASE = "phase"  # 阶段性办结
    TERMINATION = "termination"  # 终止


ASK_NAMES: Mapping[AskKind, str] = {
    AskKind.RETURN: "退单",
    AskKind.EXTENSION: "延期",
    AskKind.SUSPENSION: "挂起",
    AskKind.PHASE: "阶段性办结",
    AskKind.TERMINATION: "终止",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a unit asks of the hub, with its grounds; at most one is open at a time."""

    kind: AskKind
    asked_at: datetime
    by: str
    term: Term  # until when the hub decides
    grounds: Mapping[str, Json]
    is_granted: bool | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None  # None: nobody did in time
    note: str | None = None
    signed_off: "SignOff | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOff:
    """分管领导审签 (hotline.md 3.3, rows 7 and 14): by somebody else than who wrote it."""

    by: str  # the subject of a token, never a name
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """答复: for the hub, and for the public."""

    internal: str
    public: str
    citations: tuple[str, ...] = ()  # 政策文号
    evidence: tuple[str, ...] = ()  # references of what was handed in
    is_resolved: bool = True
    signed_off: SignOff | None = None

    @classmethod
    def of(cls, text: str) -> "Reply":
        return cls(internal=text, public=text)

    def check(self) -> None:
        """Raises EmptyReply."""
        if not self.public.strip():
            raise EmptyReply("请填写答复内容")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    no: int  # within its ticket, from 1
    unit_code: str
    role: Role
    assigned_at: datetime
    reply_term: Term
    sign_term: Term
    return_term: Term
    state: State = State.WAITING
    parent_no: int | None = None  # 下派: whose part this is
    is_forced: bool = False  # 指定承办
    contact_term: Term | None = None  # from the signature on
    signed_at: datetime | None = None
    is_auto_signed: bool = False
    contacted_at: datetime | None = None
    replied_at: datetime | None = None
    was_late: bool = False  # any of its replies
    reply: Reply | None = None
    extensions: int = 0
    asks: tuple[Ask, ...] = ()
    report_term: Term | None = None  # 吹哨: until when it is to be on the spot
    reported_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES

    @property
    def is_live(self) -> bool:
        """Not taken from the unit."""
        return self.state not in GONE_STATES

    @property
    def asking(self) -> Ask | None:
        last = self.asks[-1] if self.asks else None
        return last if last is not None and last.is_granted is None else None

    def clocks(self) -> Iterator[tuple[Clock, Term]]:
        """Those that run now."""
        if not self.is_open:
            return
        yield Clock.UNIT, self.reply_term
        if self.state is State.WAITING:
            yield Clock.SIGN, self.sign_term
        if self.state is State.SIGNED and self.contacted_at is None and self.contact_term:
            yield Clock.CONTACT, self.contact_term
        if self.report_term is not None and self.reported_at is None:
            yield Clock.REPORT_IN, self.report_term
        if self.asking is not None:
            yield Clock.DECISION, self.asking.term

    def moved(self, act: Act, target: State | None = None) -> "Assignment":
        """By the table; the target may be left out where there is one. Raises IllegalMove."""
        if target is None:
            found = ASSIGNMENT.targets(act, self.state)
            target = next(iter(found)) if len(found) == 1 else self.state
        ASSIGNMENT.check(act, self.state, target)
        return replace(self, state=target)

    def asked(self, ask: Ask) -> "Assignment":
        """Raises AlreadyAsked."""
        if self.asking is not None:
            raise AlreadyAsked("上一项申请尚未审核")
        return replace(self, asks=(*self.asks, ask))

    def open_ask(self, kind: AskKind) -> Ask:
        """Raises NothingAsked."""
        ask = self.asking
        if ask is None or ask.kind is not kind:
            raise NothingAsked("没有待审核的该项申请")
        return ask

    def decided(self, *, granted: bool, by: str | None, at: datetime, note: str) -> "Assignment":
        ask = self.asks[-1]
        settled = replace(ask, is_granted=granted, decided_by=by, decided_at=at, note=note or None)
        return replace(self, asks=(*self.asks[:-1], settled))

    def answered(self, reply: Reply, *, at: datetime) -> "Assignment":
        """Raises EmptyReply."""
        reply.check()
        is_late = self.was_late or (self.is_open and self.reply_term.has_run_out(at=at))
        share = replace(self, reply=reply, replied_at=at, was_late=is_late)
        if share.asking is None:
            return share
        return share.decided(granted=False, by=None, at=at, note="已答复，不再审核")

    def redated(self, clock: Clock, term: Term) -> "Assignment":
        """A new calendar moved a due day."""
        match clock:
            case Clock.UNIT:
                return replace(self, reply_term=term)
            case Clock.SIGN:
                return replace(self, sign_term=term)
            case Clock.CONTACT:
                return replace(self, contact_term=term)
            case Clock.REPORT_IN:
                return replace(self, report_term=term)
            case _:
                return replace(self, asks=(*self.asks[:-1], replace(self.asks[-1], term=term)))
