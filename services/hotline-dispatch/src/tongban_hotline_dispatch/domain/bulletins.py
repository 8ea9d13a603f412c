"""月度通报 (hotline.md 4.3): what one month came to, by group and unit, in the mode of the policy.

The document is made once and kept as it was; made again, it is a new version beside the old one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tongban_common.errors import RuleViolation
from tongban_hotline_dispatch.domain.assessment import PublishMode
from tongban_hotline_dispatch.domain.periods import BadPeriod, Period, PeriodType

# In the others the results stay inside (国办函〔2025〕66号(六): no chasing of ranks).
PUBLIC_MODES = frozenset({PublishMode.TIER_ONLY, PublishMode.RANKED, PublishMode.RED_BLACK_LIST})


class NotForBulletin(RuleViolation):
    code = "bulletin.mode_is_internal"


class NotEnded(RuleViolation):
    code = "bulletin.not_ended"


def month_of(code: str) -> Period:
    """Raises BadPeriod."""
    period = Period.of(code)
    if period.type is not PeriodType.MONTH:
        raise BadPeriod("通报按月编制，应为 2026-09", given=code)
    return period


def check_may_be_made(period: Period, mode: PublishMode, now: datetime) -> None:
    """Raises NotEnded, NotForBulletin."""
    if now < period.ends_at:
        raise NotEnded("本月尚未结束", ends_on=period.ends_on.isoformat())
    if mode not in PUBLIC_MODES:
        raise NotForBulletin("考核办法定为不公布或者内部使用，不编制通报", mode=mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """A rate beside what it is made of; what is withheld of few ratings stays so."""

    numerator: int | None
    denominator: int
    rate: str | None
    is_withheld: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CardCount:
    given: int = 0
    waived: int = 0  # 免除、撤销


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitMonth:
    """What the tickets, the callbacks and the cards of a unit came to."""

    dispatched: int = 0
    open_overdue: int = 0  # 逾期未办结, as the bulletin is made
    callbacks: int = 0
    reached: int = 0
    yellow: CardCount = CardCount()
    red: CardCount = CardCount()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitPart:
    unit_code: str
    unit_name: str
    tier: str | None
    rank: int | None  # only where the mode is ranked
    listed: str | None  # only where the mode is red_black_list
    needs_rectification: bool
    month: UnitMonth
    figures: Mapping[str, Sides]

    @property
    def overdue(self) -> int | None:
        """到期未按时答复."""
        return _missing(self.figures.get("on_time_close_rate"))

    @property
    def unsatisfied(self) -> int | None:
        return _missing(self.figures.get("satisfaction_rate"))


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPart:
    code: str
    name: str
    figures: Mapping[str, Sides]
    units: Sequence[UnitPart]


@dataclass(frozen=True, slots=True, kw_only=True)
class HotPart:
    title: str
    tickets: int
    people: int
    heat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    received: int
    answered: int  # 直接答复
    routed_out: int  # 引导
    dispatched: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    run: int
    policy_version: int
    mode: str
    names: Mapping[str, str]  # of the indicators and the tiers, by their codes
    totals: Totals
    groups: Sequence[GroupPart]
    hot_issues: Sequence[HotPart]


def _missing(of: Sides | None) -> int | None:
    if of is None or of.numerator is None or of.is_withheld:
        return None
    return of.denominator - of.numerator
