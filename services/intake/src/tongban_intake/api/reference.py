"""The directory and the catalogue over HTTP: read by whoever applies, loaded by administrators."""

from datetime import date
from typing import Annotated

from fastapi import File, Query, UploadFile
from pydantic import BaseModel, ConfigDict

from tongban_common.auth import Principal, require
from tongban_common.http import BadCursor, Now, Paged, Reads, Router, Tx, refusals
from tongban_common.working_days import Unit
from tongban_intake import operations, queries
from tongban_intake.domain.catalogue import CaseKind, ItemType
from tongban_intake.domain.directory import Level, Role, UnitKind, WindowKind
from tongban_intake.operations import (
    Document,
    DocumentTooLarge,
    FaultyDocument,
    UnreadableDocument,
)

router = Router(prefix="/intake/v1", tags=["机构与事项"])

LOADING = refusals(UnreadableDocument, DocumentTooLarge, FaultyDocument)
LISTING = refusals(BadCursor)
UnitCode = Annotated[str | None, Query(alias="unit", max_length=64, description="机构编码")]
Upload = Annotated[UploadFile, File(description="UTF-8 编码的 .yaml 或 .csv 文件")]


class _View(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class DivisionView(_View):
    code: str
    name: str
    level: Level
    parent_code: str | None


class UnitView(_View):
    code: str
    name: str
    kind: UnitKind
    level: Level
    division_code: str
    parent_code: str | None
    is_active: bool


class WindowView(_View):
    code: str
    unit_code: str
    name: str
    kind: WindowKind
    is_active: bool


class StaffView(_View):
    code: str
    unit_code: str
    window_code: str | None
    role: Role
    is_active: bool


class ItemView(_View):
    code: str
    version: int
    name: str
    type: ItemType
    unit_code: str
    case_kind: CaseKind
    legal_amount: int | None
    legal_unit: Unit | None
    promise_amount: int | None
    promise_unit: Unit | None
    published_on: date
    cancelled_on: date | None


class DivisionPage(BaseModel):
    items: list[DivisionView]
    next: str | None


class UnitPage(BaseModel):
    items: list[UnitView]
    next: str | None


class WindowPage(BaseModel):
    items: list[WindowView]
    next: str | None


class StaffPage(BaseModel):
    items: list[StaffView]
    next: str | None


class ItemPage(BaseModel):
    items: list[ItemView]
    next: str | None


class LoadedView(_View):
    changed: dict[str, int]
    unchanged: int


@router.get("/divisions", summary="行政区划", responses=LISTING)
async def list_divisions(page: Paged, reads: Reads) -> DivisionPage:
    rows, following = await queries.list_divisions(reads, page)
    return DivisionPage(items=[DivisionView.model_validate(row) for row in rows], next=following)


@router.get("/units", summary="机构", responses=LISTING)
async def list_units(
    page: Paged,
    reads: Reads,
    level: Annotated[Level | None, Query(description="级别")] = None,
) -> UnitPage:
    rows, following = await queries.list_units(reads, page, level=level)
    return UnitPage(items=[UnitView.model_validate(row) for row in rows], next=following)


@router.get("/windows", summary="窗口", responses=LISTING)
async def list_windows(page: Paged, reads: Reads, unit: UnitCode = None) -> WindowPage:
    rows, following = await queries.list_windows(reads, page, unit_code=unit)
    return WindowPage(items=[WindowView.model_validate(row) for row in rows], next=following)


@router.get("/staff", summary="工作人员（编码，无姓名）", responses=LISTING)
async def list_staff(
    page: Paged,
    reads: Reads,
    unit: UnitCode = None,
    _: Principal = require("directory:read"),
) -> StaffPage:
    rows, following = await queries.list_staff(reads, page, unit_code=unit)
    return StaffPage(items=[StaffView.model_validate(row) for row in rows], next=following)


@router.get("/items", summary="今日可以申请的事项", responses=LISTING)
async def list_items(page: Paged, reads: Reads, now: Now) -> ItemPage:
    rows, following = await queries.list_items(reads, page, now=now)
    return ItemPage(items=[ItemView.model_validate(row) for row in rows], next=following)


@router.post("/directory", summary="载入机构目录", responses=LOADING)
async def load_directory(
    file: Upload, tx: Tx, now: Now, _: Principal = require("directory:load")
) -> LoadedView:
    document = await _document(file)
    loaded = await operations.load_directory(tx, document=document, now=now)
    return LoadedView.model_validate(loaded)


@router.post("/catalogue", summary="载入事项目录", responses=LOADING)
async def load_catalogue(
    file: Upload, tx: Tx, now: Now, _: Principal = require("catalogue:load")
) -> LoadedView:
    document = await _document(file)
    loaded = await operations.load_catalogue(tx, document=document, now=now)
    return LoadedView.model_validate(loaded)


async def _document(file: UploadFile) -> Document:
    return Document(name=file.filename or "", content=await file.read())
