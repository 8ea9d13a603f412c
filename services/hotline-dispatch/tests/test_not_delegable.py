"""职责不下派 (hotline.md 11, case 15): the packaged rule over the packaged catalogue."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest

from tongban_common.db import Database
from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.matters import Matter
from tongban_hotline_dispatch.operations.matters import first_catalogue
from tongban_hotline_dispatch.store import Units
from tongban_hotline_dispatch.store.matters import all_matters, matter_version_at
from tongban_hotline_dispatch.store.process import PROCESS
from tongban_hotline_dispatch.store.reference import Unit

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
TICKETS = "/hotline/v1/tickets"
Made = Callable[..., Awaitable[str]]


@pytest.fixture(autouse=True)
async def _tree(db: Database, clock: Clock) -> None:
    """A7 over A3 over T3, a township's centre."""
    clock.now = NOW
    async with db.transaction() as tx:
        for code, level, parent in (("A3", "county", "A7"), ("T3", "township", "A3")):
            new = Unit(code=code, name=code, level=level, is_active=True, parent_code=parent)
            await Units(tx).keep(new)


@pytest.fixture
async def matters(kit: Kit) -> list[Matter]:
    await first_catalogue(kit, now=NOW)
    async with kit.db.reading() as reads:
        version = await matter_version_at(reads, NOW.date())
        assert version is not None
        return list(await all_matters(reads, version))


@pytest.fixture
def made(hub: Client, matters: list[Matter]) -> Made:
    async def make(matter: str, *, unit: str | None = None) -> str:
        (code,) = [each.code for each in matters if each.path[-1] == matter]
        body = {
            "channel": "phone",
            "appeal_type": "help",
            "urgency": "normal",
            "title": "请予查处",
            "content": "桂花路一带，请予查处。",
            "matter_code": code,
            "person": {"phone": "13812345678", "address": "桂花路1号"},
        }
        answer = await hub.post(TICKETS, json=body)
        assert answer.status_code == 201, answer.text
        ticket = str(answer.json()["id"])
        if unit is not None:
            assert (await move(hub, ticket, "assign", unit_code=unit)).status_code == 200
        return ticket

    return make


async def move(who: Client, ticket: str, path: str, **body: Any) -> Any:
    seen = (await who.get(f"{TICKETS}/{ticket}")).headers["etag"]
    return await who.post(f"{TICKETS}/{ticket}/{path}", json=body, headers={"If-Match": seen})


async def test_each_packaged_rule_names_a_matter_of_the_packaged_catalogue(
    kit: Kit, matters: list[Matter]
) -> None:
    process = (await kit.policy(PROCESS).at(NOW.date())).process
    known = [each.code for each in matters]

    unknown = [
        keep.matter
        for keep in process.kept
        if keep.matter != "ZF" and not any(code.startswith(keep.matter) for code in known)
    ]

    assert unknown == []
    assert len(process.kept) > 1


async def test_a_town_is_offered_no_duty_of_enforcement_whichever_way(
    hub: Client, officer: Client, made: Made
) -> None:
    ticket = await made("新增违法搭建")
    assigned = await move(hub, ticket, "assign", unit_code="T3")
    bulk = await hub.post(
        f"{TICKETS}/bulk/assign", json={"items": [{"ticket_id": ticket, "unit_code": "T3"}]}
    )
    assert (await move(hub, ticket, "assign", unit_code="A3")).status_code == 200
    moved = await move(hub, ticket, "transfer", unit_code="T3")
    assert (await move(officer, ticket, "sign")).status_code == 200
    shared = await move(officer, ticket, "add-unit", unit_code="T3", role="co")
    whistled = await move(officer, ticket, "add-unit", unit_code="T3", role="whistle")
    handed = await move(officer, ticket, "delegate", unit_code="T3")

    for answer in (assigned, moved, shared, whistled, handed):
        assert (answer.status_code, answer.json()["code"]) == (422, "assignment.not_delegable")
        assert "国办函〔2025〕66号" in answer.json()["detail"]
    assert bulk.json()["results"][0]["code"] == "assignment.not_delegable"


async def test_what_is_no_enforcement_goes_down_but_only_below_who_hands_it_down(
    client: Client, officer: Client, made: Made
) -> None:
    ticket = await made("路灯不亮或损坏", unit="A3")
    other = await made("路灯不亮或损坏", unit="A7")
    city = client.as_("unit_officer", subject="u-7", unit="A7")
    assert (await move(officer, ticket, "sign")).status_code == 200
    assert (await move(city, other, "sign")).status_code == 200

    up = await move(officer, ticket, "delegate", unit_code="A7")
    down = await move(officer, ticket, "delegate", unit_code="T3")
    two_down = await move(city, other, "delegate", unit_code="T3")

    assert (up.status_code, up.json()["code"]) == (422, "assignment.not_below")
    assert (down.status_code, two_down.status_code) == (200, 200)
