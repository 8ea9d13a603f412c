"""The desks: who has which, what stands on them in which order, and moves from them."""

import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text

from tongban_common.db import Database
from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.asking import Decision, Request
from tongban_hotline_dispatch.domain.assignment import AskKind, Reply
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import Desk, Step
from tongban_hotline_dispatch.store import Complainant, board_tally
from tongban_hotline_dispatch.store.board import board

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
PERSON = Complainant(name="张三丰", phone="13812345678")
DESK = "/hotline/desk"
RETURN = {"reason": "非本单位职责", "citation": "三定规定", "suggested_unit": "A7"}
Does = Callable[..., Awaitable[Ticket]]


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
def does(kit: Kit) -> Does:
    """One move of a ticket, as its desk makes it."""

    async def do(ticket: Ticket, move: Any, *, unit: str | None = None, at: datetime = NOW) -> Any:
        rules = await operations.rules_at(kit, now=at)
        step = Step(ticket_id=ticket.id, actor="x-1", unit=unit)
        async with kit.db.transaction() as tx:
            return await move(Desk(tx, step=step, rules=rules, now=at), tx, step, rules)

    return do


async def asked(does: Does, ticket: Ticket, kind: AskKind, grounds: dict[str, Any]) -> Ticket:
    request = Request(kind=kind, by="u-1", grounds=grounds)
    return await does(ticket, lambda desk, *_: desk.ask(request), unit=ticket.unit_code)


async def signed(does: Does, ticket: Ticket, *, at: datetime = NOW) -> Ticket:
    return await does(
        ticket,
        lambda _, tx, step, rules: operations.sign(tx, step=step, rules=rules, now=at),
        unit=ticket.unit_code,
        at=at,
    )


async def replied(does: Does, ticket: Ticket, *, at: datetime = NOW) -> Ticket:
    answer = Reply.of("已修复")
    return await does(
        ticket,
        lambda _, tx, step, rules: operations.reply(
            tx, step=step, answer=answer, rules=rules, now=at
        ),
        unit=ticket.unit_code,
        at=at,
    )


def numbers(page: str) -> list[str]:
    """The tickets of a list, in its order."""
    return re.findall(r'<span class="nowrap">(\d{18})</span>', page)


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [
        ("dispatcher", "dispatch?tab=dispatch", 200),
        ("agent", "dispatch?tab=callback", 200),
        ("agent", "dispatch?tab=dispatch", 403),
        ("agent", "dispatch?tab=asks", 403),
        ("reviewer", "dispatch?tab=review", 200),
        ("reviewer", "dispatch?tab=running", 403),
        ("supervisor", "dispatch?tab=asks", 200),
        ("inspector", "dispatch", 403),
        ("unit_officer", "dispatch", 403),
        ("unit_officer", "unit", 200),
        ("dispatcher", "unit", 403),
        ("admin", "unit", 403),
        ("supervisor", "board", 200),
        ("inspector", "board", 200),
        ("dispatcher", "board", 403),
        ("unit_officer", "board", 403),
        ("unit_officer", "board/list?what=overdue", 403),
        ("operator", "", 403),
    ],
)
async def test_a_desk_opens_to_those_who_work_at_it(
    client: Client, role: str, path: str, status: int
) -> None:
    unit = "A3" if role == "unit_officer" else None

    answer = await client.as_(role, unit=unit).get(f"{DESK}/{path}".rstrip("/"))

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("role", "lands_on", "hidden"),
    [
        ("dispatcher", "dispatch", ("/hotline/desk/unit", "/hotline/desk/board")),
        ("unit_officer", "unit", ("/hotline/desk/dispatch", "/hotline/desk/board")),
        ("inspector", "board", ("/hotline/desk/dispatch", "/hotline/desk/unit")),
    ],
)
async def test_everybody_is_led_to_his_own_desk_and_to_no_other(
    client: Client, role: str, lands_on: str, hidden: tuple[str, ...]
) -> None:
    who = client.as_(role, unit="A3" if role == "unit_officer" else None)

    led = await who.get(DESK)
    page = (await who.get("/hotline/tickets")).text

    assert led.headers["location"] == f"{DESK}/{lands_on}"
    assert f'href="{DESK}/{lands_on}"' in page
    assert [path for path in hidden if f'href="{path}' in page] == []


async def test_nobody_without_a_sign_in_sees_a_desk(client: Client) -> None:
    for path in ("", "/dispatch", "/unit", "/board", "/board/list", "/find"):
        assert (await client.get(DESK + path)).status_code == 401


async def test_the_queue_goes_by_urgency_and_then_by_the_time_left(
    hub: Client, filed: Any, db: Database
) -> None:
    made = [await filed(NOW - timedelta(minutes=minutes)) for minutes in (5, 40, 20)]
    async with db.transaction() as tx:
        for index, urgency in ((0, "critical"), (2, "urgent")):
            await tx.connection.execute(
                text("UPDATE ticket SET urgency = :urgency WHERE id = :id"),
                {"urgency": urgency, "id": made[index].id},
            )

    whole = (await hub.get(f"{DESK}/dispatch?tab=dispatch")).text
    paged, url = [], f"{DESK}/dispatch?tab=dispatch&limit=1"
    for _ in range(3):
        page = (await hub.get(url)).text
        paged += numbers(page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        url = f"{DESK}/dispatch{following[1].replace('&amp;', '&')}" if following else ""
    urgent = (await hub.get(f"{DESK}/dispatch?tab=dispatch&urgency=urgent")).text

    expected = [made[0].ticket_no, made[2].ticket_no, made[1].ticket_no]
    assert numbers(whole) == paged == expected
    assert numbers(urgent) == [made[2].ticket_no]
    assert "已超10分钟" in whole
    assert "lamp--amber" in whole


async def test_several_are_moved_at_once_and_each_has_its_own_result(
    hub: Client, filed: Any
) -> None:
    first, second, gone = await filed(NOW), await filed(NOW), await filed(NOW, unit="A7")
    picks = [f"{first.id}:1", f"{second.id}:9", f"{gone.id}:2"]
    form = {"act": "assign", "unit_code": "A3"}

    answer = await hub.post(f"{DESK}/dispatch/bulk", data={**form, "pick": picks})
    nothing = await hub.post(f"{DESK}/dispatch/bulk", data=form)
    broken = await hub.post(f"{DESK}/dispatch/bulk", data={**form, "pick": ["x:y"]})
    moved = {"act": "transfer", "unit_code": "A7", "pick": [f"{first.id}:2"]}
    other = await hub.post(f"{DESK}/dispatch/bulk", data=moved)

    assert "已派单 1 件，未办成 2 件" in answer.text
    assert "内容已被他人更新" in answer.text
    assert "不能派单" in answer.text
    assert (nothing.status_code, broken.status_code) == (400, 400)
    assert "已改派 1 件" in other.text


async def test_a_returned_ticket_is_offered_to_the_unit_that_was_named_and_then_forced(
    hub: Client, filed: Any, does: Does
) -> None:
    ticket = await filed(NOW, unit="A3")
    for unit in ("A3", "A7"):
        named = {**RETURN, "suggested_unit": "A7" if unit == "A3" else "A3"}
        ticket = await asked(does, ticket, AskKind.RETURN, named)
        waiting = (await hub.get(f"{DESK}/dispatch?tab=asks")).text
        granted = {"version": ticket.version, "granted": "yes", "back": "asks", "note": "同意"}
        decided = await hub.post(f"/hotline/tickets/{ticket.id}/decide-return", data=granted)
        queue = (await hub.get(f"{DESK}/dispatch?tab=dispatch")).text
        version = ticket.version + 1
        form = {"act": "assign", "unit_code": "suggested", "pick": f"{ticket.id}:{version}"}
        if unit == "A3":
            assert "下一次派单即为指定承办" not in waiting
            await hub.post(f"{DESK}/dispatch/bulk", data=form)
            ticket = await signed(does, await _again(does, ticket))
    page = (await hub.get(f"/hotline/tickets/{ticket.id}")).text

    assert "非本单位职责" in waiting
    assert "下一次派单即为指定承办" in waiting
    assert decided.headers["location"] == f"{DESK}/dispatch?tab=asks&said=done"
    assert "退单单位建议" in queue
    assert "已退单2次，这次派单即为指定承办" in page


async def _again(does: Does, ticket: Ticket) -> Ticket:
    from tongban_hotline_dispatch.store import Tickets

    found: Ticket = await does(ticket, lambda _, tx, *__: Tickets(tx).get(ticket.id))
    return found


async def test_a_refused_ask_keeps_its_reason_and_an_untold_extension_is_not_granted(
    hub: Client, filed: Any, does: Does
) -> None:
    ticket = await signed(does, await filed(NOW, unit="A3"))
    grounds = {"reason": "联合勘查", "citation": "条例第五十条", "amount": 2}
    ticket = await asked(does, ticket, AskKind.EXTENSION, grounds)
    url = f"/hotline/tickets/{ticket.id}/decide-extension"

    untold = await hub.post(url, data={"version": ticket.version, "granted": "yes"})
    refused = await hub.post(
        url, data={"version": ticket.version, "granted": "no", "note": "理由不足"}
    )
    page = (await hub.get(f"/hotline/tickets/{ticket.id}")).text

    assert (untold.status_code, "准予延期前须先告知诉求人" in untold.text) == (422, True)
    assert refused.status_code == 303
    assert "审核意见：理由不足" in page
    assert "延期" in page


async def test_only_who_decides_a_kind_sees_it_among_what_is_asked(
    hub: Client, client: Client, filed: Any, does: Does
) -> None:
    ticket = await signed(does, await filed(NOW, unit="A3"))
    await asked(
        does,
        ticket,
        AskKind.SUSPENSION,
        {"reason": "水样送检", "pause_reason": "INSPECTION_APPRAISAL"},
    )

    dispatcher = (await hub.get(f"{DESK}/dispatch?tab=asks")).text
    center = (await client.as_("supervisor").get(f"{DESK}/dispatch?tab=asks")).text

    assert "没有等着审核的申请" in dispatcher
    assert "水样送检" in center
    assert "检验、检测、鉴定" in center


async def test_a_unit_sees_its_own_by_due_time_and_takes_the_next_step_there(
    officer: Client, filed: Any, does: Does, clock: Clock
) -> None:
    late = await filed(NOW - timedelta(days=20), unit="A3", person=PERSON)
    fresh = await filed(NOW, unit="A3")
    await filed(NOW, unit="A7")
    held = await signed(does, await filed(NOW, unit="A3"))
    await does(
        await asked(does, held, AskKind.SUSPENSION, {"reason": "送检", "pause_reason": "HEARING"}),
        lambda desk, *_: desk.decide(Decision(kind=AskKind.SUSPENSION, is_granted=True, by="c-1")),
    )
    clock.now = NOW + timedelta(minutes=1)

    page = (await officer.get(f"{DESK}/unit")).text
    waiting = (await officer.get(f"{DESK}/unit?state=waiting")).text
    step = {"version": late.version, "back": "unit"}
    taken = await officer.post(f"/hotline/tickets/{late.id}/sign", data=step)
    after = (await officer.get(taken.headers["location"])).text

    assert numbers(page)[0] == late.ticket_no
    assert set(numbers(page)) == {late.ticket_no, fresh.ticket_no, held.ticket_no}
    assert "lamp--red" in page
    assert ">挂起<" in page
    assert held.ticket_no not in waiting
    assert taken.headers["location"] == f"{DESK}/unit?said=done"
    assert "已联系诉求人" in after
    assert "138****5678" not in page


async def test_what_is_missing_in_a_form_is_said_at_its_field_and_the_rest_is_kept(
    officer: Client, filed: Any
) -> None:
    made = await filed(NOW, unit="A3")
    url = f"/hotline/tickets/{made.id}/ask-return"
    form = {"version": "2", "reason": "不是\n<b>我们</b>的", "citation": "", "suggested_unit": "A7"}

    answer = await officer.post(url, data=form)

    assert answer.status_code == 422
    assert '<a href="#ask-return-citation">请填写法律依据</a>' in answer.text
    assert '<a href="#ask-return-is_signed_off">请确认：分管领导已审签</a>' in answer.text
    assert "不是\n&lt;b&gt;我们&lt;/b&gt;的</textarea>" in answer.text
    assert '<option value="A7" selected>' in answer.text


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        ({"amount": "多"}, "延长多少应为1至365的整数"),
        ({"amount": "0"}, "延长多少应为1至365的整数"),
        ({"amount": "9" * 40}, "延长多少应为1至365的整数"),
        ({"citation": "依" * 501}, "依据最多500字"),
        ({"reason": "坏\u202e字"}, "理由含有不能保存的控制字符"),
    ],
)
async def test_bad_input_of_a_form_is_refused_in_words(
    officer: Client, filed: Any, does: Does, typed: dict[str, str], fault: str
) -> None:
    made = await signed(does, await filed(NOW, unit="A3"))
    good = {"reason": "勘查", "citation": "条例", "amount": "2", "is_signed_off": "yes"}
    form = {"version": str(made.version), **good, **typed}

    answer = await officer.post(f"/hotline/tickets/{made.id}/ask-extension", data=form)

    assert (answer.status_code, fault in answer.text) == (422, True)


async def test_a_move_that_became_illegal_gives_back_what_was_typed(
    hub: Client, officer: Client, filed: Any, does: Does
) -> None:
    made = await signed(does, await filed(NOW, unit="A3", person=PERSON))
    await hub.post(
        f"/hotline/tickets/{made.id}/transfer",
        data={"version": made.version, "unit_code": "A7"},
    )
    back = await hub.post(
        f"/hotline/tickets/{made.id}/transfer",
        data={"version": made.version + 1, "unit_code": "A3"},
    )

    answer = await officer.post(
        f"/hotline/tickets/{made.id}/reply",
        data={"version": made.version + 2, "text": "写了很久的答复"},
    )

    assert back.status_code == 303
    assert answer.status_code == 409
    assert "您刚才填写的内容" in answer.text
    assert "写了很久的答复" in answer.text


async def test_a_ticket_is_found_by_its_whole_number_and_anothers_is_not(
    hub: Client, officer: Client, filed: Any
) -> None:
    made = await filed(NOW, unit="A7")

    found = await hub.get(f"{DESK}/find", params={"no": f" {made.ticket_no} "})
    hidden = await officer.get(f"{DESK}/find", params={"no": made.ticket_no})
    unknown = await hub.get(f"{DESK}/find", params={"no": "<script>"})

    assert found.headers["location"] == f"/hotline/tickets/{made.id}"
    assert (hidden.status_code, unknown.status_code) == (404, 404)
    assert "&lt;script&gt;" in unknown.text


async def test_the_board_counts_what_is_open_due_and_overdue_and_leads_to_it(
    client: Client, filed: Any, does: Does, clock: Clock
) -> None:
    supervisor = client.as_("supervisor")
    await filed(NOW)
    late = await filed(NOW - timedelta(days=20), unit="A3", person=PERSON)
    today = await filed(NOW - timedelta(days=6), unit="A7")
    done = await signed(does, await filed(NOW - timedelta(days=20), unit="A7"))
    await replied(does, done)
    clock.now = datetime(2026, 9, 21, 23, 59, tzinfo=SHANGHAI)

    page = (await supervisor.get(f"{DESK}/board")).text
    lists = {
        what: numbers((await supervisor.get(f"{DESK}/board/list?what={what}")).text)
        for what in ("open", "running", "today", "overdue", "replied", "bogus")
    }
    of_unit = (await supervisor.get(f"{DESK}/board/list?what=open&unit=A3&type=help")).text

    figures = [int(n) for n in re.findall(r"<dd>(?:<a [^>]*>)?(\d+)<", page)]
    assert figures == [4, 1, 1, 2, 0, 0]
    assert lists["overdue"] == [late.ticket_no]
    assert lists["today"] == [today.ticket_no]
    assert lists["running"] == [late.ticket_no, today.ticket_no]
    assert lists["replied"] == [done.ticket_no]
    assert len(lists["open"]) == len(lists["bogus"]) == 4
    assert numbers(of_unit) == [late.ticket_no]
    assert "A3政府" in page


async def test_the_tally_says_what_counting_would_say_and_folds_itself(
    filed: Any, does: Does, db: Database
) -> None:
    """Whichever way tickets move, and also after the rows of the tally were folded into one."""
    async with db.transaction() as tx:
        await tx.connection.execute(text("ALTER SEQUENCE board_tally_id_seq RESTART WITH 1950"))
    for index in range(12):
        at = NOW - timedelta(days=index, minutes=index)
        ticket = await filed(at, unit=("A3", "A7", None)[index % 3], person=PERSON)
        if index % 3 == 0:
            await replied(does, await signed(does, ticket, at=at))
    async with db.reading() as reads:
        rows = await reads.execute(select(func.count()).select_from(board_tally))
        before = rows.scalar_one()
        kept = await reads.execute(
            text(
                "SELECT kind, key, day, sum(n)::int FROM board_tally GROUP BY 1, 2, 3 "
                "HAVING sum(n) <> 0 ORDER BY 1, 2, 3"
            )
        )
        counted = await reads.execute(
            text(
                "SELECT m.kind, m.key, m.day, count(*)::int FROM ticket t, board_marks(t) m "
                "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
            )
        )
        assert [tuple(row) for row in kept] == [tuple(row) for row in counted]
        figures = await board(reads, now=NOW, days=30)
        largest = await reads.execute(select(func.max(board_tally.c.id)))

    assert largest.scalar_one() > 2000
    assert before < 100
    assert figures.open == 12
    assert sum(each.registered for each in figures.trend) == 12
    assert {each.code: each.open for each in figures.units} == {"A3": 4, "A7": 4}


async def test_a_limit_of_hours_that_ran_out_this_morning_is_overdue_and_not_due_today(
    client: Client, filed: Any, db: Database
) -> None:
    made = await filed(NOW, unit="A3")
    async with db.transaction() as tx:
        await tx.connection.execute(
            text("UPDATE ticket SET reply_due_at = :at WHERE id = :id"),
            {"at": NOW - timedelta(hours=1), "id": made.id},
        )

    async with db.reading() as reads:
        figures = await board(reads, now=NOW, days=30)

    assert (figures.today, figures.overdue) == (0, 1)
