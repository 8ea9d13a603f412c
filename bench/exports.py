"""`python -m bench.exports`: memory and time of an export as it grows, from a real server."""

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import UUID

import asyncpg
import httpx
import typer
from rich.console import Console
from rich.table import Table

from bench.servers import Server, running
from tongban_common.issuer import DevelopmentIssuer
from tongban_common.privacy import Sealer
from tongban_suite.embedded import EmbeddedPostgres

SECRET = "a secret of the bench only"  # noqa: S105 - as the servers of the bench have it
SHARE = 10  # one in so many belongs to the unit of the small export
SMALL = "SMALL"
_out = Console(soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Taken:
    form: str
    rows: int
    mib: float
    first_byte: float
    seconds: float
    rss_before: float
    rss_most: float


def main(rows: Annotated[int, typer.Option(min=1000)] = 100_000) -> None:
    """Export a tenth of the tickets and then all, as CSV and as XLSX, masked and in clear."""
    taken = asyncio.run(_measure(rows))
    table = Table("form", "rows", "MiB", "first byte s", "all s", "RSS before", "RSS most", "MiB")
    for each in taken:
        growth = each.rss_most - each.rss_before
        numbers = (each.mib, each.first_byte, each.seconds, each.rss_before, each.rss_most, growth)
        table.add_row(each.form, str(each.rows), *(f"{number:.1f}" for number in numbers))
    _out.print(table)


async def _measure(rows: int) -> list[Taken]:
    with tempfile.TemporaryDirectory(prefix="tb-export-") as name:
        folder = Path(name)
        issuer = DevelopmentIssuer(folder)
        with EmbeddedPostgres(folder / "postgres") as postgres:
            async with running(folder, postgres, issuer) as servers:
                server = servers["lifecycle"]
                await _fill(server, issuer, postgres.url("hotline"), rows)
                return [
                    await _take(server, issuer, form, unit=unit, reason=reason)
                    for form in ("csv", "xlsx")
                    for unit, reason in ((SMALL, ""), ("", ""), ("", "callback"))
                ]


async def _fill(server: Server, issuer: DevelopmentIssuer, url: str, rows: int) -> None:
    """One ticket through the API, and copies of its row, each with a person of its own."""
    body = {"channel": "wechat", "appeal_type": "help", "title": "路灯不亮" * 5, "content": "内容"}
    async with _client(server, issuer) as client:
        (await client.post("/hotline/v1/tickets", json=body)).raise_for_status()
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.execute(
        """
        INSERT INTO ticket
        SELECT (jsonb_populate_record(t, jsonb_build_object(
          'id', gen_random_uuid(), 'ticket_no', 'B' || n,
          'registered_at', t.registered_at - n * interval '1 second',
          'unit_code', CASE WHEN n % $2 = 0 THEN $3 END))).*
        FROM ticket t, generate_series(1, $1) AS n
        """,
        rows - 1,
        SHARE,
        SMALL,
    )
    ids = [row["id"] for row in await connection.fetch("SELECT id FROM ticket")]
    await connection.copy_records_to_table(
        "complainant", records=_people(ids), columns=["ticket_id", "name", "phone"]
    )
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


def _people(ids: list[UUID]) -> list[tuple[UUID, bytes, bytes]]:
    sealer = Sealer(SECRET)
    return [
        (
            each,
            sealer.seal("张三丰", context=f"complainant:{each}:name"),
            sealer.seal("13812345678", context=f"complainant:{each}:phone"),
        )
        for each in ids
    ]


async def _take(
    server: Server, issuer: DevelopmentIssuer, form: str, *, unit: str, reason: str
) -> Taken:
    before = most = server.rss()
    started = time.perf_counter()
    first = 0.0
    size = lines = 0
    stop = asyncio.Event()

    async def watch() -> int:
        peak = 0
        while not stop.is_set():
            peak = max(peak, server.rss())
            await asyncio.sleep(0.02)
        return peak

    watching = asyncio.create_task(watch())
    query = {"unit": unit, "reason": reason}
    async with (
        _client(server, issuer) as client,
        client.stream("GET", f"/hotline/v1/exports/tickets.{form}", params=query) as answer,
    ):
        answer.raise_for_status()
        async for chunk in answer.aiter_bytes():
            first = first or time.perf_counter() - started
            size += len(chunk)
            lines += chunk.count(b"\r\n")
    stop.set()
    most = await watching
    return Taken(
        form=f"{form}{' in clear' if reason else ''}{' of a unit' if unit else ''}",
        rows=lines - 1 if form == "csv" else 0,
        mib=size / 2**20,
        first_byte=first,
        seconds=time.perf_counter() - started,
        rss_before=before / 2**20,
        rss_most=most / 2**20,
    )


def _client(server: Server, issuer: DevelopmentIssuer) -> httpx.AsyncClient:
    token = issuer.token(subject="bench", roles=["admin"], unit=None)
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{server.port}",
        headers={"Authorization": f"Bearer {token}"},
        timeout=600,
    )


if __name__ == "__main__":
    typer.run(main)
