"""What stands beside the desks: the lists one is led to, and what a ticket and the board show."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from tongban_common.clock import new_id
from tongban_common.privacy import Sealer
from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType, Channel, Urgency
from tongban_hotline_dispatch.operations import Registration
from tongban_hotline_dispatch.store import Complainant

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
OVER = datetime(2026, 10, 1, 8, 0, tzinfo=SHANGHAI)
BOARD = "/hotline/desk/board"
ROLES = ("agent", "dispatcher", "unit_officer", "reviewer", "inspector", "supervisor", "admin")


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


def led_to(page: str) -> list[str]:
    bar = page.split('class="desk-bar"', 1)[1].split("</nav>", 1)[0]
    return re.findall(r'href="([^"]+)"', bar)


@pytest.mark.parametrize("role", ROLES)
async def test_the_bar_leads_to_nothing_that_turns_one_away_and_stands_wherever_it_leads(
    client: Client, role: str
) -> None:
    who = client.as_(role, unit="A3" if role == "unit_officer" else None)

    bar = led_to((await who.get("/hotline/tickets")).text)

    answers = {path: await who.get(path, follow_redirects=True) for path in bar}
    assert {path: each.status_code for path, each in answers.items()} == dict.fromkeys(bar, 200)
    assert [path for path, each in answers.items() if led_to(each.text) != bar] == []
    assert "/hotline/tickets" in bar


async def test_the_supervisor_is_led_to_all_there_is_to_watch(client: Client) -> None:
    bar = led_to((await client.as_("supervisor").get(BOARD)).text)

    watched = ("supervisions", "hot-issues", "assessment", "contacts", "knowledge-items")
    assert [each for each in watched if f"/hotline/{each}" not in bar] == []


async def test_the_board_shows_the_cards_that_were_given_and_no_longer_counts_a_waived_one(
    client: Client, service: Service, kit: Kit, filed: Any, clock: Clock
) -> None:
    center = client.as_("supervisor", subject="c-1")
    before = (await center.get(BOARD)).text
    await filed(NOW, unit="A3")
    await service.sweeper(kit).sweep(now=OVER)
    clock.now = OVER

    given = (await center.get(BOARD)).text
    (link,) = re.findall(r'<li><a href="(/hotline/supervisions/[^"]+)">A3政府</a>', given)
    record = await center.get(link.replace("/hotline/", "/hotline/v1/"))
    card = record.json()["cards"][0]["id"]
    waived = await client.as_("inspector", subject="i-1").post(
        f"{record.request.url.path}/cards/{card}/waive",
        json={"reason": "FORCE_MAJEURE"},
        headers={"If-Match": record.headers["etag"]},
    )
    after = (await center.get(BOARD)).text

    assert "还没有发过牌" in before
    assert "黄牌 1 张" in given
    assert waived.status_code == 200, waived.text
    assert "黄牌 0 张" in after
    assert "免除" in after


async def test_the_board_shows_what_was_raised_with_its_heat(
    client: Client, service: Service, kit: Kit
) -> None:
    center = client.as_("supervisor")
    before = (await center.get(BOARD)).text
    for n in range(12):
        await _bring(kit, n)
    await service.sweeper(kit).sweep(now=NOW + timedelta(minutes=6))

    after = (await center.get(BOARD)).text

    assert "近期没有提请关注的热点" in before
    assert "搅拌站" in after
    assert "热度36　12件" in after
    assert after.count("<polyline") == 1


async def test_who_may_not_see_cards_or_issues_has_a_board_without_them(client: Client) -> None:
    page = (await client.as_("inspector").get(BOARD)).text
    other = (await client.as_("unit_officer", unit="A3").get(BOARD)).status_code

    assert ("黄牌、红牌" in page, "<h2>热点</h2>" in page) == (True, True)
    assert other == 403


async def test_a_ticket_shows_its_supervisions_and_leads_to_them(
    client: Client, officer: Client, service: Service, kit: Kit, filed: Any, clock: Clock
) -> None:
    made = await filed(NOW, unit="A3")
    await service.sweeper(kit).sweep(now=OVER)
    clock.now = OVER

    hub = (await client.as_("supervisor").get(f"/hotline/tickets/{made.id}")).text
    own = (await officer.get(f"/hotline/tickets/{made.id}")).text
    agent = (await client.as_("agent").get(f"/hotline/tickets/{made.id}")).text

    for page in (hub, own):
        assert "书面督办" in page
        assert "/hotline/supervisions/" in page
    assert "书面督办" not in agent


async def test_an_officer_takes_a_ticket_in_hand_and_hands_it_to_a_colleague(
    client: Client, officer: Client, filed: Any
) -> None:
    made = await filed(NOW, unit="A3")
    url = f"/hotline/tickets/{made.id}"
    colleague = client.as_("unit_officer", subject="u-9", unit="A3")
    await officer.post(
        "/hotline/contacts/new",
        data={
            "unit_code": "A3",
            "role": "liaison",
            "name": "张三丰",
            "post": "科员",
            "mobile": "13812345678",
            "email": "",
            "officer": "u-9",
            "completed_on": "2026-09-21",
        },
    )

    fresh = (await officer.get(url)).text
    taken = await officer.post(f"{url}/officer", data={})
    mine = (await officer.get(url)).text
    given = await officer.post(f"{url}/officer", data={"officer": "u-9"})
    seen = (await colleague.get(url)).text
    foreign = await client.as_("unit_officer", unit="A7").post(f"{url}/officer", data={})
    hub = (await client.as_("dispatcher").get(url)).text

    assert "还没有人经办" in fresh
    assert '<option value="u-9">张**　科员</option>' in fresh
    assert taken.status_code == given.status_code == 303
    assert "本人经办" in mine
    assert "本人经办" in seen
    assert foreign.status_code in (403, 404)
    assert "经办人</h3>" not in hub


async def _bring(kit: Kit, n: int) -> None:
    at = NOW - timedelta(minutes=n)
    new = Registration(
        ticket_id=new_id(at),
        query_code="12345678",
        appeal=Appeal(
            channel=Channel.PHONE,
            channel_order_no=None,
            appeal_type=AppealType.COMPLAINT,
            urgency=Urgency.NORMAL,
            matter_code="HB01",
            title=f"丽发新城附近搅拌站噪音扰民（{n}）",
            content="丽发新城旁边新建了混凝土搅拌站，粉尘和噪音严重",
        ),
        person=Complainant(phone=f"138{n:08}"),
        actor="d-1",
    )
    rules = await operations.rules_at(kit, now=at)
    async with kit.db.transaction() as tx:
        await operations.register(tx, new=new, rules=rules, sealer=Sealer(kit.secret), now=at)
