"""The geometry of the SVG charts, in percent of the width: text keeps its size on a phone."""

from collections.abc import Sequence
from dataclasses import dataclass
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


ALL = {"bars": bars, "dots": dots}
