"""Files of messages with replies (CSV, also gzipped): what a replay needs of each line."""

import csv
import gzip
import io
import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tongban_common.errors import BadInput
from tongban_common.working_days import SHANGHAI
from tongban_common.working_days.years import EARLIEST

COLUMNS = ("message_id", "complainant", "title", "received_at", "content", "reply", "replied_at")
_LONGEST_CELL = 1 << 17


class BadMessages(BadInput):
    code = "replay.bad_file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    message_id: str
    title: str
    content: str
    reply: str
    received_at: datetime
    replied_at: datetime


def read_messages(file: Path, *, now: datetime) -> list[Message]:
    """In order of receipt. Raises BadMessages that names the line of each fault."""
    csv.field_size_limit(_LONGEST_CELL)  # of the process: an import reads longer ones
    reader = csv.DictReader(io.StringIO(_text(file), newline=""))
    messages: list[Message] = []
    faults: list[str] = []
    seen: set[str] = set()
    try:
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise BadMessages(f"{file.name}：缺少列 {'、'.join(missing)}")
        for row in reader:
            try:
                messages.append(_message(row, seen, now))
            except ValueError as fault:
                faults.append(f"第{reader.line_num}行：{fault}")
    except csv.Error as fault:
        where = f"第{reader.reader.line_num}行"
        raise BadMessages(
            f"{file.name}：{where}不是合格的CSV，或有一栏超过{_LONGEST_CELL >> 10}KB"
        ) from fault
    if faults:
        raise BadMessages("\n".join([f"{file.name}：{len(faults)}行有误", *faults[:20]]))
    if not messages:
        raise BadMessages(f"{file.name}：没有一条留言")
    return sorted(messages, key=lambda each: each.received_at)


def _text(file: Path) -> str:
    raw = file.read_bytes()
    try:
        return (gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw).decode("utf-8-sig")
    except EOFError as fault:
        raise BadMessages(f"{file.name}：gzip文件不完整，在结尾之前就断了") from fault
    except (OSError, zlib.error) as fault:
        raise BadMessages(f"{file.name}：gzip文件已损坏") from fault
    except UnicodeDecodeError as fault:
        raise BadMessages(f"{file.name}：应为UTF-8编码的CSV，可用gzip压缩") from fault


def _message(row: dict[str, str | None], seen: set[str], now: datetime) -> Message:
    if any("\0" in (row[name] or "") for name in COLUMNS):
        raise ValueError("含有空字符（NUL）")
    received_at = _moment(row["received_at"], "received_at", now)
    replied_at = _moment(row["replied_at"], "replied_at", now)
    if replied_at < received_at:
        raise ValueError("replied_at 早于 received_at")
    if not row["message_id"]:
        raise ValueError("message_id 为空")
    if row["message_id"] in seen:
        raise ValueError("message_id 与前面的行重复")
    seen.add(row["message_id"])
    return Message(
        message_id=row["message_id"],
        title=(row["title"] or "").strip() or "（无标题）",
        content=(row["content"] or "").strip() or "（无内容）",
        reply=(row["reply"] or "").strip() or "（无答复内容）",
        received_at=received_at,
        replied_at=replied_at,
    )


def _moment(given: str | None, name: str, now: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(given or "")
    except ValueError:
        raise ValueError(f"{name} 不是日期时间") from None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=SHANGHAI)
    if moment.year < EARLIEST:
        raise ValueError(f"{name} 早于{EARLIEST}年，没有那时的工作日历")
    if moment > now:
        raise ValueError(f"{name} 在未来")
    return moment
