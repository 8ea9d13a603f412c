"""The assessment on PostgreSQL: every indicator by hand, exclusions, runs, and what others note."""

from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete

from tongban_common import policies
from tongban_common.db import Database
from tongban_common.service import Kit
from tongban_common.testing import Client
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.appeal import AppealType
from tongban_hotline_dispatch.domain.assessment import Deduction, Indicator, UnknownInput
from tongban_hotline_dispatch.domain.assignment import AskKind
from tongban_hotline_dispatch.operations import assessment
from tongban_hotline_dispatch.store import Complainant
from tongban_hotline_dispatch.store import assessment_reads as reading
from tongban_hotline_dispatch.store.assessment_policy import ASSESSMENT
from tongban_hotline_dispatch.store.assessment_reads import Asked

from .building import (
    ASSESSMENTS,
    BAD,
    DAY,
    FAIR,
    GOOD,
    HOUR,
    INSTANT,
    LATER,
    NOW,
    SETTLED,
    Case,
    Computed,
    Opened,
    behind,
    noted,
    two,
)


async def at_the_last_instant(case: Case) -> None:
    share = case.ticket.assignments[0]
    await case.sign(share.sign_term.due_at)
    contact_term = case.ticket.assignments[0].contact_term
    assert contact_term is not None
    await case.contact(contact_term.due_at)
    await case.reply(share.reply_term.due_at)
    await case.called_back(share.reply_term.due_at + HOUR, FAIR)


async def an_instant_late(case: Case) -> None:
    due = case.ticket.assignments[0].reply_term.due_at
    await case.sign(NOW + HOUR)
    await case.reply(due + INSTANT)
    await case.called_back(due + HOUR, SETTLED)


async def refused_and_done_again(case: Case) -> None:
    await case.ask(NOW + HOUR, AskKind.RETURN, granted=False)
    await case.sign(NOW + 3 * HOUR)
    await case.contact(NOW + 4 * HOUR)
    await case.reply(NOW + DAY, is_resolved=False)
    await case.called_back(NOW + DAY + HOUR, BAD)
    await case.reply(NOW + 2 * DAY)
    await case.called_back(NOW + 2 * DAY + HOUR, GOOD)


async def test_every_indicator_is_what_one_counts_by_hand(
    kit: Kit, opened: Opened, computed: Computed
) -> None:
    await (await opened()).whole(GOOD)  # 1: all as it should be

    await at_the_last_instant(await opened())  # 2
    await an_instant_late(await opened())  # 3
    await opened()  # 4: left alone

    await refused_and_done_again(await opened())  # 5
    await (await opened()).whole(None)  # 6: nobody answered the phone

    longer = await opened()  # 7: extended into October
    await longer.sign(NOW + HOUR)
    await longer.ask(NOW + 2 * HOUR, AskKind.EXTENSION, granted=True)
    await longer.reply(NOW + DAY)

    gone = await opened()  # 8: returned, and rightly
    await gone.ask(NOW + HOUR, AskKind.RETURN, granted=True)

    await (await opened()).whole(FAIR)  # 9

    await noted(
        kit,
        *(("knowledge_on_time", f"d-{n}") for n in range(3)),
        ("knowledge_late", "d-9"),
        ("knowledge_error", "e-1"),
        ("contact_on_time", "c-1"),
        ("contact_late", "c-2"),
        ("yellow_card", "y-1"),
        ("thanks", "t-1"),
        ("thanks", "t-2"),
    )

    _, lines = await computed()
    _, october = await computed("2026-10")

    line = lines["A3"]
    assert {name: two(line, name) for name in (*Indicator, "exclusion_rate")} == {
        "on_time_sign_rate": (6, 7),
        "response_rate": (4, 5),
        "on_time_close_rate": (5, 7),
        "resolution_rate": (4, 5),
        "satisfaction_rate": (4, 5),
        "first_time_close_rate": (5, 6),
        "return_rate": (1, 7),
        "rework_rate": (1, 6),
        "extension_rate": (0, 7),
        "kb_score": (2, 4),
        "organisation": (1, 2),
        "exclusion_rate": (0, 7),
    }
    assert line.figures["on_time_sign_rate"].rate == Decimal("0.857143")
    assert {each["line"]: (each["count"], each["points"]) for each in line.lines} == {
        "overdue": (2, "-1.0"),
        "return_rejected": (1, "-0.2"),
        "false_resolved": (1, "-2"),
        "yellow_card": (1, "-0.5"),
        "knowledge_late": (1, "-0.2"),
        "contact_late": (1, "-0.5"),
        "thanks": (2, "0.4"),
    }
    # 5×6/7 + 10×4/5 + 15×5/7 + 30×4/5 + 25×4/5 + 5×5/6 + 5×2/4 + 5×1/2, less 4.4, and 0.4 more
    assert (line.base, line.total, line.tier) == (Decimal("76.17"), Decimal("72.17"), "C")
    assert two(october["A3"], Indicator.EXTENSION) == (1, 1)
    assert two(october["A3"], Indicator.ON_TIME_CLOSE) == (1, 1)


async def test_the_tickets_behind_each_side_of_a_figure_can_be_listed(
    kit: Kit, opened: Opened, computed: Computed
) -> None:
    good = await (await opened()).whole(GOOD)
    left = await opened()

    run, _ = await computed()

    async def ids(only_met: bool | None, measure: str = "on_time_close_rate") -> set[UUID]:
        asked = Asked(unit_code="A3", measure=measure, only_met=only_met)
        return {each.ticket_id for each in await behind(kit, run, asked)}

    assert await ids(None) == {good.ticket.id, left.ticket.id}
    assert await ids(only_met=True) == {good.ticket.id}
    assert await ids(only_met=False) == {left.ticket.id}
    assert await ids(None, Deduction.OVERDUE) == {left.ticket.id}
    assert await ids(None, Indicator.SATISFACTION) == {good.ticket.id}


async def test_without_a_denominator_a_rate_is_null_and_not_100(
    opened: Opened, computed: Computed
) -> None:
    await opened()

    _, lines = await computed()

    line = lines["A3"]
    for name in (Indicator.RESPONSE, Indicator.SATISFACTION, Indicator.KNOWLEDGE):
        assert name not in line.figures
    assert line.figures[Indicator.ON_TIME_CLOSE].rate == 0
    assert (line.total, line.tier, line.needs_rectification) == (None, None, False)


async def test_of_a_unit_with_few_ratings_no_rate_is_told_nor_weighed(
    opened: Opened, computed: Computed
) -> None:
    for _ in range(4):
        await (await opened()).whole(SETTLED)
    for _ in range(5):
        await (await opened(unit="A7")).whole(GOOD)

    _, lines = await computed()

    few = lines["A3"].figures[Indicator.SATISFACTION]
    assert (few.rate, few.numerator, few.denominator, few.is_withheld) == (None, None, 4, True)
    assert lines["A3"].total is None  # what is left weighs 25 of 100
    enough = lines["A7"].figures[Indicator.SATISFACTION]
    assert (enough.rate, enough.numerator) == (1, 5)
    assert (lines["A7"].total, lines["A7"].tier) == (100, "A")


async def test_a_reply_in_a_round_of_rework_does_not_move_the_order_to_another_period(
    opened: Opened, computed: Computed
) -> None:
    start = datetime(2026, 9, 17, 10, 0, tzinfo=SHANGHAI)  # due on the 24th
    case = await opened(start)
    await case.sign(start + HOUR)
    await case.reply(start + DAY)
    await case.called_back(datetime(2026, 9, 28, 10, 0, tzinfo=SHANGHAI), BAD)
    rework_due = case.ticket.assignments[0].reply_term.due_at
    assert rework_due.month == 10
    await case.reply(rework_due + DAY)

    _, lines = await computed()
    _, october = await computed("2026-10")

    assert two(lines["A3"], Indicator.ON_TIME_CLOSE) == (1, 1)
    assert "A3" not in october


async def test_what_was_over_before_it_was_taken_away_stays_with_the_unit(
    opened: Opened, computed: Computed
) -> None:
    in_time = await opened()
    await in_time.desk(NOW + HOUR, lambda desk: desk.transfer("A7"))
    too_late = await opened()
    after = too_late.ticket.assignments[0].reply_term.due_at + HOUR
    await too_late.desk(after, lambda desk: desk.transfer("A7"))

    _, lines = await computed()

    assert two(lines["A3"], Indicator.ON_TIME_CLOSE) == (0, 1)
    assert two(lines["A7"], Indicator.ON_TIME_CLOSE) == (0, 1)  # of the one taken over in time


async def test_a_clock_that_stands_still_has_not_run_out(
    opened: Opened, computed: Computed
) -> None:
    held = await opened()
    await held.sign(NOW + HOUR)
    await held.ask(NOW + 2 * HOUR, AskKind.SUSPENSION, granted=True)
    await opened()

    _, lines = await computed()

    assert two(lines["A3"], Indicator.ON_TIME_CLOSE) == (0, 1)


async def test_what_is_not_due_yet_is_not_counted(opened: Opened, computed: Computed) -> None:
    await (await opened()).whole(GOOD)

    _, lines = await computed(at=NOW + 2 * DAY)

    assert lines == {}


async def test_orders_are_left_out_by_rule_and_the_share_of_them_is_told(
    kit: Kit, opened: Opened, computed: Computed
) -> None:
    await (await opened()).whole(GOOD)
    withdrawn = await opened()
    await withdrawn.desk(NOW + HOUR, lambda desk: desk.withdraw())
    ended = await opened()
    await ended.sign(NOW + HOUR)
    await ended.ask(NOW + 2 * HOUR, AskKind.TERMINATION, granted=True)
    await opened(person=Complainant(name="无名"))
    parent, child = await opened(), await opened()
    await child.desk(NOW + HOUR, lambda desk: desk.merge(parent.ticket.id))
    await parent.whole(GOOD)

    run, lines = await computed()

    line = lines["A3"]
    assert two(line, Indicator.ON_TIME_CLOSE) == (2, 2)
    # the child's own dispatch and the answer that it inherited both leave the unit's book
    asked = Asked(unit_code="A3", measure="exclusion_rate", only_met=True)
    reasons = [each.reason for each in await behind(kit, run, asked)]
    assert sorted(reasons) == ["DUPLICATE", "NO_CONTACT", "TERMINATED", "WITHDRAWN"]
    assert two(line, "exclusion_rate") == (4, 6)


async def test_groups_never_mix_and_a_unit_is_where_it_was_put(
    kit: Kit, opened: Opened, computed: Computed, client: Client
) -> None:
    for unit in ("A3", "A7", "P1", "T1"):
        await (await opened(unit=unit)).whole(GOOD)
    await opened(unit="P1")
    supervisor = client.as_("supervisor", subject="s-1")
    put = await supervisor.put("/hotline/v1/assessment-groups/P1", json={"group": "enterprise"})
    assert put.status_code == 204, put.text
    unknown = await supervisor.put("/hotline/v1/assessment-groups/P1", json={"group": "best"})
    assert unknown.json()["code"] == "assessment.unknown_group"

    run, lines = await computed()

    assert {unit: line.group for unit, line in lines.items()} == {
        "A3": "county",
        "A7": "department",
        "P1": "enterprise",
        "T1": "town",
    }
    async with kit.db.reading() as reads:
        groups = await reading.group_figures(reads, run.id)
    due = {code: each[Indicator.ON_TIME_CLOSE].denominator for code, each in groups.items()}
    assert due == {"county": 1, "department": 1, "enterprise": 2, "town": 1}


@pytest.fixture
async def again(db: Database) -> AsyncIterator[list[int]]:
    """Versions that a test loads; they are gone after it."""
    loaded: list[int] = []
    yield loaded
    table = policies.policy
    async with db.transaction() as tx:
        await tx.connection.execute(
            delete(table).where(
                table.c.name == ASSESSMENT.packaged().name, table.c.version.in_(loaded)
            )
        )


async def test_a_new_version_of_the_policy_makes_a_new_run_and_leaves_the_old_one(
    kit: Kit, opened: Opened, computed: Computed, again: list[int]
) -> None:
    for _ in range(5):
        await (await opened()).whole(GOOD)
    await opened()
    known = ASSESSMENT.packaged().model_dump(mode="json")
    known["deductions"]["overdue"]["points"] = "5"
    changed = ASSESSMENT.model.model_validate(
        {**known, "version": 2, "effective_from": "2026-09-01"}
    )
    await policies.load(kit.db, [changed])
    again.append(changed.version)

    first, before = await computed(version=1)
    second, after = await computed()  # the one in force on the last day of the period

    assert (first.no, second.no) == (1, 2)
    assert (first.policy_version, second.policy_version) == (1, 2)
    assert before["A3"].total - after["A3"].total == Decimal("4.5")
    async with kit.db.reading() as reads:
        _, old = await reading.run_of(reads, first.assessment_id, 1)
        kept = await reading.unit_lines(reads, old.id, unit_code="A3")
    assert kept == [before["A3"]]


async def test_a_noted_fact_counts_once_and_not_when_it_was_voided(
    kit: Kit, opened: Opened, computed: Computed
) -> None:
    await opened()
    await noted(kit, ("red_card", "r-1"), ("red_card", "r-1"), ("red_card", "r-2"))
    _, lines = await computed()
    assert two(lines["A3"], Deduction.RED_CARD) == (2, 0)

    async with kit.db.transaction() as tx:
        await assessment.void_input(tx, kind="red_card", ref="r-1", now=LATER)
    _, lines = await computed()

    assert two(lines["A3"], Deduction.RED_CARD) == (1, 0)
    with pytest.raises(UnknownInput):
        await noted(kit, ("green_card", "g-1"))


async def test_a_mark_taken_out_by_reappraisal_and_a_denied_contact_change_the_order_s_figures(
    kit: Kit, opened: Opened, computed: Computed
) -> None:
    cases = [await (await opened()).whole(SETTLED) for _ in range(6)]
    ref = str(cases[0].ticket.id)
    await noted(kit, ("reappraised_result", ref), ("contact_denied", str(cases[1].ticket.id)))

    _, lines = await computed()

    line = lines["A3"]
    assert two(line, Indicator.SATISFACTION) == (0, 5)
    assert two(line, Indicator.RESOLUTION) == (0, 6)
    assert two(line, Indicator.RESPONSE) == (5, 6)
    assert two(line, Deduction.FALSE_RESOLVED) == (6, 0)


async def test_what_a_unit_is_told_is_its_own(
    opened: Opened, client: Client, hub: Client, officer: Client
) -> None:
    await (await opened()).whole(GOOD)
    await (await opened(unit="A7", appeal_type=AppealType.SUGGESTION)).whole(GOOD)
    supervisor = client.as_("supervisor", subject="s-1")

    made = await supervisor.post(ASSESSMENTS, json={"period": "2026-09"})
    assert made.status_code == 201, made.text
    found = made.json()
    address = f"{ASSESSMENTS}/{found['id']}"
    whole = (await supervisor.get(address)).json()
    mine = (await officer.get(address)).json()
    other = await officer.get(f"{address}/units/A7")
    full = (await supervisor.get(f"{address}/units/A7")).json()
    tickets = (
        await officer.get(
            f"{address}/units/A3/figures/on_time_close_rate/tickets", params={"side": "numerator"}
        )
    ).json()

    assert (found["mode"], found["run"], found["policy_version"]) == ("tier_only", 1, 1)
    assert {each["unit_code"] for each in whole["units"]} == {"A3", "A7"}
    assert [each["unit_code"] for each in mine["units"]] == ["A3"]
    assert mine["groups"] == {}
    assert (other.status_code, other.json()["code"]) == (403, "auth.not_permitted")
    assert list(full["by_type"]) == ["suggestion"]
    assert full["by_type"]["suggestion"]["on_time_close_rate"]["rate"] == "1.000000"
    assert len(tickets["items"]) == 1
    assert (await hub.post(ASSESSMENTS, json={"period": "2026-09"})).status_code == 403


async def test_an_assessment_is_made_once_and_computed_again_by_who_saw_the_last_run(
    opened: Opened, client: Client
) -> None:
    await opened()
    supervisor = client.as_("supervisor", subject="s-1")
    made = (await supervisor.post(ASSESSMENTS, json={"period": "2026-09"})).json()
    address = f"{ASSESSMENTS}/{made['id']}"

    again = await supervisor.post(ASSESSMENTS, json={"period": "2026-09"})
    stale = await supervisor.post(f"{address}/recompute", json={}, headers={"If-Match": '"7"'})
    done = await supervisor.post(f"{address}/recompute", json={}, headers={"If-Match": '"1"'})
    first = (await supervisor.get(address, params={"run": 1})).json()
    early = await supervisor.post(ASSESSMENTS, json={"period": "2031"})
    wrong = await supervisor.post(ASSESSMENTS, json={"period": "2026-13"})
    listed = (await supervisor.get(ASSESSMENTS)).json()

    assert again.json()["code"] == "assessment.exists"
    assert stale.status_code == 412
    assert (done.status_code, done.json()["run"]) == (200, 2)
    assert (first["run"], first["runs"]) == (1, 2)
    assert early.json()["code"] == "assessment.not_begun"
    assert wrong.json()["code"] == "assessment.bad_period"
    assert [each["period_code"] for each in listed["items"]] == ["2026-09"]


async def test_by_hand_only_what_people_establish_is_noted(client: Client) -> None:
    supervisor = client.as_("supervisor", subject="s-1")
    fact = {"kind": "thanks", "unit_code": "A3", "on_day": "2026-09-15", "ref": "感谢信1号"}

    taken = await supervisor.post("/hotline/v1/assessment-inputs", json=fact)
    again = await supervisor.post("/hotline/v1/assessment-inputs", json=fact)
    card = await supervisor.post("/hotline/v1/assessment-inputs", json={**fact, "kind": "red_card"})

    assert taken.json() == {"is_new": True}
    assert again.json() == {"is_new": False}
    assert card.json()["code"] == "assessment.input_not_by_hand"


async def test_a_run_is_announced_with_tiers_and_without_points_or_ranks(
    opened: Opened, computed: Computed, announced: Any
) -> None:
    for _ in range(5):
        await (await opened()).whole(GOOD)
        await (await opened(unit="A7")).whole(SETTLED, contacts=False)

    await computed()

    facts = [data for fact, data in await announced() if fact == "assessment-finished"]
    told = facts[0]
    assert (told["mode"], told["run"], told["period_code"]) == ("tier_only", 1, "2026-09")
    by_unit = {each["unit_code"]: each for each in told["units"]}
    assert (by_unit["A3"]["tier"], by_unit["A3"]["needs_rectification"]) == ("A", False)
    assert (by_unit["A7"]["tier"], by_unit["A7"]["needs_rectification"]) == ("D", True)
    assert all(each["rank"] is None for each in told["units"])
    assert by_unit["A3"]["indicators"]["kb_score"] is None
    assert by_unit["A3"]["indicators"]["satisfaction_rate"] == "1.000000"
    assert "total" not in by_unit["A3"]
