"""What a citizen brings to the hotline (诉求): by which way, of which kind, how urgent."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

# What stands for the words of a matter that is kept under seal.
HIDDEN = "（内容已隔离封存）"


class Channel(StrEnum):
    PHONE = "phone"
    WEBSITE = "website"
    WECHAT = "wechat"
    MINI_PROGRAM = "mini_program"
    APP = "app"
    WEIBO = "weibo"
    SMS = "sms"
    MAILBOX = "mailbox"
    FAX = "fax"
    ONLINE_CHAT = "online_chat"
    NETIZEN_MESSAGE = "netizen_message"
    PROVINCE_PLATFORM = "province_platform"
    STATE_COUNCIL_INTERNET_SUPERVISION = "state_council_internet_supervision"
    PEOPLE_CN_MESSAGE_BOARD = "people_cn_message_board"
    GOV_CN_MESSAGE = "gov_cn_message"
    POLICE_110_TRANSFER = "police_110_transfer"
    ENTERPRISE_DESK = "enterprise_desk"
    SUB_CENTER = "sub_center"
    ON_SITE = "on_site"
    LEADER_ANSWERS_DAY = "leader_answers_day"
    OTHER = "other"


CHANNEL_NAMES: dict[Channel, str] = {
    Channel.PHONE: "电话",
    Channel.WEBSITE: "网站",
    Channel.WECHAT: "微信",
    Channel.MINI_PROGRAM: "小程序",
    Channel.APP: "客户端",
    Channel.WEIBO: "微博",
    Channel.SMS: "短信",
    Channel.MAILBOX: "信箱",
    Channel.FAX: "传真",
    Channel.ONLINE_CHAT: "在线客服",
    Channel.NETIZEN_MESSAGE: "网民留言",
    Channel.PROVINCE_PLATFORM: "省级平台",
    Channel.STATE_COUNCIL_INTERNET_SUPERVISION: "互联网+督查",
    Channel.PEOPLE_CN_MESSAGE_BOARD: "人民网留言板",
    Channel.GOV_CN_MESSAGE: "中国政府网留言",
    Channel.POLICE_110_TRANSFER: "110转办",
    Channel.ENTERPRISE_DESK: "企业专席",
    Channel.SUB_CENTER: "分中心",
    Channel.ON_SITE: "现场",
    Channel.LEADER_ANSWERS_DAY: "领导接听日",
    Channel.OTHER: "其他",
}


class AppealType(StrEnum):
    CONSULT = "consult"
    HELP = "help"
    SUGGESTION = "suggestion"
    COMPLAINT = "complaint"
    REPORT = "report"
    THANKS = "thanks"
    WITHDRAWAL = "withdrawal"
    HARASSMENT = "harassment"
    INVALID = "invalid"
    OTHER = "other"


APPEAL_NAMES: dict[AppealType, str] = {
    AppealType.CONSULT: "咨询",
    AppealType.HELP: "求助",
    AppealType.SUGGESTION: "建议",
    AppealType.COMPLAINT: "投诉",
    AppealType.REPORT: "举报",
    AppealType.THANKS: "感谢",
    AppealType.WITHDRAWAL: "撤单",
    AppealType.HARASSMENT: "骚扰",
    AppealType.INVALID: "无效",
    AppealType.OTHER: "其他",
}
# 基本五类 (hotline.md 2.2): limits have one for each of them; the others are of live platforms.
HANDLED = frozenset(
    {
        AppealType.CONSULT,
        AppealType.HELP,
        AppealType.SUGGESTION,
        AppealType.COMPLAINT,
        AppealType.REPORT,
    }
)


class Urgency(StrEnum):
    NORMAL = "normal"
    URGENT = "urgent"
    CRITICAL = "critical"


URGENCY_NAMES: dict[Urgency, str] = {
    Urgency.NORMAL: "一般",
    Urgency.URGENT: "紧急",
    Urgency.CRITICAL: "特急",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Appeal:
    """The same for the whole life of its ticket."""

    channel: Channel
    channel_order_no: str | None  # the number that the channel gave it; unique within the channel
    appeal_type: AppealType
    urgency: Urgency
    matter_code: str | None  # 事项: a leaf of the city's catalogue, where one is in use
    title: str
    content: str
    upstream_due: datetime | None = None  # the upper platform's own deadline
    statutory_due: datetime | None = None  # a longer term that a law sets
