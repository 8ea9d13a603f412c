"""The scale (评价等级与标签): what each level means, and which tags explain it on a day."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from tongban_common.errors import RuleViolation


class UnknownTag(RuleViolation):
    code = "review.unknown_tag"


class TagOfAnotherLevel(RuleViolation):
    code = "review.tag_of_another_level"


class TagNotInForce(RuleViolation):
    code = "review.tag_not_in_force"


class UnknownLevel(RuleViolation):
    code = "review.unknown_level"


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    number: int  # 5 is the best (GB/T 39046 counts the other way round: adapters convert)
    name: str
    is_bad: bool
    needs_reason: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    code: str
    name: str
    level: int
    is_basic: bool
    valid_from: date
    valid_to: date | None = None

    def is_in_force(self, on: date) -> bool:
        return self.valid_from <= on and (self.valid_to is None or on <= self.valid_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """A run of old codes that history may hold, known by number only."""

    first: int
    last: int

    def holds(self, code: str) -> bool:
        return code.isascii() and code.isdigit() and self.first <= int(code) <= self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """One version of the levels and the tag set. No tag is ever deleted: its validity ends."""

    version: int
    levels: Mapping[int, Level]
    tags: Mapping[str, Tag]
    retired: tuple[Retired, ...]
    comment_max: int

    def level(self, number: int) -> Level:
        if number not in self.levels:
            raise UnknownLevel("评价等级不在标准之内")
        return self.levels[number]

    def offered(self, level: int, on: date) -> tuple[Tag, ...]:
        """The tags to choose from for a level on a day."""
        return tuple(
            tag for tag in self.tags.values() if tag.level == level and tag.is_in_force(on)
        )

    def check(self, codes: Iterable[str], *, level: int, on: date) -> tuple[str, ...]:
        """The codes, each once and sorted, when every one may be chosen. Raises what is wrong."""
        chosen = tuple(sorted(set(codes)))
        for code in chosen:
            tag = self.tags.get(code)
            if tag is None and not self._is_retired(code):
                raise UnknownTag("没有这个评价标签")
            if tag is None or not tag.is_in_force(on):
                raise TagNotInForce("评价标签不在有效期内", tag=code)
            if tag.level != level:
                raise TagOfAnotherLevel("评价标签不属于所选等级", tag=code, level=level)
        return chosen

    def name_of(self, code: str) -> str:
        """How a stored code is shown; an old review keeps its tags for ever."""
        tag = self.tags.get(code)
        return f"已停用标签{code}" if tag is None else tag.name

    def _is_retired(self, code: str) -> bool:
        return any(run.holds(code) for run in self.retired)
