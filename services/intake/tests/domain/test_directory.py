"""The directory: how divisions, units, windows and staff may nest."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban_intake.domain.directory import (
    LEVELS_OF_KIND,
    PARENT_LEVELS,
    Directory,
    Division,
    Level,
    OrgUnit,
    Role,
    Staff,
    UnitKind,
    Window,
    WindowKind,
)

CITY = Division(code="360900", name="宜春市", level=Level.CITY)
COUNTY = Division(code="360983", name="高安市", level=Level.COUNTY, parent_code=CITY.code)
TOWN = Division(code="360983100", name="大城镇", level=Level.TOWNSHIP, parent_code=COUNTY.code)
VILLAGE = Division(code="360983100201", name="古楼村", level=Level.VILLAGE, parent_code=TOWN.code)
CENTER = OrgUnit(
    code="C0", name="市中心", kind=UnitKind.CENTER, level=Level.CITY, division_code=CITY.code
)
TOWN_CENTER = OrgUnit(
    code="T0",
    name="大城镇便民服务中心",
    kind=UnitKind.TOWNSHIP_CENTER,
    level=Level.TOWNSHIP,
    division_code=TOWN.code,
    parent_code=CENTER.code,
)
PARK_CENTER = OrgUnit(
    code="P0",
    name="高新区综合服务中心",
    kind=UnitKind.PARK_CENTER,
    level=Level.PARK,
    division_code=COUNTY.code,
    parent_code=CENTER.code,
)
WINDOW = Window(code="W1", unit_code="T0", name="1号窗", kind=WindowKind.COMPREHENSIVE)
CLERK = Staff(code="S1", unit_code="T0", role=Role.CLERK, window_code="W1")


def a_directory(
    *,
    divisions: tuple[Division, ...] = (CITY, COUNTY, TOWN, VILLAGE),
    units: tuple[OrgUnit, ...] = (CENTER, TOWN_CENTER, PARK_CENTER),
    windows: tuple[Window, ...] = (WINDOW,),
    staff: tuple[Staff, ...] = (CLERK,),
) -> Directory:
    return Directory(
        divisions={each.code: each for each in divisions},
        units={each.code: each for each in units},
        windows={each.code: each for each in windows},
        staff={each.code: each for each in staff},
    )


def messages(directory: Directory) -> list[str]:
    return [f"{fault.table} {fault.code} {fault.message}" for fault in directory.faults()]


def test_four_levels_and_a_park_centre_make_a_sound_directory() -> None:
    assert a_directory().faults() == ()


def test_the_tables_are_complete() -> None:
    assert set(PARENT_LEVELS) == set(Level)
    assert set(LEVELS_OF_KIND) == set(UnitKind)


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("above", Level)
def test_no_level_stands_under_a_lower_one(level: Level, above: Level) -> None:
    parent = replace(CENTER, code="A", kind=UnitKind.DEPARTMENT, level=above)
    child = replace(parent, code="B", level=level, parent_code="A")

    faults = a_directory(units=(parent, child), windows=(), staff=()).faults()

    refused = any("不能隶属于" in each.message for each in faults if each.code == "B")
    assert refused == (above not in PARENT_LEVELS[level])


@pytest.mark.parametrize("kind", UnitKind)
@pytest.mark.parametrize("level", Level)
def test_a_kind_of_unit_stands_only_at_its_levels(kind: UnitKind, level: Level) -> None:
    unit = replace(CENTER, kind=kind, level=level)

    faults = a_directory(units=(unit,), windows=(), staff=()).faults()

    refused = any("不能设在" in each.message for each in faults)
    assert refused == (level not in LEVELS_OF_KIND[kind])


@pytest.mark.parametrize(
    ("division", "word"),
    [
        pytest.param(replace(COUNTY, code="36098"), "6、9 或 12 位", id="五位代码"),
        pytest.param(
            replace(COUNTY, code="\uff13\uff16\uff10\uff19\uff18\uff13"),
            "6、9 或 12 位",
            id="全角数字",
        ),
        pytest.param(replace(COUNTY, parent_code="999999"), "上级 999999 不存在", id="上级不存在"),
        pytest.param(replace(COUNTY, parent_code=COUNTY.code), "成环", id="隶属于自己"),
        pytest.param(replace(COUNTY, level=Level.PARK), "园区不是行政区划", id="园区"),
    ],
)
def test_a_fault_of_a_division_is_named(division: Division, word: str) -> None:
    directory = a_directory(divisions=(CITY, division), units=(CENTER,), windows=(), staff=())

    assert any(word in each for each in messages(directory))


@pytest.mark.parametrize(
    ("unit", "word"),
    [
        pytest.param(replace(TOWN_CENTER, division_code="1"), "行政区划 1 不存在", id="区划不存在"),
        pytest.param(replace(TOWN_CENTER, division_code=COUNTY.code), "不一致", id="级别不一致"),
        pytest.param(replace(TOWN_CENTER, parent_code="X"), "上级 X 不存在", id="上级不存在"),
        pytest.param(replace(TOWN_CENTER, parent_code="OFF"), "上级机构 OFF 已停用", id="上级停用"),
    ],
)
def test_a_fault_of_a_unit_is_named(unit: OrgUnit, word: str) -> None:
    off = replace(CENTER, code="OFF", is_active=False)

    found = messages(a_directory(units=(CENTER, off, unit), windows=(), staff=()))

    assert [word in each for each in found] == [True]
    assert found[0].startswith("units T0 ")


def test_a_closed_unit_may_stand_under_a_closed_one() -> None:
    off = replace(CENTER, is_active=False)
    below = replace(TOWN_CENTER, is_active=False)

    assert a_directory(units=(off, below), windows=(), staff=()).faults() == ()


def test_a_cycle_is_a_fault_of_its_members_only() -> None:
    one = replace(CENTER, code="A", parent_code="B")
    two = replace(CENTER, code="B", parent_code="A")
    below = replace(CENTER, code="C", parent_code="A")

    found = messages(a_directory(units=(one, two, below), windows=(), staff=()))

    assert [each.split()[1] for each in found if "成环" in each] == ["A", "B"]


@pytest.mark.parametrize(
    ("window", "word"),
    [
        (replace(WINDOW, unit_code="X"), "机构 X 不存在"),
        (replace(WINDOW, unit_code="OFF"), "机构 OFF 已停用"),
    ],
)
def test_a_window_belongs_to_an_active_unit(window: Window, word: str) -> None:
    off = replace(CENTER, code="OFF", is_active=False)

    found = messages(a_directory(units=(off,), windows=(window,), staff=()))

    assert found == [f"windows W1 {word}"]
    assert (
        a_directory(
            units=(off,), windows=(replace(window, unit_code="OFF", is_active=False),), staff=()
        ).faults()
        == ()
    )


@pytest.mark.parametrize(
    ("staff", "word"),
    [
        (replace(CLERK, unit_code="X"), "机构 X 不存在"),
        (replace(CLERK, window_code="X"), "窗口 X 不存在"),
        (replace(CLERK, window_code="OFF"), "窗口 OFF 已停用"),
        (replace(CLERK, window_code="OFF", is_active=False), None),
        (replace(CLERK, window_code=None), None),
        (replace(CLERK, unit_code="C0"), None),  # 派驻：人员关系在部门，窗口在大厅
    ],
)
def test_staff_have_a_home_unit_and_perhaps_a_window(staff: Staff, word: str | None) -> None:
    off = replace(WINDOW, code="OFF", is_active=False)

    found = messages(a_directory(windows=(WINDOW, off), staff=(staff,)))

    assert found == ([] if word is None else [f"staff S1 {word}"])


@pytest.mark.parametrize("kind", WindowKind)
def test_applications_are_taken_at_comprehensive_and_department_windows(kind: WindowKind) -> None:
    taking = {WindowKind.COMPREHENSIVE, WindowKind.DEPARTMENT}

    assert replace(WINDOW, kind=kind).takes_applications == (kind in taking)


@given(st.lists(st.integers(-1, 9), min_size=10, max_size=10))
def test_cycles_are_found_exactly_where_they_are(parents: list[int]) -> None:
    units = tuple(
        replace(CENTER, code=str(place), parent_code=None if parent < 0 else str(parent))
        for place, parent in enumerate(parents)
    )

    found = a_directory(units=units, windows=(), staff=()).faults()

    # The oracle squares the relation "stands under" until nothing is added.
    under = {(a, b) for a, b in enumerate(parents) if b >= 0}
    while grown := {(a, d) for a, b in under for c, d in under if b == c} - under:
        under |= grown
    assert {each.code for each in found} == {str(a) for a, b in under if a == b}
