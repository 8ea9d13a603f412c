"""Supervisions by people: issued, answered, decided; cards; clues; patterns; the policy itself."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError

from tongban_common.policies import BadPolicy, access_of, packaged_text
from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock
from tongban_common.timers import timer
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.assignment import Reply
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved
from tongban_hotline_dispatch.operations import Desk, Step
from tongban_hotline_dispatch.operations.supervision_timers import ROUND, look_round
from tongban_hotline_dispatch.store import Complainant, supervision, supervision_card
from tongban_hotline_dispatch.store.supervision_policy import SUPERVISION

PATH = "/hotline/v1/supervisions"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
ANSWER_DUE = datetime(2026, 9, 24, 23, 59, 59, 999999, tzinfo=SHANGHAI)
INSTANT = timedelta(microseconds=1)
PERSON = Complainant(name="张三丰", phone="13812345678")
LETTER: dict[str, Any] = {
    "level": "S1",
    "cause": "LEADER_BATCH",
    "unit_codes": ["A3"],
    "words": "请说明情况",
}


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
def center(client: Client) -> Client:
    return client.as_("supervisor", subject="c-1")


@pytest.fixture
def inspector(client: Client) -> Client:
    return client.as_("inspector", subject="i-1")


@pytest.fixture
def other(client: Client) -> Client:
    return client.as_("unit_officer", subject="u-7", unit="A7")


class File:
    """One supervision on its way through the API; who acts stands in each step."""

    def __init__(self, made: dict[str, Any]) -> None:
        self.id, self.version, self.last = made["id"], made["version"], made

    async def go(self, who: Client, path: str, **body: object) -> httpx.Response:
        answer = await who.post(
            f"{PATH}/{self.id}/{path}", json=body, headers={"If-Match": f'"{self.version}"'}
        )
        if answer.status_code == 200:
            self.last = answer.json()
            self.version = self.last["version"]
        return answer

    async def done(self, who: Client, path: str, **body: object) -> dict[str, Any]:
        answer = await self.go(who, path, **body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def refused(self, who: Client, path: str, **body: object) -> tuple[int, str]:
        answer = await self.go(who, path, **body)
        return answer.status_code, answer.json()["code"]

    async def record(self, who: Client) -> dict[str, Any]:
        answer = await who.get(f"{PATH}/{self.id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def made(who: Client, path: str = "", **body: Any) -> File:
    answer = await who.post(f"{PATH}{path}", json=body)
    assert answer.status_code == 201, answer.text
    return File(answer.json())


async def test_a_letter_is_issued_answered_rejected_answered_again_accepted_and_closed(
    center: Client, officer: Client, filed: Any, announced: Any
) -> None:
    ticket = await filed(NOW, unit="A3")
    file = await made(center, **{**LETTER, "unit_codes": []}, ticket_ids=[str(ticket.id)])
    assert file.last["unit_codes"] == ["A3"]
    assert file.last["reply_due"] == ANSWER_DUE.isoformat()

    await file.done(officer, "answer", text="正在办理，联系人13812345678")
    rejected = await file.done(center, "reject", note="未说明原因")
    await file.done(officer, "answer", text="因降雨停工，现已修复")
    await file.done(center, "accept")
    closed = await file.done(center, "close", note="已修复")

    assert (rejected["state"], rejected["round"]) == ("issued", 2)
    assert (closed["state"], closed["is_accepted"]) == ("closed", True)
    record = await file.record(officer)
    assert "138****5678" in record["answers"][0]["text"]
    assert [each["deed"] for each in record["history"]] == [
        "issued",
        "answered",
        "rejected",
        "answered",
        "accepted",
        "closed",
    ]
    notice = record["notices"][0]
    assert (notice["template"], notice["template_version"]) == ("letter_otherwise", 1)
    assert notice["audience"] == ["leader_in_charge"]
    for said in ("督办通知书", "A3政府", ticket.ticket_no, "2026年9月24日 24:00", "领导批示件"):
        assert said in notice["body"]
    facts = [fact for fact, _ in await announced() if fact.startswith("supervision")]
    assert facts.count("supervision-opened") == 1
    assert [each for each in facts if each != "supervision-opened"] == [
        "supervision-issued",
        "supervision-answered",
        "supervision-decided",
        "supervision-answered",
        "supervision-decided",
        "supervision-closed",
    ]


async def test_what_is_said_by_nobody_in_time_is_told_once(
    service: Service, kit: Kit, center: Client, announced: Any
) -> None:
    file = await made(center, **LETTER)

    for at in (ANSWER_DUE, ANSWER_DUE + INSTANT, ANSWER_DUE + timedelta(days=1)):
        await service.sweeper(kit).sweep(now=at)

    missed = [data for fact, data in await announced() if fact == "supervision-reply-missed"]
    assert [each["supervision_id"] for each in missed] == [file.id]
    assert (await file.record(center))["is_late"] is True


async def test_every_unit_answers_for_itself(
    center: Client, officer: Client, other: Client
) -> None:
    file = await made(center, **{**LETTER, "unit_codes": ["A3", "A7"]})

    half = await file.done(officer, "answer", text="已办")
    assert await file.refused(officer, "answer", text="又办") == (
        409,
        "supervision.already_answered",
    )
    whole = await file.done(other, "answer", text="配合办理")

    assert (half["state"], whole["state"]) == ("issued", "answered")


async def test_what_does_not_fit_the_state_or_the_person_is_refused(
    center: Client, officer: Client, other: Client, hub: Client
) -> None:
    file = await made(center, **LETTER)

    assert await file.refused(center, "accept") == (409, "supervision.illegal_move")
    assert await file.refused(other, "answer", text="不是我") == (404, "supervision.not_found")
    assert (await other.get(f"{PATH}/{file.id}")).status_code == 404
    assert (await file.go(hub, "accept")).status_code == 403
    assert (await officer.post(PATH, json=LETTER)).status_code == 403
    stale = await center.post(f"{PATH}/{file.id}/close", json={}, headers={"If-Match": '"9"'})
    assert stale.status_code == 412
    for changed, code in (
        ({"level": "S5"}, "supervision.not_by_hand"),
        ({"cause": "BORED"}, "supervision.unknown_reason"),
        ({"unit_codes": ["A9"]}, "unit.not_found"),
        ({"unit_codes": []}, "supervision.no_target"),
    ):
        answer = await center.post(PATH, json={**LETTER, **changed})
        assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_an_inspection_needs_its_own_permission(
    center: Client, inspector: Client, officer: Client
) -> None:
    asked = {"form": "data", "cause": "UNSOLVED", "unit_codes": ["A3"]}
    assert (await center.post(f"{PATH}/inspections", json=asked)).status_code == 403

    file = await made(inspector, "/inspections", **asked)

    assert (file.last["kind"], file.last["level"], file.last["form"]) == (
        "inspection",
        None,
        "data",
    )
    assert "调阅资料、数据" in (await file.record(officer))["notices"][0]["body"]
    assert (await file.done(officer, "answer", text="资料附后"))["state"] == "answered"


async def test_nobody_approves_a_clue_of_his_own_and_the_unit_never_sees_it(
    center: Client, client: Client, officer: Client, announced: Any
) -> None:
    clue = {"ground": "FRAUD", "unit_codes": ["A3"], "words": "答复与现场不符"}
    file = await made(center, "/accountability", **clue)
    own = client.as_("inspector", subject="c-1")

    assert await file.refused(center, "approve") == (403, "accountability.needs_another_person")
    assert await file.refused(own, "refuse") == (403, "accountability.needs_another_person")
    assert (await officer.get(f"{PATH}/{file.id}")).status_code == 404
    assert (await officer.get(PATH)).json()["items"] == []
    assert (await file.record(center))["notices"] == []

    second = client.as_("inspector", subject="i-1")
    approved = await file.done(second, "approve", note="属实")

    assert approved["state"] == "issued"
    assert "弄虚作假" in (await file.record(center))["notices"][0]["body"]
    assert await file.refused(second, "approve") == (409, "supervision.illegal_move")
    facts = dict(await announced())
    assert facts["accountability-decided"]["is_approved"] is True
    assert "supervision-issued" not in facts
    assert (await officer.get(f"{PATH}/{file.id}")).status_code == 404


async def test_a_refused_clue_goes_nowhere(center: Client, inspector: Client) -> None:
    file = await made(center, "/accountability", ground="LEAK", unit_codes=["A3"])

    refused = await file.done(inspector, "refuse", note="查无实据")

    assert refused["state"] == "refused"
    assert (await file.record(center))["notices"] == []


async def test_a_card_is_contested_in_time_and_decided_by_somebody_else(
    center: Client, inspector: Client, officer: Client, other: Client, clock: Clock, announced: Any
) -> None:
    file = await made(center, **LETTER, has_card=True)
    card = (await file.record(officer))["cards"][0]
    path = f"cards/{card['id']}"
    assert (card["colour"], card["state"]) == ("yellow", "valid")

    assert await file.refused(inspector, f"{path}/decide", is_revoked=True) == (
        409,
        "card.illegal_move",
    )
    clock.now = ANSWER_DUE
    await file.done(officer, f"{path}/contest", words="系统未推送工单")
    assert await file.refused(center, f"{path}/decide", is_revoked=True) == (
        403,
        "card.needs_another_person",
    )
    await file.done(inspector, f"{path}/decide", is_revoked=True, note="属实")

    record = await file.record(officer)
    assert record["cards"][0]["state"] == "revoked"
    assert [each["act"] for each in record["cards"][0]["lines"]] == ["contested", "revoked"]
    assert (await center.get(PATH)).json()["items"][0]["colours"] == []
    decided = dict(await announced())["card-decided"]
    assert (decided["unit_code"], decided["is_revoked"]) == ("A3", True)
    assert (await file.go(other, f"{path}/contest", words="x")).status_code == 404


async def test_a_contest_that_comes_too_late_is_refused(
    center: Client, officer: Client, clock: Clock
) -> None:
    file = await made(center, **LETTER, has_card=True)
    card = (await file.record(center))["cards"][0]
    clock.now = ANSWER_DUE + INSTANT

    refused = await file.refused(officer, f"cards/{card['id']}/contest", words="晚了")

    assert refused == (422, "card.too_late_to_contest")


async def test_a_card_is_waived_for_a_reason_of_the_policy_and_not_by_its_issuer(
    center: Client, inspector: Client, announced: Any
) -> None:
    file = await made(center, **LETTER, has_card=True)
    path = f"cards/{(await file.record(center))['cards'][0]['id']}/waive"

    assert await file.refused(inspector, path, reason="PITY") == (422, "supervision.unknown_reason")
    assert await file.refused(center, path, reason="SYSTEM_FAULT") == (
        403,
        "card.needs_another_person",
    )
    await file.done(inspector, path, reason="SYSTEM_FAULT", note="短信网关故障")

    assert (await file.record(center))["cards"][0]["state"] == "waived"
    assert await file.refused(inspector, path, reason="SYSTEM_FAULT") == (409, "card.illegal_move")
    assert dict(await announced())["card-waived"]["reason"] == "SYSTEM_FAULT"


async def test_the_database_itself_refuses_to_change_a_card(kit: Kit, center: Client) -> None:
    await made(center, **LETTER, has_card=True)

    for statement in (
        update(supervision_card).values(colour="red"),
        delete(supervision_card),
        text("UPDATE supervision_card SET unit_code = 'A7'"),
    ):
        with pytest.raises(DBAPIError, match="append-only"):
            async with kit.db.transaction() as tx:
                await tx.connection.execute(statement)


async def test_three_red_cards_that_count_within_three_months_lead_to_one_interview(
    kit: Kit, center: Client, inspector: Client, clock: Clock
) -> None:
    red = {**LETTER, "level": "S2", "has_card": True}
    first = await made(center, **red)
    card = (await first.record(center))["cards"][0]
    await first.done(inspector, f"cards/{card['id']}/waive", reason="FORCE_MAJEURE")
    for _ in range(2):
        clock.forward(days=1)
        await made(center, **red)
    assert await levels(kit, "S3") == []
    clock.forward(days=1)
    await made(center, **{**red, "unit_codes": ["A7"]})
    assert await levels(kit, "S3") == []

    await made(center, **red)
    clock.forward(days=1)
    await made(center, **red)

    assert await levels(kit, "S3") == [(["A3"], "red_cards")]


async def test_cards_of_long_ago_do_not_count(kit: Kit, center: Client, clock: Clock) -> None:
    red = {**LETTER, "level": "S2", "has_card": True}
    for days in (0, 60, 60):
        clock.forward(days=days)
        await made(center, **red)

    assert await levels(kit, "S3") == []


async def levels(kit: Kit, level: str) -> list[tuple[list[str], str]]:
    async with kit.db.reading() as reads:
        rows = await reads.execute(
            select(supervision).where(supervision.c.level == level).order_by(supervision.c.id)
        )
        return [(row.units, row.cause) for row in rows]


async def test_the_nightly_round_finds_who_leaves_tickets_unsigned_and_arms_the_next_night(
    service: Service, kit: Kit, filed: Any
) -> None:
    for _ in range(3):
        await filed(NOW, unit="A3")
    await filed(NOW, unit="A7")
    night = NOW + timedelta(days=3)
    await service.sweeper(kit).sweep(now=night)

    found = [await look_round(kit, now=night + timedelta(hours=n)) for n in range(2)]

    assert [len(each) for each in found] == [1, 0]
    assert await levels(kit, "S1") == [(["A3"], "late_signing")]
    async with kit.db.reading() as reads:
        rounds = await reads.execute(select(timer).where(timer.c.kind == ROUND))
        assert [row.due_at for row in rounds] == [datetime(2026, 9, 25, 2, 0, tzinfo=SHANGHAI)]

    await service.sweeper(kit).sweep(now=datetime(2026, 9, 25, 3, 0, tzinfo=SHANGHAI))

    async with kit.db.reading() as reads:
        rounds = await reads.execute(
            select(timer).where(timer.c.kind == ROUND, timer.c.state == "armed")
        )
        assert [row.due_at for row in rounds] == [datetime(2026, 9, 26, 2, 0, tzinfo=SHANGHAI)]


async def test_two_unsatisfied_callbacks_of_one_ticket_lead_to_a_letter(
    kit: Kit, filed: Any
) -> None:
    ticket = await filed(NOW, unit="A3", person=PERSON)
    bad = Heard(resolved=Resolved.NO, result=Mark.DISSATISFIED, process=Mark.BASICALLY)
    rules = await operations.rules_at(kit, now=NOW)
    async with kit.db.transaction() as tx:
        step = Step(ticket_id=ticket.id, actor="x")
        desk = Desk(tx, step=step, rules=rules, now=NOW)
        await operations.sign(tx, step=step, rules=rules, now=NOW)
        for _ in range(2):
            answer = Reply.of("已修复")
            await operations.reply(tx, step=step, answer=answer, rules=rules, now=NOW)
            await desk.pass_review()
            await desk.call_back(bad)

    found = await look_round(kit, now=NOW + timedelta(hours=1))
    again = await look_round(kit, now=NOW + timedelta(hours=2))

    assert [(each.order.cause, each.order.ticket_ids) for each in found] == [
        ("unsatisfied", (ticket.id,))
    ]
    assert again == []


async def test_the_list_is_filtered_and_paged_and_a_unit_sees_its_own(
    center: Client, officer: Client, clock: Clock
) -> None:
    for unit, level in (("A3", "S1"), ("A7", "S1"), ("A3", "S2")):
        await made(center, **{**LETTER, "unit_codes": [unit], "level": level})
        clock.forward(hours=1)

    async def seen(who: Client, **query: object) -> list[tuple[str, str]]:
        items = (await who.get(PATH, params=query)).json()["items"]  # type: ignore[arg-type]
        return [(each["unit_codes"][0], each["level"]) for each in items]

    assert await seen(center) == [("A3", "S2"), ("A7", "S1"), ("A3", "S1")]
    assert await seen(center, unit="A3", level="S1") == [("A3", "S1")]
    assert await seen(center, state="closed") == []
    assert await seen(officer, unit="A7") == [("A3", "S2"), ("A3", "S1")]
    first = (await officer.get(PATH, params={"limit": 1})).json()
    rest = (await officer.get(PATH, params={"limit": 1, "cursor": first["next"]})).json()
    assert [each["level"] for each in first["items"] + rest["items"]] == ["S2", "S1"]


async def test_no_event_says_what_anybody_wrote(
    center: Client, officer: Client, announced: Any
) -> None:
    file = await made(center, **{**LETTER, "words": "致电13812345678"}, has_card=True)
    card = (await file.record(center))["cards"][0]
    await file.done(officer, "answer", text="张三丰已联系")
    await file.done(officer, f"cards/{card['id']}/contest", words="张三丰拒绝")

    told = str(await announced())

    for secret in ("张三丰", "13812345678", "致电"):
        assert secret not in told
    assert "13812345678" not in str(await file.record(center))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "signal: red_card, at_least: 3, months: 3,",
            "signal: red_card, months: 3,",
            "第{line}行 patterns.3.at_least",
        ),
        ("level: S1, days_after: 1,", "level: S1,", "第{line}行 overdue.2.*days_after"),
        ('share: "0.8",', 'share: "1.8",', "第{line}行 reminders.1.share"),
        ("reply: {amount: 3, ", "reply: {", "第{line}行 reply.amount"),
        (
            "  SYSTEM_FAULT: {name: 系统故障, clause: 本系统默认}",
            "  SYSTEM_FAULT: {name: 系统故障}",
            "clause",
        ),
        ("template: letter\n", "template: lettre\n", "没有这些通知模板：lettre"),
        ("{tickets}（{cause}，逾期", "{phone}（{cause}，逾期", r"templates.letter.body.*phone"),
        ("audience: [operator]", "audience: [mayor]", "没有这些通知对象：mayor"),
        ("code: bulletin,", "code: letter,", "编码重复：letter"),
        ("level: S3, signal", "level: S5, signal", "问责线索只能由人提出"),
        ("adds_to: urge,", "adds_to: nothing,", "没有这些催办：nothing"),
        ("  S4:\n", "  S9:\n", "levels.S9"),
    ],
    ids=[
        "缺次数",
        "缺天数",
        "比例过大",
        "缺时限",
        "缺出处",
        "未知模板",
        "模板写了个人信息",
        "未知对象",
        "编码重复",
        "自动问责",
        "未知催办",
        "未知层级",
    ],
)
def test_a_faulty_policy_is_refused_with_its_place(old: str, new: str, said: str) -> None:
    document = packaged_text("tongban_hotline_dispatch", "supervision.yaml")
    assert old in document
    line = document.count("\n", 0, document.index(old)) + 1

    with pytest.raises(BadPolicy, match=said.replace("{line}", str(line))):
        SUPERVISION.parse(document.replace(old, new, 1), where="supervision.yaml")


def test_the_hub_issues_and_only_an_authorised_actor_inspects() -> None:
    access = access_of("tongban_hotline_dispatch")

    assert "supervision:issue" in access["supervisor"]
    assert [role for role in access if "supervision:inspect" in access[role]] == ["inspector"]
    assert not {"supervision:decide", "card:decide"} & access["unit_officer"]
