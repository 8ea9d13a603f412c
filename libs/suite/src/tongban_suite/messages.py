"""Files of messages with replies (CSV, also gzipped): what a replay needs of each line."""

import csv
import gzip
import io
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tongban_common.errors import BadInput
from tongban_common.working_days import SHANGHAI

COLUMNS = ("message_id", "complainant", "title", "received_at", "content", "reply", "replied_at")


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


def read_messages(file: Path) -> list[Message]:
    """In order of receipt. Raises BadMessages that names the line of each fault."""
    raw = file.read_bytes()
    try:
        text = (gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as fault:
        raise BadMessages(f"{file.name}：应为UTF-8编码的CSV，可用gzip压缩") from fault
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise BadMessages(f"{file.name}：缺少列 {'、'.join(missing)}")
    messages, faults = [], []
    for row in reader:
        try:
            messages.append(_message(row))
        except ValueError as fault:
            faults.append(f"第{reader.line_num}行：{fault}")
    if faults:
        raise BadMessages("\n".join([f"{file.name}：{len(faults)}行有误", *faults[:20]]))
    if not messages:
        raise BadMessages(f"{file.name}：没有一条留言")
    return sorted(messages, key=lambda each: each.received_at)


def _message(row: dict[str, str | None]) -> Message:
    received_at = _moment(row["received_at"], "received_at")
    replied_at = _moment(row["replied_at"], "replied_at")
    if replied_at < received_at:
        raise ValueError("replied_at 早于 received_at")
    if not row["message_id"]:
        raise ValueError("message_id 为空")
    return Message(
        message_id=row["message_id"],
        title=(row["title"] or "").strip() or "（无标题）",
        content=(row["content"] or "").strip() or "（无内容）",
        reply=(row["reply"] or "").strip() or "（无答复内容）",
        received_at=received_at,
        replied_at=replied_at,
    )


def _moment(given: str | None, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(given or "")
    except ValueError:
        raise ValueError(f"{name} 不是日期时间") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=SHANGHAI)
