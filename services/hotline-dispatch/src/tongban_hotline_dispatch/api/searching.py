"""Finding a ticket (查找工单): what is asked for stands in the body, never in an address."""

from typing import Annotated, Self
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field, model_validator

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.http import Now, Paged, Reads, Router, no_store
from tongban_common.privacy import Sealer
from tongban_common.service import Parts
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.api.tickets import InForce
from tongban_hotline_dispatch.api.views import LineView
from tongban_hotline_dispatch.domain.importing import PHONE
from tongban_hotline_dispatch.operations import viewer_of
from tongban_hotline_dispatch.operations.likeness_index import asked_words
from tongban_hotline_dispatch.store.likeness import phone_key
from tongban_hotline_dispatch.store.searching import by_number, by_person, by_words

router = Router(prefix="/hotline/v1", tags=["工单"])


class SearchRequest(Body):
    """One of the three."""

    number: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="工单编号，或者渠道给的编号"
    )
    phone: str | None = Field(default=None, pattern=PHONE, description="诉求人电话")
    text: Annotated[str, Field(min_length=2, max_length=200)] | None = Field(
        default=None, description="标题或内容里的话"
    )

    @model_validator(mode="after")
    def _asks_for_one(self) -> Self:
        if sum(each is not None for each in (self.number, self.phone, self.text)) != 1:
            raise ValueError("编号、电话、文字三者填写其一")
        return self


class FoundView(BaseModel):
    items: list[LineView]
    next: str | None


@router.post("/ticket-searches", summary="按编号、电话或文字查找工单")
async def search(
    body: SearchRequest,
    response: Response,
    rules: InForce,
    page: Paged,
    reads: Reads,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:search"),
) -> FoundView:
    """By phone: page by page, the newest first. By text: the ones that share most, one page."""
    no_store(response)
    goes_on = None
    found = list[UUID]()
    if body.number is not None:
        found = await by_number(reads, body.number)
    elif body.phone is not None:
        person = phone_key(Sealer(kit.secret), body.phone)
        before = int(page.after[0]) if page.after else None
        keyed = (
            [] if person is None else await by_person(reads, person, before=before, most=page.limit)
        )
        found = [ticket_id for ticket_id, _ in keyed]
        goes_on = page.next_cursor([keyed[-1][1]]) if len(keyed) == page.limit else None
    elif body.text is not None and rules.likeness is not None:
        asked = asked_words(body.text, rules.likeness)
        found = list(await by_words(reads, asked, rules.likeness))
    lines = await queries.lines(reads, found, seen_by=viewer_of(who))
    return FoundView(items=[LineView.of(each, now=now) for each in lines], next=goes_on)
