"""What a query of requests asks for: which ones, of which time, which page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from tongban_hotline_dispatch.domain.open311 import fields as given
from tongban_hotline_dispatch.domain.open311.fields import Fields, Reader
from tongban_hotline_dispatch.domain.open311.services import Area, Bounds

OPEN, CLOSED = "open", "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Both ends are within."""

    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    number: int
    size: int

    @property
    def skipped(self) -> int:
        return (self.number - 1) * self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    ids: Sequence[str]  # where given, nothing else counts
    service_codes: Sequence[str]
    is_closed: bool | None
    requested: Window | None
    updated: Window | None
    box: Area | None
    page: Page
    is_extended: bool


def query(bounds: Bounds, fields: Fields, *, now: datetime) -> Query:
    """Raises BadRequest. Without any time it is the latest days that one query may span."""
    read = Reader(fields)
    requested = window(read, ("start_date", "end_date"), bounds, now=now)
    updated = window(read, ("updated_after", "updated_before"), bounds, now=now)
    if requested is None and updated is None:
        requested = _latest(bounds, now)
    ids = read.many("service_request_id")
    if len(ids) > bounds.rows:
        read.fault(f"service_request_id 一次不超过{bounds.rows}个")
    asked = Query(
        ids=ids,
        service_codes=read.many("service_code"),
        is_closed=_is_closed(read),
        requested=requested,
        updated=updated,
        box=read.read("bbox", _box),
        page=page(read, bounds),
        is_extended=(read.one("extensions") or "").lower() == "true",
    )
    read.check()
    return asked


def updates(bounds: Bounds, fields: Fields, *, now: datetime) -> tuple[Window, Page]:
    """What servicerequestupdates asks for. Raises BadRequest."""
    read = Reader(fields)
    asked = window(read, ("start_date", "end_date"), bounds, now=now)
    turn = page(read, bounds)
    read.check()
    return asked or _latest(bounds, now), turn


def window(read: Reader, names: tuple[str, str], bounds: Bounds, *, now: datetime) -> Window | None:
    """One end alone reaches as far as one query may; None where neither is given."""
    first, last = (read.read(name, given.moment) for name in names)
    longest = timedelta(days=bounds.days)
    if first is None and last is None:
        return None
    if first is None and last is not None:
        first = last - longest
    elif last is None and first is not None:
        last = min(first + longest, max(now, first))
    found = Window(first=first or now, last=last or now)
    if found.first > found.last:
        read.fault(f"{names[0]} 晚于 {names[1]}")
    elif found.last - found.first > longest:
        read.fault(f"{names[0]} 至 {names[1]} 不得超过{bounds.days}日")
    return found


def page(read: Reader, bounds: Bounds) -> Page:
    size = read.read("page_size", given.whole(1, bounds.rows)) or bounds.rows
    number = read.read("page", given.whole(1, bounds.deepest_row)) or 1
    if number * size > bounds.deepest_row:
        read.fault(f"最多翻至第{bounds.deepest_row}条，请缩短时间范围")
    return Page(number=number, size=size)


def _latest(bounds: Bounds, now: datetime) -> Window:
    return Window(first=now - timedelta(days=bounds.days), last=now)


def _is_closed(read: Reader) -> bool | None:
    asked = {each.lower() for each in read.many("status")}
    if not asked <= {OPEN, CLOSED}:
        read.fault("status 只能是 open、closed")
    return None if len(asked) != 1 else CLOSED in asked


def _box(text: str) -> Area:
    """west,south,east,north"""
    parts = [given.number(part.strip()) for part in text.split(",")]
    if len(parts) != 4:
        raise ValueError("应为 west,south,east,north")
    west, south, east, north = parts
    if not (Decimal(-90) <= south <= north <= Decimal(90)):
        raise ValueError("纬度有误")
    if not (Decimal(-180) <= west <= east <= Decimal(180)):
        raise ValueError("经度有误")
    return Area(south=south, west=west, north=north, east=east)
