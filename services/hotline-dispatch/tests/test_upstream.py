"""Upper platforms: pushed down once whatever the network does, pulled up until acknowledged."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from tongban_common.policies import BadPolicy, packaged_text
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.store.upstream_policy import UPSTREAM

UP = "/hotline/v1/upstream"
TICKETS = "/hotline/v1/tickets"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
MESSAGE = {
    "number": "GZ-2026-000017",
    "appeal_type": "help",
    "title": "路灯不亮",
    "content": "桂花路口的路灯已三天不亮，请联系13812345678",
    "person": {"name": "张三", "phone": "13812345678"},
    "due": "2026-09-24T18:00:00+08:00",
    "wants_callback": False,
}


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
def province(client: Client) -> Client:
    return client.as_("upper_platform", subject="province-12345")


async def pushed(who: Client, **changes: Any) -> Any:
    return await who.post(f"{UP}/tickets", json={**MESSAGE, **changes})


async def ticket_id_of(hub: Client, number: str) -> str:
    listed = (await hub.get(TICKETS)).json()["items"]
    (found,) = [each for each in listed if each["ticket_no"] == number]
    return str(found["id"])


async def moved(who: Client, ticket_id: str, move: str, body: object = None) -> dict[str, Any]:
    seen = (await who.get(f"{TICKETS}/{ticket_id}")).headers["ETag"]
    answer = await who.post(f"{TICKETS}/{ticket_id}/{move}", json=body, headers={"If-Match": seen})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def answered(hub: Client, officer: Client, ticket_id: str, words: str) -> None:
    await moved(hub, ticket_id, "assign", {"unit_code": "A3"})
    await moved(officer, ticket_id, "sign")
    await moved(officer, ticket_id, "contact")
    await moved(officer, ticket_id, "reply", {"text": words})


async def test_a_pushed_ticket_has_the_platforms_number_and_its_deadline(
    province: Client, hub: Client
) -> None:
    answer = await pushed(province)

    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["number"], told["is_new"], told["phase"]) == ("GZ-2026-000017", True, "受理")
    assert told["due"] == "2026-09-24T18:00:00+08:00"  # 5 working days would end later
    assert "13812345678" not in answer.text
    seen = (await hub.get(f"{TICKETS}/{await ticket_id_of(hub, told['ticket_no'])}")).json()
    assert seen["channel"] == "province_platform"


async def test_the_same_message_again_is_the_same_ticket_however_many_come_at_once(
    province: Client, hub: Client
) -> None:
    first = await asyncio.gather(*(pushed(province) for _ in range(8)))
    later = await pushed(province)

    assert sorted(each.status_code for each in first) == [200] * 7 + [201]
    assert (later.status_code, later.json()["is_new"]) == (200, False)
    assert len({each.json()["ticket_no"] for each in (*first, later)}) == 1
    assert len((await hub.get(TICKETS)).json()["items"]) == 1


async def test_a_number_used_for_something_else_is_refused(province: Client) -> None:
    await pushed(province)
    for changes in (
        {"content": "另一件事"},
        {"due": "2026-09-25T18:00:00+08:00"},
        {"person": {"name": "李四"}},
    ):
        answer = await pushed(province, **changes)
        assert (answer.status_code, answer.json()["code"]) == (409, "upstream.number_reused")


async def test_a_platform_knows_its_own_tickets_only(
    province: Client, client: Client, hub: Client
) -> None:
    await pushed(province)
    other = client.as_("upper_platform", subject="people-message-board")
    same = await pushed(other)
    assert same.status_code == 201  # another platform's number
    asked = {"numbers": ["GZ-2026-000017", "GZ-2026-999999"]}

    (mine, unknown) = (await province.post(f"{UP}/standings", json=asked)).json()

    assert (mine["is_known"], mine["phase"], mine["is_overdue"]) == (True, "受理", False)
    assert unknown == {
        "number": "GZ-2026-999999",
        "is_known": False,
        **dict.fromkeys(set(mine) - {"number", "is_known"}),
    }
    assert mine["ticket_no"] != same.json()["ticket_no"]
    stranger = client.as_("upper_platform", subject="nobody")
    for answer in (
        await pushed(stranger),
        await stranger.post(f"{UP}/standings", json=asked),
        await stranger.get(f"{UP}/reports"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "upstream.not_a_platform")
    assert (await hub.get(f"{UP}/reports")).status_code == 403
    assert (await province.get(TICKETS)).status_code == 403


async def test_replies_are_handed_out_until_they_are_acknowledged(
    province: Client, client: Client, hub: Client, officer: Client, clock: Clock
) -> None:
    ticket_id = await ticket_id_of(hub, (await pushed(province)).json()["ticket_no"])
    await answered(hub, officer, ticket_id, "已更换灯具，如有问题请拨打13900001111")
    assert (await province.get(f"{UP}/reports")).json()["items"] == []  # not reviewed yet
    clock.now += timedelta(hours=1)
    await moved(client.as_("reviewer", subject="r-1"), ticket_id, "review/pass")

    first = (await province.get(f"{UP}/reports")).json()
    again = (await province.get(f"{UP}/reports")).json()

    assert first == again
    assert [each["outcome"] for each in first["items"]] == ["closed"]
    assert first["items"][0]["words"] == "已更换灯具，如有问题请拨打139****1111"
    assert (await hub.get(f"{UP}/backlog")).json()[0]["waiting"] == 1
    keys = [{"number": each["number"], "version": each["version"]} for each in first["items"]]
    strange = {"number": "GZ-2026-000017", "version": 999}
    for _ in range(2):
        got = await province.post(f"{UP}/reports/acknowledge", json={"items": [*keys, strange]})
        assert got.json() == {"acknowledged": 1, "unknown": [strange]}
    assert (await province.get(f"{UP}/reports")).json()["items"] == []
    (standing,) = (
        await province.post(f"{UP}/standings", json={"numbers": ["GZ-2026-000017"]})
    ).json()
    assert (standing["phase"], standing["status"], standing["unit_code"]) == (
        "办结",
        "closed",
        "A3",
    )
    assert (await hub.get(f"{UP}/backlog")).json() == []


async def test_a_pull_goes_page_by_page_and_acknowledging_behind_it_loses_nothing(
    province: Client, hub: Client, clock: Clock
) -> None:
    for number in range(5):
        clock.now += timedelta(minutes=1)
        made = await pushed(province, number=f"GZ-{number}")
        ticket_id = await ticket_id_of(hub, made.json()["ticket_no"])
        await moved(hub, ticket_id, "answer", {"words": f"答复{number}"})

    seen: list[str] = []
    path = f"{UP}/reports?limit=2"
    while path:
        page = (await province.get(path)).json()
        seen += [each["number"] for each in page["items"]]
        keys = [{"number": each["number"], "version": each["version"]} for each in page["items"]]
        if keys:
            await province.post(f"{UP}/reports/acknowledge", json={"items": keys})
        path = page["next"] and f"{UP}/reports?limit=2&cursor={page['next']}"

    assert seen == [f"GZ-{number}" for number in range(5)]


async def test_what_is_routed_out_says_what_the_person_was_told(
    province: Client, hub: Client
) -> None:
    ticket_id = await ticket_id_of(hub, (await pushed(province)).json()["ticket_no"])
    await moved(hub, ticket_id, "route-out", {"disposition": "LEGAL_ROUTE"})

    (told,) = (await province.get(f"{UP}/reports")).json()["items"]

    assert told["outcome"] == "routed_out"
    assert "途径" in told["words"] or "渠道" in told["words"]


async def test_one_batch_has_its_bound(province: Client) -> None:
    many = {"numbers": [str(each) for each in range(501)]}
    answer = await province.post(f"{UP}/standings", json=many)
    assert (answer.status_code, answer.json()["code"]) == (422, "upstream.too_many")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("subject: people-message-board", "subject: province-12345", "subject 重复"),
        ("channel: people_cn_message_board", "channel: province_platform", "channel 重复"),
        ("channel: people_cn_message_board", "channel: pigeon", "第19行"),
        ("    hard_case: 督办\n", "", "hard_case"),
        ("    archived: 归档", "    archived: ''", "archived"),
    ],
)
def test_a_faulty_policy_is_refused_with_its_fault(old: str, new: str, said: str) -> None:
    text = packaged_text("tongban_hotline_dispatch", "upstream.yaml")
    assert old in text
    with pytest.raises(BadPolicy, match=said):
        UPSTREAM.parse(text.replace(old, new, 1), where="upstream.yaml")


def test_every_state_has_its_phase() -> None:
    phases = UPSTREAM.packaged().rules.phases
    assert set(phases) == set(Status) - {Status.DRAFT}
