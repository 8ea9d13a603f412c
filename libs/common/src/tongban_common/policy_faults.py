"""Every fault of a document at once, each at its own place.

A model's validators run only where its fields are fine, so the first look at a document shows a
part of what is wrong with it. Where there are faults, what is faulty is put right for the sake of
the next look alone: with what the packaged document has there, with what stands in its place
elsewhere, or left out. Of the ways to put a value right, the one that leaves the fewest faults is
taken, so that a fault is named for what the document says, not for what was put there.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

Path = tuple[int | str, ...]
Way = tuple[Path, Any]  # a place, and what to put there
_LEFT_OUT = object()
_MOST_LOOKS = 1000
_PLAIN: tuple[Any, ...] = (
    1, "x", "2000-01-01", "2999-01-01", "2000-01-01T00:00:00+08:00", "2999-01-01T00:00:00+08:00",
    "08:00", "23:00", True, [], {},
)  # fmt: skip


class Fault(NamedTuple):
    path: Path  # from the model that finds it
    words: str
    also: Path | None = None  # the other place, where two do not agree


class Faults(ValueError):
    """What a model's validator raises: every fault that it sees, each with its place."""

    def __init__(self, found: Iterable[Fault]) -> None:
        self.found = tuple(found)
        super().__init__("；".join(each.words for each in self.found))

    @classmethod
    def check(cls, found: Iterable[Fault]) -> None:
        """Raises Faults where there is one."""
        all_found = tuple(found)
        if all_found:
            raise cls(all_found)


def faults_of(refused: ValidationError) -> list[Fault]:
    found = []
    for each in refused.errors(include_input=False, include_url=False):
        cause = each.get("ctx", {}).get("error")
        loc: Path = each["loc"]
        if isinstance(cause, Faults):
            found += [
                Fault((*loc, *at), words, None if also is None else (*loc, *also))
                for at, words, also in cause.found
            ]
        else:
            found.append(Fault(loc, each["msg"]))
    return found


def all_faults(body: Any, model: type[BaseModel], sample: Any = None) -> list[Fault]:
    """What is wrong with a document, in no order; `sample` is a sound document of the kind."""
    return _Search(body, model, sample).run()


class _Search:
    def __init__(self, body: Any, model: type[BaseModel], sample: Any) -> None:
        self._body, self._model, self._sample = body, model, sample
        self._edits: dict[Path, Any] = {}
        self._ways: dict[Path, list[Way]] = {}
        self._looks = 0

    def run(self) -> list[Fault]:
        named: dict[Fault, None] = {}
        while self._looks < _MOST_LOOKS:
            found = self._look(self._edits)
            if found and self._edits:
                found = self._settle(found)
            fresh = [each for each in found or () if self._is_untouched(each.path)]
            named.update(dict.fromkeys(fresh))
            if not found or not self._mend(found):
                break
        return list(named)

    def _look(self, edits: dict[Path, Any]) -> list[Fault] | None:
        """The faults that are left, at their places in the document; none can be told: None."""
        self._looks += 1
        origin: dict[Path, Path] = {}
        made = _edited(self._body, edits, (), (), origin)
        try:
            self._model.model_validate(made)
        except ValidationError as refused:
            return [
                Fault(_back(at, origin), words, None if also is None else _back(also, origin))
                for at, words, also in faults_of(refused)
            ]
        except (LookupError, TypeError, AttributeError, ArithmeticError):
            return None  # what was put there breaks a validator
        return []

    def _mend(self, found: list[Fault]) -> bool:
        """Put right what can be. Whether there is anything new to see then."""
        is_mended = False
        for fault in found:
            if not self._is_untouched(fault.path):
                continue
            for ways in self._ways_of(fault):
                sound = self._sound(ways, but=fault)
                if sound:
                    at, value = min(sound, key=lambda way: way[0])[1]
                    self._edits = {**self._edits, at: value}
                    self._ways[at] = [way for _, way in sound]
                    is_mended = True
                    break
        return is_mended

    def _sound(self, ways: list[Way], *, but: Fault) -> list[tuple[int, Way]]:
        """Those that leave the value without a fault, each with the number of faults left."""
        sound = []
        for at, value in ways:
            left = self._look({**self._edits, at: value})
            if left is not None and but not in left and not _any_under(at, left):
                sound.append((len(left), (at, value)))
        return sound

    def _settle(self, found: list[Fault]) -> list[Fault]:
        """Another way to put a value right may be less at odds with the rest of the document."""
        for path, old in list(self._edits.items()):
            for _, value in self._ways[path]:
                if value is old or self._looks > _MOST_LOOKS:
                    continue
                edits = {**self._edits, path: value}
                left = self._look(edits)
                if left is None or any(_any_under(done, left) for done in edits):
                    continue
                if len(left) < len(found):
                    self._edits, found = edits, left
            if not found:
                break
        return found

    def _is_untouched(self, path: Path) -> bool:
        return not any(path[: len(done)] == done for done in self._edits)

    def _ways_of(self, fault: Fault) -> Iterator[list[Way]]:
        """Ways to put a value right; then what it is part of, which may hide other faults."""
        path = fault.path
        while path and not _may_set(self._body, path):
            path = path[:-1]
        if not path:
            return
        there = list(_at(self._body, path))
        values: list[Any] = []
        for value in (
            *_at(self._sample, path),
            *_like(self._sample, path),
            *_like(self._body, path),
            *_expected(fault.words),
            *_PLAIN,
        ):
            if value not in values and value not in there:
                values.append(value)
        found_twice = fault.also is not None and isinstance(path[-1], int)
        order = (_LEFT_OUT, *values[:40]) if found_twice else (*values[:40], _LEFT_OUT)
        yield [(path, value) for value in order]
        while len(path) > 1:
            path = path[:-1]
            yield [(path, value) for value in (*_at(self._sample, path), _LEFT_OUT)]


def _edited(
    body: Any, edits: dict[Path, Any], old: Path, new: Path, origin: dict[Path, Path]
) -> Any:
    """The document with what was put right; `origin` tells where a place of it was before."""
    origin[new] = old
    if old in edits:
        return edits[old]
    if isinstance(body, dict):
        added = {path[-1]: None for path in edits if path[:-1] == old and path[-1] not in body}
        return {
            key: _edited(value, edits, (*old, key), (*new, key), origin)
            for key, value in {**body, **added}.items()
            if edits.get((*old, key)) is not _LEFT_OUT
        }
    if isinstance(body, list):
        kept = [n for n in range(len(body)) if edits.get((*old, n)) is not _LEFT_OUT]
        return [
            _edited(body[n], edits, (*old, n), (*new, place), origin)
            for place, n in enumerate(kept)
        ]
    return body


def _back(path: Path, origin: dict[Path, Path]) -> Path:
    for length in range(len(path), -1, -1):
        if path[:length] in origin:
            return (*origin[path[:length]], *path[length:])
    return path


def _any_under(path: Path, found: list[Fault]) -> bool:
    return any(each.path[: len(path)] == path for each in found)


def _at(body: Any, path: Path) -> Iterator[Any]:
    for part in path:
        is_item = isinstance(body, list) and isinstance(part, int) and part < len(body)
        if not is_item and not (isinstance(body, dict) and part in body):
            return
        body = body[part]
    yield body


def _may_set(body: Any, path: Path) -> bool:
    for parent in _at(body, path[:-1]):
        if isinstance(parent, dict):
            return path[-1] != "[key]"
        return isinstance(parent, list) and isinstance(path[-1], int) and path[-1] < len(parent)
    return False


def _like(body: Any, path: Path) -> Iterator[Any]:
    """What stands at like places: the same but for one name or number on the way."""
    for turn in range(len(path) - 2, -1, -1):
        for parent in _at(body, path[:turn]):
            if isinstance(parent, dict):
                children = list(parent.values())
            else:
                children = parent if isinstance(parent, list) else []
            for child in children:
                yield from _at(child, path[turn + 1 :])


def _expected(words: str) -> list[str]:
    """The values that pydantic says a choice has."""
    return re.findall(r"'([^']*)'", words)
