"""The next nightly check of the contacts: armed by the first filing, and by each night itself."""

from datetime import datetime, timedelta

from tongban_common.db import Transaction
from tongban_common.timers import Deadline
from tongban_common.working_days import Limit, Unit
from tongban_hotline_dispatch.domain.contacts import ContactRules
from tongban_hotline_dispatch.store.arming import arm_once

NIGHTLY = "contacts-nightly"
EVERYWHERE = "all"


async def arm_night(tx: Transaction, *, rules: ContactRules, after: datetime) -> None:
    """Armed once, however often it is asked for. A register that nobody uses is not checked."""
    night = rules.next_night(after)
    await arm_once(
        tx,
        Deadline(
            kind=NIGHTLY,
            subject=EVERYWHERE,
            start_at=night - timedelta(days=1),
            limit=Limit(amount=24, unit=Unit.HOURS, clause=f"每日{rules.nightly_hour}时检查"),
            due_at=night,
            warn_at=None,
            calendar_version="",  # hours know no calendar
        ),
    )
