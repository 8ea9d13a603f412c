"""The agent's form: its fields, and what was typed as a registration, with faults by field."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from uuid import UUID

from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.appeal import (
    APPEAL_NAMES,
    CHANNEL_NAMES,
    URGENCY_NAMES,
    Appeal,
    AppealType,
    Channel,
    Urgency,
)
from tongban_hotline_dispatch.domain.elements import (
    ELEMENT_NAMES,
    Asked,
    Details,
    Element,
    Elements,
    Ending,
)
from tongban_hotline_dispatch.domain.importing import PHONE, REGION
from tongban_hotline_dispatch.domain.particulars import (
    FLAG_NAMES,
    KIND_NAMES,
    ComplainantKind,
    Coordinates,
    Flag,
)
from tongban_hotline_dispatch.operations import Registration
from tongban_hotline_dispatch.pages.forms import Field, Kind, Options, Typed, Value
from tongban_hotline_dispatch.store import Complainant

ENDINGS: Options = (
    (Ending.ACCEPTED, "受理，转派单"),
    (Ending.ANSWERED, "直接答复"),
    (Ending.ROUTED, "引导、转接"),
    (Ending.AWAITING, "等待补充"),
)
_HIDES: Options = (("", "按诉求类型的规定"), ("yes", "要求隐藏身份"), ("no", "不要求隐藏身份"))
FIELDS = (
    Field(name="phone", label="来电号码", most=30, required=False),
    Field(name="name", label="姓名", most=100, required=False),
    Field(
        name="appeal_type",
        label="诉求类型",
        kind=Kind.SELECT,
        options=(("", "请选择"), *((each.value, name) for each, name in APPEAL_NAMES.items())),
    ),
    Field(name="title", label="标题", most=200),
    Field(name="content", label="诉求内容", kind=Kind.AREA, most=20_000),
    Field(name="address", label="事发地点", most=300, required=False),
    Field(name="target_name", label="被反映对象", most=200, required=False),
    Field(
        name="target_unit",
        label="被诉单位",
        kind=Kind.SELECT,
        listed="units",
        required=False,
        hint="反映的是承办单位的，选定后该单位及其下属不得承办，也看不到",
    ),
    Field(
        name="hides_identity",
        label="匿名、保密",
        kind=Kind.SELECT,
        options=_HIDES,
        required=False,
        hint="隐藏身份的，承办单位看不到姓名和号码，由热线中心代为联系",
    ),
    Field(
        name="matter_code",
        label="事项",
        most=200,
        required=False,
        hint="编码，或者名称中的字，从右侧选用",
    ),
    Field(
        name="urgency",
        label="紧急程度",
        kind=Kind.SELECT,
        options=tuple((each.value, name) for each, name in URGENCY_NAMES.items()),
    ),
    Field(
        name="ending",
        label="处理方式",
        kind=Kind.RADIO,
        options=ENDINGS,
    ),
    Field(name="answer", label="答复内容", kind=Kind.AREA, most=20_000, required=False),
    Field(
        name="disposition",
        label="引导情形",
        kind=Kind.SELECT,
        listed="dispositions",
        required=False,
    ),
    Field(
        name="line",
        label="转接线路",
        kind=Kind.SELECT,
        listed="lines",
        required=False,
        hint="紧急警情转接的线路",
    ),
    Field(
        name="unit_code",
        label="建议承办单位",
        kind=Kind.SELECT,
        listed="units",
        required=False,
    ),
    Field(
        name="channel",
        label="渠道",
        kind=Kind.SELECT,
        options=tuple((each.value, name) for each, name in CHANNEL_NAMES.items()),
    ),
    Field(name="occurred_at", label="发生日期", kind=Kind.DATE, required=False),
    Field(name="demand", label="诉求目的", kind=Kind.AREA, most=2000, required=False),
    Field(
        name="complainant_kind",
        label="诉求人类别",
        kind=Kind.SELECT,
        options=(("", "未说明"), *((each.value, name) for each, name in KIND_NAMES.items())),
        required=False,
    ),
    Field(name="enterprise_name", label="企业、单位名称", most=200, required=False),
    Field(name="region_code", label="事发地行政区划代码", most=12, required=False),
    Field(name="lng", label="经度", most=20, required=False, hint="WGS84，从地图取得"),
    Field(name="lat", label="纬度", most=20, required=False),
    Field(name="call_id", label="通话编号", most=64, required=False),
    Field(name="recording_ref", label="录音引用", most=200, required=False),
    *(
        Field(name=f"flag_{flag}", label=name, kind=Kind.CHECK, required=False)
        for flag, name in FLAG_NAMES.items()
    ),
    Field(name="no_reply", label="不要求答复", kind=Kind.CHECK, required=False),
    Field(name="no_callback", label="不要求回访", kind=Kind.CHECK, required=False),
)
BLANK = Typed({"channel": Channel.PHONE, "urgency": Urgency.NORMAL, "ending": Ending.ACCEPTED})
_CODE = re.compile(r"^[0-9A-Za-z.\-]{1,40}(?=\s|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """Whose form it is, and the ticket that it becomes."""

    ticket_id: UUID
    actor: str


def code_in(typed: Typed) -> str | None:
    """The matter's code, where one was typed or taken: 编码 名称."""
    found = _CODE.match(typed.raw.get("matter_code", "").strip())
    return found.group() if found else None


def phone_in(typed: Typed) -> str:
    """Without what people write between the digits."""
    return re.sub(r"[\s()·.]", "", unicodedata.normalize("NFKC", typed.raw.get("phone", "")))


def asked_of(typed: Typed) -> Asked | None:
    """What decides about the elements that are needed, once the type is chosen."""
    raw = typed.raw
    if raw.get("appeal_type") not in set(AppealType):
        return None
    channel, ending = raw.get("channel", ""), raw.get("ending", "")
    return Asked(
        appeal_type=AppealType(raw["appeal_type"]),
        channel=Channel(channel) if channel in set(Channel) else Channel.PHONE,
        matter_code=code_in(typed),
        ending=Ending(ending) if ending in set(Ending) else Ending.ACCEPTED,
    )


def checked(typed: Typed, elements: Elements) -> Typed:
    """With every fault beside its field: what the form needs, and what the policy asks for."""
    faults = dict(typed.faults)
    for name, said in _number_faults(typed):
        faults.setdefault(name, said)
    if typed.raw.get("matter_code") and code_in(typed) is None:
        faults.setdefault("matter_code", "请从右侧选用一个事项，或者填写事项编码")
    for name, choices in _CHOICES.items():
        if typed.raw.get(name) and typed.raw[name] not in choices:
            faults.setdefault(name, "请重新选择")
    needs = {Ending.ANSWERED: "answer", Ending.ROUTED: "disposition"}
    needed = needs.get(Ending(typed.raw["ending"])) if typed.raw["ending"] in _ENDING else None
    if needed and not typed.raw.get(needed):
        faults.setdefault(needed, "请填写答复内容" if needed == "answer" else "请选择引导情形")
    if typed.raw.get("target_unit") and typed.raw["target_unit"] == typed.raw.get("unit_code"):
        faults.setdefault("unit_code", "被诉单位不得承办，请改选")
    asked, given = asked_of(typed), {each: typed.raw.get(each) for each in Element}
    for each in [] if asked is None else elements.missing(asked, given):
        faults.setdefault(each.element, f"请填写{ELEMENT_NAMES[each.element]}：{each.clause}")
    return replace(typed, faults=faults)


_ENDING = set(Ending)
_CHOICES: Mapping[str, frozenset[str]] = {
    "appeal_type": frozenset(AppealType),
    "urgency": frozenset(Urgency),
    "channel": frozenset(Channel),
    "ending": frozenset(Ending),
    "hides_identity": frozenset({"yes", "no"}),
    "complainant_kind": frozenset(ComplainantKind),
}


def registration(typed: Typed, filling: Filling) -> Registration:
    """Of a form without faults; what belongs to another way of ending is left out."""
    said, ending = typed.values, Ending(str(typed.values["ending"]))
    return Registration(
        ticket_id=filling.ticket_id,
        query_code=operations.new_query_code(),
        appeal=Appeal(
            channel=Channel(str(said["channel"])),
            channel_order_no=None,
            appeal_type=AppealType(str(said["appeal_type"])),
            urgency=Urgency(str(said["urgency"])),
            matter_code=code_in(typed),
            title=str(said["title"]),
            content=str(said["content"]),
        ),
        person=Complainant(
            name=_text(said["name"]), phone=phone_in(typed) or None, address=_text(said["address"])
        ),
        actor=filling.actor,
        wants_reply=not said["no_reply"],
        wants_callback=not said["no_callback"],
        target_unit=_text(said["target_unit"]),
        hides_identity=None if said["hides_identity"] is None else said["hides_identity"] == "yes",
        lacks_facts=ending is Ending.AWAITING,
        disposition=_text(said["disposition"]) if ending is Ending.ROUTED else None,
        line=_text(said["line"]) if ending is Ending.ROUTED else None,
        answer=_text(said["answer"]) if ending is Ending.ANSWERED else None,
        details=Details(
            target_name=_text(said["target_name"]),
            occurred_at=_moment(said["occurred_at"]),
            demand=_text(said["demand"]),
            complainant_kind=_kind(said["complainant_kind"]),
            enterprise_name=_text(said["enterprise_name"]),
            call_id=_text(said["call_id"]),
            recording_ref=_text(said["recording_ref"]),
            region_code=_text(said["region_code"]),
            place=_place(typed),
            flags=frozenset(each for each in Flag if said[f"flag_{each}"]),
        ),
    )


def _text(value: Value) -> str | None:
    return value if isinstance(value, str) else None


def _kind(value: Value) -> ComplainantKind | None:
    return ComplainantKind(value) if isinstance(value, str) else None


def _number_faults(typed: Typed) -> Iterator[tuple[str, str]]:
    phone = phone_in(typed)
    if phone and not re.match(PHONE, phone):
        yield "phone", "来电号码应为5至20位数字"
    region = typed.raw.get("region_code")
    if region and not re.match(REGION, region):
        yield "region_code", "事发地行政区划代码应为6至12位数字"
    try:
        _place(typed)
    except ValueError as fault:
        yield "lng", str(fault)


def _place(typed: Typed) -> Coordinates | None:
    """Raises ValueError."""
    return Coordinates.read(typed.raw.get("lng", ""), typed.raw.get("lat", ""))


def _moment(day: Value) -> datetime | None:
    return datetime.combine(day, time(), SHANGHAI) if isinstance(day, date) else None
