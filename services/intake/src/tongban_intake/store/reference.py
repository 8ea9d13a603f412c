"""The tables of the directory and the catalogue: few rows, read often, written by loads only."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    Row,
    Table,
    Text,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert

from tongban_common.db import Transaction
from tongban_common.errors import NotFound, RuleViolation
from tongban_common.foundation import named_metadata
from tongban_common.working_days import Limit, Unit
from tongban_intake.domain.catalogue import CaseKind, Item, ItemType
from tongban_intake.domain.directory import (
    Directory,
    Division,
    Level,
    OrgUnit,
    Role,
    Staff,
    UnitKind,
    Window,
    WindowKind,
)

metadata = named_metadata()

division = Table(
    "division",
    metadata,
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("level", Text, nullable=False),
    # deferred, so that a load may bring parent and child in any order
    Column("parent_code", ForeignKey("division.code", deferrable=True, initially="DEFERRED")),
)
unit = Table(
    "unit",
    metadata,
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("division_code", ForeignKey("division.code"), nullable=False),
    Column("parent_code", ForeignKey("unit.code", deferrable=True, initially="DEFERRED")),
    Column("is_active", Boolean, nullable=False),
)
window = Table(
    "service_window",
    metadata,
    Column("code", Text, primary_key=True),
    Column("unit_code", ForeignKey("unit.code"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
)
staff = Table(
    "staff",
    metadata,
    Column("code", Text, primary_key=True),
    Column("unit_code", ForeignKey("unit.code"), nullable=False, index=True),
    Column("role", Text, nullable=False),
    Column("window_code", ForeignKey("service_window.code")),
    Column("is_active", Boolean, nullable=False),
)
item = Table(
    "item",
    metadata,
    Column("code", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("unit_code", ForeignKey("unit.code"), nullable=False, index=True),
    Column("case_kind", Text, nullable=False),
    Column("legal_amount", Integer),
    Column("legal_unit", Text),
    Column("legal_clause", Text),
    Column("promise_amount", Integer),
    Column("promise_unit", Text),
    Column("promise_clause", Text),
    Column("published_on", Date),
    Column("cancelled_on", Date),
)
# What the others were last told about an item: a version comes into force, or an item closes, by
# the passing of days, without any change of its rows.
item_announced = Table(
    "item_announced",
    metadata,
    Column("code", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("is_active", Boolean, nullable=False),
    ForeignKeyConstraint(["code", "version"], ["item.code", "item.version"]),
)


class WindowNotFound(NotFound):
    code = "window.not_found"


class WindowClosed(RuleViolation):
    code = "window.closed"


class StaffNotFound(NotFound):
    code = "staff.not_found"


class ItemNotFound(NotFound):
    code = "item.not_found"


Values = Sequence[Mapping[str, Any]]
CHUNK = 1000  # rows of one statement; PostgreSQL takes 32,767 parameters


class Directories:
    """The whole directory, read and written as one."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def lock(self) -> Directory:
        """The directory, held against other loads until the end of the transaction."""
        await self._tx.connection.execute(text("LOCK TABLE division IN SHARE ROW EXCLUSIVE MODE"))
        return Directory(
            divisions={row.code: _division(row) for row in await self._all(division)},
            units={row.code: unit_of(row) for row in await self._all(unit)},
            windows={row.code: window_of(row) for row in await self._all(window)},
            staff={row.code: _staff(row) for row in await self._all(staff)},
        )

    async def save(self, changed: Directory) -> None:
        """Insert or replace these entries, the upper tables first."""
        for table, entries in (
            (division, changed.divisions),
            (unit, changed.units),
            (window, changed.windows),
            (staff, changed.staff),
        ):
            values = [_columns(table, entry) for entry in entries.values()]
            await _upsert(self._tx, table, values)

    async def unit(self, code: str) -> OrgUnit:
        rows = await self._tx.connection.execute(select(unit).where(unit.c.code == code))
        return unit_of(rows.one())

    async def open_window(self, code: str) -> Window:
        """Raises WindowNotFound or WindowClosed."""
        rows = await self._tx.connection.execute(select(window).where(window.c.code == code))
        row = rows.one_or_none()
        if row is None:
            raise WindowNotFound("没有这个窗口")
        if not row.is_active:
            raise WindowClosed("该窗口已停用")
        return window_of(row)

    async def check_staff(self, code: str) -> None:
        """Raises StaffNotFound unless the member of staff is known and active."""
        found = select(staff.c.code).where(staff.c.code == code, staff.c.is_active)
        if (await self._tx.connection.execute(found)).one_or_none() is None:
            raise StaffNotFound("没有这名工作人员，或者已停用")

    async def _all(self, table: Table) -> Sequence[Row[Any]]:
        return (await self._tx.connection.execute(select(table))).all()


class Items:
    """Every version of every item."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def lock(self) -> dict[str, dict[int, Item]]:
        """Code → version → item, held against other loads until the end of the transaction."""
        await self._tx.connection.execute(text("LOCK TABLE item IN SHARE ROW EXCLUSIVE MODE"))
        versions: dict[str, dict[int, Item]] = {}
        for row in await self._tx.connection.execute(select(item)):
            versions.setdefault(row.code, {})[row.version] = item_of(row)
        return versions

    async def versions(self, code: str) -> list[Item]:
        """Raises ItemNotFound when there is none."""
        rows = await self._tx.connection.execute(select(item).where(item.c.code == code))
        found = [item_of(row) for row in rows]
        if not found:
            raise ItemNotFound("没有这个事项")
        return found

    async def save(self, items: Sequence[Item]) -> None:
        await _upsert(self._tx, item, [_item_columns(each) for each in items])

    async def announced(self) -> dict[str, tuple[int, bool]]:
        rows = await self._tx.connection.execute(select(item_announced))
        return {row.code: (row.version, row.is_active) for row in rows}

    async def save_announced(self, announced: Mapping[str, tuple[int, bool]]) -> None:
        values = [
            {"code": code, "version": version, "is_active": is_active}
            for code, (version, is_active) in announced.items()
        ]
        await _upsert(self._tx, item_announced, values)


async def _upsert(tx: Transaction, table: Table, values: Values) -> None:
    for start in range(0, len(values), CHUNK):
        statement = insert(table).values(list(values[start : start + CHUNK]))
        changed = {
            column.name: statement.excluded[column.name]
            for column in table.columns
            if not column.primary_key
        }
        await tx.connection.execute(
            statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)
        )


def _columns(table: Table, entry: object) -> dict[str, Any]:
    """The entries of the directory have the names of their columns."""
    return {column.name: getattr(entry, column.name) for column in table.columns}


def _division(row: Row[Any]) -> Division:
    return Division(
        code=row.code, name=row.name, level=Level(row.level), parent_code=row.parent_code
    )


def unit_of(row: Row[Any]) -> OrgUnit:
    return OrgUnit(
        code=row.code,
        name=row.name,
        kind=UnitKind(row.kind),
        level=Level(row.level),
        division_code=row.division_code,
        parent_code=row.parent_code,
        is_active=row.is_active,
    )


def window_of(row: Row[Any]) -> Window:
    return Window(
        code=row.code,
        unit_code=row.unit_code,
        name=row.name,
        kind=WindowKind(row.kind),
        is_active=row.is_active,
    )


def _staff(row: Row[Any]) -> Staff:
    return Staff(
        code=row.code,
        unit_code=row.unit_code,
        role=Role(row.role),
        window_code=row.window_code,
        is_active=row.is_active,
    )


def item_of(row: Row[Any]) -> Item:
    return Item(
        code=row.code,
        version=row.version,
        name=row.name,
        type=ItemType(row.type),
        unit_code=row.unit_code,
        case_kind=CaseKind(row.case_kind),
        legal_limit=_limit(row.legal_amount, row.legal_unit, row.legal_clause),
        promise_limit=_limit(row.promise_amount, row.promise_unit, row.promise_clause),
        published_on=row.published_on,
        cancelled_on=row.cancelled_on,
    )


def _limit(amount: int | None, unit_: str | None, clause: str | None) -> Limit | None:
    if amount is None or unit_ is None:
        return None
    return Limit(amount=amount, unit=Unit(unit_), clause=clause or "")


def _item_columns(each: Item) -> dict[str, Any]:
    return {
        "code": each.code,
        "version": each.version,
        "name": each.name,
        "type": each.type,
        "unit_code": each.unit_code,
        "case_kind": each.case_kind,
        **_limit_columns("legal", each.legal_limit),
        **_limit_columns("promise", each.promise_limit),
        "published_on": each.published_on,
        "cancelled_on": each.cancelled_on,
    }


def _limit_columns(name: str, limit: Limit | None) -> dict[str, Any]:
    return {
        f"{name}_amount": None if limit is None else limit.amount,
        f"{name}_unit": None if limit is None else limit.unit,
        f"{name}_clause": None if limit is None else limit.clause,
    }
