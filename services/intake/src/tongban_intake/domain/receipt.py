"""The number on the receipt (办件编号): 实施编码 (31) + yyyyMMdd + a serial, daily per item.

The serial is printed with at least four digits, as the national platform prints it, and may grow
to five. The number is public; the random query code (查询密码) beside it is what reveals progress.
"""

from dataclasses import dataclass
from datetime import date

from tongban_common.errors import Conflict

LAST_SERIAL = 99_999


class SerialsExhausted(Conflict):
    code = "receipt.serials_exhausted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The serial starts at 1 on every local day, for each item by itself."""

    item_code: str
    on: date
    serial: int

    def __post_init__(self) -> None:
        if not 1 <= self.serial <= LAST_SERIAL:
            raise SerialsExhausted(
                f"事项 {self.item_code} 在 {self.on} 的办件流水号已用尽（上限 {LAST_SERIAL}）"
            )

    @property
    def number(self) -> str:
        return f"{self.item_code}{self.on:%Y%m%d}{self.serial:04d}"
