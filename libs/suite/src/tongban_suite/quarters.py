"""The end of a period in the whole suite: scored, announced, reviewed and published."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tongban_publishing import operations as publishing
from tongban_publishing import queries as bulletins
from tongban_scoring import operations as scoring
from tongban_scoring.domain.period import Period, quarter_of
from tongban_suite.city import City

REVIEWER = "demo-secrecy_reviewer"
APPROVER = "demo-approver"


@dataclass(frozen=True, slots=True)
class Outcome:
    scorecards: int
    bulletins: int


def quarter_name(day: date) -> str:
    return quarter_of(day).code


async def finish_and_publish(city: City, day: date, *, now: datetime) -> Outcome:
    """Finish the calendar quarter of this day, and let two people publish its bulletin."""
    return await finish_period(city, quarter_of(day), now=now)


async def finish_period(city: City, period: Period, *, now: datetime) -> Outcome:
    kit = city.kit("scoring")
    rules = await scoring.rules_at(kit, now=period.last_moment)
    async with kit.db.transaction() as tx:
        finished = await scoring.finish_period(tx, period=period, rules=rules, now=now)
    await city.settle()
    return Outcome(finished.scorecards, await publish_drafts(city, now=now))


async def publish_drafts(city: City, *, now: datetime) -> int:
    """保密审查, then 签发 by somebody else, of every draft that waits."""
    kit = city.kit("publishing")
    async with kit.db.reading() as connection:
        drafts = await bulletins.drafts(connection)
    for each in drafts:
        rules = await publishing.rules_at(kit, now=now)
        async with kit.db.transaction() as tx:
            step = publishing.Step(bulletin_id=each.id, actor=REVIEWER)
            await publishing.review(tx, step=step, now=now)
        later = now + timedelta(seconds=1)
        async with kit.db.transaction() as tx:
            step = publishing.Step(bulletin_id=each.id, actor=APPROVER)
            await publishing.approve(tx, step=step, rules=rules, now=later)
    await city.settle()
    return len(drafts)
