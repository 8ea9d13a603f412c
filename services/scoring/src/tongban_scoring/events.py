"""What scoring announces: the finished cards of a period, by window; no person is in them."""

from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from tongban_common.events import Event

PERIOD = "tongban.scoring.period.v1"


class FinishedCard(BaseModel):
    """One window's result. Scores are decimals as text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scorecard_id: UUID
    window_code: str
    unit_code: str
    score: str
    grade: str
    rank: int | None


class ScorecardsFinished(Event):
    """A period was assessed: every window that handled anything has its card."""

    type: ClassVar[str] = "tongban.scoring.scorecards-finished.v1"
    topic: ClassVar[str] = PERIOD
    key: ClassVar[str] = "period_id"

    period_id: UUID
    period_code: str
    starts_on: str
    ends_on: str
    rule_book: str
    rule_book_version: int
    scorecards: tuple[FinishedCard, ...]


PUBLISHED: tuple[type[Event], ...] = (ScorecardsFinished,)
