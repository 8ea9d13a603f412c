"""Red-line cases: opened by a scorecard or by an inspector, decided once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Integer,
    Table,
    Text,
    Uuid,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from tongban_common.db import Transaction
from tongban_common.errors import NotFound
from tongban_scoring.domain.entries import Evidence
from tongban_scoring.domain.red_lines import Case, CaseState
from tongban_scoring.store.ledger import evidence_of
from tongban_scoring.store.reference import metadata

red_line_case = Table(
    "red_line_case",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("scorecard_id", ForeignKey("scorecard.id")),  # none where an inspector opened it
    Column("red_line_id", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("window_code", Text, nullable=False),
    Column("staff_code", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("opened_by", Text),
    Column("evidence", JSONB),
    Column("decided_at", DateTime(timezone=True)),
    Column("decided_by", Text),
    Column("grounds", JSONB),
    Column("version", Integer, nullable=False, server_default="1"),
)


class RedLineCaseNotFound(NotFound):
    code = "redline.not_found"


class RedLineCases:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def add(
        self, cases: Sequence[Case], *, cards: Sequence[UUID | None], now: datetime
    ) -> None:
        """`cards` says for each case which scorecard opened it, if one did."""
        rows = [
            {
                "id": each.id,
                "scorecard_id": card_id,
                "red_line_id": each.red_line_id,
                "label": each.label,
                "window_code": each.window_code,
                "staff_code": each.staff_code,
                "state": each.state,
                "opened_at": now,
                "opened_by": each.opened_by,
                "evidence": None if each.evidence is None else each.evidence.values(),
            }
            for each, card_id in zip(cases, cards, strict=True)
        ]
        if rows:
            await self._tx.connection.execute(insert(red_line_case), rows)

    async def get(self, case_id: UUID) -> tuple[Case, int]:
        """Locks the case; with its version. Raises RedLineCaseNotFound."""
        rows = await self._tx.connection.execute(
            select(red_line_case).where(red_line_case.c.id == case_id).with_for_update()
        )
        row = rows.one_or_none()
        if row is None:
            raise RedLineCaseNotFound("没有这个红线案件")
        return case_of(row), row.version

    async def decide(self, case: Case, *, actor: str, grounds: Evidence, now: datetime) -> None:
        await self._tx.connection.execute(
            update(red_line_case)
            .where(red_line_case.c.id == case.id)
            .values(
                state=case.state,
                decided_at=now,
                decided_by=actor,
                grounds=grounds.values(),
                version=red_line_case.c.version + 1,
            )
        )


def case_of(row: Any) -> Case:
    return Case(
        id=row.id,
        red_line_id=row.red_line_id,
        label=row.label,
        window_code=row.window_code,
        staff_code=row.staff_code,
        state=CaseState(row.state),
        opened_by=row.opened_by,
        evidence=evidence_of(row.evidence),
    )
