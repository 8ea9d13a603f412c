"""The dispatch catalogue (派单目录): which unit has which matter at which place, from when.

The rule that says most wins: the matter before the place, so that a department's own matter goes to
the department even where the place's government is named (职能交叉的，由市级部门牵头), and what is
nobody's matter in particular goes to the government of its place. A rule with keywords goes by what
the message says, and comes before those that go by its matter.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from tongban_hotline_dispatch.domain.classifier import Message
from tongban_hotline_dispatch.domain.matters import LEVELS, Matter
from tongban_hotline_dispatch.domain.table import (
    BadTable,
    Columns,
    Faults,
    Line,
    lines_of,
    split_list,
)

COLUMNS = Columns(
    headings={
        "matter_code": "事项编码",
        "level1": "一级",
        "level2": "二级",
        "level3": "三级",
        "level4": "四级",
        "place": "地点",
        "keywords": "关键词",
        "unit_code": "承办单位编码",
        "basis": "依据",
        "valid_from": "起",
        "valid_to": "止",
    },
    required=("unit_code",),
    most_rows=100_000,
    longest=500,
)


class BadDispatchCatalogue(BadTable):
    code = "dispatch.bad_catalogue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of the catalogue."""

    line: int
    unit_code: str
    matter_code: str | None = None  # it and all below it; None: any
    places: tuple[str, ...] = ()  # names, or codes that stand for all that begin with them
    keywords: tuple[str, ...] = ()  # any of them
    basis: str = ""
    valid_from: date | None = None
    valid_to: date | None = None  # the last day

    def is_valid(self, day: date) -> bool:
        begun = self.valid_from is None or self.valid_from <= day
        return begun and (self.valid_to is None or day <= self.valid_to)

    def overlaps(self, other: "Rule") -> bool:
        starts = (self.valid_from or date.min) <= (other.valid_to or date.max)
        return starts and (other.valid_from or date.min) <= (self.valid_to or date.max)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a matter is: as given, else as far as the message names it."""

    given: str | None
    message: Message

    def fits(self, rule: Rule) -> str | None:
        """The place of the rule that holds here; empty for a rule of any place; else None."""
        if not rule.places:
            return ""
        found = [place for place in rule.places if self._is_in(place)]
        return max(found, key=len, default=None)

    def _is_in(self, place: str) -> bool:
        if self.given is None:
            named = place in self.message.title or place in self.message.content
            return named and not place.isascii()
        return self.given == place or (place.isascii() and self.given.startswith(place))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A rule that holds, and the words by which it does."""

    rule: Rule
    words: tuple[str, ...]
    place: str


class DispatchCatalogue:
    """The rules of one version."""

    def __init__(self, version: int, rules: Iterable[Rule]) -> None:
        self.version = version
        self._with_words: list[Rule] = []
        self._by_matter: dict[str | None, list[Rule]] = defaultdict(list)
        for rule in rules:
            (self._with_words if rule.keywords else self._by_matter[rule.matter_code]).append(rule)

    def by_keywords(self, place: Place, day: date) -> list[Hit]:
        """Those whose words the message holds, the longest words first."""
        hits = []
        for rule in self._with_words:
            found = tuple(word for word in rule.keywords if _says(place.message, word))
            where = place.fits(rule) if found and rule.is_valid(day) else None
            if where is not None:
                hits.append(Hit(rule=rule, words=found, place=where))
        return sorted(hits, key=lambda hit: (-sum(map(len, hit.words)), -len(hit.place)))

    def by_matter(self, lineage: Sequence[str], place: Place, day: date) -> Hit | None:
        """The one that says most of a matter, given as the codes from its first level down."""
        for code in (*reversed(lineage), None):
            hits = [
                Hit(rule=rule, words=(), place=where)
                for rule in self._by_matter.get(code, ())
                if rule.is_valid(day) and (where := place.fits(rule)) is not None
            ]
            if hits:
                return max(hits, key=lambda hit: len(hit.place))
        return None


def _says(message: Message, word: str) -> bool:
    return word in message.title or word in message.content


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a row may refer to."""

    matters: Sequence[Matter]
    units: Mapping[str, bool]  # code → whether it is active


def rules_of(cells: Iterable[Sequence[str]], known: Known) -> list[Rule]:
    """Raises BadFile, or BadDispatchCatalogue naming every bad row."""
    faults = Faults()
    reader = _Reader(known, faults)
    rules = [reader.rule(line) for line in lines_of(cells, COLUMNS, faults)]
    _note_conflicts(rules, faults)
    faults.refuse(BadDispatchCatalogue)
    return rules


class _Reader:
    def __init__(self, known: Known, faults: Faults) -> None:
        self._units = known.units
        self._codes = {matter.code for matter in known.matters}
        self._by_path = {matter.path: matter.code for matter in known.matters}
        self._faults = faults

    def rule(self, line: Line) -> Rule:
        cells = line.cells
        unit = cells["unit_code"]
        if unit and not self._units.get(unit, False):
            self._faults.add(line.number, "没有这个承办单位，或者该单位已停用")
        starts, ends = self._day(line, "valid_from"), self._day(line, "valid_to")
        if starts is not None and ends is not None and ends < starts:
            self._faults.add(line.number, "止日早于起日")
        return Rule(
            line=line.number,
            unit_code=unit,
            matter_code=self._matter(line),
            places=split_list(cells["place"]),
            keywords=split_list(cells["keywords"]),
            basis=cells["basis"],
            valid_from=starts,
            valid_to=ends,
        )

    def _matter(self, line: Line) -> str | None:
        code = line.cells["matter_code"]
        path = tuple(line.cells[level] for level in LEVELS if line.cells[level])
        by_path = self._by_path.get(path) if path else None
        if code and code not in self._codes:
            self._faults.add(line.number, "现行事项目录中没有这个事项编码")
        if path and by_path is None:
            self._faults.add(line.number, f"现行事项目录中没有这个事项：{'/'.join(path)}")
        if code and by_path is not None and by_path != code:
            self._faults.add(line.number, f"事项编码与事项名称不符，应为{by_path}")
        return code or by_path

    def _day(self, line: Line, name: str) -> date | None:
        given = line.cells[name]
        if not given:
            return None
        try:
            return date.fromisoformat(given.replace("/", "-"))
        except ValueError:
            self._faults.add(line.number, f"{COLUMNS.headings[name]}不是日期（如2026-01-01）")
            return None


def _note_conflicts(rules: Sequence[Rule], faults: Faults) -> None:
    """Two rules that say the same of the same days leave open which one counts."""
    seen: dict[tuple[object, ...], list[Rule]] = {}
    for rule in rules:
        for key in _keys(rule):
            earlier = seen.setdefault(key, [])
            clash = next((each for each in earlier if each.overlaps(rule)), None)
            if clash is not None:
                faults.add(rule.line, f"与第{clash.line}行的条件相同、日期重叠")
                break
            earlier.append(rule)


def _keys(rule: Rule) -> Iterable[tuple[object, ...]]:
    for place in rule.places or ("",):
        if rule.keywords:
            yield from ((place, word) for word in rule.keywords)
        else:
            yield rule.matter_code, place, None
