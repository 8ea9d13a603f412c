"""Replay a file of real messages through the suite's own operations on a simulated clock."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from heapq import heappop, heappush
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import func, select, text

from tongban_common.dead_letters import dead_letter
from tongban_common.errors import BadInput
from tongban_common.inbox import inbox_gap
from tongban_common.outbox import outbox
from tongban_common.privacy import Sealer
from tongban_common.settings import ServiceSettings
from tongban_common.timers import timer
from tongban_common.working_days import SHANGHAI, Limit, Unit
from tongban_hotline_dispatch import operations as hotline
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.assignment import Reply
from tongban_hotline_dispatch.store import Complainant
from tongban_intake import operations as intake
from tongban_intake.operations import Document
from tongban_suite.city import City, prepare
from tongban_suite.embedded import EmbeddedPostgres
from tongban_suite.home import Home
from tongban_suite.messages import Message, read_messages
from tongban_suite.places import Places, directory_of, packaged_places
from tongban_suite.quarters import finish_and_publish, quarter_name
from tongban_suite.simulation import Simulation

ACTOR = "replay"
_LATE = text("state = 'fired' AND kind IN ('unit', 'citizen')")  # replies, not stages of handling
_SETTLE_EVERY = 400  # moves between deliveries: events travel in batches, as they do under load


@dataclass
class Tally:
    """What the replay itself saw, beside what the databases say at the end."""

    units: dict[str, str]
    tickets: Counter[str] = field(default_factory=Counter)  # by unit
    overdue: Counter[str] = field(default_factory=Counter)
    due_quarters: Counter[str] = field(default_factory=Counter)
    overdue_quarters: Counter[str] = field(default_factory=Counter)
    scorecards: int = 0
    bulletins: int = 0

    def count(self, unit: str, due: datetime, *, is_overdue: bool) -> None:
        quarter = quarter_name(due.astimezone(SHANGHAI).date())
        self.tickets[unit] += 1
        self.due_quarters[quarter] += 1
        self.overdue[unit] += is_overdue
        self.overdue_quarters[quarter] += is_overdue


class CannotWrite(BadInput):
    code = "replay.cannot_write"


async def replay_file(
    file: Path, *, reply_days: int, json_file: Path | None, now: datetime
) -> dict[str, Any]:
    """Over databases of its own, which are gone afterwards. Raises BadMessages, CannotWrite."""
    if json_file is not None:
        _check_writable(json_file)
    messages = read_messages(file, now=now)
    with TemporaryDirectory(prefix="tb-") as folder:
        home = Home(Path(folder))  # of its own: whoever runs here meanwhile is not disturbed
        with home.server() as server:
            result = await _replayed(home.settings(server), server, messages, reply_days)
    _print(Console(), result)
    if json_file is not None:
        document = orjson.dumps(result, option=orjson.OPT_INDENT_2)
        await asyncio.to_thread(json_file.write_bytes, document)
    return result


def _check_writable(file: Path) -> None:
    """Before minutes of work. Raises CannotWrite."""
    if not file.parent.is_dir():
        raise CannotWrite(f"--json：文件夹 {file.parent} 不存在")
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise CannotWrite(f"--json：{file} 不能写入")


async def _replayed(
    settings: Mapping[str, ServiceSettings],
    server: EmbeddedPostgres,
    messages: Sequence[Message],
    reply_days: int,
) -> dict[str, Any]:
    await server.ensure(list(settings))
    await server.hurry(list(settings), on=True)
    await prepare(settings)
    city = City(settings)
    started = time.perf_counter()
    try:
        with _bar(Console()) as bar:
            replayed = _Replay(city, packaged_places(), _limit(reply_days))
            await replayed.run(messages, bar)
        return await _result(city, replayed.tally, time.perf_counter() - started)
    finally:
        await city.close()


class _Replay:
    def __init__(self, city: City, places: Places, limit: Limit) -> None:
        self.city = city
        self.tally = Tally({each.code: each.name for each in (places.hub, *places.places)})
        self._places = places
        self._limit = limit
        self._kit = city.kit("hotline")
        self._sealer = Sealer(self._kit.secret)
        self._moves = 0

    async def run(self, messages: Sequence[Message], bar: Progress) -> None:
        start = min(message.received_at for message in messages)
        await self._load_directory(start)
        simulation = Simulation(self.city, start)
        quarters = _Quarters(self, start)
        simulation.each_day(quarters.on_day)
        task = bar.add_task("重放", total=len(messages))
        for message, ticket_id in _timeline(messages):
            if ticket_id is None:
                await simulation.advance(message.received_at)
                await self._take_in(message)
            else:
                await simulation.advance(message.replied_at)
                await self._answer(message, ticket_id)
                bar.advance(task)
            await self._settle_sometimes()
        await simulation.advance(quarters.end_of_last(simulation.now))
        await self.city.settle()

    async def _take_in(self, message: Message) -> None:
        """登记、派单、签收 at the moment of receipt: the file knows no other for them."""
        now = message.received_at
        rules = await hotline.rules_at(self._kit, now=now)
        new = hotline.Registration(
            ticket_id=_ticket_id(message),
            query_code=hotline.new_query_code(),
            appeal=Appeal(
                channel=Channel.NETIZEN_MESSAGE,
                channel_order_no=message.message_id,
                matter_code=None,
                appeal_type=AppealType.HELP,
                urgency=Urgency.NORMAL,
                title=message.title,
                content=message.content,
            ),
            person=Complainant(),
            actor=ACTOR,
            wants_reply=False,  # one limit, one clock: the unit's
        )
        rules = rules.with_one_limit(self._limit)
        unit = self._places.unit_of(message.title, message.content)
        async with self._kit.db.transaction() as tx:
            await hotline.register(tx, new=new, rules=rules, sealer=self._sealer, now=now)
        step = hotline.Step(ticket_id=new.ticket_id, actor=ACTOR)
        async with self._kit.db.transaction() as tx:
            await hotline.assign(tx, step=step, unit_code=unit, rules=rules, now=now)
        async with self._kit.db.transaction() as tx:
            await hotline.sign(tx, step=step, rules=rules, now=now)
        self._moves += 3

    async def _answer(self, message: Message, ticket_id: UUID) -> None:
        """答复、办结 at the moment of the reply."""
        now = message.replied_at
        step = hotline.Step(ticket_id=ticket_id, actor=ACTOR)
        rules = await hotline.rules_at(self._kit, now=now)
        async with self._kit.db.transaction() as tx:
            answer = Reply.of(message.reply)
            ticket = await hotline.reply(tx, step=step, answer=answer, rules=rules, now=now)
        async with self._kit.db.transaction() as tx:
            await hotline.close(tx, step=step, rules=rules, now=now)
        self._moves += 2
        if ticket.unit_code is not None and ticket.reply_term is not None:
            overdue = ticket.is_overdue(at=now)
            self.tally.count(ticket.unit_code, ticket.reply_term.due_at, is_overdue=overdue)

    async def finish_quarter(self, day: date, now: datetime) -> None:
        """The quarter of this day has ended: score it, publish it."""
        await self.city.settle()
        finished = await finish_and_publish(self.city, day, now=now)
        self.tally.scorecards += finished.scorecards
        self.tally.bulletins += finished.bulletins

    async def _settle_sometimes(self) -> None:
        if self._moves >= _SETTLE_EVERY:
            self._moves = 0
            await self.city.settle()

    async def _load_directory(self, now: datetime) -> None:
        document = Document(name="places.yaml", content=directory_of(self._places).encode("utf-8"))
        async with self.city.kit("intake").db.transaction() as tx:
            await intake.load_directory(tx, document=document, now=now)
        await self.city.settle()


class _Quarters:
    """Notices the first day of each quarter, and finishes the one before."""

    def __init__(self, replayed: _Replay, start: datetime) -> None:
        self._replayed = replayed
        self._current = quarter_name(start.astimezone(SHANGHAI).date())

    async def on_day(self, now: datetime) -> None:
        today = now.astimezone(SHANGHAI).date()
        if quarter_name(today) != self._current:
            self._current = quarter_name(today)
            await self._replayed.finish_quarter(today - timedelta(days=1), now)

    def end_of_last(self, now: datetime) -> datetime:
        """The first moment after the quarter that is under way."""
        day = now.astimezone(SHANGHAI).date()
        month = (day.month - 1) // 3 * 3 + 4
        first = date(day.year + (month > 12), (month - 1) % 12 + 1, 1)
        return datetime(first.year, first.month, first.day, tzinfo=SHANGHAI) + timedelta(seconds=1)


def _timeline(messages: Sequence[Message]) -> Iterator[tuple[Message, UUID | None]]:
    """Receipts and replies in order of time; a reply carries the id that its ticket got."""
    waiting: list[tuple[datetime, int, Message]] = []
    for number, message in enumerate(messages):
        while waiting and waiting[0][0] <= message.received_at:
            answered = heappop(waiting)[2]
            yield answered, _ticket_id(answered)
        yield message, None
        heappush(waiting, (message.replied_at, number, message))
    while waiting:
        answered = heappop(waiting)[2]
        yield answered, _ticket_id(answered)


def _ticket_id(message: Message) -> UUID:
    """The same for the same message, so that the timeline needs no memory."""
    return uuid5(NAMESPACE_URL, f"urn:tongban:replay:{message.message_id}")


def _limit(reply_days: int) -> Limit:
    return Limit(
        amount=reply_days,
        unit=Unit.WORKING_DAYS,
        clause=f"重放参数：一律{reply_days}个工作日（含本数）",
    )


async def _result(city: City, tally: Tally, seconds: float) -> dict[str, Any]:
    """The keys that the README lists."""
    events: Counter[str] = Counter()
    gaps = duplicates = letters = fired = 0
    for station in city.stations.values():
        async with station.kit.db.reading() as connection:
            counted = await connection.execute(
                select(outbox.c.type, func.count()).group_by(outbox.c.type)
            )
            for type_, number in counted:
                events[type_] += number
            gaps += await _count(connection, select(func.count()).select_from(inbox_gap))
            letters += await _count(connection, select(func.count()).select_from(dead_letter))
            fired += await _count(
                connection,
                select(func.count()).select_from(timer).where(_LATE),
            )
        duplicates += station.inbox.outcomes["duplicate"]
    total, overdue = sum(tally.tickets.values()), sum(tally.overdue.values())
    return {
        "tickets": total,
        "on_time": total - overdue,
        "overdue": overdue,
        "units": [
            {
                "code": code,
                "name": tally.units[code],
                "tickets": number,
                "overdue": tally.overdue[code],
            }
            for code, number in sorted(tally.tickets.items())
        ],
        "quarters": {
            quarter: {"tickets": number, "overdue": tally.overdue_quarters[quarter]}
            for quarter, number in sorted(tally.due_quarters.items())
        },
        "events": dict(sorted(events.items())),
        "deadlines_fired": fired,
        "gaps": gaps,
        "duplicates": duplicates,
        "dead_letters": letters,
        "scorecards": tally.scorecards,
        "bulletins": tally.bulletins,
        "seconds": round(seconds, 1),
    }


async def _count(connection: Any, statement: Any) -> int:
    return int((await connection.execute(statement)).scalar_one())


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


def _print(console: Console, result: dict[str, Any]) -> None:
    table = Table(title="各季度（按到期日）")
    for column in ("季度", "工单", "超期", "超期率"):
        table.add_column(column, justify="left" if column == "季度" else "right")
    for quarter, each in result["quarters"].items():
        share = f"{each['overdue'] / each['tickets']:.0%}"
        table.add_row(quarter, str(each["tickets"]), str(each["overdue"]), share)
    console.print(table)
    units = Table(title="超期最多的单位")
    for column in ("单位", "工单", "超期"):
        units.add_column(column, justify="left" if column == "单位" else "right")
    for each in sorted(result["units"], key=lambda unit: -unit["overdue"])[:10]:
        units.add_row(each["name"], str(each["tickets"]), str(each["overdue"]))
    console.print(units)
    console.print(
        f"工单 {result['tickets']}：按期 {result['on_time']}，超期 {result['overdue']}；"
        f"事件 {sum(result['events'].values())}，到期触发 {result['deadlines_fired']}，"
        f"缺口 {result['gaps']}，重复 {result['duplicates']}，死信 {result['dead_letters']}；"
        f"记分卡 {result['scorecards']}，通报 {result['bulletins']}；用时 {result['seconds']} 秒"
    )
