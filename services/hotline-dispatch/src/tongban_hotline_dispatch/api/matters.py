"""The matter catalogue (事项目录) for those who file, dispatch and search."""

from datetime import date, datetime
from typing import Annotated

from fastapi import File, Form, Path, Query, UploadFile
from pydantic import BaseModel

from tongban_common.auth import Principal, require
from tongban_common.http import Now, Paged, Reads, Router, Tx, refusals
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.importing import BadFile
from tongban_hotline_dispatch.domain.matters import BadCatalogue, Matter, MatterNotFound
from tongban_hotline_dispatch.operations.matters import Load, load_matters
from tongban_hotline_dispatch.store.matters import (
    CatalogueKnown,
    CatalogueVersion,
    MatterFilters,
    matter_in,
    matter_version_at,
    matter_versions,
    matters,
)

router = Router(prefix="/hotline/v1/matters", tags=["事项目录"])
versions = Router(prefix="/hotline/v1/matter-catalogues", tags=["事项目录"])

MAY_READ = (require("matter:read"),)
OnDay = Annotated[date | None, Query(description="按哪一天的目录；不填为今天")]


class MatterView(BaseModel):
    """事项. `path` from the first level down to its own name."""

    code: str
    name: str
    path: list[str]
    parent_code: str | None
    level: int
    is_leaf: bool
    keywords: list[str]

    @classmethod
    def of(cls, matter: Matter) -> "MatterView":
        return cls(
            code=matter.code,
            name=matter.name,
            path=list(matter.path),
            parent_code=matter.parent_code,
            level=len(matter.path),
            is_leaf=matter.is_leaf,
            keywords=list(matter.keywords),
        )


class MatterPageView(BaseModel):
    version: int | None
    items: list[MatterView]
    next: str | None


class CatalogueView(BaseModel):
    version: int
    effective_from: date
    source: str
    matters: int
    leaves: int
    loaded_at: datetime

    @classmethod
    def of(cls, version: CatalogueVersion) -> "CatalogueView":
        return cls(
            version=version.version,
            effective_from=version.effective_from,
            source=version.source,
            matters=version.matters,
            leaves=version.leaves,
            loaded_at=version.loaded_at.astimezone(SHANGHAI),
        )


@router.get("", summary="事项：按上级、编码前缀或词查找", dependencies=MAY_READ)
async def list_matters(
    page: Paged,
    reads: Reads,
    now: Now,
    parent: Annotated[
        str | None, Query(max_length=64, description="上级编码；空串为第一级")
    ] = None,
    prefix: Annotated[str | None, Query(max_length=64, description="编码前缀")] = None,
    q: Annotated[str | None, Query(max_length=100, description="名称或关键词，空格隔开")] = None,
    leaf: Annotated[bool | None, Query(description="只要末级事项")] = None,
    on: OnDay = None,
) -> MatterPageView:
    version = await matter_version_at(reads, on or _today(now))
    if version is None:
        return MatterPageView(version=None, items=[], next=None)
    found = await matters(
        reads,
        version,
        MatterFilters(parent=parent, prefix=prefix, words=q, leaves_only=bool(leaf)),
        after=page.after[0] if page.after else None,
        limit=page.limit,
    )
    last = found[-1] if len(found) == page.limit else None
    return MatterPageView(
        version=version,
        items=[MatterView.of(each) for each in found],
        next=last and page.next_cursor([last.code]),
    )


@router.get(
    "/{code}",
    summary="一个事项",
    responses=refusals(MatterNotFound),
    dependencies=MAY_READ,
)
async def read(
    code: Annotated[str, Path(max_length=64)],
    reads: Reads,
    now: Now,
    on: OnDay = None,
) -> MatterView:
    version = await matter_version_at(reads, on or _today(now))
    return MatterView.of(await matter_in(reads, version, code))


@versions.get("", summary="事项目录的各版本", dependencies=MAY_READ)
async def list_versions(reads: Reads) -> list[CatalogueView]:
    return [CatalogueView.of(each) for each in await matter_versions(reads)]


@versions.post(
    "",
    status_code=201,
    summary="载入新版事项目录（CSV）",
    responses=refusals(BadFile, BadCatalogue, CatalogueKnown),
)
async def load_version(
    file: Annotated[UploadFile, File()],
    tx: Tx,
    now: Now,
    effective_from: Annotated[date | None, Form(description="施行日期；不填为今天")] = None,
    who: Principal = require("matter:load"),
) -> CatalogueView:
    """Taken whole or not at all: every bad row is named with its line."""
    load = Load(
        content=await file.read(),
        source=(file.filename or "")[:200],
        effective_from=effective_from or _today(now),
        actor=who.subject,
    )
    return CatalogueView.of(await load_matters(tx, load=load, now=now))


def _today(now: datetime) -> date:
    return now.astimezone(SHANGHAI).date()
