"""诉求要素 (hotline.md 2.3): what must be known of a matter before it is taken in.

Which elements a type needs is policy. Missing elements do not bar acceptance where the ticket
waits for them (要素不全，等待补充); a contact must exist then, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tongban_common.errors import RuleViolation
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType, Channel
from tongban_hotline_dispatch.domain.particulars import ComplainantKind, Coordinates, Flag


class ElementsMissing(RuleViolation):
    code = "appeal.elements_missing"


class Element(StrEnum):
    """The value is the field's name wherever it is typed, sent or imported."""

    NAME = "name"
    PHONE = "phone"
    ADDRESS = "address"
    MATTER = "matter_code"
    OCCURRED = "occurred_at"
    TARGET = "target_name"
    DEMAND = "demand"


ELEMENT_NAMES: Mapping[Element, str] = {
    Element.NAME: "姓名",
    Element.PHONE: "联系电话",
    Element.ADDRESS: "事发地点",
    Element.MATTER: "事项",
    Element.OCCURRED: "发生时间",
    Element.TARGET: "被反映对象",
    Element.DEMAND: "诉求目的",
}


class Ending(StrEnum):
    """How taking in ends; some of it needs less."""

    ACCEPTED = "accepted"  # 受理，待派单
    AWAITING = "awaiting_facts"  # 待补充
    ANSWERED = "answered"  # 直接答复
    ROUTED = "routed_out"  # 引导


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What an appeal says besides its words."""

    target_name: str | None = None  # 被反映对象: who or what is complained of
    occurred_at: datetime | None = None
    demand: str | None = None
    complainant_kind: ComplainantKind | None = None
    enterprise_name: str | None = None
    call_id: str | None = None  # 通话编号
    recording_ref: str | None = None  # 录音的引用, never the recording
    region_code: str | None = None
    place: Coordinates | None = None
    flags: frozenset[Flag] = frozenset()

    @property
    def is_empty(self) -> bool:
        return self == Details()

    @property
    def words(self) -> tuple[str, ...]:
        """All that says in words what the matter is about or whose it is."""
        place = None if self.place is None else str(self.place)
        told = (self.target_name, self.demand, self.enterprise_name, place)
        return tuple(each for each in told if each)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    element: Element
    appeal_types: frozenset[AppealType]
    except_channels: frozenset[Channel]  # where nobody can be asked
    matters: tuple[str, ...]  # codes begin with one of these; none: whichever the matter
    unless: frozenset[Ending]
    clause: str

    def holds(self, asked: "Asked") -> bool:
        if asked.appeal_type not in self.appeal_types or asked.channel in self.except_channels:
            return False
        if asked.ending in self.unless:
            return False
        return not self.matters or (asked.matter_code or "").startswith(self.matters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What decides about the elements that are needed."""

    appeal_type: AppealType
    channel: Channel
    matter_code: str | None = None
    ending: Ending = Ending.ACCEPTED

    @classmethod
    def of(cls, appeal: Appeal, ending: Ending) -> "Asked":
        return cls(
            appeal_type=appeal.appeal_type,
            channel=appeal.channel,
            matter_code=appeal.matter_code,
            ending=ending,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AtOnce:
    """登记即办结: how a type that is no matter to handle ends as it is registered."""

    disposition: str | None = None  # 引导情形
    answer: str | None = None  # 直接答复


Given = Mapping[Element, object]


@dataclass(frozen=True, slots=True)
class Elements:
    """The requirements in force."""

    requirements: Sequence[Requirement]

    def needed(self, asked: Asked) -> list[Requirement]:
        """Each element once, with the clause of the first requirement that names it."""
        found: dict[Element, Requirement] = {}
        for each in self.requirements:
            if each.holds(asked):
                found.setdefault(each.element, each)
        return [found[element] for element in Element if element in found]

    def missing(self, asked: Asked, given: Given) -> list[Requirement]:
        return [each for each in self.needed(asked) if not given.get(each.element)]

    def check(self, asked: Asked, given: Given) -> None:
        """Raises ElementsMissing, naming every one."""
        lacking = self.missing(asked, given)
        if lacking:
            named = "；".join(f"{ELEMENT_NAMES[each.element]}（{each.clause}）" for each in lacking)
            raise ElementsMissing(
                f"缺少要素：{named}", fields=[each.element.value for each in lacking]
            )
