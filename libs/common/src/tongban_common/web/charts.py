"""The geometry of the SVG charts, in percent of the width: text keeps its size on a phone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

_STEPS = tuple(Decimal(step) for step in ("0.5", "1", "2", "5", "10", "20", "25", "50", "100"))
_MOST_TICKS = 6
_INSET = Decimal(3)  # percent left free on both sides, so that a dot at the end is whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One row of a chart; `note` is shown after the label and `tone` colours it."""

    label: str
    value: Decimal
    note: str = ""
    tone: str = "info"
    href: str = ""


@dataclass(frozen=True, slots=True)
class PlacedBar:
    row: Bar
    start: Decimal
    length: Decimal


@dataclass(frozen=True, slots=True)
class PlacedDot:
    row: Bar
    at: Decimal


@dataclass(frozen=True, slots=True)
class DotPlot:
    dots: tuple[PlacedDot, ...]
    ticks: tuple[tuple[Decimal, Decimal], ...]  # value, place


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    value: Decimal
    tone: str = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One row of a chart whose bar is made of parts; the label leads to what it counts."""

    label: str
    parts: tuple[Part, ...]
    note: str = ""
    href: str = ""

    @property
    def total(self) -> Decimal:
        return sum((each.value for each in self.parts), Decimal(0))


@dataclass(frozen=True, slots=True)
class PlacedPart:
    tone: str
    start: Decimal
    length: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One day of a trend."""

    day: date
    value: Decimal


@dataclass(frozen=True, slots=True)
class PlacedColumn:
    row: Column
    start: Decimal
    width: Decimal
    height: Decimal


@dataclass(frozen=True, slots=True)
class Trend:
    columns: tuple[PlacedColumn, ...]
    top: Decimal  # the highest value
    labels: tuple[tuple[date, Decimal], ...]  # some of the days, and where they stand


def stacks(rows: Sequence[Stack]) -> list[tuple[Stack, tuple[PlacedPart, ...]]]:
    """Every bar starts at zero; the longest is as wide as the chart."""
    most = max((row.total for row in rows), default=Decimal(0)) or Decimal(1)
    return [(row, tuple(_parts(row, most))) for row in rows]


def trend(rows: Sequence[Column]) -> Trend:
    """Columns side by side, heights in percent of the highest; every seventh day has its name."""
    if not rows:
        return Trend((), Decimal(0), ())
    top = max(row.value for row in rows)
    slot = Decimal(100) / len(rows)
    columns = tuple(
        PlacedColumn(
            row,
            _rounded(slot * index + slot / 8),
            _rounded(slot * 3 / 4),
            _rounded(row.value * 100 / (top or 1)),
        )
        for index, row in enumerate(rows)
    )
    last = len(rows) - 1
    named = [index for index in range(len(rows)) if (last - index) % 7 == 0]
    labels = tuple((rows[index].day, _rounded(slot * index + slot / 2)) for index in named)
    return Trend(columns, top, labels)


def _parts(row: Stack, most: Decimal) -> Iterator[PlacedPart]:
    start = Decimal(0)
    for each in row.parts:
        if each.value > 0:
            length = each.value * 100 / most
            yield PlacedPart(each.tone, _rounded(start), _rounded(length))
            start += length


def bars(rows: Sequence[Bar]) -> list[PlacedBar]:
    """Lengths are true: every bar starts at zero, negative ones to its left."""
    low = min([Decimal(0), *(row.value for row in rows)])
    high = max([Decimal(0), *(row.value for row in rows)])
    span = (high - low) or Decimal(1)
    return [
        PlacedBar(
            row,
            _rounded((min(row.value, Decimal(0)) - low) * 100 / span),
            _rounded(abs(row.value) * 100 / span),
        )
        for row in rows
    ]


def dots(rows: Sequence[Bar]) -> DotPlot:
    """Positions on an axis with round ticks; a dot, unlike a bar, need not start at zero."""
    if not rows:
        return DotPlot((), ())
    low, high = min(row.value for row in rows), max(row.value for row in rows)
    step = _step(high - low)
    first = (low / step).to_integral_value(ROUND_FLOOR) * step
    last = (high / step).to_integral_value(ROUND_CEILING) * step
    if first == last:
        first, last = first - step, last + step
    placed = tuple(PlacedDot(row, _place(row.value, first, last)) for row in rows)
    count = int((last - first) / step)
    values = (first + step * index for index in range(count + 1))
    return DotPlot(placed, tuple((value, _place(value, first, last)) for value in values))


def _step(span: Decimal) -> Decimal:
    fitting = (step for step in _STEPS if span / step <= _MOST_TICKS - 2)
    return next(fitting, span)


def _place(value: Decimal, first: Decimal, last: Decimal) -> Decimal:
    return _rounded(_INSET + (value - first) * (100 - 2 * _INSET) / (last - first))


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"))


ALL = {"bars": bars, "dots": dots, "stacks": stacks, "trend": trend}
