"""单位值班电话: filed by the unit or for it, one by one or by the file."""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tongban_common import audit
from tongban_common.db import Transaction
from tongban_common.errors import Refusal, RuleViolation
from tongban_common.privacy import Sealer
from tongban_common.service import Kit
from tongban_hotline_dispatch.domain.importing import MOST_ROWS, PHONE, BadFile, csv_cells
from tongban_hotline_dispatch.operations.contacts import ContactStep
from tongban_hotline_dispatch.operations.importing import Outcome, xlsx_cells
from tongban_hotline_dispatch.store import Units
from tongban_hotline_dispatch.store.duty_phones import DutyPhones

COLUMNS: Mapping[str, str] = {"unit_code": "单位编码", "phone": "值班电话"}


class BadDutyPhone(RuleViolation):
    code = "duty_phone.bad_number"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneReport:
    line: int  # as a spreadsheet counts, the headings being the first
    outcome: Outcome
    unit_code: str
    reason: str | None = None


async def file(
    tx: Transaction,
    *,
    unit_code: str,
    phone: str | None,
    step: ContactStep,
    sealer: Sealer,
    now: datetime,
) -> None:
    """None takes it away. Raises NotYourUnit, UnitNotFound, BadDutyPhone."""
    step.check_unit(unit_code)
    await Units(tx).active(unit_code)
    kept = DutyPhones(tx, sealer)
    if phone is None:
        await kept.remove(unit_code)
    elif re.match(PHONE, phone):
        await kept.keep(unit_code, phone, by=step.actor, at=now)
    else:
        raise BadDutyPhone("值班电话应为5至20位数字")
    action = "duty_phone.removed" if phone is None else "duty_phone.filed"
    await audit.record(tx, actor=step.actor, action=action, subject=unit_code, at=now)


async def import_file(
    kit: Kit, *, content: bytes, step: ContactStep, now: datetime
) -> list[PhoneReport]:
    """Each row for itself: CSV or XLSX. Raises BadFile for the file as a whole."""
    rows = await asyncio.to_thread(_read, content)
    sealer = Sealer(kit.secret)
    report = []
    async with kit.db.transaction() as tx:
        for line, code, phone in rows:
            reason = None
            try:
                async with tx.savepoint():
                    await file(tx, unit_code=code, phone=phone, step=step, sealer=sealer, now=now)
            except Refusal as refusal:
                reason = refusal.message
            outcome = Outcome.TAKEN if reason is None else Outcome.REFUSED
            report.append(PhoneReport(line=line, outcome=outcome, unit_code=code, reason=reason))
    return report


def _read(content: bytes) -> list[tuple[int, str, str]]:
    cells = xlsx_cells(content) if content.startswith(b"PK") else csv_cells(content)
    filled = ((at, row) for at, row in enumerate(cells, start=1) if any(map(str.strip, row)))
    _, headings = next(filled, (0, None))
    if headings is None:
        raise BadFile("文件是空的")
    code_at, phone_at = _places(headings)
    found = list(_rows(filled, code_at, phone_at))
    if not found:
        raise BadFile("文件只有表头，没有数据行")
    return found


def _rows(
    filled: Iterator[tuple[int, list[str]]], code_at: int, phone_at: int
) -> Iterator[tuple[int, str, str]]:
    for count, (line, row) in enumerate(filled):
        if count == MOST_ROWS:
            raise BadFile(f"文件超过{MOST_ROWS}行，请分开导入")
        yield line, _cell(row, code_at), _cell(row, phone_at)


def _cell(row: Sequence[str], at: int) -> str:
    """What PostgreSQL cannot store is no code and no number."""
    return row[at].strip().replace("\x00", "�") if at < len(row) else ""


def _places(headings: Sequence[str]) -> tuple[int, int]:
    named = [each.strip() for each in headings]
    missing = [zh for name, zh in COLUMNS.items() if not {name, zh} & set(named)]
    if missing:
        raise BadFile(f"文件缺少列：{'、'.join(missing)}")
    found = [
        next(at for at, each in enumerate(named) if each in {name, zh})
        for name, zh in COLUMNS.items()
    ]
    return found[0], found[1]
