"""The catalogue of service items (政务服务事项): what may be applied for, when, and how fast.

A version of an item is immutable but for its two life-cycle dates; a case pins the version under
which it was accepted.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from tongban_common.errors import RuleViolation
from tongban_common.working_days import Limit, Unit


class ItemType(StrEnum):
    """事项类型, GB/T 39046-2020 table A.1; 11 is the extension code that we use for 备案."""

    PERMIT = "01"  # 行政许可
    PENALTY = "02"  # 行政处罚
    COERCION = "03"  # 行政强制
    LEVY = "04"  # 行政征收
    PAYMENT = "05"  # 行政给付
    INSPECTION = "06"  # 行政检查
    CONFIRMATION = "07"  # 行政确认
    REWARD = "08"  # 行政奖励
    RULING = "09"  # 行政裁决
    OTHER = "10"  # 其他类别
    FILING = "11"  # 行政备案
    PUBLIC_SERVICE = "20"  # 公共服务


# 依职权: the organ acts by itself and nobody applies (GB/T 39046-2020 表 A.1; 在线政务服务若干规定
# 第四条 counts only 依申请 matters as services).
NOT_APPLIED_FOR = frozenset(
    {ItemType.PENALTY, ItemType.COERCION, ItemType.LEVY, ItemType.INSPECTION}
)


class CaseKind(StrEnum):
    """办件类型, GB/T 39046-2020 table A.6."""

    INSTANT = "instant"  # 即办件
    PROMISED = "promised"  # 承诺件
    OTHER = "other"  # 其他


class NotAppliedFor(RuleViolation):
    code = "item.not_applied_for"


class NotPublished(RuleViolation):
    code = "item.not_published"


class ItemCancelled(RuleViolation):
    code = "item.cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One version of an implementation item (实施清单)."""

    code: str
    version: int
    name: str
    type: ItemType
    unit_code: str
    case_kind: CaseKind
    legal_limit: Limit | None = None
    promise_limit: Limit | None = None
    published_on: date | None = None
    cancelled_on: date | None = None

    def check_open(self, *, on: date) -> None:
        """Nothing may be accepted before publishing, nor from 00:00 of the day of cancelling."""
        if self.type in NOT_APPLIED_FOR:
            raise NotAppliedFor(f"事项“{self.name}”不是依申请办理的事项，不能受理", item=self.code)
        if self.published_on is None or self.published_on > on:
            raise NotPublished(f"事项“{self.name}”尚未公布，不能受理", item=self.code)
        if self.cancelled_on is not None and self.cancelled_on <= on:
            raise ItemCancelled(f"事项“{self.name}”已取消，不能受理", item=self.code)

    def is_open(self, *, on: date) -> bool:
        try:
            self.check_open(on=on)
        except RuleViolation:
            return False
        return True

    def faults(self) -> tuple[str, ...]:
        """Everything that is wrong with this version by itself, for the person who loads it."""
        return (*_code_faults(self.code), *_limit_faults(self), *_life_faults(self))


def version_on(versions: Sequence[Item], *, on: date) -> Item:
    """The version that a day falls under: the highest published by then, else the lowest of all."""
    published = [
        each for each in versions if each.published_on is not None and each.published_on <= on
    ]
    if published:
        return max(published, key=lambda each: each.version)
    return min(versions, key=lambda each: each.version)


def has_same_content(one: Item, other: Item) -> bool:
    """A version never changes but for the dates of its life: 公布 and 取消."""
    aligned = replace(one, published_on=other.published_on, cancelled_on=other.cancelled_on)
    return aligned == other


USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100-2015: without I O S V Z
USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_ITEM_CODE = re.compile(r"(?P<uscc>[0-9A-Z]{18})[1-7][0-9A-Z]{12}", re.ASCII)


def uscc_check_character(first_17: str) -> str:
    """The last character of a unified social credit code (统一社会信用代码), GB 32100-2015."""
    total = sum(
        weight * USCC_ALPHABET.index(character)
        for weight, character in zip(USCC_WEIGHTS, first_17, strict=True)
    )
    return USCC_ALPHABET[-total % 31]


def is_uscc(code: str) -> bool:
    well_formed = len(code) == 18 and set(code) <= set(USCC_ALPHABET)
    return well_formed and code[-1] == uscc_check_character(code[:-1])


def _code_faults(code: str) -> list[str]:
    """实施编码: USCC of the organ (18) + 行使层级 (1) + 基本编码 (12)."""
    parts = _ITEM_CODE.fullmatch(code)
    if parts is None:
        return ["实施编码应为 31 位：统一社会信用代码 18 位、行使层级 1 位（1–7）、基本编码 12 位"]
    if not is_uscc(parts["uscc"]):
        return [f"实施编码前 18 位“{parts['uscc']}”不是有效的统一社会信用代码（校验码不符）"]
    return []


def _limit_faults(item: Item) -> list[str]:
    faults = [
        f"{name}应为正数"
        for name, limit in (("法定时限", item.legal_limit), ("承诺时限", item.promise_limit))
        if limit is not None and limit.amount <= 0
    ]
    if item.case_kind is CaseKind.INSTANT and item.promise_limit is not None:
        faults.append("即办件当日办结，不另设承诺时限")
    if item.case_kind is CaseKind.PROMISED and item.promise_limit is None:
        faults.append("承诺件应有承诺时限")  # 限时办结: every non-instant case carries a promise
    if item.case_kind is CaseKind.OTHER and not _has_own_limit(item):
        faults.append("应有法定时限或承诺时限：只有行政许可可以适用一般法定期限")
    if _exceeds(item.promise_limit, item.legal_limit):
        faults.append("承诺时限不得长于法定时限")
    return faults


def _has_own_limit(item: Item) -> bool:
    """行政许可法第四十二条 gives permits, and only permits, a general limit."""
    own = item.legal_limit is not None or item.promise_limit is not None
    return own or item.type is ItemType.PERMIT


# The least that one of each unit can last. A promise in working days beside a legal limit in
# natural days is refused only when no calendar could reconcile them; the rest is up to each case.
_SHORTEST_MINUTES = {
    Unit.MINUTES: 1,
    Unit.HOURS: 60,
    Unit.NATURAL_DAYS: 24 * 60,
    Unit.WORKING_DAYS: 24 * 60,
}


def _exceeds(promise: Limit | None, legal: Limit | None) -> bool:
    if promise is None or legal is None:
        return False
    if promise.unit is legal.unit:
        return promise.amount > legal.amount
    least = promise.amount * _SHORTEST_MINUTES[promise.unit]
    most = legal.amount * _SHORTEST_MINUTES[legal.unit]
    return legal.unit is not Unit.WORKING_DAYS and least > most


def _life_faults(item: Item) -> list[str]:
    faults = []
    if item.version < 1:
        faults.append("版本号从 1 起")
    if item.cancelled_on is None:
        return faults
    if item.published_on is None:
        faults.append("未公布的事项不能有取消日期")
    elif item.cancelled_on < item.published_on:
        faults.append("取消日期早于公布日期")
    return faults
