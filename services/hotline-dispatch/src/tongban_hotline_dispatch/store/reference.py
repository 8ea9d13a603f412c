"""What the hotline keeps of intake's directory: the units that tickets may be assigned to."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Boolean, Column, Table, Text, select
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
    Column("level", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
)


class UnitNotFound(RuleViolation):
    code = "unit.not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    code: str
    name: str
    level: str
    is_active: bool


class Units:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def active(self, code: str) -> Unit:
        """Raises UnitNotFound for one that is unknown or closed."""
        rows = await self._tx.connection.execute(select(unit).where(unit.c.code == code))
        row = rows.one_or_none()
        if row is None or not row.is_active:
            raise UnitNotFound("没有这个承办单位，或者该单位已停用")
        return Unit(code=row.code, name=row.name, level=row.level, is_active=row.is_active)

    async def levels(self, codes: Collection[str]) -> dict[str, str]:
        """Of units that a ticket was given to, whether or not they still exist."""
        query = select(unit.c.code, unit.c.level).where(unit.c.code.in_(codes))
        return {row.code: row.level for row in await self._tx.connection.execute(query)}

    async def keep(self, changed: Unit) -> None:
        values = {
            "name": changed.name,
            "level": changed.level,
            "is_active": changed.is_active,
        }
        await self._tx.connection.execute(
            insert(unit)
            .values(code=changed.code, **values)
            .on_conflict_do_update(index_elements=["code"], set_=values)
        )
