"""The wiring of intake: one declaration, from which its processes and its commands are built."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tongban_common.cli import SettingsSource, commands, settings_from_environment
from tongban_common.clock import utc_now
from tongban_common.errors import Refusal
from tongban_common.inbox import Subscription
from tongban_common.service import Kit, Service
from tongban_intake import api, events, operations, pages, store, timers
from tongban_intake.operations import Document, Loaded
from tongban_intake.settings import IntakeSettings
from tongban_intake.store.policies import LIMITS


def _listens_to_nothing(_: Kit) -> tuple[Subscription[Any], ...]:
    return ()


SERVICE = Service(
    short="intake",
    package="tongban_intake",
    title="受理",
    settings=IntakeSettings,
    metadata=store.metadata,
    events=events.PUBLISHED,
    routers=(*api.ROUTERS, pages.router),
    subscriptions=_listens_to_nothing,
    timers=timers.handlers,
    policies=(LIMITS,),
)


def commands_of(settings_of: SettingsSource = settings_from_environment) -> typer.Typer:
    """The commands of every service, and those that load reference data."""
    made = commands(SERVICE, settings_of)
    file = Annotated[Path, typer.Argument(exists=True, dir_okay=False)]

    @made.command("load-directory")
    def load_directory(document: file) -> None:
        """Load divisions, units, windows and staff from a .yaml or .csv file."""
        _load(settings_of, document, operations.load_directory)

    @made.command("load-catalogue")
    def load_catalogue(document: file) -> None:
        """Load service items from a .yaml or .csv file; announce what opened or closed since."""
        _load(settings_of, document, operations.load_catalogue)

    return made


def _load(settings_of: SettingsSource, file: Path, load: Callable[..., Awaitable[Loaded]]) -> None:
    async def go() -> Loaded:
        kit = SERVICE.kit(settings_of(SERVICE))
        try:
            async with kit.db.transaction() as tx:
                return await load(tx, document=document, now=utc_now())
        finally:
            await kit.db.close()

    document = Document(name=file.name, content=file.read_bytes())
    try:
        loaded = asyncio.run(go())
    except operations.FaultyDocument as refusal:
        _stop([f"{file.name}：{fault}" for fault in refusal.faults])
    except Refusal as refusal:
        _stop([refusal.message])
    else:
        changed = "，".join(f"{table} {count}" for table, count in loaded.changed.items())
        Console().print(f"已载入：{changed}；{loaded.unchanged} 条没有变化")


def _stop(lines: list[str]) -> None:
    console = Console(stderr=True)
    for line in lines:
        console.print(line, style="red", markup=False)
    raise typer.Exit(1)


cli = commands_of()
