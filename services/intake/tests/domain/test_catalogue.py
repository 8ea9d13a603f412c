"""The catalogue: codes, limits and dates of an item, and whether it may be applied for."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban_common.errors import RuleViolation
from tongban_common.working_days import Limit, Unit
from tongban_intake.domain.catalogue import (
    NOT_APPLIED_FOR,
    USCC_ALPHABET,
    CaseKind,
    Item,
    ItemCancelled,
    ItemType,
    NotAppliedFor,
    NotPublished,
    has_same_content,
    is_uscc,
    uscc_check_character,
    version_on,
)

REAL_USCC = (
    "11511301008778183N",
    "115113010833722043",
    "12441500196720244T",
    "11620622013933539B",
    "11330800MB0R57773W",
    "11341702486344515H",
    "114401134554137174",
    "9144030071526726XG",
)
PUBLISHED = date(2026, 1, 5)


def wd(amount: int) -> Limit:
    return Limit(amount=amount, unit=Unit.WORKING_DAYS, clause="测试")


def nd(amount: int) -> Limit:
    return Limit(amount=amount, unit=Unit.NATURAL_DAYS, clause="测试")


def hours(amount: int) -> Limit:
    return Limit(amount=amount, unit=Unit.HOURS, clause="测试")


ITEM = Item(
    code="114401134554137174" + "4" + "44TC12049000",
    version=1,
    name="食品经营许可",
    type=ItemType.PERMIT,
    unit_code="U1",
    case_kind=CaseKind.PROMISED,
    legal_limit=wd(20),
    promise_limit=wd(5),
    published_on=PUBLISHED,
)


@pytest.mark.parametrize("code", REAL_USCC)
def test_the_check_character_of_real_codes_is_right(code: str) -> None:
    assert is_uscc(code)


@pytest.mark.parametrize(
    "code",
    [
        "11511301008778183M",  # 校验码错
        "1151130100877818",  # 位数不足
        "11511301008778183N0",  # 位数过多
        "1151130100877818IN",  # 不用 I
        "",
    ],
)
def test_what_is_not_a_unified_social_credit_code(code: str) -> None:
    assert not is_uscc(code)


@given(
    st.text(USCC_ALPHABET, min_size=17, max_size=17),
    st.integers(0, 16),
    st.sampled_from(USCC_ALPHABET),
)
def test_one_mistyped_character_never_passes(first_17: str, place: int, typed: str) -> None:
    code = first_17 + uscc_check_character(first_17)
    mistyped = code[:place] + typed + code[place + 1 :]

    assert is_uscc(code)
    assert is_uscc(mistyped) == (mistyped == code)


@pytest.mark.parametrize("type_", ItemType)
def test_only_what_is_applied_for_can_be_accepted(type_: ItemType) -> None:
    item = replace(ITEM, type=type_)

    if type_ in NOT_APPLIED_FOR:
        with pytest.raises(NotAppliedFor):
            item.check_open(on=PUBLISHED)
    else:
        item.check_open(on=PUBLISHED)


def test_penalty_coercion_levy_and_inspection_are_not_applied_for() -> None:
    assert {type_.value for type_ in NOT_APPLIED_FOR} == {"02", "03", "04", "06"}


@pytest.mark.parametrize(
    ("published", "cancelled", "on", "refusal"),
    [
        pytest.param(None, None, date(2026, 1, 5), NotPublished, id="未公布"),
        pytest.param(PUBLISHED, None, date(2026, 1, 4), NotPublished, id="公布前一日"),
        pytest.param(PUBLISHED, None, date(2026, 1, 5), None, id="公布当日"),
        pytest.param(PUBLISHED, date(2026, 3, 1), date(2026, 2, 28), None, id="取消前一日"),
        pytest.param(
            PUBLISHED, date(2026, 3, 1), date(2026, 3, 1), ItemCancelled, id="取消当日零时起"
        ),
        pytest.param(PUBLISHED, date(2026, 3, 1), date(2026, 3, 2), ItemCancelled, id="取消之后"),
    ],
)
def test_an_item_is_open_from_publishing_until_the_day_it_is_cancelled(
    published: date | None, cancelled: date | None, on: date, refusal: type[RuleViolation] | None
) -> None:
    item = replace(ITEM, published_on=published, cancelled_on=cancelled)

    assert item.is_open(on=on) == (refusal is None)
    if refusal is not None:
        with pytest.raises(refusal):
            item.check_open(on=on)


@pytest.mark.parametrize(
    "code",
    ["114401134554137174444TC12049000", "12441500196720244T3442199806003"],
)
def test_real_implementation_codes_have_no_fault(code: str) -> None:
    assert replace(ITEM, code=code).faults() == ()


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("114401134554137174444TC1204900", "31 位"),  # 30 characters
        ("114401134554137174844TC12049000", "31 位"),  # 行使层级 8
        ("114401134554137174444tc12049000", "31 位"),  # lower case
        ("114401134554137175444TC12049000", "校验码"),
    ],
)
def test_a_wrong_implementation_code_is_named(code: str, word: str) -> None:
    (fault,) = replace(ITEM, code=code).faults()

    assert word in fault


@pytest.mark.parametrize(
    ("kind", "legal", "promise", "word"),
    [
        pytest.param(CaseKind.PROMISED, wd(20), wd(20), None, id="承诺等于法定"),
        pytest.param(CaseKind.PROMISED, wd(20), wd(21), "不得长于", id="承诺长于法定"),
        pytest.param(CaseKind.PROMISED, wd(20), None, "应有承诺时限", id="承诺件没有承诺"),
        pytest.param(CaseKind.PROMISED, None, wd(5), None, id="适用一般法定期限"),
        pytest.param(CaseKind.PROMISED, nd(20), wd(20), None, id="单位不同，历法可以调和"),
        pytest.param(CaseKind.PROMISED, nd(20), wd(21), "不得长于", id="工作日不短于自然日"),
        pytest.param(CaseKind.PROMISED, nd(1), hours(24), None, id="一天即二十四小时"),
        pytest.param(CaseKind.PROMISED, nd(1), hours(25), "不得长于", id="多于一天"),
        pytest.param(CaseKind.PROMISED, wd(20), nd(40), None, id="工作日可以很长"),
        pytest.param(CaseKind.PROMISED, wd(20), wd(0), "正数", id="零日承诺"),
        pytest.param(CaseKind.PROMISED, wd(-1), wd(-1), "正数", id="负数"),
        pytest.param(CaseKind.INSTANT, wd(20), None, None, id="即办件"),
        pytest.param(CaseKind.INSTANT, wd(20), wd(1), "不另设", id="即办件另设承诺"),
        pytest.param(CaseKind.OTHER, None, wd(5), None, id="其他，有承诺"),
        pytest.param(CaseKind.OTHER, None, None, None, id="许可有一般期限"),
    ],
)
def test_the_limits_of_an_item(
    kind: CaseKind, legal: Limit | None, promise: Limit | None, word: str | None
) -> None:
    item = replace(ITEM, case_kind=kind, legal_limit=legal, promise_limit=promise)

    faults = item.faults()

    assert all(word is not None and word in fault for fault in faults)
    assert bool(faults) == (word is not None)


def test_only_permits_have_a_general_legal_limit() -> None:
    item = replace(ITEM, case_kind=CaseKind.OTHER, legal_limit=None, promise_limit=None)

    (fault,) = replace(item, type=ItemType.FILING).faults()

    assert "只有行政许可" in fault


@pytest.mark.parametrize(
    ("version", "published", "cancelled", "word"),
    [
        (0, PUBLISHED, None, "版本号"),
        (1, None, date(2026, 3, 1), "未公布"),
        (1, PUBLISHED, date(2026, 1, 4), "早于"),
        (1, PUBLISHED, PUBLISHED, None),
    ],
)
def test_the_life_of_a_version(
    version: int, published: date | None, cancelled: date | None, word: str | None
) -> None:
    item = replace(ITEM, version=version, published_on=published, cancelled_on=cancelled)

    faults = item.faults()

    assert [word in fault for fault in faults if word] == [True] * len(faults)
    assert bool(faults) == (word is not None)


@pytest.mark.parametrize(
    ("on", "version"),
    [
        pytest.param(date(2026, 1, 4), 1, id="都未公布，取最早一版"),
        pytest.param(date(2026, 1, 5), 1, id="第一版公布"),
        pytest.param(date(2026, 3, 1), 2, id="新版公布当日替代旧版"),
        pytest.param(date(2027, 1, 1), 2, id="未定公布日的版本不生效"),
    ],
)
def test_a_day_falls_under_the_highest_version_published_by_then(on: date, version: int) -> None:
    versions = [
        replace(ITEM, version=3, published_on=None),
        replace(ITEM, version=2, published_on=date(2026, 3, 1)),
        ITEM,
    ]

    assert version_on(versions, on=on).version == version


def test_only_the_dates_of_its_life_may_change_in_a_version() -> None:
    assert has_same_content(ITEM, replace(ITEM, cancelled_on=date(2026, 5, 1), published_on=None))
    assert not has_same_content(ITEM, replace(ITEM, promise_limit=wd(4)))
    assert not has_same_content(ITEM, replace(ITEM, version=2))
