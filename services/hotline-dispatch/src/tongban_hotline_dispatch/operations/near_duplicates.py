"""Texts that say nearly the same: filed twice, or sent by many from one draft.

Signatures of the smallest hashes (MinHash) put likely pairs into the same bucket; each such pair is
then compared exactly. Linear in the number of texts.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from tongban_hotline_dispatch.domain.classifier import Message, runs

WIDTH = 5  # characters of one shingle
BANDS, ROWS = 24, 3  # a pair that shares half of its shingles meets with 96 %, one with 0.7 surely
MOST_IN_BUCKET = 50  # of a crowd only neighbours are compared: a chain joins them all the same
ALIKE = 0.5
_PRIME = np.uint64((1 << 31) - 1)


def near_duplicate_groups(messages: Sequence[Message], *, alike: float = ALIKE) -> list[int]:
    """For each text the number of its group; a text like no other is a group of its own."""
    shingles = [_shingles(each) for each in messages]
    group = list(range(len(messages)))
    for first, second in sorted(_likely(shingles)):
        one, other = shingles[first], shingles[second]
        if len(one & other) >= alike * len(one | other):
            _join(group, first, second)
    return [_root(group, at) for at in range(len(group))]


def _shingles(message: Message) -> frozenset[int]:
    text = "".join([*runs(message.title), *runs(message.content)])
    starts = range(max(1, len(text) - WIDTH + 1))
    return frozenset(zlib.crc32(text[at : at + WIDTH].encode()) for at in starts)


def _likely(shingles: Sequence[frozenset[int]]) -> set[tuple[int, int]]:
    signatures = np.array([_signature(each) for each in shingles])
    pairs: set[tuple[int, int]] = set()
    for band in range(BANDS):
        buckets: dict[bytes, list[int]] = defaultdict(list)
        for at, signature in enumerate(signatures[:, band * ROWS : (band + 1) * ROWS]):
            buckets[signature.tobytes()].append(at)
        for bucket in buckets.values():
            pairs.update(_pairs(bucket))
    return pairs


def _pairs(bucket: Sequence[int]) -> Iterator[tuple[int, int]]:
    if len(bucket) > MOST_IN_BUCKET:
        return pairwise(bucket)
    return combinations(bucket, 2)


def _signature(shingles: frozenset[int]) -> NDArray[np.uint64]:
    values = np.fromiter(shingles, dtype=np.uint64, count=len(shingles)) % _PRIME
    smallest: NDArray[np.uint64] = ((values[:, None] * _FACTORS + _TERMS) % _PRIME).min(axis=0)
    return smallest


def _drawn(seed: int) -> NDArray[np.uint64]:
    drawn = np.random.default_rng(seed).integers(1, int(_PRIME), BANDS * ROWS)
    return drawn.astype(np.uint64)


_FACTORS, _TERMS = _drawn(1), _drawn(2)


def _root(group: list[int], at: int) -> int:
    while group[at] != at:
        group[at] = group[group[at]]
        at = group[at]
    return at


def _join(group: list[int], first: int, second: int) -> None:
    one, other = sorted((_root(group, first), _root(group, second)))
    group[other] = one
