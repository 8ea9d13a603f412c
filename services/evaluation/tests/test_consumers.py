"""What other services announce: one invitation for a matter, and the names of units."""

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from tongban_common.db import Database
from tongban_common.dead_letters import dead_letter
from tongban_common.service import Kit, Service
from tongban_common.testing import Client
from tongban_common.working_days import SHANGHAI
from tongban_evaluation.store.reviews import invitation
from tongban_evaluation.store.units import unit

CASES = "tongban.intake.case.v1"
TICKETS = "tongban.hotline.ticket.v1"
DIRECTORY = "tongban.intake.directory.v1"
CASE = {
    "case_id": str(UUID(int=1)),
    "item_code": "I1",
    "item_name": "食品经营许可",
    "unit_code": "U1",
    "window_code": "W1",
    "staff_code": None,
    "result": "approved",
    "completed_at": "2026-09-30T09:00:00+08:00",
    "is_overdue": False,
    "overdue_working_days": 0,
}
TICKET = {
    "ticket_id": str(UUID(int=2)),
    "ticket_no": "12345-20260930-0001",
    "unit_code": "U1",
    "appeal_type": "complaint",
    "is_overdue": False,
}


async def invitations(db: Database) -> list[Row[Any]]:
    async with db.reading() as connection:
        return list((await connection.execute(select(invitation))).all())


async def test_a_completed_case_invites_for_five_working_days(db: Database, deliver: Any) -> None:
    await deliver(CASES, "case-completed", CASE["case_id"], **CASE)

    (row,) = await invitations(db)
    assert (row.matter_kind, row.matter_id, row.title) == ("case", UUID(int=1), "食品经营许可")
    assert (row.unit_code, row.window_code, row.staff_code) == ("U1", "W1", None)
    assert row.due_at == datetime(2026, 10, 13, 23, 59, 59, 999999, tzinfo=SHANGHAI)


async def test_a_closed_ticket_invites_for_thirty_days(db: Database, deliver: Any) -> None:
    await deliver(TICKETS, "ticket-closed", TICKET["ticket_id"], **TICKET)

    (row,) = await invitations(db)
    assert (row.matter_kind, row.title) == ("ticket", "12345工单 12345-20260930-0001")
    assert row.due_at == datetime(2026, 10, 30, 23, 59, 59, 999999, tzinfo=SHANGHAI)


async def test_whoever_has_the_key_of_a_ticket_comes_to_its_review(
    client: Client, deliver: Any
) -> None:
    key = "a key that only its citizen has"
    digest = hashlib.sha256(key.encode()).hexdigest()
    early = await client.get(f"/evaluation/t/{key}")
    for _ in range(2):  # closed, taken up again, closed again
        await deliver(TICKETS, "ticket-closed", TICKET["ticket_id"], **TICKET)
        offered = {"ticket_id": TICKET["ticket_id"], "key_digest": digest}
        await deliver(TICKETS, "rating-offered", TICKET["ticket_id"], **offered)

    led = await client.get(f"/evaluation/t/{key}")
    page = await client.get(led.headers["location"])
    others = [(await client.get(f"/evaluation/t/{each}")).status_code for each in ("x", digest)]

    assert (early.status_code, early.json()["code"]) == (404, "invitation.not_found")
    assert (led.status_code, led.headers["cache-control"]) == (303, "no-store")
    assert (page.status_code, "12345工单 12345-20260930-0001" in page.text) == (200, True)
    assert others == [404, 404]


async def test_a_duplicate_delivery_invites_once(
    db: Database, deliver: Any, service: Service, kit: Kit
) -> None:
    envelope = await deliver(CASES, "case-completed", CASE["case_id"], **CASE)

    inbox = service.inbox(kit)
    await inbox.apply([envelope, envelope])

    assert inbox.outcomes["duplicate"] == 2
    assert len(await invitations(db)) == 1


async def test_a_matter_that_ends_twice_is_invited_once_and_keeps_its_window(
    db: Database, deliver: Any
) -> None:
    await deliver(CASES, "case-completed", CASE["case_id"], **CASE)
    (first,) = await invitations(db)

    later = {**CASE, "completed_at": "2026-10-20T09:00:00+08:00"}
    await deliver(CASES, "case-completed", CASE["case_id"], **later)

    assert await invitations(db) == [first]


async def test_what_ends_nothing_is_left_unread(db: Database, deliver: Any) -> None:
    await deliver(CASES, "case-accepted", CASE["case_id"], case_id=CASE["case_id"])
    await deliver(CASES, "deadline-missed", CASE["case_id"], case_id=CASE["case_id"])
    await deliver(TICKETS, "ticket-assigned", TICKET["ticket_id"], unit_code="U1")
    await deliver(DIRECTORY, "staff-changed", "U1", staff_code="S1")

    async with db.reading() as connection:
        letters = (await connection.execute(select(dead_letter))).all()
    assert (await invitations(db), letters) == ([], [])


async def test_the_name_of_a_unit_is_the_last_announced(db: Database, deliver: Any) -> None:
    await deliver(DIRECTORY, "unit-changed", "U1", unit_code="U1", name="市场局", is_active=True)
    await deliver(DIRECTORY, "unit-changed", "U1", unit_code="U1", name="市监局", is_active=True)

    async with db.reading() as connection:
        rows = (await connection.execute(select(unit))).all()
    assert [tuple(row) for row in rows] == [("U1", "市监局")]


async def test_what_cannot_be_read_becomes_a_dead_letter_and_the_rest_is_taken(
    db: Database, deliver: Any
) -> None:
    broken = {**CASE, "case_id": "not a uuid"}
    await deliver(CASES, "case-completed", "broken", **broken)
    await deliver(CASES, "case-forgotten", CASE["case_id"], case_id=CASE["case_id"])
    await deliver(CASES, "case-completed", CASE["case_id"], **CASE)

    async with db.reading() as connection:
        reasons = (await connection.execute(select(dead_letter.c.reason))).scalars().all()
    assert sorted(reasons) == ["poison", "unknown_type"]
    assert len(await invitations(db)) == 1
