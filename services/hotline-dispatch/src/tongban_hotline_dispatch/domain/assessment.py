"""What a unit's work is worth: measures with numerator and denominator, score, tier and rank.

A measure is counted from the tickets themselves (store/assessment_items.py) and from what others
note (INPUTS). A rate is null without a denominator, and withheld where too few people spoke.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from tongban_common.errors import RuleViolation

_HUNDRED = Decimal(100)
_CENT = Decimal("0.01")
_MILLIONTH = Decimal("0.000001")


class UnknownInput(RuleViolation):
    code = "assessment.unknown_input"


class UnknownGroup(RuleViolation):
    code = "assessment.unknown_group"


class Indicator(StrEnum):
    """The rates that may carry weight; formulas in hotline.md 6.2."""

    ON_TIME_SIGN = "on_time_sign_rate"
    RESPONSE = "response_rate"
    ON_TIME_CLOSE = "on_time_close_rate"
    RESOLUTION = "resolution_rate"
    SATISFACTION = "satisfaction_rate"
    FIRST_TIME_CLOSE = "first_time_close_rate"
    RETURN = "return_rate"
    REWORK = "rework_rate"
    EXTENSION = "extension_rate"
    KNOWLEDGE = "kb_score"
    ORGANISATION = "organisation"


class Deduction(StrEnum):
    OVERDUE = "overdue"
    RETURN_REJECTED = "return_rejected"
    FALSE_RESOLVED = "false_resolved"
    RED_CARD = "red_card"
    YELLOW_CARD = "yellow_card"
    LEAK = "leak"
    KNOWLEDGE_LATE = "knowledge_late"
    CONTACT_LATE = "contact_late"


class Bonus(StrEnum):
    HARD_CASE_SOLVED = "hard_case_solved"
    THANKS = "thanks"
    PROACTIVE = "proactive"
    SUGGESTION_ADOPTED = "suggestion_adopted"


EXCLUSION_RATE = "exclusion_rate"  # 不计入考核率: published for every unit, weighs nothing


class PublishMode(StrEnum):
    NONE = "none"
    INTERNAL = "internal"
    TIER_ONLY = "tier_only"
    RANKED = "ranked"
    RED_BLACK_LIST = "red_black_list"


class Listed(StrEnum):
    RED = "red"  # 红榜
    BLACK = "black"  # 黑榜


class Automatic(StrEnum):
    """What takes an order out of the assessment by itself."""

    WITHDRAWN = "withdrawn"
    ROUTED_OUT = "routed_out"
    TERMINATED = "terminated"
    DUPLICATE = "duplicate"
    NO_CONTACT = "no_contact"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputKind:
    """What one noted fact adds: measure → (numerator, denominator)."""

    name: str
    adds: Mapping[str, tuple[int, int]]
    is_manual: bool = False  # a person of the hub may note it, with the document it rests on


# What the tickets do not tell. The last three are about one ticket (the ref), and change how its
# own figures count instead of adding any: 复核 takes a mark out, a denial undoes a contact.
CONTACT_DENIED = "contact_denied"
REAPPRAISED_RESULT = "reappraised_result"
REAPPRAISED_RESOLUTION = "reappraised_resolution"
INPUTS: Mapping[str, InputKind] = {
    "knowledge_on_time": InputKind(name="知识库按时更新", adds={Indicator.KNOWLEDGE.value: (1, 1)}),
    "knowledge_late": InputKind(
        name="知识库逾期更新",
        adds={Indicator.KNOWLEDGE.value: (0, 1), Deduction.KNOWLEDGE_LATE.value: (1, 0)},
    ),
    "knowledge_error": InputKind(
        name="知识库差错", adds={Indicator.KNOWLEDGE.value: (-1, 0)}, is_manual=True
    ),
    "contact_on_time": InputKind(
        name="联系人按时报备", adds={Indicator.ORGANISATION.value: (1, 1)}
    ),
    "contact_late": InputKind(
        name="联系人逾期报备",
        adds={Indicator.ORGANISATION.value: (0, 1), Deduction.CONTACT_LATE.value: (1, 0)},
    ),
    "duty_met": InputKind(
        name="领导接听履职", adds={Indicator.ORGANISATION.value: (1, 1)}, is_manual=True
    ),
    "duty_missed": InputKind(
        name="领导接听未履职", adds={Indicator.ORGANISATION.value: (0, 1)}, is_manual=True
    ),
    "yellow_card": InputKind(name="黄牌", adds={Deduction.YELLOW_CARD.value: (1, 0)}),
    "red_card": InputKind(name="红牌", adds={Deduction.RED_CARD.value: (1, 0)}),
    "leak": InputKind(name="泄露信息", adds={Deduction.LEAK.value: (1, 0)}, is_manual=True),
    "hard_case_solved": InputKind(
        name="解决疑难事项", adds={Bonus.HARD_CASE_SOLVED.value: (1, 0)}, is_manual=True
    ),
    "thanks": InputKind(name="群众感谢", adds={Bonus.THANKS.value: (1, 0)}, is_manual=True),
    "proactive": InputKind(name="主动治理", adds={Bonus.PROACTIVE.value: (1, 0)}, is_manual=True),
    "suggestion_adopted": InputKind(
        name="建议被采纳", adds={Bonus.SUGGESTION_ADOPTED.value: (1, 0)}, is_manual=True
    ),
    CONTACT_DENIED: InputKind(name="诉求人否认被联系", adds={}),
    REAPPRAISED_RESULT: InputKind(name="满意度复核通过", adds={}),
    REAPPRAISED_RESOLUTION: InputKind(name="解决情况复核通过", adds={}),
}


def input_kind(kind: str) -> InputKind:
    """Raises UnknownInput."""
    if kind not in INPUTS:
        raise UnknownInput(f"考核事实应为：{'、'.join(INPUTS)}", given=kind)
    return INPUTS[kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    name: str
    weight: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A deduction or a bonus: points for each, at most `cap` of them together."""

    name: str
    points: Decimal
    cap: Decimal | None = None

    def worth(self, count: int) -> Decimal:
        found = self.points * count
        return found if self.cap is None else min(found, self.cap)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    code: str
    name: str
    least: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    code: str
    name: str
    levels: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ByRule:
    when: Automatic
    reason: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A time whose orders are not assessed (不可抗力、系统故障)."""

    reason: str
    name: str
    from_at: datetime
    to_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """One version of the policy as a value."""

    version: int
    indicators: Mapping[Indicator, Weighed]
    least_weight: Decimal
    small_number: int
    guarded: frozenset[Indicator]
    floor: Decimal
    deductions: Mapping[Deduction, Line]
    bonuses: Mapping[Bonus, Line]
    bonus_cap: Decimal
    tiers: Sequence[Tier]
    groups: Sequence[Group]
    otherwise: str
    modes: Mapping[str, PublishMode]
    red: int
    black: int
    reasons: Mapping[str, "Reason"]
    automatic: Sequence[ByRule]
    windows: Sequence[Window]
    audit_share: Decimal

    @property
    def group_names(self) -> Mapping[str, str]:
        return {group.code: group.name for group in self.groups}

    def check_group(self, code: str) -> None:
        """Raises UnknownGroup."""
        if code not in self.group_names:
            raise UnknownGroup(f"考核分组应为：{'、'.join(self.group_names)}", given=code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why an order may be left out, when two people of the panel agree."""

    name: str
    needs_hearing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """One measure of one unit: never a rate without the two numbers that it comes from."""

    numerator: int
    denominator: int

    @property
    def rate(self) -> Decimal | None:
        """Null where nothing is counted, never 1; errors may outweigh, but not below zero."""
        if self.denominator == 0:
            return None
        share = Decimal(self.numerator) / Decimal(self.denominator)
        return max(Decimal(0), share).quantize(_MILLIONTH, ROUND_HALF_UP)

    def is_withheld(self, measure: str, standard: Standard) -> bool:
        return measure in standard.guarded and 0 < self.denominator < standard.small_number


Counts = Mapping[str, Count]
NOTHING = Count(numerator=0, denominator=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Points taken or given, by line."""

    line: str
    name: str
    count: int
    points: Decimal  # with its sign


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """得分 = 加权得分 − 扣分 + 加分. The weights of what has no rate are shared out."""

    base: Decimal
    weight: Decimal  # of the indicators that had a rate
    lines: Sequence[Taken]
    bonus: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One unit's result among its own group."""

    unit_code: str
    group: str
    score: Score | None
    tier: str | None = None
    rank: int | None = None
    listed: Listed | None = None
    needs_rectification: bool = False


def score(counts: Counts, standard: Standard) -> Score | None:
    """None where too little was counted to say anything."""
    rated = [(each.weight, rate) for each, rate in _weighed(counts, standard)]
    weight = sum((each for each, _ in rated), Decimal(0))
    if weight == 0 or weight < standard.least_weight:
        return None
    base = sum((each * rate for each, rate in rated), Decimal(0)) * _HUNDRED / weight
    taken = [
        Taken(line=code, name=line.name, count=count, points=-line.worth(count))
        for code, line in standard.deductions.items()
        if (count := counts.get(code, NOTHING).numerator)
    ]
    given = [
        Taken(line=code, name=line.name, count=count, points=line.worth(count))
        for code, line in standard.bonuses.items()
        if (count := counts.get(code, NOTHING).numerator)
    ]
    bonus = min(sum((each.points for each in given), Decimal(0)), standard.bonus_cap)
    total = base + sum((each.points for each in taken), Decimal(0)) + bonus
    return Score(
        base=_cents(base),
        weight=weight,
        lines=(*taken, *given),
        bonus=bonus,
        total=max(_cents(total), standard.floor),
    )


def _weighed(counts: Counts, standard: Standard) -> Iterable[tuple[Weighed, Decimal]]:
    for indicator, weighed in standard.indicators.items():
        count = counts.get(indicator, NOTHING)
        rate = count.rate
        if weighed.weight and rate is not None and not count.is_withheld(indicator, standard):
            yield weighed, rate


def _cents(value: Decimal) -> Decimal:
    return value.quantize(_CENT, ROUND_HALF_UP)


def placed(
    units: Mapping[str, tuple[str, Counts]], standard: Standard, mode: PublishMode
) -> list[Placed]:
    """Every unit with its tier, and in the chosen mode its rank; units code → (group, counts)."""
    found: list[Placed] = []
    for group in standard.groups:
        scored = [
            (unit, score(counts, standard))
            for unit, (code, counts) in sorted(units.items())
            if code == group.code
        ]
        found.extend(_in_group(group.code, scored, standard, mode))
    return found


def _in_group(
    group: str, scored: Sequence[tuple[str, Score | None]], standard: Standard, mode: PublishMode
) -> Iterable[Placed]:
    totals = sorted((each.total for _, each in scored if each is not None), reverse=True)
    for unit, each in scored:
        if each is None:
            yield Placed(unit_code=unit, group=group, score=None)
            continue
        rank = totals.index(each.total) + 1
        tier = next(tier.code for tier in standard.tiers if each.total >= tier.least)
        yield Placed(
            unit_code=unit,
            group=group,
            score=each,
            tier=tier,
            rank=rank if mode is PublishMode.RANKED else None,
            listed=_listed(each.total, totals, standard) if mode in _LISTS else None,
            needs_rectification=tier == standard.tiers[-1].code,
        )


_LISTS = frozenset({PublishMode.RED_BLACK_LIST})


def _listed(total: Decimal, totals: Sequence[Decimal], standard: Standard) -> Listed | None:
    """By how many are better, and how many worse; nobody stands on both lists."""
    better = sum(each > total for each in totals)
    worse = sum(each < total for each in totals)
    if better < standard.red and better < worse:
        return Listed.RED
    if worse < standard.black and worse < better:
        return Listed.BLACK
    return None
