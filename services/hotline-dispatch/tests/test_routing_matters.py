import io
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tongban_common.db import Database
from tongban_common.service import Kit
from tongban_common.settings import ServiceSettings
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.importing import csv_cells
from tongban_hotline_dispatch.domain.matters import KnownCodes, MatterNotInForce, catalogue_of
from tongban_hotline_dispatch.main import SERVICE, commands_of
from tongban_hotline_dispatch.operations.matters import (
    Load,
    load_matters,
    matter_in_force,
    packaged_catalogue,
)
from tongban_hotline_dispatch.store.matters import CatalogueKnown

Run = Callable[..., tuple[int, str]]
MATTERS = "/hotline/v1/matters"
CATALOGUES = "/hotline/v1/matter-catalogues"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
FILE = """一级,二级,三级,关键词
环境保护,噪声污染,施工噪声,工地;打桩
环境保护,噪声污染,商业噪声,广场舞
城乡建设,市政管理,路灯,
城乡建设,市政管理,井盖,窨井
"""


@pytest.fixture
def run(settings: ServiceSettings, db: Database) -> Run:
    cli = commands_of(lambda _: settings)

    def invoke(*words: str) -> tuple[int, str]:
        answer = CliRunner().invoke(cli, list(words), env={"COLUMNS": "200"})
        return answer.exit_code, answer.stdout + answer.stderr

    return invoke


def a_load(content: str = FILE, starts: date = date(2026, 1, 1)) -> Load:
    return Load(content=content.encode(), source="目录.csv", effective_from=starts, actor="a-1")


async def loaded(db: Database, load: Load) -> int:
    async with db.transaction() as tx:
        return (await load_matters(tx, load=load, now=NOW)).version


async def names(who: Client, **query: object) -> list[str]:
    answer = await who.get(MATTERS, params=query)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return [each["name"] for each in answer.json()["items"]]


async def test_the_catalogue_is_walked_down_searched_and_paged(hub: Client, db: Database) -> None:
    await loaded(db, a_load())

    assert await names(hub, parent="") == ["环境保护", "城乡建设"]
    assert await names(hub, parent="01001") == ["施工噪声", "商业噪声"]
    assert await names(hub, prefix="02", leaf=True) == ["路灯", "井盖"]
    assert await names(hub, q="噪声 广场舞") == ["商业噪声"]
    assert await names(hub, q="100%_") == []
    one = (await hub.get(f"{MATTERS}/02001002")).json()
    assert one == {
        "code": "02001002",
        "name": "井盖",
        "path": ["城乡建设", "市政管理", "井盖"],
        "parent_code": "02001",
        "level": 3,
        "is_leaf": True,
        "keywords": ["窨井"],
    }
    first = (await hub.get(MATTERS, params={"limit": 3})).json()
    rest = (await hub.get(MATTERS, params={"limit": 10, "cursor": first["next"]})).json()
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (3, 5, None)


async def test_the_version_in_force_is_the_latest_that_has_begun(hub: Client, db: Database) -> None:
    await loaded(db, a_load())
    later = FILE.replace("路灯", "照明")
    await loaded(db, a_load(later, date(2026, 10, 1)))

    assert "路灯" in await names(hub, leaf=True)
    assert "照明" in await names(hub, leaf=True, on="2026-10-01")
    assert (await hub.get(f"{MATTERS}/02001003")).status_code == 404
    assert (await hub.get(f"{MATTERS}/02001003", params={"on": "2026-10-01"})).json()["name"] == (
        "照明"
    )
    told = (await hub.get(CATALOGUES)).json()
    assert [(each["version"], each["effective_from"], each["leaves"]) for each in told] == [
        (1, "2026-01-01", 4),
        (2, "2026-10-01", 4),
    ]


async def test_a_ticket_may_name_only_a_matter_in_force(db: Database) -> None:
    async with db.transaction() as tx:
        free = await matter_in_force(tx, code="anything", on=date(2026, 1, 1))
    await loaded(db, a_load())

    async with db.transaction() as tx:
        found = await matter_in_force(tx, code="02001001", on=date(2026, 1, 1))
        none = await matter_in_force(tx, code=None, on=date(2026, 1, 1))
        before = await matter_in_force(tx, code="02001001", on=date(2025, 12, 31))
        with pytest.raises(MatterNotInForce):
            await matter_in_force(tx, code="999", on=date(2026, 1, 1))

    assert (free, none, before) == (None, None, None)
    assert found is not None
    assert found.full_name == "城乡建设/市政管理/路灯"


async def test_the_same_file_from_the_same_day_is_not_taken_twice(db: Database) -> None:
    await loaded(db, a_load())

    with pytest.raises(CatalogueKnown):
        await loaded(db, a_load())

    assert await loaded(db, a_load(starts=date(2026, 6, 1))) == 2


async def test_a_catalogue_is_loaded_over_http_by_those_who_may(
    hub: Client, client: Client, clock: Clock
) -> None:
    upload = {"file": ("目录.csv", io.BytesIO(FILE.encode("gbk")), "text/csv")}
    keeper = client.as_("supervisor", subject="s-1")

    refused = await hub.post(CATALOGUES, files={"file": ("目录.csv", FILE.encode())})
    made = await keeper.post(CATALOGUES, files=upload, data={"effective_from": "2026-09-01"})
    again = await keeper.post(CATALOGUES, files={"file": ("目录.csv", b"\xe4\xb8\x80,\n")})

    assert refused.status_code == 403
    assert made.status_code == 201, made.text
    assert made.json()["effective_from"] == "2026-09-01"
    assert (again.status_code, again.json()["code"]) == (400, "import.bad_file")
    assert await names(hub, q="路灯") == ["路灯"]


def test_a_file_is_loaded_and_listed_from_the_command_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "目录.csv"
    file.write_text(FILE, encoding="utf-8-sig")

    code, said = run("matters", "load", str(file), "--from", "2026-01-01")
    listed = run("matters", "list")

    assert code == 0
    assert said.startswith("事项目录第1版：8个事项，其中末级4个，2026-01-01起施行\n")
    assert "2026-01-01" in listed[1]


def a_big_file() -> str:
    """5,000 leaves in four levels; 6,220 matters with their headings."""
    rows = [
        f"类{a},类{a}项{b},类{a}项{b}目{c},细目{d}"
        for a in range(20)
        for b in range(10)
        for c in range(5)
        for d in range(5)
    ]
    return "\n".join(["level1,level2,level3,level4", *rows])


def test_five_thousand_leaves_in_four_levels_are_one_load(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "large.csv"
    file.write_text(a_big_file(), encoding="utf-8")

    code, said = run("matters", "load", str(file), "--from", "2026-01-01")

    assert code == 0, said
    assert "large.csv" in said
    assert "100%" in said
    assert "6220个事项，其中末级5000个" in said


async def test_a_load_tells_how_far_it_is(db: Database) -> None:
    told: list[tuple[int, int]] = []

    async with db.transaction() as tx:
        await load_matters(
            tx,
            load=a_load(a_big_file()),
            now=NOW,
            progress=lambda done, total: told.append((done, total)),
        )

    assert told[0] == (1000, 6220)
    assert told[-1] == (6220, 6220)
    assert len(told) == 7


async def test_a_new_database_has_a_catalogue_and_a_city_s_own_is_left_alone(
    hub: Client, kit: Kit, db: Database
) -> None:
    await SERVICE.furnish(kit)
    await SERVICE.furnish(kit)

    packaged = (await hub.get(CATALOGUES)).json()
    assert [each["version"] for each in packaged] == [1]
    assert await names(hub, parent="", on="2010-01-01")

    await loaded(db, a_load())
    await SERVICE.furnish(kit)

    assert await names(hub, parent="") == ["环境保护", "城乡建设"]
    assert len((await hub.get(CATALOGUES)).json()) == 2


def test_the_packaged_catalogue_is_four_levels_with_words_for_every_leaf() -> None:
    matters = catalogue_of(csv_cells(packaged_catalogue()), KnownCodes())

    leaves = [each for each in matters if each.is_leaf]
    assert len(leaves) >= 80
    assert {len(each.path) for each in leaves} == {4}
    assert all(each.keywords for each in leaves)
    assert len({each.name for each in leaves}) == len(leaves)


def test_bad_rows_of_a_catalogue_are_named_by_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "目录.csv"
    file.write_text(FILE + "环境保护,,飞来的三级,\n环境保护,噪声污染,施工噪声,\n")

    code, said = run("matters", "load", str(file))

    assert code == 1
    assert "第6行：上级为空而下级不空" in said
    assert "第7行：与第2行重复：环境保护/噪声污染/施工噪声" in said
    assert "（空）" not in said
