"""The tables of a case: its row, its moves, its applicant under seal, and the daily serials."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Row,
    RowMapping,
    Table,
    Text,
    Uuid,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from tongban_common.db import Transaction
from tongban_common.errors import NotFound
from tongban_common.privacy import Sealer
from tongban_common.working_days import Limit, Unit
from tongban_intake.domain.case import (
    Applicant,
    Case,
    Decision,
    DeliveryMethod,
    Grounds,
    RefusalReason,
    Result,
    Status,
)
from tongban_intake.domain.deadlines import Clock, Term
from tongban_intake.store.reference import metadata


def _term_columns(clock: Clock, *, nullable: bool) -> list[Column[Any]]:
    return [
        Column(f"{clock}_amount", Integer, nullable=nullable),
        Column(f"{clock}_unit", Text, nullable=nullable),
        Column(f"{clock}_clause", Text, nullable=nullable),
        Column(f"{clock}_counts_start_day", Boolean, nullable=nullable),
        Column(f"{clock}_due_at", DateTime(timezone=True), nullable=nullable),
        Column(f"{clock}_calendar", Text, nullable=nullable),
    ]


case_file = Table(
    "case_file",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("query_code", Text, nullable=False),
    Column("item_code", Text, nullable=False),
    Column("item_version", Integer, nullable=False),
    Column("item_name", Text, nullable=False),
    Column("unit_code", ForeignKey("unit.code"), nullable=False),
    Column("window_code", ForeignKey("service_window.code"), nullable=False),
    Column("staff_code", ForeignKey("staff.code")),
    Column("status", Text, nullable=False),
    Column("accepted_at", DateTime(timezone=True), nullable=False),
    *_term_columns(Clock.PROMISE, nullable=False),
    *_term_columns(Clock.LEGAL, nullable=False),
    Column("result", Text),
    Column("reason", Text),
    Column("grounds", Text),
    Column("remedy", Text),
    Column("decided_at", DateTime(timezone=True)),
    *_term_columns(Clock.DELIVERY, nullable=True),
    Column("completed_at", DateTime(timezone=True)),
    Column("delivered_at", DateTime(timezone=True)),
    Column("delivery_method", Text),
    Column("version", Integer, nullable=False),
    ForeignKeyConstraint(["item_code", "item_version"], ["item.code", "item.version"]),
)
Index("ix_case_file_newest", case_file.c.accepted_at.desc(), case_file.c.id.desc())
Index(
    "ix_case_file_unit",
    case_file.c.unit_code,
    case_file.c.accepted_at.desc(),
    case_file.c.id.desc(),
)

case_move = Table(
    "case_move",
    metadata,
    Column("case_id", ForeignKey("case_file.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("status", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),  # the subject of a token, never a name
)
applicant = Table(
    "applicant",
    metadata,
    Column("case_id", ForeignKey("case_file.id"), primary_key=True),
    Column("id_type", Text, nullable=False),
    Column("name", LargeBinary, nullable=False),
    Column("id_number", LargeBinary, nullable=False),
    Column("phone", LargeBinary, nullable=False),
)
receipt_serial = Table(
    "receipt_serial",
    metadata,
    Column("item_code", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("last", Integer, nullable=False),
)


class CaseNotFound(NotFound):
    code = "case.not_found"


class Cases:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def get(self, case_id: UUID) -> Case:
        """Locks the case. Raises CaseNotFound."""
        rows = await self._tx.connection.execute(
            select(case_file).where(case_file.c.id == case_id).with_for_update()
        )
        row = rows.one_or_none()
        if row is None:
            raise CaseNotFound("没有这个办件")
        return case_of(row)

    async def add(self, case: Case, *, actor: str) -> None:
        await self._tx.connection.execute(case_file.insert().values(_values(case)))
        await self._note_move(case, actor)

    async def save(self, case: Case, *, actor: str) -> None:
        """After a move."""
        await self.save_redated(case)
        await self._note_move(case, actor)

    async def save_redated(self, case: Case) -> None:
        await self._tx.connection.execute(
            update(case_file).where(case_file.c.id == case.id).values(_values(case))
        )

    async def next_serial(self, item_code: str, day: date) -> int:
        """The item's next serial of the day. Others of that day and item wait for this commit."""
        statement = insert(receipt_serial).values(item_code=item_code, day=day, last=1)
        taken = await self._tx.connection.execute(
            statement.on_conflict_do_update(
                index_elements=list(receipt_serial.primary_key),
                set_={"last": receipt_serial.c.last + 1},
            ).returning(receipt_serial.c.last)
        )
        serial: int = taken.scalar_one()
        return serial

    async def _note_move(self, case: Case, actor: str) -> None:
        await self._tx.connection.execute(
            case_move.insert().values(
                case_id=case.id,
                version=case.version,
                status=case.status,
                at=case.moved_at,
                actor=actor,
            )
        )


class Applicants:
    """Sealed field by field; a value opens only in its own row and column."""

    def __init__(self, tx: Transaction, sealer: Sealer) -> None:
        self._tx = tx
        self._sealer = sealer

    async def add(self, case_id: UUID, who: Applicant) -> None:
        sealed = {
            name: self._sealer.seal(getattr(who, name), context=_context(case_id, name))
            for name in _SEALED
        }
        await self._tx.connection.execute(
            applicant.insert().values(case_id=case_id, id_type=who.id_type, **sealed)
        )

    async def get(self, case_id: UUID) -> Applicant:
        """Raises CaseNotFound."""
        rows = await self._tx.connection.execute(
            select(applicant).where(applicant.c.case_id == case_id)
        )
        row = rows.one_or_none()
        if row is None:
            raise CaseNotFound("没有这个办件")
        return applicant_of(row, self._sealer)


_SEALED = ("name", "id_number", "phone")


def _context(case_id: UUID, column: str) -> str:
    return f"applicant {case_id} {column}"


def applicant_of(row: Row[Any], sealer: Sealer) -> Applicant:
    opened = {
        name: sealer.open(getattr(row, name), context=_context(row.case_id, name))
        for name in _SEALED
    }
    return Applicant(id_type=row.id_type, **opened)


def case_of(row: Row[Any]) -> Case:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name
    return Case(
        id=row.id,
        number=row.number,
        query_code=row.query_code,
        item_code=row.item_code,
        item_version=row.item_version,
        item_name=row.item_name,
        unit_code=row.unit_code,
        window_code=row.window_code,
        staff_code=row.staff_code,
        accepted_at=row.accepted_at,
        promise=_term(values, Clock.PROMISE, row.accepted_at),
        legal=_term(values, Clock.LEGAL, row.accepted_at),
        status=Status(row.status),
        decision=_decision(row),
        delivery=None
        if row.delivery_due_at is None
        else _term(values, Clock.DELIVERY, row.decided_at),
        completed_at=row.completed_at,
        delivered_at=row.delivered_at,
        delivery_method=None
        if row.delivery_method is None
        else DeliveryMethod(row.delivery_method),
        version=row.version,
    )


def _term(values: RowMapping, clock: Clock, start_at: datetime) -> Term:
    return Term(
        start_at=start_at,
        limit=Limit(
            amount=values[f"{clock}_amount"],
            unit=Unit(values[f"{clock}_unit"]),
            clause=values[f"{clock}_clause"],
        ),
        due_at=values[f"{clock}_due_at"],
        calendar_version=values[f"{clock}_calendar"],
        counts_start_day=values[f"{clock}_counts_start_day"],
    )


def _decision(row: Row[Any]) -> Decision | None:
    if row.result is None:
        return None
    grounds = None
    if row.reason is not None:
        reason = RefusalReason(row.reason)
        grounds = Grounds(reason=reason, text=row.grounds, remedy=row.remedy)
    return Decision(result=Result(row.result), at=row.decided_at, grounds=grounds)


def _values(case: Case) -> dict[str, Any]:
    return {
        "id": case.id,
        "number": case.number,
        "query_code": case.query_code,
        "item_code": case.item_code,
        "item_version": case.item_version,
        "item_name": case.item_name,
        "unit_code": case.unit_code,
        "window_code": case.window_code,
        "staff_code": case.staff_code,
        "status": case.status,
        "accepted_at": case.accepted_at,
        **_term_values(Clock.PROMISE, case.promise),
        **_term_values(Clock.LEGAL, case.legal),
        **_decision_values(case.decision),
        **({} if case.delivery is None else _term_values(Clock.DELIVERY, case.delivery)),
        "completed_at": case.completed_at,
        "delivered_at": case.delivered_at,
        "delivery_method": case.delivery_method,
        "version": case.version,
    }


def _term_values(clock: Clock, term: Term) -> dict[str, Any]:
    return {
        f"{clock}_amount": term.limit.amount,
        f"{clock}_unit": term.limit.unit,
        f"{clock}_clause": term.limit.clause,
        f"{clock}_counts_start_day": term.counts_start_day,
        f"{clock}_due_at": term.due_at,
        f"{clock}_calendar": term.calendar_version,
    }


def _decision_values(decision: Decision | None) -> dict[str, Any]:
    if decision is None:
        return {}
    grounds = decision.grounds
    return {
        "result": decision.result,
        "decided_at": decision.at,
        "reason": None if grounds is None else grounds.reason,
        "grounds": None if grounds is None else grounds.text,
        "remedy": None if grounds is None else grounds.remedy,
    }
