"""Tickets by the file: CSV or XLSX, each row taken or refused for itself, none taken twice."""

import asyncio
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile, ZipFile

from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_common.privacy import Sealer
from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.elements import ElementsMissing
from tongban_hotline_dispatch.domain.importing import (
    ROUNDED,
    BadFile,
    BadRow,
    Checked,
    Row,
    checked,
    csv_cells,
)
from tongban_hotline_dispatch.domain.matters import MatterNotInForce
from tongban_hotline_dispatch.operations.tickets import (
    Registration,
    Rules,
    new_query_code,
    register,
    rules_at,
)
from tongban_hotline_dispatch.store import Complainant
from tongban_hotline_dispatch.store.counter import COUNTER
from tongban_hotline_dispatch.store.reference import UnitNotFound
from tongban_hotline_dispatch.store.tickets import AlreadyTakenIn

BATCH = 200  # rows of one transaction: few enough for short locks, enough to spare commits
MOST_UNPACKED = 256 << 20  # a small XLSX may unpack to anything


class Outcome(StrEnum):
    TAKEN = "taken"
    KNOWN = "known"  # has a ticket from an earlier import
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowReport:
    line: int  # as a spreadsheet counts, the headings being the first
    outcome: Outcome
    reason: str | None = None
    ticket_no: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    rows: list[RowReport] = field(default_factory=list)

    @property
    def taken(self) -> int:
        return self._count(Outcome.TAKEN)

    @property
    def known(self) -> int:
        return self._count(Outcome.KNOWN)

    @property
    def refused(self) -> int:
        return self._count(Outcome.REFUSED)

    def _count(self, outcome: Outcome) -> int:
        return sum(row.outcome is outcome for row in self.rows)


async def import_file(
    kit: Kit,
    *,
    content: bytes,
    actor: str,
    now: datetime,
    progress: Callable[[int, int], object] = lambda _done, _all: None,
) -> Report:
    """Take in what can be taken. Raises BadFile when the file as a whole cannot be read.

    An interrupted import is simply repeated: rows that have a ticket are reported as known.
    """
    rows = await asyncio.to_thread(_read, content, now)
    report = Report()
    for start in range(0, len(rows), BATCH):
        report.rows.extend(await _take(kit, rows[start : start + BATCH], actor))
        progress(len(report.rows), len(rows))
    return report


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A good row, ready to be registered as of when it came in."""

    new: Registration
    rules: Rules
    at: datetime


async def _take(kit: Kit, rows: Sequence[Checked], actor: str) -> list[RowReport]:
    jobs = [(line, await _prepared(kit, row, actor)) for line, row in rows]
    sealer = Sealer(kit.secret)
    async with kit.db.transaction() as tx:
        return [await _register(tx, line, job, sealer) for line, job in jobs]


async def _prepared(kit: Kit, row: Row | BadRow, actor: str) -> _Job | BadRow:
    if isinstance(row, BadRow):
        return row
    new = Registration(
        ticket_id=new_id(row.registered_at),
        query_code=new_query_code(),
        appeal=row.appeal,
        person=Complainant(name=row.name, phone=row.phone, address=row.address),
        actor=actor,
        target_unit=row.target_unit,
        hides_identity=row.hides_identity,
        details=row.details,
    )
    policy = await kit.policy(COUNTER).at(row.registered_at.astimezone(SHANGHAI).date())
    try:
        new.check(policy.elements)
    except ElementsMissing as refusal:
        return BadRow(refusal.message)
    rules = await rules_at(kit, now=row.registered_at)
    return _Job(new=new, rules=rules, at=row.registered_at)


async def _register(tx: Transaction, line: int, job: _Job | BadRow, sealer: Sealer) -> RowReport:
    if isinstance(job, BadRow):
        return RowReport(line=line, outcome=Outcome.REFUSED, reason=job.reason)
    try:
        ticket = await register(tx, new=job.new, rules=job.rules, sealer=sealer, now=job.at)
    except AlreadyTakenIn as refusal:
        return RowReport(line=line, outcome=Outcome.KNOWN, reason=refusal.message)
    except (MatterNotInForce, UnitNotFound) as refusal:  # raised before anything is written
        return RowReport(line=line, outcome=Outcome.REFUSED, reason=refusal.message)
    return RowReport(line=line, outcome=Outcome.TAKEN, ticket_no=ticket.ticket_no)


# What a reader of ZIP and XML says of a file that is neither, or that means harm (nested entities).
_BROKEN = (BadZipFile, ParseError, KeyError, IndexError, ValueError, OSError)


def _read(content: bytes, now: datetime) -> list[Checked]:
    cells = xlsx_cells(content) if content.startswith(b"PK") else csv_cells(content)
    return checked(cells, now=now)


def xlsx_cells(content: bytes) -> Iterator[list[str]]:
    from openpyxl import load_workbook

    try:
        with ZipFile(io.BytesIO(content)) as packed:
            if sum(part.file_size for part in packed.infolist()) > MOST_UNPACKED:
                raise BadFile(f"XLSX文件解压后超过{MOST_UNPACKED >> 20}MB，请分开导入")
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        for row in book.worksheets[0].iter_rows(values_only=True):
            yield [_text(cell) for cell in row]
    except _BROKEN as fault:
        raise BadFile("不是可读取的XLSX文件，可能已损坏") from fault


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    if isinstance(cell, int | float) and abs(cell) >= 10**15:
        return ROUNDED
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
