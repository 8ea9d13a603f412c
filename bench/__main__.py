"""`python -m bench`: lifecycles, bare inserts and empty GETs in turn, told as ratios."""

import asyncio
import json
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.client import Done, Task
from bench.servers import ROOT, UNIT, DidNotStart, Server, running
from tongban_common.issuer import DevelopmentIssuer
from tongban_suite.embedded import EmbeddedPostgres

SUBJECTS = {"lifecycle": "工单全程", "insert": "单行写入", "empty": "空请求"}
STEPS = 6  # create, assign, sign, reply, close, read
_out = Console(soft_wrap=True)


class Failed(Exception):
    """A client got an answer that is no success."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One subject in one round. Operations and requests a second; CPU-µs of the server."""

    operations_per_second: float
    requests_per_second: float
    cpu_us_per_request: float


@dataclass(frozen=True, slots=True)
class Result:
    """A subject over all rounds: medians, the spread of its requests, and its memory in MiB."""

    operations_per_second: float
    requests_per_second: float
    least: float
    most: float
    cpu_us_per_request: float
    rss_mib: float


def main(
    seconds: Annotated[float, typer.Option(min=0.5, help="of each turn")] = 4,
    rounds: Annotated[int, typer.Option(min=1, help="how often each has its turn")] = 5,
    clients: Annotated[int, typer.Option(min=1, max=64)] = 4,
    json_file: Annotated[Path | None, typer.Option("--json", help="write it here, too")] = None,
) -> None:
    """Measure, print, and write. Ends with 1 when any request failed."""
    try:
        results = asyncio.run(_measure(seconds, rounds, clients))
    except (Failed, DidNotStart) as fault:
        Console(stderr=True).print(str(fault), style="red", markup=False)
        raise typer.Exit(1) from None
    ratios = _ratios(results)
    _show(results, ratios)
    if json_file is not None:
        document = {
            "seconds": seconds,
            "rounds": rounds,
            "clients": clients,
            "python": platform.python_version(),
            "system": platform.system(),
            "postgresql": "embedded, fsync on",
            "subjects": {name: asdict(each) for name, each in results.items()},
            "ratios": ratios,
        }
        json_file.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


async def _measure(seconds: float, rounds: int, clients: int) -> dict[str, Result]:
    folder = Path(tempfile.mkdtemp(prefix="tb-bench-"))
    issuer = DevelopmentIssuer(folder / "issuer")
    try:
        with EmbeddedPostgres(folder / "pg") as postgres:
            async with running(folder, postgres, issuer) as servers:
                turns = await _rounds(servers, issuer, seconds, rounds, clients)
                return {
                    name: _summary(turns[name], servers[name].rss() / (1 << 20))
                    for name in SUBJECTS
                }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _rounds(
    servers: Mapping[str, Server],
    issuer: DevelopmentIssuer,
    seconds: float,
    rounds: int,
    clients: int,
) -> dict[str, list[Turn]]:
    """Each subject in turn, the order rotated: what else the machine does hits all alike."""
    hub = issuer.token(subject="bench-hub", roles=["dispatcher"])
    officer = issuer.token(subject="bench-unit", roles=["unit_officer"], unit=UNIT)
    turns: dict[str, list[Turn]] = {name: [] for name in SUBJECTS}
    names = list(SUBJECTS)
    with Progress(console=Console(stderr=True)) as bar:
        shown = bar.add_task("测量", total=(rounds + 1) * len(names))
        for number in range(rounds + 1):
            for name in names[number % 3 :] + names[: number % 3]:
                warming = number == 0
                task = Task(name, servers[name].port, 1 if warming else seconds, hub, officer)
                turn = await _turn(task, servers[name], clients)
                if not warming:
                    turns[name].append(turn)
                bar.advance(shown)
    return turns


async def _turn(task: Task, server: Server, clients: int) -> Turn:
    before = server.cpu()
    done = await asyncio.gather(*(_client(task) for _ in range(clients)))
    requests = sum(each.requests for each in done)
    return Turn(
        operations_per_second=sum(each.operations / each.seconds for each in done),
        requests_per_second=sum(each.requests / each.seconds for each in done),
        cpu_us_per_request=(server.cpu() - before) / requests * 1e6,
    )


async def _client(task: Task) -> Done:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.client"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told, fault = await process.communicate(json.dumps(asdict(task)).encode())
    if process.returncode != 0:
        raise Failed(fault.decode().strip().splitlines()[-1])
    return Done(**json.loads(told))


def _summary(turns: Sequence[Turn], rss_mib: float) -> Result:
    requests = [each.requests_per_second for each in turns]
    return Result(
        operations_per_second=statistics.median(each.operations_per_second for each in turns),
        requests_per_second=statistics.median(requests),
        least=min(requests),
        most=max(requests),
        cpu_us_per_request=statistics.median(each.cpu_us_per_request for each in turns),
        rss_mib=rss_mib,
    )


def _ratios(results: Mapping[str, Result]) -> dict[str, float]:
    """How many times as much another does, or costs. One step is one request of a lifecycle."""
    step, insert, empty = (results[name] for name in SUBJECTS)
    return {
        "inserts_per_step": insert.requests_per_second / step.requests_per_second,
        "gets_per_step": empty.requests_per_second / step.requests_per_second,
        "inserts_per_lifecycle": insert.requests_per_second / step.operations_per_second,
        "step_cpu_to_insert_cpu": step.cpu_us_per_request / insert.cpu_us_per_request,
        "step_cpu_to_get_cpu": step.cpu_us_per_request / empty.cpu_us_per_request,
    }


def _show(results: Mapping[str, Result], ratios: Mapping[str, float]) -> None:
    table = Table(title=f"工单全程 = {STEPS} 个请求；各轮中位数")
    for name in ("", "次/秒", "请求/秒", "最少–最多", "CPU 微秒/请求", "RSS MiB"):
        table.add_column(name, justify="left" if not name else "right")
    for name, each in results.items():
        table.add_row(
            f"{SUBJECTS[name]} {name}",
            f"{each.operations_per_second:.0f}",
            f"{each.requests_per_second:.0f}",
            f"{each.least:.0f}–{each.most:.0f}",
            f"{each.cpu_us_per_request:.0f}",
            f"{each.rss_mib:.0f}",
        )
    _out.print(table)
    _out.print("测量期间没有转发进程：事件写入发件箱，留在其中。", highlight=False)
    told = " ".join(f"{name}={value:.2f}" for name, value in ratios.items())
    _out.print(
        f"bench: lifecycles/s={results['lifecycle'].operations_per_second:.1f} {told}",
        highlight=False,
    )


if __name__ == "__main__":
    typer.run(main)
