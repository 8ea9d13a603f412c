"""Numbers and names inside people's own words: out of sight for units and the public, everywhere.

`TONGBAN_TEST_MESSAGES` may name a folder of real message files (csv.gz with title, content, reply);
without it the test on them is skipped.
"""

import csv
import gzip
import os
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tongban_common.privacy import mask_text
from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_hotline_dispatch.operations import open311
from tongban_hotline_dispatch.operations.redaction import shown
from tongban_hotline_dispatch.store import Complainant

TICKETS = "/hotline/v1/tickets"
WIDE = str.maketrans({each: chr(ord(each) + 0xFEE0) for each in "0123456789X"})
# Each as somebody may type it, and what may be left of it.
NUMBERS = {
    "plain mobile": "13987650001",
    "mobile in groups": "139 8765 0001",
    "mobile with dashes": "139-8765-0001",
    "mobile with long dashes": "139—8765—0001",
    "full-width mobile": "13987650001".translate(WIDE),
    "mobile, each digit apart": "1 3 9 8 7 6 5 0 0 0 1",
    "mobile with unseen spaces": "139\u200b8765\u200b0001",
    "mobile in Chinese numerals": "一三九八七六五〇〇〇一",
    "identity of 18": "52040219900307001X",
    "full-width identity": "52040219900307001X".translate(WIDE),
    "identity in groups": "520402 19900307 001X",
    "identity with dashes": "520402-19900307-001x",
    "identity of 15": "520402900307001",
    "landline": "0851-33221122",
    "landline in brackets": "（0851）3322 1122",
    "landline with a double dash": "0851——33221122",
    "local line": "3322 1122",
}
PERSON = {"name": "欧阳明月", "phone": "13812345678", "address": "桂花路8号3单元402室"}
Begun = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def begun(hub: Client) -> Begun:
    async def begin(**more: object) -> dict[str, Any]:
        body = {
            "channel": "phone",
            "appeal_type": "help",
            "target_name": "某单位",
            "title": "路灯不亮",
            "content": "三天不亮",
            "person": PERSON,
            **more,
        }
        answer = await hub.post(TICKETS, json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    return begin


async def go(who: Client, made: dict[str, Any], path: str, **body: object) -> httpx.Response:
    seen = (await who.get(f"{TICKETS}/{made['id']}")).json()["version"]
    headers = {"If-Match": f'"{seen}"'}
    answer = await who.post(f"{TICKETS}/{made['id']}/{path}", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


async def seen_by(who: Client, made: dict[str, Any]) -> list[str]:
    """All that the API and the pages tell of a ticket."""
    found = []
    for path in (
        TICKETS,
        f"{TICKETS}/{made['id']}",
        f"{TICKETS}/{made['id']}/history",
        f"/hotline/tickets/{made['id']}",
        "/hotline/tickets",
        "/hotline/desk/unit",
        "/hotline/desk/dispatch?tab=running",
        "/hotline/desk/board/list",
        "/hotline/v1/exports/tickets.csv",
    ):
        answer = await who.get(path)
        if answer.status_code == 200:
            found.append(answer.content.decode("utf-8-sig"))
    public = {"ticket_no": made["ticket_no"], "query_code": made["query_code"]}
    found.append((await who.get("/hotline/v1/progress", params=public)).text)
    found.append((await who.post("/hotline/progress", data=public)).text)
    return found


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS.keys())
async def test_no_number_that_somebody_wrote_is_seen_by_units_or_the_public(
    begun: Begun, hub: Client, client: Client, number: str
) -> None:
    officer = client.as_("unit_officer", subject="u-1", unit="A3")
    words = f"请拨打电话{number}，谢谢"
    made = await begun(title=words, content=words)
    await go(hub, made, "assign", unit_code="A3")
    await go(hub, made, "supplement", words=words)
    await go(officer, made, "sign")
    await go(officer, made, "reply", text=words, internal=words, citations=[words])
    supervisor = client.as_("supervisor", subject="s-1")

    for who in (officer, hub, supervisor):
        for told in await seen_by(who, made):
            assert number not in told
            assert words not in told
    asked = {"fields": ["title", "content", "reply", "supplements"], "reason": "callback"}
    look = await supervisor.post(f"{TICKETS}/{made['id']}/identity-views", json=asked)
    assert set(look.json()["fields"].values()) == {words}


async def test_the_complainants_own_name_and_contact_are_hidden_in_the_words_too(
    begun: Begun, hub: Client, client: Client
) -> None:
    content = "我是欧阳明月，住桂花路8号3单元402室。联系人：李四，电话13812345678"
    made = await begun(title="欧阳明月反映噪声", content=content)
    await go(hub, made, "assign", unit_code="A3")
    officer = client.as_("unit_officer", subject="u-1", unit="A3")

    for told in await seen_by(officer, made):
        assert "欧阳明月" not in told
        assert "联系人：李四" not in told
    detail = (await officer.get(f"{TICKETS}/{made['id']}")).json()
    assert detail["title"] == "欧***反映噪声"
    assert detail["content"] == ("我是欧***，住桂花路8号3单元402室。联系人：某某，电话138****5678")


async def test_who_hides_is_in_the_words_neither_by_name_nor_by_home(
    begun: Begun, hub: Client
) -> None:
    made = await begun(
        appeal_type="report",
        person={**PERSON, "name": "王小明"},
        content="王小明（王先生）住桂花路8号3单元402室，举报占道",
    )

    detail = (await hub.get(f"{TICKETS}/{made['id']}")).json()

    assert detail["content"] == f"***（*先生）住{'*' * len(PERSON['address'])}，举报占道"


async def test_the_hub_takes_out_by_hand_what_else_identifies_and_the_original_stays(
    begun: Begun, hub: Client, client: Client
) -> None:
    made = await begun(content="我是村里唯一的兽医，请查邻居排污")
    await go(hub, made, "assign", unit_code="A3")
    officer = client.as_("unit_officer", subject="u-1", unit="A3")
    supervisor = client.as_("supervisor", subject="s-1")
    path = f"{TICKETS}/{made['id']}"
    body = {
        "title": "反映排污",
        "content": "请查某户排污，电话13812345678",
        "reason": "职业可识别诉求人",
    }

    rewritten = await hub.put(f"{path}/public-text", json=body)
    by_unit = await officer.put(f"{path}/public-text", json=body)

    assert rewritten.status_code == 200, rewritten.text
    assert by_unit.status_code == 403
    for told in await seen_by(officer, made):
        assert "兽医" not in told
    assert (await officer.get(path)).json()["content"] == "请查某户排污，电话138****5678"
    lines = (await officer.get(TICKETS)).json()["items"]
    assert [each["title"] for each in lines] == ["反映排污"]
    asked = {"fields": ["content"], "reason": "inspection"}
    look = await supervisor.post(f"{path}/identity-views", json=asked)
    assert look.json()["fields"] == {"content": "我是村里唯一的兽医，请查邻居排污"}
    (line,) = (await supervisor.get(f"{path}/recusals")).json()
    assert (line["act"], line["actor"]) == ("redacted", "d-1")


async def test_the_page_offers_to_rewrite_what_is_public(
    begun: Begun, hub: Client, client: Client, clock: Clock
) -> None:
    made = await begun()
    page = f"/hotline/tickets/{made['id']}"
    form = {"title": "改过的标题", "content": "改过的内容", "reason": "可识别"}

    done = await hub.post(f"{page}/public-text", data=form)

    assert done.status_code == 303
    assert "改过的内容" in (await hub.get(page)).text
    inspector = client.as_("inspector", subject="i-1")
    assert (await inspector.post(f"{page}/public-text", data=form)).status_code == 403


async def test_quarantined_words_leave_no_copy_for_the_public(begun: Begun, hub: Client) -> None:
    made = await begun(content="我叫李四，以下内容涉密")

    await go(hub, made, "route-out", disposition="SECRET_PRIVACY")

    detail = (await hub.get(f"{TICKETS}/{made['id']}")).json()
    assert "某某" not in detail["content"]
    assert detail["content"] == "（内容已隔离封存）"


async def test_open311_tells_the_public_nothing_of_who_hides_is_named_or_complains_of_a_unit(
    hub: Client, client: Client, kit: Kit, clock: Clock
) -> None:
    async with kit.db.transaction() as tx:
        _, key = await open311.create_key(tx, client="app-a", actor="test", now=clock.now)
    request = {
        "api_key": key,
        "service_code": "street-light",
        "lat": "26.6470",
        "long": "106.6302",
        "address_string": "桂花路12号门前",
        "attribute[FAULT]": "dark",
        "first_name": "三丰",
        "last_name": "张",
        "phone": "13812345678",
    }

    async def told(description: str, *, target: str | None = None) -> list[Any]:
        body = {**request, "description": description}
        filed = await client.post("/hotline/open311/v2/requests.json", data=body)
        assert filed.status_code == 200, filed.text
        number = filed.json()[0]["service_request_id"]
        if target is not None:
            lines = (await hub.get(TICKETS)).json()["items"]
            (ticket_id,) = (each["id"] for each in lines if each["ticket_no"] == number)
            named = {"unit_code": target, "reason": "核实"}
            await hub.put(f"{TICKETS}/{ticket_id}/target", json=named)
        answer = await client.get(f"/hotline/open311/v2/requests/{number}.json")
        (one,) = answer.json()
        return [one[name] for name in ("description", "address", "lat", "long")]

    assert (await told("路灯不亮"))[:2] == ["路灯不亮", "桂花路12号门前"]
    assert await told("我是张三丰，路灯不亮") == [None] * 4
    assert await told("路灯不亮，街道推诿", target="A3") == [None] * 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1" * 20_000,
        "1 " * 10_000,
        "0-" * 10_000,
        "110101" + " -" * 5000,
        "电话" * 10_000,
        "一" * 20_000,
        "\ud800\ud800",
        "\x00电话13812345678",
    ],
    ids=lambda text: f"{len(text)} of {text[:6]!r}",
)
def test_no_text_is_slow_or_breaks(text: str) -> None:
    assert len(mask_text(text)) == len(text)


def test_a_name_of_one_character_and_no_name_hide_nothing_else() -> None:
    for name in ("王", "", None):
        person = Complainant(name=name)
        assert shown("王府井路面破损", person, is_hidden=False) == "王府井路面破损"


def real_texts() -> Iterator[str]:
    csv.field_size_limit(1 << 24)
    for file in sorted(Path(os.environ["TONGBAN_TEST_MESSAGES"]).glob("messages*.csv.gz")):
        with gzip.open(file, "rt", encoding="utf-8-sig", newline="") as lines:
            for row in csv.DictReader(lines):
                yield from (row[name] for name in ("title", "content", "reply") if row.get(name))


@pytest.mark.skipif("TONGBAN_TEST_MESSAGES" not in os.environ, reason="no real messages given")
def test_no_number_of_a_real_message_is_left_and_other_numbers_are() -> None:
    digits = r"(?:[ \-\u3000—－]{0,2}\d)"
    left = re.compile(rf"(?<![0-9a-z])1[3-9]{digits}{{9}}(?!\d)|(?<!\d)\d{{17}}[\dXx](?!\d)")
    phones = re.compile(r"(?:电话|致电)[:：]?\s*(?:0\d{2,3}[-—－]{1,2})?[2-9]\d{6,7}(?!\d)")
    harmless = re.compile(r"20[0-2]\d年|GB\s?\d{4,5}-\d{4}|UU\d{7}|〔20\d\d〕\d+号")
    texts = masked = 0
    for text in real_texts():
        hidden = mask_text(text)
        texts, masked = texts + 1, masked + (hidden != text)
        assert left.search(hidden) is None
        assert phones.search(hidden) is None
        assert harmless.findall(hidden) == harmless.findall(text)
    assert texts > 10_000
    assert masked > 500
