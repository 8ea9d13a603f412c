"""The callback desk and reappraisals in a headless Chromium, and how they look."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tongban_common.auth import SESSION_COOKIE
from tongban_common.browsers import faults_of
from tongban_common.issuer import DevelopmentIssuer
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved

NOW = datetime(2026, 9, 14, 10, 0, tzinfo=SHANGHAI)
DAY = timedelta(days=1)
DESK, REAPPRAISALS = "/hotline/desk/callbacks", "/hotline/reappraisals"
BAD = Heard(
    resolved=Resolved.NO,
    result=Mark.DISSATISFIED,
    process=Mark.BASICALLY,
    no_redo="POLICY_FORBIDS",
)


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW + 2 * DAY


@pytest.fixture
def visit(browser: Browser, site: str, issuer: DevelopmentIssuer) -> Any:
    async def open_page(role: str, path: str, *, width: int = 1280) -> Page:
        unit = "A3" if role == "unit_officer" else None
        token = issuer.token(subject=f"demo-{role}", roles=[role], unit=unit)
        context = await browser.new_context(viewport={"width": width, "height": 800})
        context.set_default_timeout(10_000)
        await context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": site}])
        page = await context.new_page()
        await page.goto(site + path)
        return page

    return open_page


async def test_a_call_is_taken_made_and_written_down(opened: Any, visit: Any) -> None:
    await (await opened()).reply(NOW + DAY)
    page = await visit("reviewer", DESK)

    await page.get_by_role("button", name="领取").click()
    await page.get_by_role("button", name="显示号码").click()
    await expect(page.get_by_text("13812345678")).to_be_visible()
    for group, answer in (("是否解决", "已解决"), ("对结果", "满意"), ("对过程", "基本满意")):
        box = page.get_by_role("group", name=group)
        await box.get_by_role("radio", name=answer, exact=True).check()
    await page.get_by_role("button", name="登记回访结果").click()

    await expect(page.get_by_text("已办理")).to_be_visible()
    await expect(page.get_by_text("没有待办的回访")).to_be_visible()
    await page.context.close()


@pytest.mark.parametrize("width", [1280, 360])
async def test_no_page_of_them_has_a_fault_of_looks_or_access(
    opened: Any, visit: Any, client: Client, width: int
) -> None:
    waits = await opened()
    await waits.reply(NOW + DAY)
    marked = await opened()
    await marked.reply(NOW + DAY)
    await marked.on_desk(NOW + 2 * DAY, lambda desk: desk.call_back(BAD))
    typed = {
        "ticket": str(marked.ticket.id),
        "on_result": "yes",
        "ground": "POLICY_FORBIDS",
        "words": "政策不允许",
        "evidence": "说明记录",
        "is_signed_off": "yes",
    }
    new = f"{REAPPRAISALS}/new"
    faults = {"unit list": await _faults(visit, "unit_officer", REAPPRAISALS, width)}
    asked = f"{new}?ticket={marked.ticket.id}"
    faults["form"] = await _faults(visit, "unit_officer", asked, width)
    made = await client.as_("unit_officer", subject="u-1", unit="A3").post(new, data=typed)

    for role, path in (
        ("reviewer", DESK),
        ("reviewer", f"{DESK}/{waits.ticket.id}"),
        ("reviewer", REAPPRAISALS),
        ("supervisor", made.headers["location"]),
        ("unit_officer", f"/hotline/tickets/{marked.ticket.id}"),
    ):
        faults[path] = await _faults(visit, role, path, width)

    assert {path: found for path, found in faults.items() if found} == {}


async def _faults(visit: Any, role: str, path: str, width: int) -> list[str]:
    page = await visit(role, path, width=width)
    found = await faults_of(page)
    await page.context.close()
    return list(found)
