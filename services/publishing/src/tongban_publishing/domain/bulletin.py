"""The life of a bulletin (通报): drafted from facts, reviewed, approved, published, withdrawn.

先审查后公开: two different people stand behind every publication. Nothing published is ever
deleted: a withdrawal leaves the title, the day and the reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from tongban_common.errors import Conflict, RuleViolation


class Status(StrEnum):
    DRAFT = "draft"  # 草稿
    REVIEWED = "reviewed"  # 已保密审查
    PUBLISHED = "published"  # 已发布
    WITHDRAWN = "withdrawn"  # 已撤回


class Kind(StrEnum):
    WINDOWS = "windows"  # 政务服务窗口考核
    HOTLINE = "hotline"  # 12345热线承办单位考核


MOVES: dict[Status, frozenset[Status]] = {
    Status.DRAFT: frozenset({Status.REVIEWED, Status.DRAFT}),  # to a draft again: computed anew
    Status.REVIEWED: frozenset({Status.PUBLISHED, Status.DRAFT}),
    Status.PUBLISHED: frozenset({Status.WITHDRAWN}),
    Status.WITHDRAWN: frozenset(),
}
STATUS_NAMES: dict[Status, str] = {
    Status.DRAFT: "草稿，待保密审查",
    Status.REVIEWED: "已保密审查，待签发",
    Status.PUBLISHED: "已发布",
    Status.WITHDRAWN: "已撤回",
}


class IllegalMove(Conflict):
    code = "bulletin.illegal_move"


class SamePerson(RuleViolation):
    code = "publishing.same_person"


class ReasonMissing(RuleViolation):
    code = "bulletin.reason_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One window's place in the bulletin. There is no person in it."""

    scorecard_id: UUID
    window_code: str
    unit_code: str
    score: Decimal
    grade: str
    rank: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitResult:
    """One unit's place among its group, as far as the mode of publication tells it."""

    unit_code: str
    group: str
    tier: str | None
    rank: int | None
    listed: str | None
    indicators: Mapping[str, str | None]
    needs_rectification: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulletin:
    id: UUID
    period_id: UUID
    period_code: str
    starts_on: date
    ends_on: date
    title: str
    scores: Sequence[Score] = ()
    kind: Kind = Kind.WINDOWS
    run: int = 1  # how often it was computed
    results: Sequence[UnitResult] = ()
    labels: Mapping[str, str] = field(default_factory=dict)  # of groups, tiers and indicators
    drafted_at: datetime
    due_at: datetime  # until when it is to be published
    status: Status = Status.DRAFT
    index_no: str | None = None
    reviewed_by: str | None = None
    reviewed_at: datetime | None = None
    approved_by: str | None = None
    published_at: datetime | None = None
    withdrawn_at: datetime | None = None
    withdrawal: str | None = None
    version: int = 1

    def redrafted(self, newer: "Bulletin") -> "Bulletin":
        """重新核算: what nobody published yet says the new figures, and is reviewed anew."""
        moved = self._moved_to(Status.DRAFT)
        return replace(
            moved,
            run=newer.run,
            results=newer.results,
            labels=newer.labels,
            drafted_at=newer.drafted_at,
            reviewed_by=None,
            reviewed_at=None,
        )

    def review(self, *, by: str, at: datetime) -> "Bulletin":
        """保密审查: nothing secret and nobody's name is in it."""
        moved = self._moved_to(Status.REVIEWED)
        return replace(moved, reviewed_by=by, reviewed_at=at)

    def approve(self, *, by: str, at: datetime, index_no: str) -> "Bulletin":
        """签发并发布. Raises SamePerson when the reviewer approves too."""
        moved = self._moved_to(Status.PUBLISHED)
        if by == self.reviewed_by:
            raise SamePerson("保密审查人与签发人不得为同一人，请由另一人签发")
        return replace(moved, approved_by=by, published_at=at, index_no=index_no)

    def withdraw(self, *, reason: str, at: datetime) -> "Bulletin":
        """撤回. Raises ReasonMissing."""
        moved = self._moved_to(Status.WITHDRAWN)
        if not reason.strip():
            raise ReasonMissing("撤回须写明理由")
        return replace(moved, withdrawal=reason.strip(), withdrawn_at=at)

    def rescheduled(self, due_at: datetime) -> "Bulletin":
        """A new calendar moved the due moment; nobody's move, so the version stays."""
        return replace(self, due_at=due_at)

    def is_overdue(self, at: datetime) -> bool:
        """Published, or still waiting, after the due moment."""
        return (self.published_at or at) > self.due_at

    def _moved_to(self, target: Status) -> "Bulletin":
        if target not in MOVES[self.status]:
            raise IllegalMove(
                f"通报当前为“{STATUS_NAMES[self.status]}”，不能变为“{STATUS_NAMES[target]}”",
                state=self.status,
            )
        return replace(self, status=target, version=self.version + 1)


def title_of(period_code: str, starts_on: date, ends_on: date) -> str:
    """2019Q2 → 2019年第2季度政务服务窗口考核通报; another span is named by its days."""
    year, _, quarter = period_code.partition("Q")
    if year.isdigit() and quarter in {"1", "2", "3", "4"}:
        return f"{year}年第{quarter}季度政务服务窗口考核通报"
    return (
        f"政务服务窗口考核通报（{starts_on.year}年{starts_on.month}月{starts_on.day}日至"
        f"{ends_on.year}年{ends_on.month}月{ends_on.day}日）"
    )


def hotline_title_of(starts_on: date, ends_on: date, *, is_correction: bool) -> str:
    """2026年9月12345热线承办单位考核通报, of a day, a month, a quarter or a year."""
    year, month = starts_on.year, starts_on.month
    if starts_on == ends_on:
        span = f"{year}年{month}月{starts_on.day}日"
    elif month == ends_on.month:
        span = f"{year}年{month}月"
    elif ends_on.month - month == 2:
        span = f"{year}年第{ends_on.month // 3}季度"
    else:
        span = f"{year}年度"
    return f"{span}12345热线承办单位考核通报{'（更正）' if is_correction else ''}"


def index_number(publisher: str, day: date, serial: int) -> str:
    """索引号: {publisher}/{YYYYMM}-{five digits}, the serial of the month (信息条例第十二条)."""
    return f"{publisher}/{day:%Y%m}-{serial:05}"
