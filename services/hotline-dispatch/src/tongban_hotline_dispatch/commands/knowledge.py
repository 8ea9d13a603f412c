"""`knowledge`: items by the file, and how much the search finds."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.table import Table

from tongban_common.clock import utc_now
from tongban_hotline_dispatch.commands import Bench, out, say
from tongban_hotline_dispatch.operations import Outcome
from tongban_hotline_dispatch.operations.knowledge_import import ItemsImport, import_items
from tongban_hotline_dispatch.operations.knowledge_recall import recall as measure_recall


def add_to(cli: typer.Typer, bench: Bench) -> None:
    cli.add_typer(_knowledge(bench), name="knowledge")


def _knowledge(bench: Bench) -> typer.Typer:
    cli = typer.Typer(help="The knowledge base.", no_args_is_help=True)

    @cli.command("import")
    def import_(
        file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
        submit: Annotated[bool, typer.Option(help="send the items for review at once")] = False,  # noqa: FBT002
    ) -> None:
        """Take in items from a CSV or XLSX file; bad rows are named, the rest are taken."""
        brought = ItemsImport(content=file.read_bytes(), actor="import", is_submitted=submit)
        report = bench.run(lambda kit: import_items(kit, file=brought, now=utc_now()))
        for row in report.rows:
            if row.outcome is Outcome.REFUSED:
                say(f"第{row.line}行 未导入：{row.reason}")
        say(f"导入{report.taken}条，未导入{report.refused}条")
        if report.refused:
            raise typer.Exit(2)

    @cli.command()
    def recall(
        file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
        queries: Annotated[int | None, typer.Option(help="ask only so many of each task")] = None,
        json: Annotated[Path | None, typer.Option(help="write the figures here as well")] = None,
    ) -> None:
        """How often the search finds a known item; FILE is a CSV with title, content, reply."""
        scores = bench.run(
            lambda kit: measure_recall(
                kit, content=file.read_bytes(), now=utc_now(), most_queries=queries
            )
        )
        table = Table("task", "n", "R@1", "R@5", "R@10", "median ms", "p99 ms")
        for each in scores:
            table.add_row(*(str(value) for value in asdict(each).values()))
        out.print(table)
        if json is not None:
            json.write_bytes(orjson.dumps([asdict(each) for each in scores]))

    return cli
