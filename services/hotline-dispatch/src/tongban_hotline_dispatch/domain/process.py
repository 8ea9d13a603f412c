"""The rules of the process as values: limits by stage, counts, reasons, routes, exemptions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from tongban_common.errors import RuleViolation
from tongban_common.working_days import Limit
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType, Urgency

ListedT = TypeVar("ListedT")


class UnknownReason(RuleViolation):
    code = "process.unknown_reason"


class SignOffNeeded(RuleViolation):
    code = "sign_off.needed"


class NotDelegable(RuleViolation):
    code = "assignment.not_delegable"


class Trigger(StrEnum):
    """When the callback opens."""

    ON_REPLIED = "on_replied"
    ON_DEADLINE = "on_deadline"
    EARLIER_OF = "earlier_of"


class Exemption(StrEnum):
    """Why no callback is due."""

    WANTS_NO_REPLY = "wants_no_reply"
    WANTS_NO_CALLBACK = "wants_no_callback"
    NO_CONTACT = "no_contact"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLimit:
    """One line: an urgency of None fits every urgency that has no line of its own."""

    limit: Limit
    urgency: Urgency | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposition:
    """What happens instead of an assignment, and what the person is told (2.4)."""

    code: str
    name: str
    basis: str
    words: str
    route: str | None
    is_sealed: bool  # the content is kept under seal only
    is_immediate: bool  # handed over to the emergency line at once
    situation: str = ""  # when it applies
    closes_as: str | None = None  # how the ticket ends, where that has a name of its own
    lines: Mapping[str, str] = field(default_factory=dict)  # to which it is handed over
    may_guide: bool = False  # a unit may be asked to advise; that is not assessed
    makes_evidence: bool = False  # the person's tickets may be handed to the police

    def told(self, line: str | None = None) -> str:
        """What the person hears: the words, the line, the proper route. Raises UnknownReason."""
        said = self.words
        if line is not None:
            said += f"已转接{line}{_known(self.lines, line, '转接线路')}。"
        return said if self.route is None else f"{said}途径：{self.route}。"


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoPass:
    """A reply of low risk that needs no reviewer."""

    appeal_types: frozenset[AppealType]
    urgencies: frozenset[Urgency]

    def fits(self, appeal: Appeal) -> bool:
        return appeal.appeal_type in self.appeal_types and appeal.urgency in self.urgencies


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Duties that may not be handed down to units of these levels."""

    matter: str
    levels: frozenset[str]
    clause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Whistle:
    """Which levels may whistle though another unit leads; the lead always may."""

    levels: frozenset[str]
    clause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    returns_before_forced: int
    rework_rounds: int
    extensions: int
    extensions_by_center: int
    extension_days: int
    callback_attempts: int
    co_unit_margin: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    label: str  # name and version, as a term pins it
    version: int
    limits: Mapping[str, Sequence[StageLimit]]
    counts: Counts
    not_extendable: tuple[frozenset[AppealType], frozenset[Urgency]]
    pause_reasons: Mapping[str, str]
    reopen_reasons: Mapping[str, str]
    no_redo_reasons: Mapping[str, str]
    dispositions: Mapping[str, Disposition]
    callback_trigger: Trigger
    exemptions: frozenset[Exemption]
    auto_pass: Sequence[AutoPass]
    kept: Sequence[Keep]
    signed: frozenset[str] = frozenset()  # what a second person signs off here: return, reply
    signed_clause: str = ""
    extension_notice: Limit | None = (
        None  # hours before the end of a limit in days; None: till then
    )
    whistle: Whistle | None = None  # None: who is whistled for is a co-unit, and nothing more

    def limit(self, name: str, appeal: Appeal) -> Limit:
        """The limit of a stage: of the urgency, or the general one."""
        lines = self.limits[name]
        own = [line for line in lines if line.urgency is appeal.urgency]
        return (own or [line for line in lines if line.urgency is None])[0].limit

    def may_extend(self, appeal: Appeal) -> bool:
        types, urgencies = self.not_extendable
        return appeal.appeal_type not in types and appeal.urgency not in urgencies

    def passes_alone(self, appeal: Appeal) -> bool:
        return any(rule.fits(appeal) for rule in self.auto_pass)

    def check_delegable(self, appeal: Appeal, level: str) -> None:
        """However it would get there: 下派、派单、改派、指定、加派. Raises NotDelegable."""
        for keep in self.kept:
            is_of_matter = (appeal.matter_code or "").startswith(keep.matter)
            if is_of_matter and level in keep.levels:
                raise NotDelegable(f"该事项不得派给这一级单位：{keep.clause}", level=level)

    def check_signed(self, what: str, *, is_signed: bool) -> None:
        """Raises SignOffNeeded."""
        if what in self.signed and not is_signed:
            raise SignOffNeeded(f"须先送分管领导审签：{self.signed_clause}")

    def disposition(self, code: str) -> Disposition:
        return _known(self.dispositions, code, "引导情形")

    def pause_reason(self, code: str) -> str:
        return _known(self.pause_reasons, code, "挂起事由")

    def reopen_reason(self, code: str) -> str:
        return _known(self.reopen_reasons, code, "重启事由")

    def no_redo_reason(self, code: str) -> str:
        return _known(self.no_redo_reasons, code, "不再重办的事由")


def _known(listed: Mapping[str, ListedT], code: str, what: str) -> ListedT:
    if code not in listed:
        raise UnknownReason(f"{what}应为：{'、'.join(listed)}", given=code)
    return listed[code]
