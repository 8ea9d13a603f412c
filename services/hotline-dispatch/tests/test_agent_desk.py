"""坐席台: who calls, what was brought before, where it belongs; what must be asked; registered."""

import re
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from tongban_common.db import Database
from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.operations import Outcome
from tongban_hotline_dispatch.operations.matters import first_catalogue
from tongban_hotline_dispatch.store import (
    Complainant,
    complainant,
    routing_decision,
    ticket,
    ticket_detail,
)
from tongban_hotline_dispatch.store.likeness import ticket_repeat

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
DESK = "/hotline/desk/agent"
API = "/hotline/v1"
PERSON = Complainant(name="张三丰", phone="13812345678")
SAID = {
    "phone": "138 1234 5678",
    "name": "张三丰",
    "appeal_type": "help",
    "title": "路灯不亮",
    "content": "桂花路口的路灯已三天不亮",
    "urgency": "normal",
    "channel": "phone",
    "ending": "accepted",
}
APPEAL = {"channel": "phone", "appeal_type": "complaint", "title": "短秤", "content": "缺斤少两"}


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
def agent(client: Client) -> Client:
    return client.as_("agent", subject="a-1")


async def count(db: Database, table: Any) -> int:
    async with db.reading() as reads:
        return int((await reads.execute(select(func.count()).select_from(table))).scalar_one())


async def row_of(db: Database) -> Any:
    async with db.reading() as reads:
        return (await reads.execute(select(ticket))).one()


def shown(page: str, name: str) -> str:
    found = re.search(rf'id="{name}"[^>]*>([^<]*)<', page)
    assert found is not None, page
    return found.group(1)


async def test_a_call_becomes_a_ticket_and_the_caller_is_told_number_code_and_day(
    agent: Client, db: Database, client: Client
) -> None:
    form = await agent.get(DESK)
    done = await agent.post(DESK, data=SAID)

    assert (form.status_code, done.status_code) == (200, 200), done.text
    row = await row_of(db)
    told = shown(done.text, "told")
    assert (shown(done.text, "ticket-no"), shown(done.text, "query-code")) == (
        row.ticket_no,
        row.query_code,
    )
    for each in (row.ticket_no, row.query_code, "前答复您"):
        assert each in told
    assert "为何是这一天" in done.text
    assert done.headers["cache-control"] == "no-store"
    headers = {"X-Ticket-No": row.ticket_no, "X-Query-Code": row.query_code}
    assert (await client.get(f"{API}/public/ticket", headers=headers)).status_code == 200
    assert await count(db, complainant) == 1


async def test_faults_stand_beside_their_fields_and_nothing_typed_is_lost(
    agent: Client, db: Database
) -> None:
    typed = {
        **SAID,
        "appeal_type": "complaint",
        "phone": "打我电话",
        "title": "",
        "content": "<b>缺斤少两</b>",
        "matter_code": "市场监管",
        "ending": "answered",
    }

    answer = await agent.post(DESK, data=typed)

    assert answer.status_code == 422
    page = answer.text
    for name, said in {
        "title": "请填写标题",
        "phone": "来电号码应为5至20位数字",
        "matter_code": "请从右侧选用一个事项",
        "answer": "请填写答复内容",
    }.items():
        assert said in page.split(f'id="agent-{name}-fault"')[1].split("</p>")[0]
    for kept in ("打我电话", "&lt;b&gt;缺斤少两&lt;/b&gt;", "市场监管", "张三丰"):
        assert kept in page
    assert 'value="complaint" selected' in page
    assert "<b>缺斤" not in page
    assert await count(db, ticket) == 0


async def test_the_type_decides_what_must_be_asked_on_the_page_by_the_api_and_in_a_file(
    agent: Client, hub: Client, kit: Kit, db: Database
) -> None:
    page = await agent.post(DESK, data={**SAID, "appeal_type": "complaint", "phone": ""})
    by_api = [await hub.post(f"{API}/{path}", json=APPEAL) for path in ("tickets", "filings")]
    file = "渠道,渠道编号,诉求类型,标题,内容,电话,被反映对象\n电话,1,投诉,短秤,缺斤少两,,\n"
    file += "电话,2,投诉,短秤,缺斤少两,13812345678,某某商店\n网站,3,投诉,短秤,缺斤少两,,\n"
    report = await operations.import_file(kit, content=file.encode(), actor="i-1", now=NOW)
    asked = await hub.get(f"{API}/required-elements", params={"appeal_type": "complaint"})

    assert page.status_code == 422
    assert "请填写联系电话：登记联系方式：北京市接诉即办工作条例第十条" in page.text
    assert "请填写被反映对象" in page.text
    for answer in by_api:
        assert (answer.status_code, answer.json()["code"]) == (422, "appeal.elements_missing")
        assert answer.json()["fields"] == ["phone", "target_name"]
    assert [row.outcome for row in report.rows] == [Outcome.REFUSED, Outcome.TAKEN, Outcome.TAKEN]
    assert "联系电话（" in str(report.rows[0].reason)
    assert "被反映对象（" in str(report.rows[0].reason)
    assert [each["field"] for each in asked.json()] == ["phone", "target_name"]
    assert all(each["clause"] for each in asked.json())
    assert await count(db, ticket) == 2


async def test_what_waits_for_facts_needs_a_contact_only_and_what_is_routed_out_nothing(
    hub: Client,
) -> None:
    async def sent(**more: object) -> tuple[int, list[str] | None]:
        answer = await hub.post(f"{API}/tickets", json={**APPEAL, **more})
        return answer.status_code, answer.json().get("fields")

    contact = {"phone": "13812345678"}
    assert await sent(lacks_facts=True) == (422, ["phone"])
    assert await sent(lacks_facts=True, person=contact) == (201, None)
    assert await sent(answer="请到市场监管所反映", person=contact) == (201, None)
    assert await sent(disposition="OUT_OF_AREA") == (201, None)
    assert await sent(channel="wechat") == (201, None)
    placed = {"appeal_type": "help", "person": contact, "matter_code": "01001001001"}
    assert await sent(**placed) == (422, ["address"])
    assert await sent(**placed | {"person": {**contact, "address": "桂花路1号"}}) == (201, None)


async def test_whom_it_is_about_is_sealed_and_shown_to_those_who_handle_it(
    agent: Client, hub: Client, db: Database, client: Client
) -> None:
    more = {"appeal_type": "complaint", "target_name": "王老五", "demand": "退款，电话13987654321"}
    await agent.post(DESK, data={**SAID, **more, "occurred_at": "2026-09-20"})

    row = await row_of(db)
    seen = (await hub.get(f"{API}/tickets/{row.id}")).json()["details"]
    page = (await hub.get(f"/hotline/tickets/{row.id}")).text
    headers = {"X-Ticket-No": row.ticket_no, "X-Query-Code": row.query_code}
    public = (await client.get(f"{API}/public/ticket", headers=headers)).text

    assert {name: said for name, said in seen.items() if said} == {
        "target_name": "王老五",
        "occurred_at": "2026-09-20T00:00:00+08:00",
        "demand": "退款，电话139****4321",
    }
    assert "王老五" in page
    assert "王老五" not in public
    async with db.reading() as reads:
        kept = (await reads.execute(select(ticket_detail.c.target_name))).scalar_one()
    assert "王老五".encode() not in kept


async def test_who_asks_to_hide_and_the_unit_complained_of_are_kept_apart_from_the_first_call(
    agent: Client, db: Database, officer: Client
) -> None:
    done = await agent.post(DESK, data={**SAID, "target_unit": "A3", "hides_identity": "yes"})

    assert ("对承办单位隐藏" in done.text, "A3政府" in done.text) == (True, True)
    row = await row_of(db)
    assert (row.hides_identity, row.target_unit_code, row.unit_code) == (True, "A3", None)
    assert (await officer.get(f"/hotline/tickets/{row.id}")).status_code == 404

    for more in ({}, {"hides_identity": "no"}):  # without a word about it the type decides
        report = {**SAID, "appeal_type": "report", "target_name": "某店"}
        await agent.post(DESK, data={**report, **more, "phone": f"1391234567{len(more)}"})
    async with db.reading() as reads:
        rows = await reads.execute(select(ticket.c.hides_identity).order_by(ticket.c.ticket_no))
        assert list(rows.scalars()) == [True, True, False]


async def test_the_callers_earlier_matters_are_found_however_the_number_is_written(
    agent: Client, filed: Any
) -> None:
    mine = await filed(NOW, unit="A3", person=PERSON)
    await filed(NOW, person=Complainant(phone="13900000000"))

    by_api = await agent.post(f"{API}/callers", json={"phone": "+86-13812345678"})
    beside = await agent.post(f"{DESK}/hints", data={"phone": "１３８-1234-5678"})  # noqa: RUF001
    nobody = await agent.post(f"{DESK}/hints", data={"phone": "13800000000"})
    looked = await agent.post(DESK, data={**SAID, "title": "", "look": "yes"})

    assert [each["ticket_no"] for each in by_api.json()] == [mine.ticket_no]
    assert mine.ticket_no in beside.text
    assert "没有往来记录" in nobody.text
    assert (looked.status_code, mine.ticket_no in looked.text) == (200, True)
    assert "处需要更正" not in looked.text
    assert "13812345678" not in beside.text


async def test_likely_duplicates_are_shown_while_typing_and_urged_at_one_press(
    agent: Client, filed: Any, db: Database
) -> None:
    made = await filed(NOW, person=PERSON)

    beside = await agent.post(f"{DESK}/hints", data=SAID)
    urged = await agent.post(DESK, data={**SAID, "urge": str(made.id)})

    for said in ("可能重复", "同一人反映同一事项", "路灯", "不另立工单"):
        assert said in beside.text
    assert f'name="urge" value="{made.id}"' in beside.text
    assert "已为您催办，这是第1次反映" in shown(urged.text, "told")
    assert made.query_code not in urged.text
    assert (await count(db, ticket), await count(db, ticket_repeat)) == (1, 1)


async def test_the_same_persons_same_matter_becomes_no_second_ticket(
    agent: Client, db: Database
) -> None:
    await agent.post(DESK, data=SAID)
    again = await agent.post(DESK, data=SAID)

    assert "不另立工单，已催办" in again.text
    assert (await count(db, ticket), await count(db, ticket_repeat)) == (1, 1)


async def test_another_persons_same_matter_is_registered_and_joined(
    agent: Client, filed: Any, db: Database
) -> None:
    parent = await filed(NOW, person=Complainant(phone="13900000000"))

    done = await agent.post(DESK, data={**SAID, "merge_into": str(parent.id)})

    assert "已并单" in done.text
    async with db.reading() as reads:
        joined = select(ticket.c.parent_id).where(ticket.c.id != parent.id)
        assert (await reads.execute(joined)).scalars().all() == [parent.id]


async def test_a_form_that_is_sent_twice_becomes_one_ticket(agent: Client, db: Database) -> None:
    page = (await agent.get(DESK)).text
    token = page.split('name="form" value="')[1].split('"')[0]
    body = {**SAID, "phone": "", "channel": "wechat", "form": token}

    first = await agent.post(DESK, data=body)
    second = await agent.post(DESK, data=body)
    forged = await agent.post(DESK, data={**body, "form": token[:-2] + "AA"})

    assert shown(first.text, "query-code") == shown(second.text, "query-code")
    assert shown(first.text, "ticket-no") != shown(forged.text, "ticket-no")
    assert await count(db, ticket) == 2


async def test_category_matter_and_unit_are_suggested_with_the_words_and_taken_over(
    agent: Client, kit: Kit, db: Database
) -> None:
    await first_catalogue(kit, now=NOW)
    words = {**SAID, "appeal_type": "consult"}

    beside = (await agent.post(f"{DESK}/hints", data=words)).text
    named = (await agent.post(f"{DESK}/hints", data={"matter_code": "路灯 损坏"})).text
    taken = await agent.post(DESK, data={**words, "take_matter": "01001001001 城市管理"})
    receipt = beside.split('name="receipt" value="')[1].split('"')[0]
    chosen = {**words, "matter_code": "01001001001 城市管理", "unit_code": "A3"}
    done = await agent.post(DESK, data={**chosen, "receipt": receipt})

    assert "路灯不亮或损坏" in beside
    assert "词：" in beside
    assert 'value="01001001001 城市管理/市政设施/道路与照明/路灯不亮或损坏"' in named
    assert 'value="01001001001 城市管理"' in taken.text.split('id="agent-matter_code"')[1][:80]
    assert done.status_code == 200, done.text
    assert (await row_of(db)).matter_code == "01001001001"
    async with db.reading() as reads:
        kept = (await reads.execute(select(routing_decision))).one()
    assert (kept.matter_code, kept.unit_code, kept.actor) == ("01001001001", "A3", "a-1")
    assert kept.is_correction is False


async def test_a_matter_that_is_not_in_force_is_refused_with_the_form_as_it_was(
    agent: Client, kit: Kit
) -> None:
    await first_catalogue(kit, now=NOW)

    answer = await agent.post(DESK, data={**SAID, "matter_code": "99"})

    assert answer.status_code == 422
    assert "现行事项目录中没有这个事项" in answer.text
    assert "桂花路口的路灯已三天不亮" in answer.text


async def test_a_matter_is_answered_or_routed_at_once_with_the_words_to_say(
    agent: Client, db: Database
) -> None:
    answered = {
        **SAID,
        "appeal_type": "consult",
        "ending": "answered",
        "answer": "请带身份证来",
    }
    emergency = {
        **SAID,
        "content": "楼下着火了",
        "ending": "routed_out",
        "disposition": "EMERGENCY",
        "line": "119",
    }
    waiting = {**SAID, "title": "井盖松动", "content": "井盖响", "ending": "awaiting_facts"}

    told = [
        shown((await agent.post(DESK, data=each)).text, "told")
        for each in (answered, emergency, waiting)
    ]

    assert told[0].startswith("请带身份证来")
    assert told[1].startswith("您反映的情况属于紧急警情，已为您一键转接。已转接119消防救援。")
    assert "凭编号和查询码补充" in told[2]
    async with db.reading() as reads:
        rows = (await reads.execute(select(ticket.c.status).order_by(ticket.c.id))).scalars()
        assert sorted(rows) == ["answered", "awaiting_facts", "routed_out"]


async def test_who_may_assign_registers_and_assigns_in_one_step(
    client: Client, agent: Client, db: Database
) -> None:
    both = client.as_("agent", "dispatcher", subject="b-1")
    body = {**SAID, "unit_code": "A3", "assign": "yes"}

    form, plain = await both.get(DESK), await agent.get(DESK)
    done = await both.post(DESK, data=body)

    assert ("登记并派单" in form.text, "登记并派单" in plain.text) == (True, False)
    assert "待签收" in done.text
    assert "A3政府" in done.text
    assert (await row_of(db)).unit_code == "A3"


async def test_the_desk_is_the_agents_and_nobody_elses(
    client: Client, agent: Client, officer: Client
) -> None:
    led = await agent.get("/hotline/desk")

    assert led.headers["location"] == DESK
    assert 'href="/hotline/desk/agent"' in (await agent.get(DESK)).text
    for who, code in ((officer, 403), (client, 401)):
        for answer in (
            await who.get(DESK),
            await who.post(DESK, data=SAID),
            await who.post(f"{DESK}/hints", data=SAID),
            await who.post(f"{API}/callers", json={"phone": "13812345678"}),
        ):
            assert answer.status_code == code


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        ({"urge": "not-a-uuid"}, 200),
        ({"urge": str(UUID(int=1))}, 404),
        ({"ending": "vanish"}, 422),
        ({"appeal_type": "gossip"}, 422),
        ({"channel": "pigeon"}, 422),
        ({"title": "长" * 201}, 422),
        ({"occurred_at": "昨天"}, 422),
        ({"unit_code": "A0"}, 422),
        ({"target_unit": "A0"}, 422),
        ({"target_unit": "A3", "unit_code": "A3"}, 422),
        ({"hides_identity": "maybe"}, 422),
        ({"receipt": "x" * 500, "form": "y"}, 200),
        ({"content": "=HYPERLINK(1)\u202e"}, 422),
    ],
)
async def test_odd_input_never_breaks_the_form(
    agent: Client, odd: dict[str, str], code: int
) -> None:
    assert (await agent.post(DESK, data={**SAID, **odd})).status_code == code
