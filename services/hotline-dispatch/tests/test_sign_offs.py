"""分管领导审签: who and when is on record, and it is never who wrote it."""

from datetime import datetime
from typing import Any

import pytest
import yaml

from tongban_common.policies import packaged_text
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.process import SignOffNeeded
from tongban_hotline_dispatch.store.process import PROCESS

API = "/hotline/v1"
TICKETS = f"{API}/tickets"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
RETURN = {"reason": "不属本单位职责", "citation": "三定方案", "suggested_unit": "A7"}
REPLY = {"text": "路灯已修复", "citations": ["安市政〔2026〕1号"]}


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
def leader(client: Client) -> Client:
    return client.as_("unit_leader", subject="l-1", unit="A3")


@pytest.fixture
async def ticket_id(hub: Client) -> str:
    appeal = {"channel": "phone", "appeal_type": "help", "title": "路灯", "content": "路灯不亮"}
    made = await hub.post(TICKETS, json={**appeal, "person": {"phone": "13812345678"}})
    assert made.status_code == 201, made.text
    found = str(made.json()["id"])
    assert (await go(hub, found, "assign", {"unit_code": "A3"})).status_code == 200
    return found


async def go(who: Client, ticket_id: str, move: str, body: object = None) -> Any:
    seen = (await who.get(f"{TICKETS}/{ticket_id}")).headers["ETag"]
    url = f"{TICKETS}/{ticket_id}/{move}"
    return await who.post(url, json=body, headers={"If-Match": seen})


async def share(who: Client, ticket_id: str) -> Any:
    return (await who.get(f"{TICKETS}/{ticket_id}")).json()["assignments"][0]


async def test_a_reply_goes_as_another_person_signs_it_off(
    ticket_id: str, officer: Client, leader: Client
) -> None:
    await go(officer, ticket_id, "sign")
    await go(officer, ticket_id, "contact")
    sent = await go(officer, ticket_id, "sign-offs/reply", REPLY)
    assert (sent.status_code, sent.json()["replied_at"]) == (200, None)

    (waits,) = (await leader.get(f"{API}/sign-offs")).json()
    assert (waits["what"], waits["text"]["text"]) == ("reply", "路灯已修复")
    page = (await leader.get("/hotline/desk/unit")).text
    assert ("待审签" in page, "路灯已修复" in page) == (True, True)
    assert "待审签" not in (await officer.get("/hotline/desk/unit")).text

    done = await go(leader, ticket_id, "sign-offs/sign")
    assert (done.status_code, done.json()["reply"]) == (200, "路灯已修复")
    given = await share(leader, ticket_id)
    assert given["reply_signed_off_by"] == "l-1"
    assert given["reply_signed_off_at"] == "2026-09-21T10:00:00+08:00"
    assert "审签" in (await leader.get(f"/hotline/tickets/{ticket_id}")).text
    assert (await leader.get(f"{API}/sign-offs")).json() == []


async def test_a_return_is_asked_as_it_was_written_by_who_wrote_it(
    ticket_id: str, officer: Client, leader: Client
) -> None:
    await go(officer, ticket_id, "sign-offs/return", RETURN)
    done = await go(leader, ticket_id, "sign-offs/sign")

    assert (done.status_code, done.json()["status"]) == (200, "return_review")
    (asked,) = (await share(leader, ticket_id))["asks"]
    assert (asked["signed_off_by"], asked["grounds"]) == ("l-1", RETURN)


async def test_nobody_signs_off_what_is_their_own_or_has_no_right_or_is_not_there(
    ticket_id: str, officer: Client, leader: Client, client: Client
) -> None:
    nothing = await go(leader, ticket_id, "sign-offs/sign")
    assert (nothing.status_code, nothing.json()["code"]) == (409, "sign_off.nothing")
    await go(leader, ticket_id, "sign-offs/return", RETURN)
    own = await go(leader, ticket_id, "sign-offs/sign")
    assert (own.status_code, own.json()["code"]) == (422, "sign_off.same_person")
    assert (await go(officer, ticket_id, "sign-offs/sign")).status_code == 403
    other = client.as_("unit_leader", subject="l-2", unit="A7")
    url = f"{TICKETS}/{ticket_id}/sign-offs/sign"
    stranger = await other.post(url, headers={"If-Match": '"2"'})
    assert stranger.status_code in {403, 404}
    assert (await other.get(f"{API}/sign-offs")).json() == []


async def test_what_is_not_signed_off_is_taken_back_and_outlives_other_moves(
    ticket_id: str, officer: Client, leader: Client
) -> None:
    await go(officer, ticket_id, "sign-offs/return", RETURN)
    await go(officer, ticket_id, "sign")
    assert len((await leader.get(f"{API}/sign-offs")).json()) == 1

    assert (await go(leader, ticket_id, "sign-offs/refuse")).status_code == 200
    assert (await leader.get(f"{API}/sign-offs")).json() == []
    assert (await share(leader, ticket_id))["asks"] == []


async def test_what_a_unit_had_written_waits_no_more_once_the_ticket_is_another_units(
    ticket_id: str, officer: Client, leader: Client, hub: Client
) -> None:
    await go(officer, ticket_id, "sign-offs/return", RETURN)

    assert (await go(hub, ticket_id, "transfer", {"unit_code": "A7"})).status_code == 200
    assert (await leader.get(f"{API}/sign-offs")).json() == []


async def test_the_leader_signs_off_on_the_page(
    ticket_id: str, officer: Client, leader: Client
) -> None:
    await go(officer, ticket_id, "sign-offs/return", RETURN)
    version = (await leader.get(f"{API}/sign-offs")).json()[0]["version"]
    url = f"/hotline/desk/unit/sign-offs/{ticket_id}"

    done = await leader.post(url, data={"version": str(version), "verdict": "yes"})

    assert done.status_code in {200, 303}, done.text
    (asked,) = (await share(leader, ticket_id))["asks"]
    assert asked["signed_off_by"] == "l-1"


def test_a_city_may_let_nothing_leave_a_unit_unsigned() -> None:
    document = yaml.safe_load(packaged_text("tongban_hotline_dispatch", "process.yaml"))
    strict = {
        **document,
        "sign_offs": {"of": ["return", "reply"], "clause": "蚌政热线〔2017〕10号"},
    }
    process = PROCESS.parse(yaml.safe_dump(strict), where="process.yaml").process

    for what in ("return", "reply"):
        process.check_signed(what, is_signed=True)
        with pytest.raises(SignOffNeeded, match="蚌政热线"):
            process.check_signed(what, is_signed=False)
    process.check_signed("extension", is_signed=False)


async def test_the_officer_sends_it_for_signature_on_the_page_and_sees_how_it_stands(
    ticket_id: str, officer: Client, leader: Client
) -> None:
    await go(officer, ticket_id, "sign")
    seen = (await officer.get(f"{API}/tickets/{ticket_id}")).json()["version"]
    form = {"version": str(seen), "text": "路灯已修复", "is_resolved": "yes"}

    sent = await officer.post(f"/hotline/tickets/{ticket_id}/sign-off-reply", data=form)
    page = (await officer.get(f"/hotline/tickets/{ticket_id}")).text
    empty = await officer.post(
        f"/hotline/tickets/{ticket_id}/sign-off-return", data={"version": str(seen)}
    )
    (waiting,) = (await leader.get(f"{API}/sign-offs")).json()
    url = f"/hotline/desk/unit/sign-offs/{ticket_id}"
    await leader.post(url, data={"version": str(waiting["version"]), "verdict": "yes"})

    assert sent.status_code == 303, sent.text
    assert "答复已送审签" in page
    assert empty.status_code == 422
    assert (waiting["what"], waiting["text"]["text"]) == ("reply", "路灯已修复")
    answered = (await officer.get(f"{API}/tickets/{ticket_id}")).json()
    assert (answered["status"], answered["reply"]) == ("replied", "路灯已修复")
    assert "已送审签" not in (await officer.get(f"/hotline/tickets/{ticket_id}")).text
