from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from tongban_common.audit import audit
from tongban_common.db import Database
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.store.contacts import unit_contact
from tongban_hotline_dispatch.store.officers import assignment_officer

URL = "/hotline/v1/contacts"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
ZHANG = {
    "name": "张三丰",
    "post": "办公室主任",
    "office_phone": "0851-5551234",
    "mobile": "13812345678",
    "email": "zhang@example.com",
    "officer": "u-1",
}
LI = {"name": "李四", "mobile": "13987654321", "officer": "u-2"}
SECRETS = ("张三丰", "13812345678", "0851-5551234", "zhang@", "李四", "13987654321")
Post = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
def post(officer: Client) -> Post:
    """Files a contact of A3 and gives the answer."""

    async def file(person: dict[str, Any] = ZHANG, **more: Any) -> dict[str, Any]:
        body = {
            "unit_code": "A3",
            "role": "platform_operator",
            "person": person,
            "completed_on": "2026-09-21",
            **more,
        }
        answer = await officer.post(URL, json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    return file


async def test_a_contact_is_filed_and_shown_masked_to_everybody(
    hub: Client, officer: Client, post: Post
) -> None:
    filed = await post()

    listed = (await hub.get(URL)).json()["items"]
    one = (await officer.get(f"{URL}/{filed['contact']['id']}")).json()

    assert filed["due"] == "2026-10-12T23:59:59.999999+08:00"
    assert filed["is_late"] is False
    assert listed == [one]
    assert one["person"] == {
        "name": "张**",
        "post": "办公室主任",
        "office_phone": "085*****1234",
        "mobile": "138****5678",
        "email": "z****@example.com",
    }
    assert one["unit_name"] == "A3政府"
    assert one["has_officer"] is True


async def test_nothing_personal_is_stored_in_clear_or_announced(
    post: Post, db: Database, announced: Any
) -> None:
    await post()

    async with db.reading() as reads:
        row = (await reads.execute(select(unit_contact))).one()
    stored = b"".join(each for each in row if isinstance(each, bytes))
    told = orjson.dumps(await announced()).decode()

    assert not any(secret.encode() in stored for secret in SECRETS)
    assert not any(secret in told for secret in SECRETS)


@pytest.mark.parametrize(
    ("filed_at", "is_late"),
    [
        (datetime(2026, 10, 12, 23, 59, 59, 999999, tzinfo=SHANGHAI), False),
        (datetime(2026, 10, 13, 0, 0, tzinfo=SHANGHAI), True),
    ],
    ids=["第10个工作日24时", "其后"],
)
async def test_a_late_filing_is_taken_flagged_and_announced(
    post: Post, hub: Client, clock: Clock, announced: Any, filed_at: datetime, is_late: bool
) -> None:
    clock.now = filed_at

    filed = await post()

    late = (await hub.get("/hotline/v1/contact-filings", params={"late": "true"})).json()["items"]
    ((fact, data),) = await announced()
    assert fact == "unit-contact-changed"
    assert filed["is_late"] is data["is_late"] is is_late
    assert [each["is_late"] for each in late] == ([True] if is_late else [])


async def test_unmasking_needs_a_reason_and_is_kept_on_record(
    client: Client, hub: Client, officer: Client, post: Post, db: Database
) -> None:
    url = f"{URL}/{(await post())['contact']['id']}/unmasked"

    refused = await hub.get(url, params={"reason": "curiosity"})
    own = await officer.get(url, params={"reason": "urging"})
    agent = await client.as_("agent").get(url, params={"reason": "urging"})
    shown = await hub.get(url, params={"reason": "urging"})

    assert (refused.status_code, refused.json()["code"]) == (400, "contact.unknown_reason")
    assert (own.status_code, agent.status_code) == (403, 403)
    assert shown.json()["mobile"] == "13812345678"
    assert shown.headers["cache-control"] == "no-store"
    async with db.reading() as reads:
        (row,) = (await reads.execute(select(audit))).all()
    assert (row.actor, row.action, row.facts) == ("d-1", "contact.unmasked", {"reason": "urging"})


async def test_the_successor_gets_the_open_tickets_in_the_same_transaction(
    officer: Client, hub: Client, post: Post, filed: Any, db: Database, announced: Any, clock: Clock
) -> None:
    leaving = await post()
    tickets = [await filed(NOW, unit="A3") for _ in range(3)]
    foreign = await filed(NOW, unit="A7")
    for each in tickets:
        await officer.put(f"/hotline/v1/tickets/{each.id}/officer", json={"officer": "u-1"})
    settled = f"/hotline/v1/tickets/{tickets[2].id}"
    await officer.post(f"{settled}/sign", headers={"If-Match": '"2"'})
    await officer.post(f"{settled}/reply", headers={"If-Match": '"3"'}, json={"text": "已修复"})
    await hub.post(f"{settled}/close", headers={"If-Match": '"4"'})
    clock.forward(days=1)

    await post(LI, replaces=leaving["contact"]["id"], completed_on="2026-09-22")

    in_hand = {}
    for each in (*tickets, foreign):
        answer = await hub.get(f"/hotline/v1/tickets/{each.id}/officer")
        in_hand[each.id] = answer.json()["officer"]
    told = [data for fact, data in await announced() if fact == "unit-contact-changed"]
    assert list(in_hand.values()) == ["u-2", "u-2", "u-1", None]
    assert (told[-1]["change"], told[-1]["handed_over"]) == ("replaced", 2)
    assert (await hub.get(f"{URL}/{leaving['contact']['id']}")).json()["valid_to"] == "2026-09-22"
    async with db.reading() as reads:
        rows = (await reads.execute(select(assignment_officer))).all()
    assert len(rows) == 5  # nothing was overwritten


async def test_each_unit_of_a_ticket_has_an_officer_of_its_own(
    officer: Client, hub: Client, client: Client, post: Post, filed: Any
) -> None:
    leaving = (await post())["contact"]
    ticket = await filed(NOW, unit="A3")
    url = f"/hotline/v1/tickets/{ticket.id}/officer"
    await officer.post(f"/hotline/v1/tickets/{ticket.id}/sign", headers={"If-Match": '"2"'})
    added = await officer.post(
        f"/hotline/v1/tickets/{ticket.id}/add-unit",
        json={"unit_code": "A7", "role": "co"},
        headers={"If-Match": '"3"'},
    )
    assert added.status_code == 200, added.text
    other = client.as_("unit_officer", subject="u-7", unit="A7")
    await officer.put(url, json={"officer": "u-1"})
    await other.put(url, json={"officer": "u-7"})

    await post(LI, replaces=leaving["id"])

    seen = [(await each.get(url)).json()["officer"] for each in (officer, other, hub)]
    assert seen == ["u-2", "u-7", "u-2"]


async def test_nobody_leaves_open_tickets_behind(
    officer: Client, post: Post, filed: Any, announced: Any
) -> None:
    made = (await post())["contact"]
    ticket = await filed(NOW, unit="A3")
    await officer.put(f"/hotline/v1/tickets/{ticket.id}/officer", json={"officer": "u-1"})
    url, seen = f"{URL}/{made['id']}/end", {"If-Match": '"1"'}

    alone = await officer.post(url, json={"completed_on": "2026-09-21"}, headers=seen)
    body = {"completed_on": "2026-09-21", "take_over": "u-2"}
    passed = await officer.post(url, json=body, headers=seen)
    again = await officer.post(url, json=body, headers={"If-Match": '"2"'})

    assert (alone.status_code, alone.json()["code"]) == (409, "contact.nobody_takes_over")
    assert alone.json()["open_tickets"] == 1
    assert passed.json()["change"] == "ended"
    assert again.json()["code"] == "contact.already_ended"
    assert (await officer.get(f"/hotline/v1/tickets/{ticket.id}/officer")).json()[
        "officer"
    ] == "u-2"
    assert [data["handed_over"] for fact, data in await announced() if "contact" in fact] == [0, 1]


async def test_who_works_on_in_another_post_keeps_the_tickets(
    officer: Client, post: Post, filed: Any
) -> None:
    made = (await post())["contact"]
    await post(role="liaison")
    ticket = await filed(NOW, unit="A3")
    await officer.put(f"/hotline/v1/tickets/{ticket.id}/officer", json={"officer": "u-1"})

    await post(LI, replaces=made["id"])

    answer = await officer.get(f"/hotline/v1/tickets/{ticket.id}/officer")
    assert answer.json()["officer"] == "u-1"


async def test_a_number_is_corrected_without_a_filing_limit(
    officer: Client, hub: Client, post: Post, clock: Clock
) -> None:
    made = (await post())["contact"]
    clock.forward(days=90)

    stale = await officer.put(f"{URL}/{made['id']}", json=ZHANG, headers={"If-Match": '"7"'})
    changed = await officer.put(
        f"{URL}/{made['id']}", json={**ZHANG, "mobile": "13700001111"}, headers={"If-Match": '"1"'}
    )

    latest = (await hub.get("/hotline/v1/contact-filings")).json()["items"][0]
    assert stale.status_code == 412
    assert changed.json()["person"]["mobile"] == "137****1111"
    assert (latest["change"], latest["due"], latest["is_late"]) == ("corrected", None, False)


async def test_a_unit_files_and_sees_only_its_own(
    client: Client, officer: Client, hub: Client, post: Post
) -> None:
    made = (await post())["contact"]
    other = client.as_("unit_officer", subject="u-7", unit="A7")
    foreign = {
        "unit_code": "A7",
        "role": "liaison",
        "person": LI,
        "completed_on": "2026-09-21",
    }

    refused = await officer.post(URL, json=foreign)
    hidden = await other.get(f"{URL}/{made['id']}")
    nothing = await other.get(URL, params={"unit": "A3"})
    ended = await other.post(
        f"{URL}/{made['id']}/end", json={"completed_on": "2026-09-21"}, headers={"If-Match": '"1"'}
    )

    assert (refused.status_code, refused.json()["code"]) == (403, "contact.not_your_unit")
    assert (hidden.status_code, nothing.json()["items"]) == (404, [])
    assert ended.status_code == 403
    assert (await hub.post(URL, json=foreign)).status_code == 201
    assert (await client.get(URL)).status_code == 401


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"completed_on": "2026-09-22"}, 422, "contact.change_in_future"),
        ({"completed_on": "0001-01-01"}, 422, "contact.change_too_old"),
        ({"unit_code": "A9"}, 422, "unit.not_found"),
        ({"unit_code": "A9\x00"}, 422, "request.nul"),
        ({"person": {"name": ""}}, 422, "request.invalid"),
        ({"person": {"name": "张\x00"}}, 422, "request.nul"),
        ({"person": {"name": "张", "mobile": "打我"}}, 422, "request.invalid"),
        ({"person": {"name": "张", "email": "张"}}, 422, "request.invalid"),
        ({"replaces": "00000000-0000-0000-0000-000000000001"}, 404, "contact.not_found"),
        ({"role": "emperor"}, 422, "request.invalid"),
    ],
)
async def test_a_bad_filing_is_refused_and_says_why(
    hub: Client, changed: dict[str, Any], status: int, code: str
) -> None:
    body = {
        "unit_code": "A3",
        "role": "liaison",
        "person": ZHANG,
        "completed_on": "2026-09-21",
        **changed,
    }

    answer = await hub.post(URL, json=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not any(secret in answer.text for secret in SECRETS)


async def test_a_post_with_one_holder_is_taken_over_rather_than_filled_twice(
    officer: Client, post: Post
) -> None:
    made = (await post(role="leader_in_charge"))["contact"]

    body = {
        "unit_code": "A3",
        "role": "leader_in_charge",
        "person": LI,
        "completed_on": "2026-09-21",
    }
    second = await officer.post(URL, json=body)
    taken = await officer.post(URL, json={**body, "replaces": made["id"]})

    assert (second.status_code, second.json()["code"]) == (409, "contact.role_taken")
    assert (taken.status_code, taken.json()["change"]) == (201, "replaced")


async def test_the_list_is_paged_and_filtered(hub: Client, post: Post, clock: Clock) -> None:
    for role in ("liaison", "kb_admin", "dedicated_staff"):
        await post(role=role)
    first = (await hub.get(URL, params={"limit": 2})).json()
    rest = (await hub.get(URL, params={"limit": 2, "cursor": first["next"]})).json()
    liaisons = (await hub.get(URL, params={"role": "liaison"})).json()["items"]
    clock.now -= timedelta(days=1)
    before = (await hub.get(URL)).json()["items"]
    every = (await hub.get(URL, params={"active": "false"})).json()["items"]

    roles = [each["role"] for each in (*first["items"], *rest["items"])]
    assert roles == ["dedicated_staff", "kb_admin", "liaison"]
    assert rest["next"] is None
    assert [each["role"] for each in liaisons] == ["liaison"]
    assert (before, len(every)) == ([], 3)


async def test_a_ticket_that_nobody_handles_is_taken_in_hand_by_nobody(
    hub: Client, officer: Client, client: Client, filed: Any
) -> None:
    ticket = await filed(NOW)
    url = f"/hotline/v1/tickets/{ticket.id}/officer"

    foreign = await officer.put(url, json={"officer": "u-1"})
    unassigned = await client.as_("admin").put(url, json={"officer": "u-1"})

    assert (foreign.status_code, foreign.json()["code"]) == (403, "ticket.not_your_unit")
    assert (unassigned.status_code, unassigned.json()["code"]) == (409, "ticket.nothing_in_hand")
