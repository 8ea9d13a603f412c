"""What people look at: the review form behind an invitation link, and rectifications for staff."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import FreeText
from tongban_common.errors import RuleViolation
from tongban_common.http import Now, Paged, Reads, Router, Tx, Who, no_store
from tongban_common.privacy import mask_text
from tongban_common.web import templates
from tongban_common.working_days import SHANGHAI
from tongban_evaluation import operations, queries
from tongban_evaluation.domain.invitation import AlreadyReviewed, InvitationExpired
from tongban_evaluation.domain.rectification import Status
from tongban_evaluation.domain.review import (
    Channel,
    CommentTooLong,
    CommentUnreadable,
    Opinion,
)
from tongban_evaluation.operations import Links
from tongban_evaluation.queries import Wanted
from tongban_evaluation.store.policies import RuleBook

pages = templates("tongban_evaluation")
router = Router(prefix="/evaluation", tags=["页面"])

STATUSES = {
    "opened": "待核实",
    "verified": "已核实",
    "rectified": "已整改",
    "called_back": "已回访",
    "closed": "已办结",
}
STAGES = {"verify": "核实", "rectify": "整改", "callback": "回访"}
ACTIONS = {
    "open": "差评开启整改",
    "verify": "核实",
    "rectify": "整改",
    "call_back": "回访",
    "close": "办结",
}
CAUSES = {
    "function": "功能缺失",
    "efficiency": "效率低下",
    "attitude": "态度生硬",
    "discipline": "纪律松弛",
    "integrity": "廉洁问题",
    "environment_mechanism": "环境、方式、机制",
}
GRADES = {"simple": "简单事项", "complex": "复杂事项"}
ANSWERS = {"satisfied": "满意", "unsatisfied": "不满意", "unreachable": "未能联系上"}
OUTCOMES = {"rectified": "已整改", "explained": "查不属实，已解释"}
WORDS = {
    "statuses": STATUSES,
    "stages": STAGES,
    "causes": CAUSES,
    "grades": GRADES,
    "answers": ANSWERS,
    "outcomes": OUTCOMES,
}


class Asked(BaseModel):
    """The level button that was pressed, and how the reviewer came here."""

    level: int | None = Field(default=None, ge=1, le=5)
    via: Channel = Channel.WEB


class ReviewForm(BaseModel):
    level: int = Field(ge=1, le=5)
    tags: list[FreeText] = Field(default_factory=list)
    comment: str = ""  # an unreadable one comes back in the form, with the others' faults
    via: Channel = Channel.WEB

    def opinion(self) -> Opinion:
        return Opinion(level=self.level, tags=self.tags, comment=self.comment, channel=self.via)


def _book(request: Request) -> RuleBook:
    book: RuleBook = request.app.state.book
    return book


def _links(request: Request) -> Links:
    links: Links = request.app.state.links
    return links


@router.get("/r/{token}", response_class=HTMLResponse, include_in_schema=False)
async def review_page(
    request: Request,
    token: str,
    reads: Reads,
    now: Now,
    who: Who,
    asked: Annotated[Asked, Query()],
) -> Response:
    """The form, the thanks of a used link, or why there is no form."""
    row = await queries.invitation_with_review(reads, _links(request).invitation(token))
    if row.level is not None:
        return await _thanks(request, row)
    if now > row.due_at:
        return _kept(pages.render(request, "review_expired.html", status=410, invitation=row))
    if who is not None:
        return _kept(pages.render(request, "review_staff.html", status=403, invitation=row))
    form = None if asked.level is None else ReviewForm(level=asked.level, via=asked.via)
    return await _form(request, row, form, via=asked.via, now=now)


@router.get("/t/{key}", include_in_schema=False)
async def review_of_ticket(request: Request, key: str, reads: Reads) -> Response:
    """From the citizen's own ticket, where he showed its number and code, to its review."""
    row = await queries.invitation_by_key(reads, key)
    return _kept(RedirectResponse(_links(request).link(row.id), status_code=303))


@router.post("/r/{token}", response_class=HTMLResponse, include_in_schema=False)
async def submit_review(
    request: Request,
    token: str,
    form: Annotated[ReviewForm, Form()],
    tx: Tx,
    now: Now,
    who: Who,
) -> Response:
    """Takes the form; whatever came of it is shown by the link itself."""
    links = _links(request)
    invitation_id = links.invitation(token)
    shown = RedirectResponse(links.link(invitation_id), status_code=303)
    if who is not None:
        return shown
    try:
        await operations.submit(
            tx, invitation_id=invitation_id, opinion=form.opinion(), book=_book(request), now=now
        )
    except (AlreadyReviewed, InvitationExpired):
        return shown
    except RuleViolation as refusal:
        row = await queries.invitation_with_review(tx.connection, invitation_id)
        field = "comment" if isinstance(refusal, CommentTooLong | CommentUnreadable) else "tags"
        return await _form(
            request, row, form, via=form.via, now=now, errors={field: refusal.message}
        )
    return shown


@router.get("/rectifications", response_class=HTMLResponse, include_in_schema=False)
async def rectifications_page(
    request: Request,
    page: Paged,
    reads: Reads,
    now: Now,
    status: Status | None = None,
    who: Principal = require("rectification:read"),
) -> Response:
    wanted = Wanted(unit_code=operations.scope_of(who), status=status)
    rows, following = await queries.rectifications(reads, wanted, page)
    scale = await _book(request).scale_on(now.astimezone(SHANGHAI).date())
    return _kept(
        pages.render(
            request,
            "rectifications.html",
            rows=rows,
            next=following,
            chosen=status,
            levels=scale.levels,
            words=WORDS,
        )
    )


@router.get(
    "/rectifications/{rectification_id}", response_class=HTMLResponse, include_in_schema=False
)
async def rectification_page(
    request: Request,
    rectification_id: UUID,
    reads: Reads,
    now: Now,
    who: Principal = require("rectification:read"),
) -> Response:
    book = _book(request)
    found = await queries.dossier(reads, rectification_id)
    operations.check_unit(operations.scope_of(who), found.row.unit_code)
    scale = await book.scale(found.row.tag_set_version)
    clocks = found.explained(await book.calendars.current(), now=now)
    return _kept(
        pages.render(
            request,
            "rectification.html",
            row=found.row,
            outcome=found.outcome,
            level=scale.level(found.row.level),
            tags=[scale.name_of(code) for code in found.row.tags],
            clocks=list(reversed(clocks)),
            history=[_entry(step) for step in found.steps],
            words=WORDS,
        )
    )


async def _form(
    request: Request,
    row: Any,
    form: ReviewForm | None,
    *,
    via: Channel,
    now: datetime,
    errors: Mapping[str, str] | None = None,
) -> Response:
    today = now.astimezone(SHANGHAI).date()
    scale = await _book(request).scale_on(today)
    return _kept(
        pages.render(
            request,
            "review.html",
            status=422 if errors else 200,
            invitation=row,
            levels=[scale.levels[number] for number in sorted(scale.levels, reverse=True)],
            form=form,
            chosen=None if form is None else scale.level(form.level),
            tags=() if form is None else scale.offered(form.level, today),
            comment_max=scale.comment_max,
            via=via,
            errors=errors or {},
        )
    )


async def _thanks(request: Request, row: Any) -> Response:
    """What was said, for anybody who holds the link: numbers of people are masked."""
    scale = await _book(request).scale(row.tag_set_version)
    return _kept(
        pages.render(
            request,
            "review_thanks.html",
            invitation=row,
            level=scale.level(row.level),
            tags=[scale.name_of(code) for code in row.tags],
            comment=None if row.comment is None else mask_text(row.comment),
        )
    )


def _entry(step: Any) -> dict[str, Any]:
    """One line of the history in words."""
    facts = step.facts
    parts = []
    if "is_factual" in facts:
        parts.append("属实" if facts["is_factual"] else "不属实")
        parts.append("诉求合理" if facts["is_reasonable"] else "诉求不合理")
    for key, words in (
        ("root_cause", CAUSES),
        ("grade", GRADES),
        ("answer", ANSWERS),
        ("outcome", OUTCOMES),
    ):
        if facts.get(key) is not None:
            parts.append(words[facts[key]])
    if facts.get("note"):
        parts.append(facts["note"])
    return {
        "at": step.at,
        "title": ACTIONS[step.action],
        "actor": step.actor or "",
        "note": "；".join(parts),
    }


def _kept(page: Response) -> Response:
    """A page about somebody's matter: no cache keeps it."""
    no_store(page)
    return page
