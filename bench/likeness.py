"""`python -m bench.likeness`: what finding earlier tickets costs as they grow, as ratios.

Tickets are generated: a place of many, a kind of trouble, common words as often as the policy has
them, and rare ones. Then the duplicates of new matters are asked for, with phone and text.
"""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from tongban_common import migrations
from tongban_common.clock import new_id
from tongban_common.db import Database
from tongban_common.privacy import Sealer
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.repeats import LikenessRules, Matter
from tongban_hotline_dispatch.operations.hot_issues import group
from tongban_hotline_dispatch.operations.likeness import duplicates
from tongban_hotline_dispatch.operations.likeness_index import matter_of
from tongban_hotline_dispatch.store import Complainant, likeness
from tongban_hotline_dispatch.store.likeness_rules import LIKENESS
from tongban_suite.embedded import EmbeddedPostgres

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
AGENT = Viewer(subject="a-1")
TROUBLES = ("路灯不亮", "噪音扰民", "垃圾无人清理", "违规停车", "漏水", "油烟直排", "物业乱收费")
KINDS = ("小区", "花园", "新城", "路", "街", "广场")
_BATCH = 5000
_ROUNDS = 3
_out = Console(soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Measured:
    tickets: int
    candidates: float
    median_ms: float
    p99_ms: float
    hits: float
    grouped_ms: float  # a ticket of the round
    mib: float


class City:
    """Generated matters; the same seed makes the same city."""

    def __init__(self, rules: LikenessRules, places: int) -> None:
        self._random = random.Random(7)
        self._rules = rules
        self._common = list(rules.wording.shares)
        self._shares = list(rules.wording.shares.values())
        self._places = [self._name() + self._random.choice(KINDS) for _ in range(places)]

    def matters(self, number: int) -> Iterator[tuple[str, str, str]]:
        for _ in range(number):
            place = self._random.choice(self._places)
            trouble = self._random.choice(TROUBLES)
            words = self._random.choices(self._common, weights=self._shares, k=30)
            rare = [self._name() for _ in range(3)]
            content = f"{place}{trouble}，{'，'.join((*words, *rare))}。"
            yield f"{place}{trouble}", content, f"138{self._random.randrange(10**8):08}"

    def _name(self) -> str:
        return "".join(chr(0x4E00 + self._random.randrange(0x2000)) for _ in range(2))


def main(
    size: Annotated[list[int], typer.Option(min=1000)] = [10_000, 100_000],  # noqa: B006 - typer's
    queries: Annotated[int, typer.Option(min=10)] = 300,
) -> None:
    """Candidates and milliseconds of one look for duplicates, at every size."""
    found = asyncio.run(_measure(sorted(size), queries))
    table = Table("tickets", "candidates", "median ms", "p99 ms", "hits", "round ms/ticket", "MiB")
    for each in found:
        row = (each.candidates, each.median_ms, each.p99_ms, each.hits, each.grouped_ms, each.mib)
        table.add_row(f"{each.tickets:,}", *(f"{value:.1f}" for value in row))
    _out.print(table)
    first, last = found[0], found[-1]
    _out.print(
        f"x{last.tickets / first.tickets:.0f} tickets: candidates "
        f"x{last.candidates / first.candidates:.2f}, "
        f"median x{last.median_ms / first.median_ms:.2f}, p99 x{last.p99_ms / first.p99_ms:.2f}"
    )


async def _measure(sizes: Sequence[int], queries: int) -> list[Measured]:
    rules = LIKENESS.packaged().rules
    sealer = Sealer("a secret of the bench only")
    city = City(rules, places=sizes[-1] // 20)
    found, filled = [], 0
    with (
        tempfile.TemporaryDirectory(prefix="tb-like-") as name,
        EmbeddedPostgres(Path(name) / "postgres") as postgres,
    ):
        await postgres.ensure(["hotline"])
        url = postgres.url("hotline")
        await migrations.upgrade(url, "tongban_hotline_dispatch")
        db = Database(url, pool=2)
        for size in sizes:
            await _fill(url, city, rules, sealer, size - filled)
            filled = size
            found.append(await _asked(db, city, rules, sealer, size, queries))
        await db.close()
    return found


async def _asked(
    db: Database, city: City, rules: LikenessRules, sealer: Sealer, size: int, queries: int
) -> Measured:
    matters = [
        _matter(title, content, phone, rules, sealer)
        for title, content, phone in city.matters(queries)
    ]
    times, hits = [], []
    async with db.reading() as reads:
        for _ in range(_ROUNDS):
            for matter in matters:
                begun = time.perf_counter()
                found = await duplicates(reads, matter, rules, viewer=AGENT, now=NOW)
                times.append((time.perf_counter() - begun) * 1000)
                hits.append(len(found))
        candidates = [
            len(await likeness.earlier(reads, matter, rules, NOW, AGENT)) for matter in matters
        ]
    begun = time.perf_counter()
    async with db.transaction() as tx:
        grouped = await group(tx, rules, now=NOW)
    spent = (time.perf_counter() - begun) * 1000 / max(1, grouped)
    return Measured(
        size,
        statistics.mean(candidates),
        statistics.median(times),
        statistics.quantiles(times, n=100)[98],
        statistics.mean(hits),
        spent,
        await _size(db),
    )


def _matter(title: str, content: str, phone: str, rules: LikenessRules, sealer: Sealer) -> Matter:
    person = Complainant(phone=phone)
    return matter_of(title, content, None, person, rules=rules, sealer=sealer)


async def _size(db: Database) -> float:
    async with db.reading() as reads:
        asked = "pg_total_relation_size('likeness') + pg_total_relation_size('likeness_word')"
        size: int = (await reads.execute(text(f"SELECT {asked}"))).scalar_one()
        return size / 2**20


async def _fill(url: str, city: City, rules: LikenessRules, sealer: Sealer, number: int) -> None:
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
    for start in range(0, number, _BATCH):
        await _batch(connection, city, rules, sealer, min(_BATCH, number - start))
    await connection.execute("UPDATE likeness SET is_grouped = true WHERE no % 500 <> 0")
    await connection.execute("VACUUM ANALYZE likeness, likeness_word, ticket")
    await connection.close()


async def _batch(
    connection: Any, city: City, rules: LikenessRules, sealer: Sealer, number: int
) -> None:
    tickets, entries, words = [], [], []
    first = 1 + (await connection.fetchval("SELECT coalesce(max(no), 0) FROM likeness"))
    for n, (title, content, phone) in enumerate(city.matters(number)):
        at = NOW - timedelta(seconds=(first + n) % (80 * 86400))
        ticket_id = new_id(at)
        matter = _matter(title, content, phone, rules, sealer)
        tickets.append(_ticket(ticket_id, f"B{first + n:012}", title, content, at))
        vector = matter.vector
        entries.append(
            (ticket_id, first + n, at, matter.person, list(vector), list(vector.values()))
        )
        words += [(word, first + n) for word in list(vector)[: rules.wording.telling]]
    columns = list(tickets[0])
    records = [tuple(each.values()) for each in tickets]
    await connection.copy_records_to_table("ticket", records=records, columns=columns)
    await connection.executemany(
        "INSERT INTO likeness (ticket_id, no, at, person, words, weights, is_grouped) "
        "OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, $6, false)",
        entries,
    )
    await connection.copy_records_to_table("likeness_word", records=words)


def _ticket(
    ticket_id: Any, ticket_no: str, title: str, content: str, at: datetime
) -> Mapping[str, Any]:
    return {
        "id": ticket_id,
        "ticket_no": ticket_no,
        "query_code": "12345678",
        "channel": "phone",
        "appeal_type": "complaint",
        "urgency": "normal",
        "title": title,
        "content": content,
        "wants_reply": True,
        "wants_callback": True,
        "has_contact": True,
        "registered_at": at,
        "status": "registered",
        "returns": 0,
        "rework_rounds": 0,
        "is_supervised": False,
        "children": 0,
        "version": 1,
    }


if __name__ == "__main__":
    typer.run(main)
