"""先行联系: in which way and by which number, sealed, masked and in no event."""

import json
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from tongban_common.db import Database
from tongban_common.outbox import outbox
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.store.assignments import assignment

TICKETS = "/hotline/v1/tickets"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
NUMBER = "13987651234"


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


async def go(who: Client, ticket_id: str, move: str, body: object = None) -> Any:
    seen = (await who.get(f"{TICKETS}/{ticket_id}")).headers["ETag"]
    url = f"{TICKETS}/{ticket_id}/{move}"
    return await who.post(url, json=body, headers={"If-Match": seen})


async def signed(hub: Client, officer: Client, **more: Any) -> str:
    appeal = {"channel": "phone", "appeal_type": "help", "title": "路灯", "content": "路灯不亮"}
    person = {"person": {"phone": "13812345678"}}
    ticket_id = str((await hub.post(TICKETS, json={**appeal, **person, **more})).json()["id"])
    assert (await go(hub, ticket_id, "assign", {"unit_code": "A3"})).status_code == 200
    assert (await go(officer, ticket_id, "sign")).status_code == 200
    return ticket_id


async def contact(who: Client, ticket_id: str) -> tuple[str | None, str | None]:
    share = (await who.get(f"{TICKETS}/{ticket_id}")).json()["assignments"][0]
    return share["contact_way"], share["contact_number"]


async def test_the_way_and_the_number_are_kept_sealed_and_the_first_ones_stand(
    hub: Client, officer: Client, db: Database
) -> None:
    ticket_id = await signed(hub, officer)
    made = await go(officer, ticket_id, "contact", {"way": "sms", "number": NUMBER})
    assert made.status_code == 200, made.text

    assert await contact(officer, ticket_id) == ("sms", "139****1234")
    page = (await hub.get(f"/hotline/tickets/{ticket_id}")).text
    assert ("短信" in page, "139****1234" in page, NUMBER in page) == (True, True, False)
    async with db.reading() as reads:
        told = (await reads.execute(select(outbox.c.data))).scalars().all()
        kept = (await reads.execute(select(assignment.c.contact_number))).scalar_one()
    assert NUMBER not in json.dumps(told, ensure_ascii=False)
    assert NUMBER.encode() not in kept
    await go(officer, ticket_id, "reply", {"text": "已修复"})
    assert await contact(officer, ticket_id) == ("sms", "139****1234")


async def test_without_a_number_it_was_the_registered_one_and_of_who_hides_none_is_shown(
    hub: Client, officer: Client
) -> None:
    plain = await signed(hub, officer)
    silent = await signed(hub, officer, title="井盖", content="井盖破损")
    hides = await signed(hub, officer, title="停水", content="停水", hides_identity=True)
    await go(officer, plain, "contact", {"way": "visit"})
    await go(officer, silent, "contact")
    await go(officer, hides, "contact", {"number": NUMBER})

    assert await contact(hub, plain) == ("visit", None)
    assert "登记的号码" in (await hub.get(f"/hotline/tickets/{plain}")).text
    assert await contact(hub, silent) == (None, None)
    assert await contact(officer, hides) == ("phone", None)
    assert await contact(hub, hides) == ("phone", "139****1234")


async def test_the_form_takes_them_and_a_wrong_number_is_refused(
    hub: Client, officer: Client
) -> None:
    ticket_id = await signed(hub, officer)
    seen = (await officer.get(f"{TICKETS}/{ticket_id}")).json()["version"]
    url, body = f"/hotline/tickets/{ticket_id}/contact", {"version": str(seen)}

    wrong = await officer.post(url, data={**body, "way": "phone", "number": "不详"})
    assert (wrong.status_code, "应为5至20位数字" in wrong.text) == (422, True)
    await officer.post(url, data={**body, "way": "phone", "number": NUMBER})
    assert await contact(hub, ticket_id) == ("phone", "139****1234")
