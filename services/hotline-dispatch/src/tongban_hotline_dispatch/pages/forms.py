"""A move's form as data: its fields are declared once, shown by a macro and read back from here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from starlette.datastructures import FormData

from tongban_common.text import is_plain

Value = str | int | bool | date | tuple[str, ...] | None
Values = Mapping[str, Value]
Options = tuple[tuple[str, str], ...]


class Kind(StrEnum):
    LINE = "line"
    AREA = "area"
    LINES = "lines"  # one of a list per line
    SELECT = "select"
    RADIO = "radio"
    NUMBER = "number"
    DATE = "date"
    CHECK = "check"
    CHOICE = "choice"  # by the button pressed


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    name: str
    label: str
    kind: Kind = Kind.LINE
    options: Options = ()
    listed: str | None = None  # where the options are found: units, pause_reasons, …
    required: bool = True
    most: int = 2000  # characters, or the number itself
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody typed, as it came and as it was understood; faults by field."""

    raw: Mapping[str, str]
    values: Values = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)


def read(fields: tuple[Field, ...], form: FormData) -> Typed:
    raw = {each.name: _said(form, each.name) for each in fields}
    values: dict[str, Value] = {}
    faults: dict[str, str] = {}
    for each in fields:
        try:
            values[each.name] = _understood(each, raw[each.name])
        except ValueError as fault:
            faults[each.name] = str(fault)
    return Typed(raw, values, faults)


def _said(form: FormData, name: str) -> str:
    given = form.get(name)
    return given.strip() if isinstance(given, str) else ""


def _understood(each: Field, said: str) -> Value:
    """Raises ValueError with what is wrong."""
    if each.kind is Kind.CHECK:
        return _ticked(each, said)
    if not said:
        if each.required:
            raise ValueError(f"请填写{each.label}")
        return () if each.kind is Kind.LINES else None
    if not is_plain(said):
        raise ValueError(f"{each.label}含有不能保存的控制字符")
    match each.kind:
        case Kind.NUMBER:
            return _number(each, said)
        case Kind.DATE:
            return _date(each, said)
        case Kind.LINES:
            return tuple(line.strip() for line in said.splitlines() if line.strip())
        case _:
            return _text(each, said)


def _ticked(each: Field, said: str) -> bool:
    if each.required and not said:
        raise ValueError(f"请确认：{each.label}")
    return bool(said)


def _text(each: Field, said: str) -> str:
    if len(said) > each.most:
        raise ValueError(f"{each.label}最多{each.most}字")
    return said


def _number(each: Field, said: str) -> int:
    is_number = said.isascii() and said.isdigit() and len(said) < 10
    if not is_number or not 1 <= int(said) <= each.most:
        raise ValueError(f"{each.label}应为1至{each.most}的整数")
    return int(said)


def _date(each: Field, said: str) -> date:
    try:
        return date.fromisoformat(said)
    except ValueError:
        raise ValueError(f"{each.label}应为日期") from None
