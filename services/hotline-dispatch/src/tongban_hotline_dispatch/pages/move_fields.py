"""The fields that the forms of moves ask for; options that are policy data are named only."""

from tongban_hotline_dispatch.domain.assignment import CONTACT_WAY_NAMES, Role
from tongban_hotline_dispatch.domain.callback import MARK_NAMES, RESOLVED_NAMES
from tongban_hotline_dispatch.pages.forms import Field, Kind

UNIT = Field(name="unit_code", label="承办单位", kind=Kind.SELECT, listed="units")
DAYS = Field(
    name="days",
    label="时限（工作日）",
    kind=Kind.NUMBER,
    required=False,
    most=60,
    hint="不填则比主办余期少一个工作日",
)
SIGNED_OFF = Field(name="is_signed_off", label="分管领导已审签", kind=Kind.CHECK)
GROUND = Field(name="reason", label="理由", kind=Kind.AREA)
_MARKS = tuple(MARK_NAMES.items())
_RESOLVED = tuple(RESOLVED_NAMES.items())
NO_REDO = Field(
    name="no_redo",
    label="不再重办的事由",
    kind=Kind.SELECT,
    listed="no_redo_reasons",
    required=False,
    hint="未解决或者不满意而又不重办的，须说明",
)
CANNOT = Field(name="reason", label="无法回访的事由", kind=Kind.SELECT, listed="cannot_reasons")
HEARD = (
    Field(name="resolved", label="是否解决", kind=Kind.RADIO, options=_RESOLVED),
    Field(name="result", label="对结果", kind=Kind.RADIO, options=_MARKS),
    Field(name="process", label="对过程", kind=Kind.RADIO, options=_MARKS),
    Field(
        name="replied",
        label="承办单位是否联系、答复过",
        kind=Kind.SELECT,
        required=False,
        options=(("", "未问"), ("yes", "是"), ("no", "否")),
    ),
    NO_REDO,
    Field(name="note", label="回访记录", kind=Kind.AREA, required=False),
)
CONTACT = (
    Field(
        name="way",
        label="联系方式",
        kind=Kind.SELECT,
        options=(("", "未说明"), *((each.value, name) for each, name in CONTACT_WAY_NAMES.items())),
        required=False,
    ),
    Field(
        name="number",
        label="联系所用号码",
        most=20,
        required=False,
        hint="与登记的号码不同时填写，加密保存",
    ),
)
REPLY = (
    Field(
        name="text",
        label="公开答复",
        kind=Kind.AREA,
        most=20_000,
        hint="诉求人看到的答复；不要写姓名、电话、住址",
    ),
    Field(
        name="internal",
        label="内部办理情况",
        kind=Kind.AREA,
        required=False,
        most=20_000,
        hint="只给热线中心看；不填则与公开答复相同",
    ),
    Field(
        name="citations",
        label="政策依据",
        kind=Kind.LINES,
        required=False,
        hint="文号或者条款，每行一件",
    ),
    Field(
        name="evidence",
        label="办理凭证",
        kind=Kind.LINES,
        required=False,
        hint="照片、文书等的编号或者说明，每行一件",
    ),
    Field(
        name="is_resolved",
        label="办理结果",
        kind=Kind.SELECT,
        required=False,
        options=(("yes", "已解决"), ("no", "未能解决，已说明原因")),
    ),
)
ROLE = Field(
    name="role",
    label="方式",
    kind=Kind.SELECT,
    options=((Role.CO, "协办"), (Role.WHISTLE, "吹哨报到")),
)
DISPOSITION = Field(name="disposition", label="引导情形", kind=Kind.SELECT, listed="dispositions")
PARENT = Field(name="parent_no", label="主单编号", most=40, hint="主单须尚未答复")
CAUSE = Field(name="reason", label="事由", most=64)
REOPENED = Field(name="reason", label="重启事由", kind=Kind.SELECT, listed="reopen_reasons")
SURE = Field(name="is_sure", label="诉求人要求撤回", kind=Kind.CHECK)
NOTE = Field(name="note", label="审核意见", kind=Kind.AREA, required=False)
WORDS = Field(name="words", label="内容", kind=Kind.AREA, most=20_000)
