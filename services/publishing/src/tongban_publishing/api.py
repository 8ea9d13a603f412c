"""HTTP in, HTTP out. Translates; decides nothing."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID
from xml.etree import ElementTree

from fastapi import Path, Response
from pydantic import AwareDatetime, BaseModel, Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.http import (
    ChangedMeanwhile,
    IfMatch,
    IfMatchMissing,
    Now,
    Paged,
    Reads,
    Router,
    Tx,
    refusals,
    tag,
)
from tongban_common.service import Parts
from tongban_common.working_days import SHANGHAI
from tongban_publishing import operations, queries
from tongban_publishing.domain.bulletin import (
    Bulletin,
    IllegalMove,
    Kind,
    ReasonMissing,
    SamePerson,
    Status,
)
from tongban_publishing.operations import Step
from tongban_publishing.queries import Withdrawn
from tongban_publishing.settings import PublishingSettings
from tongban_publishing.store import BulletinNotFound

router = Router(prefix="/publishing/v1/bulletins", tags=["通报"])
drafts = Router(prefix="/publishing/v1/drafts", tags=["通报"])
feed = Router(prefix="/publishing", tags=["订阅"])

_ATOM = "http://www.w3.org/2005/Atom"
_FEED_ENTRIES = 50
_UNFIT_FOR_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_MOVE_REFUSALS = (BulletinNotFound, IllegalMove, ChangedMeanwhile, IfMatchMissing)
BulletinId = Annotated[UUID, Path(description="通报标识")]


class WithdrawRequest(Body):
    reason: str = Field(min_length=1, max_length=500, description="撤回理由，将公开")


class BulletinView(BaseModel):
    id: UUID
    kind: Kind
    title: str
    period_code: str
    starts_on: date
    ends_on: date
    status: Status
    index_no: str | None
    due_at: AwareDatetime
    published_at: AwareDatetime | None
    version: int

    @classmethod
    def of(cls, bulletin: Bulletin) -> "BulletinView":
        return cls(
            id=bulletin.id,
            kind=bulletin.kind,
            title=bulletin.title,
            period_code=bulletin.period_code,
            starts_on=bulletin.starts_on,
            ends_on=bulletin.ends_on,
            status=bulletin.status,
            index_no=bulletin.index_no,
            due_at=bulletin.due_at.astimezone(SHANGHAI),
            published_at=_local(bulletin.published_at),
            version=bulletin.version,
        )


class ScoreView(BaseModel):
    scorecard_id: UUID
    window_name: str
    unit_name: str
    score: str
    grade: str
    rank: int | None


class ResultView(BaseModel):
    """A unit of the hotline's assessment."""

    unit_name: str
    group: str
    tier: str | None
    rank: int | None
    listed: str | None
    indicators: dict[str, str | None]
    needs_rectification: bool


class WholeBulletin(BulletinView):
    scores: list[ScoreView]
    results: list[ResultView]
    labels: dict[str, str]


class PageView(BaseModel):
    items: list[BulletinView]
    next: str | None


@router.get("", summary="已发布的通报")
async def list_published(page: Paged, reads: Reads) -> PageView:
    found = await queries.published(reads, page)
    last = found[-1] if len(found) == page.limit else None
    cursor = None
    if last is not None and last.published_at is not None:
        cursor = page.next_cursor([last.published_at.isoformat(), str(last.id)])
    return PageView(items=[BulletinView.of(each) for each in found], next=cursor)


@router.get("/{bulletin_id}", summary="一份通报", responses=refusals(BulletinNotFound, Withdrawn))
async def read(bulletin_id: BulletinId, response: Response, reads: Reads) -> WholeBulletin:
    bulletin = await queries.one_public(reads, bulletin_id)
    lines = await queries.scores(reads, bulletin_id)
    results = await queries.results(reads, bulletin_id)
    tag(response, bulletin.version)
    return WholeBulletin(
        **BulletinView.of(bulletin).model_dump(),
        results=[ResultView(**asdict(each)) for each in results],
        labels=dict(bulletin.labels),
        scores=[
            ScoreView(
                scorecard_id=each.scorecard_id,
                window_name=each.window_name,
                unit_name=each.unit_name,
                score=f"{each.score.normalize():f}",
                grade=each.grade,
                rank=each.rank,
            )
            for each in lines
        ],
    )


@drafts.get("", summary="待审查和待签发的通报")
async def list_drafts(reads: Reads, _: Principal = require("draft:read")) -> list[BulletinView]:
    return [BulletinView.of(each) for each in await queries.drafts(reads)]


@router.post("/{bulletin_id}/review", summary="保密审查", responses=refusals(*_MOVE_REFUSALS))
async def review(
    bulletin_id: BulletinId,
    expected: IfMatch,
    response: Response,
    tx: Tx,
    now: Now,
    who: Principal = require("bulletin:review"),
) -> BulletinView:
    step = Step(bulletin_id=bulletin_id, actor=who.subject, seen_version=expected)
    bulletin = await operations.review(tx, step=step, now=now)
    tag(response, bulletin.version)
    return BulletinView.of(bulletin)


@router.post(
    "/{bulletin_id}/approve", summary="签发", responses=refusals(*_MOVE_REFUSALS, SamePerson)
)
async def approve(
    bulletin_id: BulletinId,
    expected: IfMatch,
    response: Response,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("bulletin:approve"),
) -> BulletinView:
    step = Step(bulletin_id=bulletin_id, actor=who.subject, seen_version=expected)
    rules = await operations.rules_at(kit, now=now)
    bulletin = await operations.approve(tx, step=step, rules=rules, now=now)
    tag(response, bulletin.version)
    return BulletinView.of(bulletin)


@router.post(
    "/{bulletin_id}/withdraw", summary="撤回", responses=refusals(*_MOVE_REFUSALS, ReasonMissing)
)
async def withdraw(
    bulletin_id: BulletinId,
    body: WithdrawRequest,
    expected: IfMatch,
    response: Response,
    tx: Tx,
    now: Now,
    who: Principal = require("bulletin:withdraw"),
) -> BulletinView:
    step = Step(bulletin_id=bulletin_id, actor=who.subject, seen_version=expected)
    bulletin = await operations.withdraw(tx, step=step, reason=body.reason, now=now)
    tag(response, bulletin.version)
    return BulletinView.of(bulletin)


@feed.get("/feed.atom", summary="通报订阅（Atom）", response_class=Response)
async def atom(reads: Reads, kit: Parts, now: Now) -> Response:
    settings = kit.settings
    base = settings.public_url if isinstance(settings, PublishingSettings) else ""
    found = await queries.news(reads, _FEED_ENTRIES)
    return Response(_feed(found, base.rstrip("/"), now), media_type="application/atom+xml")


def _feed(bulletins: Sequence[Bulletin], base: str, now: datetime) -> bytes:
    """Withdrawn entries keep their id, so that a reader replaces what it holds."""
    ElementTree.register_namespace("", _ATOM)
    root = ElementTree.Element(f"{{{_ATOM}}}feed")
    _add(root, "id", "urn:tongban:publishing:bulletins")
    _add(root, "title", "政务服务通报")
    _add(root, "updated", _instant(max((_changed(each) for each in bulletins), default=now)))
    _link(root, f"{base}/publishing/feed.atom", "self")
    author = ElementTree.SubElement(root, f"{{{_ATOM}}}author")
    _add(author, "name", "通办 · 政务服务")
    for each in bulletins:
        _entry(root, each, base)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _entry(root: ElementTree.Element, bulletin: Bulletin, base: str) -> None:
    entry = ElementTree.SubElement(root, f"{{{_ATOM}}}entry")
    is_withdrawn = bulletin.status is Status.WITHDRAWN
    _add(entry, "id", f"urn:uuid:{bulletin.id}")
    _add(entry, "title", f"已撤回：{bulletin.title}" if is_withdrawn else bulletin.title)
    _add(entry, "updated", _instant(_changed(bulletin)))
    _add(entry, "published", _instant(bulletin.published_at or bulletin.drafted_at))
    said = f"撤回理由：{bulletin.withdrawal}" if is_withdrawn else f"索引号：{bulletin.index_no}"
    _add(entry, "summary", said)
    _link(entry, f"{base}/publishing/bulletins/{bulletin.id}", "alternate")


def _add(parent: ElementTree.Element, tag_name: str, value: str) -> None:
    text = _UNFIT_FOR_XML.sub("", value)
    ElementTree.SubElement(parent, f"{{{_ATOM}}}{tag_name}").text = text


def _link(parent: ElementTree.Element, href: str, rel: str) -> None:
    ElementTree.SubElement(parent, f"{{{_ATOM}}}link", href=href, rel=rel)


def _changed(bulletin: Bulletin) -> datetime:
    return bulletin.withdrawn_at or bulletin.published_at or bulletin.drafted_at


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _local(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(SHANGHAI)
