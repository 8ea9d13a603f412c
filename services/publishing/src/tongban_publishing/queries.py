"""Read models of publishing for GET: no locks, no moves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.errors import Gone
from tongban_common.http import PageRequest
from tongban_common.working_days import SHANGHAI
from tongban_publishing.domain.bulletin import Bulletin, Status
from tongban_publishing.store import (
    BulletinNotFound,
    bulletin,
    bulletin_result,
    bulletin_score,
    name,
)
from tongban_publishing.store.bulletins import bulletin_of

PUBLIC = (Status.PUBLISHED, Status.WITHDRAWN)


class Withdrawn(Gone):
    code = "bulletin.withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultLine:
    """One unit of the hotline's assessment; lists keep the groups apart."""

    unit_name: str
    group: str
    tier: str | None
    rank: int | None
    listed: str | None
    indicators: Mapping[str, str | None]
    needs_rectification: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreLine:
    scorecard_id: UUID
    window_name: str
    unit_name: str
    score: Decimal
    grade: str
    rank: int | None


async def published(reads: AsyncConnection, page: PageRequest) -> Sequence[Bulletin]:
    """The latest first; without scores, and without what was withdrawn."""
    order = (bulletin.c.published_at, bulletin.c.id)
    statement = (
        select(bulletin)
        .where(bulletin.c.status == Status.PUBLISHED)
        .order_by(*(each.desc() for each in order))
        .limit(page.limit)
    )
    if page.after is not None:
        at, bulletin_id = page.after
        statement = statement.where(
            tuple_(*order) < (datetime.fromisoformat(at), UUID(bulletin_id))
        )
    return [bulletin_of(row, ()) for row in await reads.execute(statement)]


async def latest(reads: AsyncConnection, limit: int) -> Sequence[Bulletin]:
    """The newest that can be read, for the portal."""
    rows = await reads.execute(
        select(bulletin)
        .where(bulletin.c.status == Status.PUBLISHED)
        .order_by(bulletin.c.published_at.desc(), bulletin.c.id.desc())
        .limit(limit)
    )
    return [bulletin_of(row, ()) for row in rows]


async def news(reads: AsyncConnection, limit: int) -> Sequence[Bulletin]:
    """What the feed tells, the last change first: the withdrawal of an old one is news too."""
    changed_at = func.coalesce(bulletin.c.withdrawn_at, bulletin.c.published_at)
    rows = await reads.execute(
        select(bulletin)
        .where(bulletin.c.status.in_(PUBLIC))
        .order_by(changed_at.desc(), bulletin.c.id.desc())
        .limit(limit)
    )
    return [bulletin_of(row, ()) for row in rows]


async def drafts(reads: AsyncConnection) -> Sequence[Bulletin]:
    """What waits for somebody, the oldest first."""
    rows = await reads.execute(
        select(bulletin)
        .where(bulletin.c.status.in_((Status.DRAFT, Status.REVIEWED)))
        .order_by(bulletin.c.drafted_at)
    )
    return [bulletin_of(row, ()) for row in rows]


async def one(reads: AsyncConnection, bulletin_id: UUID) -> Bulletin:
    """For staff: in any status. Raises BulletinNotFound."""
    row = (await reads.execute(select(bulletin).where(bulletin.c.id == bulletin_id))).one_or_none()
    if row is None:
        raise BulletinNotFound("没有这份通报")
    return bulletin_of(row, ())


async def one_public(reads: AsyncConnection, bulletin_id: UUID) -> Bulletin:
    """Raises BulletinNotFound for drafts, and Withdrawn with title, day and reason."""
    found = await one(reads, bulletin_id)
    if found.status not in PUBLIC:
        raise BulletinNotFound("没有这份通报")
    if found.status is Status.WITHDRAWN and found.withdrawn_at is not None:
        day = found.withdrawn_at.astimezone(SHANGHAI)
        raise Withdrawn(
            f"《{found.title}》已于{day.year}年{day.month}月{day.day}日撤回：{found.withdrawal}",
            bulletin_title=found.title,
            withdrawn_on=day.date().isoformat(),
            reason=found.withdrawal,
        )
    return found


async def scores(reads: AsyncConnection, bulletin_id: UUID) -> Sequence[ScoreLine]:
    """The best first; what is not ranked comes last."""
    window, unit = name.alias("window_name"), name.alias("unit_name")
    rows = await reads.execute(
        select(
            bulletin_score,
            window.c.name.label("known_window"),
            unit.c.name.label("known_unit"),
        )
        .select_from(
            bulletin_score.outerjoin(
                window,
                and_(window.c.kind == "window", window.c.code == bulletin_score.c.window_code),
            ).outerjoin(
                unit, and_(unit.c.kind == "unit", unit.c.code == bulletin_score.c.unit_code)
            )
        )
        .where(bulletin_score.c.bulletin_id == bulletin_id)
        .order_by(bulletin_score.c.rank.nulls_last(), bulletin_score.c.window_code)
    )
    return [_score(row) for row in rows]


async def results(reads: AsyncConnection, bulletin_id: UUID) -> Sequence[ResultLine]:
    """In the order in which they were told: by group, and by code in it; ranked ones by rank."""
    table = bulletin_result
    rows = await reads.execute(
        select(table, name.c.name.label("known"))
        .select_from(
            table.outerjoin(name, and_(name.c.kind == "unit", name.c.code == table.c.unit_code))
        )
        .where(table.c.bulletin_id == bulletin_id)
        .order_by(table.c.rank.nulls_last(), table.c.position)
    )
    return [
        ResultLine(
            unit_name=row.known or row.unit_code,
            group=row.group,
            tier=row.tier,
            rank=row.rank,
            listed=row.listed,
            indicators=row.indicators,
            needs_rectification=row.needs_rectification,
        )
        for row in rows
    ]


def _score(row: Any) -> ScoreLine:
    return ScoreLine(
        scorecard_id=row.scorecard_id,
        window_name=row.known_window or row.window_code,
        unit_name=row.known_unit or row.unit_code,
        score=row.score,
        grade=row.grade,
        rank=row.rank,
    )
