from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from tongban_common.db import Database
from tongban_common.events import Envelope, shard_of
from tongban_common.outbox import outbox
from tongban_common.service import Kit, Service
from tongban_common.testing import Client
from tongban_common.working_days import SHANGHAI
from tongban_publishing import operations
from tongban_publishing.domain.bulletin import Bulletin
from tongban_publishing.main import SERVICE
from tongban_publishing.operations import Step
from tongban_publishing.store import bulletin
from tongban_publishing.store.bulletins import bulletin_of

ENDED = datetime(2026, 7, 2, 9, 0, tzinfo=SHANGHAI)
PERIOD = "019807cd-0000-7000-8000-00000000000{}"

Card = Callable[..., dict[str, Any]]
Told = Callable[..., Envelope]
Drafted = Callable[..., Awaitable[Bulletin]]
Published = Callable[..., Awaitable[Bulletin]]
Announced = Callable[[], Awaitable[list[tuple[str, dict[str, Any]]]]]


@pytest.fixture(scope="session")
def service() -> Service:
    return SERVICE


@pytest.fixture
def secrecy(client: Client) -> Client:
    return client.as_("secrecy_reviewer", subject="r-1")


@pytest.fixture
def approver(client: Client) -> Client:
    return client.as_("approver", subject="a-1")


@pytest.fixture
def card() -> Card:
    """One window's result as scoring announces it."""

    def make(number: int, **more: Any) -> dict[str, Any]:
        return {
            "scorecard_id": f"019807cd-1111-7000-8000-{number:012}",
            "window_code": f"W{number:03}",
            "unit_code": "A1",
            "score": "97.5",
            "grade": "优秀",
            "rank": number,
            **more,
        }

    return make


@pytest.fixture
def finished(card: Card) -> Told:
    """The end of a period as scoring announces it."""

    def tell(n: int = 1, period: int = 1, **more: Any) -> Envelope:
        period_id = PERIOD.format(period)
        quarter_end = {1: date(2026, 6, 30), 2: date(2026, 9, 30), 3: date(2026, 12, 31)}[period]
        data = {
            "period_id": period_id,
            "period_code": f"2026Q{period + 1}",
            "starts_on": date(2026, quarter_end.month - 2, 1).isoformat(),
            "ends_on": quarter_end.isoformat(),
            "rule_book": "township",
            "rule_book_version": 1,
            "scorecards": [card(1), card(2, score="88", grade="良好")],
            **more,
        }
        return Envelope(
            id=f"s-{period}-{n}",
            source="/tongban/scoring",
            type="tongban.scoring.scorecards-finished.v1",
            subject=period_id,
            time=ENDED,
            topic="tongban.scoring.period.v1",
            shard=shard_of(period_id),
            n=n,
            data=data,
        )

    return tell


@pytest.fixture
def drafted(service: Service, kit: Kit, finished: Told) -> Drafted:
    """A bulletin made, as it always is, by the end of a period."""

    async def make(**more: Any) -> Bulletin:
        told = finished(**more)
        await service.inbox(kit).apply([told])
        async with kit.db.reading() as connection:
            rows = await connection.execute(
                select(bulletin).where(bulletin.c.period_id == UUID(told.subject))
            )
            return bulletin_of(rows.one(), ())

    return make


@pytest.fixture
def published(kit: Kit, drafted: Drafted) -> Published:
    async def make(at: datetime = ENDED, **more: Any) -> Bulletin:
        made = await drafted(**more)
        rules = await operations.rules_at(kit, now=at)
        async with kit.db.transaction() as tx:
            await operations.review(tx, step=Step(bulletin_id=made.id, actor="r-1"), now=at)
        async with kit.db.transaction() as tx:
            step = Step(bulletin_id=made.id, actor="a-1")
            return await operations.approve(tx, step=step, rules=rules, now=at)

    return make


@pytest.fixture
def announced(db: Database) -> Announced:
    """What is committed for the others to hear, in order: the fact and its data."""

    async def read() -> list[tuple[str, dict[str, Any]]]:
        async with db.reading() as connection:
            rows = await connection.execute(select(outbox).order_by(outbox.c.shard, outbox.c.n))
            return [(row.type.split(".")[2], row.data) for row in rows]

    return read
