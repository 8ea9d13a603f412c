"""诉求类型 beyond the five (hotline.md 2.2): ended as they are registered, or handled like 求助."""

from datetime import datetime
from typing import Any

import pytest
import yaml

from tongban_common.policies import BadPolicy, packaged_text
from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.store.counter import COUNTER

API = "/hotline/v1"
TICKETS = f"{API}/tickets"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
PHONE = {"person": {"phone": "13812345678"}}
SAID = {"channel": "phone", "title": "路灯", "content": "桂花路口的路灯三天不亮"}


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


async def taken(hub: Client, kind: str, **more: Any) -> Any:
    return await hub.post(TICKETS, json={**SAID, "appeal_type": kind, **more})


@pytest.mark.parametrize(
    ("kind", "more", "status", "disposition"),
    [
        ("thanks", {"target_name": "路灯所"}, "answered", None),
        ("withdrawal", PHONE, "answered", None),
        ("harassment", {}, "routed_out", "MALICIOUS"),
        ("invalid", {}, "routed_out", "NO_SUBSTANCE"),
    ],
)
async def test_what_is_no_matter_to_handle_ends_as_it_is_registered_and_is_never_assigned(
    hub: Client, kind: str, more: Any, status: str, disposition: str | None
) -> None:
    answer = await taken(hub, kind, lacks_facts=True, **more)

    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["status"], told["disposition"]) == (status, disposition)
    assert (told["citizen_due"], told["reply_due"]) == (None, None)
    refused = await hub.post(
        f"{TICKETS}/{told['id']}/assign",
        json={"unit_code": "A3"},
        headers={"If-Match": answer.headers["ETag"]},
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "ticket.not_assignable")
    assert "登记后即办结，不派单" in refused.text


async def test_whoever_takes_it_in_may_say_otherwise_and_must_know_what_the_type_needs(
    hub: Client,
) -> None:
    said = await taken(hub, "thanks", target_name="路灯所", answer="已转告路灯所")
    assert (said.json()["status"], said.json()["reply"]) == ("answered", "已转告路灯所")
    for kind, lacking in (("thanks", "target_name"), ("withdrawal", "phone"), ("other", "phone")):
        refused = await taken(hub, kind)
        assert (refused.status_code, refused.json()["fields"]) == (422, [lacking])


async def test_a_wish_to_withdraw_does_not_urge_the_matter_that_it_is_about(hub: Client) -> None:
    body = {**SAID, **PHONE}
    await hub.post(f"{API}/filings", json={**body, "appeal_type": "help"})

    again = await hub.post(f"{API}/filings", json={**body, "appeal_type": "withdrawal"})

    assert (again.json()["is_new"], again.json()["progress"]["status"]) == (True, "answered")


async def test_any_other_matter_is_handled_within_the_limit_of_help(hub: Client) -> None:
    other = (await taken(hub, "other", **PHONE)).json()
    like = (await taken(hub, "help", **PHONE)).json()

    assert other["status"] == "registered"
    assert other["citizen_due"] == like["citizen_due"]


async def test_they_come_by_file_and_on_the_agents_form(kit: Kit, client: Client) -> None:
    file = (
        "渠道,渠道编号,诉求类型,标题,内容,被反映对象\n"
        "电话,M-1,感谢,谢谢,谢谢路灯所,路灯所\n"
        "电话,M-2,骚扰,骚扰,反复拨打,\n"
        "电话,M-3,其他,其他,其他事项,\n"
    )
    report = await operations.import_file(kit, content=file.encode(), actor="i", now=NOW)
    assert [row.outcome for row in report.rows] == ["taken", "taken", "refused"]

    agent = client.as_("agent", subject="a-1")
    typed = {"appeal_type": "invalid", "title": "无声", "content": "无声", "urgency": "normal"}
    ways = {"channel": "phone", "ending": "accepted"}
    done = await agent.post("/hotline/desk/agent", data={**typed, **ways})
    assert (done.status_code, "没有实质诉求，已作记录" in done.text) == (200, True)


def test_the_policy_says_one_way_of_ending_and_ends_none_of_the_five() -> None:
    document = yaml.safe_load(packaged_text("tongban_hotline_dispatch", "counter.yaml"))
    both = {"answer": "好", "disposition": "NO_SUBSTANCE", "clause": "默认"}
    shipped, one = document["at_once"], {"answer": "好", "clause": "默认"}
    wrong = (({**shipped, "help": one}, "help"), ({**shipped, "thanks": both}, "其一"))
    for at_once, said in wrong:
        with pytest.raises(BadPolicy, match=said):
            COUNTER.parse(yaml.safe_dump({**document, "at_once": at_once}), where="counter.yaml")
