"""The rules that a page is read by find what they are there to find."""

from typing import Any

import pytest

from tongban_common.browsers import faults_of

GOOD = (
    '<html lang="zh-CN"><title>页</title><style>input { height: 30px; }</style><body>'
    '<main><h1>页</h1><label for="a">名</label><input id="a">PART</main></body></html>'
)


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        ("", None),
        ('<input name="b">', "no label"),
        ("<button></button>", "no name"),
        ('<p id="a">两次</p>', "the id is there twice"),
        ('<p style="color: #999">淡</p>', "contrast 2.85"),
        ('<p style="color: #999">淡</p>', "inline"),
        ('<table style="width: 2000px"><caption>表</caption><tr><td>宽</td></tr></table>', "wider"),
        ("<table><tr><td>无题</td></tr></table>", "no caption"),
        ('<a href="/" tabindex="3">链</a>', "tabindex"),
        ('<img src="data:,">', "no text instead"),
        ('<span aria-describedby="gone">话</span>', "described by nothing"),
        ("<h1>又一</h1>", "2 h1"),
    ],
)
async def test_a_page_is_found_to_be_at_fault(browser: Any, part: str, fault: str | None) -> None:
    page = await browser.new_page(viewport={"width": 360, "height": 600})

    await page.set_content(GOOD.replace("PART", part))
    found = await faults_of(page)
    await page.close()

    assert (found == []) if fault is None else any(fault in each for each in found), found
