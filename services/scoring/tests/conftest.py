"""What the tests share: the facts that other services tell, and what scoring tells in turn."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Any, Protocol

import pytest
from sqlalchemy import select

from tongban_common.db import Database
from tongban_common.events import Envelope, shard_of
from tongban_common.outbox import outbox
from tongban_common.service import Kit, Service
from tongban_common.working_days import SHANGHAI
from tongban_scoring import operations
from tongban_scoring.domain.period import Period, quarter_of
from tongban_scoring.main import SERVICE
from tongban_scoring.operations import Finished
from tongban_scoring.store import entry

DIRECTORY = "tongban.intake.directory.v1"
QUARTER = quarter_of(date(2026, 7, 1))
Ledger = Callable[[], Awaitable[list[Any]]]
Announced = Callable[[], Awaitable[list[dict[str, Any]]]]
Finish = Callable[..., Awaitable[Finished]]


class Tell(Protocol):
    """Hands a fact to the inbox as its producer would: numbered, on a day of 2026."""

    async def __call__(
        self, topic: str, fact: str, subject: str, /, *, on: str = "07-01", **data: object
    ) -> Envelope: ...


@pytest.fixture(scope="session")
def service() -> Service:
    return SERVICE


@pytest.fixture
def tell(service: Service, kit: Kit) -> Tell:
    inbox = service.inbox(kit)
    numbers: Counter[tuple[str, int]] = Counter()

    async def one(
        topic: str, fact: str, subject: str, /, *, on: str = "07-01", **data: object
    ) -> Envelope:
        producer, shard = topic.split(".")[1], shard_of(subject)
        numbers[topic, shard] += 1
        envelope = Envelope(
            id=f"{topic}-{shard}-{numbers[topic, shard]}",
            source=f"/tongban/{producer}",
            type=f"tongban.{producer}.{fact}.v1",
            subject=subject,
            time=datetime.fromisoformat(f"2026-{on}T10:00").replace(tzinfo=SHANGHAI),
            topic=topic,
            shard=shard,
            n=numbers[topic, shard],
            data=data,
        )
        await inbox.apply([envelope])
        return envelope

    return one


@pytest.fixture
async def directory(tell: Tell) -> None:
    """Unit U1 with the windows W1 and W2, unit U2 with a closed window only."""
    for unit_code in ("U1", "U2"):
        await tell(
            DIRECTORY,
            "unit-changed",
            unit_code,
            unit_code=unit_code,
            name=f"{unit_code}局",
            kind="department",
            level="town",
            parent_code=None,
            division_code="330000000000",
            is_active=True,
        )
    for window_code, unit_code, is_active in (
        ("W0", "U1", False),
        ("W2", "U1", True),
        ("W1", "U1", True),
        ("W9", "U2", False),
    ):
        await tell(
            DIRECTORY,
            "window-changed",
            unit_code,
            window_code=window_code,
            unit_code=unit_code,
            name=f"{window_code}号窗口",
            kind="single",
            is_active=is_active,
        )


@pytest.fixture
def ledger(db: Database) -> Ledger:
    """Everything in the ledger, in the order of its rules."""

    async def read() -> list[Any]:
        async with db.reading() as connection:
            order = (entry.c.rule_id, entry.c.occurred_at, entry.c.quantity)
            return list(await connection.execute(select(entry).order_by(*order)))

    return read


@pytest.fixture
def announced(db: Database) -> Announced:
    """The data of what is committed for the others to hear, in order."""

    async def read() -> list[dict[str, Any]]:
        async with db.reading() as connection:
            rows = await connection.execute(select(outbox.c.data).order_by(outbox.c.stored_at))
            return list(rows.scalars())

    return read


@pytest.fixture
def finish(kit: Kit) -> Finish:
    """Ends a period as the people of the edge do: by the rules of its last day."""

    async def end(period: Period = QUARTER, *, now: datetime | None = None) -> Finished:
        rules = await operations.rules_at(kit, now=period.last_moment)
        async with kit.db.transaction() as tx:
            return await operations.finish_period(
                tx, period=period, rules=rules, now=now or period.end
            )

    return end
