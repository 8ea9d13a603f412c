"""The HTTP edge: reviews by link, rectification by If-Match, and every kind of no."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select

from tongban_common.audit import audit
from tongban_common.db import Database
from tongban_common.testing import Client, Clock
from tongban_evaluation.store.reviews import review

REVIEWS = "/evaluation/v1/reviews"
RECTIFICATIONS = "/evaluation/v1/rectifications"
VERIFIED = {
    "is_factual": True,
    "is_reasonable": True,
    "note": "情况属实",
    "root_cause": "attitude",
    "grade": "complex",
}


def refused(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


async def moved(client: Client, id_: str, action: str, version: int, **body: Any) -> httpx.Response:
    """The action by somebody who may do it."""
    roles = {"verify": "chief_rep", "rectify": "chief_rep"}
    who = client.as_(roles.get(action, "inspector"), unit="U1")
    return await who.post(
        f"{RECTIFICATIONS}/{id_}/{action}",
        json=body or None,
        headers={"If-Match": f'"{version}"'},
    )


async def count(db: Database, table: Any) -> int:
    async with db.reading() as connection:
        found: int = (
            await connection.execute(select(func.count()).select_from(table))
        ).scalar_one()
        return found


async def test_a_review_by_its_link(client: Client, token: Any) -> None:
    answer = await client.post(
        REVIEWS, json={"token": await token(), "level": 5, "tags": ["510"], "channel": "qr"}
    )

    assert answer.status_code == 201
    given = answer.json()
    assert (given["level"], given["tags"], given["channel"]) == (5, ["510"], "qr")
    assert "comment" not in given


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param({"level": 2}, 422, "review.reason_missing", id="差评须有原因"),
        pytest.param(
            {"level": 2, "tags": ["510"]}, 422, "review.tag_of_another_level", id="标签属于另一等级"
        ),
        pytest.param({"level": 2, "tags": ["201"]}, 422, "review.tag_not_in_force", id="旧标签"),
        pytest.param({"level": 2, "tags": ["299"]}, 422, "review.unknown_tag", id="没有的标签"),
        pytest.param(
            {"level": 1, "comment": "字" * 501}, 422, "review.comment_too_long", id="五百零一字"
        ),
        pytest.param({"level": 1, "comment": "慢\x07"}, 422, "request.invalid", id="控制字符"),
        pytest.param({"level": 1, "comment": "\u202e慢"}, 422, "request.invalid", id="反向文字"),
        pytest.param({"level": 1, "comment": "慢\x00"}, 422, "request.nul", id="空字符"),
        pytest.param({"level": 6}, 422, "request.invalid", id="没有第六级"),
        pytest.param({"level": "好"}, 422, "request.invalid", id="等级不是数"),
        pytest.param({"level": 5, "name": "张三"}, 422, "request.invalid", id="多余的字段"),
        pytest.param({"level": 5, "tags": ["510"] * 21}, 422, "request.invalid", id="标签过多"),
        pytest.param({"level": 5, "channel": "paper"}, 422, "request.invalid", id="没有的渠道"),
    ],
)
async def test_a_review_that_breaks_a_rule_is_refused_and_the_link_stays_good(
    client: Client, token: Any, body: dict[str, Any], status: int, code: str
) -> None:
    link = await token()

    answer = await client.post(REVIEWS, json={"token": link, **body})

    assert refused(answer) == (status, code)
    assert "张三" not in answer.text
    assert (await client.post(REVIEWS, json={"token": link, "level": 5})).status_code == 201


async def test_a_body_that_is_not_json_is_refused(client: Client) -> None:
    answer = await client.post(
        REVIEWS, content=b"level=5", headers={"content-type": "application/json"}
    )

    assert refused(answer) == (400, "request.not_json")


@pytest.mark.parametrize(
    ("kept", "put"),
    [
        pytest.param(slice(1, None), "Z", id="改了一个字符"),
        pytest.param(slice(0, -4), "", id="截短"),
        pytest.param(slice(22, None), "", id="只有签名"),
        pytest.param(slice(0, 0), "评价", id="汉字"),
        pytest.param(slice(0, 0), "0" * 43, id="猜的"),
    ],
)
async def test_a_token_that_is_not_ours_opens_nothing(
    client: Client, token: Any, kept: slice, put: str
) -> None:
    spoiled = put + (await token())[kept]

    answer = await client.post(REVIEWS, json={"token": spoiled, "level": 5})

    assert refused(answer) == (404, "invitation.not_found")


async def test_a_link_is_used_once(client: Client, token: Any) -> None:
    link = await token()
    await client.post(REVIEWS, json={"token": link, "level": 5})

    answer = await client.post(REVIEWS, json={"token": link, "level": 1, "comment": "改主意了"})

    assert refused(answer) == (409, "evaluation.already_reviewed")


async def test_a_link_ends_with_its_window(client: Client, token: Any, clock: Clock) -> None:
    link = await token()
    clock.forward(days=14)

    answer = await client.post(REVIEWS, json={"token": link, "level": 5})

    assert refused(answer) == (410, "invitation.expired")


async def test_ten_at_once_leave_exactly_one_review(
    client: Client, token: Any, db: Database
) -> None:
    link = await token()

    answers = await asyncio.gather(
        *(
            client.post(REVIEWS, json={"token": link, "level": level, "comment": "同时"})
            for level in [1, 2, 3, 4, 5] * 2
        )
    )

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 9}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {
        "evaluation.already_reviewed"
    }
    assert await count(db, review) == 1


async def test_the_same_key_gets_the_same_answer(client: Client, token: Any, db: Database) -> None:
    body = {"token": await token(), "level": 5}
    headers = {"Idempotency-Key": "a-key-of-the-phone"}

    answers = await asyncio.gather(
        *(client.post(REVIEWS, json=body, headers=headers) for _ in range(5))
    )

    assert {(answer.status_code, answer.text) for answer in answers} == {(201, answers[0].text)}
    assert await count(db, review) == 1


@pytest.mark.parametrize("role", ["chief_rep", "center_admin", "admin"])
async def test_staff_cannot_review_for_anybody(client: Client, token: Any, role: str) -> None:
    answer = await client.as_(role, unit="U1").post(
        REVIEWS, json={"token": await token(), "level": 5}
    )

    assert refused(answer) == (403, "review.staff_may_not")


async def test_who_was_shown_a_link_is_on_record(client: Client, token: Any, db: Database) -> None:
    await token()

    async with db.reading() as connection:
        (row,) = (await connection.execute(select(audit))).all()
    assert (row.actor, row.action) == ("staff-1", "invitation.link_shown")


async def test_a_link_is_shown_to_those_who_may_see_it_and_tells_nothing_of_a_person(
    client: Client, token: Any
) -> None:
    link = await token()
    address = f"/evaluation/v1/invitations/case/{UUID(int=1)}"

    assert len(link) == 43
    assert refused(await client.get(address)) == (401, "auth.sign_in_needed")
    assert refused(await client.as_("clerk").get(address)) == (403, "auth.not_permitted")
    answer = await client.as_("inspector").get(address)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["due_at"] == "2026-10-13T23:59:59.999999+08:00"
    missing = await client.as_("inspector").get(f"/evaluation/v1/invitations/case/{UUID(int=9)}")
    assert refused(missing) == (404, "invitation.not_found")
    assert refused(
        await client.as_("inspector").get(f"/evaluation/v1/invitations/person/{UUID(int=1)}")
    ) == (422, "request.invalid")


async def test_from_a_bad_review_to_its_end(
    client: Client, clock: Clock, rectification_id: str
) -> None:
    verified = await moved(client, rectification_id, "verify", 1, **VERIFIED)
    assert (verified.status_code, verified.headers["etag"]) == (200, '"2"')
    assert verified.json()["due_at"] == "2026-10-27T23:59:59.999999+08:00"

    clock.forward(days=20)
    rectified = await moved(client, rectification_id, "rectify", 2, measures="增开窗口")
    called = await moved(client, rectification_id, "call-back", 3, answer="satisfied")
    closed = await moved(client, rectification_id, "close", 4)

    assert [each.json()["status"] for each in (rectified, called, closed)] == [
        "rectified",
        "called_back",
        "closed",
    ]
    shown = await client.as_("chief_rep", unit="U1").get(f"{RECTIFICATIONS}/{rectification_id}")
    found = shown.json()
    assert shown.headers["etag"] == '"5"'
    assert (found["outcome"], found["comment"]) == ("rectified", "等了两个小时")
    assert [step["action"] for step in found["steps"]] == [
        "open",
        "verify",
        "rectify",
        "call_back",
        "close",
    ]
    assert [clock["stage"] for clock in found["clocks"]] == ["verify", "rectify", "callback"]
    assert not any(clock["is_overdue"] for clock in found["clocks"])
    days = found["clocks"][0]["explanation"]["days"]
    assert days[0]["reason"].startswith("起算")
    assert [day["number"] for day in days if day["counted"]] == [1]
    assert days[-1]["day"] == "2026-10-08"


async def test_a_stage_done_late_is_shown_late(
    client: Client, clock: Clock, rectification_id: str
) -> None:
    clock.forward(days=12)
    await moved(client, rectification_id, "verify", 1, **VERIFIED)

    shown = await client.as_("inspector").get(f"{RECTIFICATIONS}/{rectification_id}")

    assert [each["is_overdue"] for each in shown.json()["clocks"]] == [True, False]


@pytest.mark.parametrize(
    ("action", "body", "status", "code"),
    [
        ("rectify", {"measures": "增开窗口"}, 409, "rectification.illegal_move"),
        ("call-back", {"answer": "satisfied"}, 409, "rectification.illegal_move"),
        ("close", {}, 409, "rectification.illegal_move"),
        ("verify", {**VERIFIED, "grade": None}, 422, "rectification.cause_missing"),
        ("verify", {**VERIFIED, "is_factual": False}, 422, "rectification.cause_missing"),
        ("verify", {**VERIFIED, "note": ""}, 422, "request.invalid"),
        ("verify", {**VERIFIED, "root_cause": "weather"}, 422, "request.invalid"),
    ],
)
async def test_an_action_that_the_rules_do_not_allow_is_refused(
    client: Client, rectification_id: str, action: str, body: dict[str, Any], status: int, code: str
) -> None:
    assert refused(await moved(client, rectification_id, action, 1, **body)) == (status, code)


async def test_a_rectification_is_acted_on_as_it_was_seen(
    client: Client, rectification_id: str
) -> None:
    address = f"{RECTIFICATIONS}/{rectification_id}/verify"
    who = client.as_("chief_rep", unit="U1")

    assert refused(await who.post(address, json=VERIFIED)) == (
        428,
        "precondition.if_match_missing",
    )
    bad = await who.post(address, json=VERIFIED, headers={"If-Match": "new"})
    assert refused(bad) == (400, "precondition.bad_if_match")
    stale = await who.post(address, json=VERIFIED, headers={"If-Match": '"3"'})
    assert refused(stale) == (412, "precondition.changed_meanwhile")


async def test_twenty_at_once_with_one_version_move_it_once(
    client: Client, rectification_id: str
) -> None:
    answers = await asyncio.gather(
        *(moved(client, rectification_id, "verify", 1, **VERIFIED) for _ in range(20))
    )

    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 19}


@pytest.mark.parametrize(
    ("role", "unit", "action", "code"),
    [
        pytest.param("chief_rep", "U2", "verify", "rectification.not_your_unit", id="别的单位"),
        pytest.param("chief_rep", None, "verify", "rectification.not_your_unit", id="没有单位"),
        pytest.param("clerk", "U1", "verify", "auth.not_permitted", id="被评价的窗口人员"),
        pytest.param("chief_rep", "U1", "close", "auth.not_permitted", id="承办单位不能自行办结"),
        pytest.param("inspector", None, "verify", "auth.not_permitted", id="督查不代为核实"),
    ],
)
async def test_who_may_not_act_is_refused(
    client: Client, rectification_id: str, role: str, unit: str | None, action: str, code: str
) -> None:
    answer = await client.as_(role, unit=unit).post(
        f"{RECTIFICATIONS}/{rectification_id}/{action}",
        json=VERIFIED,
        headers={"If-Match": '"1"'},
    )

    assert refused(answer) == (403, code)


async def test_a_unit_sees_its_own_rectifications_only(client: Client, token: Any) -> None:
    for number, unit in ((1, "U1"), (2, "U2"), (3, "U1")):
        link = await token(number, unit)
        await client.post(REVIEWS, json={"token": link, "level": 1, "comment": "慢"})

    own = await client.as_("chief_rep", unit="U1").get(RECTIFICATIONS, params={"unit": "U2"})
    every = await client.as_("inspector").get(RECTIFICATIONS)
    one = await client.as_("inspector").get(RECTIFICATIONS, params={"unit": "U2"})
    nobody = await client.as_("chief_rep").get(RECTIFICATIONS)

    def units(answer: httpx.Response) -> list[str]:
        return sorted(each["unit_code"] for each in answer.json()["items"])

    assert (units(own), units(every)) == (["U1", "U1"], ["U1", "U1", "U2"])
    assert (units(one), units(nobody)) == (["U2"], [])
    other = every.json()["items"]
    theirs = next(each["id"] for each in other if each["unit_code"] == "U2")
    hidden = await client.as_("chief_rep", unit="U1").get(f"{RECTIFICATIONS}/{theirs}")
    assert refused(hidden) == (403, "rectification.not_your_unit")


async def test_pages_follow_one_another_without_gap_or_overlap(client: Client, token: Any) -> None:
    for number in range(1, 6):
        link = await token(number)
        await client.post(REVIEWS, json={"token": link, "level": 1, "comment": "慢"})
    who = client.as_("inspector")

    seen: list[str] = []
    cursor: str | None = None
    for _ in range(4):
        params = {"limit": "2", "status": "opened"} | ({"cursor": cursor} if cursor else {})
        page = (await who.get(RECTIFICATIONS, params=params)).json()
        seen += [each["id"] for each in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break

    assert len(seen) == len(set(seen)) == 5
    assert seen == sorted(seen, reverse=True)
    first = (await who.get(RECTIFICATIONS, params={"limit": "2"})).json()["next"]
    tampered = await who.get(RECTIFICATIONS, params={"limit": "2", "cursor": first[:-2] + "AA"})
    assert refused(tampered) == (400, "page.bad_cursor")
    elsewhere = await who.get(RECTIFICATIONS, params={"cursor": first, "status": "closed"})
    assert refused(elsewhere) == (400, "page.bad_cursor")


async def test_a_rectification_that_is_not_there_is_not_found(client: Client) -> None:
    answer = await client.as_("inspector").get(f"{RECTIFICATIONS}/{UUID(int=9)}")

    assert refused(answer) == (404, "rectification.not_found")
