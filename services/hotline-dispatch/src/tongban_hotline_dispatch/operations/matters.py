"""The matter catalogue (事项目录): a new version from a file, and what a ticket may name."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from tongban_common.db import Transaction
from tongban_common.policies import packaged_text
from tongban_common.service import Kit
from tongban_hotline_dispatch.domain.importing import csv_cells
from tongban_hotline_dispatch.domain.matters import (
    Matter,
    MatterNotFound,
    MatterNotInForce,
    catalogue_of,
)
from tongban_hotline_dispatch.store.matters import (
    CatalogueVersion,
    Matters,
    matter_in,
    matter_version_at,
)
from tongban_hotline_dispatch.store.routing import ROUTING


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A file to be taken as a new version: whose, from when, under which name it came."""

    content: bytes
    source: str
    effective_from: date
    actor: str


def packaged_catalogue() -> bytes:
    """The one that ships with this release, for a city that has none of its own yet."""
    return packaged_text("tongban_hotline_dispatch", "matters.csv").encode()


async def first_catalogue(kit: Kit, *, now: datetime) -> None:
    """The packaged one, where none was ever loaded. A city's own is never touched."""
    async with kit.db.transaction() as tx:
        if await Matters(tx).next_version() > 1:
            return
        load = Load(
            content=packaged_catalogue(),
            source="matters.csv",
            effective_from=ROUTING.packaged().effective_from,
            actor="migrate",
        )
        await load_matters(tx, load=load, now=now)


async def load_matters(
    tx: Transaction,
    *,
    load: Load,
    now: datetime,
    progress: Callable[[int, int], object] = lambda _done, _all: None,
) -> CatalogueVersion:
    """Raises BadFile, BadCatalogue naming every bad row, or CatalogueKnown."""
    store = Matters(tx)
    version = await store.next_version()
    matters = catalogue_of(csv_cells(load.content), await store.known_codes())
    new = CatalogueVersion(
        version=version,
        effective_from=load.effective_from,
        source=load.source,
        digest=hashlib.sha256(load.content).hexdigest(),
        matters=len(matters),
        leaves=sum(each.is_leaf for each in matters),
        loaded_at=now,
        loaded_by=load.actor,
    )
    await store.add(new, matters, progress)
    return new


async def matter_in_force(tx: Transaction, *, code: str | None, on: date) -> Matter | None:
    """What a ticket's matter code names on a day. Raises MatterNotInForce.

    For the operations that register or change a ticket. None for no code, and while the city has
    loaded no catalogue: any code is taken as it is then.
    """
    if code is None:
        return None
    version = await matter_version_at(tx.connection, on)
    if version is None:
        return None
    try:
        return await matter_in(tx.connection, version, code)
    except MatterNotFound:
        raise MatterNotInForce("现行事项目录中没有这个事项", matter_code=code) from None
