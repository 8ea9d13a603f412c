"""`python -m bench clocks`: very many timers, and a city where a thousand run out at once.

First timers of a kind that does nothing, all due: three processes with the product's sweeper fire
each once; and what a sweep costs that finds nothing due, with many armed and with few. Then a
filled hotline with three timer workers as they run in production, where the oldest open tickets
have just run out and one of those is damaged.
"""

import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench import cities, sweeping
from bench.servers import HOTLINE, ROOT, DidNotStart, Failed, hotline_database, hotline_kit, start
from tongban_common.clock import utc_now
from tongban_common.db import Database
from tongban_common.issuer import DevelopmentIssuer
from tongban_suite.embedded import EmbeddedPostgres

FEW = 10_000
POLLS = 300
NO_BROKER = "127.0.0.1:9"  # timers need none
_PATIENCE = 600.0  # seconds for the breached tickets
_SETTLED = 5.0  # seconds more, in which nothing may be told again
_ARM = """
    INSERT INTO timer (kind, subject, start_at, amount, unit, clause, calendar_version, due_at,
      state)
    SELECT $1, g::text, $2, 1, 'hours', 'bench', '',
      $2::timestamptz + $3::interval + g * interval '1 ms', 'armed'
    FROM generate_series(1, $4::int) g
"""
_MISSED = """
    SELECT data->>'ticket_id' AS ticket, count(*) AS times FROM outbox
    WHERE type LIKE '%deadline-missed%' AND data->>'clock' = 'unit' GROUP BY 1
"""
_CORRUPT = """
    UPDATE assignment SET reply_term = reply_term - 'due_at'
    WHERE ticket_id = (SELECT ticket_id FROM assignment WHERE due_at < $1
      ORDER BY due_at OFFSET $2 LIMIT 1)
    RETURNING ticket_id::text
"""
_out = Console(soft_wrap=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """Timers of the kind that does nothing."""

    timers: int
    told: int
    told_twice: int
    seconds: float
    shares: tuple[int, ...]  # of each worker
    empty_ms_few: float
    empty_ms_many: float

    @property
    def empty_ratio(self) -> float:
        return self.empty_ms_many / self.empty_ms_few


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalated:
    """A city with tickets that ran out."""

    open_tickets: int
    breached: int
    told_once: int  # of the sound ones
    told_twice: int
    not_breached: int  # told of, and should not have been
    ladders: int  # supervisions that went out on a rung of theirs
    seconds: float  # until the last of them
    corrupt_told: int
    corrupt_attempts: int
    corrupt_reports: int  # lines of the workers' logs


def main(
    timers: Annotated[int, typer.Option(min=1000)] = 1_000_000,
    tickets: Annotated[int, typer.Option(min=1000, help="open ones")] = 100_000,
    breached: Annotated[int, typer.Option(min=2)] = 1000,
    workers: Annotated[int, typer.Option(min=1, max=16)] = 3,
    json_file: Annotated[Path | None, typer.Option("--json", help="write it here, too")] = None,
) -> None:
    """Timers in great number: each fires once; a damaged ticket holds no other up."""
    try:
        swept, escalated = asyncio.run(_measure(timers, tickets, breached, workers))
    except (Failed, DidNotStart) as fault:
        Console(stderr=True).print(str(fault), style="red", markup=False)
        raise typer.Exit(1) from None
    _show(swept, escalated, workers)
    if json_file is not None:
        document = {
            "workers": workers,
            "timers": {**asdict(swept), "empty_ratio": swept.empty_ratio},
            "tickets": asdict(escalated),
        }
        json_file.write_text(json.dumps(document, indent=2) + "\n")
    if not _is_right(swept, escalated):
        raise typer.Exit(1)


def _is_right(swept: Swept, escalated: Escalated) -> bool:
    """Counts, never times."""
    return (
        (swept.told, swept.told_twice) == (swept.timers, 0)
        and escalated.told_once == escalated.breached - 1
        and (escalated.told_twice, escalated.not_breached, escalated.corrupt_told) == (0, 0, 0)
        and escalated.corrupt_reports > 0
    )


async def _measure(
    timers: int, tickets: int, breached: int, workers: int
) -> tuple[Swept, Escalated]:
    folder = Path(tempfile.mkdtemp(prefix="tb-clocks-"))
    issuer = DevelopmentIssuer(folder / "issuer")
    try:
        with EmbeddedPostgres(folder / "pg") as postgres:
            for name in ("few", "many"):
                await hotline_database(postgres, issuer, name)
            swept = await _sweep(postgres, timers, workers)
            await postgres.drop(["few", "many"])
            environment = await hotline_database(postgres, issuer, "city")
            escalated = await _escalate(folder, environment, tickets, breached, workers)
            return swept, escalated
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _sweep(postgres: EmbeddedPostgres, timers: int, workers: int) -> Swept:
    now = utc_now()
    ahead = timedelta(hours=1)
    for name, number in (("few", FEW), ("many", timers)):
        async with _connected(postgres.url(name)) as connection:
            await connection.execute(_ARM, sweeping.KIND, now, ahead, number)
            await connection.execute(sweeping.TOLD)
            await connection.execute("VACUUM ANALYZE timer")
    few, many = await _empty_polls(postgres)
    later = now + ahead + timedelta(milliseconds=timers + 1)
    command = [sys.executable, "-m", "bench.sweeping", postgres.url("many"), later.isoformat()]
    begun = time.monotonic()
    processes = [await asyncio.create_subprocess_exec(*command, cwd=ROOT) for _ in range(workers)]
    try:
        async with _connected(postgres.url("many")) as connection:
            await _watch(connection, timers, processes)
            seconds = time.monotonic() - begun
            counts = [
                n for _, n in await connection.fetch("SELECT id, count(*) FROM told GROUP BY 1")
            ]
            shares = await connection.fetch("SELECT count(*) FROM told GROUP BY worker")
    finally:
        for each in processes:
            if each.returncode is None:
                each.terminate()
            await each.wait()
    return Swept(
        timers=timers,
        told=len(counts),
        told_twice=sum(n > 1 for n in counts),
        seconds=seconds,
        shares=tuple(sorted((row[0] for row in shares), reverse=True)),
        empty_ms_few=few,
        empty_ms_many=many,
    )


async def _empty_polls(postgres: EmbeddedPostgres) -> tuple[float, float]:
    """Median milliseconds of a sweep before anything is due, by turns."""
    spent: dict[str, list[float]] = {"few": [], "many": []}
    dbs = {name: Database(postgres.url(name), pool=2) for name in spent}
    sweepers = {name: sweeping.sweeper(db) for name, db in dbs.items()}
    now = utc_now() - timedelta(days=1)
    for _ in range(POLLS):
        for name, each in sweepers.items():
            begun = time.perf_counter()
            await each.sweep(now=now)
            spent[name].append((time.perf_counter() - begun) * 1000)
    for db in dbs.values():
        await db.close()
    return statistics.median(spent["few"]), statistics.median(spent["many"])


async def _watch(connection: Any, timers: int, processes: list[asyncio.subprocess.Process]) -> None:
    """Until the workers are done. Raises Failed where one ended badly."""
    with Progress(console=Console(stderr=True)) as bar:
        shown = bar.add_task("时钟到期", total=timers)
        ends = asyncio.gather(*(each.wait() for each in processes))
        while not (await asyncio.wait([ends], timeout=5))[0]:
            bar.update(shown, completed=await connection.fetchval("SELECT count(*) FROM told"))
    if any(each.returncode for each in processes):
        raise Failed("a worker of the sweep ended with an error")


async def _escalate(
    folder: Path, environment: Mapping[str, str], tickets: int, breached: int, workers: int
) -> Escalated:
    url = environment["TONGBAN_HOTLINE_DATABASE_URL"]
    kit, now = hotline_kit(url), utc_now()
    plan = cities.Plan(tickets=tickets, open_share=1, breached=breached)
    await cities.fill(kit, plan, now=now)
    await kit.db.close()
    log = folder / "workers.log"
    async with _connected(url) as connection:
        over = await connection.fetch(
            "SELECT ticket_id::text FROM assignment WHERE due_at < $1", now
        )
        corrupt = await connection.fetchval(_CORRUPT, now, breached // 2)
        sound = {row[0] for row in over} - {corrupt}
        begun = time.monotonic()
        async with _workers(environment, log, workers):
            seconds = await _until_told(connection, sound, begun)
            await asyncio.sleep(_SETTLED)
        told = {row["ticket"]: row["times"] for row in await connection.fetch(_MISSED)}
        attempts = await connection.fetchval(
            "SELECT max(attempts) FROM timer WHERE left(subject, 36) = $1 AND state = 'armed'",
            corrupt,
        )
        ladders = await connection.fetchval(
            "SELECT count(DISTINCT ticket_id) FROM supervision_ticket "
            "WHERE ticket_id::text = ANY($1)",
            list(sound),
        )
    return Escalated(
        open_tickets=tickets,
        breached=len(over),
        told_once=sum(told.get(each) == 1 for each in sound),
        told_twice=sum(times > 1 for times in told.values()),
        not_breached=len(told.keys() - sound - {corrupt}),
        ladders=ladders,
        seconds=seconds,
        corrupt_told=told.get(corrupt, 0),
        corrupt_attempts=attempts or 0,
        corrupt_reports=_reports(log, corrupt),
    )


@asynccontextmanager
async def _workers(environment: Mapping[str, str], log: Path, number: int) -> AsyncIterator[None]:
    command = [*HOTLINE, "worker", "--role", "timers"]
    environment = {**environment, "TONGBAN_HOTLINE_KAFKA": NO_BROKER}
    with log.open("wb") as written:
        started = [await start(command, environment, written.fileno()) for _ in range(number)]
        try:
            yield
            if any(each.process.returncode is not None for each in started):
                raise DidNotStart("a timer worker ended by itself")
        finally:
            for each in started:
                await each.stop()


async def _until_told(connection: Any, sound: set[str], begun: float) -> float:
    """Seconds until all of them were told of. Raises Failed when that takes too long."""
    while time.monotonic() - begun < _PATIENCE:
        told = {row["ticket"] for row in await connection.fetch(_MISSED)}
        if sound <= told:
            return time.monotonic() - begun
        await asyncio.sleep(0.5)
    raise Failed(f"{len(sound - told)} tickets were not escalated in {_PATIENCE:.0f} s")


def _reports(log: Path, ticket_id: str) -> int:
    """Lines that name the damaged ticket."""
    events = Counter[str]()
    for line in log.read_text().splitlines():
        if ticket_id in line:
            events[str(json.loads(line)["event"])] += 1
    return events["timers.handler_failed"]


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        yield connection
    finally:
        await connection.close()


def _show(swept: Swept, escalated: Escalated, workers: int) -> None:
    table = Table("时钟", "", title=f"{workers}个进程")
    shares = "、".join(f"{each:,}" for each in swept.shares)
    for name, value in (
        ("到期", f"{swept.timers:,}"),
        ("各触发一次", f"{swept.told - swept.told_twice:,}（重复{swept.told_twice}）"),
        ("每秒", f"{swept.timers / swept.seconds:,.0f}（共{swept.seconds:.0f}秒）"),
        ("各进程", shares),
        (f"空轮询，{FEW:,}个在走", f"{swept.empty_ms_few:.2f} ms"),
        (f"空轮询，{swept.timers:,}个在走", f"{swept.empty_ms_many:.2f} ms"),
    ):
        table.add_row(name, value)
    _out.print(table)
    city = Table("在办工单", "", title=f"{workers}个时限进程")
    for name, value in (
        ("在办", f"{escalated.open_tickets:,}"),
        ("超期", f"{escalated.breached:,}，其中1件数据损坏"),
        ("各告知一次", f"{escalated.told_once:,}（重复{escalated.told_twice}）"),
        ("未超期而告知", f"{escalated.not_breached}"),
        ("已按督办阶梯下达", f"{escalated.ladders:,}"),
        ("用时", f"{escalated.seconds:.1f}秒"),
        ("损坏的一件，告知", f"{escalated.corrupt_told}"),
        ("损坏的一件，试过", f"{escalated.corrupt_attempts}"),
        ("损坏的一件，日志报告", f"{escalated.corrupt_reports}"),
    ):
        city.add_row(name, value)
    _out.print(city)
    _out.print(
        f"clocks: fired={swept.told} twice={swept.told_twice} "
        f"per_second={swept.timers / swept.seconds:.0f} empty_poll={swept.empty_ratio:.2f} "
        f"escalated={escalated.told_once}/{escalated.breached - 1} "
        f"twice={escalated.told_twice} reported={escalated.corrupt_reports}",
        highlight=False,
    )
