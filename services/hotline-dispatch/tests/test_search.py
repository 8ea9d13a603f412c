"""A ticket is found by its number, by who called, or by what it is about."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI

SEARCH = "/hotline/v1/ticket-searches"
TICKETS = "/hotline/v1/tickets"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)


@pytest.fixture(autouse=True)
async def filed(hub: Client, clock: Clock) -> list[dict[str, Any]]:
    clock.now = NOW
    made = []
    for title, phone, number in (
        ("桂花路口路灯不亮", "13812345678", "QN-1"),
        ("锦绣花园物业乱收费", "138 1234 5678", None),
        ("桂花路口井盖丢失", "13900001111", None),
        ("咨询居住证办理", None, None),
    ):
        clock.now += timedelta(minutes=1)
        body = {
            "channel": "phone" if phone else "website",
            "channel_order_no": number,
            "appeal_type": "help",
            "title": title,
            "content": f"{title}，请尽快处理",
            "person": {"phone": phone and phone.replace(" ", "")},
        }
        answer = await hub.post(TICKETS, json=body)
        assert answer.status_code == 201, answer.text
        made.append(answer.json())
    return made


async def found(who: Client, path: str = SEARCH, **asked: str) -> list[str]:
    answer = await who.post(path, json=asked)
    assert answer.status_code == 200, answer.text
    return [each["title"] for each in answer.json()["items"]]


async def test_by_our_number_and_by_the_channels(hub: Client, filed: list[dict[str, Any]]) -> None:
    for number in (filed[0]["ticket_no"], "QN-1"):
        assert await found(hub, number=number) == ["桂花路口路灯不亮"]
    assert await found(hub, number="QN-2") == []


async def test_by_phone_the_newest_first_and_page_by_page(hub: Client) -> None:
    both = ["锦绣花园物业乱收费", "桂花路口路灯不亮"]
    assert await found(hub, phone="13812345678") == both

    first = (await hub.post(f"{SEARCH}?limit=1", json={"phone": "13812345678"})).json()
    rest = await found(hub, f"{SEARCH}?limit=1&cursor={first['next']}", phone="13812345678")
    assert [each["title"] for each in first["items"]] + rest == both


async def test_by_words_those_that_share_most_first(hub: Client) -> None:
    assert (await found(hub, text="桂花路口的路灯"))[0] == "桂花路口路灯不亮"
    assert await found(hub, text="居住证") == ["咨询居住证办理"]
    assert await found(hub, text="海底捞月") == []


async def test_it_is_for_the_hub_and_asks_for_one_thing(hub: Client, officer: Client) -> None:
    assert (await officer.post(SEARCH, json={"phone": "13812345678"})).status_code == 403
    for body in ({}, {"number": "1", "text": "路灯"}, {"text": "a"}, {"phone": "x"}):
        answer = await hub.post(SEARCH, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")
