"""Where a message belongs: proposed to a person, and what the person then chose."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from tongban_common.auth import Principal, require
from tongban_common.http import Now, Reads, Router, Tx, no_store, refusals
from tongban_common.privacy import Sealer
from tongban_common.service import Parts
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.classifier import Guess, Message
from tongban_hotline_dispatch.domain.matters import MatterNotInForce
from tongban_hotline_dispatch.domain.moves import TicketArchived
from tongban_hotline_dispatch.domain.suggesting import Candidate, Source
from tongban_hotline_dispatch.operations.deciding import (
    BadSuggestion,
    Choice,
    NothingChosen,
    Receipts,
    decide,
)
from tongban_hotline_dispatch.operations.suggesting import Suggested, Suggester
from tongban_hotline_dispatch.store import TicketNotFound, UnitNotFound
from tongban_hotline_dispatch.store.routing import ROUTING, Proposed, confirmed_by_source

router = Router(prefix="/hotline/v1/suggestions", tags=["派单建议"])
decisions = Router(prefix="/hotline/v1/tickets", tags=["派单建议"])
figures = Router(prefix="/hotline/v1/routing-figures", tags=["派单建议"])


def _suggester(request: Request) -> Suggester:
    found: Suggester = request.app.state.suggester
    return found


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class SuggestRequest(_Request):
    title: str = Field(default="", max_length=200)
    content: str = Field(default="", max_length=20_000)
    place: str | None = Field(
        default=None, min_length=1, max_length=64, description="地点名称或区划编码"
    )


class CategoryView(BaseModel):
    label: str
    confidence: float
    words: list[str]
    source: Source = Source.CLASSIFIER

    @classmethod
    def of(cls, guess: Guess) -> "CategoryView":
        return cls(
            label=guess.label, confidence=round(guess.confidence, 4), words=list(guess.words)
        )


class CandidateView(BaseModel):
    """One that may be right. `words` are those of the message that spoke for it."""

    code: str
    name: str
    confidence: float
    words: list[str]
    source: Source
    basis: str

    @classmethod
    def of(cls, candidate: Candidate, name: str) -> "CandidateView":
        return cls(
            code=candidate.code,
            name=name,
            confidence=round(candidate.confidence, 4),
            words=list(candidate.words),
            source=candidate.source,
            basis=candidate.basis,
        )


class SuggestionView(BaseModel):
    """Best first. `receipt` goes with the decision, so that it says what was proposed."""

    categories: list[CategoryView]
    matters: list[CandidateView]
    units: list[CandidateView]
    made_with: dict[str, str]
    receipt: str

    @classmethod
    def of(cls, made: Suggested, receipt: str) -> "SuggestionView":
        found = made.suggestion
        return cls(
            categories=[CategoryView.of(each) for each in found.categories],
            matters=[
                CandidateView.of(each, made.matters[each.code].full_name) for each in found.matters
            ],
            units=[CandidateView.of(each, made.units[each.code]) for each in found.units],
            made_with=dict(made.made_with),
            receipt=receipt,
        )


class DecideRequest(_Request):
    matter_code: str | None = Field(default=None, min_length=1, max_length=64)
    unit_code: str | None = Field(default=None, min_length=1, max_length=64)
    receipt: str | None = Field(default=None, max_length=4000, description="建议的凭据")


class DecisionView(BaseModel):
    id: UUID
    ticket_id: UUID
    decided_at: str
    matter_code: str | None
    unit_code: str | None
    source: Source | None
    confidence: Decimal | None
    is_correction: bool | None


class ConfirmedView(BaseModel):
    source: Source
    decided: int
    confirmed: int
    share: float


@router.post("", summary="派单建议：事项与承办单位", dependencies=[require("routing:suggest")])
async def suggest(
    body: SuggestRequest,
    response: Response,
    now: Now,
    kit: Parts,
    suggester: Annotated[Suggester, Depends(_suggester)],
) -> SuggestionView:
    """Nothing is stored. The dispatch catalogue speaks first, then what was learnt from history."""
    message = Message(body.title, body.content)
    made = await suggester.suggest(message, place=body.place, now=now)
    no_store(response)
    return SuggestionView.of(made, Receipts(kit.secret).of(made, now=now))


@decisions.post(
    "/{ticket_id}/routing-decision",
    status_code=201,
    summary="记录人工选定的事项与承办单位",
    responses=refusals(
        TicketNotFound,
        TicketArchived,
        MatterNotInForce,
        UnitNotFound,
        BadSuggestion,
        NothingChosen,
    ),
)
async def record(
    ticket_id: Annotated[UUID, Path(description="工单标识")],
    body: DecideRequest,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("routing:decide"),
) -> DecisionView:
    """The ticket itself is not moved: dispatching it stays a step of its own."""
    proposed: Proposed | None = None
    if body.receipt is not None:
        policy = await kit.policy(ROUTING).at(now.astimezone(SHANGHAI).date())
        hours = policy.suggestion_hours.hours
        proposed = Receipts(kit.secret).read(body.receipt, at=now, hours=hours)
    choice = Choice(
        ticket_id=ticket_id,
        matter_code=body.matter_code,
        unit_code=body.unit_code,
        actor=who.subject,
    )
    made = await decide(tx, choice=choice, proposed=proposed, sealer=Sealer(kit.secret), now=now)
    return DecisionView(
        id=made.id,
        ticket_id=made.ticket_id,
        decided_at=made.decided_at.astimezone(SHANGHAI).isoformat(),
        matter_code=made.matter_code,
        unit_code=made.unit_code,
        source=proposed and proposed.source,
        confidence=proposed and proposed.confidence,
        is_correction=made.is_correction,
    )


@figures.get("", summary="建议被采纳的比例", dependencies=[require("routing:figures")])
async def read_figures(reads: Reads) -> list[ConfirmedView]:
    return [
        ConfirmedView(
            source=each.source,
            decided=each.decided,
            confirmed=each.confirmed,
            share=round(each.confirmed / each.decided, 4),
        )
        for each in await confirmed_by_source(reads)
    ]
