"""What to say when a matter takes another way, and the one key for emergencies."""

from typing import Annotated

from fastapi import Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tongban_common.auth import Principal, require
from tongban_common.bodies import FreeText
from tongban_common.clock import new_id
from tongban_common.http import Now, Router, Tx
from tongban_common.privacy import Sealer
from tongban_common.service import Parts
from tongban_common.web import templates
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.operations import Rules, dispositions
from tongban_hotline_dispatch.operations.dispositions import Emergency
from tongban_hotline_dispatch.store import Complainant

router = Router(prefix="/hotline")
pages = templates("tongban_hotline_dispatch")


async def _rules_in_force(kit: Parts, now: Now) -> Rules:
    return await operations.rules_at(kit, now=now)


# Stands before Tx where both are parameters: read before the transaction takes its connection.
InForce = Annotated[Rules, Depends(_rules_in_force)]


@router.get("/dispositions", response_class=HTMLResponse, include_in_schema=False)
async def disposition_list(
    request: Request, kit: Parts, now: Now, _: Principal = require("ticket:register")
) -> HTMLResponse:
    rules = await operations.rules_at(kit, now=now)
    found = dispositions.listed(rules)
    return pages.render(
        request,
        "dispositions.html",
        dispositions=found,
        lines={line: name for each in found for line, name in each.lines.items()},
    )


@router.post("/dispositions/emergency", response_class=HTMLResponse, include_in_schema=False)
async def emergency(
    rules: InForce,
    tx: Tx,
    now: Now,
    kit: Parts,
    line: Annotated[FreeText, Form(min_length=1, max_length=20)],
    words: Annotated[FreeText, Form(max_length=2000)] = "",
    who: Principal = require("ticket:register"),
) -> Response:
    call = Emergency(
        ticket_id=new_id(now), line=line, words=words, person=Complainant(), actor=who.subject
    )
    ticket = await dispositions.hand_over(
        tx, call=call, rules=rules, sealer=Sealer(kit.secret), now=now
    )
    return RedirectResponse(f"/hotline/tickets/{ticket.id}?said=done", status_code=303)
