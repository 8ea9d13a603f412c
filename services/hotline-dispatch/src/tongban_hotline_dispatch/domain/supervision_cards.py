"""Yellow and red cards (黄牌、红牌): append-only, contested, decided by somebody else."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tongban_common.errors import Conflict, Forbidden, RuleViolation
from tongban_common.working_days import Limit, WorkingCalendar
from tongban_hotline_dispatch.domain.supervision_rules import Colour, SupervisionRules

COLOUR_NAMES: dict[Colour, str] = {Colour.YELLOW: "黄牌", Colour.RED: "红牌"}


class IllegalCardStep(Conflict):
    code = "card.illegal_move"


class NotYourCard(Forbidden):
    code = "card.not_your_unit"


class TooLateToContest(RuleViolation):
    code = "card.too_late_to_contest"


class JudgeInOwnCause(Forbidden):
    code = "card.needs_another_person"


class CardState(StrEnum):
    VALID = "valid"
    CONTESTED = "contested"
    UPHELD = "upheld"  # 维持
    REVOKED = "revoked"  # 撤销
    WAIVED = "waived"  # 免除


class CardAct(StrEnum):
    """A line that is added to a card; the card itself never changes."""

    CONTEST = "contested"
    UPHOLD = "upheld"
    REVOKE = "revoked"
    WAIVE = "waived"


CARD_STATE_NAMES: dict[CardState, str] = {
    CardState.VALID: "有效",
    CardState.CONTESTED: "申诉中",
    CardState.UPHELD: "维持",
    CardState.REVOKED: "撤销",
    CardState.WAIVED: "免除",
}
_NAMES = {
    CardAct.CONTEST: "申诉",
    CardAct.UPHOLD: "维持",
    CardAct.REVOKE: "撤销",
    CardAct.WAIVE: "免除",
}
_MOVES: dict[CardAct, tuple[frozenset[CardState], CardState]] = {
    CardAct.CONTEST: (frozenset({CardState.VALID}), CardState.CONTESTED),
    CardAct.UPHOLD: (frozenset({CardState.CONTESTED}), CardState.UPHELD),
    CardAct.REVOKE: (frozenset({CardState.CONTESTED}), CardState.REVOKED),
    CardAct.WAIVE: (
        frozenset({CardState.VALID, CardState.CONTESTED, CardState.UPHELD}),
        CardState.WAIVED,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CardLine:
    act: CardAct
    at: datetime
    actor: str
    unit_code: str | None = None
    reason: str | None = None  # of the policy's list
    words: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    id: UUID
    supervision_id: UUID
    unit_code: str
    colour: Colour
    issued_at: datetime
    issuer: str
    contest_limit: Limit
    lines: tuple[CardLine, ...] = ()

    @property
    def state(self) -> CardState:
        return _MOVES[self.lines[-1].act][1] if self.lines else CardState.VALID

    @property
    def counts(self) -> bool:
        return self.state not in {CardState.REVOKED, CardState.WAIVED}

    def contest_due(self, calendar: WorkingCalendar) -> datetime:
        return calendar.due(self.issued_at, self.contest_limit)

    def contest(self, unit: str, line: CardLine, calendar: WorkingCalendar) -> "Card":
        """申诉. Raises NotYourCard, TooLateToContest, IllegalCardStep."""
        if unit != self.unit_code:
            raise NotYourCard("该牌未发给本单位")
        due_at = self.contest_due(calendar)
        if line.at > due_at:
            limit = self.contest_limit
            raise TooLateToContest(f"已过申诉期限：{limit.clause}", due=due_at.isoformat())
        return self._with(line)

    def decide(self, line: CardLine) -> "Card":
        """审核申诉: by another person than the issuer. Raises JudgeInOwnCause, IllegalCardStep."""
        return self._judged(line)

    def waive(self, line: CardLine, rules: SupervisionRules) -> "Card":
        """免除 for a reason of the policy. Raises UnknownCause, and as `decide`."""
        rules.waiver(line.reason or "")
        return self._judged(line)

    def _judged(self, line: CardLine) -> "Card":
        if line.actor == self.issuer:
            raise JudgeInOwnCause("须由发牌人以外的人决定")
        return self._with(line)

    def _with(self, line: CardLine) -> "Card":
        if self.state not in _MOVES[line.act][0]:
            raise IllegalCardStep(
                f"该牌当前为“{CARD_STATE_NAMES[self.state]}”，不能{_NAMES[line.act]}",
                card_state=self.state,
                act=line.act,
            )
        return replace(self, lines=(*self.lines, line))
