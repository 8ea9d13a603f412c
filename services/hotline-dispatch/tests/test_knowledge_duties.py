from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.appeal import AppealType
from tongban_hotline_dispatch.domain.assignment import Reply
from tongban_hotline_dispatch.operations import Step, knowledge_duties
from tongban_hotline_dispatch.store.supervision import supervision_notice

ITEMS = "/hotline/v1/knowledge"
URL = "/hotline/v1/knowledge-duties"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
SECOND = timedelta(seconds=1)
BODY = {
    "title": "公积金提取条件",
    "content": "可以提取。",
    "unit_code": "A3",
    "category": "住房/公积金",
    "material": "law",
}


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
def reviewer(client: Client) -> Client:
    return client.as_("reviewer", subject="r-1")


async def move(who: Client, item: dict[str, Any], name: str, why: str = "") -> dict[str, Any]:
    answer = await who.post(
        f"{ITEMS}/{item['id']}/{name}",
        json={"why": why},
        headers={"If-Match": f'"{item["revision"]}"'},
    )
    assert answer.status_code == 200, answer.text
    moved: dict[str, Any] = answer.json()
    return moved


async def published(officer: Client, reviewer: Client, **more: Any) -> dict[str, Any]:
    item: dict[str, Any] = (await officer.post(ITEMS, json={**BODY, **more})).json()
    for who, name in ((officer, "submit"), (reviewer, "review"), (reviewer, "publish")):
        item = await move(who, item, name)
    return item


async def closed(kit: Kit, filed: Any, *, appeal_type: AppealType, reply: str) -> Any:
    made = await filed(NOW, unit="A3", appeal_type=appeal_type)
    rules = await operations.rules_at(kit, now=NOW)
    step = Step(ticket_id=made.id, actor="u-1")
    async with kit.db.transaction() as tx:
        await operations.sign(tx, step=step, rules=rules, now=NOW)
        await operations.reply(tx, step=step, answer=Reply.of(reply), rules=rules, now=NOW)
        return await operations.close(tx, step=step, rules=rules, now=NOW)


async def closed_consultation(kit: Kit, filed: Any) -> Any:
    reply = "请拨打13812345678咨询"
    return await closed(kit, filed, appeal_type=AppealType.CONSULT, reply=reply)


async def told(announced: Any, fact: str) -> list[dict[str, Any]]:
    return [data for name, data in await announced() if name == fact]


async def test_a_new_policy_is_in_the_base_within_two_working_days(
    service: Service, kit: Kit, hub: Client, officer: Client, reviewer: Client, announced: Any
) -> None:
    order = {"unit_code": "A3", "about": "安府发〔2026〕1号", "published_on": "2026-09-21"}
    duty = (await hub.post(URL, json=order)).json()

    await published(officer, reviewer, duty_id=duty["id"])
    await service.sweeper(kit).sweep(now=NOW + timedelta(days=9))

    assert duty["due"] == "2026-09-23T23:59:59.999999+08:00"
    assert await told(announced, "knowledge-duty-missed") == []
    assert [each["is_late"] for each in await told(announced, "knowledge-duty-done")] == [False]


async def test_a_policy_that_is_not_in_the_base_in_time_is_told_once_and_kept_in_the_list(
    service: Service, kit: Kit, hub: Client, officer: Client, announced: Any
) -> None:
    order = {"unit_code": "A3", "about": "安府发〔2026〕1号", "published_on": "2026-09-21"}
    duty = (await hub.post(URL, json=order)).json()
    due = datetime.fromisoformat(duty["due"])

    await service.sweeper(kit).sweep(now=due)
    in_time = await told(announced, "knowledge-duty-missed")
    for _ in range(2):
        await service.sweeper(kit).sweep(now=due + SECOND)

    late = (await officer.get(URL, params={"missed": "true"})).json()["items"]
    assert in_time == []
    assert [each["kind"] for each in await told(announced, "knowledge-duty-missed")] == [
        "new_policy"
    ]
    assert [(each["id"], each["is_late"], each["done_at"]) for each in late] == [
        (duty["id"], True, None)
    ]
    async with kit.db.reading() as reads:
        (notice,) = (await reads.execute(select(supervision_notice.c.body))).scalars()
    assert "新政策入库：安府发〔2026〕1号，期限2026年9月23日 24:00，已逾期" in notice


async def test_an_error_is_corrected_by_a_new_version_within_one_working_day(
    service: Service, kit: Kit, client: Client, hub: Client, officer: Client, reviewer: Client,
    announced: Any,
) -> None:  # fmt: skip
    item = await published(officer, reviewer)
    report = f"{ITEMS}/{item['id']}/errors"

    reported = await client.as_("agent").post(report, json={"what": "电话13812345678已停用"})
    shown = (await hub.get(URL, params={"open": "true", "kind": "correction"})).json()["items"]
    seen = {"If-Match": f'"{item["revision"]}"'}
    item = (
        await officer.put(f"{ITEMS}/{item['id']}", json={**BODY, "content": "新"}, headers=seen)
    ).json()
    item = await move(officer, item, "submit")
    still = (await hub.get(URL, params={"open": "true"})).json()["items"]
    for name in ("review", "publish"):
        item = await move(reviewer, item, name)
    left = (await hub.get(URL, params={"open": "true"})).json()["items"]

    assert reported.status_code == 204
    assert shown[0]["about"] == "电话138****5678已停用"
    assert shown[0]["due"] == "2026-09-22T23:59:59.999999+08:00"
    assert (len(still), left) == (1, [])


async def test_a_closed_consultation_leaves_a_masked_draft_and_three_working_days(
    service: Service, kit: Kit, hub: Client, officer: Client, filed: Any, announced: Any
) -> None:
    ticket = await closed_consultation(kit, filed)
    for _ in range(2):
        await service.sweeper(kit).sweep(now=NOW + SECOND)

    (line,) = (await officer.get(ITEMS)).json()["items"]
    item = (await officer.get(f"{ITEMS}/{line['item_id']}")).json()
    (duty,) = (await hub.get(URL)).json()["items"]
    await move(officer, item, "submit")
    left = (await hub.get(URL, params={"open": "true"})).json()["items"]

    assert item["source_ticket"] == str(ticket.id)
    assert item["versions"][0]["state"] == "draft"
    assert "138****5678" in item["versions"][0]["content"]
    assert "13812345678" not in item["versions"][0]["content"]
    assert (duty["kind"], duty["due"]) == ("draft", "2026-09-24T23:59:59.999999+08:00")
    assert left == []


async def test_a_draft_that_nobody_finishes_is_a_duty_missed_and_one_of_no_use_is_discarded(
    service: Service, kit: Kit, officer: Client, filed: Any, announced: Any
) -> None:
    await closed_consultation(kit, filed)
    await service.sweeper(kit).sweep(now=NOW + SECOND)
    await service.sweeper(kit).sweep(now=NOW + timedelta(days=4))
    (line,) = (await officer.get(ITEMS)).json()["items"]
    item = (await officer.get(f"{ITEMS}/{line['item_id']}")).json()

    await move(officer, item, "discard", why="与已有知识相同")

    assert [each["kind"] for each in await told(announced, "knowledge-duty-missed")] == ["draft"]
    assert [each["is_late"] for each in await told(announced, "knowledge-duty-done")] == [True]


async def test_only_consultations_leave_a_draft_and_a_known_title_leaves_none(
    service: Service, kit: Kit, hub: Client, filed: Any
) -> None:
    await closed_consultation(kit, filed)
    await closed_consultation(kit, filed)  # the same question again
    await closed(kit, filed, appeal_type=AppealType.HELP, reply="已修")

    await service.sweeper(kit).sweep(now=NOW + SECOND)

    assert len((await hub.get(ITEMS)).json()["items"]) == 1


async def test_every_week_units_with_items_attest_and_who_does_not_is_told(
    service: Service, kit: Kit, client: Client, hub: Client, officer: Client, reviewer: Client,
    announced: Any, clock: Clock,
) -> None:  # fmt: skip
    await published(officer, reviewer)
    ground = await knowledge_duties.ground_at(kit, now=NOW)
    async with kit.db.transaction() as tx:
        await knowledge_duties.arm_week(tx, ground=ground, after=NOW)
        await knowledge_duties.arm_week(tx, ground=ground, after=NOW)
    attest = "/hotline/v1/knowledge-attestations"

    first = (await officer.post(attest)).json()
    due = datetime(2026, 9, 24, 18, 0, tzinfo=SHANGHAI)  # the 25th is a holiday
    await service.sweeper(kit).sweep(now=due + SECOND)
    after_first = await told(announced, "knowledge-duty-missed")
    second = datetime(2026, 9, 30, 18, 0, tzinfo=SHANGHAI)
    await service.sweeper(kit).sweep(now=second)
    for _ in range(2):
        await service.sweeper(kit).sweep(now=second + SECOND)
    clock.now = second + timedelta(hours=2)
    await officer.post(attest)
    await officer.post(attest)

    (missed,) = await told(announced, "knowledge-duty-missed")
    (line,) = (await hub.get(URL, params={"kind": "attestation"})).json()["items"]
    assert first == {"week": "2026-W39"}
    assert after_first == []
    assert (missed["unit_code"], missed["due"]) == ("A3", "2026-09-30T18:00:00+08:00")
    assert (line["about"], line["is_late"]) == ("2026-W40", True)
    assert line["done_at"] is not None
    assert (await hub.post(attest)).status_code == 403


async def test_weeks_that_nobody_was_there_for_are_nobodys_fault(
    service: Service, kit: Kit, officer: Client, reviewer: Client, announced: Any
) -> None:
    await published(officer, reviewer)
    ground = await knowledge_duties.ground_at(kit, now=NOW)
    async with kit.db.transaction() as tx:
        await knowledge_duties.arm_week(tx, ground=ground, after=NOW)

    for days in (8, 40, 41):
        await service.sweeper(kit).sweep(now=NOW + timedelta(days=days))

    assert Counter(each["kind"] for each in await told(announced, "knowledge-duty-missed")) == {
        "attestation": 1
    }


async def test_the_hub_takes_a_duty_off_the_list_with_a_reason(
    hub: Client, officer: Client, announced: Any
) -> None:
    order = {"unit_code": "A3", "about": "重复登记", "published_on": "2026-09-21"}
    duty = (await hub.post(URL, json=order)).json()

    refused = await officer.post(f"{URL}/{duty['id']}/close", json={"note": "不想做"})
    silent = await hub.post(f"{URL}/{duty['id']}/close", json={"note": " "})
    closed = await hub.post(f"{URL}/{duty['id']}/close", json={"note": "重复"})
    again = await hub.post(f"{URL}/{duty['id']}/close", json={"note": "重复"})

    assert (refused.status_code, silent.status_code) == (403, 422)
    assert closed.json()["note"] == "重复"
    assert (again.status_code, again.json()["code"]) == (409, "knowledge.duty_settled")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"published_on": "2026-09-22"}, "knowledge.policy_not_published"),
        ({"published_on": "1999-01-01"}, "request.invalid"),
        ({"unit_code": "A9"}, "unit.not_found"),
    ],
)
async def test_a_duty_that_cannot_be_is_refused(
    hub: Client, changed: dict[str, str], code: str
) -> None:
    order = {"unit_code": "A3", "about": "文", "published_on": "2026-09-21", **changed}

    answer = await hub.post(URL, json=order)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
