"""Appeals by the file: what a file and each row of it must hold, and why one is refused.

No reason repeats what a cell held: it may be somebody's name or number.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import TypeAlias, TypeVar

from tongban_common.errors import BadInput
from tongban_common.text import is_plain
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.appeal import (
    APPEAL_NAMES,
    CHANNEL_NAMES,
    URGENCY_NAMES,
    Appeal,
    Urgency,
)
from tongban_hotline_dispatch.domain.elements import Details
from tongban_hotline_dispatch.domain.particulars import (
    FLAG_NAMES,
    KIND_NAMES,
    Coordinates,
    Flag,
)


class BadFile(BadInput):
    code = "import.bad_file"


# column → its heading in Chinese; both are accepted
COLUMNS: Mapping[str, str] = {
    "channel": "渠道",
    "channel_order_no": "渠道编号",
    "appeal_type": "诉求类型",
    "urgency": "紧急程度",
    "matter_code": "事项编码",
    "title": "标题",
    "content": "内容",
    "registered_at": "来件时间",
    "name": "姓名",
    "phone": "电话",
    "address": "地址",
    "target_name": "被反映对象",
    "demand": "诉求目的",
    "complainant_kind": "诉求人类别",
    "enterprise_name": "企业名称",
    "call_id": "通话编号",
    "recording_ref": "录音引用",
    "region_code": "行政区划代码",
    "lng": "经度",
    "lat": "纬度",
    "flags": "标记",
    "target_unit_code": "被诉单位编码",
    "hides_identity": "隐藏身份",
}
REQUIRED = ("channel", "channel_order_no", "appeal_type", "title", "content")
LONGEST: Mapping[str, int] = {
    "channel": 50,
    "channel_order_no": 64,
    "appeal_type": 50,
    "urgency": 50,
    "matter_code": 64,
    "title": 200,
    "content": 20_000,
    "registered_at": 50,
    "name": 100,
    "phone": 20,
    "address": 300,
    "target_name": 200,
    "demand": 2000,
    "complainant_kind": 20,
    "enterprise_name": 200,
    "call_id": 64,
    "recording_ref": 200,
    "region_code": 12,
    "lng": 20,
    "lat": 20,
    "flags": 100,
    "target_unit_code": 64,
    "hides_identity": 20,
}
MOST_ROWS = 50_000  # a file is read whole; more are better split
PHONE = r"^[0-9+\-]{5,20}$"
REGION = r"^[0-9]{6,12}$"
_DIGITS = {"phone": (PHONE, "5至20"), "region_code": (REGION, "6至12")}
EARLIEST = datetime(2004, 1, 1, tzinfo=SHANGHAI)  # the calendar knows no earlier working days
_SAID = {"是": True, "yes": True, "true": True, "否": False, "no": False, "false": False}
ROUNDED = "\x00rounded"  # a cell whose number a spreadsheet has rounded: it keeps 15 digits
_FIELD_LIMIT = 1 << 26  # a huge field is a bad row, not the end of the file
_BETWEEN = re.compile(r"[、，,;；\s]+")
_DATE = re.compile(r"^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]+(\d{1,2}(?=:)))?")

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row that may be taken in."""

    appeal: Appeal
    registered_at: datetime
    name: str | None
    phone: str | None
    address: str | None
    details: Details
    target_unit: str | None = None  # 被诉单位
    hides_identity: bool | None = None  # None: as the type of the appeal has it

    @property
    def key(self) -> tuple[str, str | None]:
        """The natural key: what it is recognised by when the file comes again."""
        return self.appeal.channel, self.appeal.channel_order_no


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is refused, with every reason."""

    reason: str


Checked: TypeAlias = tuple[int, Row | BadRow]


def csv_cells(content: bytes) -> Iterator[list[str]]:
    """Raises BadFile for an unknown encoding or a broken file."""
    csv.field_size_limit(_FIELD_LIMIT)
    try:
        yield from csv.reader(io.StringIO(decoded(content), newline=""), strict=True)
    except csv.Error as fault:
        raise BadFile("不是完整的CSV：引号没有配对，或者文件被截断") from fault


def decoded(content: bytes) -> str:
    """UTF-8 with or without a mark, else GB18030 (which holds GBK and GB2312). Raises BadFile."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadFile("无法识别文件的编码，请存为UTF-8或GBK编码的CSV，或者XLSX")


def checked(cells: Iterable[Sequence[str]], *, now: datetime) -> list[Checked]:
    """Every row that is not blank, with its number as a spreadsheet counts. Raises BadFile."""
    numbered = ((number, row) for number, row in enumerate(cells, start=1) if _is_filled(row))
    _, first = next(numbered, (0, None))
    if first is None:
        raise BadFile("文件是空的")
    columns = _columns(first)
    rows = list(islice(numbered, MOST_ROWS + 1))
    if not rows:
        raise BadFile("文件只有表头，没有数据行")
    if len(rows) > MOST_ROWS:
        raise BadFile(f"文件超过{MOST_ROWS}行，请分开导入")
    return list(_without_repeats((number, _read(columns, row, now)) for number, row in rows))


def _is_filled(row: Sequence[str]) -> bool:
    return any(cell.strip() for cell in row)


def _columns(headings: Sequence[str]) -> list[str | None]:
    """The column of each heading, None for one that is not ours."""
    known = {heading: name for name, zh in COLUMNS.items() for heading in (name, zh)}
    columns = [known.get(heading.strip()) for heading in headings]
    missing = [COLUMNS[name] for name in REQUIRED if name not in columns]
    if missing:
        raise BadFile(f"文件缺少列：{'、'.join(missing)}")
    repeated = [zh for name, zh in COLUMNS.items() if columns.count(name) > 1]
    if repeated:
        raise BadFile(f"文件有重复的列：{'、'.join(repeated)}")
    return columns


def _without_repeats(rows: Iterable[Checked]) -> Iterator[Checked]:
    """The first good row of a natural key stands, later ones are told which one that is."""
    seen: dict[tuple[str, str | None], int] = {}
    for number, row in rows:
        earlier = number if isinstance(row, BadRow) else seen.setdefault(row.key, number)
        repeats = earlier != number
        yield number, BadRow(f"与第{earlier}行重复：渠道和渠道编号相同") if repeats else row


def _read(columns: Sequence[str | None], row: Sequence[str], now: datetime) -> Row | BadRow:
    faults: list[str] = []
    if _is_filled(row[len(columns) :]):
        faults.append("比表头多出列（内容中的逗号须加引号）")
    found = {name: cell.strip() for name, cell in zip(columns, row, strict=False) if name}
    values = {name: found.get(name, "") for name in COLUMNS}
    for name, value in values.items():
        faults += _text_faults(name, value)
    channel = _choice(values, "channel", CHANNEL_NAMES, faults)
    appeal_type = _choice(values, "appeal_type", APPEAL_NAMES, faults)
    urgency = _choice(values, "urgency", URGENCY_NAMES, faults) or Urgency.NORMAL
    registered_at = _moment(values["registered_at"], now, faults)
    details = _details(values, faults)
    hides_identity = _said(values, "hides_identity", faults)
    if faults or channel is None or appeal_type is None:
        return BadRow("；".join(faults))
    return Row(
        appeal=Appeal(
            channel=channel,
            channel_order_no=values["channel_order_no"],
            appeal_type=appeal_type,
            urgency=urgency,
            matter_code=values["matter_code"] or None,
            title=values["title"],
            content=values["content"],
        ),
        registered_at=registered_at,
        name=values["name"] or None,
        phone=values["phone"] or None,
        address=values["address"] or None,
        details=details,
        target_unit=values["target_unit_code"] or None,
        hides_identity=hides_identity,
    )


def _details(values: Mapping[str, str], faults: list[str]) -> Details:
    place = None
    try:
        place = Coordinates.read(values["lng"], values["lat"])
    except ValueError as fault:
        faults.append(str(fault))
    return Details(
        target_name=values["target_name"] or None,
        demand=values["demand"] or None,
        complainant_kind=_choice(values, "complainant_kind", KIND_NAMES, faults),
        enterprise_name=values["enterprise_name"] or None,
        call_id=values["call_id"] or None,
        recording_ref=values["recording_ref"] or None,
        region_code=values["region_code"] or None,
        place=place,
        flags=_flags(values["flags"], faults),
    )


def _flags(given: str, faults: list[str]) -> frozenset[Flag]:
    """Several in one cell, with a mark or a space between them."""
    known = {said: flag for flag, name in FLAG_NAMES.items() for said in (flag.value, name)}
    said = [each for each in _BETWEEN.split(given) if each]
    if any(each not in known for each in said):
        faults.append(f"标记不在允许的取值之内（{'、'.join(FLAG_NAMES.values())}）")
    return frozenset(known[each] for each in said if each in known)


def _text_faults(name: str, value: str) -> list[str]:
    if not value:
        return [f"{COLUMNS[name]}为空"] if name in REQUIRED else []
    if value == ROUNDED:
        return [f"{COLUMNS[name]}超过15位，表格软件已将其舍入；请将该列设为文本格式后重新填写"]
    if not is_plain(value):
        return [f"{COLUMNS[name]}含有空字符或者控制字符"]
    if len(value) > LONGEST[name]:
        return [f"{COLUMNS[name]}超过{LONGEST[name]}字"]
    pattern, digits = _DIGITS.get(name, ("", ""))
    return [] if re.match(pattern, value) else [f"{COLUMNS[name]}应为{digits}位数字"]


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


def _said(values: Mapping[str, str], name: str, faults: list[str]) -> bool | None:
    """是、否, as a person or a spreadsheet writes it; empty says neither."""
    given = values[name].lower()
    if given and given not in _SAID:
        faults.append(f"{COLUMNS[name]}应为“是”或者“否”")
    return _SAID.get(given)


def _moment(given: str, now: datetime, faults: list[str]) -> datetime:
    """Empty means now; a moment without a zone is Beijing time."""
    if not given:
        return now
    try:
        moment = datetime.fromisoformat(_DATE.sub(_padded, given))
    except ValueError:
        faults.append("来件时间不是可识别的日期时间（如 2026-09-30 10:00）")
        return now
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=SHANGHAI)
    if moment > now:
        faults.append("来件时间晚于当前时间")
    elif moment < EARLIEST:
        faults.append("来件时间早于2004年")
    return moment


def _padded(found: re.Match[str]) -> str:
    """2026/9/30 9:05 → 2026-09-30T09:05, as spreadsheets write and ISO 8601 reads."""
    year, month, day, hour = found.groups()
    written = f"{year}-{month:>02}-{day:>02}"
    return written if hour is None else f"{written}T{hour:>02}"
