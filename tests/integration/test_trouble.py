"""What goes wrong between services changes nothing: a whole quarter has the same effects."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress

import pytest

from tongban_common.events import Envelope
from tongban_common.issuer import DevelopmentIssuer
from tongban_common.settings import ServiceSettings
from tongban_common.testing import Clock

from .cities import Opened, Openings, Trouble, empty
from .effects import CLEAN, announced, effects, leftovers, timers
from .quarter import first_half, second_half
from .steps import Town, moment

# Two tickets were dispatched, signed and their citizens called, each in its time.
STAGES = {("dispatch", "disarmed"): 2, ("sign", "disarmed"): 2, ("contact", "disarmed"): 2}
BESIDE = {"ladder", "supervision", "knowledge-draft", "knowledge-duty"}
SCORES = {"东湖区综合窗口": "99", "交通窗口": "99", "市场监管窗口": "98", "社保窗口": "97"}


@pytest.fixture(scope="session")
async def calm(
    migrated: Mapping[str, ServiceSettings], issuer: DevelopmentIssuer
) -> dict[str, list[str]]:
    """The effects of the quarter when nothing goes wrong, in process."""
    await empty(migrated)
    openings = Openings(migrated, None)
    town = Town(await openings(), issuer, Clock(moment("09-01")))
    bulletin = await second_half(town, await first_half(town))
    assert {each["window_name"]: each["score"] for each in bulletin["scores"]} == SCORES
    found = await effects(town.city)
    await openings.close()
    return found


def again(batch: Sequence[Envelope]) -> Sequence[Envelope]:
    """Each twice in a row; then the relay sends it, too."""
    return [each for each in batch for _ in range(2)]


def shuffled(batch: Sequence[Envelope]) -> Sequence[Envelope]:
    return random.Random(7).sample(batch, len(batch))  # noqa: S311 - no secret


def backwards(batch: Sequence[Envelope]) -> Sequence[Envelope]:
    return batch[::-1]


def with_gaps(batch: Sequence[Envelope]) -> Sequence[Envelope]:
    """Every other one is lost on the way."""
    return batch[1::2]


def clocks(timers: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Those of the tickets themselves; supervision and knowledge come and go beside them."""
    return {each: n for each, n in timers.items() if each[0] not in BESIDE}


@pytest.mark.parametrize("trouble", [again, shuffled, backwards, with_gaps])
async def test_a_troubled_wire_changes_no_effect(
    calm: Mapping[str, list[str]], town: Town, trouble: Trouble
) -> None:
    town.city.trouble = trouble
    await second_half(town, await first_half(town))

    await has_the_same_effects(town, calm)
    outcomes = {
        outcome: sum(each.inbox.outcomes[outcome] for each in town.city.stations.values())
        for outcome in ("duplicate", "gap")
    }
    assert outcomes["duplicate"] > 0
    assert (outcomes["gap"] > 0) is (trouble is not again)


async def has_the_same_effects(town: Town, calm: Mapping[str, list[str]]) -> None:
    found = await effects(town.city)
    for table, rows in calm.items():
        assert found[table] == rows, table
    assert await leftovers(town.city) == CLEAN


async def test_all_that_was_ever_announced_may_come_again_in_any_order(
    calm: Mapping[str, list[str]], town: Town
) -> None:
    await second_half(town, await first_half(town))
    everything = await town.city.envelopes()

    for trouble in (again, shuffled, backwards, with_gaps):
        await town.city.deliver(trouble(everything))

    await has_the_same_effects(town, calm)
    assert sum(each.inbox.outcomes["duplicate"] for each in town.city.stations.values()) > 0


async def test_a_gap_waits_until_its_producer_can_be_reached(
    calm: Mapping[str, list[str]], town: Town
) -> None:
    underway = await first_half(town)
    town.city.can_repair = False
    lost = with_gaps([each for each in await town.city.envelopes() if "ticket" in each.topic])

    for _ in range(3):
        with suppress(ExceptionGroup):  # in process, the sender is told at once
            await town.city.send(lost)
    async with asyncio.timeout(20):
        while (await leftovers(town.city))["open gaps"] == 0:  # noqa: ASYNC110 - as an operator
            await asyncio.sleep(0.05)
    assert await town.entries("DONGHU-01") == []
    town.city.can_repair = True

    await second_half(town, underway)
    await has_the_same_effects(town, calm)


async def test_a_restart_in_the_middle_loses_and_doubles_nothing(
    calm: Mapping[str, list[str]], reopen: Opened, issuer: DevelopmentIssuer, clock: Clock
) -> None:
    before = Town(await reopen(), issuer, clock)
    underway = await first_half(before)
    unsent = [each for each in await before.city.envelopes() if "directory" not in each.topic]
    assert len(unsent) == 7 + 4 + 2 + 5  # of two tickets and two cases, and the catalogue
    assert clocks(await timers(before.city, "hotline")) == STAGES | {
        ("unit", "armed"): 1,
        ("citizen", "armed"): 1,
        ("unit", "disarmed"): 1,
        ("citizen", "disarmed"): 1,
        ("review", "disarmed"): 1,
        ("archive", "armed"): 1,
    }
    await before.city.deliver(unsent[::2])  # sent, and the relay had no time to note it
    assert await before.city.watermarks() != await before.city.announced()
    await before.city.close()

    town = Town(await reopen(), issuer, clock)
    await second_half(town, underway)

    await has_the_same_effects(town, calm)
    assert clocks(await timers(town.city, "hotline")) == STAGES | {
        ("unit", "fired"): 1,
        ("citizen", "fired"): 1,
        ("unit", "disarmed"): 1,
        ("citizen", "disarmed"): 1,
        ("review", "disarmed"): 2,
        ("callback", "disarmed"): 1,  # the citizen's limit ran out first: 到期回访
        ("call", "disarmed"): 1,
        ("archive", "fired"): 1,
        ("archive", "armed"): 1,
    }
    told = await announced(town.city)
    assert (told["hotline.deadline-missed"], told["intake.deadline-missed"]) == (2, 2)


async def test_what_a_consumer_hears_of_a_unit_after_its_ticket_changes_no_score(
    town: Town,
) -> None:
    """Topics are not ordered among each other: scoring may have been away for both."""
    await town.load()
    directory = await town.city.envelopes()
    await town.city.stations["hotline"].inbox.apply(directory)
    town.clock.now = moment("09-17")
    await town.signed(await town.assigned(await town.registered(), "SOCIAL"))
    tickets = [each for each in await town.city.envelopes() if "ticket" in each.topic]

    await town.city.stations["scoring"].inbox.apply(tickets)
    await town.until(moment("10-12"))
    cards = await town.finished()

    assert set(cards) == {"SOCIAL-01"}
