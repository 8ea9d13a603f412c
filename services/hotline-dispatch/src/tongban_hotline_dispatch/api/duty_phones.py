"""The duty phones of the units: what is called where a unit has no contact in post."""

from typing import Annotated

from fastapi import Path, Query, Response, UploadFile
from pydantic import AwareDatetime, BaseModel, Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.http import Now, Paged, Reads, Router, Tx, no_store, refusals
from tongban_common.privacy import Sealer
from tongban_common.service import Parts
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.importing import PHONE, BadFile
from tongban_hotline_dispatch.operations import acts_for, duty_phones
from tongban_hotline_dispatch.operations.contacts import ContactStep, NotYourUnit
from tongban_hotline_dispatch.operations.duty_phones import BadDutyPhone, PhoneReport
from tongban_hotline_dispatch.operations.importing import Outcome
from tongban_hotline_dispatch.store import UnitNotFound
from tongban_hotline_dispatch.store import duty_phones as stored
from tongban_hotline_dispatch.store.duty_phones import DutyPhone

router = Router(prefix="/hotline/v1/duty-phones", tags=["承办单位联络人员"])
UnitCode = Annotated[str, Path(min_length=1, max_length=64, description="承办单位编码")]


class DutyPhoneRequest(Body):
    phone: str | None = Field(pattern=PHONE, description="单位值班电话；null为取消")


class DutyPhoneView(BaseModel):
    unit_code: str
    unit_name: str | None
    phone: str
    filed_at: AwareDatetime
    is_fallback: bool = Field(description="该单位没有在任联络人员，派单、催办改拨此电话")

    @classmethod
    def of(cls, one: DutyPhone) -> "DutyPhoneView":
        return cls(
            unit_code=one.unit_code,
            unit_name=one.unit_name,
            phone=one.phone,
            filed_at=one.filed_at.astimezone(SHANGHAI),
            is_fallback=one.is_fallback,
        )


class DutyPhonePage(BaseModel):
    items: list[DutyPhoneView]
    next: str | None


class PhoneRowView(BaseModel):
    line: int
    outcome: Outcome
    unit_code: str
    reason: str | None

    @classmethod
    def of(cls, row: PhoneReport) -> "PhoneRowView":
        return cls(line=row.line, outcome=row.outcome, unit_code=row.unit_code, reason=row.reason)


class PhoneImportView(BaseModel):
    taken: int
    refused: int
    rows: list[PhoneRowView]


@router.get("", summary="各单位值班电话")
async def list_duty_phones(
    page: Paged,
    response: Response,
    reads: Reads,
    now: Now,
    kit: Parts,
    unit: Annotated[str | None, Query(max_length=64, description="承办单位编码")] = None,
    who: Principal = require("contact:read"),
) -> DutyPhonePage:
    found = await stored.duty_phones(
        reads, unit_code=acts_for(who) or unit, page=page, at=now, sealer=Sealer(kit.secret)
    )
    no_store(response)
    last = found[-1] if len(found) == page.limit else None
    return DutyPhonePage(
        items=[DutyPhoneView.of(each) for each in found],
        next=last and page.next_cursor(last.key),
    )


@router.post("/import", summary="批量备案单位值班电话（CSV、XLSX）", responses=refusals(BadFile))
async def import_duty_phones(
    file: UploadFile,
    now: Now,
    kit: Parts,
    who: Principal = require("contact:file"),
) -> PhoneImportView:
    """Rows are taken each for itself: a bad one is named with its line, the rest are taken."""
    step = ContactStep(actor=who.subject, unit=acts_for(who))
    rows = await duty_phones.import_file(kit, content=await file.read(), step=step, now=now)
    taken = sum(each.outcome is Outcome.TAKEN for each in rows)
    return PhoneImportView(
        taken=taken, refused=len(rows) - taken, rows=[PhoneRowView.of(each) for each in rows]
    )


@router.put(
    "/{unit_code}",
    status_code=204,
    summary="备案单位值班电话",
    responses=refusals(UnitNotFound, NotYourUnit, BadDutyPhone),
)
async def file_duty_phone(
    unit_code: UnitCode,
    body: DutyPhoneRequest,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("contact:file"),
) -> None:
    await duty_phones.file(
        tx,
        unit_code=unit_code,
        phone=body.phone,
        step=ContactStep(actor=who.subject, unit=acts_for(who)),
        sealer=Sealer(kit.secret),
        now=now,
    )
