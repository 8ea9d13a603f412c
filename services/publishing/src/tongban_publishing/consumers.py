"""The Kafka edge: a finished period becomes a draft; names of units and windows are kept."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from tongban_common.db import Transaction
from tongban_common.events import Reading
from tongban_common.inbox import Subscription, ignore, on
from tongban_common.service import Kit
from tongban_publishing import operations
from tongban_publishing.domain.bulletin import Score, UnitResult

DIRECTORY = "tongban.intake.directory.v1"
_PUBLIC_MODES = frozenset({"tier_only", "ranked", "red_black_list"})


class FinishedCard(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    scorecard_id: UUID
    window_code: str
    unit_code: str
    score: Decimal
    grade: str
    rank: int | None


class ScorecardsFinished(Reading):
    """A period was assessed."""

    type: ClassVar[str] = "tongban.scoring.scorecards-finished.v1"
    topic: ClassVar[str] = "tongban.scoring.period.v1"

    period_id: UUID
    period_code: str
    starts_on: date
    ends_on: date
    scorecards: tuple[FinishedCard, ...]


class AssessedUnit(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    unit_code: str
    group: str
    tier: str | None
    rank: int | None
    listed: str | None
    indicators: dict[str, str | None]
    needs_rectification: bool


class AssessmentFinished(Reading):
    """The hotline's units were assessed. Public only in a mode that says so."""

    type: ClassVar[str] = "tongban.hotline.assessment-finished.v1"
    topic: ClassVar[str] = "tongban.hotline.assessment.v1"

    assessment_id: UUID
    period_code: str
    starts_on: date
    ends_on: date
    run: int
    mode: str
    names: dict[str, str]
    units: tuple[AssessedUnit, ...]


class UnitChanged(Reading):
    type: ClassVar[str] = "tongban.intake.unit-changed.v1"
    topic: ClassVar[str] = DIRECTORY

    unit_code: str
    name: str


class WindowChanged(Reading):
    type: ClassVar[str] = "tongban.intake.window-changed.v1"
    topic: ClassVar[str] = DIRECTORY

    window_code: str
    name: str


async def take_unit(tx: Transaction, changed: UnitChanged) -> None:
    await operations.keep_name(tx, kind="unit", code=changed.unit_code, name=changed.name)


async def take_window(tx: Transaction, changed: WindowChanged) -> None:
    await operations.keep_name(tx, kind="window", code=changed.window_code, name=changed.name)


@dataclass(frozen=True, slots=True)
class _Drafter:
    kit: Kit

    async def draft(self, tx: Transaction, finished: ScorecardsFinished) -> None:
        result = operations.Result(
            period_id=finished.period_id,
            period_code=finished.period_code,
            starts_on=finished.starts_on,
            ends_on=finished.ends_on,
            scores=tuple(
                Score(
                    scorecard_id=each.scorecard_id,
                    window_code=each.window_code,
                    unit_code=each.unit_code,
                    score=each.score,
                    grade=each.grade,
                    rank=each.rank,
                )
                for each in finished.scorecards
            ),
        )
        rules = await operations.rules_at(self.kit, now=finished.occurred_at)
        await operations.draft(tx, result=result, rules=rules, now=finished.occurred_at)

    async def draft_hotline(self, tx: Transaction, finished: AssessmentFinished) -> None:
        if finished.mode not in _PUBLIC_MODES:
            return
        result = operations.HotlineResult(
            assessment_id=finished.assessment_id,
            period_code=finished.period_code,
            starts_on=finished.starts_on,
            ends_on=finished.ends_on,
            run=finished.run,
            units=tuple(UnitResult(**each.model_dump()) for each in finished.units),
            names=finished.names,
        )
        rules = await operations.rules_at(self.kit, now=finished.occurred_at)
        await operations.draft_hotline(tx, result=result, rules=rules, now=finished.occurred_at)


def subscriptions(kit: Kit) -> tuple[Subscription[Any], ...]:
    return (
        on(ScorecardsFinished, _Drafter(kit).draft),
        on(AssessmentFinished, _Drafter(kit).draft_hotline),
        on(UnitChanged, take_unit),
        on(WindowChanged, take_window),
        *ignore(DIRECTORY, "tongban.intake.staff-changed.v1"),
    )
