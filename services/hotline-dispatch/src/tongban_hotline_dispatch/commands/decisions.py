"""`decisions`: what people chose, as training data."""

import csv
import gzip
from pathlib import Path
from typing import Annotated, TextIO

import typer

from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.commands import Bench, say, stop
from tongban_hotline_dispatch.domain.matters import LEVELS
from tongban_hotline_dispatch.store.routing import Chosen, latest_decisions

_HEADINGS = ("title", "content", *LEVELS, "matter_code", "unit_code", "is_correction", "decided_at")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def add_to(cli: typer.Typer, bench: Bench) -> None:
    cli.add_typer(_decisions(bench), name="decisions")


def _decisions(bench: Bench) -> typer.Typer:
    cli = typer.Typer(help="What people chose: training data, masked.", no_args_is_help=True)

    @cli.command("export")
    def export(file: Annotated[Path, typer.Argument(dir_okay=False)]) -> None:
        """The last decision on each ticket as CSV or CSV.gz, ready for `train`."""

        async def go(kit: Kit) -> int:
            written = 0
            with _opened(file) as stream:
                rows = csv.writer(stream)
                rows.writerow(_HEADINGS)
                async with kit.db.transaction() as tx:  # a cursor lives in one
                    async for chosen in latest_decisions(tx.connection):
                        rows.writerow([_harmless(cell) for cell in _cells(chosen)])
                        written += 1
            return written

        say(f"导出{bench.run(go)}条")

    return cli


def _opened(file: Path) -> TextIO:
    try:
        if file.suffix == ".gz":
            return gzip.open(file, "wt", encoding="utf-8", newline="")
        return file.open("w", encoding="utf-8", newline="")
    except OSError as fault:
        stop(f"{file}：无法写入（{fault.strerror}）")


def _cells(chosen: Chosen) -> list[str]:
    path = [*chosen.matter_path, *("" for _ in LEVELS)][: len(LEVELS)]
    correction = "" if chosen.is_correction is None else str(chosen.is_correction).lower()
    codes = (chosen.matter_code or "", chosen.unit_code or "", correction)
    moment = chosen.decided_at.astimezone(SHANGHAI).isoformat(timespec="seconds")
    return [chosen.title, chosen.content, *path, *codes, moment]


def _harmless(cell: str) -> str:
    """A spreadsheet takes no cell of this file for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
