"""Matters brought again by HTTP: shown while filing, urged, voted for, joined by the hundred."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Response
from pydantic import AwareDatetime, BaseModel, Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_common.http import (
    RECEIPT,
    IfMatch,
    Now,
    Paged,
    Pieces,
    Reads,
    Router,
    Tx,
    no_store,
    refusals,
    tag,
)
from tongban_common.privacy import Sealer, mask_text
from tongban_common.service import Parts
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.api.bulk import BulkView
from tongban_hotline_dispatch.api.tickets import (
    MOVE_REFUSALS,
    ElementsInForce,
    InForce,
    RegisterRequest,
    TicketId,
    step_of,
)
from tongban_hotline_dispatch.api.views import ProgressView, TicketView
from tongban_hotline_dispatch.domain.elements import ElementsMissing
from tongban_hotline_dispatch.domain.importing import PHONE
from tongban_hotline_dispatch.domain.moves import Status, TicketArchived
from tongban_hotline_dispatch.domain.process import UnknownReason
from tongban_hotline_dispatch.domain.repeats import (
    ADVICE_NAMES,
    REASON_NAMES,
    Advice,
    Likely,
    LikenessRules,
    Reason,
)
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import (
    Desk,
    Step,
    acts_for,
    hot_issues,
    likeness,
    viewer_of,
)
from tongban_hotline_dispatch.operations.bulk import MOST, Item, one_by_one
from tongban_hotline_dispatch.operations.likeness import RepeatedEnded, Suggestion
from tongban_hotline_dispatch.operations.likeness_index import matter_of
from tongban_hotline_dispatch.store import Complainant, TicketNotFound
from tongban_hotline_dispatch.store.likeness import Votes
from tongban_hotline_dispatch.store.tickets import AlreadyTakenIn

router = Router(prefix="/hotline/v1", tags=["重复与并单"])
_MOST_VOTES = 100_000_000


class DuplicatesRequest(Body):
    """What is known of the matter so far."""

    title: str = Field(default="", max_length=200)
    content: str = Field(default="", max_length=20_000)
    matter_code: str | None = Field(default=None, min_length=1, max_length=64)
    phone: str | None = Field(default=None, pattern=PHONE)
    address: str | None = Field(default=None, max_length=300)


class ReasonView(BaseModel):
    code: Reason
    name: str
    clause: str


class LikelyView(BaseModel):
    """An earlier ticket that may be about the same, and why."""

    ticket_id: UUID
    ticket_no: str
    title: str
    status: Status
    is_open: bool
    unit_code: str | None
    registered_at: AwareDatetime
    version: int
    reasons: list[ReasonView]
    score: float = Field(description="文字相似度，0至1")
    words: list[str] = Field(description="起作用的词")
    advice: Advice
    advice_words: str

    @classmethod
    def of(cls, likely: Likely, rules: LikenessRules) -> "LikelyView":
        earlier = likely.earlier
        return cls(
            ticket_id=earlier.ticket_id,
            ticket_no=earlier.ticket_no,
            title=mask_text(earlier.title),
            status=earlier.status,
            is_open=earlier.is_open,
            unit_code=earlier.unit_code,
            registered_at=earlier.registered_at.astimezone(SHANGHAI),
            version=earlier.version,
            reasons=[
                ReasonView(code=each, name=REASON_NAMES[each], clause=rules.clauses[each])
                for each in likely.reasons
            ],
            score=round(likely.score, 3),
            words=[mask_text(word, whole=True) for word in likely.words],
            advice=likely.advice,
            advice_words=ADVICE_NAMES[likely.advice],
        )


class FilingRequest(RegisterRequest):
    new_facts: str | None = Field(
        default=None, min_length=1, max_length=20_000, description="较原工单新增的事实"
    )


class FilingView(BaseModel):
    """登记为新工单, or 不另立工单: then the progress of the one that is there."""

    is_new: bool
    ticket_id: UUID
    version: int
    query_code: str | None = Field(description="只在登记新工单时给出")
    repeats: int | None = Field(description="原工单被重复反映的次数")
    reopened_from: UUID | None = Field(description="关联的已办结工单")
    progress: ProgressView


class RepeatRequest(Body):
    new_facts: str | None = Field(
        default=None, min_length=1, max_length=20_000, description="新的事实；没有则只催办"
    )


class RepeatView(BaseModel):
    ticket: TicketView
    repeats: int
    progress: ProgressView


class VotesRequest(Body):
    supports: int = Field(ge=0, le=_MOST_VOTES, description="点赞数")
    opposes: int = Field(default=0, ge=0, le=_MOST_VOTES, description="反对数")


class MergeItem(Body):
    ticket_id: UUID
    version: int | None = Field(default=None, ge=1, description="所见版本；不给出则不核对")


class BulkMergeRequest(Body):
    parent_id: UUID = Field(description="主单标识")
    items: list[MergeItem] = Field(min_length=1, max_length=MOST)


class SuggestedView(BaseModel):
    ticket_id: UUID
    ticket_no: str
    title: str
    status: Status
    unit_code: str | None
    registered_at: AwareDatetime
    version: int


class SuggestionView(BaseModel):
    """Tickets that are nearly the same, and which of them to keep as the parent."""

    parent: SuggestedView
    children: list[SuggestedView]

    @classmethod
    def of(cls, found: Suggestion) -> "SuggestionView":
        shown = [
            SuggestedView(
                ticket_id=each.ticket_id,
                ticket_no=each.ticket_no,
                title=mask_text(each.title),
                status=each.status,
                unit_code=each.unit_code,
                registered_at=each.registered_at.astimezone(SHANGHAI),
                version=each.version,
            )
            for each in (found.parent, *found.children)
        ]
        return cls(parent=shown[0], children=shown[1:])


class SuggestionsView(BaseModel):
    items: list[SuggestionView]
    next: str | None


@router.post("/duplicates", summary="查找可能重复的工单")
async def duplicates(
    body: DuplicatesRequest,
    response: Response,
    reads: Reads,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:register"),
) -> list[LikelyView]:
    """Posted, so that phone and address stay out of addresses and logs."""
    rules = await hot_issues.rules_of(kit, now=now)
    matter = matter_of(
        body.title,
        body.content,
        body.matter_code,
        Complainant(phone=body.phone, address=body.address),
        rules=rules,
        sealer=Sealer(kit.secret),
    )
    found = await likeness.duplicates(reads, matter, rules, viewer=viewer_of(who), now=now)
    no_store(response)
    return [LikelyView.of(each, rules) for each in found]


@router.post(
    "/filings",
    status_code=201,
    summary="登记诉求；同一人同一事项在办的，不另立工单",
    responses=refusals(AlreadyTakenIn, UnknownReason, ElementsMissing),
    dependencies=[RECEIPT],
)
async def file(
    body: FilingRequest,
    response: Response,
    rules: InForce,
    elements: ElementsInForce,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:register"),
) -> FilingView:
    new = registration(body, who, new_id(now))
    new.check(elements)
    filed = await likeness.file(
        tx, new=new, new_facts=body.new_facts, rules=rules, sealer=Sealer(kit.secret), now=now
    )
    no_store(response)
    tag(response, filed.ticket.version)
    is_new = filed.repeats is None
    return FilingView(
        is_new=is_new,
        ticket_id=filed.ticket.id,
        version=filed.ticket.version,
        query_code=filed.ticket.query_code if is_new else None,
        repeats=filed.repeats,
        reopened_from=filed.earlier_id,
        progress=ProgressView.of(filed.ticket),
    )


@router.post(
    "/tickets/{ticket_id}/repeat",
    summary="重复反映：催办并告知进展，有新事实的补充",
    responses=refusals(*MOVE_REFUSALS, RepeatedEnded),
)
async def repeat(
    ticket_id: TicketId,
    body: RepeatRequest,
    expected: IfMatch,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:intake"),
) -> RepeatView:
    ticket, repeats = await likeness.repeat(
        tx, step=step_of(ticket_id, who, expected), new_facts=body.new_facts, rules=rules, now=now
    )
    tag(response, ticket.version)
    return RepeatView(
        ticket=TicketView.of(ticket, now=now),
        repeats=repeats,
        progress=ProgressView.of(ticket),
    )


@router.put(
    "/tickets/{ticket_id}/votes",
    status_code=204,
    summary="登记留言的点赞和反对数",
    responses=refusals(TicketNotFound, TicketArchived),
)
async def set_votes(
    ticket_id: Annotated[UUID, Path(description="工单标识")],
    body: VotesRequest,
    rules: InForce,
    tx: Tx,
    now: Now,
    _: Principal = require("ticket:intake"),
) -> None:
    """As the platform counts them now."""
    votes = Votes(supports=body.supports, opposes=body.opposes)
    await likeness.set_votes(tx, ticket_id, votes, rules=rules, now=now)


@router.get("/merge-suggestions", summary="建议并单")
async def merge_suggestions(
    page: Paged, reads: Reads, who: Principal = require("ticket:assign")
) -> SuggestionsView:
    """Groups of open tickets that are nearly the same, the newest first."""
    found = await likeness.suggestions(
        reads, viewer=viewer_of(who), after=page.after, limit=page.limit
    )
    return SuggestionsView(
        items=[SuggestionView.of(each) for each in found],
        next=page.next_cursor(found[-1].key) if len(found) == page.limit else None,
    )


@router.post("/tickets/bulk/merge", summary="批量并单")
async def bulk_merge(
    body: BulkMergeRequest,
    rules: InForce,
    now: Now,
    kit: Parts,
    pieces: Pieces,
    who: Principal = require("ticket:merge"),
) -> BulkView:
    """Each for itself; whoever is joined is still answered and called back."""

    async def move(tx: Transaction, item: Item[MergeItem]) -> Ticket:
        step = Step(
            ticket_id=item.ticket_id,
            actor=who.subject,
            unit=acts_for(who),
            seen_version=item.wanted.version,
        )
        return await Desk(tx, step=step, rules=rules, now=now).merge(body.parent_id)

    items = [Item(ticket_id=each.ticket_id, wanted=each) for each in body.items]
    return BulkView.of(await one_by_one(kit, items, move, pieces))


def registration(body: RegisterRequest, who: Principal, ticket_id: UUID) -> operations.Registration:
    person = body.person
    return operations.Registration(
        ticket_id=ticket_id,
        query_code=operations.new_query_code(),
        appeal=body.appeal(),
        person=Complainant(**person.model_dump()),
        actor=who.subject,
        wants_reply=body.wants_reply,
        wants_callback=body.wants_callback,
        target_unit=body.target_unit_code,
        hides_identity=body.hides_identity,
        lacks_facts=body.lacks_facts,
        disposition=body.disposition,
        line=body.line,
        answer=body.answer,
        details=body.details(),
    )
