"""What people see: the form behind a link, its ends, and the pages of staff."""

from typing import Any

import pytest
from sqlalchemy import select

from tongban_common.db import Database
from tongban_common.testing import Client, Clock
from tongban_evaluation.store.reviews import review


async def test_the_form_asks_level_first_and_then_offers_its_tags(
    client: Client, token: Any
) -> None:
    link = await token()

    first = await client.get(f"/evaluation/r/{link}")
    second = await client.get(f"/evaluation/r/{link}?level=2&via=sms")

    assert (first.status_code, first.headers["cache-control"]) == (200, "no-store")
    for name in ("非常满意", "满意", "基本满意", "不满意", "非常不满意"):
        assert f">{name}</a>" in first.text
    assert "食品经营许可" in first.text
    assert "<textarea" not in first.text
    assert "<script" not in first.text + second.text
    assert second.text.count('type="checkbox"') == 8
    assert "未在承诺时间内办结" in second.text
    assert 'value="sms"' in second.text


async def test_submitting_thanks_and_the_link_then_shows_what_was_said(
    client: Client, token: Any, db: Database
) -> None:
    address = f"/evaluation/r/{await token()}"

    sent = await client.post(
        address,
        data={
            "level": "2",
            "tags": ["209", "214"],
            "comment": "请回电13812345678",
            "via": "qr",
        },
    )
    shown = await client.get(address)

    assert (sent.status_code, sent.headers["location"]) == (303, address)
    assert "感谢您的评价" in shown.text
    assert "服务态度生硬" in shown.text
    assert "138****5678" in shown.text
    assert "13812345678" not in shown.text
    assert "<form" not in shown.text
    async with db.reading() as connection:
        (kept,) = (await connection.execute(select(review))).all()
    assert (kept.level, kept.tags, kept.channel) == (2, ["209", "214"], "qr")
    assert kept.comment == "请回电13812345678"


@pytest.mark.parametrize(
    ("form", "message"),
    [
        pytest.param({"level": "1", "comment": " "}, "选择一个标签或者写明原因", id="没有原因"),
        pytest.param({"level": "1", "comment": "字" * 501}, "评价文字不超过500字", id="太长"),
        pytest.param({"level": "1", "comment": "慢\x00"}, "无法识别的字符", id="空字符"),
        pytest.param({"level": "1", "comment": "\u202e慢"}, "无法识别的字符", id="反向文字"),
        pytest.param({"level": "1", "tags": "510"}, "评价标签不属于所选等级", id="别级的标签"),
    ],
)
async def test_a_form_with_a_fault_comes_back_with_what_was_written(
    client: Client, token: Any, form: dict[str, str], message: str
) -> None:
    answer = await client.post(f"/evaluation/r/{await token()}", data=form)

    assert answer.status_code == 422
    assert message in answer.text
    assert "需要更正" in answer.text
    assert form.get("comment", "").strip("\x00 ") in answer.text


async def test_a_form_without_a_level_is_refused(client: Client, token: Any) -> None:
    answer = await client.post(f"/evaluation/r/{await token()}", data={"comment": "好"})

    assert answer.status_code == 422


async def test_words_are_shown_as_words(client: Client, token: Any) -> None:
    address = f"/evaluation/r/{await token()}"
    await client.post(address, data={"level": "1", "comment": "<script>alert(1)</script>"})

    shown = await client.get(address)

    assert "<script>" not in shown.text
    assert "&lt;script&gt;" in shown.text


async def test_a_link_after_its_window_says_so(client: Client, token: Any, clock: Clock) -> None:
    address = f"/evaluation/r/{await token()}"
    clock.forward(days=20)

    sent = await client.post(address, data={"level": "5"}, follow_redirects=True)

    assert sent.status_code == 410
    assert "评价期限已过" in sent.text
    assert "2026年10月13日 24:00" in sent.text


async def test_a_used_link_takes_nothing_more(client: Client, token: Any, db: Database) -> None:
    address = f"/evaluation/r/{await token()}"
    await client.post(address, data={"level": "5"})

    again = await client.post(address, data={"level": "1", "comment": "改"}, follow_redirects=True)

    assert "感谢您的评价" in again.text
    async with db.reading() as connection:
        assert (await connection.execute(select(review.c.level))).scalars().all() == [5]


async def test_staff_who_are_signed_in_see_no_form(client: Client, token: Any) -> None:
    address = f"/evaluation/r/{await token()}"
    who = client.as_("chief_rep", unit="U1")

    sent = await who.post(address, data={"level": "5"}, follow_redirects=True)

    assert sent.status_code == 403
    assert "工作人员不能代替办事人评价" in sent.text


async def test_a_link_that_is_not_ours_is_not_found(client: Client) -> None:
    answer = await client.get("/evaluation/r/AAAA")

    assert answer.status_code == 404


async def test_the_list_and_one_rectification_with_its_days(
    client: Client, rectification_id: str, clock: Clock
) -> None:
    clock.forward(days=12)
    who = client.as_("inspector")
    await client.as_("chief_rep", unit="U1").post(
        f"/evaluation/v1/rectifications/{rectification_id}/verify",
        json={
            "is_factual": True,
            "is_reasonable": True,
            "note": "窗口确有空岗",
            "root_cause": "discipline",
            "grade": "simple",
        },
        headers={"If-Match": '"1"'},
    )

    listed = await who.get("/evaluation/rectifications")
    filtered = await who.get("/evaluation/rectifications?status=closed")
    shown = await who.get(f"/evaluation/rectifications/{rectification_id}")

    assert rectification_id in listed.text
    assert "不满意" in listed.text
    assert "没有差评整改" in filtered.text
    for words in ("等了两个小时", "未在承诺时间内办结", "窗口确有空岗", "纪律松弛", "整改期限"):
        assert words in shown.text
    assert "核实期限：已超期" in shown.text
    assert "国庆节" in shown.text


async def test_the_pages_of_staff_are_for_staff(client: Client, rectification_id: str) -> None:
    address = f"/evaluation/rectifications/{rectification_id}"

    assert (await client.get(address)).status_code == 401
    assert (await client.as_("clerk", unit="U1").get(address)).status_code == 403
    assert (await client.as_("chief_rep", unit="U2").get(address)).status_code == 403
