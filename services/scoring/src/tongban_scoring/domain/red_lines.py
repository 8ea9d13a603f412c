"""Red-line cases (红线): opened on evidence by one inspector, decided by another; no points."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from tongban_common.errors import Conflict, Forbidden, RuleViolation
from tongban_scoring.domain.entries import Evidence


class CaseState(StrEnum):
    SUSPECTED = "suspected"  # 疑似
    UPHELD = "upheld"  # 成立
    DISMISSED = "dismissed"  # 不成立


MOVES: Mapping[CaseState, frozenset[CaseState]] = {
    CaseState.SUSPECTED: frozenset({CaseState.UPHELD, CaseState.DISMISSED}),
    CaseState.UPHELD: frozenset(),
    CaseState.DISMISSED: frozenset(),
}


class SamePerson(Forbidden):
    code = "redline.same_person"


class DecidedAlready(Conflict):
    code = "redline.decided_already"


class NotManual(RuleViolation):
    code = "redline.not_manual"


class GroundsMissing(RuleViolation):
    code = "redline.evidence_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One person and one red line. `opened_by` is None where a scorecard opened it."""

    id: UUID
    red_line_id: str
    label: str
    window_code: str
    staff_code: str
    state: CaseState = CaseState.SUSPECTED
    opened_by: str | None = None
    evidence: Evidence | None = None

    def decide(self, target: CaseState, *, actor: str, grounds: Evidence) -> "Case":
        """Two inspectors: who opened a case does not decide it.

        Raises SamePerson, GroundsMissing, DecidedAlready.
        """
        if actor == self.opened_by:
            raise SamePerson("红线案件须由立案人以外的督查员认定")
        if not grounds.text.strip():
            raise GroundsMissing("认定红线案件须写明依据")
        if target not in MOVES[self.state]:
            raise DecidedAlready("该案件已经认定，不能再变更", state=self.state)
        return replace(self, state=target)
