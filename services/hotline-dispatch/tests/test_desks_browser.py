"""The desks in a headless Chromium: a ticket's way over four of them, keys, and how they look."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tongban_common.auth import SESSION_COOKIE
from tongban_common.browsers import faults_of
from tongban_common.issuer import DevelopmentIssuer
from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.asking import Request
from tongban_hotline_dispatch.domain.assignment import AskKind, Reply
from tongban_hotline_dispatch.operations import Desk, Step
from tongban_hotline_dispatch.store import Complainant

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
PERSON = Complainant(name="张三丰", phone="13812345678")
DESK = "/hotline/desk"
Opened = Callable[..., Awaitable[Page]]


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
async def opened(browser: Browser, site: str, issuer: DevelopmentIssuer) -> AsyncIterator[Opened]:
    """A page of somebody's, signed in as the demo signs in: by a session cookie."""
    contexts = []
    loaded: list[str] = []

    async def open_page(role: str, path: str, *, width: int = 1280, **look: Any) -> Page:
        unit = "A3" if role == "unit_officer" else None
        token = issuer.token(subject=f"demo-{role}", roles=[role], unit=unit)
        context = await browser.new_context(viewport={"width": width, "height": 800}, **look)
        contexts.append(context)
        context.set_default_timeout(10_000)
        await context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": site}])
        page = await context.new_page()
        page.on("request", lambda request: loaded.append(request.url))
        page.on("console", lambda said: loaded.append(f"console: {said.text}"))
        await page.goto(site + path)
        return page

    yield open_page
    for context in contexts:
        await context.close()
    # Neither another host nor a breach of the content policy; a refusal's status is no news.
    refused = "console: Failed to load resource"
    assert [each for each in loaded if not each.startswith((site, refused))] == []


async def figures(page: Page) -> list[int]:
    return [int(each) for each in await page.locator(".figures dd").all_inner_texts()]


async def dispatched(page: Page) -> None:
    """Three at once, chosen by keys."""
    for key in "jxjxjx":
        await page.keyboard.press(key)
    await expect(page.locator("[data-count]")).to_have_text("已选 3 件")
    await page.get_by_label("派单给").select_option("A3")
    await page.get_by_role("button", name="派单选中的").click()
    await expect(page.get_by_text("已派单 3 件，未办成 0 件")).to_be_visible()


async def handled(page: Page) -> None:
    for step in ("签收", "已联系诉求人"):
        for _ in range(3):
            async with page.expect_navigation():
                await page.get_by_role("button", name=step).first.click()
    for _ in range(3):
        await page.get_by_role("link", name="答复").first.click()
        await page.get_by_label("公开答复").fill("路灯已修复，感谢您的监督。")
        await page.get_by_label("政策依据（可不填）").fill("城市照明管理规定第二十条")
        await page.get_by_role("button", name="答复").click()
        await expect(page.get_by_text("已办理")).to_be_visible()
        await page.get_by_role("link", name="承办台").click()
    await expect(page.get_by_text("没有在办的工单")).to_be_visible()


async def reviewed(page: Page) -> None:
    for _ in range(3):
        await page.locator("a.matter").first.click()
        await page.get_by_role("button", name="审核通过").click()
        await expect(page.get_by_text("待回访").first).to_be_visible()
        await page.get_by_role("link", name="派单台").click()


async def called_back(page: Page) -> None:
    for _ in range(3):
        await page.get_by_role("link", name="待回访").click()
        await page.locator("a.matter").first.click()
        for asked in ("是否解决", "对结果", "对过程"):
            await page.get_by_role("group", name=asked).locator("label").first.click()
        await page.get_by_role("button", name="登记回访结果").click()
        await expect(page.get_by_text("已办结").first).to_be_visible()
        await page.get_by_role("link", name="派单台").click()


async def test_three_tickets_go_over_every_desk_until_they_are_closed(
    opened: Opened, filed: Any
) -> None:
    for minutes in range(3):
        await filed(NOW - timedelta(minutes=10 - minutes), person=PERSON)
    board = await opened("supervisor", f"{DESK}/board")
    seen = [await figures(board)]

    for step, role, path in (
        (dispatched, "dispatcher", "dispatch"),
        (handled, "unit_officer", "unit"),
        (reviewed, "reviewer", "dispatch"),
        (called_back, "reviewer", "dispatch"),
    ):
        await step(await opened(role, f"{DESK}/{path}"))
        await board.reload()
        seen.append(await figures(board))

    # Open, due today, overdue, unsigned, asked for, to be called back.
    assert seen == [
        [3, 0, 0, 0, 0, 0],
        [3, 0, 0, 3, 0, 0],
        [3, 0, 0, 0, 0, 0],
        [3, 0, 0, 0, 0, 3],
        [0, 0, 0, 0, 0, 0],
    ]
    await expect(board.get_by_text("每日办结　共3件")).to_be_visible()


async def test_what_was_typed_is_still_there_when_somebody_else_was_first(
    opened: Opened, filed: Any, officer: Client, kit: Kit
) -> None:
    made = await filed(NOW, unit="A3", person=PERSON)
    await officer.post(f"/hotline/tickets/{made.id}/sign", data={"version": "2"})
    page = await opened("unit_officer", f"/hotline/tickets/{made.id}")
    await page.get_by_label("公开答复").fill("写了很久的答复")
    await officer.post(f"/hotline/tickets/{made.id}/contact", data={"version": "3"})

    await page.get_by_role("button", name="答复").click()
    await expect(page.get_by_role("alert")).to_contain_text("刚被他人办理过（先行联系）")
    await expect(page.get_by_label("公开答复")).to_have_value("写了很久的答复")
    await page.get_by_role("button", name="答复").click()

    await expect(page.get_by_text("已办理")).to_be_visible()
    await expect(page.get_by_text("写了很久的答复").first).to_be_visible()


async def test_a_list_is_walked_and_searched_by_keys(opened: Opened, filed: Any) -> None:
    first = await filed(NOW - timedelta(minutes=1), person=PERSON)
    await filed(NOW)
    page = await opened("dispatcher", f"{DESK}/dispatch")

    await page.keyboard.press("/")
    await page.keyboard.type("jk")
    await expect(page.locator("#find-no")).to_have_value("jk")
    await page.locator("#find-no").fill(first.ticket_no)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await expect(page.locator(".page-head__kicker")).to_have_text(f"工单 {first.ticket_no}")
    await page.go_back()
    await page.locator("h1").click()
    for key in ("j", "j", "k"):
        await page.keyboard.press(key)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await expect(page.locator(".page-head__kicker")).to_have_text(f"工单 {first.ticket_no}")
    assert "why" not in page.url
    await page.keyboard.press("Tab")
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


async def test_why_a_deadline_is_that_day_opens_on_one_click(opened: Opened, filed: Any) -> None:
    made = await filed(NOW, unit="A3", person=PERSON)
    page = await opened("dispatcher", f"/hotline/tickets/{made.id}")
    days = page.get_by_text("中秋节放假")

    await expect(days.first).to_be_hidden()
    await page.get_by_text("为何是这一天").first.click()

    await expect(days.first).to_be_visible()


@pytest.mark.parametrize(
    ("role", "path"),
    [
        ("dispatcher", f"{DESK}/dispatch?tab=running"),
        ("unit_officer", f"{DESK}/unit"),
        ("supervisor", f"{DESK}/board/list?what=open"),
    ],
)
async def test_the_day_on_a_list_leads_to_why_it_is_that_day_in_one_click(
    opened: Opened, filed: Any, role: str, path: str
) -> None:
    await filed(NOW, unit="A3", person=PERSON)
    page = await opened(role, path)

    await page.get_by_role("link", name="为何是这一天").first.click()

    await expect(page.get_by_text("中秋节放假").first).to_be_visible()


@pytest.fixture
async def busy(filed: Any, kit: Kit) -> str:
    """Desks with something on each, and a ticket that went a long way; its id."""
    await filed(NOW - timedelta(minutes=40))
    await filed(NOW - timedelta(days=20), unit="A3", person=PERSON)
    await filed(NOW, unit="A3")
    made = await filed(NOW - timedelta(hours=1), unit="A7", person=PERSON)
    rules = await operations.rules_at(kit, now=NOW)
    async with kit.db.transaction() as tx:
        step = Step(ticket_id=made.id, actor="d-1")
        await Desk(tx, step=step, rules=rules, now=NOW).transfer("A3")
    step = Step(ticket_id=made.id, actor="u-1", unit="A3")
    grounds: dict[str, Any] = {"reason": "须联合勘查", "citation": "条例第五十条", "amount": 2}
    async with kit.db.transaction() as tx:
        await operations.sign(tx, step=step, rules=rules, now=NOW)
        await Desk(tx, step=step, rules=rules, now=NOW).ask(
            Request(kind=AskKind.EXTENSION, by="u-1", grounds=grounds)
        )
    replied = await filed(NOW - timedelta(hours=2), unit="A3", person=PERSON)
    step = Step(ticket_id=replied.id, actor="u-1", unit="A3")
    async with kit.db.transaction() as tx:
        await operations.sign(tx, step=step, rules=rules, now=NOW)
        answer = Reply.of("已修复")
        await operations.reply(tx, step=step, answer=answer, rules=rules, now=NOW)
    return str(made.id)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_every_desk_can_be_read_and_worked_at_any_width(
    opened: Opened, busy: str, width: int, scheme: str
) -> None:
    found = {}
    for role, path in (
        ("dispatcher", f"{DESK}/dispatch"),
        ("dispatcher", f"{DESK}/dispatch?tab=running"),
        ("supervisor", f"{DESK}/dispatch?tab=asks"),
        ("unit_officer", f"{DESK}/unit"),
        ("supervisor", f"{DESK}/board"),
        ("supervisor", f"{DESK}/board/list?what=overdue"),
        ("dispatcher", "/hotline/tickets"),
        ("dispatcher", f"/hotline/tickets/{busy}"),
        ("unit_officer", f"/hotline/tickets/{busy}"),
        ("dispatcher", f"{DESK}/find?no=1"),
    ):
        page = await opened(role, path, width=width, color_scheme=scheme)
        for each in await page.locator("summary").all():
            await each.click()
        found[path] = await faults_of(page)
        await page.close()

    assert {path: faults for path, faults in found.items() if faults} == {}


async def test_a_ticket_is_printed_as_its_sheet(opened: Opened, busy: str) -> None:
    page = await opened("unit_officer", f"/hotline/tickets/{busy}")

    await page.emulate_media(media="print")

    await expect(page.get_by_text("12345热线工单流转单")).to_be_visible()
    await expect(page.get_by_text("分管领导").last).to_be_visible()
    await expect(page.get_by_role("button")).to_have_count(0)
