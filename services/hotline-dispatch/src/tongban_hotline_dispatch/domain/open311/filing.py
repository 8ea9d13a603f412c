"""A request that comes in through Open311, and news of one: checked whole, faults all named."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from tongban_hotline_dispatch.domain.appeal import Appeal, Channel
from tongban_hotline_dispatch.domain.open311 import fields as given
from tongban_hotline_dispatch.domain.open311.fields import Fields, Reader
from tongban_hotline_dispatch.domain.open311.services import (
    Area,
    Attribute,
    Catalogue,
    DataType,
    Service,
)

LONGEST_ANSWER = 1000
LONGEST_HEAD = 60  # of a description that becomes part of the title
LONGEST_REPEAT = 64
_NO_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)  # stands where there is a fault already
_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")

# What servicerequestupdates may say, in the words of FixMyStreet, which brought it up.
NEWS_STATUSES = frozenset(
    {
        "open",
        "investigating",
        "in_progress",
        "action_scheduled",
        "fixed",
        "closed",
        "no_further_action",
        "not_councils_responsibility",
        "duplicate",
        "internal_referral",
        "for_triage",
        "reopen",
        "cancelled",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    lat: Decimal | None = None
    long: Decimal | None = None
    address: str | None = None
    address_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whoever files it; goes under seal and never comes back. Device and account are not kept."""

    name: str | None
    phone: str | None
    email: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    service: Service
    jurisdiction: str
    description: str | None
    place: Place
    media_url: str | None
    answers: Sequence[tuple[str, str]]  # question and answer
    external_id: str | None  # the client's own number of it
    person: Person
    target_unit: str | None = None  # 被诉单位
    hides_identity: bool | None = None  # None: as the type of the appeal has it

    def appeal(self, channel: Channel, *, client: str) -> Appeal:
        known = self.external_id
        return Appeal(
            channel=channel,
            channel_order_no=None if known is None else f"open311:{client}:{known}",
            appeal_type=self.service.appeal_type,
            urgency=self.service.urgency,
            matter_code=self.service.matter_code,
            title=self._title(),
            content="\n".join(self._content()),
        )

    def _title(self) -> str:
        head = (self.description or "").partition("\n")[0][:LONGEST_HEAD].strip()
        return f"{self.service.name}：{head}" if head else self.service.name

    def _content(self) -> Iterator[str]:
        yield self.description or self.service.name
        for question, answer in self.answers:
            yield f"{question}：{answer}"
        place = self.place
        if place.address is not None:
            yield f"地点：{place.address}"
        if place.address_id is not None:
            yield f"地址编码：{place.address_id}"
        if place.lat is not None:
            yield f"坐标（WGS84）：{place.lat}, {place.long}"
        if self.media_url is not None:
            yield f"附件地址：{self.media_url}"


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a client says of a request later on."""

    update_id: str
    service_request_id: str
    status: str
    description: str
    media_url: str | None
    updated_at: datetime


def filing(catalogue: Catalogue, service: Service, jurisdiction: str, fields: Fields) -> Filing:
    """Beside the fields of the standard, two of our own: target_unit_code and hides_identity
    (hotline.md 2.3, 2.5). Raises BadRequest."""
    read = Reader(fields)
    filed = Filing(
        service=service,
        jurisdiction=jurisdiction,
        description=read.one("description", longest=catalogue.bounds.description),
        place=_place(read, service, catalogue.area),
        media_url=read.read("media_url", given.web_address),
        answers=_answers(read, service, catalogue.repeat_attributes),
        external_id=_external_id(read, catalogue.repeat_attributes),
        person=Person(
            name=_full_name(read.one("first_name"), read.one("last_name")),
            phone=read.read("phone", given.phone),
            email=read.read("email", given.email),
        ),
        target_unit=read.one("target_unit_code"),
        hides_identity=read.read("hides_identity", given.yes_or_no),
    )
    read.check()
    return filed


def news(catalogue: Catalogue, fields: Fields) -> News:
    """Raises BadRequest."""
    read = Reader(fields)
    read.required("updated_datetime")
    updated_at = read.read("updated_datetime", given.moment)
    said = News(
        update_id=read.required("update_id"),
        service_request_id=read.required("service_request_id"),
        status=read.required("status").lower(),
        description=read.required("description", longest=catalogue.bounds.description),
        media_url=read.read("media_url", given.web_address),
        updated_at=updated_at or _NO_MOMENT,
    )
    if said.status and said.status not in NEWS_STATUSES:
        read.fault("status 不在允许的取值之内")
    read.check()
    return said


def _place(read: Reader, service: Service, area: Area) -> Place:
    lat, long = read.read("lat", _degrees), read.read("long", _degrees)
    has_lat, has_long = read.has("lat"), read.has("long")
    if has_lat is not has_long:
        read.fault("lat 与 long 须同时给出")
    elif lat is not None and long is not None and not area.holds(lat, long):
        read.fault("lat、long 不在本辖区范围之内")
    has_any = has_lat or has_long or read.has("address_string") or read.has("address_id")
    if service.needs_place and not has_any:
        read.fault("缺少地点：请给出 lat 和 long，或者 address_string，或者 address_id")
    return Place(
        lat=lat,
        long=long,
        address=read.one("address_string"),
        address_id=read.one("address_id"),
    )


def _degrees(text: str) -> Decimal:
    """To a millionth, which is less than a step."""
    degrees = given.number(text)
    if abs(degrees) > 180:
        raise ValueError("不是经纬度")
    return degrees.quantize(Decimal("0.000001"))


def _answers(read: Reader, service: Service, repeats: frozenset[str]) -> Sequence[tuple[str, str]]:
    """In the order of the definition. What it does not ask is refused: nothing is lost silently."""
    came = dict(read.attributes())
    asked = {each.code: each for each in service.attributes if each.asks}
    for code in came.keys() - asked.keys() - repeats:
        read.fault(f"attribute[{code}] 不在该服务的定义之中")
    answers = []
    for code, attribute in asked.items():
        if code not in came:
            if attribute.is_required:
                read.fault(f"缺少 attribute[{code}]")
            continue
        try:
            answers.append((attribute.description, _answer(attribute, came[code])))
        except ValueError as fault:
            read.fault(f"attribute[{code}] {fault}")
    return answers


def _answer(attribute: Attribute, came: Sequence[str]) -> str:
    if attribute.datatype is not DataType.MULTI and len(came) > 1:
        raise ValueError("只能有一个值")
    return "、".join(_one_answer(attribute, each) for each in came)


def _one_answer(attribute: Attribute, came: str) -> str:
    if attribute.values is not None:
        if came not in attribute.values:
            raise ValueError("不在允许的取值之内")
        return attribute.values[came]
    if len(came) > LONGEST_ANSWER:
        raise ValueError(f"超过{LONGEST_ANSWER}字")
    if attribute.datatype is DataType.NUMBER:
        given.number(came)
    elif attribute.datatype is DataType.DATETIME:
        given.moment(came)
    elif attribute.datatype is DataType.STRING and "\n" in came:
        raise ValueError("不能换行")
    return came


def _external_id(read: Reader, repeats: frozenset[str]) -> str | None:
    for code, came in read.attributes():
        if code in repeats:
            if len(came[0]) > LONGEST_REPEAT:
                read.fault(f"attribute[{code}] 超过{LONGEST_REPEAT}字")
            return came[0]
    return None


def _full_name(first: str | None, last: str | None) -> str | None:
    """A Chinese name has its family name first."""
    both = [each for each in (first, last) if each]
    if len(both) == 2 and _HAN.search("".join(both)):
        return f"{last}{first}"
    return " ".join(both) or None
