"""Who asks is known to few (hotline.md 2.5): what may be seen in clear, for which listed reason,
and what is hidden from units by default. Every look leaves a record that nobody can change."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tongban_common.errors import RuleViolation
from tongban_hotline_dispatch.domain.appeal import AppealType
from tongban_hotline_dispatch.domain.process import UnknownReason


class UnknownViewReason(RuleViolation):
    code = "identity.unknown_reason"


class DocumentMissing(RuleViolation):
    code = "identity.document_missing"


class Seen(StrEnum):
    """What somebody may look at in clear: of the person, and of the words that may name one."""

    NAME = "name"
    PHONE = "phone"
    ADDRESS = "address"
    EMAIL = "email"
    TITLE = "title"
    CONTENT = "content"
    REPLY = "reply"
    SUPPLEMENTS = "supplements"
    ATTACHMENT = "attachment"
    ENTERPRISE = "enterprise_name"
    PLACE = "place"


SEEN_NAMES: Mapping[Seen, str] = {
    Seen.NAME: "姓名",
    Seen.PHONE: "联系电话",
    Seen.ADDRESS: "住址",
    Seen.EMAIL: "电子邮箱",
    Seen.TITLE: "标题原文",
    Seen.CONTENT: "诉求原文",
    Seen.REPLY: "答复原文",
    Seen.SUPPLEMENTS: "补充事实原文",
    Seen.ATTACHMENT: "诉求人提供的附件",
    Seen.ENTERPRISE: "企业、单位名称",
    Seen.PLACE: "事发地坐标",
}


class Way(StrEnum):
    """How it was looked at."""

    TICKET = "ticket"  # one ticket
    EXPORT = "export"  # a list by the file
    EVIDENCE = "evidence"  # 移交公安机关的证据
    ATTACHMENT = "attachment"  # 诉求人提供的附件


WAY_NAMES: Mapping[Way, str] = {
    Way.TICKET: "单件查看",
    Way.EXPORT: "列表导出",
    Way.EVIDENCE: "证据导出",
    Way.ATTACHMENT: "下载附件",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewReason:
    code: str
    name: str
    clause: str
    needs_document: bool  # 调取文书、申请书的编号


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRules:
    """The policy as the domain uses it."""

    label: str
    reasons: Mapping[str, ViewReason]
    hidden_types: frozenset[AppealType]
    oversight: tuple[str, ...]  # units that take what is about a unit with nobody above it
    recusal_reasons: Mapping[str, str]

    def hides(self, appeal_type: AppealType, *, asked: bool | None) -> bool:
        """As the person asks; where nothing is said, by the type. 举报默认隐藏身份。"""
        return appeal_type in self.hidden_types if asked is None else asked

    def recusal_reason(self, code: str) -> str:
        """Raises UnknownReason."""
        if code not in self.recusal_reasons:
            listed = "、".join(self.recusal_reasons)
            raise UnknownReason(f"回避事由应为：{listed}", given=code)
        return self.recusal_reasons[code]

    def check(self, reason: str, document_no: str | None) -> ViewReason:
        """Raises UnknownViewReason, DocumentMissing."""
        found = self.reasons.get(reason)
        if found is None:
            listed = "、".join(self.reasons)
            raise UnknownViewReason(f"查看理由应为：{listed}", given=reason)
        if found.needs_document and not document_no:
            raise DocumentMissing(f"以“{found.name}”为由查看的，须填写文书编号", reason=reason)
        return found


# What a look at one ticket may ask for: an attachment is looked at by itself.
OF_A_TICKET = tuple(each for each in Seen if each is not Seen.ATTACHMENT)


def in_order(fields: Collection[Seen]) -> tuple[Seen, ...]:
    """Each once, as they are declared."""
    return tuple(each for each in Seen if each in fields)
