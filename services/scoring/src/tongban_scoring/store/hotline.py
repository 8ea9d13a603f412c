"""What the hotline said of its units: kept as it was told, of the last run of each period."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from tongban_common.db import Transaction
from tongban_scoring.store.reference import metadata

hotline_result = Table(
    "hotline_result",
    metadata,
    Column("assessment_id", Uuid, primary_key=True),
    Column("unit_code", Text, primary_key=True),
    Column("period_code", Text, nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date, nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("run", Integer, nullable=False),
    Column("group", Text, nullable=False),
    Column("tier", Text),
    Column("indicators", JSONB, nullable=False),
    Column("needs_rectification", Boolean, nullable=False),
)
Index(
    "ix_hotline_result_unit",
    hotline_result.c.unit_code,
    hotline_result.c.starts_on.desc(),
    hotline_result.c.assessment_id.desc(),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HotlineResult:
    """One unit in one period."""

    assessment_id: UUID
    unit_code: str
    period_code: str
    starts_on: date
    ends_on: date
    policy_version: int
    run: int
    group: str
    tier: str | None
    indicators: dict[str, Any]
    needs_rectification: bool


class HotlineResults:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def keep(self, assessment_id: UUID, run: int, found: Sequence[HotlineResult]) -> None:
        """In place of an earlier run; a unit that is no longer in it is gone."""
        table = hotline_result
        last = select(func.max(table.c.run)).where(table.c.assessment_id == assessment_id)
        known = (await self._tx.connection.execute(last)).scalar_one()
        if known is not None and known >= run:
            return
        await self._tx.connection.execute(
            delete(table).where(table.c.assessment_id == assessment_id)
        )
        if found:
            await self._tx.connection.execute(insert(table), [asdict(each) for each in found])
