"""What staff see of a ticket that came in through Open311: where it is, and what came after."""

from typing import Annotated
from uuid import UUID

from fastapi import Path
from pydantic import AwareDatetime, BaseModel

from tongban_common.auth import Principal, require
from tongban_common.http import Reads, Router, refusals
from tongban_common.privacy import mask_text
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.operations import viewer_of
from tongban_hotline_dispatch.store import TicketNotFound
from tongban_hotline_dispatch.store import open311_reads as reading
from tongban_hotline_dispatch.store.open311 import RequestNotFound

router = Router(prefix="/hotline/v1/tickets", tags=["Open311"])


class NewsView(BaseModel):
    client: str
    update_id: str
    status: str
    description: str
    media_url: str | None
    updated_at: AwareDatetime

    @classmethod
    def of(cls, line: reading.NewsLine) -> "NewsView":
        return cls(
            client=line.client,
            update_id=line.update_id,
            status=line.status,
            description=mask_text(line.description),
            media_url=line.media_url,
            updated_at=line.updated_at.astimezone(SHANGHAI),
        )


class Open311View(BaseModel):
    client: str
    service_code: str
    service_name: str
    address: str | None
    address_id: str | None
    lat: float | None
    long: float | None
    media_url: str | None
    news: list[NewsView]


@router.get(
    "/{ticket_id}/open311",
    summary="经Open311提交的地点、附件和后续消息",
    responses=refusals(TicketNotFound, RequestNotFound),
)
async def of_ticket(
    ticket_id: Annotated[UUID, Path(description="工单标识")],
    reads: Reads,
    who: Principal = require("ticket:read"),
) -> Open311View:
    await queries.one(reads, ticket_id, seen_by=viewer_of(who))
    found = await reading.of_ticket(reads, ticket_id)
    return Open311View(
        client=found.client,
        service_code=found.service_code,
        service_name=found.service_name,
        address=found.address,
        address_id=found.address_id,
        lat=None if found.lat is None else float(found.lat),
        long=None if found.long is None else float(found.long),
        media_url=found.media_url,
        news=[NewsView.of(each) for each in await reading.news(reads, ticket_id)],
    )
