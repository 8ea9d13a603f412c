"""Patterns from end to end (hotline.md 4.2): the API brings the signals, the timers the rest."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.operations.supervision_timers import look_round

from .building import ASSESSMENTS, SETTLED, Opened

PATH = "/hotline/v1/supervisions"
TICKETS = "/hotline/v1/tickets"
MONDAY = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
RETURN = {
    "reason": "非本单位职责",
    "citation": "三定规定",
    "suggested_unit": "A7",
    "is_signed_off": True,
}
Swept = Callable[[datetime], Awaitable[None]]
Record = dict[str, Any]


@pytest.fixture
def supervisor(client: Client) -> Client:
    return client.as_("supervisor", subject="s-1")


async def found(supervisor: Client, cause: str) -> list[Record]:
    """In full, those of one cause."""
    listed = (await supervisor.get(PATH, params={"limit": 100})).json()["items"]
    ids = [each["id"] for each in listed if each["cause"] == cause]
    return [(await supervisor.get(f"{PATH}/{each}")).json() for each in ids]


async def test_two_months_in_the_lowest_tier_lead_to_one_interview(
    kit: Kit, opened: Opened, supervisor: Client, clock: Clock, swept: Swept
) -> None:
    await look_round(kit, now=datetime(2026, 9, 1, 10, 0, tzinfo=SHANGHAI))
    for month in (8, 9):
        assert await found(supervisor, "lowest_tier") == []
        for _ in range(5):
            await (await opened(datetime(2026, month, 3, 10, 0, tzinfo=SHANGHAI))).whole(SETTLED)
        clock.now = datetime(2026, month + 1, 20, 10, 0, tzinfo=SHANGHAI)
        answer = await supervisor.post(ASSESSMENTS, json={"period": f"2026-{month:02}"})
        assert answer.status_code == 201, answer.text
        await swept(clock.now + timedelta(days=1))
    await swept(clock.now + timedelta(days=2))

    (interview,) = await found(supervisor, "lowest_tier")

    assert (interview["level"], interview["unit_codes"]) == ("S3", ["A3"])
    assert interview["cards"] == []
    (notice,) = interview["notices"]
    assert notice["audience"] == ["principal_leader"]
    assert "连续考核末档（共2件）" in notice["body"]


async def test_three_returns_rejected_in_a_month_lead_to_one_letter_and_silence_is_nobody_s_word(
    kit: Kit,
    filed: Any,
    hub: Client,
    officer: Client,
    supervisor: Client,
    clock: Clock,
    swept: Swept,
) -> None:
    clock.now = MONDAY
    await look_round(kit, now=MONDAY)

    async def returned(*, is_decided: bool) -> str:
        ticket = await filed(clock.now, unit="A3")
        path = f"{TICKETS}/{ticket.id}"
        asked = await officer.post(
            f"{path}/return", json=RETURN, headers={"If-Match": f'"{ticket.version}"'}
        )
        assert asked.status_code == 200, asked.text
        if is_decided:
            said = {"is_granted": False, "note": "属你单位职责"}
            decided = await hub.post(
                f"{path}/return/decide", json=said, headers={"If-Match": asked.headers["etag"]}
            )
            assert decided.status_code == 200, decided.text
        return str(ticket.id)

    ids = [await returned(is_decided=True) for _ in range(2)]
    await returned(is_decided=False)
    clock.forward(days=2)
    await swept(clock.now)
    assert await found(supervisor, "bad_returns") == []

    ids.append(await returned(is_decided=True))
    for days in (1, 2):
        await swept(clock.now + timedelta(days=days))

    (letter,) = await found(supervisor, "bad_returns")
    assert (letter["level"], letter["unit_codes"]) == ("S1", ["A3"])
    assert sorted(letter["ticket_ids"]) == sorted(ids)
    assert [card["colour"] for card in letter["cards"]] == ["yellow"]
    assert "多次退单被驳回" in letter["notices"][0]["body"]
    assert letter["notices"][0]["audience"] == ["leader_in_charge"]


async def test_knowledge_late_three_times_leads_from_the_urge_to_one_letter(
    kit: Kit, hub: Client, supervisor: Client, clock: Clock, swept: Swept
) -> None:
    clock.now = MONDAY
    await look_round(kit, now=MONDAY)
    for no in range(3):
        order = {
            "unit_code": "A3",
            "about": f"安府发〔2026〕{no + 1}号",
            "published_on": "2026-09-21",
        }
        made = await hub.post("/hotline/v1/knowledge-duties", json=order)
        assert made.status_code == 201, made.text

    await swept(MONDAY + timedelta(days=2))
    assert await found(supervisor, "KNOWLEDGE") == []
    for days in (3, 4, 5):
        await swept(MONDAY + timedelta(days=days))

    urges = await found(supervisor, "KNOWLEDGE")
    assert [each["level"] for each in urges] == ["U1", "U1", "U1"]
    (letter,) = await found(supervisor, "late_knowledge")
    assert (letter["level"], letter["unit_codes"]) == ("S1", ["A3"])
    assert [card["colour"] for card in letter["cards"]] == ["yellow"]
    assert "知识库多次逾期" in letter["notices"][0]["body"]
