"""Files that belong to a ticket: whose they are, what may be taken, what they are called."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tongban_common.errors import Conflict, Forbidden, RuleViolation, TooLarge
from tongban_common.text import is_plain
from tongban_hotline_dispatch.domain.file_kinds import FileKind, Unpacking, WrongKind, kind_of


class EmptyFile(RuleViolation):
    code = "attachment.empty"


class FileTooLarge(TooLarge):
    code = "attachment.too_large"


class TooManyFiles(Conflict):
    code = "attachment.too_many"


class NotForUnits(Forbidden):
    code = "attachment.not_for_units"


class TicketArchived(Conflict):
    code = "attachment.ticket_archived"


class FileGroup(StrEnum):
    """附件分组 (hotline.md 2.3): three of the undertaker's, and what the complainant handed in."""

    CREDENTIAL = "credential"
    CONTACT = "contact"
    HANDLING = "handling"
    COMPLAINANT = "complainant"


GROUP_NAMES: Mapping[FileGroup, str] = {
    FileGroup.CREDENTIAL: "凭证",
    FileGroup.CONTACT: "联系证明",
    FileGroup.HANDLING: "办理证明",
    FileGroup.COMPLAINANT: "诉求人提供",
}
_RESERVED = re.compile(r'[<>:"/\\|?*]+')
_LONGEST = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentRules:
    most_bytes: int
    most_files: int  # of one ticket
    kinds: frozenset[FileKind]
    unpacking: Unpacking

    def check(self, content: bytes) -> FileKind:
        """What it is. Raises EmptyFile, FileTooLarge, WrongKind and the refusals of kind_of."""
        if not content:
            raise EmptyFile("文件是空的")
        if len(content) > self.most_bytes:
            raise FileTooLarge(f"单个文件不超过{self.most_bytes >> 20}MB")
        kind = kind_of(content, self.unpacking)
        if kind not in self.kinds:
            listed = "、".join(each for each in FileKind if each in self.kinds)
            raise WrongKind(f"不接收{kind}文件；可以上传：{listed}")
        return kind


def clean_name(given: str, kind: FileKind) -> str:
    """What is left of a name that came from outside; the extension is that of the kind."""
    last = re.split(r"[/\\]", given)[-1]
    stem, dot, _ = last.rpartition(".")
    stem = unicodedata.normalize("NFC", stem if dot else last)
    stem = "".join(sign for sign in stem if is_plain(sign) and sign.isprintable())
    stem = _RESERVED.sub("_", stem).strip(" ._")[:_LONGEST]
    return f"{stem or '附件'}.{kind}"
