from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.store import supervision

PAGE = "/hotline/supervisions"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
OVER = datetime(2026, 10, 1, 8, 0, tzinfo=SHANGHAI)


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
def center(client: Client) -> Client:
    return client.as_("supervisor", subject="c-1")


@pytest.fixture
async def letter(service: Service, kit: Kit, filed: Any, clock: Clock) -> str:
    """The written supervision of a ticket that is more than a working day over."""
    await filed(NOW, unit="A3")
    await service.sweeper(kit).sweep(now=OVER)
    clock.now = OVER
    async with kit.db.reading() as reads:
        query = select(supervision.c.id).where(supervision.c.level == "S1")
        return str((await reads.execute(query)).scalar_one())


async def test_the_list_shows_level_colour_and_state_and_a_unit_its_own(
    center: Client, officer: Client, client: Client, letter: str
) -> None:
    shown = (await center.get(PAGE)).text
    own = (await officer.get(PAGE)).text
    others = (await client.as_("unit_officer", subject="u-7", unit="A7").get(PAGE)).text
    calm = (await center.get(PAGE, params={"level": "U1", "state": "", "unit": "A3"})).text

    for said in ("书面督办", "催办", "A3政府", "逾期未答复", ">黄牌<", "待回复"):
        assert said in shown
    assert letter in own
    assert letter not in others
    assert "暂无记录" in others
    assert letter not in calm
    assert "书面督办" in calm  # as a choice of the filter


async def test_a_record_shows_its_notice_cards_history_and_how_its_limit_is_counted(
    center: Client, officer: Client, letter: str
) -> None:
    page = (await center.get(f"{PAGE}/{letter}")).text
    own = (await officer.get(f"{PAGE}/{letter}")).text

    for said in ("督办通知书", "letter 第1版", "承办单位分管领导", "下达", "国庆节放假", "系统"):
        assert said in page
    assert "免除" in page
    assert "申诉</button>" not in page
    assert "申诉</button>" in own
    assert "回复</button>" in own
    assert "认可回复" not in own


async def test_a_record_is_led_through_its_steps(
    center: Client, officer: Client, letter: str
) -> None:
    url = f"{PAGE}/{letter}"
    for who, version, move, text, said in (
        (officer, 1, "answer", "因雨停工", "待审核"),
        (center, 2, "reject", "请补充", "待回复"),
        (officer, 3, "answer", "已修复", "待审核"),
        (center, 4, "accept", "", "已认可"),
        (center, 5, "close", "", "已办结"),
    ):
        moved = await who.post(f"{url}/{move}", data={"version": version, "text": text})
        assert moved.status_code == 303, moved.text
        assert said in (await who.get(moved.headers["location"])).text


async def test_a_card_is_contested_and_revoked_on_the_page(
    kit: Kit, center: Client, officer: Client, letter: str
) -> None:
    url = f"{PAGE}/{letter}"
    record = (await center.get(f"/hotline/v1/supervisions/{letter}")).json()
    card = {"card_id": record["cards"][0]["id"]}

    await officer.post(f"{url}/contest", data={"version": 1, "words": "系统故障", **card})
    moved = await center.post(f"{url}/revoke", data={"version": 2, "words": "属实", **card})

    assert moved.status_code == 303, moved.text
    page = (await center.get(url)).text
    assert "撤销" in page
    assert ">黄牌<" not in (await center.get(PAGE)).text


async def test_who_may_not_is_turned_away(
    center: Client, officer: Client, hub: Client, client: Client, letter: str
) -> None:
    url = f"{PAGE}/{letter}"

    assert (await officer.post(f"{url}/accept", data={"version": 1})).status_code == 403
    assert (await hub.post(f"{url}/waive", data={"version": 1})).status_code == 403
    assert (await center.post(f"{url}/burn", data={"version": 1})).status_code == 404
    assert (await center.post(f"{url}/revoke", data={"version": 1})).status_code == 404
    assert (await center.post(f"{url}/close", data={"version": 7})).status_code == 412
    other = client.as_("unit_officer", subject="u-7", unit="A7")
    assert (await other.get(url)).status_code == 404
    assert (await client.get(PAGE)).status_code == 401


async def test_a_late_answer_is_shown_as_late(center: Client, clock: Clock, letter: str) -> None:
    clock.now = OVER + timedelta(days=30)

    assert "逾期未回复" in (await center.get(PAGE)).text
    assert "逾期未回复" in (await center.get(f"{PAGE}/{letter}")).text
