"""`matters` and `dispatch`: the catalogues of matters and of who has them, by the file."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from tongban_common.clock import utc_now
from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.commands import Bench, err, out, say, stop
from tongban_hotline_dispatch.operations.dispatching import load_dispatch_rules
from tongban_hotline_dispatch.operations.matters import Load, load_matters
from tongban_hotline_dispatch.store.dispatching import DispatchVersion, dispatch_versions
from tongban_hotline_dispatch.store.matters import CatalogueVersion, matter_versions

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False)]
From = Annotated[
    datetime | None,
    typer.Option("--from", formats=["%Y-%m-%d"], help="in force from this day; today if absent"),
]


def add_to(cli: typer.Typer, bench: Bench) -> None:
    cli.add_typer(_matters(bench), name="matters")
    cli.add_typer(_dispatch(bench), name="dispatch")


def _matters(bench: Bench) -> typer.Typer:
    cli = typer.Typer(help="事项目录: versioned, in force from a date.", no_args_is_help=True)

    @cli.command("load")
    def load(file: File, starts: From = None) -> None:
        """Take a CSV file as a new version; bad rows are named, and then nothing is taken."""

        with Progress(console=err) as bar:
            task = bar.add_task(file.name, total=None)

            async def go(kit: Kit) -> CatalogueVersion:
                async with kit.db.transaction() as tx:
                    return await load_matters(
                        tx,
                        load=a_load(file, starts),
                        now=utc_now(),
                        progress=lambda done, total: bar.update(task, completed=done, total=total),
                    )

            new = bench.run(go)
        say(
            f"事项目录第{new.version}版：{new.matters}个事项，其中末级{new.leaves}个，"
            f"{new.effective_from}起施行"
        )

    @cli.command("list")
    def list_() -> None:
        """The versions in the database."""

        async def go(kit: Kit) -> list[CatalogueVersion]:
            async with kit.db.reading() as reads:
                return await matter_versions(reads)

        table = Table("version", "effective_from", "matters", "leaves", "source", "loaded_at")
        for each in bench.run(go):
            table.add_row(
                str(each.version),
                str(each.effective_from),
                str(each.matters),
                str(each.leaves),
                each.source,
                f"{each.loaded_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}",
            )
        out.print(table)

    return cli


def _dispatch(bench: Bench) -> typer.Typer:
    cli = typer.Typer(help="派单目录: matter and place to unit, versioned.", no_args_is_help=True)

    @cli.command("load")
    def load(file: File, starts: From = None) -> None:
        """Take a CSV file as a new version; bad rows are named, and then nothing is taken."""

        async def go(kit: Kit) -> DispatchVersion:
            async with kit.db.transaction() as tx:
                return await load_dispatch_rules(tx, load=a_load(file, starts), now=utc_now())

        new = bench.run(go)
        say(f"派单目录第{new.version}版：{new.rules}条规则，{new.effective_from}起施行")

    @cli.command("list")
    def list_() -> None:
        """The versions in the database."""

        async def go(kit: Kit) -> list[DispatchVersion]:
            async with kit.db.reading() as reads:
                return await dispatch_versions(reads)

        table = Table("version", "effective_from", "rules", "source", "loaded_at")
        for each in bench.run(go):
            table.add_row(
                str(each.version),
                str(each.effective_from),
                str(each.rules),
                each.source,
                f"{each.loaded_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}",
            )
        out.print(table)

    return cli


def a_load(file: Path, starts: datetime | None) -> Load:
    """What the command line gives of a file."""
    try:
        content = file.read_bytes()
    except OSError as fault:
        stop(f"{file.name}：无法读取（{fault.strerror}）")
    today: date = utc_now().astimezone(SHANGHAI).date()
    return Load(
        content=content,
        source=file.name,
        effective_from=today if starts is None else starts.date(),
        actor="command",
    )
