import asyncio
import json
from datetime import datetime, timedelta

import httpx
import pytest
from sqlalchemy import func, select

from tongban_common.db import Database
from tongban_common.outbox import outbox
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.store import ticket

TICKETS = "/hotline/v1/tickets"
APPEAL = {
    "channel": "phone",
    "appeal_type": "help",
    "title": "路灯不亮",
    "content": "桂花路口的路灯已三天不亮，联系电话13812345678",
    "person": {"name": "张三丰", "phone": "13812345678"},
}


HEARD = {"resolved": "resolved", "result": "satisfied", "process": "basically"}


async def registered(hub: Client, **more: object) -> dict[str, str]:
    answer = await hub.post(TICKETS, json={**APPEAL, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, str] = answer.json()
    return made


async def act(
    who: Client, ticket_id: str, move: str, version: int, **body: object
) -> httpx.Response:
    headers = {"If-Match": f'"{version}"'}
    if not body:
        return await who.post(f"{TICKETS}/{ticket_id}/{move}", headers=headers)
    return await who.post(f"{TICKETS}/{ticket_id}/{move}", headers=headers, json=body)


async def test_a_ticket_goes_from_registration_to_close(
    hub: Client, officer: Client, db: Database
) -> None:
    made = await registered(hub)

    for who, move, version, body in (
        (hub, "assign", 1, {"unit_code": "A3"}),
        (officer, "sign", 2, {}),
        (officer, "reply", 3, {"text": "已修复"}),
        (hub, "close", 4, {"heard": HEARD}),
    ):
        answer = await act(who, made["id"], move, version, **body)
        assert answer.status_code == 200, answer.text

    assert answer.json()["status"] == "closed"
    async with db.reading() as connection:
        types = (await connection.execute(select(outbox.c.type).order_by(outbox.c.n))).scalars()
        assert [each.split(".")[2] for each in types] == [
            "ticket-registered",
            "ticket-assigned",
            "ticket-signed",
            "ticket-replied",
            "callback-opened",
            "callback-completed",
            "ticket-closed",
            "rating-offered",
        ]


async def test_the_two_clocks_are_explained_day_by_day(hub: Client, clock: Clock) -> None:
    clock.now = datetime(2026, 9, 30, 10, 0, tzinfo=SHANGHAI)
    made = await registered(hub)
    assigned = await act(hub, made["id"], "assign", 1, unit_code="A3")

    explained = (await hub.get(f"{TICKETS}/{made['id']}/deadlines")).json()

    assert assigned.json()["reply_due"] == "2026-10-13T23:59:59.999999+08:00"
    unit = next(each for each in explained if each["clock"] == "unit")
    assert [day["day"] for day in unit["days"] if day["counted"]] == [
        "2026-10-08",
        "2026-10-09",
        "2026-10-10",
        "2026-10-12",
        "2026-10-13",
    ]
    citizen = next(each for each in explained if each["clock"] == "citizen")
    assert citizen["due_at"] > unit["due_at"]


async def test_every_clock_that_runs_is_explained_with_whose_it_is(
    hub: Client, officer: Client
) -> None:
    made = await registered(hub)
    waiting = (await hub.get(f"{TICKETS}/{made['id']}/deadlines")).json()
    await act(hub, made["id"], "assign", 1, unit_code="A3")
    given = (await hub.get(f"{TICKETS}/{made['id']}/deadlines")).json()
    await act(officer, made["id"], "sign", 2)
    await act(officer, made["id"], "add-unit", 3, unit_code="A7", role="co", days=1)

    shared = (await officer.get(f"{TICKETS}/{made['id']}/deadlines")).json()

    def told(found: list[dict[str, object]]) -> set[tuple[object, object]]:
        return {(each["clock"], each["unit_code"]) for each in found if each["is_running"]}

    assert told(waiting) == {("citizen", None), ("dispatch", None)}
    assert told(given) == {("citizen", None), ("unit", "A3"), ("sign", "A3")}
    assert told(shared) == {
        ("citizen", None),
        ("unit", "A3"),
        ("contact", "A3"),
        ("unit", "A7"),
        ("sign", "A7"),
    }
    assert [each["clock"] for each in shared if not each["clause"]] == []


async def test_a_unit_acts_on_its_own_tickets_only(hub: Client, client: Client) -> None:
    made = await registered(hub)
    await act(hub, made["id"], "assign", 1, unit_code="A3")
    other = client.as_("unit_officer", subject="u-7", unit="A7")

    refused = await act(other, made["id"], "sign", 2)
    hidden = await other.get(f"{TICKETS}/{made['id']}")

    assert (refused.status_code, refused.json()["code"]) == (403, "ticket.not_your_unit")
    assert hidden.status_code == 404
    assert (await other.get(TICKETS)).json()["items"] == []


@pytest.mark.parametrize("unit_code", ["A9", "NO-SUCH"], ids=["已停用", "不存在"])
async def test_an_unknown_or_closed_unit_gets_no_ticket(hub: Client, unit_code: str) -> None:
    made = await registered(hub)

    answer = await act(hub, made["id"], "assign", 1, unit_code=unit_code)

    assert (answer.status_code, answer.json()["code"]) == (422, "unit.not_found")
    assert unit_code not in answer.text


async def test_a_move_out_of_order_is_refused(hub: Client, officer: Client) -> None:
    made = await registered(hub)

    answer = await act(hub, made["id"], "close", 1)

    assert (answer.status_code, answer.json()["code"]) == (409, "ticket.illegal_move")
    assert "待派单" in answer.json()["detail"]
    assert (answer.json()["status"], answer.json()["state"]) == (409, "registered")


@pytest.mark.parametrize("field", ["title", "content"])
async def test_an_appeal_with_control_characters_is_refused(hub: Client, field: str) -> None:
    answer = await hub.post(TICKETS, json={**APPEAL, field: "路灯\u202e不亮"})

    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")


async def test_twenty_concurrent_moves_with_one_version_have_one_winner(hub: Client) -> None:
    made = await registered(hub)

    answers = await asyncio.gather(
        *(act(hub, made["id"], "assign", 1, unit_code="A3") for _ in range(20))
    )

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 19


async def test_2400_posts_over_120_keys_make_120_tickets(hub: Client, db: Database) -> None:
    keys = [f"retry-{n:05}" for n in range(120)] * 20
    room = asyncio.Semaphore(20)

    async def post(key: str) -> httpx.Response:
        async with room:
            return await hub.post(TICKETS, json=APPEAL, headers={"Idempotency-Key": key})

    answers = await asyncio.gather(*(post(key) for key in keys))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 120
    async with db.reading() as connection:
        assert (await connection.execute(select(func.count()).select_from(ticket))).scalar() == 120
        announced = await connection.execute(select(func.count()).select_from(outbox))
        assert announced.scalar() == 120


async def test_the_same_channel_number_is_taken_in_once(hub: Client) -> None:
    await registered(hub, channel_order_no="P-1")

    answer = await hub.post(TICKETS, json={**APPEAL, "channel_order_no": "P-1"})

    assert (answer.status_code, answer.json()["code"]) == (409, "ticket.already_taken_in")


async def test_people_and_their_numbers_are_masked_and_in_no_event(
    hub: Client, db: Database
) -> None:
    made = await registered(hub)

    seen = await hub.get(f"{TICKETS}/{made['id']}")

    assert seen.json()["person"] == {
        "name": "张**",
        "phone": "138****5678",
        "is_hidden": False,
    }
    assert "138****5678" in seen.json()["content"]
    assert "13812345678" not in seen.text
    async with db.reading() as connection:
        told = (await connection.execute(select(outbox.c.data))).scalar_one()
    assert not any(word in str(told) for word in ("张", "138", "路灯"))


async def test_the_citizen_sees_progress_with_both_numbers(client: Client, hub: Client) -> None:
    made = await registered(hub)
    query = {"ticket_no": made["ticket_no"], "query_code": made["query_code"]}

    seen = await client.get("/hotline/v1/progress", params=query)
    wrong = await client.get("/hotline/v1/progress", params={**query, "query_code": "x"})

    assert seen.json()["status"] == "registered"
    assert seen.headers["cache-control"] == "no-store"
    assert "content" not in seen.json()
    assert (wrong.status_code, wrong.json()["code"]) == (404, "ticket.not_found")
    assert "query_code" not in (await hub.get(f"{TICKETS}/{made['id']}")).json()


@pytest.mark.parametrize(
    "change",
    [
        {"channel": "pigeon"},
        {"title": ""},
        {"title": "长" * 201},
        {"person": {"phone": "打我电话"}},
        {"unknown": 1},
    ],
    ids=["未知渠道", "标题为空", "标题过长", "电话格式", "未知字段"],
)
async def test_a_bad_registration_is_refused(hub: Client, change: dict[str, object]) -> None:
    answer = await hub.post(TICKETS, json={**APPEAL, **change})

    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")


async def test_lists_are_paged_and_filtered(hub: Client, clock: Clock) -> None:
    for _ in range(5):
        made = await registered(hub)
        clock.forward(minutes=1)
    await act(hub, made["id"], "assign", 1, unit_code="A3")

    first = (await hub.get(TICKETS, params={"limit": 3})).json()
    second = (await hub.get(TICKETS, params={"limit": 3, "cursor": first["next"]})).json()
    assigned = (await hub.get(TICKETS, params={"status": "assigned"})).json()
    clock.forward(days=60)
    late = (await hub.get(TICKETS, params={"overdue": True})).json()

    assert len({each["id"] for each in first["items"] + second["items"]}) == 5
    assert [each["id"] for each in assigned["items"]] == [made["id"]]
    assert [each["id"] for each in late["items"]] == [made["id"]]


async def test_only_the_open_doors_are_open(client: Client, hub: Client, officer: Client) -> None:
    made = await registered(hub)
    url = f"{TICKETS}/{made['id']}"
    homeless = client.as_("unit_officer", subject="u-9")

    assert (await client.get(TICKETS)).status_code == 401
    assert (await client.post(TICKETS, json=APPEAL)).status_code == 401
    assert (await officer.post(TICKETS, json=APPEAL)).status_code == 403
    assert (await act(officer, made["id"], "assign", 1, unit_code="A3")).status_code == 403
    assert (await act(hub, made["id"], "sign", 1)).status_code == 403
    assert (await homeless.get(TICKETS)).status_code == 403
    assert (await client.get(url, headers={"accept": "text/html"})).status_code == 401


async def test_a_hub_desk_with_a_unit_of_its_own_still_sees_every_ticket(client: Client) -> None:
    desk = client.as_("dispatcher", subject="d-2", unit="HUB")

    made = await registered(desk)
    assigned = await act(desk, made["id"], "assign", 1, unit_code="A3")

    assert assigned.status_code == 200
    assert [each["id"] for each in (await desk.get(TICKETS)).json()["items"]] == [made["id"]]


async def test_a_move_needs_the_version_that_was_seen(hub: Client) -> None:
    made = await registered(hub)
    url = f"{TICKETS}/{made['id']}/assign"
    body = {"unit_code": "A3"}

    missing = await hub.post(url, json=body)
    malformed = await hub.post(url, json=body, headers={"If-Match": '"one"'})
    stale = await hub.post(url, json=body, headers={"If-Match": '"7"'})
    taken = await hub.post(url, json=body, headers={"If-Match": '"1"'})

    codes = [each.status_code for each in (missing, malformed, stale, taken)]
    assert codes == [428, 400, 412, 200]
    assert stale.json()["detail"] == "内容已被他人更新，请刷新后再办理"
    assert taken.headers["etag"] == '"2"'


async def test_what_is_not_there_or_not_json_is_a_problem_in_chinese(hub: Client) -> None:
    missing = await hub.get(f"{TICKETS}/00000000-0000-0000-0000-000000000000")
    garbled = await hub.post(TICKETS, content=b"{", headers={"content-type": "application/json"})
    cursor = await hub.get(TICKETS, params={"cursor": "abc"})

    assert [each.status_code for each in (missing, garbled, cursor)] == [404, 400, 400]
    for each in (missing, garbled, cursor):
        assert each.headers["content-type"] == "application/problem+json"
        assert any("\u4e00" <= sign <= "\u9fff" for sign in each.json()["detail"])


async def test_a_cursor_does_not_fit_another_filter(hub: Client, clock: Clock) -> None:
    for _ in range(2):
        await registered(hub)
        clock.forward(minutes=1)
    first = (await hub.get(TICKETS, params={"limit": 1})).json()

    moved = await hub.get(TICKETS, params={"status": "closed", "cursor": first["next"]})

    assert (moved.status_code, moved.json()["code"]) == (400, "page.bad_cursor")


@pytest.mark.parametrize(
    "text",
    ["\ud800", "a\x00b", "<script>alert(1)</script>", "=1+1", "🙂\u202e"],
    ids=["孤立代理项", "空字符", "脚本", "公式", "表情与方向符"],
)
async def test_whatever_a_text_holds_is_stored_or_refused(hub: Client, text: str) -> None:
    body = json.dumps({**APPEAL, "title": text})

    answer = await hub.post(TICKETS, content=body, headers={"content-type": "application/json"})

    assert answer.status_code in {201, 422}
    if answer.status_code == 201:
        page = await hub.get(f"/hotline/tickets/{answer.json()['id']}")
        assert "<script>alert" not in page.text


@pytest.mark.parametrize("due", ["0001-01-01T00:00:00+08:00", "9999-12-31T23:00:00+08:00"])
async def test_a_deadline_from_above_that_was_mistyped_is_refused(hub: Client, due: str) -> None:
    answer = await hub.post("/hotline/v1/tickets", json=APPEAL | {"upstream_due": due})

    assert (answer.status_code, answer.json()["code"]) == (422, "appeal.strange_deadline")


async def test_a_deadline_from_above_that_is_over_is_taken_and_explained(
    hub: Client, clock: Clock
) -> None:
    over = (clock.now - timedelta(days=30)).isoformat()
    made = (await hub.post("/hotline/v1/tickets", json=APPEAL | {"upstream_due": over})).json()

    shown = (await hub.get(f"/hotline/v1/tickets/{made['id']}/deadlines")).json()

    citizen = [each for each in shown if each["clock"] == "citizen"]
    assert [datetime.fromisoformat(each["due_at"]) for each in citizen] == [
        clock.now - timedelta(days=30)
    ]
