"""What scoring keeps of intake's directory: units, windows, and where staff belong."""

from sqlalchemy import Boolean, Column, Index, Table, Text, select
from sqlalchemy.dialects.postgresql import insert

from tongban_common.db import Transaction
from tongban_common.errors import RuleViolation
from tongban_common.foundation import named_metadata

metadata = named_metadata()
unit = Table(
    "unit",
    metadata,
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
)
service_window = Table(
    "service_window",
    metadata,
    Column("code", Text, primary_key=True),
    Column("unit_code", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
)
Index("ix_service_window_unit", service_window.c.unit_code, service_window.c.code)
staff = Table(
    "staff",
    metadata,
    Column("code", Text, primary_key=True),
    Column("unit_code", Text, nullable=False),
    Column("window_code", Text),
    Column("is_active", Boolean, nullable=False),
)


class UnknownUnit(RuleViolation):
    code = "entry.unknown_unit"


class UnknownWindow(RuleViolation):
    code = "entry.unknown_window"


class References:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def keep(self, table: Table, code: str, **values: object) -> None:
        await self._tx.connection.execute(
            insert(table)
            .values(code=code, **values)
            .on_conflict_do_update(index_elements=["code"], set_=values)
        )

    async def check(self, *, unit_code: str, window_code: str | None) -> None:
        """Raises UnknownUnit, UnknownWindow (also when the window is another unit's)."""
        execute = self._tx.connection.execute
        known = await execute(select(unit.c.code).where(unit.c.code == unit_code))
        if known.one_or_none() is None:
            raise UnknownUnit("机构目录中没有这个单位")
        if window_code is None:
            return
        owner = await execute(
            select(service_window.c.unit_code).where(service_window.c.code == window_code)
        )
        if owner.scalar_one_or_none() != unit_code:
            raise UnknownWindow("该单位没有这个窗口")

    async def unit_of_windows(self) -> dict[str, str]:
        """Window code → code of the unit that it belongs to."""
        rows = await self._tx.connection.execute(
            select(service_window.c.code, service_window.c.unit_code)
        )
        return {row.code: row.unit_code for row in rows}
