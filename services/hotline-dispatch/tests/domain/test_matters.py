import pytest

from tongban_hotline_dispatch.domain.importing import BadFile
from tongban_hotline_dispatch.domain.matters import (
    BadCatalogue,
    KnownCodes,
    Matter,
    catalogue_of,
)

HEADINGS = ["一级", "二级", "三级"]


def made(*rows: list[str], known: KnownCodes | None = None) -> dict[str, Matter]:
    matters = catalogue_of([HEADINGS, *rows], known or KnownCodes())
    return {matter.full_name: matter for matter in matters}


def test_headings_are_made_of_the_paths_below_them_and_come_first() -> None:
    found = made(["环保", "噪声", "施工噪声"], ["环保", "噪声", "商业噪声"], ["民政", "", ""])

    assert list(found) == ["环保", "环保/噪声", "环保/噪声/施工噪声", "环保/噪声/商业噪声", "民政"]
    assert [each.is_leaf for each in found.values()] == [False, False, True, True, True]
    assert [each.code for each in found.values()] == ["01", "01001", "01001001", "01001002", "02"]
    assert found["环保/噪声/商业噪声"].parent_code == "01001"
    assert found["环保"].parent_code is None


def test_a_path_keeps_its_code_and_a_dropped_code_is_never_given_again() -> None:
    first = made(["环保", "噪声", ""], ["环保", "废气", ""])
    known = KnownCodes(
        by_path={each.path: each.code for each in first.values()},
        given=frozenset(each.code for each in first.values()),
    )

    second = made(["民政", "", ""], ["环保", "固废", ""], ["环保", "废气", ""], known=known)

    assert second["环保/废气"].code == first["环保/废气"].code == "01002"
    assert second["环保/固废"].code == "01003"
    assert second["民政"].code == "02"


def test_codes_and_keywords_of_the_file_stand() -> None:
    rows = [
        ["一级", "二级", "事项编码", "关键词"],
        ["城管", "", "CG", ""],
        ["城管", "路灯", "CG-07", "路灯；不亮, 灯杆"],
        ["城管", "井盖", "", "窨井"],
    ]

    found = {each.full_name: each for each in catalogue_of(rows, KnownCodes())}

    assert found["城管/路灯"].code == "CG-07"
    assert found["城管/路灯"].keywords == ("路灯", "不亮", "灯杆")
    assert found["城管/井盖"].code == "CG001"


def test_every_bad_row_is_named_and_nothing_is_taken() -> None:
    rows = [
        [*HEADINGS, "事项编码"],
        ["环保", "噪声", "", "A1"],
        ["环保", "", "噪声", ""],
        ["环保", "噪声", "", ""],
        ["", "", "", "A9"],
        ["民政", "长" * 201, "", ""],
        ["城管", "路灯", "", "编码"],
        ["城管", "井盖", "", "A1"],
        ["城管", "路/桥", "", ""],
        ["城管", "a\x00b", "", ""],
    ]

    with pytest.raises(BadCatalogue) as refused:
        catalogue_of(rows, KnownCodes())

    assert refused.value.message.splitlines() == [
        "第3行：上级为空而下级不空",
        "第4行：与第2行重复：环保/噪声",
        "第5行：一级为空",
        "第6行：二级超过200字",
        "第7行：事项编码应为1至40位字母、数字、点或连字符",
        "第8行：事项编码与第2行重复",
        "第9行：名称不得含有“/”",
        "第10行：二级含有换行或不可见字符",
    ]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "文件是空的"),
        ([HEADINGS], "没有数据行"),
        ([["二级"], ["噪声"]], "文件缺少列：一级"),
        ([["一级", "level1"], ["环保", "环保"]], "重复的列：一级"),
    ],
    ids=["空文件", "只有表头", "没有一级", "列重复"],
)
def test_a_file_that_is_no_catalogue_is_refused_whole(rows: list[list[str]], said: str) -> None:
    with pytest.raises(BadFile, match=said):
        catalogue_of(rows, KnownCodes())


def test_four_levels_and_five_thousand_leaves_are_taken() -> None:
    rows = [
        [f"类{a}", f"项{b}", f"目{c}", f"细目{d}"]
        for a in range(20)
        for b in range(10)
        for c in range(5)
        for d in range(5)
    ]

    matters = catalogue_of([["一级", "二级", "三级", "四级"], *rows], KnownCodes())

    assert sum(each.is_leaf for each in matters) == 5000
    assert len({each.code for each in matters}) == len(matters) == 20 + 200 + 1000 + 5000
