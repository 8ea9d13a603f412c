"""Why a deadline is the day that it is, as a page of its own."""

from datetime import datetime

from tongban_common.http import Reads
from tongban_common.service import Kit
from tongban_common.working_days import Explanation, Limit
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.domain.deadlines import as_pinned


async def explained(
    reads: Reads, kit: Kit, *, start_at: datetime, limit: Limit, calendar_version: str
) -> Explanation:
    """Every day of it, by the calendar that it was counted by."""
    calendar = await kit.calendars.current()
    imported = await queries.imported_years(reads)
    return as_pinned(calendar, calendar_version, imported).explain(start_at, limit)
