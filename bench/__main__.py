"""`python -m bench`: lifecycles, bare inserts and empty GETs in turn, told as ratios."""

import asyncio
import json
import os
import platform
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench import clocks, size
from bench.client import Task
from bench.servers import (
    SECRET,
    UNIT,
    DidNotStart,
    Failed,
    Server,
    facts,
    hotline_kit,
    postgres_cpu,
    run_client,
    running,
)
from tongban_common.clock import utc_now
from tongban_common.issuer import DevelopmentIssuer
from tongban_suite.embedded import EmbeddedPostgres

SUBJECTS = {"lifecycle": "工单全程", "insert": "单行写入", "empty": "空请求"}
STEPS = 6  # create, assign, sign, reply, close, read
_LEAD = 0.7  # seconds that the clients of a turn have to start in
_PACKAGES = ("fastapi", "uvicorn", "uvloop", "httptools", "sqlalchemy", "asyncpg", "pydantic")
_out = Console(soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Turn:
    """One subject in one round. Operations and requests a second; CPU-µs of two servers."""

    operations_per_second: float
    requests_per_second: float
    cpu_us_per_request: float
    postgres_cpu_us_per_request: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Of one value in each round."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Field:
    """What is up: the servers by subject, who signs tokens, and where PostgreSQL's data is."""

    servers: Mapping[str, Server]
    issuer: DevelopmentIssuer
    postgres: Path


@dataclass(frozen=True, slots=True)
class Measured:
    """A run: its turns by subject, memory at the end in MiB, and what PostgreSQL said of itself."""

    turns: Mapping[str, Sequence[Turn]]
    rss_mib: Mapping[str, float]
    postgresql: Mapping[str, str]

    def subjects(self) -> dict[str, dict[str, Spread]]:
        return {
            name: {
                each.name: Spread.of([getattr(turn, each.name) for turn in turns])
                for each in fields(Turn)
            }
            for name, turns in self.turns.items()
        }


app = typer.Typer(pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    seconds: Annotated[float, typer.Option(min=0.5, help="of each turn")] = 4,
    rounds: Annotated[int, typer.Option(min=1, help="how often each has its turn")] = 5,
    clients: Annotated[int, typer.Option(min=1, max=64)] = 4,
    json_file: Annotated[Path | None, typer.Option("--json", help="write it here, too")] = None,
) -> None:
    """Lifecycles beside a bare insert: measure, print, and write. Ends with 1 after a failure.

    What else there is to measure are the commands below.
    """
    if context.invoked_subcommand is not None:
        return
    load = os.getloadavg()
    try:
        measured = asyncio.run(_until_told(_measure(seconds, rounds, clients)))
    except (Failed, DidNotStart) as fault:
        Console(stderr=True).print(str(fault), style="red", markup=False)
        raise typer.Exit(1) from None
    except asyncio.CancelledError:
        raise typer.Exit(130) from None
    _show(measured)
    if json_file is not None:
        plan = {"seconds": seconds, "rounds": rounds, "clients": clients}
        document = {**plan, **_machine(load), **_document(measured)}
        json_file.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


async def _until_told(work: Coroutine[Any, Any, Measured]) -> Measured:
    """SIGTERM ends a run as Ctrl-C does: with every process stopped and nothing left behind."""
    task = asyncio.create_task(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def _machine(load: tuple[float, float, float]) -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "system": platform.system(),
        "cores": os.cpu_count(),
        "load_average": {"before": load[0], "after": os.getloadavg()[0]},
    }


def _document(measured: Measured) -> dict[str, object]:
    """All that was measured, for JSON. Units are in the names."""
    return {
        "postgresql": {"kind": "embedded", **measured.postgresql},
        "rss_mib": measured.rss_mib,
        "subjects": {
            name: {value: asdict(spread) for value, spread in each.items()}
            for name, each in measured.subjects().items()
        },
        "ratios": {name: asdict(each) for name, each in _ratios(measured.turns).items()},
        "turns": {name: [asdict(each) for each in of] for name, of in measured.turns.items()},
    }


async def _measure(seconds: float, rounds: int, clients: int) -> Measured:
    folder = Path(tempfile.mkdtemp(prefix="tb-bench-"))
    issuer = DevelopmentIssuer(folder / "issuer")
    try:
        with EmbeddedPostgres(folder / "pg") as postgres:
            async with running(folder, postgres, issuer) as servers:
                field = Field(servers, issuer, folder / "pg")
                turns = await _rounds(field, seconds, rounds, clients)
                rss = {name: server.rss() / (1 << 20) for name, server in servers.items()}
                return Measured(turns, rss, await facts(postgres))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _rounds(field: Field, seconds: float, rounds: int, clients: int) -> dict[str, list[Turn]]:
    """Each subject in turn, the order rotated: what else the machine does hits all alike."""
    hub = field.issuer.token(subject="bench-hub", roles=["dispatcher"])
    officer = field.issuer.token(subject="bench-unit", roles=["unit_officer"], unit=UNIT)
    turns: dict[str, list[Turn]] = {name: [] for name in SUBJECTS}
    names = list(SUBJECTS)
    with Progress(console=Console(stderr=True)) as bar:
        shown = bar.add_task("测量", total=(rounds + 1) * len(names))
        for number in range(rounds + 1):
            for name in names[number % 3 :] + names[: number % 3]:
                length = seconds if number else 1  # the first round warms up
                start = time.monotonic() + _LEAD
                task = Task(name, field.servers[name].port, length, start, hub, officer)
                turn = await _turn(field, task, clients)
                if number:
                    turns[name].append(turn)
                bar.advance(shown)
    return turns


async def _turn(field: Field, task: Task, clients: int) -> Turn:
    server = field.servers[task.subject]
    cpu, postgres = server.cpu(), postgres_cpu(field.postgres)
    done = await asyncio.gather(*(run_client(task) for _ in range(clients)))
    requests = sum(each.requests for each in done)
    return Turn(
        operations_per_second=sum(each.operations / each.seconds for each in done),
        requests_per_second=sum(each.requests / each.seconds for each in done),
        cpu_us_per_request=(server.cpu() - cpu) / requests * 1e6,
        postgres_cpu_us_per_request=(postgres_cpu(field.postgres) - postgres) / requests * 1e6,
    )


def _ratios(turns: Mapping[str, Sequence[Turn]]) -> dict[str, Spread]:
    """Taken within each round, where both sides met the same noise."""
    rounds = [_ratios_of(*turn) for turn in zip(*(turns[name] for name in SUBJECTS), strict=True)]
    return {name: Spread.of([each[name] for each in rounds]) for name in rounds[0]}


def _ratios_of(step: Turn, insert: Turn, empty: Turn) -> dict[str, float]:
    """How many times as much another does, or costs. One step is one request of a lifecycle."""
    return {
        "inserts_per_step": insert.requests_per_second / step.requests_per_second,
        "gets_per_step": empty.requests_per_second / step.requests_per_second,
        "inserts_per_lifecycle": insert.requests_per_second / step.operations_per_second,
        "step_cpu_to_insert_cpu": step.cpu_us_per_request / insert.cpu_us_per_request,
        "step_cpu_to_get_cpu": step.cpu_us_per_request / empty.cpu_us_per_request,
    }


def _show(measured: Measured) -> None:
    table = Table(title=f"工单全程 = {STEPS} 个请求；各轮中位数；CPU 为每请求微秒")
    for name in ("", "次/秒", "请求/秒", "最少–最多", "CPU", "数据库 CPU", "RSS MiB"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    subjects = measured.subjects()
    for name, each in subjects.items():
        requests = each["requests_per_second"]
        table.add_row(
            SUBJECTS[name],
            f"{each['operations_per_second'].median:.1f}",
            f"{requests.median:.0f}",
            f"{requests.least:.0f}–{requests.most:.0f}",
            f"{each['cpu_us_per_request'].median:.0f}",
            f"{each['postgres_cpu_us_per_request'].median:.0f}",
            f"{measured.rss_mib[name]:.0f}",
        )
    _out.print(table)
    ratios = _ratios(measured.turns)
    compared = Table("每轮内的比值", "中位数", "最小–最大")
    for name, ratio in ratios.items():
        compared.add_row(name, f"{ratio.median:.2f}", f"{ratio.least:.2f}–{ratio.most:.2f}")
    _out.print(compared)
    said = "，".join(f"{name}={value}" for name, value in measured.postgresql.items())
    _out.print(f"PostgreSQL：{said}", highlight=False)
    _out.print("测量期间没有转发进程：事件写入发件箱，留在其中。", highlight=False)
    told = " ".join(f"{name}={ratio.median:.2f}" for name, ratio in ratios.items())
    lifecycles = subjects["lifecycle"]["operations_per_second"].median
    _out.print(f"bench: lifecycles/s={lifecycles:.1f} {told}", highlight=False)


@app.command()
def generate(
    tickets: Annotated[int, typer.Argument(min=100)],
    database: Annotated[str, typer.Option(help="a migrated hotline database; a superuser's URL")],
    secret: Annotated[str, typer.Option(help="of the hotline that will read it")] = SECRET,
    open_share: Annotated[float, typer.Option(min=0, max=1)] = 0.1,
) -> None:
    """Fill a database with tickets as a city has them: a tenth open, the others ended."""
    from bench import cities

    async def fill() -> None:
        kit = hotline_kit(database.replace("postgresql://", "postgresql+asyncpg://"), secret)
        try:
            plan = cities.Plan(tickets=tickets, open_share=open_share)
            await cities.fill(kit, plan, now=utc_now())
        finally:
            await kit.db.close()

    asyncio.run(fill())


app.command("size")(size.main)
app.command("clocks")(clocks.main)

if __name__ == "__main__":
    app()
