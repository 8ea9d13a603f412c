"""A headless Chromium for the tests of pages, the best that this machine can give.

TEST_CHROMIUM names one; else a Chromium or Chrome on the path (`make browser` installs Debian's);
else the one that Playwright was told to fetch. Beside it, what a careful reader of a page would
check by hand: labels, names, contrast, width.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
# It asks its makers' hosts for news otherwise, also where there is no way to them.
_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class NoBrowser(Exception):
    """Nothing on this machine can show a page."""


async def executable() -> str:
    """Raises NoBrowser."""
    from playwright.async_api import async_playwright

    given = os.environ.get("TEST_CHROMIUM")
    found = given or next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        async with async_playwright() as playwright:
            found = playwright.chromium.executable_path
    if shutil.which(found) is None:
        raise NoBrowser("no Chromium: run `make browser`, or name one in TEST_CHROMIUM")
    return found


@asynccontextmanager
async def launched(path: str) -> AsyncIterator[Any]:
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(_QUIET))
        yield browser
        await browser.close()


async def faults_of(page: Any) -> list[str]:
    """What is wrong with the page as it is shown now; the rules are in page_rules.js."""
    rules = files("tongban_common").joinpath("page_rules.js").read_text()
    found: list[str] = await page.evaluate(rules)
    return found
