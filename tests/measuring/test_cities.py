"""What the bench generates is as the hotline itself would have made it."""

from collections import Counter
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select, text

from bench import cities
from bench.multiplying import phone_of
from tongban_common.db import Database
from tongban_common.privacy import Sealer
from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock
from tongban_common.timers import timer
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.domain.guard import COMPLAINANT
from tongban_hotline_dispatch.domain.moves import ENDED
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.main import SERVICE
from tongban_hotline_dispatch.operations.performing import subject_of
from tongban_hotline_dispatch.store import ticket
from tongban_hotline_dispatch.store.board import board
from tongban_hotline_dispatch.store.complainants import complainant, opened

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
NUMBER = 500
TICKETS = "/hotline/v1/tickets"


@pytest.fixture(scope="session")
def service() -> Service:
    return SERVICE


@pytest.fixture
async def filled(kit: Kit, clock: Clock) -> set[str]:
    """The ids of the templates."""
    clock.now = NOW
    plan = cities.Plan(tickets=NUMBER, open_share=0.4, breached=10, units=3)
    templates = await cities.fill(kit, plan, now=NOW, quiet=True)
    return {str(each.ticket_id) for each in templates}


async def all_tickets(db: Database) -> list[Ticket]:
    async with db.reading() as reads:
        ids = (await reads.execute(select(ticket.c.id))).scalars().all()
        return [await queries.one(reads, each, seen_by=COMPLAINANT) for each in ids]


async def value(db: Database, query: str) -> Any:
    async with db.reading() as reads:
        return (await reads.execute(text(query))).scalar_one()


async def test_every_ticket_reads_and_has_its_history_its_person_and_its_words(
    kit: Kit, filled: set[str]
) -> None:
    found = await all_tickets(kit.db)
    assert len(found) == NUMBER
    assert len({each.ticket_no for each in found}) == NUMBER
    assert len({each.status for each in found}) >= 16
    assert all(each.registered_at <= NOW for each in found)

    moves = await value(kit.db, "SELECT count(*) FROM ticket_move")
    assert moves == sum(each.version for each in found)
    assert await value(kit.db, "SELECT count(*) FROM likeness") == NUMBER
    async with kit.db.reading() as reads:
        rows = (await reads.execute(select(complainant))).all()
    assert await value(kit.db, "SELECT count(*) FROM callback_task") > NUMBER // 8
    phones = {opened(row, row.ticket_id, Sealer(kit.secret)).phone for row in rows}
    assert len(rows) == NUMBER
    assert len(phones - {None}) == NUMBER // cities.PER_PERSON + 1  # and that of the templates


async def test_clocks_of_open_tickets_are_armed_as_they_run(kit: Kit, filled: set[str]) -> None:
    of_ladder = {"ladder", "hot-issues", "supervision_round"}
    async with kit.db.reading() as reads:
        rows = (await reads.execute(select(timer).where(timer.c.state == "armed"))).all()
    armed = {(row.subject, row.kind): row.due_at for row in rows if row.kind not in of_ladder}
    for each in await all_tickets(kit.db):
        if each.status in ENDED:
            continue
        for (clock, no), term in each.clocks().items():
            assert armed.pop((subject_of(each.id, no), clock.value)) == term.due_at
    assert {subject[:36] for subject, _ in armed} <= filled  # archives, and what was late

    late = [row for row in rows if row.kind == "unit" and row.due_at < NOW]
    assert len([row for row in late if row.subject[:36] not in filled]) == 10


async def test_the_board_counts_what_there_is(kit: Kit, filled: set[str]) -> None:
    async with kit.db.reading() as reads:
        figures = await board(reads, now=NOW, days=30)
    found = Counter(each.status for each in await all_tickets(kit.db) if each.status not in ENDED)
    assert figures.by_status == found
    assert figures.overdue == 10


async def test_a_generated_ticket_is_found_and_moves_on(
    kit: Kit, filled: set[str], client: Client
) -> None:
    found = [each for each in await all_tickets(kit.db) if str(each.id) not in filled]
    one = next(each for each in found if each.status == "signed" and each.unit_code is not None)
    officer = client.as_("unit_officer", unit=one.unit_code)
    hub = client.as_("dispatcher")

    replied = await officer.post(
        f"{TICKETS}/{one.id}/reply", json={"text": "办妥"}, headers={"If-Match": f'"{one.version}"'}
    )
    assert (replied.status_code, replied.json()["status"]) == (200, "replied")

    search = "/hotline/v1/ticket-searches"
    for asked in ({"number": one.ticket_no}, {"phone": phone_of(7, NUMBER // 4)}):
        answer = await hub.post(search, json=asked)
        assert answer.status_code == 200
        assert answer.json()["items"], asked
    titles = (await hub.post(search, json={"text": one.appeal.title})).json()["items"]
    assert titles[0]["title"] == one.appeal.title


async def test_the_sweep_tells_of_the_breached_ones(kit: Kit, filled: set[str]) -> None:
    await SERVICE.sweeper(kit).sweep(now=NOW)

    told = await value(
        kit.db,
        "SELECT count(DISTINCT data->>'ticket_id') FROM outbox "
        "WHERE type LIKE '%deadline-missed%' AND data->>'clock' = 'unit' "
        "AND data->>'due' > '2026-09-21'",
    )
    assert told == 10
