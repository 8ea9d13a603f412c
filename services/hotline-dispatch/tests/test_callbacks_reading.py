"""The number, the rounds and the figures of callbacks by HTTP, as the desk's pages have them."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from tongban_common.db import Database
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.appeal import AppealType
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved
from tongban_hotline_dispatch.store import identity_view
from tongban_hotline_dispatch.store.callback_figures import done_between

NOW = datetime(2026, 9, 14, 10, 0, tzinfo=SHANGHAI)
DAY = timedelta(days=1)
API = "/hotline/v1"
FIGURES = f"{API}/callbacks/figures"
SEPTEMBER = {"since": "2026-09-01", "until": "2026-09-30"}
GOOD = Heard(resolved=Resolved.YES, result=Mark.SATISFIED, process=Mark.DISSATISFIED)
BAD = Heard(
    resolved=Resolved.NO,
    result=Mark.DISSATISFIED,
    process=Mark.BASICALLY,
    no_redo="POLICY_FORBIDS",
    note="我是老张13812345678",
)


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW + 2 * DAY


@pytest.fixture
def caller(client: Client) -> Client:
    return client.as_("reviewer", subject="c-1")


@pytest.fixture
def supervisor(client: Client) -> Client:
    return client.as_("supervisor", subject="s-1")


async def test_the_number_is_for_who_took_the_call_and_the_look_is_on_record(
    opened: Any, caller: Client, client: Client, db: Database
) -> None:
    one = f"{API}/tickets/{(await (await opened()).reply(NOW + DAY)).id}/callback"
    other = client.as_("reviewer", subject="c-2")

    early = await caller.post(f"{one}/number")
    await caller.post(f"{one}/take")
    shown = await caller.post(f"{one}/number")
    others = await other.post(f"{one}/number")

    assert (early.status_code, early.json()["code"]) == (409, "callback.not_taken")
    assert (others.status_code, others.json()["code"]) == (409, "callback.not_taken")
    assert shown.status_code == 200, shown.text
    assert shown.json()["phone"] == "13812345678"
    assert shown.headers["cache-control"] == "no-store"
    async with db.reading() as reads:
        (view,) = (await reads.execute(select(identity_view))).all()
    assert (view.actor, view.reason, view.fields) == ("c-1", "callback", ["name", "phone"])


async def test_only_who_calls_gets_a_number(opened: Any, client: Client, officer: Client) -> None:
    one = f"{API}/tickets/{(await (await opened()).reply(NOW + DAY)).id}/callback/number"

    assert (await officer.post(one)).status_code == 403
    assert (await client.post(one)).status_code == 401


async def test_the_rounds_of_a_ticket_are_told_and_a_note_of_who_hides_to_the_hub_alone(
    opened: Any, caller: Client, officer: Client
) -> None:
    case = await opened(appeal_type=AppealType.REPORT)
    ticket = await case.reply(NOW + DAY)
    await case.attempts(NOW + DAY + timedelta(hours=1))
    await case.on_desk(NOW + 2 * DAY, lambda desk: desk.call_back(BAD))
    path = f"{API}/tickets/{ticket.id}/callbacks"

    (hub,) = (await caller.get(path)).json()["items"]
    (unit,) = (await officer.get(path)).json()["items"]

    assert hub["note"] == "我是老张138****5678"
    assert unit == {**hub, "note": None}
    assert (hub["outcome"], hub["resolved"], hub["attempts"]) == ("reached", "unresolved", 1)
    assert (hub["result"], hub["process"]) == ("dissatisfied", "basically")
    stranger = officer.as_("unit_officer", unit="B1", subject="u-9")
    assert (await stranger.get(path)).status_code == 404


async def test_the_queue_is_asked_by_state_and_counted(opened: Any, caller: Client) -> None:
    replied = await (await opened()).reply(NOW + DAY)
    await (await opened()).reply(NOW + DAY)
    await caller.post(f"{API}/tickets/{replied.id}/callback/take")

    mine = (await caller.get(f"{API}/callbacks", params={"what": "mine"})).json()["items"]
    counts = (await caller.get(f"{API}/callbacks/counts")).json()

    assert [each["ticket_id"] for each in mine] == [str(replied.id)]
    assert counts == {"call": 2, "silent": 0, "bad": 0, "mine": 1}
    assert (await caller.get(f"{API}/callbacks", params={"what": "other"})).status_code == 422


async def test_figures_have_both_sides_and_who_was_not_reached_is_in_no_denominator_of_marks(
    opened: Any, supervisor: Client, officer: Client
) -> None:
    for heard in (GOOD, BAD):
        case = await opened()
        await case.reply(NOW + DAY)
        await case.on_desk(NOW + 2 * DAY, lambda desk, heard=heard: desk.call_back(heard))
    silent = await opened()
    await silent.reply(NOW)
    await silent.attempts(
        NOW + timedelta(hours=1), NOW + timedelta(hours=5), NOW + DAY, NOW + DAY * 1.2
    )
    await silent.on_desk(NOW + 2 * DAY, lambda desk: desk.give_up_callback())

    told = (await supervisor.get(FIGURES, params=SEPTEMBER)).json()
    own = (await officer.get(FIGURES, params={**SEPTEMBER, "unit": "B1"})).json()

    total = told["total"]
    assert total["done"] == 3
    assert (total["outcomes"]["reached"], total["outcomes"]["no_answer"]) == (2, 1)
    assert total["reached"] == {"numerator": 2, "denominator": 3, "rate": 0.6667}
    assert total["satisfaction"] == {"numerator": 1, "denominator": 2, "rate": 0.5}
    assert total["process_satisfaction"] == {"numerator": 1, "denominator": 2, "rate": 0.5}
    assert total["resolution"] == {"numerator": 1, "denominator": 2, "rate": 0.5}
    assert [each["unit_code"] for each in told["units"]] == ["A3"]
    assert own["units"] == told["units"]  # a unit sees its own, whatever it asks for


@pytest.mark.parametrize("unit", [None, "A3"])
async def test_the_figures_of_a_month_are_counted_by_an_index(
    opened: Any, db: Database, unit: str | None
) -> None:
    """Of three years of callbacks the month alone is read, and not every callback there was."""
    case = await opened()
    async with db.transaction() as tx:
        await tx.connection.execute(
            text(
                "INSERT INTO callback_task (ticket_id, no, cause, unit_code, opened_at, attempts,"
                " outcome, done_at) SELECT :ticket, 1000 + n, 'replied', 'A3', :now, 0, 'reached',"
                " CAST(:now AS timestamptz) - n * interval '1 hour'"
                " FROM generate_series(1, 26000) AS n"
            ),
            {"ticket": case.ticket.id, "now": NOW + 30 * DAY},
        )
        await tx.connection.execute(text("ANALYZE callback_task"))
        query = done_between(NOW, NOW + 30 * DAY, unit).compile(
            dialect=tx.connection.dialect, compile_kwargs={"literal_binds": True}
        )
        rows = await tx.connection.execute(text(f"EXPLAIN {query}"))
        plan = "\n".join(rows.scalars())

    assert "ix_callback_task_done" in plan
    assert "Seq Scan on callback_task" not in plan


async def test_a_period_without_callbacks_has_no_rates(supervisor: Client) -> None:
    told = (await supervisor.get(FIGURES, params=SEPTEMBER)).json()

    assert told["units"] == []
    assert told["total"]["satisfaction"] == {"numerator": 0, "denominator": 0, "rate": None}


@pytest.mark.parametrize(
    ("since", "until"),
    [("2026-09-30", "2026-09-01"), ("2025-01-01", "2026-09-01"), ("0001-01-01", "0001-01-02")],
)
async def test_a_period_that_cannot_be_is_refused(
    supervisor: Client, since: str, until: str
) -> None:
    answer = await supervisor.get(FIGURES, params={"since": since, "until": until})

    assert answer.json()["code"] == "callback.bad_period", answer.text


async def test_figures_are_for_who_may(client: Client) -> None:
    assert (await client.as_("agent").get(FIGURES, params=SEPTEMBER)).status_code == 403
