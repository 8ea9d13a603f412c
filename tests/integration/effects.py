"""What a journey leaves behind: rows, announcements, timers, and what should not be there."""

import re
from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import Table, func, select

from tongban_common.audit import audit
from tongban_common.dead_letters import dead_letter
from tongban_common.inbox import inbox_gap
from tongban_common.outbox import outbox
from tongban_common.timers import timer
from tongban_scoring.store.ledger import entry

from .cities import TestCity

CLEAN = {"dead letters": 0, "open gaps": 0}
_KEPT = {
    outbox: ("type", "time", "data"),
    timer: ("kind", "amount", "unit", "calendar_version", "due_at", "warn_at", "state"),
    audit: ("at", "actor", "action"),
}
_DRAWN = re.compile(  # ids, digests of keys, numbers of tickets: drawn anew by every run
    r"[0-9a-f]{64}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?<![0-9])\d{18}(?![0-9])"
)
_RANDOM = {"query_code"}


async def announced(city: TestCity) -> Counter[str]:
    """How often each fact was announced, by its name: `hotline.ticket-closed`."""
    return Counter(
        each.type.removeprefix("tongban.").removesuffix(".v1") for each in await city.envelopes()
    )


async def leftovers(city: TestCity) -> dict[str, int]:
    """What a journey must not leave: dead letters and gaps that nobody repaired."""
    found = Counter[str]()
    for each in city.stations.values():
        async with each.kit.db.reading() as connection:
            for name, statement in (
                ("dead letters", select(func.count()).select_from(dead_letter)),
                (
                    "open gaps",
                    select(func.count())
                    .select_from(inbox_gap)
                    .where(inbox_gap.c.repaired_at.is_(None)),
                ),
            ):
                found[name] += (await connection.execute(statement)).scalar_one()
    return dict(found)


async def timers(city: TestCity, short: str) -> Counter[tuple[str, str]]:
    """How many timers of a service are in which state, by kind; the rounds of hot issues apart."""
    async with city.kit(short).db.reading() as connection:
        rows = await connection.execute(
            select(timer.c.kind, timer.c.state).where(timer.c.kind != "hot-issues")
        )
        return Counter((row.kind, row.state) for row in rows)


async def count(city: TestCity, short: str, table: Table) -> int:
    async with city.kit(short).db.reading() as connection:
        found = await connection.execute(select(func.count()).select_from(table))
        return int(found.scalar_one())


async def evidence_of(city: TestCity, entry_id: str) -> Any:
    """What proves an entry, as it was stored: no page or answer shows it yet."""
    async with city.kit("scoring").db.reading() as connection:
        found = await connection.execute(select(entry.c.evidence).where(entry.c.id == entry_id))
        return found.scalar_one()


async def effects(city: TestCity) -> dict[str, list[str]]:
    """Every row of the five services, without what is drawn at random; equal runs are equal."""
    found: dict[str, list[str]] = {}
    for short, station in city.stations.items():
        tables = {
            table: tuple(table.c.keys()) for table in station.service.metadata.tables.values()
        }
        async with station.kit.db.reading() as connection:
            for table, columns in (tables | _KEPT).items():
                rows = await connection.execute(select(*(table.c[name] for name in columns)))
                found[f"{short}.{table.name}"] = sorted(_plain(row._mapping) for row in rows)
    return found


def _plain(row: Any) -> str:
    return "; ".join(
        f"{name}={_DRAWN.sub('#', _said(value))}"
        for name, value in row.items()
        if name not in _RANDOM
    )


def _said(value: object) -> str:
    if isinstance(value, bytes):
        return "sealed"
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
