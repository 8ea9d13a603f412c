"""Matters brought again: shown while filing, urged instead of filed, joined, never lost."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from tongban_common.clock import new_id
from tongban_common.db import Database
from tongban_common.privacy import Sealer
from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.repeats import normal_phone, normal_place
from tongban_hotline_dispatch.operations import hot_issues
from tongban_hotline_dispatch.store import ticket, ticket_note
from tongban_hotline_dispatch.store.likeness import phone_key, place_key

API = "/hotline/v1"
TICKETS = f"{API}/tickets"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
MIXER = {
    "channel": "wechat",
    "appeal_type": "complaint",
    "title": "丽发新城附近搅拌站噪音扰民",
    "content": "A2区丽发新城旁边新建了一个混凝土搅拌站，粉尘和噪音严重，居民夜里睡不着。",
}
LAMP = {
    "channel": "wechat",
    "appeal_type": "help",
    "title": "桂花路口路灯不亮",
    "content": "桂花路与人民路交叉口的路灯已经三天不亮，老人出行危险。",
}
GOOD = {"resolved": "resolved", "result": "satisfied", "process": "satisfied"}
WIDE = "桂花路\uff11\uff12号"  # full-width digits
Json = dict[str, Any]
File = Callable[..., Coroutine[Any, Any, Json]]


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
def new(hub: Client) -> File:
    async def register(body: Json, phone: str | None = None, **more: object) -> Json:
        address = more.pop("address", None)
        person = {"name": "李四", "phone": phone, "address": address}
        answer = await hub.post(TICKETS, json={**body, "person": person, **more})
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()
        return made

    return register


async def move(who: Client, made: Json, path: str, **body: object) -> Json:
    answer = await who.post(
        f"{TICKETS}/{made['id']}/{path}", json=body, headers={"If-Match": f'"{made["version"]}"'}
    )
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    made["version"] = found["version"] if "version" in found else found["ticket"]["version"]
    return found


async def likely(hub: Client, **body: object) -> list[Json]:
    answer = await hub.post(f"{API}/duplicates", json=body)
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()
    return found


async def test_near_text_is_shown_with_the_words_that_made_it(hub: Client, new: File) -> None:
    made = await new(MIXER)
    await new(LAMP)

    (found,) = await likely(
        hub, title="举报丽发新城小区边上违规建搅拌站", content="搅拌站粉尘噪音太大，影响居民"
    )

    assert found["ticket_id"] == made["id"]
    assert [each["code"] for each in found["reasons"]] == ["near_text"]
    assert "66号" in found["reasons"][0]["clause"]
    assert {"搅拌站", "丽发"} <= set(found["words"])
    assert 0.4 <= found["score"] < 1
    assert found["advice"] == "merge"


async def test_the_same_person_and_matter_is_shown_first_and_is_urged(
    hub: Client, new: File
) -> None:
    await new(LAMP, "13900000001", matter_code="GY01")
    mine = await new({**LAMP, "title": "再说路灯"}, "13812345678", matter_code="GY01")

    found = await likely(
        hub, title="路灯还是不亮", content="桂花路", phone="+86138-1234-5678", matter_code="GY01"
    )

    assert found[0]["ticket_id"] == mine["id"]
    assert (found[0]["reasons"][0]["code"], found[0]["advice"]) == (
        "same_person_and_matter",
        "repeat",
    )


async def test_the_same_place_and_matter_is_shown_without_a_word_in_common(
    hub: Client, new: File
) -> None:
    made = await new(LAMP, address="桂花路 12号3栋201室", matter_code="GY01")
    await new(LAMP, address="桂花路14号", matter_code="GY01")

    found = await likely(hub, title="黑灯瞎火", matter_code="GY01", address=f"{WIDE}5栋")

    assert [each["ticket_id"] for each in found] == [made["id"]]
    assert found[0]["reasons"][0]["code"] == "same_place_and_matter"


@pytest.mark.parametrize("body", [{}, {"title": "的"}, {"content": "😀\u200b。。"}, {"title": "1"}])
async def test_what_says_nothing_is_like_nothing(hub: Client, new: File, body: Json) -> None:
    await new(LAMP, "13812345678")

    assert await likely(hub, **body) == []


async def test_another_matter_of_the_same_person_and_an_old_one_are_not_shown(
    hub: Client, new: File, clock: Clock
) -> None:
    await new(LAMP, "13812345678")
    assert await likely(hub, title=MIXER["title"], phone="13812345678") == []

    clock.now = NOW + timedelta(days=91)
    assert await likely(hub, title=LAMP["title"], content=LAMP["content"]) == []


async def test_who_may_not_register_sees_no_duplicates(officer: Client) -> None:
    assert (await officer.post(f"{API}/duplicates", json={})).status_code == 403


@pytest.mark.parametrize(
    "written",
    ["138 1234 5678", "138-1234-5678", "+8613812345678", "\uff10086\uff113812345678"],
)
def test_a_phone_is_one_person_however_it_is_written(written: str) -> None:
    assert normal_phone(written) == "13812345678"


def test_a_place_is_a_house_number_whoever_lives_behind_it() -> None:
    assert normal_place("桂花路12号 3栋-201室") == normal_place(WIDE) == "桂花路12号"
    assert normal_place("丽发新城5栋2单元") == "丽发新城"
    assert normal_place("地铁2号线口") == "地铁2号线口"


def test_keys_differ_by_secret_and_by_what_they_are_of() -> None:
    one, other = Sealer("a"), Sealer("b")

    assert phone_key(one, "13812345678") == phone_key(one, "+86 13812345678")
    assert phone_key(one, "13812345678") != phone_key(other, "13812345678")
    assert phone_key(one, "12") != place_key(one, "12")
    assert phone_key(one, None) is place_key(one, " ") is None


async def test_a_repeat_makes_no_ticket_but_urges_counts_and_tells_progress(
    hub: Client, new: File, db: Database, announced: Any
) -> None:
    made = await new(LAMP, "13812345678")
    await move(hub, made, "assign", unit_code="A3")
    body = {**LAMP, "person": {"phone": "13812345678"}}

    once = await hub.post(f"{API}/filings", json=body)
    again = await hub.post(f"{API}/filings", json={**body, "new_facts": "昨晚有人摔倒"})

    assert (once.status_code, again.status_code) == (201, 201)
    assert [each.json()["repeats"] for each in (once, again)] == [1, 2]
    told = again.json()
    assert (told["is_new"], told["ticket_id"], told["query_code"]) == (False, made["id"], None)
    assert told["progress"]["status"] == "assigned"
    async with db.reading() as connection:
        assert (await connection.execute(select(func.count()).select_from(ticket))).scalar() == 1
        notes = (await connection.execute(select(ticket_note.c.words))).scalars().all()
    assert notes == ["昨晚有人摔倒"]
    facts = [(fact, data.get("repeats")) for fact, data in await announced()]
    assert facts[2:] == [
        ("ticket-repeated", 1),
        ("ticket-repeated", 2),
        ("facts-supplemented", None),
    ]
    assert all("摔倒" not in str(data) for _, data in await announced())


async def test_two_filings_of_one_person_at_the_same_time_make_one_ticket(
    hub: Client, db: Database
) -> None:

    body = {**LAMP, "person": {"phone": "13812345678"}}
    answers = await asyncio.gather(*(hub.post(f"{API}/filings", json=body) for _ in range(4)))

    assert sorted(each.json()["is_new"] for each in answers) == [False, False, False, True]
    assert sorted(each.json()["repeats"] or 0 for each in answers) == [0, 1, 2, 3]


async def test_a_new_matter_of_the_same_person_is_a_new_ticket(hub: Client, new: File) -> None:
    await new(LAMP, "13812345678")

    answer = await hub.post(f"{API}/filings", json={**MIXER, "person": {"phone": "13812345678"}})

    assert answer.json()["is_new"] is True
    assert len(answer.json()["query_code"]) == 8


async def test_what_is_brought_again_after_the_close_is_linked_for_thirty_days(
    hub: Client, officer: Client, new: File, clock: Clock, announced: Any
) -> None:
    made = await new(LAMP, "13812345678")
    await move(hub, made, "assign", unit_code="A3")
    await move(officer, made, "sign")
    await move(officer, made, "reply", text="已修复")
    await move(hub, made, "close", heard=GOOD)
    refused = await hub.post(
        f"{TICKETS}/{made['id']}/repeat",
        json={"new_facts": "又坏了"},
        headers={"If-Match": f'"{made["version"]}"'},
    )
    told = await move(hub, made, "repeat")
    body = {**LAMP, "person": {"phone": "13812345678"}}
    clock.now = NOW + timedelta(days=31)
    late = await hub.post(f"{API}/filings", json={**body, "title": "路灯又坏了"})
    clock.now = NOW + timedelta(days=29)
    await hub.post(f"{TICKETS}/{late.json()['ticket_id']}/withdraw", headers={"If-Match": '"1"'})

    (seen,) = [
        each
        for each in await likely(
            hub, **{k: LAMP[k] for k in ("title", "content")}, phone="13812345678"
        )
        if each["ticket_id"] == made["id"]
    ]
    again = await hub.post(f"{API}/filings", json=body)

    assert (refused.status_code, refused.json()["code"]) == (409, "repeat.ended")
    assert (told["repeats"], told["progress"]["reply"]) == (1, "已修复")
    assert late.json()["reopened_from"] is None
    assert seen["advice"] == "reopened_from"
    assert again.json()["reopened_from"] == made["id"]
    linked = [data for fact, data in await announced() if fact == "ticket-linked"]
    assert linked == [{"ticket_id": again.json()["ticket_id"], "earlier_id": made["id"]}]


async def test_news_on_a_merged_ticket_go_to_whoever_handles_it(
    hub: Client, new: File, db: Database
) -> None:
    parent, child = await new(LAMP), await new(LAMP, "13812345678")
    await move(hub, child, "merge", parent_id=parent["id"])

    told = await move(hub, child, "repeat", new_facts="又有人摔倒")

    assert told["ticket"]["status"] == "merged"
    async with db.reading() as connection:
        note = (await connection.execute(select(ticket_note))).one()
    assert str(note.ticket_id) == parent["id"]


async def grouped(kit: Kit, at: datetime = NOW) -> None:
    rules = await hot_issues.rules_of(kit, now=at)
    async with kit.db.transaction() as tx:
        await hot_issues.group(tx, rules, now=at)


async def test_what_is_nearly_the_same_is_suggested_for_joining_and_joined_at_once(
    hub: Client, officer: Client, new: File, kit: Kit
) -> None:
    copies = [await new(MIXER, f"1381234567{n}") for n in range(4)]
    await new(LAMP)
    await move(hub, copies[1], "assign", unit_code="A3")
    await grouped(kit)

    (group,) = (await hub.get(f"{API}/merge-suggestions")).json()["items"]
    parent = group["parent"]["ticket_id"]
    items = [{k: each[k] for k in ("ticket_id", "version")} for each in group["children"]]
    items[2]["version"] = 9
    items.append({"ticket_id": parent})
    done = await hub.post(f"{TICKETS}/bulk/merge", json={"parent_id": parent, "items": items})

    assert parent == copies[1]["id"]  # a unit has it
    assert [each["code"] for each in done.json()["results"]] == [
        None,
        None,
        "precondition.changed_meanwhile",
        "ticket.has_children",
    ]
    (left,) = (await hub.get(f"{API}/merge-suggestions")).json()["items"]
    assert len(left["children"]) == 1


async def test_each_child_is_answered_and_called_back_and_may_leave_until_then(
    hub: Client, officer: Client, new: File
) -> None:
    parent, *children = [await new(MIXER, f"1381234567{n}") for n in range(4)]
    await move(hub, parent, "assign", unit_code="A3")
    for each in children:
        await move(hub, each, "merge", parent_id=parent["id"])
    left = await move(hub, children[2], "unmerge")
    parent["version"] = (await hub.get(f"{TICKETS}/{parent['id']}")).json()["version"]
    await move(officer, parent, "sign")
    await move(officer, parent, "reply", text="搅拌站已停工整治")
    await move(hub, parent, "review/pass")

    seen = [(await hub.get(f"{TICKETS}/{each['id']}")).json() for each in children]
    assert [each["status"] for each in seen] == ["callback", "callback", "registered"]
    assert [each["reply"] for each in seen] == ["搅拌站已停工整治"] * 2 + [None]
    assert left["parent_id"] is None
    for each, now in zip(children[:2], seen[:2], strict=True):
        each["version"] = now["version"]
    closed = await move(hub, children[0], "callback/complete", **GOOD)
    redone = await move(
        hub,
        children[1],
        "callback/complete",
        resolved="unresolved",
        result="dissatisfied",
        process="basically",
    )
    assert (closed["status"], redone["status"]) == ("closed", "rework")
    late = await hub.post(
        f"{TICKETS}/{children[0]['id']}/unmerge",
        headers={"If-Match": f'"{children[0]["version"]}"'},
    )
    assert late.status_code == 409


async def test_votes_are_kept_as_the_platform_counts_them(hub: Client, new: File) -> None:
    made = await new(MIXER)
    address = f"{TICKETS}/{made['id']}/votes"

    for supports in (5, 12, 12):
        answer = await hub.put(address, json={"supports": supports})
        assert answer.status_code == 204
    nobody = await hub.put(f"{TICKETS}/{new_id(NOW)}/votes", json={"supports": 1})

    assert nobody.json()["code"] == "ticket.not_found"
    assert (await hub.put(address, json={"supports": -1})).status_code == 422


async def test_the_dispatcher_joins_a_suggested_group_from_the_page(
    hub: Client, new: File, kit: Kit
) -> None:
    parent, *children = [await new(MIXER, f"1381234567{n}") for n in range(3)]
    await grouped(kit)

    page = await hub.get("/hotline/merge-suggestions")
    form = {"parent_id": parent["id"], "child": [each["id"] for each in children]}
    done = await hub.post("/hotline/merge-suggestions", data=form)

    assert page.text.count('name="child"') == 2
    assert "已并入2件" in done.text
    assert "没有建议并单的工单" in done.text
