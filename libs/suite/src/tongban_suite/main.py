"""The `tongban` command: the five services' own commands, and what they do together."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from typer._click.core import Command, Context
from typer.core import TyperGroup

from tongban_common.clock import utc_now
from tongban_common.errors import Refusal
from tongban_common.telemetry import configure_logging
from tongban_suite import signals
from tongban_suite.home import Home

_SERVICES = {
    "intake": "tongban_intake",
    "hotline": "tongban_hotline_dispatch",
    "evaluation": "tongban_evaluation",
    "scoring": "tongban_scoring",
    "publishing": "tongban_publishing",
}


class _Commands(TyperGroup):
    """A service is imported when its commands are asked for: together they take seconds."""

    def list_commands(self, ctx: Context) -> list[str]:
        return [*_SERVICES, *super().list_commands(ctx)]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        package = _SERVICES.get(cmd_name)
        if package is None:
            return super().get_command(ctx, cmd_name)
        return typer.main.get_command(import_module(f"{package}.main").cli)


cli = typer.Typer(cls=_Commands, help="通办 · 政务服务。", no_args_is_help=True)
_out = Console()
_err = Console(stderr=True)


@cli.command()
def run(
    host: Annotated[str, typer.Option(help="the address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    *,
    reset: Annotated[bool, typer.Option("--reset", help="forget all data first")] = False,
) -> None:
    """Start everything here: embedded PostgreSQL, the five services, a demo city."""
    from tongban_suite.start import start

    with _plainly():
        start(Home.default(), host=host, port=port, reset=reset)


@cli.command()
def replay(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    reply_days: Annotated[int, typer.Option(min=1, max=365, help="working days to reply")] = 15,
    json: Annotated[Path | None, typer.Option(help="write the result here, too")] = None,
) -> None:
    """Replay a file of real messages through the suite on a simulated clock."""
    from tongban_suite.replay import replay_file

    with _plainly():
        signals.run(replay_file(file, reply_days=reply_days, json_file=json, now=utc_now()))


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
    with _plainly():
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

    with _plainly():
        import_notice(Home.default(), file)


_contracts = typer.Typer(help="OpenAPI, AsyncAPI and event schemas.", no_args_is_help=True)
cli.add_typer(_contracts, name="contracts")


@_contracts.command()
def export(folder: Annotated[Path, typer.Argument()] = Path("contracts")) -> None:
    """Write every service's contracts."""
    from tongban_common import contracts
    from tongban_suite.city import SERVICES

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


@contextmanager
def _plainly() -> Iterator[None]:
    """A refusal is one clear line, not a traceback; a database's own words stay unsaid.

    SIGTERM ends the work as Ctrl-C does, so that what was started is stopped again. Logs keep no
    values here either: a traceback with its variables would quote who filed what.
    """
    configure_logging(service="suite", json=False)
    signals.take_sigterm()
    try:
        yield
    except Refusal as refusal:
        message = refusal.message
    except _database_faults() as fault:
        message = f"数据库出错（{type(fault).__name__}）；请运行 tongban doctor"
    else:
        return
    _err.print(message, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(1)


def _database_faults() -> type[Exception]:
    """Asked only when something failed."""
    from sqlalchemy.exc import SQLAlchemyError

    return SQLAlchemyError
