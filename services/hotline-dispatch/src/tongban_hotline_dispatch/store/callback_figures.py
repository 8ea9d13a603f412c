"""What the callbacks of a period came to, by unit: counts, and each rate with its two sides."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_hotline_dispatch.domain.callback import Mark, Outcome, Resolved
from tongban_hotline_dispatch.store.callbacks import callback_task
from tongban_hotline_dispatch.store.reference import unit

KeyT = TypeVar("KeyT")
_T = callback_task.c
# Who was spoken to or spoke: what the policy assumes of silence is nobody's mark.
HEARD = (Outcome.REACHED, Outcome.OWN_REVIEW)
_TRIED = (Outcome.REACHED, Outcome.NO_ANSWER, Outcome.CANNOT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One side of a rate beside the other."""

    numerator: int
    denominator: int

    @property
    def rate(self) -> float | None:
        """None where nothing was counted, and not 1 (hotline.md 6.2)."""
        return round(self.numerator / self.denominator, 4) if self.denominator else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackFigures:
    outcomes: dict[Outcome, int] = field(default_factory=dict)
    results: dict[Mark, int] = field(default_factory=dict)
    processes: dict[Mark, int] = field(default_factory=dict)
    resolutions: dict[Resolved, int] = field(default_factory=dict)

    @property
    def done(self) -> int:
        return sum(self.outcomes.values())

    @property
    def reached(self) -> Share:
        """有效回访率: of whoever was called."""
        tried = sum(self.outcomes.get(each, 0) for each in _TRIED)
        return Share(numerator=self.outcomes.get(Outcome.REACHED, 0), denominator=tried)

    @property
    def satisfaction(self) -> Share:
        return _share(self.results, Mark.DISSATISFIED)

    @property
    def process_satisfaction(self) -> Share:
        return _share(self.processes, Mark.DISSATISFIED)

    @property
    def resolution(self) -> Share:
        return _share(self.resolutions, Resolved.NO)

    def add(self, other: "CallbackFigures") -> None:
        _add(self.outcomes, other.outcomes)
        _add(self.results, other.results)
        _add(self.processes, other.processes)
        _add(self.resolutions, other.resolutions)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFigures:
    unit_code: str | None
    unit_name: str | None
    figures: CallbackFigures


async def figures(
    reads: AsyncConnection, *, since: datetime, before: datetime, unit_code: str | None
) -> Sequence[UnitFigures]:
    """Callbacks done from `since` up to `before`, by the unit of the reply or of the silence."""
    found: dict[str | None, UnitFigures] = {}
    for row in await reads.execute(done_between(since, before, unit_code)):
        outcome = Outcome(row.outcome)
        part = CallbackFigures(outcomes={outcome: row.times})
        if outcome in HEARD:
            part = CallbackFigures(
                outcomes={outcome: row.times},
                results={} if row.result is None else {Mark(row.result): row.times},
                processes={} if row.process is None else {Mark(row.process): row.times},
                resolutions={} if row.resolved is None else {Resolved(row.resolved): row.times},
            )
        line = found.setdefault(
            row.unit_code,
            UnitFigures(unit_code=row.unit_code, unit_name=row.name, figures=CallbackFigures()),
        )
        line.figures.add(part)
    return list(found.values())


def done_between(since: datetime, before: datetime, unit_code: str | None) -> Select[Any]:
    keys = (_T.outcome, _T.result, _T.process, _T.resolved)
    query = (
        select(_T.unit_code, unit.c.name, *keys, func.count().label("times"))
        .select_from(callback_task.outerjoin(unit, unit.c.code == _T.unit_code))
        .where(_T.done_at >= since, _T.done_at < before, _T.outcome.is_not(None))
        .group_by(_T.unit_code, unit.c.name, *keys)
        .order_by(_T.unit_code)
    )
    return query if unit_code is None else query.where(_T.unit_code == unit_code)


def _add(counts: dict[KeyT, int], more: dict[KeyT, int]) -> None:
    for key, times in more.items():
        counts[key] = counts.get(key, 0) + times


def _share(counts: dict[KeyT, int], bad: KeyT) -> Share:
    rated = sum(counts.values())
    return Share(numerator=rated - counts.get(bad, 0), denominator=rated)
