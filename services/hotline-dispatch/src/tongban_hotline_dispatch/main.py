"""Wiring of the hotline: its declaration, and the commands that its image runs."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tongban_common.cli import SettingsSource, commands, settings_from_environment
from tongban_common.clock import utc_now
from tongban_common.errors import Refusal
from tongban_common.service import Kit, Service
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import api, consumers, events, operations, pages, store, timers
from tongban_hotline_dispatch.domain.process_document import as_markdown, as_mermaid
from tongban_hotline_dispatch.operations import Outcome, Report, open311
from tongban_hotline_dispatch.settings import HotlineSettings
from tongban_hotline_dispatch.store.callback_policy import CALLBACK
from tongban_hotline_dispatch.store.exports import EXPORT
from tongban_hotline_dispatch.store.open311_policy import OPEN311
from tongban_hotline_dispatch.store.policies import LIMITS
from tongban_hotline_dispatch.store.process import PROCESS

T = TypeVar("T")
SERVICE = Service(
    short="hotline",
    package="tongban_hotline_dispatch",
    title="12345热线派单",
    settings=HotlineSettings,
    metadata=store.metadata,
    events=events.PUBLISHED,
    routers=(*api.routers, *pages.routers),
    subscriptions=consumers.subscriptions,
    timers=timers.handlers,
    policies=(LIMITS, PROCESS, OPEN311, EXPORT, CALLBACK),
)


class Format(StrEnum):
    MD = "md"
    MERMAID = "mermaid"


def commands_of(settings_of: SettingsSource = settings_from_environment) -> typer.Typer:
    """The commands of every service, `import`, `process`, and the keys of Open311."""
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

    made.add_typer(_key_commands(settings_of), name="open311-key")

    @made.command()
    def process(
        form: Annotated[Format, typer.Option("--format", help="md or mermaid")] = Format.MD,
    ) -> None:
        """The state machines of ticket and assignment, as a document or as diagrams."""
        rules = PROCESS.packaged().process
        typer.echo(as_markdown(rules) if form is Format.MD else as_mermaid(), nl=False)

    return made


def _key_commands(settings_of: SettingsSource) -> typer.Typer:
    keys = typer.Typer(help="The api_keys of Open311 clients.", no_args_is_help=True)
    out = Console(soft_wrap=True)

    @keys.command()
    def create(
        client: Annotated[str, typer.Option(help="the application: a-z, 0-9, - and _")],
    ) -> None:
        """Make a key. It is shown now and never again: only its digest is kept."""
        key_id, secret = _run(settings_of, lambda kit: open311.new_key(kit, client, now=utc_now()))
        out.print(f"密钥{key_id}（{client}），只显示这一次：", highlight=False)
        out.print(secret, markup=False, highlight=False)

    @keys.command("list")
    def list_() -> None:
        """Every key, with its client; no key is shown."""
        table = Table("编号", "客户端", "核发时间", "停用时间")
        for each in _run(settings_of, open311.all_keys):
            moments = [_minute(at) for at in (each.created_at, each.revoked_at)]
            table.add_row(str(each.id), each.client, *moments)
        out.print(table)

    @keys.command()
    def revoke(key_id: Annotated[int, typer.Argument(help="its number in the list")]) -> None:
        """Stop a key at once; its client's requests stay."""
        client = _run(settings_of, lambda kit: open311.stop_key(kit, key_id, now=utc_now()))
        out.print(f"密钥{key_id}（{client}）已停用", highlight=False)

    return keys


def _minute(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


def _run(settings_of: SettingsSource, act: Callable[[Kit], Coroutine[Any, Any, T]]) -> T:
    async def go() -> T:
        kit = SERVICE.kit(settings_of(SERVICE))
        try:
            return await act(kit)
        finally:
            await kit.db.close()

    try:
        return asyncio.run(go())
    except Refusal as refusal:
        Console(stderr=True).print(refusal.message, style="red", markup=False)
        raise typer.Exit(1) from None


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
