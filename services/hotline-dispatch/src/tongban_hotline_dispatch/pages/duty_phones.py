"""The duty phones of the units: the list, the form of one, and a file of many."""

from typing import Annotated

from fastapi import Form, Query, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tongban_common.auth import Principal, require
from tongban_common.http import Now, Router, Tx, no_store
from tongban_common.privacy import Sealer
from tongban_common.service import Kit, Parts
from tongban_common.web import templates
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.domain.importing import PHONE, BadFile
from tongban_hotline_dispatch.operations import acts_for, duty_phones
from tongban_hotline_dispatch.operations.contacts import ContactStep
from tongban_hotline_dispatch.store import duty_phones as stored

router = Router(prefix="/hotline/contacts/duty-phones")
pages = templates("tongban_hotline_dispatch")


@router.get("", response_class=HTMLResponse, include_in_schema=False)
async def phone_list(
    request: Request,
    now: Now,
    kit: Parts,
    said: Annotated[str, Query(max_length=20)] = "",
    who: Principal = require("contact:read"),
) -> HTMLResponse:
    flash = "已备案" if said == "filed" else None
    return await _shown(request, kit, now, who, flash=flash)


@router.post("", response_class=HTMLResponse, include_in_schema=False)
async def file(
    tx: Tx,
    now: Now,
    kit: Parts,
    phone: Annotated[str, Form(pattern=rf"{PHONE}|^$")] = "",
    unit_code: Annotated[str, Form(max_length=64, pattern=r"^[^\x00]*$")] = "",
    who: Principal = require("contact:file"),
) -> Response:
    """Without a number: taken away."""
    await duty_phones.file(
        tx,
        unit_code=acts_for(who) or unit_code,
        phone=phone or None,
        step=ContactStep(actor=who.subject, unit=acts_for(who)),
        sealer=Sealer(kit.secret),
        now=now,
    )
    return RedirectResponse("/hotline/contacts/duty-phones?said=filed", status_code=303)


@router.post("/import", response_class=HTMLResponse, include_in_schema=False)
async def import_file(
    request: Request,
    file: UploadFile,
    now: Now,
    kit: Parts,
    who: Principal = require("contact:file"),
) -> HTMLResponse:
    step = ContactStep(actor=who.subject, unit=acts_for(who))
    try:
        rows = await duty_phones.import_file(kit, content=await file.read(), step=step, now=now)
    except BadFile as refusal:
        return await _shown(request, kit, now, who, status=400, fault=refusal.message)
    return await _shown(request, kit, now, who, rows=rows)


async def _shown(
    request: Request, kit: Kit, now: Now, who: Principal, *, status: int = 200, **more: object
) -> HTMLResponse:
    async with kit.db.reading() as reads:
        found = await stored.duty_phones(
            reads, unit_code=acts_for(who), page=None, at=now, sealer=Sealer(kit.secret)
        )
        units = await queries.units(reads)
    shown = pages.render(
        request,
        "duty_phones.html",
        status=status,
        phones=found,
        units=units,
        unit=acts_for(who),
        may_file=who.may("contact:file"),
        columns=duty_phones.COLUMNS.values(),
        **{"rows": (), "fault": None, "flash": None, **more},
    )
    no_store(shown)
    return shown
