"""Wiring of the hotline: its declaration, and the commands that its image runs."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from tongban_common.cli import SettingsSource, commands, settings_from_environment
from tongban_common.clock import utc_now
from tongban_common.errors import Refusal
from tongban_common.service import Service
from tongban_hotline_dispatch import api, consumers, events, operations, pages, store, timers
from tongban_hotline_dispatch.operations import Outcome, Report
from tongban_hotline_dispatch.settings import HotlineSettings
from tongban_hotline_dispatch.store.policies import LIMITS

SERVICE = Service(
    short="hotline",
    package="tongban_hotline_dispatch",
    title="12345热线派单",
    settings=HotlineSettings,
    metadata=store.metadata,
    events=events.PUBLISHED,
    routers=(*api.routers, pages.router),
    subscriptions=consumers.subscriptions,
    timers=timers.handlers,
    policies=(LIMITS,),
)


def commands_of(settings_of: SettingsSource = settings_from_environment) -> typer.Typer:
    """The commands of every service, and `import`."""
    made = commands(SERVICE, settings_of)

    @made.command("import")
    def import_(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
        """Take in tickets from a CSV or XLSX file; bad rows are named, the rest are taken."""
        try:
            report = asyncio.run(_import(file, settings_of))
        except Refusal as refusal:
            Console(stderr=True).print(refusal.message, style="red", markup=False)
            raise typer.Exit(1) from None
        _tell(report)

    return made


async def _import(file: Path, settings_of: SettingsSource) -> Report:
    kit = SERVICE.kit(settings_of(SERVICE))
    try:
        with Progress(console=Console(stderr=True)) as bar:
            task = bar.add_task(file.name)
            return await operations.import_file(
                kit,
                content=file.read_bytes(),  # noqa: ASYNC240 - a command, nothing else runs
                actor="import",
                now=utc_now(),
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
    finally:
        await kit.db.close()


def _tell(report: Report) -> None:
    out = Console()
    for row in report.rows:
        if row.outcome is Outcome.REFUSED:
            out.print(f"第{row.line}行 未导入：{row.reason}", markup=False, highlight=False)
    out.print(f"导入{report.taken}条，已有{report.known}条，未导入{report.refused}条")
    if report.refused:
        raise typer.Exit(2)


cli = commands_of()
