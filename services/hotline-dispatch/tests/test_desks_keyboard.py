"""The dispatcher's and the unit's desk with the keyboard alone: nothing here is clicked."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, FileChooser, Locator, Page, expect

from tongban_common.auth import SESSION_COOKIE
from tongban_common.issuer import DevelopmentIssuer
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.store import Complainant

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
PERSON = Complainant(name="张三丰", phone="13812345678")
DESK = "/hotline/desk"
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
Opened = Callable[[str, str], Awaitable[Page]]


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
async def opened(browser: Browser, site: str, issuer: DevelopmentIssuer) -> AsyncIterator[Opened]:
    contexts = []

    async def open_page(role: str, path: str) -> Page:
        unit = "A3" if role == "unit_officer" else None
        token = issuer.token(subject=f"demo-{role}", roles=[role], unit=unit)
        context = await browser.new_context(viewport={"width": 1280, "height": 800})
        contexts.append(context)
        context.set_default_timeout(10_000)
        await context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": site}])
        page = await context.new_page()
        page.on("filechooser", _is_awaited)  # else a key may come before the page is told to wait
        await page.goto(site + path)
        return page

    yield open_page
    for context in contexts:
        await context.close()


def _is_awaited(_: FileChooser) -> None:
    """By who pressed the key."""


async def reach(page: Page, wanted: Locator, *, most: int = 60) -> None:
    """By Tab alone, to the first of them, within so many presses."""
    for _ in range(most):
        await page.keyboard.press("Tab")
        if await wanted.first.evaluate("each => each === document.activeElement"):
            return
    raise AssertionError(f"not reached within {most} presses: {wanted}")


async def press(page: Page, name: str, *, role: str = "button", key: str = "Enter") -> None:
    await reach(page, page.get_by_role(role, name=name))  # type: ignore[arg-type]
    async with page.expect_navigation():
        await page.keyboard.press(key)


async def write(page: Page, label: str, words: str) -> None:
    await reach(page, page.get_by_label(label))
    await page.keyboard.insert_text(words)


async def test_the_dispatcher_assigns_and_decides_by_the_keyboard(
    opened: Opened, filed: Any, officer: Client
) -> None:
    for minutes in range(3):
        await filed(NOW - timedelta(minutes=10 - minutes), person=PERSON)
    held = await filed(NOW, unit="A3", person=PERSON)
    await officer.post(f"/hotline/tickets/{held.id}/sign", data={"version": "2"})
    page = await opened("dispatcher", f"{DESK}/dispatch?tab=dispatch")

    for key in "jxjxjx":
        await page.keyboard.press(key)
    await expect(page.locator("[data-count]")).to_have_text("已选 3 件")
    await reach(page, page.locator("#bulk-unit"))
    await page.keyboard.type("A3")
    await press(page, "派单选中的")
    await expect(page.get_by_text("已派单 3 件，未办成 0 件")).to_be_visible()

    unit = await opened("unit_officer", f"/hotline/tickets/{held.id}")
    await asked(unit)
    await press(page, "派单台", role="link")  # where something waits
    await reach(page, page.get_by_label("已告知诉求人"))
    await page.keyboard.press("Space")
    await press(page, "准予")
    await expect(page.get_by_text("没有等着审核的申请")).to_be_visible()
    await unit.reload()
    await expect(unit.get_by_text("准予延期").first).to_be_visible()


async def asked(page: Page) -> None:
    await reach(page, page.locator("summary", has_text="申请延期"))
    await page.keyboard.press("Enter")
    form = page.locator("details[open] form").filter(has=page.get_by_label("延长多少"))
    for label, words in (("理由", "须联合勘查"), ("依据", "条例第五十条"), ("延长多少", "2")):
        await reach(page, form.get_by_label(label))
        await page.keyboard.insert_text(words)
    await reach(page, form.get_by_label("分管领导已审签"))
    await page.keyboard.press("Space")
    await reach(page, form.get_by_role("button"))
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await expect(page.get_by_text("已办理")).to_be_visible()


async def test_the_unit_signs_contacts_answers_with_a_file_by_the_keyboard(
    opened: Opened, filed: Any
) -> None:
    await filed(NOW, unit="A3", person=PERSON)
    page = await opened("unit_officer", f"{DESK}/unit")

    await press(page, "签收")
    await press(page, "已联系诉求人")
    await press(page, "答复", role="link")
    await write(page, "公开答复", "路灯已修复，感谢您的监督。")
    await attach(page, "木马.exe", b"MZ" + bytes(200))
    await press(page, "答复")
    await expect(page.get_by_role("alert")).to_contain_text("不是可以接收的文件类型")
    await expect(page.get_by_label("公开答复")).to_have_value("路灯已修复，感谢您的监督。")
    await attach(page, "照片.pdf", PDF)
    await press(page, "答复")

    await expect(page.get_by_text("已办理")).to_be_visible()
    await expect(page.get_by_role("link", name="照片.pdf")).to_be_visible()


async def attach(page: Page, name: str, content: bytes) -> None:
    await reach(page, page.locator("form[action$='/reply'] input[type=file]"))
    async with page.expect_file_chooser() as chosen:
        await page.keyboard.press("Space")
    chooser = await chosen.value
    await chooser.set_files({"name": name, "mimeType": "application/pdf", "buffer": content})
