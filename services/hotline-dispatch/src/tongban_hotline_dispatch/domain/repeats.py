"""Whether a matter was brought before (重复反映): by whom, about which place, in which words."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from tongban_common.working_days import Limit
from tongban_hotline_dispatch.domain.hot_issues import GroupingRules, HeatRules
from tongban_hotline_dispatch.domain.likeness import Vector, Wording, deciding, likeness
from tongban_hotline_dispatch.domain.moves import ENDED, Status

_PREFIX = re.compile(r"^(?:\+?86|0086)(?=1\d{10}$)")
_INSIDE = re.compile(r"\d+(?:栋|幢|座|单元|层|楼|室|户).*$")  # of a building: the place is the same
_NUMBERED = re.compile(r"^(.*?\d+号)(?!线|楼).*$")  # what comes after the house number


class Reason(StrEnum):
    """Why an earlier ticket is shown, the strongest first."""

    SAME_PERSON = "same_person_and_matter"
    SAME_PLACE = "same_place_and_matter"
    NEAR_TEXT = "near_text"


REASON_NAMES: Mapping[Reason, str] = {
    Reason.SAME_PERSON: "同一人反映同一事项",
    Reason.SAME_PLACE: "同一地点反映同一事项",
    Reason.NEAR_TEXT: "文字相近",
}


class Advice(StrEnum):
    """What to do with the new matter."""

    REPEAT = "repeat"  # 催办原工单, 有新事实的补充
    REOPENED = "reopened_from"  # 登记为新工单，关联原工单
    MERGE = "merge"  # 登记后并单
    LOOK = "look"  # 供参考


ADVICE_NAMES: Mapping[Advice, str] = {
    Advice.REPEAT: "不另立工单，催办原工单；有新事实的补充",
    Advice.REOPENED: "登记为新工单，并关联原工单",
    Advice.MERGE: "登记后并入该工单",
    Advice.LOOK: "供参考",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LikenessRules:
    """The rules in force, with their clauses."""

    wording: Wording
    newest: int  # entries looked at for each telling word
    searched: int  # entries looked at for each pair of characters that is asked for
    compared: int  # matters compared in full
    window: timedelta
    shown: int
    near_text: float
    same_matter: float
    clauses: Mapping[Reason, str]
    reopened_within: Limit
    alike: float  # from which joining is suggested
    link: timedelta
    grouping: GroupingRules
    heat: HeatRules
    round: Limit
    complainants: int  # that make a hard case
    complainants_within: timedelta
    complainants_clause: str
    evidence_reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """What is compared. Person and place are keyed indexes; nothing leads back from them."""

    vector: Vector
    matter_code: str | None
    person: bytes | None = None
    place: bytes | None = None
    pairs: Sequence[str] = ()  # by which its title is found


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A ticket that may be about the same."""

    ticket_id: UUID
    ticket_no: str
    title: str
    status: Status
    unit_code: str | None
    registered_at: datetime
    closed_at: datetime | None
    version: int
    matter: Matter

    @property
    def is_open(self) -> bool:
        return self.status not in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Likely:
    """An earlier ticket, why it is shown, and what is proposed."""

    earlier: Earlier
    reasons: tuple[Reason, ...]
    score: float
    words: Sequence[str]
    advice: Advice


def judge(new: Matter, earlier: Earlier, rules: LikenessRules, at: datetime) -> Likely | None:
    """None where nothing says that they are about the same."""
    old = earlier.matter
    score = likeness(new.vector, old.vector)
    is_matter = _is_same_matter(new, old, score, rules)
    found = (
        (Reason.SAME_PERSON, is_matter and new.person is not None and new.person == old.person),
        (Reason.SAME_PLACE, is_matter and new.place is not None and new.place == old.place),
        (Reason.NEAR_TEXT, score >= rules.near_text),
    )
    reasons = tuple(reason for reason, is_so in found if is_so)
    if not reasons:
        return None
    return Likely(
        earlier=earlier,
        reasons=reasons,
        score=score,
        words=deciding(new.vector, old.vector),
        advice=_advice(earlier, reasons, rules, at),
    )


def ranked(found: Sequence[Likely], rules: LikenessRules) -> list[Likely]:
    """The same person first, then the place, then the words; the open before the ended."""
    order = list(Reason)

    def key(each: Likely) -> tuple[int, bool, float, str]:
        first = order.index(each.reasons[0])
        return first, not each.earlier.is_open, -each.score, each.earlier.ticket_no

    return sorted(found, key=key)[: rules.shown]


def is_repeat(likely: Likely) -> bool:
    """同一人、同一事项、在办: no new ticket is made of it."""
    return likely.advice is Advice.REPEAT


def normal_phone(phone: str) -> str:
    """The digits, without the country's; the same number however it was written."""
    digits = re.sub(r"[^\d+]", "", unicodedata.normalize("NFKC", phone))
    return _PREFIX.sub("", digits).lstrip("+")


def normal_place(address: str) -> str:
    """Down to the house number; rooms of one building are one place."""
    folded = unicodedata.normalize("NFKC", address)
    plain = re.sub(r"[^\w]|_", "", folded).lower()
    numbered = _NUMBERED.match(plain)
    return _INSIDE.sub("", numbered.group(1) if numbered else plain)


def _is_same_matter(new: Matter, old: Matter, score: float, rules: LikenessRules) -> bool:
    """By the code where both have one, and by the words where one has not."""
    if new.matter_code is not None and old.matter_code is not None:
        return new.matter_code == old.matter_code
    return score >= rules.same_matter


def _advice(
    earlier: Earlier, reasons: Sequence[Reason], rules: LikenessRules, at: datetime
) -> Advice:
    is_person = Reason.SAME_PERSON in reasons
    if earlier.is_open:
        return Advice.REPEAT if is_person else Advice.MERGE
    if is_person and was_closed_lately(earlier, rules, at):
        return Advice.REOPENED
    return Advice.LOOK


def was_closed_lately(earlier: Earlier, rules: LikenessRules, at: datetime) -> bool:
    """Within the limit after the close, by its last day."""
    if earlier.closed_at is None or earlier.status not in {Status.CLOSED, Status.ARCHIVED}:
        return False
    return at - earlier.closed_at <= timedelta(days=rules.reopened_within.amount)
