"""The real API beside the pure model: any command, legal or not, at any time, by anybody.

Each drawn step is sent over HTTP and worked out by the domain on the ticket as it stands: both must
come to the same status and version, or to the same refusal. Between steps the clock jumps, notices
on holidays arrive, requests come twice or late; after each the invariants of the database hold.
"""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock
from tongban_hotline_dispatch.domain.moves import Act as Deeds
from tongban_hotline_dispatch.domain.process_tables import TICKET
from tongban_hotline_dispatch.store import Units
from tongban_hotline_dispatch.store.reference import Unit

from .acts import ALL, CO, LEAD, Act
from .world import HOWS, Answer, Notice, Send, World

STEPS = st.lists(
    st.one_of(
        st.builds(
            Send,
            st.integers(0, len(ALL) - 1),
            st.sampled_from([0, 0, 1, 5, 20, 70, 480]),
            st.sampled_from(["plain", "plain", "plain", *HOWS]),
            st.sampled_from([True, True, False]),
        ),
        st.builds(Notice, st.integers(1, 20)),
        st.just(Answer()),
    ),
    min_size=10,
    max_size=35,
)
# Nothing follows upon these but a new start, so that they come last.
ENDS = {"withdraw", "route-out", "answer", "close", "merge", "termination/decide"}
# What a walk by the least used seldom comes to: path by path, and then forty days of silence.
PATHS = (
    ("request-facts",),
    ("assign", "sign", "phase", "phase/decide"),
    ("assign", "sign", "reply", "review/pass"),
    ("assign", "sign", "termination", "termination/decide"),
    ("assign", "sign", "termination", "-termination/decide"),
)


@pytest.fixture
async def world(service: Service, kit: Kit, client: Client, clock: Clock) -> World:
    async with kit.db.transaction() as tx:
        co = Unit(code=CO, name="A8街道", level="county", is_active=True, parent_code=LEAD)
        await Units(tx).keep(co)
    return World(service, kit, client, clock)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=STEPS,
    kind=st.sampled_from(["consult", "help", "complaint"]),
    has_phone=st.booleans(),
    accuses=st.booleans(),
)
async def test_the_api_does_what_the_model_says_and_no_clock_is_lost(
    steps: list[Send | Notice | Answer],
    kind: str,
    has_phone: bool,
    accuses: bool,
    world: World,
) -> None:
    await world.begin(kind, has_phone=has_phone, accuses=accuses)
    for step in steps:
        if isinstance(step, Notice):
            await world.import_notice(step)
        elif isinstance(step, Answer):
            await world.parent_answers()
        else:
            await world.send(step)
        await world.sweep()
        await world.check()


def named(name: str) -> Act:
    """The first of that path; a minus before it: that refuses what was asked."""
    is_granted = not name.startswith("-")
    return next(
        each
        for each in ALL
        if each.path == name.removeprefix("-") and each.body.get("is_granted", True) is is_granted
    )


async def not_sent_to_it(world: World) -> set[str]:
    """It follows its parent; the evaluation service tells how it was rated."""
    await world.begin("complaint", has_phone=True)
    await world.perform(named("merge"))
    await world.parent_answers()
    await world.check()
    done = await world.deeds()
    await world.begin("complaint", has_phone=True)
    for name in ("assign", "sign", "reply", "review/pass"):
        await world.perform(named(name))
    await world.pass_time(1)
    await world.rated(1)
    await world.check()
    done |= await world.deeds()
    assert {Deeds.INHERIT, Deeds.TAKE_REVIEW} <= done
    return done


async def test_every_command_of_the_table_is_taken_over_http(world: World) -> None:
    """The least used of what is legal, again and again, on one ticket after the other: what the
    draws may miss. The moves kept in the database name every act of the table at the end.
    """
    used: Counter[int] = Counter()
    done: set[str] = set()
    missing = {each.act.value for each in TICKET.rows}
    done |= await not_sent_to_it(world)
    for path in PATHS:
        await world.begin("complaint", has_phone=True)
        for name in path:
            await world.perform(named(name))
            await world.check()
        await world.pass_time(480)
        await world.pass_time(480)
        await world.check()
        done |= await world.deeds()
    for start in range(12):
        await world.begin(("complaint", "help", "consult")[start % 3], has_phone=start % 4 != 3)
        for number in range(30):
            legal = await world.legal()
            if not legal:
                break
            index = min(
                (ALL.index(each) for each in legal),
                key=lambda each: (used[each] + 3 * (ALL[each].path in ENDS), each),
            )
            await world.perform(ALL[index])
            used[index] += 1
            await world.pass_time(60 if number % 7 == 6 else 0)
            await world.check()
        await world.pass_time(480)
        await world.pass_time(480)
        await world.check()
        await world.each_role_sees_what_is_its_own()
        done |= await world.deeds()
        if missing <= done:
            break
    assert missing - done == set()
