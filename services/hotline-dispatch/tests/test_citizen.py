"""The citizen's own ticket: looked up with both numbers, and moved, without a sign-in."""

import hashlib
from datetime import datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from tongban_common.db import Database
from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.assignment import Reply
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import Desk, Step
from tongban_hotline_dispatch.store import Complainant, ticket_move, ticket_note

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
PAGE = "/hotline/progress"
MINE = "/hotline/v1/public/ticket"
PERSON = Complainant(name="张三丰", phone="13812345678")
HEARD = Heard(resolved=Resolved.YES, result=Mark.SATISFIED, process=Mark.SATISFIED)


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


def keys(made: Ticket, **more: str) -> dict[str, str]:
    return {"X-Ticket-No": made.ticket_no, "X-Query-Code": made.query_code, **more}


def form(made: Ticket, **more: str) -> dict[str, str]:
    return {"ticket_no": made.ticket_no, "query_code": made.query_code, **more}


async def entered(client: Client, made: Ticket) -> str:
    answer = await client.post(PAGE, data=form(made))
    assert answer.status_code == 303, answer.text
    return (await client.get(PAGE)).text


async def moved(kit: Kit, made: Ticket, move: Any, *, at: datetime = NOW) -> Ticket:
    rules = await operations.rules_at(kit, now=at)
    step = Step(ticket_id=made.id, actor="d-1")
    async with kit.db.transaction() as tx:
        desk = Desk(tx, step=step, rules=rules, now=at)
        moved: Ticket = await move(desk, tx, step, rules)
        return moved


async def closed(kit: Kit, made: Ticket, *, at: datetime = NOW) -> Ticket:
    async def road(_: Desk, tx: Any, step: Step, rules: Any) -> Ticket:
        await operations.sign(tx, step=step, rules=rules, now=at)
        answer = Reply.of("已修复，联系人13987654321")
        await operations.reply(tx, step=step, answer=answer, rules=rules, now=at)
        return await operations.close(tx, step=step, rules=rules, now=at, heard=HEARD)

    return await moved(kit, made, road, at=at)


async def last_note(db: Database, ticket_id: Any) -> str | None:
    async with db.reading() as reads:
        order = ticket_note.c.version.desc()
        rows = select(ticket_note.c.words).where(ticket_note.c.ticket_id == ticket_id)
        return (await reads.execute(rows.order_by(order).limit(1))).scalar_one_or_none()


async def test_the_page_shows_where_it_stands_and_why_the_deadline_is_that_day(
    client: Client, filed: Any
) -> None:
    made = await filed(NOW, unit="A3", person=PERSON)

    page = await entered(client, made)

    for said in (
        "路灯不亮",
        "待签收",
        "A3政府",
        "答复期限",
        "为何是这一天",
        "中秋节放假",
        "已派给",
    ):
        assert said in page
    for hidden in (made.query_code, "张三丰", "13812345678", "d-1", "桂花路口", "签收期限"):
        assert hidden not in page


async def test_the_code_stands_in_no_address_and_the_cookie_is_signed_and_strict(
    client: Client, filed: Any
) -> None:
    made = await filed(NOW)

    answer = await client.post(PAGE, data=form(made))

    assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    cookie = answer.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=strict", f"Path={PAGE}", "Max-Age=1800"):
        assert part in cookie
    assert made.query_code not in cookie
    assert str(made.id) not in cookie
    assert answer.headers["cache-control"] == "no-store"


async def test_a_look_ends_by_itself_or_by_leaving(
    client: Client, filed: Any, clock: Clock
) -> None:
    made = await filed(NOW)
    await entered(client, made)
    token = client.cookies["tongban_progress"]

    clock.forward(minutes=29)
    assert "路灯不亮" in (await client.get(PAGE)).text
    await client.post(f"{PAGE}/leave")
    assert "路灯不亮" not in (await client.get(PAGE)).text
    clock.forward(minutes=2)
    cookies = {"cookie": f"tongban_progress={token}"}
    assert "路灯不亮" not in (await client.get(PAGE, headers=cookies)).text
    forged = {"cookie": f"tongban_progress={token[:-2]}AA"}
    clock.now = NOW
    assert "路灯不亮" not in (await client.get(PAGE, headers=forged)).text


async def test_facts_are_added_at_any_time_and_reach_those_who_handle_it(
    client: Client, filed: Any, hub: Client, db: Database
) -> None:
    made = await filed(NOW, unit="A3", person=PERSON)
    await entered(client, made)

    sent = await client.post(f"{PAGE}/supplement", data={"version": "1", "words": "昨晚又灭了两盏"})
    page = (await client.get(sent.headers["location"])).text

    assert "已收到您补充的情况" in page
    assert "昨晚又灭了两盏" in page
    assert await last_note(db, made.id) == "昨晚又灭了两盏"
    assert "经办 诉求人" in (await hub.get(f"/hotline/tickets/{made.id}")).text
    async with db.reading() as reads:
        rows = select(ticket_move.c.actor).where(ticket_move.c.act == "facts_supplemented")
        assert (await reads.execute(rows)).scalar_one() == "complainant"


async def test_facts_that_were_waited_for_bring_the_ticket_on(
    client: Client, filed: Any, kit: Kit
) -> None:
    made = await filed(NOW)
    await moved(kit, made, lambda desk, *_: desk.request_facts())

    asked = await entered(client, made)
    await client.post(f"{PAGE}/supplement", data={"version": "1", "words": "在桂花路12号门前"})

    assert "等待补充期限" in asked
    assert "待派单" in (await client.get(PAGE)).text


async def test_five_supplements_a_day_are_taken(client: Client, filed: Any, clock: Clock) -> None:
    made = await filed(NOW)

    async def send() -> httpx.Response:
        body = {"words": "还没有修"}
        return await client.post(f"{MINE}/supplements", json=body, headers=keys(made))

    sent = [(await send()).status_code for _ in range(6)]
    clock.forward(days=1)

    assert sent == [*[201] * 5, 429]
    assert (await send()).status_code == 201


async def test_what_is_added_to_a_merged_ticket_goes_to_the_one_that_answers(
    client: Client, filed: Any, kit: Kit, db: Database
) -> None:
    parent, child = await filed(NOW, unit="A3"), await filed(NOW)
    await moved(kit, child, lambda desk, *_: desk.merge(parent.id))

    page = await entered(client, child)
    sent = await client.post(f"{PAGE}/supplement", data={"version": "1", "words": "我家门口也不亮"})

    assert "与同类诉求合并办理" in page
    assert sent.status_code == 303
    assert await last_note(db, parent.id) == "我家门口也不亮"
    assert await last_note(db, child.id) is None


async def test_a_matter_is_withdrawn_once_it_is_confirmed(client: Client, filed: Any) -> None:
    made = await filed(NOW, unit="A3")
    await entered(client, made)
    url = f"{PAGE}/withdraw"

    unsure = await client.post(url, data={"version": str(made.version)})
    stale = await client.post(url, data={"version": "1", "is_sure": "yes"})
    done = await client.post(url, data={"version": str(made.version), "is_sure": "yes"})
    page = (await client.get(PAGE)).text
    again = await client.post(url, data={"version": "3", "is_sure": "yes"})

    assert (unsure.status_code, "请确认" in unsure.text) == (422, True)
    assert (stale.status_code, "刚有变化" in stale.text) == (412, True)
    assert done.headers["location"] == f"{PAGE}?said=withdraw"
    assert "已撤单" in page
    assert url not in page
    assert again.status_code == 409


async def test_who_carries_others_does_not_withdraw(client: Client, filed: Any, kit: Kit) -> None:
    parent, child = await filed(NOW), await filed(NOW)
    await moved(kit, child, lambda desk, *_: desk.merge(parent.id))

    page = await entered(client, parent)
    tried = await client.post(
        f"{MINE}/withdrawal", headers=keys(parent, **{"If-Match": f'"{parent.version}"'})
    )

    assert f"{PAGE}/withdraw" not in page
    assert (tried.status_code, tried.json()["code"]) == (409, "ticket.has_children")


async def test_a_closed_matter_is_rated_in_its_review_and_taken_up_again_for_a_reason(
    client: Client, filed: Any, kit: Kit, announced: Any, db: Database
) -> None:
    made = await closed(kit, await filed(NOW, unit="A3", person=PERSON))

    page = await entered(client, made)
    link = page.split('href="/evaluation/t/')[1].split('"')[0]
    offered = [data for name, data in await announced() if name == "rating-offered"]
    empty = await client.post(f"{PAGE}/reopen", data={"version": "5", "reason": "NEW_FACTS"})
    odd = {"version": "5", "reason": "BORED", "words": "又灭了"}
    unknown = await client.post(f"{PAGE}/reopen", data=odd)
    done = await client.post(f"{PAGE}/reopen", data={**odd, "reason": "NEW_FACTS"})

    digest = hashlib.sha256(link.encode()).hexdigest()
    assert offered == [{"ticket_id": str(made.id), "key_digest": digest}]
    assert "已修复，联系人139****4321" in page
    assert [each.status_code for each in (empty, unknown, done)] == [422, 422, 303]
    assert await last_note(db, made.id) == "又灭了"
    again = (await client.get(PAGE)).text
    assert "待派单" in again
    assert "/evaluation/t/" not in again


async def test_after_the_limit_nothing_is_taken_up_again(
    client: Client, filed: Any, kit: Kit, clock: Clock
) -> None:
    made = await closed(kit, await filed(NOW, unit="A3", person=PERSON))
    clock.forward(days=60)

    page = await entered(client, made)
    body = {"reason": "NEW_FACTS", "words": "又灭了"}
    match = {"If-Match": f'"{made.version}"'}
    late = await client.post(f"{MINE}/reopening", json=body, headers=keys(made, **match))

    assert f"{PAGE}/reopen" not in page
    assert (late.status_code, late.json()["code"]) == (409, "ticket.too_late_to_reopen")


async def test_the_api_says_what_may_be_done_and_explains_the_deadline(
    client: Client, filed: Any
) -> None:
    made = await filed(NOW, unit="A3", person=PERSON)

    seen = await client.get(MINE, headers=keys(made))
    why = (await client.get(f"{MINE}/deadlines", headers=keys(made))).json()
    unmatched = await client.post(f"{MINE}/withdrawal", headers=keys(made))
    match = {"If-Match": seen.headers["etag"]}
    done = await client.post(f"{MINE}/withdrawal", headers=keys(made, **match))

    body = seen.json()
    assert body["may"] == ["facts_supplemented", "withdrawn"]
    assert [each["name"] for each in body["steps"]] == ["已登记受理", "已派给承办单位"]
    assert (body["unit_name"], body["review_link"]) == ("A3政府", None)
    assert not {"content", "person", "query_code", "id"} & body.keys()
    assert [each["clock"] for each in why] == ["citizen"]
    assert any("中秋节" in day["reason"] for day in why[0]["days"])
    assert (unmatched.status_code, done.json()) == (428, {"status": "withdrawn", "version": 3})
    assert seen.headers["cache-control"] == "no-store"


async def test_staff_look_but_do_not_act_for_the_citizen(
    client: Client, hub: Client, filed: Any
) -> None:
    made = await filed(NOW)
    await entered(client, made)
    cookie = {"cookie": f"tongban_progress={client.cookies['tongban_progress']}"}

    page = await hub.get(PAGE, headers=cookie)
    sent = await hub.post(
        f"{PAGE}/supplement", data={"version": "1", "words": "代为补充"}, headers=cookie
    )
    by_api = await hub.post(f"{MINE}/supplements", json={"words": "代"}, headers=keys(made))

    assert "只能查看" in page.text
    assert (sent.status_code, by_api.status_code) == (403, 403)


async def test_another_site_cannot_act(client: Client, filed: Any) -> None:
    made = await filed(NOW)
    await entered(client, made)
    elsewhere = {"origin": "https://elsewhere.example"}

    for path, data in (("", form(made)), ("/leave", {}), ("/supplement", {"version": "1"})):
        answer = await client.post(f"{PAGE}{path}", data=data, headers=elsewhere)
        assert (answer.status_code, answer.json()["code"]) == (403, "auth.cross_site")


async def test_what_was_typed_outlives_the_session(
    client: Client, filed: Any, clock: Clock
) -> None:
    made = await filed(NOW)
    await entered(client, made)
    clock.forward(minutes=31)

    sent = await client.post(f"{PAGE}/supplement", data={"version": "1", "words": "写了很久的话"})

    assert (sent.status_code, "写了很久的话" in sent.text) == (401, True)
