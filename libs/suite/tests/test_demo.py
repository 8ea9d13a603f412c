"""The demo city, built once: these look at it only."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from tongban_common.auth import SESSION_COOKIE
from tongban_common.issuer import DevelopmentIssuer
from tongban_hotline_dispatch.operations import hot_issues
from tongban_suite.city import City
from tongban_suite.demo import build_demo, citizens_numbers, review_links
from tongban_suite.front import ROLES, Role
from tongban_suite.home import Home
from tongban_suite.run import gateway
from tongban_suite.story import CALLER

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
async def demo(emptied: Callable[[], AbstractAsyncContextManager[City]]) -> AsyncIterator[City]:
    async with emptied() as city:
        await build_demo(city, today=NOW, console=Console(quiet=True))
        yield city


async def test_the_demo_city_lives_a_quarter_and_every_page_opens(
    demo: City, tmp_path: Path
) -> None:
    transport = httpx.ASGITransport(app=gateway(demo, Home(tmp_path)))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        portal = await client.get("/")
        bulletin = re.search(r'href="(/publishing/bulletins/[0-9a-f-]+)"', portal.text)
        assert bulletin is not None
        page = await client.get(bulletin.group(1))
        card = re.search(r'href="(/scoring/scorecards/[0-9a-f-]+)"', page.text)
        assert card is not None
        assert "得分如何算出" in (await client.get(card.group(1))).text
        assert (await client.get("/hotline/tickets")).status_code == 401
        assert "<feed" in (await client.get("/publishing/feed.atom")).text


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.key)
async def test_nobody_is_led_to_a_page_that_turns_him_away(
    role: Role, demo: City, tmp_path: Path, issuer: DevelopmentIssuer
) -> None:
    transport = httpx.ASGITransport(app=gateway(demo, Home(tmp_path)))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        token = issuer.token(subject="demo", roles=list(role.roles), unit=role.unit)
        client.cookies.set(SESSION_COOKIE, token)
        landed = await client.get(role.desk, follow_redirects=True)
        navigation = landed.text.split('aria-label="主导航"')[1].split("</nav>")[0]
        links = re.findall(r'href="([^"]+)"', navigation)
        opened = {link: await client.get(link, follow_redirects=True) for link in links}

    assert landed.status_code == 200
    assert {link: page.status_code for link, page in opened.items()} == dict.fromkeys(links, 200)


async def test_a_role_is_picked_on_the_sign_in_page(demo: City, tmp_path: Path) -> None:
    home = Home(tmp_path)
    for station in demo.stations.values():
        assert station.kit.settings.issuer is not None
    transport = httpx.ASGITransport(app=gateway(demo, home))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        choices = await client.get("/sign-in")
        answer = await client.post("/sign-in", data={"role": "dispatcher"})
        left = await client.post("/sign-out")
        unknown = await client.post("/sign-in", data={"role": "bogus"})
        shown = await client.post(
            "/sign-in", data={"role": "bogus"}, headers={"accept": "text/html"}
        )

    assert "话务" in choices.text
    assert answer.status_code == 303
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert left.status_code == 303
    assert (unknown.status_code, unknown.json()["code"]) == (422, "sign_in.unknown_role")
    assert "set-cookie" not in unknown.headers
    assert shown.status_code == 422
    assert "没有这个身份" in shown.text


async def test_the_demo_prints_a_review_link_that_opens(demo: City, tmp_path: Path) -> None:
    (link,) = await review_links(demo, "http://test")
    transport = httpx.ASGITransport(app=gateway(demo, Home(tmp_path)))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        page = await client.get(link)

    assert page.status_code in {200, 410}
    assert "评价" in page.text


async def test_the_demo_prints_numbers_that_open_tickets_and_a_caller_whom_the_desk_knows(
    demo: City, tmp_path: Path, issuer: DevelopmentIssuer
) -> None:
    (_, *open_one), (_, *closed_one) = await citizens_numbers(demo)
    transport = httpx.ASGITransport(app=gateway(demo, Home(tmp_path)))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        pages = []
        for number, code in (open_one, closed_one):
            body = {"ticket_no": number, "query_code": code}
            assert (await client.post("/hotline/progress", data=body)).status_code == 303
            pages.append((await client.get("/hotline/progress")).text)
        link = pages[1].split('href="/evaluation/t/')[1].split('"')[0]
        led = await client.get(f"/evaluation/t/{link}")
        review = await client.get(led.headers["location"])
        client.cookies.set(SESSION_COOKIE, issuer.token(subject="demo-agent", roles=["agent"]))
        beside = await client.post("/hotline/desk/agent/hints", data={"phone": CALLER})

    assert "撤回诉求" in pages[0]
    assert led.status_code == 303
    assert review.status_code in {200, 410}
    assert beside.text.count("list__title") == 4


async def test_callbacks_and_reappraisals_lie_on_their_desks(
    demo: City, tmp_path: Path, issuer: DevelopmentIssuer
) -> None:
    transport = httpx.ASGITransport(app=gateway(demo, Home(tmp_path)))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        client.cookies.set(SESSION_COOKIE, issuer.token(subject="demo-review", roles=["reviewer"]))
        desk = (await client.get("/hotline/desk/callbacks")).text
        pages = {
            state: (await client.get("/hotline/reappraisals", params={"state": state})).text
            for state in ("at_county", "at_city", "passed", "failed")
        }

    assert desk.count("/take") >= 2
    assert "没有复核申请" not in pages["passed"] + pages["failed"]
    assert "没有复核申请" not in pages["at_county"] or "没有复核申请" not in pages["at_city"]


async def test_the_hotline_of_the_demo_is_at_work_on_every_page(
    demo: City, tmp_path: Path, issuer: DevelopmentIssuer
) -> None:
    transport = httpx.ASGITransport(app=gateway(demo, Home(tmp_path)))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        token = issuer.token(subject="demo-all", roles=["supervisor", "dispatcher"])
        client.cookies.set(SESSION_COOKIE, token)
        shown = {
            path: (await client.get(f"/hotline/{path}")).text
            for path in (
                "desk/board",
                "desk/dispatch?tab=dispatch",
                "assessment",
                "contacts",
                "knowledge-items",
                "knowledge?q=加装电梯",
            )
        }

    kit = demo.kit("hotline")
    rules = await hot_issues.rules_of(kit, now=NOW)
    async with kit.db.reading() as reads:
        raised = await hot_issues.raised(reads, rules, now=NOW, most=5)
    board = shown["desk/board"]
    assert "还没有发过牌" not in board
    assert [each.told.title for each in raised] == ["村道塌方需要抢修"]
    assert shown["desk/dispatch?tab=dispatch"].count("演示市派单目录") == 6
    assert shown["assessment"].count("<h2>") >= 2
    assert "赵**" in shown["contacts"]
    assert "已发布" in shown["knowledge-items"]
    assert "<mark>" in shown["knowledge?q=加装电梯"]


async def test_nothing_is_lost_doubled_or_dead_in_the_demo(demo: City) -> None:
    for station in demo.stations.values():
        assert station.inbox.outcomes["gap"] == 0
        assert station.inbox.outcomes["duplicate"] == 0
        assert station.inbox.outcomes["dead"] == 0


async def test_no_page_loads_anything_from_another_host(demo: City, tmp_path: Path) -> None:
    transport = httpx.ASGITransport(app=gateway(demo, Home(tmp_path)))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for path in ("/", "/publishing/bulletins", "/scoring/scorecards", "/scoring/rules"):
            page = await client.get(path)
            loaded = re.findall(r'(?:src|href)="(https?://[^"]+)"', page.text)
            assert loaded == [], path
            assert "default-src 'self'" in page.headers["content-security-policy"]
