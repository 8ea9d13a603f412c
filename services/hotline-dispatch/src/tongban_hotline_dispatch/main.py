"""Wiring of the hotline: its declaration, and the console script that its image runs."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from tongban_common.cli import commands, settings_from_environment
from tongban_common.clock import utc_now
from tongban_common.errors import Refusal
from tongban_common.service import Service
from tongban_hotline_dispatch import api, consumers, events, operations, pages, store, timers
from tongban_hotline_dispatch.settings import HotlineSettings
from tongban_hotline_dispatch.store.policies import LIMITS

SERVICE = Service(
    short="hotline",
    package="tongban_hotline_dispatch",
    title="12345热线派单",
    settings=HotlineSettings,
    metadata=store.metadata,
    events=events.PUBLISHED,
    routers=(api.router, api.imports, api.public, pages.router),
    subscriptions=consumers.subscriptions,
    timers=timers.handlers,
    policies=(LIMITS,),
)
cli = commands(SERVICE)
_out = Console()


@cli.command("import")
def import_(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
    """Take in tickets from a CSV or XLSX file; bad rows are named, the rest are taken."""
    report = asyncio.run(_import(file))
    for row in report.rows:
        if row.outcome == "refused":
            _out.print(f"第{row.line}行 未导入：{row.reason}", markup=False)
    _out.print(f"导入{report.taken}条，已有{report.known}条，未导入{report.refused}条")
    if report.refused:
        raise typer.Exit(2)


async def _import(file: Path) -> operations.Report:
    try:
        kit = SERVICE.kit(settings_from_environment(SERVICE))
    except Refusal as refusal:
        _out.print(refusal.message, style="red", markup=False)
        raise typer.Exit(1) from None
    try:
        with Progress(console=_out) as bar:
            task = bar.add_task(file.name)
            return await operations.import_file(
                kit,
                name=file.name,
                content=file.read_bytes(),  # noqa: ASYNC240 - a command, nothing else runs
                actor="import",
                now=utc_now(),
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
    except Refusal as refusal:
        _out.print(refusal.message, style="red", markup=False)
        raise typer.Exit(1) from None
    finally:
        await kit.db.close()
