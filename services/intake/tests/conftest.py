"""The service under test, and a small city: 高安市 with its centre, a township and a park."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from tongban_common.db import Database
from tongban_common.events import Event
from tongban_common.outbox import outbox
from tongban_common.privacy import Sealer
from tongban_common.service import Kit, Service
from tongban_common.testing import Clock
from tongban_common.working_days import bundled
from tongban_intake import operations
from tongban_intake.domain.case import Applicant, Case
from tongban_intake.main import SERVICE
from tongban_intake.operations import Document, NewCase, Rules
from tongban_intake.store.policies import LIMITS

FOLDER = Path(__file__).parent / "documents"
FOOD = "114401134554137174444TC12049000"

Documents = Callable[[str], Document]
Accept = Callable[..., Awaitable[Case]]
Announced = Callable[..., Awaitable[list[dict[str, Any]]]]


@pytest.fixture(scope="session")
def service() -> Service:
    return SERVICE


@pytest.fixture
def sealer(kit: Kit) -> Sealer:
    return Sealer(kit.secret)


@pytest.fixture
def rules() -> Rules:
    return Rules(calendar=bundled(), limits=LIMITS.packaged().limits())


@pytest.fixture
def documents() -> Documents:
    def read(name: str) -> Document:
        return Document(name=name, content=(FOLDER / name).read_bytes())

    return read


@pytest.fixture
async def city(db: Database, documents: Documents, clock: Clock) -> None:
    """The directory and the catalogue of the documents, loaded."""
    async with db.transaction() as tx:
        document = documents("directory.yaml")
        await operations.load_directory(tx, document=document, now=clock.now)
    async with db.transaction() as tx:
        document = documents("catalogue.csv")
        await operations.load_catalogue(tx, document=document, now=clock.now)


@pytest.fixture
def accept(db: Database, sealer: Sealer, rules: Rules, clock: Clock, city: None) -> Accept:
    """Accept a case of the city at a moment: the clock's, unless another is given."""

    async def accepted(item_code: str = FOOD, *, at: datetime | None = None, **more: Any) -> Case:
        values = {"window_code": "GA-01", "staff_code": "S-001", **more}
        new = NewCase(
            case_id=uuid4(),
            query_code="7K3MPQ2W",
            item_code=item_code,
            applicant=Applicant(
                name="张三丰", id_type="111", id_number="36098319900101001X", phone="13812345678"
            ),
            actor="clerk-1",
            **values,
        )
        async with db.transaction() as tx:
            return await operations.accept(
                tx, new=new, rules=rules, sealer=sealer, now=at or clock.now
            )

    return accepted


@pytest.fixture
def announced(db: Database) -> Announced:
    """What the outbox holds of these types, in the order in which it happened."""

    async def read(*types: type[Event]) -> list[dict[str, Any]]:
        async with db.reading() as connection:
            rows = await connection.execute(
                select(outbox.c.data)
                .where(outbox.c.type.in_([each.type for each in types]))
                .order_by(outbox.c.time, outbox.c.stored_at, outbox.c.id)
            )
            return [row.data for row in rows]

    return read
