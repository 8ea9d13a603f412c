"""The knowledge base (知识库): items with versions, who may move them, what a version must hold."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tongban_common.errors import Conflict, Forbidden, RuleViolation
from tongban_common.working_days import Limit
from tongban_hotline_dispatch.domain.search_terms import normal


class State(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    REVIEWED = "reviewed"
    PUBLISHED = "published"
    EXPIRING = "expiring"  # still in force, its review is due soon
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    REPLACED = "replaced"  # by a later version


class Move(StrEnum):
    SUBMIT = "submit"
    REVIEW = "review"
    SEND_BACK = "send_back"
    PUBLISH = "publish"
    RENEW = "renew"
    WITHDRAW = "withdraw"
    DISCARD = "discard"


MOVES: dict[State, frozenset[State]] = {
    State.DRAFT: frozenset({State.SUBMITTED, State.WITHDRAWN}),
    State.SUBMITTED: frozenset({State.REVIEWED, State.DRAFT, State.WITHDRAWN}),
    State.REVIEWED: frozenset({State.PUBLISHED, State.DRAFT, State.WITHDRAWN}),
    State.PUBLISHED: frozenset({State.EXPIRING, State.EXPIRED, State.WITHDRAWN, State.REPLACED}),
    State.EXPIRING: frozenset({State.PUBLISHED, State.EXPIRED, State.WITHDRAWN, State.REPLACED}),
    State.EXPIRED: frozenset({State.PUBLISHED, State.WITHDRAWN, State.REPLACED}),
    State.WITHDRAWN: frozenset(),
    State.REPLACED: frozenset(),
}
STATE_NAMES: dict[State, str] = {
    State.DRAFT: "草稿",
    State.SUBMITTED: "待审核",
    State.REVIEWED: "待发布",
    State.PUBLISHED: "已发布",
    State.EXPIRING: "待复审",
    State.EXPIRED: "已过期",
    State.WITHDRAWN: "已撤下",
    State.REPLACED: "已更新",
}
MOVE_NAMES: dict[Move, str] = {
    Move.SUBMIT: "提交审核",
    Move.REVIEW: "审核通过",
    Move.SEND_BACK: "退回修改",
    Move.PUBLISH: "发布",
    Move.RENEW: "复审通过",
    Move.WITHDRAW: "撤下",
    Move.DISCARD: "作废草稿",
}
IN_WORK = frozenset({State.DRAFT, State.SUBMITTED, State.REVIEWED})
PUBLIC = frozenset({State.PUBLISHED, State.EXPIRING})
STANDING = PUBLIC | {State.EXPIRED}
# In which states of a version somebody may make a move.
FROM: dict[Move, frozenset[State]] = {
    Move.SUBMIT: frozenset({State.DRAFT}),
    Move.REVIEW: frozenset({State.SUBMITTED}),
    Move.SEND_BACK: frozenset({State.SUBMITTED, State.REVIEWED}),
    Move.PUBLISH: frozenset({State.REVIEWED}),
    Move.RENEW: frozenset({State.EXPIRING, State.EXPIRED}),
    Move.WITHDRAW: STANDING,
    Move.DISCARD: IN_WORK,
}


class Material(StrEnum):
    GUIDE = "guide"
    LAW = "law"
    HOT_QA = "hot_qa"
    DAILY_CONSULT = "daily_consult"
    NOTICE = "notice"
    BUSINESS_INSTRUCTION = "business_instruction"
    APPROVAL = "approval"
    OTHER = "other"


MATERIAL_NAMES: dict[Material, str] = {
    Material.GUIDE: "办事指南",
    Material.LAW: "法律法规",
    Material.HOT_QA: "热点问答",
    Material.DAILY_CONSULT: "日常咨询",
    Material.NOTICE: "通知公告",
    Material.BUSINESS_INSTRUCTION: "业务指引",
    Material.APPROVAL: "审批事项",
    Material.OTHER: "其他",
}


class IllegalKnowledgeMove(Conflict):
    code = "knowledge.illegal_move"


class SamePerson(Forbidden):
    code = "knowledge.same_person"


class NotYourItem(Forbidden):
    code = "knowledge.not_your_unit"


class BadItem(RuleViolation):
    code = "knowledge.bad_item"


class ReasonMissing(RuleViolation):
    code = "knowledge.reason_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much an item may hold: rule data."""

    title: int
    keyword: int
    keywords: int
    content: int
    category_levels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    title: str
    content: str
    unit_code: str  # the unit that answers for it
    category: str  # a path to a leaf, slash separated
    material: Material
    keywords: tuple[str, ...] = ()

    @property
    def title_key(self) -> str:
        """Titles that differ in spaces, width or capitals only are the same title."""
        return "".join(normal(self.title).split())

    def faults(self, bounds: Bounds) -> Iterator[str]:
        """Everything that is wrong with it, without repeating it."""
        if not self.title:
            yield "标题为空"
        if len(self.title) > bounds.title:
            yield f"标题超过{bounds.title}字"
        if not self.content.strip():
            yield "内容为空"
        if len(self.content) > bounds.content:
            yield f"内容超过{bounds.content}字"
        yield from self._category_faults(bounds)
        yield from self._keyword_faults(bounds)

    def check(self, bounds: Bounds) -> None:
        """Raises BadItem with every fault."""
        faults = list(self.faults(bounds))
        if faults:
            raise BadItem("；".join(faults), faults=faults)

    def _category_faults(self, bounds: Bounds) -> Iterator[str]:
        levels = self.category.split("/")
        if not all(level.strip() for level in levels):
            yield "分类应为以斜线分隔的路径，各级不能为空"
        if len(levels) > bounds.category_levels:
            yield f"分类超过{bounds.category_levels}级"

    def _keyword_faults(self, bounds: Bounds) -> Iterator[str]:
        if len(self.keywords) > bounds.keywords:
            yield f"关键词超过{bounds.keywords}个"
        if any(len(each) > bounds.keyword for each in self.keywords):
            yield f"关键词超过{bounds.keyword}字"
        if any(not each.strip() for each in self.keywords):
            yield "关键词为空"
        if any(normal(each) == normal(self.title) for each in self.keywords):
            yield "关键词与标题相同"
        if len({normal(each) for each in self.keywords}) < len(self.keywords):
            yield "关键词重复"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewTerm:
    """Until when a published version must be looked at again."""

    start_at: datetime
    limit: Limit
    due_at: datetime
    warn_at: datetime
    policy: str
    calendar_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    number: int
    state: State
    body: Body
    author: str  # the subject of a token
    edited_at: datetime
    submitted_by: str | None = None
    reviewed_by: str | None = None
    published_at: datetime | None = None
    term: ReviewTerm | None = None
    remark: str | None = None  # why it was sent back, withdrawn or discarded

    def moved_to(self, target: State) -> "Version":
        if target not in MOVES[self.state]:
            raise IllegalKnowledgeMove(
                f"该知识当前为“{STATE_NAMES[self.state]}”，不能变为“{STATE_NAMES[target]}”",
                state=self.state,
            )
        return replace(self, state=target)

    def check_other_person(self, by: str) -> None:
        """Raises SamePerson: who wrote or submitted it does not pass it."""
        if by in {self.author, self.submitted_by}:
            raise SamePerson("审核人不能是撰写人或者提交人")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item: at most one version stands, at most one is in work, the others are history."""

    id: UUID
    versions: tuple[Version, ...]  # those that matter or have just changed
    last_number: int
    source_ticket: UUID | None = None
    revision: int = 1

    @property
    def standing(self) -> Version | None:
        return next((each for each in self.versions if each.state in STANDING), None)

    @property
    def in_work(self) -> Version | None:
        return next((each for each in self.versions if each.state in IN_WORK), None)

    @property
    def latest(self) -> Version:
        return max(self.versions, key=lambda each: each.number)

    def check_unit(self, unit: str | None) -> None:
        """Raises NotYourItem when a unit acts on an item that another answers for."""
        if unit is not None and unit != self.latest.body.unit_code:
            raise NotYourItem("该知识由其他单位负责")

    def edited(self, body: Body, *, by: str, at: datetime) -> "Item":
        """A draft is rewritten; where none is in work, a new version begins."""
        draft = self.in_work
        if draft is None:
            number = self.last_number + 1
            fresh = Version(number=number, state=State.DRAFT, body=body, author=by, edited_at=at)
            return replace(self._with(fresh), last_number=number)
        if draft.state is not State.DRAFT:
            raise IllegalKnowledgeMove("该知识已提交审核，退回后才能修改", state=draft.state)
        return self._with(replace(draft, body=body, author=by, edited_at=at))

    def submitted(self, *, by: str) -> "Item":
        return self._with(replace(self._draft().moved_to(State.SUBMITTED), submitted_by=by))

    def reviewed(self, *, by: str) -> "Item":
        draft = self._draft().moved_to(State.REVIEWED)
        draft.check_other_person(by)
        return self._with(replace(draft, reviewed_by=by))

    def sent_back(self, *, why: str) -> "Item":
        return self._with(replace(self._draft().moved_to(State.DRAFT), remark=_said(why)))

    def discarded(self, *, why: str) -> "Item":
        return self._with(replace(self._draft().moved_to(State.WITHDRAWN), remark=_said(why)))

    def published(self, *, at: datetime, term: ReviewTerm) -> "Item":
        """It stands from now on, in place of the version before it."""
        old = self.standing
        draft = self._draft().moved_to(State.PUBLISHED)
        fresh = replace(draft, published_at=at, term=term)
        if old is None:
            return self._with(fresh)
        return self._with(replace(old.moved_to(State.REPLACED), term=None), fresh)

    def renewed(self, *, by: str, term: ReviewTerm) -> "Item":
        """复审: it is still right."""
        version = self._standing().moved_to(State.PUBLISHED)
        version.check_other_person(by)
        return self._with(replace(version, term=term))

    def withdrawn(self, *, why: str) -> "Item":
        version = self._standing().moved_to(State.WITHDRAWN)
        return self._with(replace(version, remark=_said(why), term=None))

    def expiring(self) -> "Item":
        return self._with(self._standing().moved_to(State.EXPIRING))

    def expired(self) -> "Item":
        return self._with(self._standing().moved_to(State.EXPIRED))

    def redated(self, term: ReviewTerm) -> "Item":
        """A new calendar moved the review; no move of the item."""
        kept = self._with(replace(self._standing(), term=term))
        return replace(kept, revision=self.revision)

    def _draft(self) -> Version:
        if self.in_work is None:
            raise IllegalKnowledgeMove("该知识没有在编的版本")
        return self.in_work

    def _standing(self) -> Version:
        if self.standing is None:
            raise IllegalKnowledgeMove("该知识没有已发布的版本")
        return self.standing

    def _with(self, *changed: Version) -> "Item":
        numbers = {each.number for each in changed}
        others = tuple(each for each in self.versions if each.number not in numbers)
        return replace(self, versions=(*others, *changed), revision=self.revision + 1)


def _said(why: str) -> str:
    if not why.strip():
        raise ReasonMissing("请说明原因")
    return why.strip()
