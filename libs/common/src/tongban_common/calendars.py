"""The calendar in the database: notices imported after the release, version by version."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime, Integer, Table, select
from sqlalchemy.dialects.postgresql import JSONB, insert

from tongban_common.db import Database
from tongban_common.errors import Conflict
from tongban_common.foundation import foundation
from tongban_common.timers import Sweeper
from tongban_common.working_days import WorkingCalendar, bundled, parse_year, to_document

_CACHE_SECONDS = 30

calendar_year = Table(
    "calendar_year",
    foundation,
    Column("year", Integer, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("body", JSONB, nullable=False),
    Column("imported_at", DateTime(timezone=True), nullable=False),
)


class OldNotice(Conflict):
    code = "calendar.old_notice"


class Calendars:
    """The calendar in force: the bundled years, replaced by later imported versions."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._calendar = bundled()
        self._read_at = float("-inf")

    async def current(self) -> WorkingCalendar:
        if time.monotonic() - self._read_at > _CACHE_SECONDS:
            self._calendar = await self._read()
            self._read_at = time.monotonic()
        return self._calendar

    async def import_year(
        self, document: Mapping[str, Any], *, where: str, sweeper: Sweeper, now: datetime
    ) -> int:
        """Store a later or corrected notice and re-date open deadlines. Returns how many moved.

        Raises BadCalendar, or OldNotice when that version is known with other content. Importing
        the same notice again re-dates what an interrupted import left behind.
        """
        year = parse_year(document, where=where)
        body = to_document(year)
        async with self._db.transaction() as tx:
            stored = await tx.connection.execute(
                insert(calendar_year)
                .values(year=year.year, version=year.version, body=body, imported_at=now)
                .on_conflict_do_nothing()
                .returning(calendar_year.c.year)
            )
            if stored.one_or_none() is None:
                known = select(calendar_year.c.body).where(
                    calendar_year.c.year == year.year, calendar_year.c.version == year.version
                )
                if (await tx.connection.execute(known)).scalar_one() != body:
                    raise OldNotice(
                        f"{year.year}年第{year.version}版已导入且内容不同，请用新版本号"
                    )
        self._read_at = float("-inf")
        return await sweeper.redate(await self.current(), now=now)

    async def _read(self) -> WorkingCalendar:
        calendar = bundled()
        async with self._db.reading() as connection:
            rows = await connection.execute(
                select(calendar_year.c.body).order_by(calendar_year.c.year, calendar_year.c.version)
            )
            for row in rows:
                year = parse_year(row.body, where="calendar_year")
                held = calendar.years.get(year.year)
                if held is None or held.version < year.version or held.status != "official":
                    calendar = calendar.with_year(year)
        return calendar
