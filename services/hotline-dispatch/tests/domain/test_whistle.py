"""吹哨报到 (hotline.md 3.3, row 10; 北京市接诉即办工作条例第十四条、第十六条)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tongban_common.working_days import Unit
from tongban_hotline_dispatch.domain import asking, handling
from tongban_hotline_dispatch.domain.appeal import Urgency
from tongban_hotline_dispatch.domain.assignment import AskKind, Clock, Role
from tongban_hotline_dispatch.domain.handling import (
    AlreadyReportedIn,
    LeadOnly,
    NotWhistled,
    ToUnit,
)

from .building import CO, NOW, REPLY, RULES, WHISTLED, asked, decided, draft, signed


def test_who_is_whistled_for_is_on_the_spot_within_a_limit_of_its_own() -> None:
    called = handling.add_unit(signed(), "A3", WHISTLED, RULES, NOW)
    share = called.assignment(2)

    assert share.role is Role.WHISTLE
    assert share.report_term is not None
    assert (share.report_term.limit.amount, share.report_term.limit.unit) == (1, Unit.WORKING_DAYS)
    assert "第十六条" in share.report_term.limit.clause
    assert called.clocks()[Clock.REPORT_IN, 2] == share.report_term
    assert share.reply_term.limit.amount == 4  # and it reports its result to the lead, as any co

    here = handling.report_in(handling.sign(called, "B2", RULES, NOW), "B2", NOW)
    assert here.assignment(2).reported_at == NOW
    assert (Clock.REPORT_IN, 2) not in here.clocks()
    assert here.deed is not None
    assert here.deed.facts == {"is_overdue": False}
    assert here.status is called.status
    with pytest.raises(AlreadyReportedIn):
        handling.report_in(here, "B2", NOW)
    told = handling.reply(here, "B2", replace(REPLY, is_resolved=False), RULES, NOW)
    assert told.reply is None


def test_who_comes_late_is_late() -> None:
    called = handling.add_unit(signed(draft(urgency=Urgency.CRITICAL)), "A3", WHISTLED, RULES, NOW)
    late = NOW + timedelta(minutes=31)

    here = handling.report_in(handling.sign(called, "B2", RULES, late), "B2", late)

    assert here.deed is not None
    assert here.deed.facts == {"is_overdue": True}


def test_nobody_reports_in_unless_whistled_for() -> None:
    shared = handling.sign(handling.add_unit(signed(), "A3", CO, RULES, NOW), "B1", RULES, NOW)

    assert shared.assignment(2).report_term is None
    for unit in ("A3", "B1"):
        with pytest.raises(NotWhistled):
            handling.report_in(shared, unit, NOW)


def test_a_town_whistles_though_another_unit_leads() -> None:
    town = ToUnit(code="T1", level="township", superiors=frozenset({"A3"}))
    ticket = handling.sign(handling.delegate(signed(), "A3", town, RULES, NOW), "T1", RULES, NOW)

    called = handling.add_unit(ticket, "T1", replace(WHISTLED, whistled_by="township"), RULES, NOW)

    assert called.assignment(3).parent_no == 2
    assert called.assignment(3).report_term is not None
    for other in (replace(WHISTLED, whistled_by="county"), replace(CO, whistled_by="township")):
        with pytest.raises(LeadOnly):
            handling.add_unit(ticket, "T1", other, RULES, NOW)


def test_a_whistled_unit_returns_nothing_and_a_suspension_stops_its_clock_too() -> None:
    called = handling.add_unit(signed(), "A3", WHISTLED, RULES, NOW)
    with pytest.raises(asking.NotAllowed, match="被吹哨单位"):
        asked(called, AskKind.RETURN, NOW, unit="B2")

    held = decided(asked(called, AskKind.SUSPENSION, NOW), AskKind.SUSPENSION, NOW, granted=True)
    assert (Clock.REPORT_IN, 2) not in held.clocks()
    resumed = asking.resume(held, RULES, NOW + timedelta(days=2))
    before, after = called.assignment(2).report_term, resumed.assignment(2).report_term
    assert before is not None
    assert after is not None
    assert after.due_at > before.due_at


def test_a_rule_without_a_whistle_knows_none() -> None:
    rules = replace(RULES, process=replace(RULES.process, whistle=None))

    called = handling.add_unit(signed(), "A3", WHISTLED, rules, NOW)

    assert called.assignment(2).report_term is None
