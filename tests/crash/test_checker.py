"""The checker sees each kind of violation in a history written by hand, and none in a clean one."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tongban_common.inbox import Subscription
from tongban_common.service import Service

from .checker import Kind, Violation, check, count
from .clock import ShiftedClock
from .effects import EXPECTED
from .history import (
    Ack,
    Advance,
    Batch,
    Consumer,
    Fact,
    History,
    Move,
    Record,
    Shard,
    State,
    Timer,
)
from .trouble import ROLES, counted, plan
from .world import SERVICES

T = datetime(2026, 9, 21, 2, 0, tzinfo=UTC)
DUE = T + timedelta(hours=1)
TICKETS = "tongban.hotline.ticket.v1"
CLOCK = ShiftedClock(epoch=T, base=timedelta(hours=1))
SAID = ("registered", "assigned", "signed", "replied", "closed")
DAY = "activity:2026-09-21"


def a_fact(n: int, said: str, *, at: datetime = T, **data: object) -> Fact:
    return Fact(
        topic=TICKETS,
        shard=7,
        n=n,
        id=f"e{n}",
        type=f"tongban.hotline.{said}.v1",
        subject="t1",
        at=at,
        stored_at=at,
        data={"unit_code": "U", "overdue_working_days": 0, **data},
    )


def a_clean_history() -> History:
    """One ticket from registration to its review's invitation; its unit was late."""
    missed_at = DUE + timedelta(seconds=1)
    facts = [
        a_fact(1, "ticket-registered"),
        a_fact(2, "ticket-assigned"),
        a_fact(3, "ticket-signed"),
        a_fact(4, "deadline-missed", at=missed_at, clock="unit", due=DUE.isoformat()),
        a_fact(5, "ticket-replied", at=missed_at),
        a_fact(6, "ticket-closed", at=missed_at),
    ]
    return History(
        clock=CLOCK,
        read_at=missed_at,
        acks=[
            Ack(kind="ticket", id="t1", version=number, said=said, key=f"k{number}")
            for number, said in enumerate(SAID, 1)
        ],
        moves=[
            Move(kind="ticket", id="t1", version=number, said=said)
            for number, said in enumerate(SAID, 1)
        ],
        states=[State(kind="ticket", id="t1", version=5, said="closed")],
        facts=facts,
        shards=[Shard(topic=TICKETS, shard=7, n=6, sent=6)],
        consumers=[an_evaluation(), a_scoring()],
        timers=[a_timer("fired")],
        records=[Record(topic=TICKETS, shard=7, n=fact.n, id=fact.id) for fact in facts],
    )


def an_evaluation() -> Consumer:
    advances = [Advance(topic=TICKETS, shard=7, before=0, after=6)]
    return Consumer(
        name="evaluation",
        topics=[TICKETS],
        applied={(TICKETS, 7): 6},
        batches=[Batch(advances=advances, effects=["invitation:ticket:t1"])],
        present=Counter(["invitation:ticket:t1"]),
    )


def a_scoring() -> Consumer:
    first = Batch(
        advances=[Advance(topic=TICKETS, shard=7, before=0, after=4)], effects=[DAY, "entry:e4"]
    )
    then = Batch(advances=[Advance(topic=TICKETS, shard=7, before=4, after=6)])
    return Consumer(
        name="scoring",
        topics=[TICKETS],
        applied={(TICKETS, 7): 6},
        batches=[first, then],
        present=Counter([DAY, "entry:e4"]),
    )


def a_timer(state: str) -> Timer:
    return Timer(
        service="hotline",
        kind="unit",
        subject="t1",
        due_at=DUE,
        warn_at=None,
        state=state,
        is_warned=False,
    )


def found(history: History) -> Counter[Kind]:
    return count(check(history))


@pytest.mark.parametrize("history", [a_clean_history(), History(clock=CLOCK, read_at=T)])
def test_a_clean_history_and_an_empty_one_have_no_violation(history: History) -> None:
    assert check(history) == []


def test_a_ticket_that_another_move_closes_is_announced_as_closed() -> None:
    history = a_clean_history()
    history.moves = [replace(each, status=each.said) for each in history.moves]
    history.moves[-1] = replace(history.moves[-1], said="callback_completed")
    history.acks = [*history.acks[:-1], replace(history.acks[-1], said="callback_completed")]
    assert check(history) == []


def _lose_the_move(history: History) -> None:
    history.moves = history.moves[:-1]
    history.states = [replace(history.states[0], version=4, said="replied")]
    history.facts = history.facts[:-1]
    history.shards = [replace(history.shards[0], n=5, sent=5)]
    history.records = history.records[:-1]
    for consumer in history.consumers:
        consumer.applied = {(TICKETS, 7): 5}
        last = consumer.batches[-1]
        last.advances = [replace(last.advances[0], after=5)]
        last.effects = []
    history.consumers[0].present = Counter()


def _another_state(history: History) -> None:
    history.states = [replace(history.states[0], said="replied")]


def _refuse(history: History) -> None:
    history.refused = ["/hotline/v1/tickets/t1/close: 412"]


def _two_tickets_for_a_key(history: History) -> None:
    history.acks = [*history.acks, replace(history.acks[0], id="t2")]
    history.moves = [*history.moves, replace(history.moves[0], id="t2")]
    history.facts = [*history.facts, replace(history.facts[0], n=7, id="e7", subject="t2")]
    history.shards = [replace(history.shards[0], n=7, sent=7)]
    for consumer in history.consumers:
        consumer.applied = {(TICKETS, 7): 7}
        more = Batch(advances=[Advance(topic=TICKETS, shard=7, before=6, after=7)])
        consumer.batches = [*consumer.batches, more]


def _closed_unsaid(history: History) -> None:
    """By a move that has another word, and without its event."""
    history.moves = [replace(each, status=each.said) for each in history.moves]
    history.moves[-1] = replace(history.moves[-1], said="callback_completed")
    history.acks = [*history.acks[:-1], replace(history.acks[-1], said="callback_completed")]
    history.facts = [replace(each, type=each.type.replace("closed", "x")) for each in history.facts]


def _ended_otherwise(history: History) -> None:
    history.moves = [replace(each, status=each.said) for each in history.moves]
    history.moves[-1] = replace(history.moves[-1], status="rework")


def _move_without_a_client(history: History) -> None:
    history.acks = history.acks[:-1]


def _drop_an_event(history: History) -> None:
    """Business row without its event, in a sequence that stays dense."""
    closed = history.facts[5]
    history.facts = [*history.facts[:5], replace(closed, type="tongban.hotline.ticket-x.v1")]
    history.consumers = history.consumers[1:]


def _swap_two_events(history: History) -> None:
    first, second = history.facts[1], history.facts[2]
    history.facts = [
        history.facts[0],
        replace(second, n=2),
        replace(first, n=3),
        *history.facts[3:],
    ]


def _hole_in_the_outbox(history: History) -> None:
    history.facts = [fact for fact in history.facts if fact.n != 3]
    history.records = [record for record in history.records if record.n != 3]
    history.moves = [move for move in history.moves if move.version < 3]
    history.acks = history.acks[:2]
    history.states = [replace(history.states[0], version=2, said="assigned")]
    history.facts = [fact for fact in history.facts if fact.n in {1, 2, 4}]


def _unsent(history: History) -> None:
    history.shards = [replace(history.shards[0], sent=5)]


def _skipped_on_the_wire(history: History) -> None:
    history.records = [record for record in history.records if record.n != 4]


def _never_committed(history: History) -> None:
    history.records = [*history.records, Record(topic=TICKETS, shard=7, n=6, id="ghost")]


def _not_applied(history: History) -> None:
    history.consumers[1].applied = {(TICKETS, 7): 5}


def _met_a_gap(history: History) -> None:
    history.consumers[1].gaps = ["shard 7: expected 3, got 5, repaired"]


def _dead_letter(history: History) -> None:
    history.consumers[1].letters = ["poison"]


def _watermark_went_back(history: History) -> None:
    back = Batch(advances=[Advance(topic=TICKETS, shard=7, before=6, after=5)])
    history.consumers[1].batches = [*history.consumers[1].batches, back]


def _applied_again(history: History) -> None:
    """A redelivery took effect: the unique key hid it from the table, not from the ledger."""
    history.consumers[0].batches = [
        *history.consumers[0].batches,
        Batch(effects=["invitation:ticket:t1"]),
    ]


def _counted_but_not_applied(history: History) -> None:
    history.consumers[1].batches[0].effects.remove("entry:e4")


def _effects_out_of_order(history: History) -> None:
    history.consumers[1].batches[0].effects.reverse()


def _effect_gone(history: History) -> None:
    history.consumers[1].present = Counter([DAY])


def _effect_counted_twice(history: History) -> None:
    history.consumers[1].present = Counter([DAY, DAY, "entry:e4"])


def _early_by_the_sweeper(history: History) -> None:
    early = DUE - timedelta(seconds=1)
    history.facts = [replace(fact, at=early) if fact.n == 4 else fact for fact in history.facts]


def _early_by_the_real_clock(history: History) -> None:
    early = T - timedelta(seconds=1)
    history.facts = [
        replace(fact, stored_at=early) if fact.n == 4 else fact for fact in history.facts
    ]


def _told_though_disarmed(history: History) -> None:
    history.timers = [a_timer("disarmed")]


def _told_twice(history: History) -> None:
    missed = history.facts[3]
    history.facts = [*history.facts, replace(missed, n=7, id="e7")]
    history.facts = [fact for fact in history.facts if fact.n != 5]
    history.shards = []
    history.consumers = []


def _told_after_the_reply(history: History) -> None:
    missed, replied = history.facts[3], history.facts[4]
    history.facts = [
        *history.facts[:3],
        replace(replied, n=4),
        replace(missed, n=5),
        history.facts[5],
    ]
    history.consumers = []


def _never_fired(history: History) -> None:
    history.timers = [a_timer("armed")]
    history.facts = [fact for fact in history.facts if fact.n != 4]
    history.shards = []
    history.consumers = []


PLANTED: dict[Callable[[History], None], Kind] = {
    _lose_the_move: Kind.UNACKNOWLEDGED,
    _another_state: Kind.UNACKNOWLEDGED,
    _refuse: Kind.UNACKNOWLEDGED,
    _two_tickets_for_a_key: Kind.DOUBLED,
    _move_without_a_client: Kind.DOUBLED,
    _closed_unsaid: Kind.LOST,
    _ended_otherwise: Kind.UNACKNOWLEDGED,
    _drop_an_event: Kind.LOST,
    _swap_two_events: Kind.REORDERED,
    _hole_in_the_outbox: Kind.GAPS,
    _unsent: Kind.LOST,
    _skipped_on_the_wire: Kind.GAPS,
    _never_committed: Kind.DOUBLED,
    _not_applied: Kind.LOST,
    _met_a_gap: Kind.GAPS,
    _dead_letter: Kind.LOST,
    _watermark_went_back: Kind.REORDERED,
    _applied_again: Kind.DOUBLED,
    _counted_but_not_applied: Kind.LOST,
    _effects_out_of_order: Kind.REORDERED,
    _effect_gone: Kind.LOST,
    _effect_counted_twice: Kind.DOUBLED,
    _early_by_the_sweeper: Kind.EARLY,
    _early_by_the_real_clock: Kind.EARLY,
    _told_though_disarmed: Kind.TWICE,
    _told_twice: Kind.TWICE,
    _told_after_the_reply: Kind.TWICE,
    _never_fired: Kind.LOST,
}


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.__name__.strip("_"))
def test_a_planted_violation_is_found(planted: Callable[[History], None]) -> None:
    history = a_clean_history()

    planted(history)

    assert PLANTED[planted] in found(history)


def test_every_kind_of_violation_is_planted_above() -> None:
    assert set(PLANTED.values()) == set(Kind)


def test_a_violation_counts_as_many_events_as_it_lost() -> None:
    history = a_clean_history()
    history.consumers[1].applied = {}

    lost = [each for each in check(history) if each.kind is Kind.LOST]

    assert lost == [Violation(Kind.LOST, f"scoring of {TICKETS} shard 7: applied 0 of 6", 6)]


def test_redeliveries_are_no_violation() -> None:
    history = a_clean_history()
    history.records = [*history.records, *history.records[2:]]

    assert check(history) == []


def test_every_handled_event_has_its_expected_effect() -> None:
    """A new subscription has to be told to the checker, or its losses would not be seen."""
    handled = {
        (name, subscription.event_type)
        for name, service in SERVICES.items()
        for subscription in subscriptions_of(service)
        if subscription.handler is not None
        and subscription.event_type.split(".")[1] in SERVICES  # else nobody there announces it
    }

    assert handled == set(EXPECTED)


def subscriptions_of(service: Service) -> list[Subscription[Any]]:
    settings = service.settings.model_validate(
        {"database_url": "postgresql+asyncpg://", "secret": "a secret of the tests only"}
    )
    return list(service.subscriptions(service.kit(settings)))


def test_a_plan_repeats_with_its_seed_and_troubles_every_role() -> None:
    planned = plan("1", kills=40, freezes=10, seconds=300)

    assert planned == plan("1", kills=40, freezes=10, seconds=300)
    assert planned != plan("2", kills=40, freezes=10, seconds=300)
    assert counted(planned) == (40, 10)
    for kind in (True, False):
        assert {each.role for each in planned if (each.seconds is None) is kind} == set(ROLES)
    assert max(each.seconds or 0 for each in planned if each.role == "relay") > 8
