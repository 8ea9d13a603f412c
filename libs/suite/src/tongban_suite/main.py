"""The `tongban` command: the five services' own commands, and what they do together."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tongban_common.errors import Refusal
from tongban_evaluation.main import cli as evaluation
from tongban_hotline_dispatch.main import cli as hotline
from tongban_intake.main import cli as intake
from tongban_publishing.main import cli as publishing
from tongban_scoring.main import cli as scoring
from tongban_suite.city import SERVICES
from tongban_suite.home import Home

cli = typer.Typer(help="通办 · 政务服务。", no_args_is_help=True)
_out = Console()
_err = Console(stderr=True)

for _short, _commands in (
    ("intake", intake),
    ("hotline", hotline),
    ("evaluation", evaluation),
    ("scoring", scoring),
    ("publishing", publishing),
):
    cli.add_typer(_commands, name=_short)


@cli.command()
def run(
    host: Annotated[str, typer.Option(help="the address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    *,
    reset: Annotated[bool, typer.Option("--reset", help="forget all data first")] = False,
) -> None:
    """Start everything here: embedded PostgreSQL, the five services, a demo city."""
    from tongban_suite.run import run_suite

    home = Home.default()
    if reset:
        home.remove()
    run_suite(home, host=host, port=port)


@cli.command()
def replay(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    reply_days: Annotated[int, typer.Option(min=1, max=365, help="working days to reply")] = 15,
    json: Annotated[Path | None, typer.Option(help="write the result here, too")] = None,
) -> None:
    """Replay a file of real messages through the suite on a simulated clock."""
    from tongban_suite.replay import replay_file

    _asyncio_run(replay_file(Home.default(), file, reply_days=reply_days, json_file=json))


@cli.command()
def token(
    role: Annotated[list[str], typer.Option(help="a role; may be given several times")],
    subject: Annotated[str, typer.Option()] = "developer",
    unit: Annotated[
        str | None, typer.Option(help="the unit that the staff member acts for")
    ] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 30)] = 12,
) -> None:
    """A staff token of the development issuer, for calling the APIs of `tongban run`."""
    issued = Home.default().issuer.token(subject=subject, roles=role, unit=unit, hours=hours)
    print(issued)  # noqa: T201 - to be captured by a shell


@cli.command()
def doctor() -> None:
    """Say what is wrong with this installation and how to mend it."""
    from tongban_suite.doctor import examine

    findings = asyncio.run(examine(Home.default()))
    for finding in findings:
        _out.print(finding.line())
    if not all(finding.is_fine for finding in findings):
        raise typer.Exit(1)


_calendar = typer.Typer(help="The working-day calendar of all five services.", no_args_is_help=True)
cli.add_typer(_calendar, name="calendar")


@_calendar.command("import")
def import_calendar(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
) -> None:
    """Import a later or corrected notice everywhere, and re-date the open deadlines."""
    from tongban_suite.run import import_notice

    _asyncio_run(import_notice(Home.default(), file))


_contracts = typer.Typer(help="OpenAPI, AsyncAPI and event schemas.", no_args_is_help=True)
cli.add_typer(_contracts, name="contracts")


@_contracts.command()
def export(folder: Annotated[Path, typer.Argument()] = Path("contracts")) -> None:
    """Write every service's contracts."""
    from tongban_common import contracts

    for service in SERVICES:
        contracts.export(service, folder / service.short)
        _out.print(f"{folder / service.short}")


@_contracts.command()
def check(folder: Annotated[Path, typer.Argument()] = Path("contracts")) -> None:
    """Fail on drift from the code, and on an incompatible change against main."""
    from tongban_suite.compatibility import faults

    found = faults(folder)
    for fault in found:
        _err.print(fault, style="red", markup=False)
    if found:
        raise typer.Exit(1)
    _out.print("contracts: no drift, nothing incompatible")


def _asyncio_run(work: Coroutine[Any, Any, object]) -> None:
    try:
        asyncio.run(work)
    except Refusal as refusal:
        _err.print(refusal.message, style="red", markup=False)
        raise typer.Exit(1) from None
