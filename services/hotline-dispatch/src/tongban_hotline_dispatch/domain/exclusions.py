"""An order left out of the assessment (不计入考核): who asks, who decides, and the audit of it.

Leaving orders out is the obvious way to look good. So the unit only proposes, two different people
of the hub's panel decide, and of what they let through a drawn sample is looked at by a third.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from uuid import UUID

from tongban_common.errors import BadInput, Conflict, Forbidden, RuleViolation
from tongban_hotline_dispatch.domain.assessment import Standard
from tongban_hotline_dispatch.domain.moves import Actor


class IllegalExclusionMove(Conflict):
    code = "exclusion.illegal_move"


class UnknownExclusionReason(RuleViolation):
    code = "exclusion.unknown_reason"


class EvidenceMissing(RuleViolation):
    code = "exclusion.evidence_missing"


class SamePerson(RuleViolation):
    code = "exclusion.same_person"


class OwnUnit(Forbidden):
    code = "exclusion.own_unit"


class HearingNeeded(RuleViolation):
    code = "exclusion.hearing_needed"


class BadSeed(BadInput):
    code = "exclusion.bad_seed"


class State(StrEnum):
    PROPOSED = "proposed"  # 待审核
    HEARING = "hearing"  # 听证中
    SECONDED = "seconded"  # 一人已同意
    APPROVED = "approved"  # 不计入考核
    REJECTED = "rejected"  # 计入考核
    WITHDRAWN = "withdrawn"  # 撤回
    REVOKED = "revoked"  # 核查后撤销


STATE_NAMES: dict[State, str] = {
    State.PROPOSED: "待审核",
    State.HEARING: "听证中",
    State.SECONDED: "一人已同意",
    State.APPROVED: "不计入考核",
    State.REJECTED: "计入考核",
    State.WITHDRAWN: "已撤回",
    State.REVOKED: "核查后撤销",
}


class Act(StrEnum):
    PROPOSE = "proposed"
    OPEN_HEARING = "hearing_opened"
    HOLD_HEARING = "hearing_held"
    SECOND = "seconded"
    APPROVE = "approved"
    REJECT = "rejected"
    WITHDRAW = "withdrawn"
    CONFIRM = "audit_confirmed"
    OVERTURN = "audit_overturned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    act: Act
    name: str
    sources: frozenset[State]
    target: State
    actors: tuple[Actor, ...]
    clause: str


_PANEL = (Actor.CENTER, Actor.REVIEWER)
_FOUR_EYES = "两人先后同意，承办单位不得参与（本系统默认）"
_HEARD = "可以听证；不合理诉求须经听证：临沂市公开的不予考核情形"
_AUDITED = "抽查核查（本系统默认）"


def _on(
    act: Act, name: str, sources: Iterable[State], target: State, by: Iterable[Actor], clause: str
) -> Transition:
    return Transition(
        act=act,
        name=name,
        sources=frozenset(sources),
        target=target,
        actors=tuple(by),
        clause=clause,
    )


_S = State
TABLE: tuple[Transition, ...] = (
    _on(Act.OPEN_HEARING, "决定听证", [_S.PROPOSED, _S.SECONDED], _S.HEARING, _PANEL, _HEARD),
    _on(Act.HOLD_HEARING, "听证结束", [_S.HEARING], _S.PROPOSED, _PANEL, _HEARD),
    _on(Act.SECOND, "一人同意", [_S.PROPOSED], _S.SECONDED, _PANEL, _FOUR_EYES),
    _on(Act.APPROVE, "二人同意", [_S.SECONDED], _S.APPROVED, _PANEL, _FOUR_EYES),
    _on(
        Act.REJECT,
        "不予排除",
        [_S.PROPOSED, _S.HEARING, _S.SECONDED],
        _S.REJECTED,
        _PANEL,
        _FOUR_EYES,
    ),
    _on(
        Act.WITHDRAW,
        "撤回申请",
        [_S.PROPOSED, _S.HEARING, _S.SECONDED],
        _S.WITHDRAWN,
        [Actor.UNIT],
        "申请人可以撤回（本系统默认）",
    ),
    _on(Act.CONFIRM, "核查无误", [_S.APPROVED], _S.APPROVED, [Actor.CENTER], _AUDITED),
    _on(Act.OVERTURN, "核查撤销", [_S.APPROVED], _S.REVOKED, [Actor.CENTER], _AUDITED),
)
_TARGETS = {(row.act, source): row.target for row in TABLE for source in row.sources}
_NAMES = {row.act: row.name for row in TABLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who acts; a person of the hub has no unit, or one that is not concerned."""

    subject: str
    unit: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    id: UUID
    ticket_id: UUID
    unit_code: str
    reason: str
    grounds: str
    evidence: tuple[str, ...]  # references of what was handed in
    proposed_by: str
    proposed_at: datetime
    state: State = State.PROPOSED
    hearing_on: date | None = None
    hearing_record: str | None = None
    seconded_by: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    note: str | None = None
    version: int = 1

    def open_hearing(self, on: date, *, by: Person) -> "Exclusion":
        """听证: what one of the panel had agreed to is to be agreed to anew."""
        self._check_panel(by)
        moved = self._moved(Act.OPEN_HEARING)
        return replace(moved, hearing_on=on, hearing_record=None, seconded_by=None)

    def hold_hearing(self, record: str, *, by: Person) -> "Exclusion":
        self._check_panel(by)
        return replace(self._moved(Act.HOLD_HEARING), hearing_record=record)

    def approve(self, *, by: Person, at: datetime, standard: Standard) -> "Exclusion":
        """The first of two, or the second. Raises SamePerson, OwnUnit, HearingNeeded."""
        self._check_panel(by)
        reason = standard.reasons.get(self.reason)
        if (reason is None or reason.needs_hearing) and self.hearing_record is None:
            raise HearingNeeded("该情形须先听证")
        if self.state is State.PROPOSED:
            return replace(self._moved(Act.SECOND), seconded_by=by.subject)
        moved = self._moved(Act.APPROVE)
        if by.subject == self.seconded_by:
            raise SamePerson("须由另一人同意")
        return replace(moved, decided_by=by.subject, decided_at=at)

    def reject(self, note: str, *, by: Person, at: datetime) -> "Exclusion":
        self._check_panel(by)
        return replace(self._moved(Act.REJECT), decided_by=by.subject, decided_at=at, note=note)

    def withdraw(self) -> "Exclusion":
        return self._moved(Act.WITHDRAW)

    def audit(self, *, is_right: bool, by: Person) -> "Exclusion":
        """抽查, by a third person. Raises SamePerson, OwnUnit."""
        self._check_panel(by)
        if by.subject in {self.seconded_by, self.decided_by}:
            raise SamePerson("核查人不得为同意排除的人")
        return self._moved(Act.CONFIRM if is_right else Act.OVERTURN)

    def _check_panel(self, by: Person) -> None:
        if by.unit == self.unit_code:
            raise OwnUnit("承办单位的人员不得参与")
        if by.subject == self.proposed_by:
            raise SamePerson("申请人不得参与")

    def _moved(self, act: Act) -> "Exclusion":
        target = _TARGETS.get((act, self.state))
        if target is None:
            raise IllegalExclusionMove(
                f"当前为“{STATE_NAMES[self.state]}”，不能{_NAMES[act]}", state=self.state, act=act
            )
        return replace(self, state=target, version=self.version + 1)


def check_proposal(reason: str, grounds: str, standard: Standard) -> None:
    """Raises UnknownExclusionReason, EvidenceMissing."""
    if reason not in standard.reasons:
        raise UnknownExclusionReason(f"情形应为：{'、'.join(standard.reasons)}", given=reason)
    if not grounds.strip():
        raise EvidenceMissing("请写明事实和依据")


def sample(population: Sequence[UUID], *, seed: str, share: Decimal) -> list[UUID]:
    """抽样: `share` of them, rounded up, in an order that the seed alone decides.

    Whoever knows seed and population draws the same again, in any language: ascending SHA-256 of
    `seed:id`. Raises BadSeed.
    """
    if not seed.strip():
        raise BadSeed("请给出抽样种子")
    size = (Decimal(len(population)) * share).to_integral_value(ROUND_CEILING)
    ordered = sorted(population, key=lambda each: _digest(seed, each))
    return ordered[: int(size)]


def _digest(seed: str, each: UUID) -> bytes:
    return hashlib.sha256(f"{seed}:{each}".encode()).digest()
