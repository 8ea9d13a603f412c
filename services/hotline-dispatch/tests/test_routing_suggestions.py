import asyncio
import csv
import gzip
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from tongban_common.clock import utc_now
from tongban_common.db import Database
from tongban_common.policies import BadPolicy, packaged_text
from tongban_common.service import Kit
from tongban_common.settings import ServiceSettings
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.classifier import Message
from tongban_hotline_dispatch.domain.corpus import Corpus
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.main import commands_of
from tongban_hotline_dispatch.operations.dispatching import load_dispatch_rules
from tongban_hotline_dispatch.operations.fitting import Recipe
from tongban_hotline_dispatch.operations.matters import Load, load_matters
from tongban_hotline_dispatch.operations.redaction import without_persons
from tongban_hotline_dispatch.operations.segmenting import dictionary_segment
from tongban_hotline_dispatch.operations.training import Trained, train
from tongban_hotline_dispatch.store import routing_decision, ticket
from tongban_hotline_dispatch.store.models import ModelFolder
from tongban_hotline_dispatch.store.reference import Unit, Units
from tongban_hotline_dispatch.store.routing import ROUTING

Filed = Callable[..., Awaitable[Ticket]]
SUGGESTIONS = "/hotline/v1/suggestions"
TICKETS = "/hotline/v1/tickets"
DISPATCH = "/hotline/v1/dispatch-catalogues"
FIGURES = "/hotline/v1/routing-figures"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
MATTERS = """一级,二级,三级,关键词
环境保护,噪声污染,施工噪声,工地
城乡建设,市政管理,路灯,照明
城乡建设,市政管理,井盖,窨井
"""
RULES = """一级,地点,关键词,承办单位编码,依据
城乡建设,,,A7,三定方案第二条
,,爆管,A3,应急预案
,A3区,,A3,属地
"""
SAID = {
    "城乡建设": "路灯 井盖 道路 施工 小区 绿化 违章建筑 物业 电梯 公园",
    "环境保护": "噪声 油烟 污水 排放 扬尘 垃圾 焚烧 废气 臭味 污染",
}


@pytest.fixture(autouse=True)
def models(kit: Kit, tmp_path: Path) -> ModelFolder:
    """A folder of its own, so that no test finds what somebody trained."""
    kit.settings = kit.settings.model_copy(update={"models": tmp_path / "models"})
    return ModelFolder(tmp_path / "models")


@pytest.fixture
async def catalogues(db: Database) -> None:
    async with db.transaction() as tx:
        await load_matters(tx, load=a_load(MATTERS), now=NOW)
        await load_dispatch_rules(tx, load=a_load(RULES), now=NOW)


@pytest.fixture(scope="module")
def trained() -> Trained:
    drawn = [(label, word) for label, words in SAID.items() for word in words.split()] * 4
    messages = [
        Message(word, f"市民反映{word}的问题，第{at % 7}次") for at, (_, word) in enumerate(drawn)
    ]
    corpus = Corpus(label="level1", messages=messages, labels=[label for label, _ in drawn])
    return train(corpus, segment=dictionary_segment(), recipe=Recipe(folds=2))


def a_load(content: str) -> Load:
    return Load(
        content=content.encode(), source="f.csv", effective_from=date(2026, 1, 1), actor="a-1"
    )


def kept(models: ModelFolder, trained: Trained, label: str = "level1") -> None:
    facts = {**trained.facts(), "trained_at": utc_now()}
    models.keep(label, trained.classifier, facts, frozenset())


async def suggested(who: Client, **asked: str) -> dict[str, Any]:
    answer = await who.post(SUGGESTIONS, json=asked)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_message_gets_category_matter_and_unit_with_the_words_that_decided(
    hub: Client, catalogues: None, models: ModelFolder, trained: Trained
) -> None:
    kept(models, trained)

    told = await suggested(hub, title="路灯不亮", content="小区门口路灯三天不亮，电话13812345678")

    assert told["categories"][0]["label"] == "城乡建设"
    assert told["categories"][0]["confidence"] > 0.5
    assert "路灯" in told["categories"][0]["words"]
    assert told["matters"][0]["name"] == "城乡建设/市政管理/路灯"
    assert told["units"][0] == {
        "code": "A7",
        "name": "A7政府",
        "confidence": told["units"][0]["confidence"],
        "words": told["units"][0]["words"],
        "source": "dispatch_catalogue",
        "basis": "三定方案第二条",
    }
    assert told["made_with"] == {
        "level1": "level1@1",
        "matter_catalogue": "1",
        "dispatch_catalogue": "1",
    }


async def test_the_dispatch_catalogue_s_words_come_before_the_model(
    hub: Client, catalogues: None, models: ModelFolder, trained: Trained
) -> None:
    kept(models, trained)

    told = await suggested(hub, title="路灯下面爆管", content="水流满地")

    assert [each["code"] for each in told["units"]] == ["A3", "A7"]
    assert told["units"][0]["confidence"] == 0.9
    assert told["units"][0]["words"] == ["爆管"]


async def test_without_a_model_and_without_catalogues_nothing_is_made_up(hub: Client) -> None:
    told = await suggested(hub, title="路灯不亮", content="三天了")

    assert (told["categories"], told["matters"], told["units"]) == ([], [], [])
    assert told["made_with"] == {}


async def test_only_the_place_given_leads_to_its_government(hub: Client, catalogues: None) -> None:
    told = await suggested(hub, content="你好", place="A3区")

    assert [(each["code"], each["confidence"]) for each in told["units"]] == [("A3", 0.5)]


async def test_a_unit_that_was_closed_is_not_proposed(
    hub: Client, catalogues: None, db: Database
) -> None:
    async with db.transaction() as tx:
        await Units(tx).keep(Unit(code="A3", name="A3政府", level="county", is_active=False))

    assert (await suggested(hub, content="你好", place="A3区"))["units"] == []


@pytest.mark.parametrize(
    "asked",
    [
        {"title": "", "content": ""},
        {"title": "\t", "content": "\r\n\u200b"},
        {"title": "<script>alert(1)</script>", "content": "=cmd|' /C calc'!A0"},
        {"title": "🙂" * 200, "content": "𠮷" * 1000},
        {"title": "路" * 200, "content": "灯" * 20_000},
    ],
    ids=["空", "空白", "网页和公式", "表情", "很长"],
)
async def test_any_text_is_answered(
    hub: Client,
    catalogues: None,
    models: ModelFolder,
    trained: Trained,
    asked: dict[str, str],
) -> None:
    kept(models, trained)

    await suggested(hub, **asked)


async def test_a_text_that_no_database_could_hold_is_refused_in_words(
    hub: Client, catalogues: None
) -> None:
    for text in (rb"\ud800", rb"a\u0000b"):
        answer = await hub.post(
            SUGGESTIONS,
            content=b'{"title": "' + text + b'"}',
            headers={"content-type": "application/json"},
        )
        assert answer.status_code in {400, 422}, answer.text


async def test_a_damaged_model_is_done_without(
    hub: Client, catalogues: None, models: ModelFolder, trained: Trained
) -> None:
    kept(models, trained)
    (models.folder / "level1" / "v0001.model.gz").write_bytes(b"nothing")

    told = await suggested(hub, title="路灯不亮")

    assert told["categories"] == []
    assert told["matters"][0]["source"] == "matter_catalogue"


async def decided(who: Client, ticket: Ticket, **chosen: object) -> dict[str, Any]:
    answer = await who.post(f"{TICKETS}/{ticket.id}/routing-decision", json=chosen)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_what_a_person_chose_is_kept_beside_what_was_proposed(
    hub: Client, client: Client, catalogues: None, filed: Filed, clock: Clock
) -> None:
    ticket = await filed(clock.now)
    receipt = (await suggested(hub, title="路灯不亮"))["receipt"]

    confirmed = await decided(hub, ticket, matter_code="02001001", unit_code="A7", receipt=receipt)
    corrected = await decided(hub, ticket, matter_code="02001002", receipt=receipt)
    alone = await decided(hub, ticket, unit_code="A3")

    assert (confirmed["is_correction"], corrected["is_correction"]) == (False, True)
    assert confirmed["source"] == "matter_catalogue"
    assert (alone["is_correction"], alone["source"]) == (None, None)
    figures = (await client.as_("supervisor").get(FIGURES)).json()
    assert figures == [{"source": "matter_catalogue", "decided": 2, "confirmed": 1, "share": 0.5}]


async def test_a_matter_below_the_one_proposed_corrects_nothing(
    hub: Client,
    catalogues: None,
    filed: Filed,
    models: ModelFolder,
    trained: Trained,
    clock: Clock,
) -> None:
    kept(models, trained)
    ticket = await filed(clock.now)
    told = await suggested(hub, title="物业电梯", content="绿化公园")

    made = await decided(hub, ticket, matter_code="02001001", receipt=told["receipt"])

    assert told["matters"][0]["code"] == "02"
    assert made["is_correction"] is False


async def test_what_cannot_be_chosen_is_refused(
    hub: Client, officer: Client, catalogues: None, filed: Filed, clock: Clock
) -> None:
    ticket = await filed(clock.now)
    receipt = (await suggested(hub, title="路灯"))["receipt"]
    path = f"{TICKETS}/{ticket.id}/routing-decision"

    async def refused(**chosen: object) -> tuple[int, str]:
        answer = await hub.post(path, json=chosen)
        return answer.status_code, answer.json()["code"]

    assert await refused(matter_code="99") == (422, "matter.not_in_force")
    assert await refused(unit_code="A9") == (422, "unit.not_found")
    assert await refused() == (422, "routing.nothing_chosen")
    assert await refused(unit_code="A3", receipt=receipt[:-2]) == (422, "routing.bad_suggestion")
    clock.forward(hours=25)
    assert await refused(unit_code="A3", receipt=receipt) == (422, "routing.bad_suggestion")
    nobody = await hub.post(f"{TICKETS}/{UUID(int=7)}/routing-decision", json={"unit_code": "A3"})
    assert nobody.status_code == 404
    assert (await officer.post(path, json={"unit_code": "A3"})).status_code == 403
    assert (await officer.post(SUGGESTIONS, json={"title": "路灯"})).status_code == 403


async def test_nothing_that_names_a_person_is_kept_to_learn_from(
    hub: Client, kit: Kit, db: Database, clock: Clock
) -> None:
    person = {"name": "欧阳修文", "phone": "13812345678"}
    body = {
        "channel": "phone",
        "appeal_type": "help",
        "title": "欧阳修文反映路灯不亮",
        "content": "我叫欧阳修文，身份证520402199001011234，联系人：王小明，请尽快。",
        "person": person,
    }
    made = (await hub.post(TICKETS, json=body)).json()
    path = f"{TICKETS}/{made['id']}/routing-decision"

    await hub.post(path, json={"unit_code": "A3"})

    async with db.reading() as reads:
        row = (await reads.execute(select(routing_decision))).one()
    assert row.title == "某某反映路灯不亮"
    assert row.content == "我叫某某，身份证520402***********4，联系人：某某，请尽快。"


@pytest.mark.parametrize(
    ("text", "kept_as"),
    [
        ("我是市民，路灯不亮", "我是市民，路灯不亮"),
        ("本人名叫李四，路灯不亮", "本人名叫某某，路灯不亮"),
        ("当事人：赵六 已到场", "当事人：某某 已到场"),
        ("我叫了三次都没人来", "我叫了三次都没人来"),
    ],
    ids=["身份不是姓名", "自报姓名", "当事人", "动词"],
)
def test_names_that_people_give_are_hidden_and_little_else(text: str, kept_as: str) -> None:
    assert without_persons(text, None) == kept_as


async def test_decisions_are_exported_as_a_file_to_train_on(
    hub: Client,
    catalogues: None,
    filed: Filed,
    clock: Clock,
    settings: ServiceSettings,
    tmp_path: Path,
) -> None:
    for at in range(3):
        ticket = await filed(clock.now, channel_order_no=str(at))
        await decided(hub, ticket, matter_code="01", unit_code="A3")
        clock.forward(minutes=1)
        await decided(hub, ticket, matter_code="02001001", unit_code="A7")
    file = tmp_path / "decisions.csv.gz"
    cli = commands_of(lambda _: settings)

    def export() -> tuple[int, str]:
        answer = CliRunner().invoke(cli, ["decisions", "export", str(file)])
        return answer.exit_code, answer.stdout + answer.stderr

    code, said = await asyncio.to_thread(export)

    assert (code, said.strip()) == (0, "导出3条")
    with gzip.open(file, "rt", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["level3"] for row in rows] == ["路灯"] * 3
    assert {row["unit_code"] for row in rows} == {"A7"}
    assert rows[0]["title"] == "路灯不亮"
    assert {row["level4"] for row in rows} == {""}


async def test_the_dispatch_catalogue_is_loaded_and_read_over_http(
    hub: Client, client: Client, catalogues: None
) -> None:
    keeper = client.as_("supervisor", subject="s-1")
    more = RULES + "环境保护,,,A7,三定方案\n"

    made = await keeper.post(DISPATCH, files={"file": ("d.csv", more.encode())})
    bad = await keeper.post(DISPATCH, files={"file": ("d.csv", more.replace("A7", "A9").encode())})
    again = await keeper.post(DISPATCH, files={"file": ("d.csv", more.encode())})

    assert (made.status_code, made.json()["version"], made.json()["rules"]) == (201, 2, 4)
    assert bad.json()["detail"].startswith("第2行：没有这个承办单位")
    assert again.json()["code"] == "dispatch.catalogue_known"
    assert [each["version"] for each in (await hub.get(DISPATCH)).json()] == [1, 2]
    first = (await hub.get(f"{DISPATCH}/2/rules", params={"limit": 3})).json()
    rest = (
        await hub.get(f"{DISPATCH}/2/rules", params={"limit": 3, "cursor": first["next"]})
    ).json()
    assert [each["line"] for each in first["items"] + rest["items"]] == [2, 3, 4, 5]
    assert first["items"][1]["keywords"] == ["爆管"]


async def test_a_dispatch_catalogue_is_loaded_from_the_command_line(
    catalogues: None, settings: ServiceSettings, tmp_path: Path
) -> None:
    file = tmp_path / "d.csv"
    file.write_text(RULES + "民政,,,A3,\n")
    cli = commands_of(lambda _: settings)

    def load() -> tuple[int, str]:
        answer = CliRunner().invoke(cli, ["dispatch", "load", str(file)], env={"COLUMNS": "200"})
        return answer.exit_code, answer.stdout + answer.stderr

    code, said = await asyncio.to_thread(load)

    assert code == 1
    assert "第5行：现行事项目录中没有这个事项：民政" in said


def test_the_service_reads_no_learning_library_before_somebody_trains() -> None:
    """Nor numpy, nor the segmenter with its dictionary."""
    code = (
        "import sys, tongban_hotline_dispatch.main;"
        "print([name for name in ('sklearn', 'scipy', 'numpy', 'rjieba') if name in sys.modules])"
    )

    told = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == "[]"


def test_the_packaged_policy_says_where_each_of_its_values_comes_from() -> None:
    policy = ROUTING.packaged()

    assert policy.tuning().most == 3
    assert policy.classifiers.category == "level1"
    with pytest.raises(BadPolicy, match=r"shown\.most"):
        ROUTING.parse(
            packaged_text("tongban_hotline_dispatch", "routing.yaml").replace("most: 3", "most: 0"),
            where="routing.yaml",
        )


async def test_the_dispatcher_s_queue_says_where_each_ticket_belongs_and_learns_from_him(
    hub: Client, filed: Any, catalogues: None, db: Database
) -> None:
    desk = "/hotline/desk/dispatch"
    lamps = [await filed(NOW) for _ in range(2)]
    unknown = await filed(NOW, said=("无题", "没有说清是什么"))

    page = (await hub.get(f"{desk}?tab=dispatch")).text
    seen = re.findall(r'name="seen" value="([^"]+)"', page)
    assert {each.partition(":")[0] for each in seen} == {str(each.id) for each in lamps}
    assert "词：路灯" in page
    assert "各按建议的单位" in page

    picks = [f"{each.id}:{each.version}" for each in (lamps[0], unknown)]
    form = {"act": "assign", "seen": seen}
    await hub.post(f"{desk}/bulk", data={**form, "unit_code": "suggested", "pick": picks})
    other = {**form, "unit_code": "A3", "pick": [f"{lamps[1].id}:{lamps[1].version}"]}
    await hub.post(f"{desk}/bulk", data=other)

    async with db.reading() as reads:
        kept = (await reads.execute(select(routing_decision))).all()
        assigned = (await reads.execute(select(ticket.c.id, ticket.c.unit_code))).all()
    assert {each.ticket_id: (each.unit_code, each.is_correction) for each in kept} == {
        lamps[0].id: ("A7", False),
        lamps[1].id: ("A3", True),
    }
    assert {row.id: row.unit_code for row in assigned} == {
        lamps[0].id: "A7",
        lamps[1].id: "A3",
        unknown.id: None,
    }
