"""The rules of callback and reappraisal as values: who calls when, how levels read, who decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum

from tongban_common.errors import RuleViolation
from tongban_common.working_days import SHANGHAI, Limit
from tongban_hotline_dispatch.domain.assignment import Clock
from tongban_hotline_dispatch.domain.callback import Callback, Heard, Mark
from tongban_hotline_dispatch.domain.reappraisal_rules import ReappraisalRules


class UnknownCallbackReason(RuleViolation):
    code = "callback.unknown_reason"


class Undecided(StrEnum):
    """What becomes of a bad review of the person's own that nobody decided on in the window."""

    REDO = "redo"  # 退回重办
    CLOSE = "close"  # 办结，评价照记


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """时段, in local time; the end is not part of it."""

    name: str
    begins: time
    ends: time

    def holds(self, moment: datetime) -> bool:
        return self.begins <= moment.astimezone(SHANGHAI).time() < self.ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """What has to be tried before somebody may be given up."""

    days: int  # on so many different days
    bands: int  # in so many different bands
    listed: Sequence[Band]

    def counted(self, made: Sequence[datetime]) -> set[tuple[str, str]]:
        """Each day and band once: three calls in one hour are one attempt."""
        found: set[tuple[str, str]] = set()
        for moment in made:
            for band in self.listed:
                if band.holds(moment):
                    found.add((moment.astimezone(SHANGHAI).date().isoformat(), band.name))
        return found

    def are_enough(self, made: Sequence[datetime], *, least: int) -> bool:
        found = self.counted(made)
        days = {day for day, _ in found}
        bands = {band for _, band in found}
        return len(found) >= least and len(days) >= self.days and len(bands) >= self.bands


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackRules:
    label: str  # name and version, as a term pins it
    version: int
    deadline_clock: Clock  # whose end opens the callback while the unit is silent
    call: Limit
    attempts: Attempts
    marks: Mapping[int, Mark]
    levels: Mapping[Mark, int]  # the code of a mark that was given as such
    cannot_reasons: Mapping[str, str]
    silence_is_satisfied: bool
    undecided: Undecided
    lease_minutes: int  # for so long a task that somebody took is theirs
    view_reason: str  # why who calls sees the number, of the reasons of identity.yaml
    reappraisal: ReappraisalRules

    def cannot_reason(self, code: str) -> str:
        """Raises UnknownCallbackReason."""
        if code not in self.cannot_reasons:
            listed = "、".join(self.cannot_reasons)
            raise UnknownCallbackReason(f"无法回访的事由应为：{listed}", given=code)
        return self.cannot_reasons[code]

    def levelled(self, heard: Heard) -> tuple[int, int]:
        """The codes of result and process: as given, or those of the marks."""
        return (
            heard.result_level or self.levels[heard.result],
            heard.process_level or self.levels[heard.process],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackBook:
    """The edition in force, and those that open callbacks were begun under."""

    current: CallbackRules
    editions: Mapping[int, CallbackRules]

    def of(self, callback: Callback) -> CallbackRules:
        if callback.rules_version is None:
            return self.current
        return self.editions.get(callback.rules_version, self.current)
