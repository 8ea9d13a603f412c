"""What the supervisor's board reads: sums of the tally, never a walk over the tickets.

The tally is kept by triggers on the ticket (migration 0016): whichever way a ticket moves, the
counts move in the same transaction.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.appeal import AppealType
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.store.desks import RUNNING, board_tally
from tongban_hotline_dispatch.store.reference import unit
from tongban_hotline_dispatch.store.tickets import ticket

Sums = Mapping[str, Counter[tuple[str, date | None]]]  # by kind: by key and day
KeyT = TypeVar("KeyT", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitLoad:
    """What one unit has open: its clock runs out later, today, or did already."""

    code: str
    name: str
    open: int
    today: int
    overdue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCount:
    day: date
    registered: int
    closed: int
    overdue: int  # whose time ran out on that day unanswered, or answered later


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    by_status: Mapping[Status, int]
    by_type: Mapping[AppealType, int]
    units: tuple[UnitLoad, ...]  # the most loaded first
    trend: tuple[DayCount, ...]

    @property
    def open(self) -> int:
        return sum(self.by_status.values())

    @property
    def today(self) -> int:
        return sum(each.today for each in self.units)

    @property
    def overdue(self) -> int:
        return sum(each.overdue for each in self.units)


async def board(reads: AsyncConnection, *, now: datetime, days: int) -> Board:
    today = now.astimezone(SHANGHAI).date()
    since = today - timedelta(days=days - 1)
    sums = await _sums(reads, since)
    passed = await _passed_today(reads, today, now)
    rows = await reads.execute(select(unit.c.code, unit.c.name))
    names = {row.code: row.name for row in rows}
    return Board(
        by_status=_by(sums, "status", Status),
        by_type=_by(sums, "type", AppealType),
        units=_loads(sums, names, passed, today),
        trend=tuple(_day(sums, since + timedelta(days=offset), today) for offset in range(days)),
    )


async def counted_by_status(reads: AsyncConnection) -> Counter[Status]:
    table = board_tally.c
    statement = (
        select(table.key, func.sum(table.n)).where(table.kind == "status").group_by(table.key)
    )
    return Counter({Status(key): int(n) for key, n in await reads.execute(statement)})


async def _sums(reads: AsyncConnection, since: date) -> Sums:
    table = board_tally.c
    states = table.kind.in_(("status", "type", "unit", "due"))
    days = and_(table.kind.in_(("registered", "closed", "late")), table.day >= since)
    by = (table.kind, table.key, table.day)
    statement = select(*by, func.sum(table.n)).where(or_(states, days)).group_by(*by)
    sums: dict[str, Counter[tuple[str, date | None]]] = defaultdict(Counter)
    for kind, key, day, n in await reads.execute(statement):
        sums[kind][key, day] = int(n)
    return sums


async def _passed_today(reads: AsyncConnection, today: date, now: datetime) -> Mapping[str, int]:
    """A limit of hours may have run out earlier today; days are whole in the tally."""
    midnight = datetime.combine(today, time.min, tzinfo=SHANGHAI)
    statement = (
        select(ticket.c.unit_code, func.count())
        .where(RUNNING, ticket.c.reply_due_at >= midnight, ticket.c.reply_due_at < now)
        .group_by(ticket.c.unit_code)
    )
    return {code: int(n) for code, n in await reads.execute(statement)}


def _by(sums: Sums, kind: str, of: type[KeyT]) -> dict[KeyT, int]:
    return {each: n for each in of if (n := sums[kind][each.value, None])}


def _loads(
    sums: Sums,
    names: Mapping[str, str],
    passed: Mapping[str, int],
    today: date,
) -> tuple[UnitLoad, ...]:
    due = sums["due"]
    is_today, is_over = Counter[str](), Counter[str]()
    for (code, day), n in due.items():
        if day == today:
            is_today[code] += n - passed.get(code, 0)
        elif day is not None and day < today:
            is_over[code] += n
    is_over.update(passed)
    loads = [
        UnitLoad(
            code=code,
            name=names.get(code, code),
            open=n,
            today=is_today[code],
            overdue=is_over[code],
        )
        for (code, _), n in sums["unit"].items()
        if n
    ]
    return tuple(sorted(loads, key=lambda each: (-each.open, each.code)))


def _day(sums: Sums, day: date, today: date) -> DayCount:
    ran_out = sums["late"]["", day]
    if day < today:
        ran_out += sum(n for (_, at), n in sums["due"].items() if at == day)
    return DayCount(
        day=day,
        registered=sums["registered"]["", day],
        closed=sums["closed"]["", day],
        overdue=ran_out,
    )
