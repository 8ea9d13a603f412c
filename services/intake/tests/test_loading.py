"""Loading the directory and the catalogue: all or nothing, every fault named, only changes told."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from tongban_common.db import Database
from tongban_common.errors import Refusal
from tongban_common.testing import Clock
from tongban_intake import operations
from tongban_intake.events import ItemChanged, StaffChanged, UnitChanged, WindowChanged
from tongban_intake.operations import (
    Document,
    DocumentTooLarge,
    FaultyDocument,
    Loaded,
    UnreadableDocument,
)
from tongban_intake.store import item, unit

Announced = Callable[..., Awaitable[list[dict[str, Any]]]]
Documents = Callable[[str], Document]
Load = Callable[[Document], Awaitable[Loaded]]

FOOD = "114401134554137174444TC12049000"
CATALOGUE = (
    "code,version,name,type,unit_code,case_kind,promise_amount,legal_amount,published_on,"
    "cancelled_on\n"
)


@pytest.fixture
def load_directory(db: Database, clock: Clock) -> Load:
    async def load(document: Document) -> Loaded:
        async with db.transaction() as tx:
            return await operations.load_directory(tx, document=document, now=clock.now)

    return load


@pytest.fixture
def load_catalogue(db: Database, clock: Clock) -> Load:
    async def load(document: Document) -> Loaded:
        async with db.transaction() as tx:
            return await operations.load_catalogue(tx, document=document, now=clock.now)

    return load


def a_yaml(text: str | bytes) -> Document:
    content = text if isinstance(text, bytes) else text.encode()
    return Document(name="一份.yaml", content=content)


def a_csv(text: str | bytes) -> Document:
    content = text if isinstance(text, bytes) else text.encode()
    return Document(name="一份.csv", content=content)


def a_row(**changed: str) -> str:
    row = {
        "code": FOOD,
        "version": "2",
        "name": "食品经营许可",
        "type": "01",
        "unit_code": "GA-MARKET",
        "case_kind": "promised",
        "promise_amount": "4",
        "legal_amount": "20",
        "published_on": "2026-09-21",
        "cancelled_on": "",
        **changed,
    }
    return ",".join(row.values()) + "\n"


async def test_a_directory_is_loaded_and_announced_without_names_of_persons(
    documents: Documents, load_directory: Load, announced: Announced
) -> None:
    loaded = await load_directory(documents("directory.yaml"))

    assert loaded.changed == {"divisions": 4, "units": 6, "windows": 4, "staff": 2}
    units = {each["unit_code"]: each for each in await announced(UnitChanged)}
    assert units["GX-PARK"] == {
        "unit_code": "GX-PARK",
        "name": "高新区综合服务中心",
        "kind": "park_center",
        "level": "park",
        "parent_code": "GA-CENTER",
        "division_code": "360983",
        "is_active": True,
    }
    assert len(await announced(WindowChanged)) == 4
    assert {
        "staff_code": "S-001",
        "unit_code": "GA-MARKET",
        "window_code": "GA-01",
        "role": "clerk",
        "is_active": True,
    } in await announced(StaffChanged)


async def test_the_same_document_again_changes_and_announces_nothing(
    documents: Documents, load_directory: Load, load_catalogue: Load, announced: Announced
) -> None:
    kinds = (UnitChanged, WindowChanged, StaffChanged, ItemChanged)
    for _ in range(2):
        directory = await load_directory(documents("directory.yaml"))
        catalogue = await load_catalogue(documents("catalogue.csv"))
        events = len(await announced(*kinds))

    assert (set(directory.changed.values()), directory.unchanged) == ({0}, 16)
    assert (catalogue.changed, catalogue.unchanged) == ({"items": 0}, 5)
    assert events == 6 + 4 + 2 + 5


async def test_only_what_changed_is_announced_and_the_rest_stays(
    city: None, db: Database, load_directory: Load, announced: Announced
) -> None:
    before = len(await announced(UnitChanged, WindowChanged))
    renamed = a_csv(
        "table,code,unit_code,name,kind,level,division_code,parent_code\n"
        "windows,GA-01,GA-CENTER,综合受理一窗,comprehensive,,,\n"
        "units,GL-POINT,,古楼村便民服务站,village_point,village,360983100201,DC-CENTER\n"
    )

    loaded = await load_directory(renamed)

    assert loaded.unchanged == 1
    events = await announced(UnitChanged, WindowChanged)
    assert [each["name"] for each in events[before:]] == ["综合受理一窗"]
    async with db.reading() as connection:
        assert (await connection.execute(select(func.count()).select_from(unit))).scalar() == 6


async def test_parent_and_child_may_come_in_any_order(load_directory: Load) -> None:
    loaded = await load_directory(
        a_csv(
            "table,code,name,level,parent_code\n"
            "divisions,360983,高安市,county,360900\n"
            "divisions,360900,宜春市,city,\n"
        )
    )

    assert loaded.changed["divisions"] == 2


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        pytest.param(
            "divisions:\n  - {code: '360900', level: city}\n  - {code: '36', name: x, level: 省}\n",
            ["第 2 行 divisions[0] name：缺少必填项", "第 3 行 divisions[1] level：应为"],
            id="字段有误，各行都报",
        ),
        pytest.param(
            "units:\n  - {code: A, name: x, kind: center, level: city, division_code: '1'}\n",
            ["第 2 行 units[0] A：行政区划 1 不存在"],
            id="行政区划不存在",
        ),
        pytest.param(
            "windows:\n  - {code: A, unit_code: Z, name: x, kind: consult}\n"
            "staff:\n  - {code: B, unit_code: Z, role: clerk, window_code: A}\n",
            ["第 2 行 windows[0] A：机构 Z 不存在", "第 4 行 staff[0] B：机构 Z 不存在"],
            id="机构不存在",
        ),
        pytest.param(
            "divisions:\n"
            "  - {code: '360900', name: x, level: city, parent_code: '360901'}\n"
            "  - {code: '360901', name: y, level: city, parent_code: '360900'}\n",
            ["第 2 行 divisions[0] 360900：上级关系成环", "第 3 行 divisions[1] 360901："],
            id="上级关系成环",
        ),
        pytest.param(
            "divisions:\n  - {code: '360900', name: x, level: city}\n"
            "  - {code: '360900', name: y, level: city}\n",
            ["第 3 行 divisions[1] 360900：与第 2 行 divisions[0]的编码重复"],
            id="编码重复",
        ),
        pytest.param("people:\n  - {code: A}\n", ["第 1 行 不认识的部分"], id="不认识的部分"),
        pytest.param("units: x\n", ["第 1 行 units 应为列表"], id="不是列表"),
        pytest.param("units:\n  - [a]\n", ["第 2 行 units[0] 应为“字段：值”"], id="不是对照"),
        pytest.param(
            "units:\n  - {code: {a: b}}\n", ["第 2 行 units[0] 应为“字段：值”"], id="分层的值"
        ),
        pytest.param(
            "units:\n  - {code: A, secret: x}\n", ["secret：不认识的字段"], id="不认识的字段"
        ),
        pytest.param(
            "divisions:\n  - {code: '360900', name: '" + "长" * 10_001 + "', level: city}\n",
            ["第 2 行 divisions[0] 有一项超过 10000 字"],
            id="内容过长",
        ),
    ],
)
async def test_every_fault_of_a_directory_is_named_with_its_line(
    db: Database, load_directory: Load, text: str, faults: list[str]
) -> None:
    with pytest.raises(FaultyDocument) as refusal:
        await load_directory(a_yaml(text))

    for fault in faults:
        assert any(fault in each for each in refusal.value.faults), refusal.value.faults
    async with db.reading() as connection:
        assert (await connection.execute(select(unit.c.code))).all() == []


async def test_closing_a_unit_whose_windows_are_open_is_a_fault_of_what_is_stored(
    city: None, load_directory: Load
) -> None:
    closing = a_csv(
        "table,code,name,kind,level,division_code,parent_code,is_active\n"
        "units,DC-CENTER,x,township_center,township,360983100,GA-CENTER,false\n"
    )

    with pytest.raises(FaultyDocument) as refusal:
        await load_directory(closing)

    assert set(refusal.value.faults) == {
        "库中 GL-POINT：上级机构 DC-CENTER 已停用",
        "库中 DC-01：机构 DC-CENTER 已停用",
    }


@pytest.mark.parametrize(
    ("document", "refusal"),
    [
        pytest.param(a_yaml(""), UnreadableDocument, id="空文件"),
        pytest.param(a_csv(""), UnreadableDocument, id="空表"),
        pytest.param(a_csv("table,code\n"), UnreadableDocument, id="只有表头"),
        pytest.param(a_yaml("a: [b\n"), UnreadableDocument, id="不是 YAML"),
        pytest.param(a_yaml("[" * 5000), UnreadableDocument, id="层层嵌套"),
        pytest.param(a_yaml("- a\n"), UnreadableDocument, id="不是对照"),
        pytest.param(a_yaml("units: \x07\n"), UnreadableDocument, id="控制字符"),
        pytest.param(a_csv('table,code\n"x"y,1\n'), UnreadableDocument, id="不是 CSV"),
        pytest.param(a_csv("table\n" + "x" * (10 << 20)), UnreadableDocument, id="10 MB 的一格"),
        pytest.param(a_csv("table,code\nunits,\x00\n"), UnreadableDocument, id="空字符"),
        pytest.param(a_csv("name\n高安市\n".encode("gbk")), UnreadableDocument, id="GBK"),
        pytest.param(a_yaml("units: 高安".encode("utf-16")), UnreadableDocument, id="UTF-16"),
        pytest.param(Document(name="a.xlsx", content=b"PK"), UnreadableDocument, id="XLSX"),
        pytest.param(Document(name="", content=b"x"), UnreadableDocument, id="没有文件名"),
        pytest.param(a_csv(b"x" * ((16 << 20) + 1)), DocumentTooLarge, id="超过 16 MB"),
        pytest.param(a_csv("table,code\npeople,1\n"), FaultyDocument, id="不认识的表"),
        pytest.param(a_csv("table,code\nunits,1,2\n"), FaultyDocument, id="列多于表头"),
    ],
)
async def test_what_cannot_be_read_is_refused(
    load_directory: Load, document: Document, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        await load_directory(document)


async def test_a_wrong_encoding_is_named_with_its_line(load_directory: Load) -> None:
    with pytest.raises(UnreadableDocument, match="第 2 行不是 UTF-8 编码（可能是 GBK）"):
        await load_directory(a_csv(b"table,name\n" + "units,高安市".encode("gbk")))


async def test_a_byte_order_mark_is_no_part_of_the_first_column(load_directory: Load) -> None:
    text = "table,code,name,level\ndivisions,360900,宜春市,city\n"

    assert (await load_directory(a_csv(text.encode("utf-8-sig")))).changed["divisions"] == 1


async def test_a_catalogue_announces_what_may_be_applied_for_today(
    city: None, announced: Announced
) -> None:
    events = {each["item_code"]: each for each in await announced(ItemChanged)}

    assert events[FOOD] == {
        "item_code": FOOD,
        "version": 1,
        "name": "食品经营许可",
        "unit_code": "GA-MARKET",
        "case_kind": "promised",
        "is_active": True,
    }
    active = {each["name"] for each in events.values() if each["is_active"]}
    assert active == {"食品经营许可", "营业执照遗失补领"}


async def test_a_later_load_announces_what_the_days_opened(
    city: None, clock: Clock, documents: Documents, load_catalogue: Load, announced: Announced
) -> None:
    before = len(await announced(ItemChanged))
    clock.forward(days=30)

    loaded = await load_catalogue(documents("catalogue.csv"))

    assert loaded.changed == {"items": 0}
    (opened,) = (await announced(ItemChanged))[before:]
    assert (opened["name"], opened["is_active"]) == ("药店设立登记", True)


async def test_a_new_version_replaces_the_old_from_its_day(
    city: None, db: Database, load_catalogue: Load, announced: Announced
) -> None:
    await load_catalogue(a_csv(CATALOGUE + a_row()))

    assert (await announced(ItemChanged))[-1]["version"] == 2
    async with db.reading() as connection:
        rows = await connection.execute(select(item.c.version).where(item.c.code == FOOD))
        assert {row.version for row in rows} == {1, 2}


async def test_a_version_may_be_cancelled_but_not_rewritten(
    city: None, load_catalogue: Load, announced: Announced
) -> None:
    await load_catalogue(a_csv(CATALOGUE + a_row()))

    await load_catalogue(a_csv(CATALOGUE + a_row(cancelled_on="2026-09-21")))
    assert (await announced(ItemChanged))[-1]["is_active"] is False
    with pytest.raises(FaultyDocument, match="变更要素应增加版本号"):
        await load_catalogue(a_csv(CATALOGUE + a_row(promise_amount="3")))


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        pytest.param(a_row(code="X"), "第 2 行 X：实施编码应为 31 位", id="编码位数"),
        pytest.param(
            a_row(code="114401134554137175444TC12049000"), "校验码不符", id="信用代码校验"
        ),
        pytest.param(a_row(promise_amount="21"), "承诺时限不得长于法定时限", id="承诺长于法定"),
        pytest.param(a_row(promise_amount="0"), "承诺时限应为正数", id="零日"),
        pytest.param(a_row(promise_amount="五"), "promise_amount：应为整数", id="不是数"),
        pytest.param(a_row(promise_amount="99999"), "promise_amount：取值不合要求", id="过大"),
        pytest.param(a_row(published_on="去年"), "published_on：应为日期", id="不是日期"),
        pytest.param(a_row(type="99"), "type：应为", id="不认识的事项类型"),
        pytest.param(a_row(unit_code="NONE"), "机构 NONE 不存在", id="机构不存在"),
        pytest.param(a_row() + a_row(), "第 3 行 " + FOOD + "：与第 2 行是同一事项", id="重复"),
        pytest.param(a_row(version="0"), "version：取值不合要求", id="版本号"),
    ],
)
async def test_every_fault_of_a_catalogue_is_named_with_its_line(
    city: None, load_catalogue: Load, row: str, fault: str
) -> None:
    with pytest.raises(FaultyDocument) as refusal:
        await load_catalogue(a_csv(CATALOGUE + row))

    assert any(fault in each for each in refusal.value.faults), refusal.value.faults


async def test_a_version_below_the_stored_ones_is_refused(city: None, load_catalogue: Load) -> None:
    await load_catalogue(a_csv(CATALOGUE + a_row(version="5")))

    with pytest.raises(FaultyDocument, match="版本号应大于已有的第 5 版"):
        await load_catalogue(a_csv(CATALOGUE + a_row(version="3")))


async def test_the_examples_of_the_readme_can_be_loaded(
    load_directory: Load, load_catalogue: Load
) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"```(yaml|csv)\n(.*?)```", readme, re.DOTALL))

    directory = await load_directory(a_yaml(blocks["yaml"]))
    catalogue = await load_catalogue(a_csv(blocks["csv"]))

    assert directory.changed == {"divisions": 2, "units": 1, "windows": 1, "staff": 1}
    assert catalogue.changed == {"items": 1}


async def test_a_catalogue_in_yaml_is_the_same(
    city: None, load_catalogue: Load, clock: Clock
) -> None:
    clock.now += timedelta(seconds=1)
    document = a_yaml(
        "items:\n"
        "  - code: 114401134554137174444TC12049000\n"
        "    version: 2\n"
        "    name: 食品经营许可\n"
        "    type: 01\n"
        "    unit_code: GA-MARKET\n"
        "    case_kind: promised\n"
        "    legal_amount: null\n"
        "    promise_amount: 3\n"
    )

    assert (await load_catalogue(document)).changed == {"items": 1}
