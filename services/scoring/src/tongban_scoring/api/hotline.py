"""What the hotline's assessment said of a unit, beside the points of its windows."""

from dataclasses import asdict
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Path
from pydantic import BaseModel

from tongban_common.auth import Principal, require
from tongban_common.http import Paged, Reads, Router
from tongban_scoring import queries

router = Router(prefix="/scoring/v1/hotline-results", tags=["热线考核结果"])


class HotlineResultView(BaseModel):
    assessment_id: UUID
    unit_code: str
    period_code: str
    starts_on: date
    ends_on: date
    policy_version: int
    run: int
    group: str
    tier: str | None
    indicators: dict[str, str | None]
    needs_rectification: bool


class HotlineResultPage(BaseModel):
    items: list[HotlineResultView]
    next: str | None


@router.get("/{unit_code}", summary="单位的热线考核结果")
async def of_unit(
    unit_code: Annotated[str, Path(max_length=64, description="单位编码")],
    page: Paged,
    reads: Reads,
    _: Principal = require("entry:read"),
) -> HotlineResultPage:
    found = await queries.hotline_results(reads, unit_code, page)
    last = found[-1] if len(found) == page.limit else None
    key = None if last is None else [last.starts_on.isoformat(), str(last.assessment_id)]
    return HotlineResultPage(
        items=[HotlineResultView(**asdict(each)) for each in found],
        next=None if key is None else page.next_cursor(key),
    )
