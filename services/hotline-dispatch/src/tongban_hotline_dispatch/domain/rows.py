"""One row of an import file: what it must hold, and every reason for which it is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from tongban_common.errors import BadInput
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.ticket import (
    APPEAL_NAMES,
    CHANNEL_NAMES,
    Appeal,
    Urgency,
)


class BadFile(BadInput):
    code = "import.bad_file"


class BadRow(BadInput):
    code = "import.bad_row"


# column → its heading in Chinese; both are accepted
COLUMNS: Mapping[str, str] = {
    "channel": "渠道",
    "channel_order_no": "渠道编号",
    "appeal_type": "诉求类型",
    "urgency": "紧急程度",
    "title": "标题",
    "content": "内容",
    "registered_at": "来件时间",
    "name": "姓名",
    "phone": "电话",
    "address": "地址",
}
REQUIRED = ("channel", "channel_order_no", "appeal_type", "title", "content")
LONGEST: Mapping[str, int] = {
    "channel_order_no": 64,
    "title": 200,
    "content": 20_000,
    "name": 100,
    "phone": 20,
    "address": 300,
}
URGENCY_NAMES: dict[Urgency, str] = {
    Urgency.NORMAL: "一般",
    Urgency.URGENT: "紧急",
    Urgency.CRITICAL: "特急",
}
_EARLIEST = datetime(2004, 1, 1, tzinfo=SHANGHAI)  # the calendar knows no earlier working days

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row that may be taken in."""

    appeal: Appeal
    registered_at: datetime
    name: str | None
    phone: str | None
    address: str | None


def headings(found: list[str]) -> list[str | None]:
    """The column of each heading, None for one that is not ours. Raises BadFile."""
    known = {**{name: name for name in COLUMNS}, **{zh: name for name, zh in COLUMNS.items()}}
    columns = [known.get(each.strip().lstrip("\ufeff")) for each in found]
    missing = [COLUMNS[name] for name in REQUIRED if name not in columns]
    if missing:
        raise BadFile(f"文件缺少列：{'、'.join(missing)}")
    return columns


def read_row(cells: Mapping[str, str], *, now: datetime) -> Row:
    """Raises BadRow that gives every reason. No reason repeats what the cell held."""
    faults: list[str] = []
    values = {name: cells.get(name, "").strip() for name in COLUMNS}
    for name, value in values.items():
        faults += _text_faults(name, value)
    channel = _choice(values, "channel", CHANNEL_NAMES, faults)
    appeal_type = _choice(values, "appeal_type", APPEAL_NAMES, faults)
    urgency = _choice(values, "urgency", URGENCY_NAMES, faults) or Urgency.NORMAL
    registered_at = _moment(values["registered_at"], now, faults)
    if faults or channel is None or appeal_type is None or registered_at is None:
        raise BadRow("；".join(faults))
    return Row(
        appeal=Appeal(
            channel=channel,
            channel_order_no=values["channel_order_no"],
            appeal_type=appeal_type,
            urgency=urgency,
            title=values["title"],
            content=values["content"],
        ),
        registered_at=registered_at,
        name=values["name"] or None,
        phone=values["phone"] or None,
        address=values["address"] or None,
    )


def _text_faults(name: str, value: str) -> list[str]:
    if name in REQUIRED and not value:
        return [f"{COLUMNS[name]}为空"]
    if "\x00" in value:
        return [f"{COLUMNS[name]}含有空字符"]
    if len(value) > LONGEST.get(name, 100):
        return [f"{COLUMNS[name]}超过{LONGEST.get(name, 100)}字"]
    return []


def _choice(
    values: Mapping[str, str], name: str, names: Mapping[ChoiceT, str], faults: list[str]
) -> ChoiceT | None:
    given = values[name]
    if not given:
        return None
    for choice, title in names.items():
        if given in {choice.value, title}:
            return choice
    faults.append(f"{COLUMNS[name]}不在允许的取值之内（{'、'.join(names.values())}）")
    return None


def _moment(given: str, now: datetime, faults: list[str]) -> datetime | None:
    """Empty means now; a moment without a zone is Beijing time."""
    if not given:
        return now
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        faults.append("来件时间不是可识别的日期时间（如 2026-09-30 10:00）")
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=SHANGHAI)
    if moment > now:
        faults.append("来件时间晚于当前时间")
    elif moment < _EARLIEST:
        faults.append("来件时间早于2004年")
    return moment
