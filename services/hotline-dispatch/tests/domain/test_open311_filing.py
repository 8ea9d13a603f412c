from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban_hotline_dispatch.domain.appeal import AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.open311 import asking
from tongban_hotline_dispatch.domain.open311.fields import moment
from tongban_hotline_dispatch.domain.open311.filing import Filing, Place, filing, news
from tongban_hotline_dispatch.domain.open311.services import (
    Area,
    Attribute,
    BadRequest,
    Bounds,
    Catalogue,
    DataType,
    Kind,
    Service,
    Stage,
    UnknownJurisdiction,
    UnknownService,
)

NOW = datetime(2026, 9, 21, 2, 0, tzinfo=UTC)
BOUNDS = Bounds(description=20, days=90, rows=1000, deepest_row=5000, posts_a_minute=5, body=4096)
ATTRIBUTES = (
    Attribute(
        code="HOW",
        datatype=DataType.SINGLE,
        description="情形",
        is_required=True,
        values={"dark": "不亮", "on": "常亮"},
    ),
    Attribute(
        code="WHAT", datatype=DataType.MULTI, description="部位", values={"a": "灯罩", "b": "灯杆"}
    ),
    Attribute(code="NO", datatype=DataType.STRING, description="编号"),
    Attribute(code="CM", datatype=DataType.NUMBER, description="直径"),
    Attribute(code="AT", datatype=DataType.DATETIME, description="时间"),
    Attribute(code="TOLD", datatype=DataType.STRING, description="提示", asks=False),
)
LIGHT = Service(
    code="light",
    name="路灯不亮",
    description="路灯",
    kind=Kind.REALTIME,
    group="市政",
    keywords=("路灯",),
    appeal_type=AppealType.HELP,
    urgency=Urgency.NORMAL,
    matter_code="M1",
    shows=frozenset(),
    needs_place=True,
    attributes=ATTRIBUTES,
)
CATALOGUE = Catalogue(
    jurisdictions=("520100",),
    services={"light": LIGHT},
    stages={"closed": Stage(is_closed=True, update="closed", note="已办结")},
    otherwise=Stage(is_closed=False, update="open", note="办理中"),
    channel=Channel.APP,
    area=Area(south=Decimal(20), west=Decimal(100), north=Decimal(30), east=Decimal(110)),
    bounds=BOUNDS,
    repeat_attributes=frozenset({"fixmystreet_id"}),
)
GOOD = {"address_string": ["桂花路"], "attribute[HOW]": ["dark"]}


def checked(**changed: list[str]) -> Filing:
    return filing(CATALOGUE, LIGHT, "520100", {**GOOD, **changed})


def faults_of(fields: Mapping[str, list[str]]) -> list[str]:
    with pytest.raises(BadRequest) as refused:
        filing(CATALOGUE, LIGHT, "520100", fields)
    told = refused.value.facts["faults"]
    assert isinstance(told, list)
    return told


def test_a_filing_becomes_an_appeal_with_everything_that_was_said() -> None:
    fields = {
        "description": ["灯不亮\n已三天"],
        "lat": ["26.6470001"],
        "long": ["106.6"],
        "address_id": ["D-1"],
        "attribute[WHAT][]": ["a", "b"],
        "attribute[CM]": ["12.5"],
        "attribute[fixmystreet_id]": ["77"],
        "media_url": ["https://pictures.example/1.jpg"],
        "first_name": ["三丰"],
        "last_name": ["张"],
    }

    filed = checked(**fields)
    appeal = filed.appeal(Channel.APP, client="app-a")

    assert (filed.place.lat, filed.place.long) == (Decimal("26.647000"), Decimal("106.600000"))
    assert filed.person.name == "张三丰"
    assert appeal.channel_order_no == "open311:app-a:77"
    assert (appeal.title, appeal.matter_code) == ("路灯不亮：灯不亮", "M1")
    assert appeal.content.split("\n") == [
        "灯不亮",
        "已三天",
        "情形：不亮",
        "部位：灯罩、灯杆",
        "直径：12.5",
        "地点：桂花路",
        "地址编码：D-1",
        "坐标（WGS84）：26.647000, 106.600000",
        "附件地址：https://pictures.example/1.jpg",
    ]
    assert "张" not in appeal.content


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"address_string": []}, "缺少地点"),
        ({"lat": ["26"]}, "lat 与 long 须同时给出"),
        ({"lat": ["x"], "long": ["106"]}, "lat 应为数值"),
        ({"lat": ["NaN"], "long": ["106"]}, "lat 应为数值"),
        ({"lat": ["1e400"], "long": ["106"]}, "lat 不是经纬度"),
        ({"lat": ["26"], "long": ["120"]}, "不在本辖区范围之内"),
        ({"attribute[HOW]": []}, "缺少 attribute[HOW]"),
        ({"attribute[HOW]": ["blue"]}, "attribute[HOW] 不在允许的取值之内"),
        ({"attribute[HOW]": ["dark", "on"]}, "attribute[HOW] 只能有一个值"),
        ({"attribute[WHAT][]": ["a", "z"]}, "attribute[WHAT] 不在允许的取值之内"),
        ({"attribute[NO]": ["a\nb"]}, "attribute[NO] 不能换行"),
        ({"attribute[CM]": ["宽"]}, "attribute[CM] 应为数值"),
        ({"attribute[AT]": ["昨天"]}, "attribute[AT] 应为日期时间"),
        ({"attribute[AT]": ["2026-09-01T08:00:00"]}, "attribute[AT] 须带时区"),
        ({"attribute[TOLD]": ["x"]}, "attribute[TOLD] 不在该服务的定义之中"),
        ({"attribute[OTHER]": ["x"]}, "attribute[OTHER] 不在该服务的定义之中"),
        ({"attribute[fixmystreet_id]": ["1" * 65]}, "attribute[fixmystreet_id] 超过64字"),
        ({"description": ["长" * 21]}, "description 超过20字"),
        ({"media_url": ["javascript:alert(1)"]}, "media_url 应为 http 或 https 地址"),
        ({"media_url": ["https://[bad"]}, "media_url"),
        ({"phone": ["打我电话"]}, "phone 格式不符"),
        ({"email": ["nobody"]}, "email 格式不符"),
        ({"first_name": ["长" * 51]}, "first_name 超过50字"),
    ],
)
def test_a_fault_is_named_without_its_value(changed: dict[str, list[str]], fault: str) -> None:
    fields = {name: value for name, value in {**GOOD, **changed}.items() if value}

    told = faults_of(fields)

    assert len(told) == 1
    assert fault in told[0]


def test_every_fault_is_told_at_once() -> None:
    assert len(faults_of({"lat": ["x"], "long": ["y"], "phone": ["z"], "email": ["w"]})) == 5


def test_what_needs_no_place_takes_none() -> None:
    service = replace(LIGHT, needs_place=False, attributes=())

    filed = filing(CATALOGUE, service, "520100", {"description": ["建议"]})

    assert filed.place == Place()


@pytest.mark.parametrize(
    ("first", "last", "name"),
    [
        ("三丰", "张", "张三丰"),
        ("John", "Smith", "John Smith"),
        ("张三丰", None, "张三丰"),
        (None, None, None),
    ],
)
def test_a_name_is_put_in_the_order_of_its_language(
    first: str | None, last: str | None, name: str | None
) -> None:
    given = {"first_name": first, "last_name": last}

    filed = checked(**{field: [value] for field, value in given.items() if value})

    assert filed.person.name == name


def test_one_jurisdiction_may_be_left_out_and_one_of_several_may_not() -> None:
    several = replace(CATALOGUE, jurisdictions=("520100", "520200"))

    assert CATALOGUE.jurisdiction(None) == "520100"
    assert several.jurisdiction("520200") == "520200"
    with pytest.raises(UnknownJurisdiction):
        CATALOGUE.jurisdiction("110000")
    with pytest.raises(BadRequest):
        several.jurisdiction(None)
    with pytest.raises(UnknownService):
        CATALOGUE.service("other")


def test_a_status_that_the_policy_does_not_name_reads_as_open() -> None:
    assert not CATALOGUE.stage("unheard-of").is_closed
    assert CATALOGUE.closed_statuses == ["closed"]


NEWS = {
    "update_id": ["u1"],
    "service_request_id": ["260921100000000001"],
    "status": ["FIXED"],
    "description": ["又不亮了"],
    "updated_datetime": ["2026-09-20T10:00:00+08:00"],
}


def test_news_are_read_whole() -> None:
    said = news(CATALOGUE, NEWS)

    assert (said.update_id, said.status) == ("u1", "fixed")
    assert said.updated_at == datetime(2026, 9, 20, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize("name", NEWS)
def test_news_without_any_of_its_fields_are_refused(name: str) -> None:
    with pytest.raises(BadRequest) as refused:
        news(CATALOGUE, {key: value for key, value in NEWS.items() if key != name})

    assert refused.value.facts["faults"] == [f"缺少 {name}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("status", "GONE"), ("updated_datetime", "yesterday"), ("update_id", "u" * 65)],
)
def test_bad_news_are_refused(name: str, value: str) -> None:
    with pytest.raises(BadRequest):
        news(CATALOGUE, {**NEWS, name: [value]})


def asked(**fields: str) -> asking.Query:
    return asking.query(BOUNDS, {name: [value] for name, value in fields.items()}, now=NOW)


def days_before(days: float) -> str:
    return (NOW - timedelta(days=days)).isoformat()


def test_without_a_time_it_is_the_latest_90_days() -> None:
    assert asked().requested == asking.Window(first=NOW - timedelta(days=90), last=NOW)


@pytest.mark.parametrize(
    ("fields", "first", "last"),
    [
        ({"start_date": 10}, 10, 0),
        ({"start_date": 200}, 200, 110),
        ({"end_date": 10}, 100, 10),
        ({"start_date": 100, "end_date": 10}, 100, 10),
        ({"start_date": -1}, -1, -1),
    ],
    ids=["只有起", "只有起且久远", "只有止", "恰好90日", "起在将来"],
)
def test_a_window_reaches_as_far_as_one_query_may(
    fields: dict[str, float], first: float, last: float
) -> None:
    found = asked(**{name: days_before(days) for name, days in fields.items()})

    assert found.requested == asking.Window(
        first=NOW - timedelta(days=first), last=NOW - timedelta(days=last)
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"start_date": days_before(91), "end_date": days_before(0.5)},
        {"start_date": days_before(1), "end_date": days_before(2)},
        {"start_date": "2026-09-01"},
        {"start_date": "9999-12-31T23:59:59Z"},
        {"updated_after": "x"},
        {"status": "open,gone"},
        {"page": "0"},
        {"page": "二"},
        {"page_size": "1001"},
        {"page": "6", "page_size": "1000"},
        {"bbox": "1,2,3"},
        {"bbox": "106,27,105,26"},
        {"bbox": "a,b,c,d"},
        {"service_request_id": ",".join(map(str, range(1001)))},
    ],
)
def test_a_query_that_asks_for_too_much_or_nonsense_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        asked(**fields)


def test_a_query_is_read_whole() -> None:
    found = asked(
        service_code="a, b",
        status="CLOSED",
        updated_after=days_before(1),
        bbox="106,26,107,27",
        page="3",
        page_size="50",
        extensions="true",
    )

    assert (found.service_codes, found.is_closed, found.is_extended) == (["a", "b"], True, True)
    assert found.requested is None
    assert found.updated == asking.Window(first=NOW - timedelta(days=1), last=NOW)
    assert found.page.skipped == 100
    assert asked(status="open,closed").is_closed is None


def test_an_unescaped_plus_came_as_a_space() -> None:
    assert moment("2026-09-21T10:00:00 08:00") == NOW


def read_in_every_way(fields: dict[str, list[str]]) -> None:
    """Whatever is no BadRequest fails the test."""
    with suppress(BadRequest):
        filing(CATALOGUE, LIGHT, "520100", {**GOOD, **fields})
    with suppress(BadRequest):
        news(CATALOGUE, {**NEWS, **fields})
    with suppress(BadRequest):
        asking.query(BOUNDS, fields, now=NOW)


@given(st.dictionaries(st.text(max_size=40), st.lists(st.text(max_size=60), min_size=1)))
def test_whatever_comes_is_read_or_refused(fields: dict[str, list[str]]) -> None:
    read_in_every_way(fields)


NAMES = st.sampled_from(
    [
        *("lat", "long", "start_date", "updated_before", "page", "page_size", "bbox", "status"),
        *("media_url", "phone", "email", "attribute[CM]", "attribute[AT]", "updated_datetime"),
    ]
)
VALUES = st.one_of(
    st.text(max_size=40),
    st.datetimes().map(datetime.isoformat),
    st.decimals().map(str),
    st.floats().map(str),
    st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1e999999", "-0"]),
)


@given(st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=3)))
def test_whatever_the_known_fields_hold_is_read_or_refused(fields: dict[str, list[str]]) -> None:
    read_in_every_way(fields)
