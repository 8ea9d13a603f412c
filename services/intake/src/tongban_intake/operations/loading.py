"""The use cases of reference data: load the directory and the catalogue from documents.

A document is checked as a whole against what is there already, and refused as a whole with every
fault named. What it does not mention stays; what it repeats is neither written nor announced.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from tongban_common.db import Transaction
from tongban_common.working_days import SHANGHAI, Limit, Unit
from tongban_intake.domain.catalogue import (
    CaseKind,
    Item,
    ItemType,
    has_same_content,
    version_on,
)
from tongban_intake.domain.directory import (
    Directory,
    Division,
    Level,
    OrgUnit,
    Role,
    Staff,
    UnitKind,
    Window,
    WindowKind,
)
from tongban_intake.events import ItemChanged, StaffChanged, UnitChanged, WindowChanged
from tongban_intake.operations.documents import (
    Document,
    Entry,
    FaultyDocument,
    checked,
    entries_of,
)
from tongban_intake.store import Directories, Items

Code = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z_.\-]{0,63}$")]
Name = Annotated[str, Field(min_length=1, max_length=200)]
EntryT = TypeVar("EntryT", Division, OrgUnit, Window, Staff)


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Code


class DivisionRow(_Row):
    name: Name
    level: Level
    parent_code: Code | None = None


class UnitRow(_Row):
    name: Name
    kind: UnitKind
    level: Level
    division_code: Code
    parent_code: Code | None = None
    is_active: bool = True


class WindowRow(_Row):
    unit_code: Code
    name: Name
    kind: WindowKind
    is_active: bool = True


class StaffRow(_Row):
    unit_code: Code
    role: Role
    window_code: Code | None = None
    is_active: bool = True


class ItemRow(_Row):
    version: int = Field(ge=1, le=1_000_000)
    name: Name
    type: ItemType
    unit_code: Code
    case_kind: CaseKind
    legal_amount: int | None = Field(default=None, le=3650)
    legal_unit: Unit = Unit.WORKING_DAYS
    legal_clause: str = Field(default="实施清单法定办结时限", max_length=200)
    promise_amount: int | None = Field(default=None, le=3650)
    promise_unit: Unit = Unit.WORKING_DAYS
    promise_clause: str = Field(default="实施清单承诺办结时限", max_length=200)
    published_on: date | None = None
    cancelled_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """How many entries of each table were new or different, and how many were not."""

    changed: Mapping[str, int]
    unchanged: int


async def load_directory(tx: Transaction, *, document: Document, now: datetime) -> Loaded:
    """Raises UnreadableDocument, DocumentTooLarge or FaultyDocument, and then writes nothing."""
    entries = entries_of(document, list(_ROWS))
    directories = Directories(tx)
    stored = await directories.lock()

    read, places = _read_directory(entries)
    merged = _merged(stored, read)
    _refuse(
        [
            f"{places.get((fault.table, fault.code), '库中')} {fault.code}：{fault.message}"
            for fault in merged.faults()
        ]
    )

    changed = _difference(read, stored)
    await directories.save(changed)
    _announce(tx, changed, now)
    counts = _counts(changed)
    return Loaded(changed=counts, unchanged=len(entries) - sum(counts.values()))


async def load_catalogue(tx: Transaction, *, document: Document, now: datetime) -> Loaded:
    """Raises UnreadableDocument, DocumentTooLarge or FaultyDocument, and then writes nothing.

    Also announces what the passing of days opened, closed or replaced since the last load.
    """
    entries = entries_of(document, ["items"])
    repository = Items(tx)
    units = (await Directories(tx).lock()).units
    stored = await repository.lock()

    items = _read_items(entries, stored, units)
    changed = [each for each in items if stored.get(each.code, {}).get(each.version) != each]
    await repository.save(changed)
    for each in changed:
        stored.setdefault(each.code, {})[each.version] = each
    await _announce_items(tx, repository, stored, now)
    return Loaded(changed={"items": len(changed)}, unchanged=len(items) - len(changed))


_ROWS: Mapping[str, tuple[type[_Row], type[Any]]] = {
    "divisions": (DivisionRow, Division),
    "units": (UnitRow, OrgUnit),
    "windows": (WindowRow, Window),
    "staff": (StaffRow, Staff),
}


def _read_directory(entries: Iterable[Entry]) -> tuple[Directory, dict[tuple[str, str], str]]:
    """The entries as values, and where each of them stands. Raises FaultyDocument."""
    read: dict[str, dict[str, Any]] = {table: {} for table in _ROWS}
    places: dict[tuple[str, str], str] = {}
    faults: list[str] = []
    for entry in entries:
        model, value = _ROWS[entry.table]
        row = checked(entry, model)
        if isinstance(row, list):
            faults += row
        elif (entry.table, row.code) in places:
            first = places[entry.table, row.code]
            faults.append(f"{entry.where} {row.code}：与{first}的编码重复")
        else:
            places[entry.table, row.code] = entry.where
            read[entry.table][row.code] = value(**row.model_dump())
    _refuse(faults)
    return Directory(**read), places


def _merged(stored: Directory, read: Directory) -> Directory:
    return Directory(
        divisions={**stored.divisions, **read.divisions},
        units={**stored.units, **read.units},
        windows={**stored.windows, **read.windows},
        staff={**stored.staff, **read.staff},
    )


def _difference(read: Directory, stored: Directory) -> Directory:
    return Directory(
        divisions=_changed(read.divisions, stored.divisions),
        units=_changed(read.units, stored.units),
        windows=_changed(read.windows, stored.windows),
        staff=_changed(read.staff, stored.staff),
    )


def _changed(read: Mapping[str, EntryT], stored: Mapping[str, EntryT]) -> dict[str, EntryT]:
    return {code: entry for code, entry in read.items() if stored.get(code) != entry}


def _counts(changed: Directory) -> dict[str, int]:
    return {each.name: len(getattr(changed, each.name)) for each in fields(changed)}


def _announce(tx: Transaction, changed: Directory, now: datetime) -> None:
    for unit in changed.units.values():
        tx.publish(
            UnitChanged(
                occurred_at=now,
                unit_code=unit.code,
                name=unit.name,
                kind=unit.kind,
                level=unit.level,
                parent_code=unit.parent_code,
                division_code=unit.division_code,
                is_active=unit.is_active,
            )
        )
    for window in changed.windows.values():
        tx.publish(
            WindowChanged(
                occurred_at=now,
                window_code=window.code,
                unit_code=window.unit_code,
                name=window.name,
                kind=window.kind,
                is_active=window.is_active,
            )
        )
    for member in changed.staff.values():
        tx.publish(
            StaffChanged(
                occurred_at=now,
                staff_code=member.code,
                unit_code=member.unit_code,
                window_code=member.window_code,
                role=member.role,
                is_active=member.is_active,
            )
        )


def _read_items(
    entries: Sequence[Entry],
    stored: Mapping[str, Mapping[int, Item]],
    units: Mapping[str, OrgUnit],
) -> list[Item]:
    """Raises FaultyDocument."""
    places: dict[tuple[str, int], str] = {}
    items: list[Item] = []
    faults: list[str] = []
    for entry in entries:
        row = checked(entry, ItemRow)
        if isinstance(row, list):
            faults += row
            continue
        item, place = _item(row), (row.code, row.version)
        found = [*item.faults(), *_stored_faults(item, stored.get(row.code, {}), units)]
        if place in places:
            found.append(f"与{places[place]}是同一事项的同一版本")
        faults += [f"{entry.where} {row.code}：{fault}" for fault in found]
        places[place] = entry.where
        items.append(item)
    _refuse(faults)
    return items


def _stored_faults(
    item: Item, versions: Mapping[int, Item], units: Mapping[str, OrgUnit]
) -> list[str]:
    faults = []
    if item.unit_code not in units:
        faults.append(f"机构 {item.unit_code} 不存在")
    known = versions.get(item.version)
    if known is not None and not has_same_content(known, item):
        faults.append(f"第 {item.version} 版已载入且内容不同，变更要素应增加版本号")
    if known is None and any(version > item.version for version in versions):
        faults.append(f"版本号应大于已有的第 {max(versions)} 版")
    return faults


def _item(row: ItemRow) -> Item:
    return Item(
        code=row.code,
        version=row.version,
        name=row.name,
        type=row.type,
        unit_code=row.unit_code,
        case_kind=row.case_kind,
        legal_limit=_limit(row.legal_amount, row.legal_unit, row.legal_clause),
        promise_limit=_limit(row.promise_amount, row.promise_unit, row.promise_clause),
        published_on=row.published_on,
        cancelled_on=row.cancelled_on,
    )


def _limit(amount: int | None, unit: Unit, clause: str) -> Limit | None:
    return None if amount is None else Limit(amount=amount, unit=unit, clause=clause)


async def _announce_items(
    tx: Transaction,
    repository: Items,
    items: Mapping[str, Mapping[int, Item]],
    now: datetime,
) -> None:
    today = now.astimezone(SHANGHAI).date()
    announced = await repository.announced()
    fresh: dict[str, tuple[int, bool]] = {}
    for code, versions in items.items():
        item = version_on(list(versions.values()), on=today)
        state = (item.version, item.is_open(on=today))
        if announced.get(code) == state:
            continue
        fresh[code] = state
        tx.publish(
            ItemChanged(
                occurred_at=now,
                item_code=code,
                version=item.version,
                name=item.name,
                unit_code=item.unit_code,
                case_kind=item.case_kind,
                is_active=item.is_open(on=today),
            )
        )
    await repository.save_announced(fresh)


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise FaultyDocument(faults)
