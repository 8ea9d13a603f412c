"""The dispatch catalogue (派单目录): a new version from a file."""

import hashlib
from datetime import datetime

from tongban_common.db import Transaction
from tongban_hotline_dispatch.domain.dispatching import Known, rules_of
from tongban_hotline_dispatch.domain.importing import csv_cells
from tongban_hotline_dispatch.operations.matters import Load
from tongban_hotline_dispatch.store.dispatching import DispatchRules, DispatchVersion, units_known
from tongban_hotline_dispatch.store.matters import all_matters, matter_version_at


async def load_dispatch_rules(tx: Transaction, *, load: Load, now: datetime) -> DispatchVersion:
    """Checked against the matters in force on its first day and the units as they are now.

    Raises BadFile, BadDispatchCatalogue naming every bad row, or DispatchCatalogueKnown.
    """
    store = DispatchRules(tx)
    version = await store.next_version()
    matters = await matter_version_at(tx.connection, load.effective_from)
    known = Known(
        matters=[] if matters is None else await all_matters(tx.connection, matters),
        units=await units_known(tx.connection),
    )
    rules = rules_of(csv_cells(load.content), known)
    new = DispatchVersion(
        version=version,
        effective_from=load.effective_from,
        source=load.source,
        digest=hashlib.sha256(load.content).hexdigest(),
        rules=len(rules),
        loaded_at=now,
        loaded_by=load.actor,
    )
    await store.add(new, rules)
    return new
