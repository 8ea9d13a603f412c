"""A whole quarter, in two halves, so that something may happen to the city between them."""

from dataclasses import dataclass

from .steps import FREIGHT_LICENCE, Document, Town, moment


@dataclass(frozen=True, slots=True)
class Underway:
    """What is open in the middle: two tickets and two cases."""

    answered: Document
    unanswered: Document
    freight: Document
    food: Document


async def first_half(town: Town) -> Underway:
    """Nothing is relayed since the directory was, and five clocks run."""
    await town.open()
    town.clock.now = moment("09-07")
    freight = await town.accepted(FREIGHT_LICENCE, "TRAFFIC-01", "S-003")
    town.clock.now = moment("09-17")
    unanswered = await town.signed(await town.assigned(await town.registered(), "SOCIAL"))
    asked = await town.registered("consult", wants_callback=False)
    answered = await town.signed(await town.assigned(asked, "DONGHU"))
    food = await town.accepted()
    answered = await town.closed(await town.replied(answered), was_called=False)
    return Underway(answered, unanswered, freight, food)


async def second_half(town: Town, underway: Underway) -> Document:
    """Deadlines pass, matters end late, one is complained of; the bulletin of it all."""
    await town.until(moment("09-28"))
    await town.completed(await town.decided(underway.freight))
    await town.completed(await town.decided(underway.food))
    await town.settle()
    await town.reviewed("ticket", underway.answered, 1, tags=["115"])
    await town.reviewed("case", underway.food, 5, tags=["517"])
    await town.until(moment("09-29"))
    await town.closed(await town.replied(underway.unanswered))
    (one,) = await town.rectifications()
    one = await town.rectified(await town.verified(one, "DONGHU"), "DONGHU")
    await town.settled(await town.called_back(one))
    await town.settle()
    for entry in await town.entries("MARKET-01"):
        if entry["rule_id"] == "S3-3":
            await town.judged(entry, "attribute", responsibility="window")
    (complaint,) = await town.entries("DONGHU-01")
    await town.judged(complaint, "confirm")
    await town.until(moment("10-12"))
    await town.finished()
    return await town.published()
