"""The monthly bulletins: the list with what may be made, and one as it is printed."""

from decimal import Decimal
from typing import Annotated

from fastapi import Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tongban_common.auth import Principal, require
from tongban_common.http import Now, Paged, Reads, Router, Tx
from tongban_common.service import Parts
from tongban_hotline_dispatch.domain.assessment import Indicator
from tongban_hotline_dispatch.domain.bulletins import month_of
from tongban_hotline_dispatch.operations import bulletins
from tongban_hotline_dispatch.pages.desks import pages
from tongban_hotline_dispatch.store import bulletins as stored

router = Router(prefix="/hotline/bulletins")
# What a bulletin shows of each unit besides its counts, in this order.
_RATES = (
    Indicator.ON_TIME_CLOSE,
    Indicator.RESOLUTION,
    Indicator.SATISFACTION,
    Indicator.KNOWLEDGE,
)


@router.get("", response_class=HTMLResponse, include_in_schema=False)
async def bulletin_list(
    request: Request,
    page: Paged,
    reads: Reads,
    who: Principal = require("assessment:read"),
) -> HTMLResponse:
    found = await stored.bulletins(reads, page)
    last = found[-1] if len(found) == page.limit else None
    return pages.render(
        request,
        "bulletins.html",
        bulletins=found,
        may_make=who.may("assessment:run"),
        next_cursor=last and page.next_cursor(last.key),
    )


@router.post("", response_class=HTMLResponse, include_in_schema=False)
async def make(
    period: Annotated[str, Form(max_length=10)],
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("assessment:run"),
) -> Response:
    made = await bulletins.make(tx, kit, period=month_of(period), actor=who.subject, now=now)
    where = f"{router.prefix}/{made.period.code}?version={made.version}"
    return RedirectResponse(where, status_code=303)


@router.get("/{period}", response_class=HTMLResponse, include_in_schema=False)
async def one(
    request: Request,
    period: str,
    reads: Reads,
    version: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
    _: Principal = require("assessment:read"),
) -> HTMLResponse:
    found = await stored.one(reads, month_of(period), version)
    names = found.document.names
    return pages.render(
        request,
        "bulletin.html",
        bulletin=found,
        document=found.document,
        rates=[(code.value, names[code]) for code in _RATES if code in names],
        decimal=Decimal,
        listed={"red": "红榜", "black": "黑榜"},
    )
