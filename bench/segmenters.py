"""`python -m bench.segmenters FILE`: what a segmenter and a rank are worth to the search.

In memory, with BM25 or a plain count, over the tasks of `tongban-hotline knowledge recall`: the
grounds of docs/adr/0015. FILE is a CSV (or .gz) with title, content and reply.
"""

import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import rjieba
import typer
from rich.console import Console
from rich.table import Table

from tongban_hotline_dispatch.domain.search_terms import normal
from tongban_hotline_dispatch.operations.knowledge_recall import TASKS, read_messages, same_of

Segment = Callable[[str], list[str]]
_RUN = re.compile(r"[\u3400-\u9fff]+|[a-z0-9]+")
TITLE_WEIGHT = 3


def _grams(n: int) -> Segment:
    def segment(text: str) -> list[str]:
        found: list[str] = []
        for run in _RUN.findall(normal(text)):
            if run[0].isascii() or len(run) < n:
                found.append(run)
            else:
                found += [run[at : at + n] for at in range(len(run) - n + 1)]
        return found

    return segment


def _trigrams(text: str) -> list[str]:
    """As pg_trgm cuts: each run with two blanks before and one after."""
    padded = [f"  {run} " for run in _RUN.findall(normal(text))]
    return [run[at : at + 3] for run in padded for at in range(len(run) - 2)]


def _words(text: str) -> list[str]:
    return [each for each in rjieba.cut_for_search(normal(text)) if _RUN.search(each)]


SEGMENTERS: dict[str, Segment] = {
    "characters": _grams(1),
    "pairs": _grams(2),
    "trigrams (pg_trgm)": _trigrams,
    "words (jieba)": _words,
}


def main(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    queries: Annotated[int, typer.Option(help="of each task")] = 600,
) -> None:
    """Recall at 5 and 10 of every segmenter under both ranks."""
    messages = read_messages(file.read_bytes())
    same = same_of(messages)
    table = Table("task", "segmenter", "BM25 R@5", "R@10", "count R@5", "R@10")
    for task in TASKS:
        rng = random.Random(task.name)
        asked = sorted(rng.sample(range(len(messages)), min(queries, len(messages))))
        wanted = [(task.query(messages[at], rng), same[at]) for at in asked]
        items = [task.item(each) for each in messages]
        for name, segment in SEGMENTERS.items():
            index = _Index(segment, items)
            found = [_recall(index, wanted, is_weighted=each) for each in (True, False)]
            table.add_row(task.name, name, *(f"{value:.3f}" for pair in found for value in pair))
    Console().print(table)


class _Index:
    """Every item's terms, the title's counted several times."""

    def __init__(self, segment: Segment, items: Sequence[tuple[str, str]]) -> None:
        self.segment = segment
        self.postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.lengths: list[int] = []
        for at, (title, content) in enumerate(items):
            counted = Counter(segment(content))
            for term in segment(title):
                counted[term] += TITLE_WEIGHT
            self.lengths.append(sum(counted.values()))
            for term, count in counted.items():
                self.postings[term].append((at, count))
        self.mean = sum(self.lengths) / len(self.lengths)

    def ranked(self, query: str, *, is_weighted: bool) -> list[int]:
        """The first ten: by BM25, or by how many of the terms stand in the item how often."""
        scores: dict[int, float] = defaultdict(float)
        n = len(self.lengths)
        for term in set(self.segment(query)):
            held = self.postings.get(term, ())
            rarity = math.log(1 + (n - len(held) + 0.5) / (len(held) + 0.5))
            for at, count in held:
                length = 0.25 + 0.75 * self.lengths[at] / self.mean
                full = rarity * count * 2.2 / (count + 1.2 * length)
                scores[at] += full if is_weighted else 1 + math.log(count)
        return sorted(scores, key=lambda at: (-scores[at], at))[:10]


def _recall(
    index: _Index, wanted: Sequence[tuple[str, frozenset[int]]], *, is_weighted: bool
) -> tuple[float, float]:
    ranks = []
    for query, right in wanted:
        found = index.ranked(query, is_weighted=is_weighted)
        ranks.append(next((at for at, each in enumerate(found, start=1) if each in right), 99))
    return sum(rank <= 5 for rank in ranks) / len(ranks), sum(rank <= 10 for rank in ranks) / len(
        ranks
    )


if __name__ == "__main__":
    typer.run(main)
