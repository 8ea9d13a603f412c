"""A review (评价): what somebody may say about a matter, and the proof that it was them.

A review is immutable. An active one (主动评价) always carries the proof of its origin, so that no
scheduler and no member of staff can write one; what the hotline's callback heard carries its event.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tongban_common.errors import RuleViolation
from tongban_common.text import is_plain
from tongban_common.working_days import SHANGHAI
from tongban_evaluation.domain.invitation import Invitation, Matter
from tongban_evaluation.domain.tags import Scale


class Channel(StrEnum):
    """The ways by which a reviewer reaches the form."""

    WEB = "web"  # 网上服务平台
    APP = "app"  # 移动服务端
    MINIPROGRAM = "miniprogram"  # 小程序
    QR = "qr"  # 二维码
    SMS = "sms"  # 短信
    WINDOW_TABLET = "window_tablet"  # 窗口评价器
    KIOSK = "kiosk"  # 自助终端
    CALLBACK = "callback"  # 12345热线回访，只由热线的回访结果产生


class Origin(StrEnum):
    ACTIVE = "active"  # 主动评价
    DEFAULT = "default"  # 默认评价，单独统计


class ProofKind(StrEnum):
    INVITATION = "invitation"  # 一次性邀请链接
    CALLBACK = "callback"  # 热线回访记录


class ReasonMissing(RuleViolation):
    code = "review.reason_missing"


class CommentTooLong(RuleViolation):
    code = "review.comment_too_long"


class CommentUnreadable(RuleViolation):
    code = "review.comment_unreadable"


class ProofMissing(RuleViolation):
    code = "review.proof_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    kind: ProofKind
    ref: str


class NotByThemselves(RuleViolation):
    code = "review.not_by_this_channel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a callback of the hotline heard; its words and reasons stay there."""

    level: int
    ref: str  # the event that told of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What the reviewer says: a level, tags of that level, and words."""

    level: int
    tags: Sequence[str] = ()
    comment: str | None = None
    channel: Channel = Channel.WEB

    def checked(self, scale: Scale, *, at: datetime) -> "Opinion":
        """The opinion in its stored form. Raises the rule that it breaks."""
        level = scale.level(self.level)
        on = at.astimezone(SHANGHAI).date()
        tags = scale.check(self.tags, level=level.number, on=on)
        comment = _readable(self.comment, most=scale.comment_max)
        if level.needs_reason and not tags and comment is None:
            raise ReasonMissing(f"评为“{level.name}”时，请至少选择一个标签或者写明原因")
        return Opinion(level=level.number, tags=tags, comment=comment, channel=self.channel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    id: UUID
    matter: Matter
    opinion: Opinion
    scale_version: int
    submitted_at: datetime
    origin: Origin
    proof: Proof | None

    def __post_init__(self) -> None:
        if (self.origin is Origin.ACTIVE) != (self.proof is not None):
            raise ProofMissing("主动评价必须有来源凭证，默认评价不得有")


def write(
    opinion: Opinion, invitation: Invitation, *, review_id: UUID, scale: Scale, at: datetime
) -> Review:
    """The active review that an invitation entitles to."""
    if opinion.channel is Channel.CALLBACK:
        raise NotByThemselves("回访评价由12345热线记录，请选择实际使用的评价渠道")
    invitation.check_open(at=at)
    return Review(
        id=review_id,
        matter=invitation.matter,
        opinion=opinion.checked(scale, at=at),
        scale_version=scale.version,
        submitted_at=at,
        origin=Origin.ACTIVE,
        proof=Proof(kind=ProofKind.INVITATION, ref=str(invitation.id)),
    )


def take_down(
    heard: Heard, invitation: Invitation, *, review_id: UUID, scale: Scale, at: datetime
) -> Review:
    """回访: what was said on the phone, by the matter's one invitation, whenever it came about.

    Why somebody is not content is asked on the phone and kept by the hotline. Raises
    AlreadyReviewed.
    """
    invitation.check_unused()
    return Review(
        id=review_id,
        matter=invitation.matter,
        opinion=Opinion(level=scale.level(heard.level).number, channel=Channel.CALLBACK),
        scale_version=scale.version,
        submitted_at=at,
        origin=Origin.ACTIVE,
        proof=Proof(kind=ProofKind.CALLBACK, ref=heard.ref),
    )


def _readable(comment: str | None, *, most: int) -> str | None:
    """Without blank edges; nothing but blanks is no comment."""
    text = (comment or "").strip()
    if len(text) > most:
        raise CommentTooLong(f"评价文字不超过{most}字", most=most)
    if not is_plain(text):
        raise CommentUnreadable("评价文字含有无法识别的字符")
    return text or None
