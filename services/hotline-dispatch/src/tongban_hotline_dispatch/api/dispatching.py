"""The dispatch catalogue (派单目录): its versions and their rules."""

from datetime import date, datetime
from typing import Annotated

from fastapi import File, Form, Path, UploadFile
from pydantic import BaseModel

from tongban_common.auth import Principal, require
from tongban_common.http import Now, Paged, Reads, Router, Tx, refusals
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.dispatching import BadDispatchCatalogue, Rule
from tongban_hotline_dispatch.domain.importing import BadFile
from tongban_hotline_dispatch.operations.dispatching import load_dispatch_rules
from tongban_hotline_dispatch.operations.matters import Load
from tongban_hotline_dispatch.store.dispatching import (
    DispatchCatalogueKnown,
    DispatchVersion,
    dispatch_rules,
    dispatch_versions,
)

router = Router(prefix="/hotline/v1/dispatch-catalogues", tags=["派单目录"])

MAY_READ = (require("matter:read"),)


class DispatchCatalogueView(BaseModel):
    version: int
    effective_from: date
    source: str
    rules: int
    loaded_at: datetime

    @classmethod
    def of(cls, version: DispatchVersion) -> "DispatchCatalogueView":
        return cls(
            version=version.version,
            effective_from=version.effective_from,
            source=version.source,
            rules=version.rules,
            loaded_at=version.loaded_at.astimezone(SHANGHAI),
        )


class RuleView(BaseModel):
    line: int
    matter_code: str | None
    places: list[str]
    keywords: list[str]
    unit_code: str
    basis: str
    valid_from: date | None
    valid_to: date | None

    @classmethod
    def of(cls, rule: Rule) -> "RuleView":
        return cls(
            line=rule.line,
            matter_code=rule.matter_code,
            places=list(rule.places),
            keywords=list(rule.keywords),
            unit_code=rule.unit_code,
            basis=rule.basis,
            valid_from=rule.valid_from,
            valid_to=rule.valid_to,
        )


class RulePageView(BaseModel):
    items: list[RuleView]
    next: str | None


@router.get("", summary="派单目录的各版本", dependencies=MAY_READ)
async def list_versions(reads: Reads) -> list[DispatchCatalogueView]:
    return [DispatchCatalogueView.of(each) for each in await dispatch_versions(reads)]


@router.get("/{version}/rules", summary="一个版本的规则", dependencies=MAY_READ)
async def list_rules(
    version: Annotated[int, Path(ge=1, le=1_000_000_000)], page: Paged, reads: Reads
) -> RulePageView:
    after = int(page.after[0]) if page.after else 0
    found = await dispatch_rules(reads, version, after=after, limit=page.limit)
    last = found[-1] if len(found) == page.limit else None
    return RulePageView(
        items=[RuleView.of(each) for each in found],
        next=last and page.next_cursor([last.line]),
    )


@router.post(
    "",
    status_code=201,
    summary="载入新版派单目录（CSV）",
    responses=refusals(BadFile, BadDispatchCatalogue, DispatchCatalogueKnown),
)
async def load_version(
    file: Annotated[UploadFile, File()],
    tx: Tx,
    now: Now,
    effective_from: Annotated[date | None, Form(description="施行日期；不填为今天")] = None,
    who: Principal = require("matter:load"),
) -> DispatchCatalogueView:
    """Taken whole or not at all: every bad row is named with its line."""
    load = Load(
        content=await file.read(),
        source=(file.filename or "")[:200],
        effective_from=effective_from or now.astimezone(SHANGHAI).date(),
        actor=who.subject,
    )
    return DispatchCatalogueView.of(await load_dispatch_rules(tx, load=load, now=now))
