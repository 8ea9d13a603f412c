"""Which unit a place named in a text belongs to, by a table that a city can change."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

from tongban_common.policies import parse_document


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hub(_Part):
    code: str = Field(min_length=1)
    name: str = Field(min_length=1)


class Place(Hub):
    words: list[str] = Field(min_length=1)


class _Table(_Part):
    hub: Hub
    places: list[Place]


@dataclass(frozen=True)
class Places:
    hub: Hub
    places: Sequence[Place]

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        words = sorted((word for place in self.places for word in place.words), key=len)
        return re.compile("|".join(re.escape(word) for word in reversed(words)))

    @cached_property
    def _by_word(self) -> dict[str, Place]:
        return {word: place for place in self.places for word in place.words}

    def unit_of(self, *texts: str) -> str:
        """The code of the first place named, the first text before the second; else the hub."""
        for each in texts:
            found = self._pattern.search(each)
            if found is not None:
                return self._by_word[found.group()].code
        return self.hub.code


def packaged_places() -> Places:
    text = files("tongban_suite").joinpath("data", "places.yaml").read_text(encoding="utf-8")
    table = parse_document(text, _Table, where="places.yaml")
    return Places(table.hub, table.places)


def directory_of(places: Places) -> str:
    """The directory document of these units: each a department with one window of its own."""
    lines = [
        "divisions:",
        '  - {code: "990000", name: 全省, level: city}',
        "units:",
        *(
            f"  - {{code: {unit.code}, name: {unit.name}, kind: department, level: city, "
            f'division_code: "990000"}}'
            for unit in (places.hub, *places.places)
        ),
        "windows:",
        *(
            f"  - {{code: {unit.code}-01, unit_code: {unit.code}, name: {unit.name}窗口, "
            "kind: department}"
            for unit in (places.hub, *places.places)
        ),
    ]
    return "\n".join(lines) + "\n"
