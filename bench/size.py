"""`python -m bench size`: what lists, searches and moves cost with many tickets, as ratios.

Two filled databases side by side, each behind a server of its own, are asked the same questions in
turn by one client, so that what else the machine does hits both alike. Then lifecycles run on the
large one and on an empty one, in alternating rounds.
"""

import asyncio
import gc
import http.client
import json
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench import cities
from bench.client import Task
from bench.likeness import TROUBLES
from bench.multiplying import phone_of
from bench.servers import (
    UNIT,
    DidNotStart,
    Failed,
    Server,
    hotline_database,
    hotline_kit,
    hotlines,
    run_client,
)
from tongban_common.clock import utc_now
from tongban_common.issuer import DevelopmentIssuer
from tongban_suite.embedded import EmbeddedPostgres

NAMES = {
    "inbox": "承办单位工单列表",
    "desk": "承办台",
    "number": "按编号查找",
    "phone": "按电话查找",
    "text": "按文字查找",
    "board": "监督台",
}
PAGE = 10  # lines of a list, which a unit of the small database has, too
WARM_UP = 30
CLIENTS, SECONDS = 4, 4.0  # of a round of lifecycles
_LEAD = 0.7
_out = Console(soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    method: str
    path: str
    token: str
    body: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Growth:
    """Milliseconds of one kind of request on both databases."""

    small_median: float
    small_p99: float
    large_median: float
    large_p99: float

    @property
    def ratio(self) -> float:
        return self.large_p99 / self.small_p99


@dataclass(frozen=True, slots=True)
class Measured:
    growth: Mapping[str, Growth]
    lifecycles: Sequence[tuple[float, float]]  # a second: on the large, on the empty one
    large_gib: float
    fill_seconds: float

    @property
    def lifecycle_ratio(self) -> float:
        return statistics.median(large / empty for large, empty in self.lifecycles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    small: int
    large: int
    requests: int
    rounds: int


def main(
    small: Annotated[int, typer.Option(min=1000)] = 10_000,
    large: Annotated[int, typer.Option(min=1000)] = 1_000_000,
    requests: Annotated[int, typer.Option(min=100, help="of each kind, on each side")] = 1000,
    rounds: Annotated[int, typer.Option(min=1, help="of lifecycles, on each side")] = 6,
    json_file: Annotated[Path | None, typer.Option("--json", help="write it here, too")] = None,
) -> None:
    """Lists, searches, the board and lifecycles with many tickets, beside few, as ratios."""
    effort = Effort(small=small, large=large, requests=requests, rounds=rounds)
    try:
        measured = asyncio.run(_measure(effort))
    except (Failed, DidNotStart) as fault:
        Console(stderr=True).print(str(fault), style="red", markup=False)
        raise typer.Exit(1) from None
    _show(measured, effort)
    if json_file is not None:
        json_file.write_text(json.dumps(_document(measured, effort), indent=2) + "\n")


async def _measure(effort: Effort) -> Measured:
    folder = Path(tempfile.mkdtemp(prefix="tb-size-"))
    issuer = DevelopmentIssuer(folder / "issuer")
    try:
        with EmbeddedPostgres(folder / "pg") as postgres:
            sizes = {"small": effort.small, "large": effort.large}
            environments = {
                name: await hotline_database(postgres, issuer, name) for name in (*sizes, "empty")
            }
            begun = time.monotonic()
            for name, size in sizes.items():
                await fill(postgres.url(name), cities.Plan(tickets=size))
            spent = time.monotonic() - begun
            gib = await _settle(postgres.url("large"))
            async with hotlines(folder, environments) as servers:
                growth = await _growth(servers, postgres, issuer, effort)
                lifecycles = await _lifecycles(servers, issuer, effort)
            return Measured(growth, lifecycles, gib, spent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def fill(url: str, plan: cities.Plan) -> None:
    kit = hotline_kit(url)
    try:
        await cities.fill(kit, plan, now=utc_now())
    finally:
        await kit.db.close()


async def _settle(url: str) -> float:
    """Everything is on disk before anything is measured. GiB of the database."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        await connection.execute("CHECKPOINT")
        size: int = await connection.fetchval("SELECT pg_database_size(current_database())")
        return size / (1 << 30)
    finally:
        await connection.close()


async def _growth(
    servers: Mapping[str, Server],
    postgres: EmbeddedPostgres,
    issuer: DevelopmentIssuer,
    effort: Effort,
) -> dict[str, Growth]:
    sides = {
        "small": (servers["small"].port, await _questions(postgres, issuer, "small", effort.small)),
        "large": (servers["large"].port, await _questions(postgres, issuer, "large", effort.large)),
    }
    return await asyncio.to_thread(_in_turn, sides, effort.requests)


Questions = Mapping[str, Callable[[random.Random], Asked]]


async def _questions(
    postgres: EmbeddedPostgres, issuer: DevelopmentIssuer, name: str, size: int
) -> Questions:
    """What is asked of a database, by kind. Both are asked alike for the same random state."""
    hub = issuer.token(subject="bench-hub", roles=["dispatcher"])
    supervisor = issuer.token(subject="bench-supervisor", roles=["supervisor"])
    units = [
        issuer.token(subject=f"bench-{code}", roles=["unit_officer"], unit=code)
        for code in cities.Plan(tickets=size).unit_codes
    ]
    connection = await asyncpg.connect(postgres.url(name).replace("+asyncpg", ""))
    try:
        rows = await connection.fetch(
            "SELECT ticket_no FROM ticket ORDER BY md5(ticket_no) LIMIT 2000"
        )
    finally:
        await connection.close()
    numbers = [row[0] for row in rows]
    texts = [*cities.titles(500), *TROUBLES]
    persons = max(1, size // cities.PER_PERSON)

    def found(**asked: str) -> Asked:
        return Asked("POST", "/hotline/v1/ticket-searches", hub, asked)

    return {
        "inbox": lambda r: Asked("GET", f"/hotline/v1/tickets?limit={PAGE}", r.choice(units)),
        "desk": lambda r: Asked("GET", f"/hotline/desk/unit?limit={PAGE}", r.choice(units)),
        "number": lambda r: found(number=r.choice(numbers)),
        "phone": lambda r: found(phone=phone_of(r.randrange(size), persons)),
        "text": lambda r: found(text=r.choice(texts)),
        "board": lambda _: Asked("GET", "/hotline/desk/board", supervisor),
    }


def _in_turn(sides: Mapping[str, tuple[int, Questions]], requests: int) -> dict[str, Growth]:
    """Each request to both, now the one first and now the other."""
    connections = {
        name: http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for name, (port, _) in sides.items()
    }
    growth = {}
    gc.disable()
    try:
        with Progress(console=Console(stderr=True)) as bar:
            shown = bar.add_task("列表、查找、监督台", total=len(NAMES) * (requests + WARM_UP))
            for kind in NAMES:
                spent: dict[str, list[float]] = {name: [] for name in sides}
                for turn in range(requests + WARM_UP):
                    for name in sorted(sides, reverse=bool(turn % 2)):
                        asked = sides[name][1][kind](random.Random(turn))
                        taken = _answered(connections[name], asked)
                        if turn >= WARM_UP:
                            spent[name].append(taken * 1000)
                    bar.advance(shown)
                growth[kind] = Growth(*_figures(spent["small"]), *_figures(spent["large"]))
    finally:
        gc.enable()
    return growth


def _answered(connection: http.client.HTTPConnection, asked: Asked) -> float:
    """Seconds until the whole answer was there. Raises Failed."""
    headers = {"Authorization": f"Bearer {asked.token}"}
    if asked.body is not None:
        headers["Content-Type"] = "application/json"
    raw = None if asked.body is None else json.dumps(asked.body).encode()
    begun = time.perf_counter()
    connection.request(asked.method, asked.path, raw, headers)
    answer = connection.getresponse()
    content = answer.read()
    spent = time.perf_counter() - begun
    if answer.status != 200:
        raise Failed(f"{asked.method} {asked.path}: {answer.status} {content.decode()[:300]}")
    return spent


def _figures(spent: Sequence[float]) -> tuple[float, float]:
    return statistics.median(spent), statistics.quantiles(spent, n=100)[98]


async def _lifecycles(
    servers: Mapping[str, Server], issuer: DevelopmentIssuer, effort: Effort
) -> list[tuple[float, float]]:
    """In each round both, now the one first and now the other; the first round warms up."""
    hub = issuer.token(subject="bench-hub", roles=["dispatcher"])
    officer = issuer.token(subject="bench-unit", roles=["unit_officer"], unit=UNIT)

    async def turn(name: str, seconds: float) -> float:
        start = time.monotonic() + _LEAD
        task = Task("lifecycle", servers[name].port, seconds, start, hub, officer)
        done = await asyncio.gather(*(run_client(task) for _ in range(CLIENTS)))
        return sum(each.operations / each.seconds for each in done)

    rounds = []
    with Progress(console=Console(stderr=True)) as bar:
        for number in bar.track(range(effort.rounds + 1), description="工单全程"):
            names = ("large", "empty") if number % 2 else ("empty", "large")
            told = {name: await turn(name, SECONDS if number else 1) for name in names}
            if number:
                rounds.append((told["large"], told["empty"]))
    return rounds


def _show(measured: Measured, effort: Effort) -> None:
    table = Table(title=f"{effort.small:,}件与{effort.large:,}件；毫秒，每类{effort.requests}次")
    for name in ("", "少：中位", "p99", "多：中位", "p99", "p99之比"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for kind, each in measured.growth.items():
        row = (each.small_median, each.small_p99, each.large_median, each.large_p99)
        table.add_row(NAMES[kind], *(f"{value:.1f}" for value in row), f"{each.ratio:.2f}")
    _out.print(table)
    rates = [statistics.median(side) for side in zip(*measured.lifecycles, strict=True)]
    _out.print(
        f"工单全程每秒：{effort.large:,}件的库{rates[0]:.1f}，空库{rates[1]:.1f}；"
        f"大库{measured.large_gib:.2f} GiB，两库生成用{measured.fill_seconds:.0f}秒",
        highlight=False,
    )
    told = " ".join(f"{kind}={each.ratio:.2f}" for kind, each in measured.growth.items())
    _out.print(f"size: {told} lifecycles={measured.lifecycle_ratio:.2f}", highlight=False)


def _document(measured: Measured, effort: Effort) -> dict[str, Any]:
    return {
        **asdict(effort),
        "milliseconds": {
            kind: {**asdict(each), "p99_ratio": each.ratio}
            for kind, each in measured.growth.items()
        },
        "lifecycles_per_second": [
            {"large": large, "empty": empty} for large, empty in measured.lifecycles
        ],
        "lifecycles_ratio": measured.lifecycle_ratio,
        "large_gib": measured.large_gib,
        "fill_seconds": measured.fill_seconds,
    }
