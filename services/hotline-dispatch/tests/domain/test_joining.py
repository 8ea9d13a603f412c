"""A ticket that was joined and taken out again is as before: to be assigned, its clock unmoved."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban_hotline_dispatch.domain import handling, intake, joining
from tongban_hotline_dispatch.domain.appeal import AppealType, Urgency
from tongban_hotline_dispatch.domain.assignment import Clock
from tongban_hotline_dispatch.domain.joining import CannotJoin
from tongban_hotline_dispatch.domain.moves import OPEN_STATES, State, Status
from tongban_hotline_dispatch.domain.ticket import OF_TICKET

from .building import NOW, OTHER, RULES, a_ticket, assigned, draft, later, registered, replied

PARENT = replace(assigned(draft(number=2)), children=0)


@given(
    appeal_type=st.sampled_from(AppealType),
    urgency=st.sampled_from(Urgency),
    has_contact=st.booleans(),
    merged=st.floats(0, 5),
    stayed=st.floats(0, 5),
    times=st.integers(1, 3),
)
def test_out_again_is_as_before(
    appeal_type: AppealType,
    urgency: Urgency,
    has_contact: bool,
    merged: float,
    stayed: float,
    times: int,
) -> None:
    before = registered(draft(appeal_type, urgency, has_contact=has_contact))
    at, ticket = merged, before
    for _ in range(times):
        ticket = joining.merge(ticket, PARENT, RULES, later(at))
        assert set(ticket.clocks()) == {(Clock.CITIZEN, OF_TICKET)}  # which ran on
        at += stayed
        ticket = joining.unmerge(ticket, RULES, later(at))

    assert replace(ticket, version=before.version, stage=before.stage) == before
    assert ticket.version == before.version + 2 * times
    assert ticket.stage is not None
    assert ticket.stage.start_at == later(at)  # 派单时限自拆单起
    assert set(ticket.clocks()) == set(before.clocks())


@pytest.mark.parametrize("status", [Status.ASSIGNED, Status.SIGNED])
def test_what_a_unit_had_waits_for_a_unit_again_and_nothing_else_is_different(
    status: Status,
) -> None:
    before = a_ticket(status)

    merged = joining.merge(before, replace(PARENT, id=draft(number=9).id), RULES, later(1))
    after = joining.unmerge(merged, RULES, later(2))

    assert after.status is Status.REGISTERED
    assert all(each.state is State.CANCELLED for each in after.assignments)
    assert not any(each.state in OPEN_STATES for each in merged.assignments)
    kept = replace(
        after,
        status=before.status,
        stage=before.stage,
        version=before.version,
        assignments=before.assignments,
    )
    assert kept == before
    again = handling.assign(after, OTHER, RULES, later(2))
    assert again.citizen_term == before.citizen_term


def test_an_answered_parent_takes_nobody_in_and_says_so() -> None:
    with pytest.raises(CannotJoin) as refused:
        joining.merge(registered(), replied(draft(number=2)), RULES, NOW)

    assert refused.value.facts == {"state": Status.REPLIED}


def test_a_ticket_joins_neither_itself_nor_another_while_it_has_children() -> None:
    with pytest.raises(CannotJoin):
        joining.merge(registered(), registered(), RULES, NOW)
    with pytest.raises(intake.HasChildren):
        joining.merge(replace(registered(), children=1), PARENT, RULES, NOW)
