"""How much the search finds: known items asked for by their titles, over the real search.

The items are built from a file of answered messages in a temporary table that hides the real one
for this connection only, so that what is measured is the statement that serves the public.
"""

import asyncio
import csv
import io
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from uuid import UUID

from tongban_common.service import Kit
from tongban_hotline_dispatch.domain.importing import BadFile, decoded
from tongban_hotline_dispatch.domain.knowledge import Body, Material, State, Version
from tongban_hotline_dispatch.store.knowledge_index import shadow_search

OPENING = 20  # characters of a message that stand for what somebody types


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    title: str
    content: str
    reply: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One task: what was asked of what, and how often the item came among the first."""

    task: str
    n: int
    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    median_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Task:
    name: str
    query: Callable[[Message, random.Random], str]
    item: Callable[[Message], tuple[str, str]]  # title and content


def _missing_characters(message: Message, rng: random.Random) -> str:
    kept = "".join(each for each in message.title if rng.random() >= 0.3)
    return kept or message.title


def _typed_wrongly(message: Message, rng: random.Random) -> str:
    """Two neighbours change places, and two characters are others that the message has."""
    letters = list(message.title)
    if len(letters) > 1:
        at = rng.randrange(len(letters) - 1)
        letters[at], letters[at + 1] = letters[at + 1], letters[at]
    for _ in range(2):
        letters[rng.randrange(len(letters))] = rng.choice(message.content)
    return "".join(letters)


TASKS = (
    Task("title → content", lambda m, _: m.title, lambda m: ("", m.content)),
    Task("title → reply", lambda m, _: m.title, lambda m: ("", m.reply)),
    Task("title, 30% missing → title + reply", _missing_characters, lambda m: (m.title, m.reply)),
    Task("title, mistyped → title + reply", _typed_wrongly, lambda m: (m.title, m.reply)),
    Task(
        "first words of the message → title + reply",
        lambda m, _: "".join(m.content.split())[:OPENING],
        lambda m: (m.title, m.reply),
    ),
)


async def recall(
    kit: Kit, *, content: bytes, now: datetime, most_queries: int | None = None
) -> list[Score]:
    """Every task over every message. Raises BadFile."""
    messages = await asyncio.to_thread(read_messages, content)
    same = same_of(messages)
    return [await _measured(kit, task, messages, same, now, most_queries) for task in TASKS]


async def _measured(
    kit: Kit,
    task: Task,
    messages: Sequence[Message],
    same: Sequence[frozenset[int]],
    now: datetime,
    most_queries: int | None,
) -> Score:
    versions = [(UUID(int=at), _version(task, each, now)) for at, each in enumerate(messages)]
    rng = random.Random(task.name)  # noqa: S311 - a repeatable draw, no secret
    asked = list(range(len(messages)))
    if most_queries is not None and most_queries < len(asked):
        asked = sorted(rng.sample(asked, most_queries))
    ranks, times = [], []
    async with shadow_search(kit.db, versions) as search:
        for at in asked:
            query = task.query(messages[at], rng)
            begun = perf_counter()
            found = await search(query)
            times.append((perf_counter() - begun) * 1000)
            ranks.append(_rank(found, same[at]))
    return _score(task.name, ranks, sorted(times))


def _score(name: str, ranks: Sequence[int | None], times: Sequence[float]) -> Score:
    n = len(ranks)

    def within(most: int) -> float:
        return round(sum(rank is not None and rank <= most for rank in ranks) / n, 4)

    return Score(
        task=name,
        n=n,
        recall_at_1=within(1),
        recall_at_5=within(5),
        recall_at_10=within(10),
        median_ms=round(times[n // 2], 1),
        p99_ms=round(times[min(n - 1, n * 99 // 100)], 1),
    )


def _rank(found: Sequence[UUID], wanted: frozenset[int]) -> int | None:
    return next((at for at, each in enumerate(found, start=1) if each.int in wanted), None)


def same_of(messages: Sequence[Message]) -> list[frozenset[int]]:
    """Messages under one title, or with one content, were sent twice: any of them is right."""
    by_title: dict[str, set[int]] = defaultdict(set)
    by_content: dict[str, set[int]] = defaultdict(set)
    for at, each in enumerate(messages):
        by_title[each.title].add(at)
        by_content[each.content].add(at)
    return [frozenset(by_title[each.title] | by_content[each.content]) for each in messages]


def _version(task: Task, message: Message, now: datetime) -> Version:
    title, content = task.item(message)
    body = Body(
        title=title,
        content=content,
        unit_code="",
        category="",
        material=Material.DAILY_CONSULT,
    )
    return Version(number=1, state=State.PUBLISHED, body=body, author="", edited_at=now)


def read_messages(content: bytes) -> list[Message]:
    if content.startswith(b"\x1f\x8b"):
        import gzip

        content = gzip.decompress(content)
    rows = csv.DictReader(io.StringIO(decoded(content), newline=""))
    if not {"title", "content", "reply"} <= set(rows.fieldnames or ()):
        raise BadFile("文件须有 title、content、reply 三列")
    found = [
        Message(title=row["title"].strip(), content=row["content"].strip(), reply=row["reply"])
        for row in rows
    ]
    return [each for each in found if each.title and each.content and each.reply]
