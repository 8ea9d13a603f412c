"""Chinese text to search terms: overlapping pairs of characters, and words of letters or digits.

No dictionary: on real titles pairs find more than a segmenter's words do, because a title that was
typed a little differently still shares most of its pairs (docs/adr/0016).
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_RUN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002ebef]+|[a-z0-9]+")
TITLE, KEYWORD, CONTENT = "A", "B", "D"  # the weights of a tsvector
_MOST_POSITIONS = 255  # of one lexeme, which a tsvector keeps
_LAST_POSITION = 16_383
_BEFORE = 8  # characters of a snippet that lead to its first match
_PERSONAL = re.compile(r"\d{5}")
_MARK = "~"  # keeps a pair apart from a word of the dictionary
_MOST_PAIRS = 60
_LONGEST = 40  # of a word of letters or digits: a longer one is nobody's search term


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text, and whether it answers the query."""

    text: str
    is_match: bool


def normal(text: str) -> str:
    """Full-width letters and digits become half-width, capitals small."""
    return unicodedata.normalize("NFKC", text).lower()


def index_terms(text: str) -> Iterator[str]:
    """The terms of a stored text. The last character of a run stands alone as well, so that one
    character finds every term that begins with it."""
    for run in _RUN.findall(normal(text)):
        if run[0].isascii():
            yield run[:_LONGEST]
            continue
        yield from (run[at : at + 2] for at in range(len(run) - 1))
        yield run[-1]


def query_terms(text: str) -> list[str]:
    """The terms of a question, each once. One Chinese character alone is a prefix."""
    found: dict[str, None] = {}
    for run in _RUN.findall(normal(text)):
        if run[0].isascii():
            found[run[:_LONGEST]] = None
        elif len(run) == 1:
            found[run] = None
        else:
            found.update(dict.fromkeys(run[at : at + 2] for at in range(len(run) - 1)))
    return list(found)


def title_pairs(title: str) -> list[str]:
    """By which a ticket's title is found: its terms, without numbers that lead to a person."""
    terms = (each for each in query_terms(title) if not _PERSONAL.search(each))
    return [f"{_MARK}{each}" for each in terms][:_MOST_PAIRS]


def is_prefix(term: str) -> bool:
    return len(term) == 1 and not term.isascii()


def tsvector(parts: Sequence[tuple[str, str]]) -> tuple[str, int]:
    """PostgreSQL's text form of a tsvector, of (text, weight) parts; and how many terms it has."""
    places: dict[str, list[str]] = {}
    position = length = 0
    for text, weight in parts:
        for term in index_terms(text):
            length += 1
            position = min(position + 1, _LAST_POSITION)
            held = places.setdefault(term, [])
            if len(held) < _MOST_POSITIONS:
                held.append(f"{position}{weight}")
    # a term holds nothing but letters, digits and Chinese characters: there is nothing to escape
    return " ".join(f"'{term}':{','.join(held)}" for term, held in places.items()), length


def snippet(text: str, query: str, *, length: int = 120) -> list[Piece]:
    """The stretch of a text that answers most of the query, with what matches marked."""
    text = " ".join(text.split())
    folded = _folded(text)
    terms = query_terms(query)
    hits = [False] * len(folded)
    starts = [0] * (len(folded) + 1)
    for term in terms:
        at = folded.find(term)
        while at >= 0:
            starts[at] += 1
            hits[at : at + len(term)] = [True] * len(term)
            at = folded.find(term, at + 1)
    begin = max(0, min(_densest(starts, length), len(text) - length))
    return list(_pieces(text, hits, begin, min(begin + length, len(text))))


def _folded(text: str) -> str:
    """Character by character, so that places in it are places in the text."""
    return "".join(normal(each)[:1] or " " for each in text)


def _densest(starts: Sequence[int], length: int) -> int:
    """Where the stretch with most matches begins: a little before its first match."""
    best = total = sum(starts[:length])
    begin = 0
    for at in range(1, max(1, len(starts) - length)):
        total += starts[at + length - 1] - starts[at - 1]
        if total > best:
            best, begin = total, at
    first = next((at for at in range(begin, len(starts)) if starts[at]), 0)
    return first - _BEFORE


def _pieces(text: str, hits: Sequence[bool], begin: int, end: int) -> Iterator[Piece]:
    start = begin
    for at in range(begin + 1, end + 1):
        if at == end or hits[at] != hits[start]:
            yield Piece(text[start:at], hits[start])
            start = at
