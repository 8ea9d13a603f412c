from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from tongban_common.db import Database
from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock
from tongban_common.timers import timer
from tongban_common.working_days import SHANGHAI, bundled, to_document
from tongban_hotline_dispatch.store.knowledge_index import knowledge_index

URL = "/hotline/v1/knowledge"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
BODY: dict[str, Any] = {
    "title": "公积金提取条件",
    "content": "购买、建造自住住房的，可以提取住房公积金账户内的余额。",
    "unit_code": "A3",
    "category": "住房/公积金/提取",
    "material": "hot_qa",
    "keywords": ["公积金", "提取"],
}
Item = dict[str, Any]
Act = Callable[..., Awaitable[Item]]


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
def reviewer(client: Client) -> Client:
    return client.as_("reviewer", subject="r-1")


@pytest.fixture
def write(officer: Client) -> Act:
    async def create(**changed: Any) -> Item:
        answer = await officer.post(URL, json={**BODY, **changed})
        assert answer.status_code == 201, answer.text
        made: Item = answer.json()
        return made

    return create


@pytest.fixture
def publish(officer: Client, reviewer: Client) -> Act:
    """From a draft to the public."""

    async def go(item: Item) -> Item:
        for who, move in ((officer, "submit"), (reviewer, "review"), (reviewer, "publish")):
            item = await done(who, item, move)
        return item

    return go


async def done(who: Client, item: Item, move: str, **body: Any) -> Item:
    answer = await try_to(who, item, move, **body)
    assert answer.status_code == 200, answer.text
    moved: Item = answer.json()
    return moved


async def try_to(who: Client, item: Item, move: str, **body: Any) -> Any:
    seen = {"If-Match": f'"{item["revision"]}"'}
    return await who.post(f"{URL}/{item['id']}/{move}", json=body, headers=seen)


async def titles(who: Client, q: str) -> list[str]:
    answer = await who.get(f"{URL}/search", params={"q": q})
    return [each["title"] for each in answer.json()["items"]]


async def test_an_item_is_written_reviewed_by_another_and_found_by_the_public(
    client: Client, write: Act, publish: Act, announced: Any
) -> None:
    item = await write()
    hidden = await client.get(f"{URL}/public/{item['id']}")
    before = await titles(client, "公积金")

    item = await publish(item)

    shown = (await client.get(f"{URL}/public/{item['id']}")).json()
    moves = [data["move"] for fact, data in await announced() if fact == "knowledge-item-changed"]
    assert (hidden.status_code, before) == (404, [])
    assert await titles(client, "公积金") == [BODY["title"]]
    assert shown["content"] == BODY["content"]
    assert shown["unit_name"] == "A3政府"
    assert moves == ["create", "submit", "review", "publish"]
    assert item["versions"][0]["review_due"] == "2027-03-23T23:59:59.999999+08:00"


async def test_two_people_are_needed(
    client: Client, write: Act, officer: Client, reviewer: Client
) -> None:
    admin = client.as_("admin", subject="u-1")  # the same person under another hat
    item = await done(officer, await write(), "submit")

    same = await try_to(admin, item, "review")
    unit = await try_to(officer, item, "review")
    early = await try_to(reviewer, item, "publish")

    assert (same.status_code, same.json()["code"]) == (403, "knowledge.same_person")
    assert (unit.status_code, unit.json()["code"]) == (403, "auth.not_permitted")
    assert (early.status_code, early.json()["code"]) == (409, "knowledge.illegal_move")


async def test_what_is_sent_back_is_mended_and_goes_the_way_again(
    write: Act, publish: Act, officer: Client, reviewer: Client
) -> None:
    item = await done(officer, await write(), "submit")

    silent = await try_to(reviewer, item, "send_back")
    item = await done(reviewer, item, "send_back", why="缺少办理地点")
    mended = {**BODY, "content": "带身份证到市民中心办理。"}
    answer = await officer.put(
        f"{URL}/{item['id']}", json=mended, headers={"If-Match": f'"{item["revision"]}"'}
    )

    assert silent.json()["code"] == "knowledge.reason_missing"
    assert item["versions"][0]["remark"] == "缺少办理地点"
    assert (await publish(answer.json()))["versions"][0]["state"] == "published"


async def test_the_version_in_force_is_public_until_the_next_one_takes_its_place(
    client: Client, write: Act, publish: Act, officer: Client
) -> None:
    item = await publish(await write())
    fresh = {**BODY, "content": "租房也可以提取。"}
    seen = {"If-Match": f'"{item["revision"]}"'}

    item = (await officer.put(f"{URL}/{item['id']}", json=fresh, headers=seen)).json()
    old = (await client.get(f"{URL}/public/{item['id']}")).json()
    item = await publish(item)
    new = (await client.get(f"{URL}/public/{item['id']}")).json()

    assert (old["number"], old["content"]) == (1, BODY["content"])
    assert (new["number"], new["content"]) == (2, fresh["content"])
    assert [each["state"] for each in item["versions"]] == ["replaced", "published"]
    assert await titles(client, "租房") == [BODY["title"]]


async def test_an_item_that_is_withdrawn_is_found_no_more_and_frees_its_title(
    client: Client, write: Act, publish: Act, reviewer: Client
) -> None:
    item = await publish(await write())

    taken = await reviewer.post(URL, json=BODY)
    await done(reviewer, item, "withdraw", why="政策已废止")

    assert taken.status_code == 403
    assert await titles(client, "公积金") == []
    assert (await write())["id"] != item["id"]


@pytest.mark.parametrize("title", ["公积金提取条件", "公积金　提取条件", " 公积金提取条件 "])
async def test_a_title_is_given_once(officer: Client, write: Act, title: str) -> None:
    await write()

    answer = await officer.post(URL, json={**BODY, "title": title})

    assert (answer.status_code, answer.json()["code"]) == (409, "knowledge.title_taken")


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"title": "字" * 129}, 422, "knowledge.bad_item"),
        ({"keywords": ["公积金提取条件"]}, 422, "knowledge.bad_item"),
        ({"keywords": ["词" * 21]}, 422, "knowledge.bad_item"),
        ({"category": "住房//提取"}, 422, "knowledge.bad_item"),
        ({"unit_code": "A9"}, 422, "unit.not_found"),
        ({"unit_code": "A7"}, 403, "knowledge.not_your_unit"),
        ({"content": "\x00"}, 422, "request.nul"),
        ({"material": "novel"}, 422, "request.invalid"),
        ({"duty_id": "00000000-0000-0000-0000-000000000001"}, 404, "knowledge.duty_not_found"),
    ],
)
async def test_a_bad_item_is_refused_and_says_why(
    officer: Client, changed: dict[str, Any], status: int, code: str
) -> None:
    answer = await officer.post(URL, json={**BODY, **changed})

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_stale_reader_overwrites_nothing(officer: Client, write: Act) -> None:
    item = await write()
    await done(officer, item, "submit")

    answer = await try_to(officer, item, "submit")

    assert answer.status_code == 412


async def test_a_unit_sees_and_writes_its_own(
    client: Client, hub: Client, officer: Client, write: Act
) -> None:
    item = await write()
    other = client.as_("unit_officer", subject="u-7", unit="A7")

    hidden = await other.get(f"{URL}/{item['id']}")
    listed = (await other.get(URL)).json()["items"]
    moved = await try_to(other, item, "submit")

    assert (hidden.status_code, listed, moved.status_code) == (404, [], 403)
    assert len((await hub.get(URL)).json()["items"]) == 1
    assert (await client.get(URL)).status_code == 401


async def test_the_list_is_filtered_and_paged(hub: Client, write: Act, publish: Act) -> None:
    first = await write()
    await publish(first)
    for number in range(3):
        await write(title=f"知识{number}", category="社保/养老" if number else "社保")

    page = (await hub.get(URL, params={"limit": 3})).json()
    rest = (await hub.get(URL, params={"limit": 3, "cursor": page["next"]})).json()
    social = (await hub.get(URL, params={"category": "社保"})).json()["items"]
    old_age = (await hub.get(URL, params={"category": "社保/养老"})).json()["items"]
    public = (await hub.get(URL, params={"state": "published"})).json()["items"]

    assert len(page["items"]) + len(rest["items"]) == 4
    assert (len(social), len(old_age)) == (3, 2)
    assert [each["item_id"] for each in public] == [first["id"]]


async def test_an_item_is_warned_of_expires_and_is_renewed_by_another(
    service: Service,
    kit: Kit,
    client: Client,
    write: Act,
    publish: Act,
    reviewer: Client,
    hub: Client,
) -> None:
    item = await publish(await write())
    due = datetime.fromisoformat(item["versions"][0]["review_due"])

    await service.sweeper(kit).sweep(now=due - timedelta(days=15))
    warned = (await hub.get(f"{URL}/{item['id']}")).json()
    still = await titles(client, "公积金")
    for _ in range(2):
        await service.sweeper(kit).sweep(now=due + timedelta(seconds=1))
    expired = (await hub.get(f"{URL}/{item['id']}")).json()
    gone = await titles(client, "公积金")
    renewed = await done(reviewer, expired, "renew")

    assert (warned["versions"][0]["state"], still) == ("expiring", [BODY["title"]])
    assert (expired["versions"][0]["state"], gone) == ("expired", [])
    assert renewed["versions"][0]["state"] == "published"
    assert await titles(client, "公积金") == [BODY["title"]]


async def test_a_renewal_between_the_due_moment_and_the_sweep_stands(
    service: Service, kit: Kit, client: Client, write: Act, publish: Act, reviewer: Client,
    clock: Clock, db: Database,
) -> None:  # fmt: skip
    item = await publish(await write())
    due = datetime.fromisoformat(item["versions"][0]["review_due"])
    await service.sweeper(kit).sweep(now=due - timedelta(days=1))
    clock.now = due + timedelta(seconds=1)

    item = (await reviewer.get(f"{URL}/{item['id']}")).json()
    await done(reviewer, item, "renew")
    await service.sweeper(kit).sweep(now=due + timedelta(minutes=1))

    assert await titles(client, "公积金") == [BODY["title"]]
    async with db.reading() as reads:
        armed = await reads.execute(
            select(func.count())
            .select_from(timer)
            .where(timer.c.kind == "knowledge-review", timer.c.state == "armed")
        )
    assert armed.scalar_one() == 1


async def test_a_corrected_notice_moves_the_review(
    service: Service, kit: Kit, write: Act, publish: Act, hub: Client
) -> None:
    item = await publish(await write())
    year = replace(bundled().in_force(2027), version=9)
    corrected = replace(year, days_off={**year.days_off, date(2027, 3, 23): "测试假日"})

    await kit.calendars.import_year(
        to_document(corrected), where="test", sweeper=service.sweeper(kit), now=NOW
    )

    found = (await hub.get(f"{URL}/{item['id']}")).json()
    assert found["versions"][0]["review_due"][:10] == "2027-03-24"
    assert found["revision"] == item["revision"]


async def test_many_are_moved_at_once_each_with_its_own_result(
    officer: Client, reviewer: Client, write: Act
) -> None:
    good = await done(officer, await write(), "submit")
    draft = await write(title="还是草稿")
    seen = [{"item_id": each["id"], "revision": each["revision"]} for each in (good, draft)]

    answer = await reviewer.post(f"{URL}/bulk", json={"move": "review", "items": seen})
    refused = await officer.post(f"{URL}/bulk", json={"move": "review", "items": seen})

    assert [(each["done"], each["code"]) for each in answer.json()["results"]] == [
        (True, None),
        (False, "knowledge.illegal_move"),
    ]
    assert refused.status_code == 403
    assert (await reviewer.get(f"{URL}/{good['id']}")).json()["versions"][0]["state"] == "reviewed"


async def test_an_answer_cites_versions_in_force(
    officer: Client, hub: Client, write: Act, publish: Act, filed: Any
) -> None:
    item = await publish(await write())
    draft = await write(title="草稿")
    ticket = await filed(NOW, unit="A3")
    url = f"/hotline/v1/tickets/{ticket.id}/knowledge"

    refused = await officer.put(url, json={"items": [draft["id"]]})
    cited = await officer.put(url, json={"items": [item["id"]]})
    found = (await hub.get(url)).json()["items"]

    assert (refused.status_code, cited.status_code) == (404, 204)
    assert found == [{"item_id": item["id"], "number": 1, "title": BODY["title"]}]
    assert (await hub.put(url, json={"items": []})).status_code == 403


async def test_the_search_finds_by_part_prefix_keyword_and_category(
    client: Client, write: Act, publish: Act, db: Database
) -> None:
    await publish(await write())
    await publish(
        await write(
            title="个人所得税退税",
            content="登录APP申请。",
            category="税务/个税",
            keywords=["汇算清缴"],
        )
    )
    await publish(await write(title="住房补贴", content="和公积金无关。", category="住房/补贴"))

    assert (await titles(client, "住房公积金怎么提取"))[0] == "公积金提取条件"
    assert await titles(client, "税") == ["个人所得税退税"]
    assert await titles(client, "\uff41\uff50\uff50") == ["个人所得税退税"]
    assert await titles(client, "汇算清缴") == ["个人所得税退税"]
    assert await titles(client, "' | & ! ( ) : * \\") == []
    assert await titles(client, "不存在的词汇") == []
    inside = await client.get(f"{URL}/search", params={"q": "公积金", "category": "住房/补贴"})
    assert [each["title"] for each in inside.json()["items"]] == ["住房补贴"]
    async with db.reading() as reads:
        assert (
            await reads.execute(select(func.count()).select_from(knowledge_index))
        ).scalar() == 3
