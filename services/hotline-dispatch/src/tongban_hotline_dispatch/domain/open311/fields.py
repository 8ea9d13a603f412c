"""The fields of a form or a query as they came, read one by one; their faults are gathered."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TypeAlias, TypeVar
from urllib.parse import urlsplit

from tongban_hotline_dispatch.domain.importing import PHONE
from tongban_hotline_dispatch.domain.open311.services import BadRequest

Fields: TypeAlias = Mapping[str, Sequence[str]]  # what was left empty is not there
T = TypeVar("T")

LONGEST = {
    "address_string": 300,
    "address_id": 64,
    "first_name": 50,
    "last_name": 50,
    "email": 254,
    "phone": 20,
    "media_url": 2000,
    "update_id": 64,
    "target_unit_code": 64,
}
LONGEST_OF_OTHERS = 1000
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")
_ATTRIBUTE = re.compile(r"attribute\[([^\[\]]{1,64})\](?:\[\d{0,4}\])?")
_SPACE_FOR_PLUS = re.compile(r" (\d\d:\d\d)$")
_EARLIEST, _LATEST = 1970, 2199  # beyond them a moment is a slip


def first(fields: Fields, name: str) -> str | None:
    given = fields.get(name)
    return given[0] if given else None


class Reader:
    """`check` raises BadRequest with every fault found so far."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._faults: list[str] = []

    def has(self, name: str) -> bool:
        return bool(self._fields.get(name))

    def one(self, name: str, *, longest: int | None = None) -> str | None:
        given = self._fields.get(name)
        if not given:
            return None
        most = longest or LONGEST.get(name, LONGEST_OF_OTHERS)
        if len(given[0]) > most:
            self.fault(f"{name} 超过{most}字")
            return None
        return given[0]

    def required(self, name: str, *, longest: int | None = None) -> str:
        if not self._fields.get(name):
            self.fault(f"缺少 {name}")
        return self.one(name, longest=longest) or ""

    def read(self, name: str, parse: Callable[[str], T]) -> T | None:
        """A field that `parse` turns into a value, or finds fault with by ValueError."""
        given = self.one(name)
        if given is None:
            return None
        try:
            return parse(given)
        except ValueError as fault:
            self.fault(f"{name} {fault}")
            return None

    def many(self, name: str) -> list[str]:
        """A list with commas, which may be given more than once."""
        parts = (part.strip() for each in self._fields.get(name, ()) for part in each.split(","))
        return [part for part in parts if part]

    def attributes(self) -> Iterator[tuple[str, Sequence[str]]]:
        """`attribute[CODE]=…` and `attribute[CODE][]=…`, as code and values."""
        for name, given in self._fields.items():
            found = _ATTRIBUTE.fullmatch(name)
            if found is not None:
                yield found[1], given

    def fault(self, text: str) -> None:
        self._faults.append(text)

    def check(self) -> None:
        if self._faults:
            raise BadRequest(*self._faults)


def number(text: str) -> Decimal:
    """Raises ValueError."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise ValueError("应为数值") from None
    if not found.is_finite():
        raise ValueError("应为数值")
    return found


def moment(text: str) -> datetime:
    """A W3C date and time with its zone; an unescaped `+` came as a space. Raises ValueError."""
    try:
        found = datetime.fromisoformat(_SPACE_FOR_PLUS.sub(r"+\1", text))
    except ValueError:
        raise ValueError("应为日期时间，如 2026-01-01T00:00:00Z") from None
    if found.tzinfo is None:
        raise ValueError("须带时区，如 2026-01-01T00:00:00Z")
    if not _EARLIEST <= found.year <= _LATEST:
        raise ValueError("年份超出范围")
    return found


def yes_or_no(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError("应为 true 或者 false")
    return text.lower() == "true"


def phone(text: str) -> str:
    if re.fullmatch(PHONE, text) is None:
        raise ValueError("格式不符")
    return text


def email(text: str) -> str:
    if _EMAIL.fullmatch(text) is None:
        raise ValueError("格式不符")
    return text


def web_address(text: str) -> str:
    """Only what a browser may follow; nothing here ever does. Raises ValueError."""
    parts = urlsplit(text)  # a broken address raises ValueError itself
    if parts.scheme not in {"http", "https"} or not parts.hostname or not text.isprintable():
        raise ValueError("应为 http 或 https 地址")
    return text


def whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise ValueError("应为正整数")
        if not least <= int(text) <= most:
            raise ValueError(f"应在{least}至{most}之间")
        return int(text)

    return parse
