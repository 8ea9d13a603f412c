"""The versions of the dispatch catalogue (派单目录) and the rules of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Column, Date, DateTime, ForeignKey, Integer, Table, Text, func, select, text
from sqlalchemy import insert as plain_insert
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_common.errors import Conflict
from tongban_hotline_dispatch.domain.dispatching import Rule
from tongban_hotline_dispatch.store.reference import metadata, unit

dispatch_catalogue = Table(
    "dispatch_catalogue",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("effective_from", Date, nullable=False),
    Column("source", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("rules", Integer, nullable=False),
    Column("loaded_at", DateTime(timezone=True), nullable=False),
    Column("loaded_by", Text, nullable=False),  # the subject of a token, never a name
)
dispatch_rule = Table(
    "dispatch_rule",
    metadata,
    Column("version", ForeignKey("dispatch_catalogue.version"), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("matter_code", Text),
    Column("places", ARRAY(Text), nullable=False),
    Column("keywords", ARRAY(Text), nullable=False),
    Column("unit_code", Text, nullable=False),
    Column("basis", Text, nullable=False),
    Column("valid_from", Date),
    Column("valid_to", Date),
)
_NOT_TWO_AT_ONCE = text("SELECT pg_advisory_xact_lock(hashtext('dispatch_catalogue'))")
_BATCH = 1000


class DispatchCatalogueKnown(Conflict):
    code = "dispatch.catalogue_known"


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchVersion:
    """One load of the dispatch catalogue."""

    version: int
    effective_from: date
    source: str
    digest: str
    rules: int
    loaded_at: datetime
    loaded_by: str


class DispatchRules:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def next_version(self) -> int:
        """Waits for another load that is under way."""
        await self._tx.connection.execute(_NOT_TWO_AT_ONCE)
        last = select(func.coalesce(func.max(dispatch_catalogue.c.version), 0))
        return int((await self._tx.connection.execute(last)).scalar_one()) + 1

    async def add(self, new: DispatchVersion, rules: Sequence[Rule]) -> None:
        """Raises DispatchCatalogueKnown for the same content from the same date."""
        same = select(dispatch_catalogue.c.version).where(
            dispatch_catalogue.c.digest == new.digest,
            dispatch_catalogue.c.effective_from == new.effective_from,
        )
        known = (await self._tx.connection.execute(same.limit(1))).scalar_one_or_none()
        if known is not None:
            raise DispatchCatalogueKnown(
                f"内容相同的派单目录已在库中（第{known}版）", version=known
            )
        await self._tx.connection.execute(
            plain_insert(dispatch_catalogue).values(
                version=new.version,
                effective_from=new.effective_from,
                source=new.source,
                digest=new.digest,
                rules=new.rules,
                loaded_at=new.loaded_at,
                loaded_by=new.loaded_by,
            )
        )
        rows = [_values(new.version, rule) for rule in rules]
        for start in range(0, len(rows), _BATCH):
            await self._tx.connection.execute(
                plain_insert(dispatch_rule), rows[start : start + _BATCH]
            )


async def dispatch_version_at(reads: AsyncConnection, day: date) -> int | None:
    """The catalogue in force on a day, None while none is."""
    statement = (
        select(dispatch_catalogue.c.version)
        .where(dispatch_catalogue.c.effective_from <= day)
        .order_by(dispatch_catalogue.c.effective_from.desc(), dispatch_catalogue.c.version.desc())
        .limit(1)
    )
    found: int | None = (await reads.execute(statement)).scalar_one_or_none()
    return found


async def dispatch_versions(reads: AsyncConnection) -> list[DispatchVersion]:
    rows = await reads.execute(select(dispatch_catalogue).order_by(dispatch_catalogue.c.version))
    return [DispatchVersion(**row._mapping) for row in rows]  # noqa: SLF001 - public name


async def dispatch_rules(
    reads: AsyncConnection, version: int, *, after: int = 0, limit: int | None = None
) -> list[Rule]:
    """By line."""
    statement = (
        select(dispatch_rule)
        .where(dispatch_rule.c.version == version, dispatch_rule.c.line > after)
        .order_by(dispatch_rule.c.line)
        .limit(limit)
    )
    return [
        Rule(
            line=row.line,
            unit_code=row.unit_code,
            matter_code=row.matter_code,
            places=tuple(row.places),
            keywords=tuple(row.keywords),
            basis=row.basis,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
        )
        for row in await reads.execute(statement)
    ]


async def units_known(reads: AsyncConnection) -> Mapping[str, bool]:
    """Every unit of the directory, and whether it is active."""
    rows = await reads.execute(select(unit.c.code, unit.c.is_active))
    return {row.code: row.is_active for row in rows}


async def unit_names(reads: AsyncConnection, codes: Sequence[str]) -> Mapping[str, str]:
    """Of those that are active."""
    rows = await reads.execute(
        select(unit.c.code, unit.c.name).where(unit.c.code.in_(codes), unit.c.is_active)
    )
    return {row.code: row.name for row in rows}


def _values(version: int, rule: Rule) -> dict[str, object]:
    return {
        "version": version,
        "line": rule.line,
        "matter_code": rule.matter_code,
        "places": list(rule.places),
        "keywords": list(rule.keywords),
        "unit_code": rule.unit_code,
        "basis": rule.basis,
        "valid_from": rule.valid_from,
        "valid_to": rule.valid_to,
    }
