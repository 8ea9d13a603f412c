"""The counter in a headless Chromium: a call by the keyboard alone, and the citizen's phone."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tongban_common.auth import SESSION_COOKIE
from tongban_common.browsers import faults_of
from tongban_common.issuer import DevelopmentIssuer
from tongban_common.service import Kit
from tongban_common.testing import Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.assignment import Reply
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved
from tongban_hotline_dispatch.operations import Step
from tongban_hotline_dispatch.operations.matters import first_catalogue
from tongban_hotline_dispatch.store import Complainant

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
PERSON = Complainant(name="张三丰", phone="13812345678")
AGENT, PROGRESS = "/hotline/desk/agent", "/hotline/progress"
PHONE = {"width": 360, "height": 740}
Opened = Callable[..., Awaitable[Page]]


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
async def opened(browser: Browser, site: str, issuer: DevelopmentIssuer) -> AsyncIterator[Opened]:
    """A page of an agent's, or of anybody's; nothing is loaded from elsewhere or refused."""
    contexts = []
    loaded: list[str] = []

    async def open_page(path: str, *, role: str | None = None, **look: Any) -> Page:
        context = await browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **look})
        contexts.append(context)
        context.set_default_timeout(10_000)
        if role is not None:
            token = issuer.token(subject=f"demo-{role}", roles=[role], unit=None)
            await context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": site}])
        page = await context.new_page()
        page.on("request", lambda request: loaded.append(request.url))
        page.on("console", lambda said: loaded.append(f"console: {said.text}"))
        await page.goto(site + path)
        return page

    yield open_page
    for context in contexts:
        await context.close()
    refused = "console: Failed to load resource"
    assert [each for each in loaded if not each.startswith((site, refused))] == []


async def closed(kit: Kit, ticket_id: Any) -> None:
    rules = await operations.rules_at(kit, now=NOW)
    step = Step(ticket_id=ticket_id, actor="u-1")
    heard = Heard(resolved=Resolved.YES, result=Mark.SATISFIED, process=Mark.SATISFIED)
    async with kit.db.transaction() as tx:
        await operations.sign(tx, step=step, rules=rules, now=NOW)
        answer = Reply.of("路灯已修复")
        await operations.reply(tx, step=step, answer=answer, rules=rules, now=NOW)
        await operations.close(tx, step=step, rules=rules, now=NOW, heard=heard)


async def typed(page: Page, *words: str) -> None:
    """From the field that has the focus on, a tab after each."""
    for each in words:
        await page.keyboard.type(each)
        await page.keyboard.press("Tab")


@pytest.mark.parametrize("script", [True, False], ids=["with the script", "without"])
async def test_a_call_is_registered_by_the_keyboard_alone(
    opened: Opened, filed: Any, script: bool
) -> None:
    earlier = await filed(NOW - timedelta(days=2), person=PERSON)
    page = await opened(AGENT, role="agent", java_script_enabled=script)

    await typed(page, "138 1234 5678", "张三丰")
    for key in ("ArrowDown", "ArrowDown", "Tab", "Tab"):  # 求助; 一般 stays
        await page.keyboard.press(key)
    await typed(page, "井盖松动", "人民路井盖松动，车过就响")
    if script:
        await expect(page.locator("#hints")).to_contain_text(earlier.ticket_no)
        await page.keyboard.press("Control+Enter")
    else:
        await page.keyboard.press("Enter")  # in the field after the content

    await expect(page.get_by_role("heading", name="已登记")).to_be_visible()
    number = await page.locator("#ticket-no").inner_text()
    code = await page.locator("#query-code").inner_text()
    told = page.locator("#told")
    await expect(told).to_contain_text(number)
    await expect(told).to_contain_text(code)
    assert await faults_of(page) == []
    await page.keyboard.press("Enter")  # the next one has the focus
    await expect(page.get_by_label("来电号码")).to_be_focused()


async def test_faults_are_beside_the_fields_and_the_first_has_the_focus(opened: Opened) -> None:
    page = await opened(AGENT, role="agent")

    await page.get_by_label("诉求内容").fill("写了很久的诉求")
    await page.get_by_label("诉求类型").select_option("complaint")
    await page.get_by_label("标题").fill("缺斤少两")
    await page.get_by_label("标题").press("Enter")

    await expect(page.get_by_role("alert")).to_contain_text("有 2 处需要更正")
    await expect(page.get_by_label("诉求内容")).to_have_value("写了很久的诉求")
    phone = page.get_by_label("来电号码")
    await expect(phone).to_have_attribute("aria-invalid", "true")
    assert await page.evaluate("document.activeElement.name") in {"phone", "target_name"}
    assert await faults_of(page) == []


async def test_what_is_suggested_is_taken_over_without_losing_a_word(
    opened: Opened, filed: Any, kit: Kit
) -> None:
    await first_catalogue(kit, now=NOW)
    parent = await filed(NOW - timedelta(hours=1), person=Complainant(phone="13900000000"))
    page = await opened(AGENT, role="agent")

    await page.get_by_label("诉求类型").select_option("consult")
    await page.get_by_label("标题").fill("路灯不亮")
    await page.get_by_label("诉求内容").fill("桂花路口的路灯已三天不亮")
    hints = page.locator("#hints")
    await expect(hints).to_contain_text("文字相近")
    await hints.get_by_role("button", name="路灯不亮或损坏").first.click()
    matter = page.get_by_label("事项", exact=False).first
    await expect(matter).to_have_value("01001001001 城市管理/市政设施/道路与照明/路灯不亮或损坏")
    await expect(page.get_by_label("诉求内容")).to_have_value("桂花路口的路灯已三天不亮")
    await expect(hints).to_contain_text("已选事项")
    await page.get_by_label("来电号码").fill("13812345678")
    await expect(hints).to_contain_text("没有往来记录")
    await hints.get_by_role("button", name=f"登记并并入 {parent.ticket_no}").click()

    await expect(page.get_by_text("已并单")).to_be_visible()


async def test_only_the_fields_of_the_way_of_ending_are_shown(opened: Opened) -> None:
    page = await opened(AGENT, role="agent")
    answer = page.get_by_label("答复内容")

    await expect(answer).to_be_hidden()
    await page.get_by_text("直接答复").click()
    await expect(answer).to_be_visible()
    await page.get_by_text("引导、转接").click()
    await expect(answer).to_be_hidden()
    await expect(page.get_by_label("引导情形")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_both_pages_can_be_read_at_any_width(
    opened: Opened, filed: Any, kit: Kit, width: int, scheme: Any
) -> None:
    look = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    await first_catalogue(kit, now=NOW)
    await filed(NOW - timedelta(days=2), person=PERSON)
    made = await filed(NOW, unit="A3", person=PERSON)
    found = {}

    agent = await opened(AGENT, role="dispatcher", **look)
    await agent.get_by_label("来电号码").fill("13812345678")
    await agent.get_by_label("诉求内容").fill("桂花路口的路灯已三天不亮")
    await expect(agent.locator("#hints")).to_contain_text("可能重复")
    await agent.get_by_text("引导、转接").click()
    citizen = await opened(PROGRESS, **look)
    found["asked"] = await faults_of(citizen)
    await citizen.get_by_label("工单编号").fill(made.ticket_no)
    await citizen.get_by_label("查询码").fill(made.query_code)
    await citizen.get_by_role("button", name="查询").first.click()
    await expect(citizen.get_by_text("您可以")).to_be_visible()
    for name, page in (("agent", agent), ("citizen", citizen)):
        for each in await page.locator("main summary").all():
            await each.click()
        found[name] = await faults_of(page)

    assert {name: faults for name, faults in found.items() if faults} == {}


async def entered(page: Page, number: str, code: str) -> None:
    await page.get_by_label("工单编号").fill(number)
    await page.get_by_label("查询码").fill("00000000")
    await page.get_by_role("button", name="查询").tap()
    await expect(page.get_by_role("alert")).to_contain_text("请核对")
    await page.get_by_label("查询码").fill(code)
    await page.get_by_role("button", name="查询").tap()
    assert code not in page.url


async def supplemented(page: Page) -> None:
    await page.get_by_text("补充情况").first.tap()
    await page.get_by_label("新的情况").fill("昨晚又灭了两盏")
    await page.get_by_role("button", name="提交补充").tap()
    await expect(page.get_by_role("status")).to_contain_text("已收到您补充的情况")
    await expect(page.get_by_text("昨晚又灭了两盏")).to_be_visible()


async def reopened(page: Page) -> None:
    await page.get_by_text("申请重启").first.tap()
    await page.get_by_label("重启事由").select_option("NEW_FACTS")
    await page.get_by_label("说明").fill("又灭了")
    await page.get_by_role("button", name="申请重启").tap()
    await expect(page.get_by_role("status")).to_contain_text("重新办理")


async def withdrawn(page: Page) -> None:
    await page.get_by_text("撤回诉求").first.tap()
    await page.get_by_label("我确认撤回").check()
    await page.get_by_role("button", name="撤回").tap()
    await expect(page.get_by_text("已撤单").first).to_be_visible()


async def test_a_citizen_follows_and_moves_his_ticket_on_a_phone_without_a_script(
    opened: Opened, filed: Any, kit: Kit
) -> None:
    made = await filed(NOW, unit="A3", person=PERSON)
    page = await opened(
        PROGRESS, viewport=PHONE, is_mobile=True, has_touch=True, java_script_enabled=False
    )

    await entered(page, made.ticket_no, made.query_code)
    day = page.get_by_text("中秋节放假").first
    await expect(day).to_be_hidden()
    await page.get_by_text("为何是这一天").tap()
    await expect(day).to_be_visible()
    await supplemented(page)
    await closed(kit, made.id)
    await page.reload()
    await expect(page.get_by_text("路灯已修复")).to_be_visible()
    link = page.get_by_role("link", name="去评价")
    assert str(await link.get_attribute("href")).startswith("/evaluation/t/")
    await reopened(page)
    await withdrawn(page)

    await page.get_by_role("button", name="退出查询").tap()
    await expect(page.get_by_role("status")).to_contain_text("已退出查询")
    await page.goto(page.url.split("?")[0])
    await expect(page.get_by_text("路灯不亮")).to_have_count(0)
