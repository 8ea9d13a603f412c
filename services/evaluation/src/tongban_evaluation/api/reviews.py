"""Reviews by invitation, and the links of invitations."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from tongban_common import audit
from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.errors import Forbidden
from tongban_common.http import (
    LocalTime,
    Now,
    Reads,
    Router,
    Tx,
    Who,
    no_store,
    refusals,
)
from tongban_evaluation import operations, queries
from tongban_evaluation.domain.invitation import AlreadyReviewed, InvitationExpired, MatterKind
from tongban_evaluation.domain.review import (
    Channel,
    CommentTooLong,
    NotByThemselves,
    Opinion,
    ReasonMissing,
)
from tongban_evaluation.domain.tags import TagNotInForce, TagOfAnotherLevel, UnknownTag
from tongban_evaluation.operations import Links
from tongban_evaluation.store.policies import RuleBook
from tongban_evaluation.store.reviews import InvitationNotFound

router = Router(prefix="/evaluation/v1", tags=["评价"])


class StaffMayNotReview(Forbidden):
    code = "review.staff_may_not"


def _book(request: Request) -> RuleBook:
    book: RuleBook = request.app.state.book
    return book


def _links(request: Request) -> Links:
    links: Links = request.app.state.links
    return links


async def _invitation(matter_kind: MatterKind, matter_id: UUID, reads: Reads) -> Any:
    return await queries.invitation_for(reads, kind=matter_kind, matter_id=matter_id)


Book = Annotated[RuleBook, Depends(_book)]
Linked = Annotated[Links, Depends(_links)]


class View(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ReviewRequest(Body):
    token: str = Field(min_length=1, max_length=100, description="邀请链接中的令牌")
    level: int = Field(ge=1, le=5, description="5为非常满意，1为非常不满意")
    tags: list[str] = Field(default_factory=list, max_length=20, description="评价标签编码")
    comment: str | None = Field(default=None, max_length=10_000)
    channel: Channel = Channel.WEB


class ReviewView(View):
    id: UUID
    level: int
    tags: list[str]
    tag_set_version: int
    channel: Channel
    submitted_at: LocalTime


class InvitationView(View):
    id: UUID
    matter_kind: MatterKind
    matter_id: UUID
    title: str
    unit_code: str
    window_code: str | None
    start_at: LocalTime
    due_at: LocalTime
    used_at: LocalTime | None
    link: str


@router.post(
    "/reviews",
    status_code=201,
    summary="凭邀请评价",
    responses=refusals(
        InvitationNotFound,
        InvitationExpired,
        AlreadyReviewed,
        ReasonMissing,
        CommentTooLong,
        TagOfAnotherLevel,
        TagNotInForce,
        UnknownTag,
        StaffMayNotReview,
        NotByThemselves,
    ),
)
async def submit_review(
    body: ReviewRequest, tx: Tx, now: Now, who: Who, book: Book, links: Linked
) -> ReviewView:
    if who is not None:
        raise StaffMayNotReview("工作人员不能代替办事人评价")
    review = await operations.submit(
        tx,
        invitation_id=links.invitation(body.token),
        opinion=Opinion(
            level=body.level, tags=body.tags, comment=body.comment, channel=body.channel
        ),
        book=book,
        now=now,
    )
    return ReviewView(
        id=review.id,
        level=review.opinion.level,
        tags=list(review.opinion.tags),
        tag_set_version=review.scale_version,
        channel=review.opinion.channel,
        submitted_at=review.submitted_at,
    )


@router.get(
    "/invitations/{matter_kind}/{matter_id}",
    summary="一件事的评价邀请及其链接",
    responses=refusals(InvitationNotFound),
)
async def invitation(
    row: Annotated[Any, Depends(_invitation)],
    response: Response,
    tx: Tx,
    now: Now,
    links: Linked,
    who: Principal = require("invitation:read"),
) -> InvitationView:
    # whoever holds the link can review: that a member of staff saw it is kept
    await audit.record(
        tx, actor=who.subject, action="invitation.link_shown", subject=str(row.id), at=now
    )
    no_store(response)
    return InvitationView.model_validate({**row._asdict(), "link": links.link(row.id)})
