"""What the hotline keeps of intake's directory: the units that tickets may be assigned to."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Boolean, Column, Date, Row, Table, Text, bindparam, select, text
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
    Column("parent_code", Text),
)
# UNION, not UNION ALL: a circle in the directory ends. The parent of the last is named even where
# the directory does not hold it.
_WITH_SUPERIORS = text(
    """
    WITH RECURSIVE line AS (
      SELECT code, parent_code FROM unit WHERE code = :code
      UNION SELECT u.code, u.parent_code FROM unit u JOIN line l ON u.code = l.parent_code
    )
    SELECT u.*, ARRAY(SELECT parent_code FROM line WHERE parent_code IS NOT NULL) AS superiors,
      EXISTS (
        SELECT FROM unit_duty_phone p WHERE p.unit_code = u.code AND (
          EXISTS (SELECT FROM unit_without_contact w WHERE w.unit_code = u.code)
          OR NOT EXISTS (
            SELECT FROM unit_contact c WHERE c.unit_code = u.code
              AND c.valid_from <= :today AND (c.valid_to IS NULL OR c.valid_to > :today)
          )
        )
      ) AS by_duty_phone
    FROM unit u WHERE u.code = :code
    """
).bindparams(bindparam("today", type_=Date))


class UnitNotFound(RuleViolation):
    code = "unit.not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    code: str
    name: str
    level: str
    is_active: bool
    parent_code: str | None = None


@dataclass(frozen=True, slots=True)
class Reached:
    unit: Unit
    superiors: frozenset[str]
    by_duty_phone: bool  # nobody is in post there (hotline.md 7)


class Units:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def active(self, code: str) -> Unit:
        """Raises UnitNotFound for one that is unknown or closed."""
        found, _ = await self.active_with_superiors(code)
        return found

    async def active_with_superiors(self, code: str) -> tuple[Unit, frozenset[str]]:
        """With the codes of all that stand above it. Raises UnitNotFound."""
        reached = await self.reached(code, None)
        return reached.unit, reached.superiors

    async def reached(self, code: str, today: date | None) -> "Reached":
        """With all that stand above it, and whether its duty phone is what is called today.

        Raises UnitNotFound.
        """
        given = {"code": code, "today": today}
        row = (await self._tx.connection.execute(_WITH_SUPERIORS, given)).one_or_none()
        if row is None or not row.is_active:
            raise UnitNotFound("没有这个承办单位，或者该单位已停用")
        return Reached(_unit(row), frozenset(row.superiors), row.by_duty_phone)

    async def known(self, code: str) -> Unit:
        """Also one that is closed. Raises UnitNotFound."""
        row = (
            await self._tx.connection.execute(_WITH_SUPERIORS, {"code": code, "today": None})
        ).one_or_none()
        if row is None:
            raise UnitNotFound("没有这个单位")
        return _unit(row)

    async def standing(self, code: str) -> Unit | None:
        try:
            return await self.active(code)
        except UnitNotFound:
            return None

    async def superiors(self, code: str) -> frozenset[str]:
        """None above one that is unknown."""
        row = (
            await self._tx.connection.execute(_WITH_SUPERIORS, {"code": code, "today": None})
        ).one_or_none()
        return frozenset() if row is None else frozenset(row.superiors)

    async def superior(self, code: str) -> Unit | None:
        """The nearest above it that is not closed."""
        seen = {code}
        found = await self._row(code)
        while found is not None and found.parent_code is not None:
            if found.parent_code in seen:
                return None
            seen.add(found.parent_code)
            found = await self._row(found.parent_code)
            if found is not None and found.is_active:
                return found
        return None

    async def _row(self, code: str) -> Unit | None:
        rows = await self._tx.connection.execute(select(unit).where(unit.c.code == code))
        row = rows.one_or_none()
        return None if row is None else _unit(row)

    async def levels(self, codes: Collection[str]) -> dict[str, str]:
        """Of units that a ticket was given to, whether or not they still exist."""
        query = select(unit.c.code, unit.c.level).where(unit.c.code.in_(codes))
        return {row.code: row.level for row in await self._tx.connection.execute(query)}

    async def keep(self, changed: Unit) -> None:
        values = {
            "name": changed.name,
            "level": changed.level,
            "is_active": changed.is_active,
            "parent_code": changed.parent_code,
        }
        await self._tx.connection.execute(
            insert(unit)
            .values(code=changed.code, **values)
            .on_conflict_do_update(index_elements=["code"], set_=values)
        )


def _unit(row: Row[Any]) -> Unit:
    return Unit(
        code=row.code,
        name=row.name,
        level=row.level,
        is_active=row.is_active,
        parent_code=row.parent_code,
    )
