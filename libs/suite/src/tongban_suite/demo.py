"""The demo city: a quarter of invented matters through all five services, ending today."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from uuid import UUID

from rich.console import Console
from rich.progress import Progress
from sqlalchemy import select

from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI
from tongban_evaluation import operations as evaluation
from tongban_evaluation.store.reviews import invitation
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.periods import Period as Months
from tongban_hotline_dispatch.operations import assessment
from tongban_hotline_dispatch.store import ticket
from tongban_intake import operations as intake
from tongban_intake.operations import Document
from tongban_scoring.domain.period import Period
from tongban_suite.city import City
from tongban_suite.course import ACTOR
from tongban_suite.furnishing import furnish_hotline
from tongban_suite.quarters import finish_period
from tongban_suite.simulation import Simulation
from tongban_suite.story import DAYS, Story, packaged

SEED = 20211


async def build_demo(city: City, *, today: datetime, console: Console) -> None:
    """Load the city and live its quarter; matters of the last days stay open, as in life."""
    # The period ends yesterday, so that its bulletin is of today and the pages are alive.
    ends_on = today.astimezone(SHANGHAI).date() - timedelta(days=1)
    starts_on = ends_on - timedelta(days=DAYS - 1)
    start = datetime.combine(starts_on, time(8, 30), SHANGHAI)
    await _load_city(city, start)
    simulation = Simulation(city, start)
    with Progress(console=console) as bar:
        task = bar.add_task("演示城市走过一个季度", total=DAYS)
        story = Story(city, SEED, starts_on)
        await story.tell(simulation, today, lambda day: bar.update(task, completed=day))
        await city.sweep(today)  # what the last day has brought so far
        await city.settle()
    period = Period(
        code=f"{starts_on:%Y%m%d}-{ends_on:%Y%m%d}", starts_on=starts_on, ends_on=ends_on
    )
    await finish_period(city, period, now=today)
    await _assess_units(city.kit("hotline"), starts_on, today)
    await city.settle()


async def _assess_units(kit: Kit, starts_on: date, today: datetime) -> None:
    """承办单位考核 of each whole month of the quarter, and of the month that still runs."""
    last = today.astimezone(SHANGHAI).date()
    months = sorted({f"{starts_on + timedelta(days=each):%Y-%m}" for each in range(DAYS)})
    for code in months:
        period = Months.of(code)
        if period.starts_on < starts_on:
            continue
        standard = await assessment.standard_of(kit, min(period.ends_on, last))
        wanted = assessment.Wanted(actor=ACTOR)
        async with kit.db.transaction() as tx:
            await assessment.assess(tx, period=period, wanted=wanted, standard=standard, now=today)


async def _open_invitations(kit: Kit, *, now: datetime, limit: int) -> Sequence[UUID]:
    """Unused and still running, the latest first."""
    async with kit.db.reading() as connection:
        rows = await connection.execute(
            select(invitation.c.id)
            .where(invitation.c.used_at.is_(None), invitation.c.due_at >= now)
            .order_by(invitation.c.start_at.desc(), invitation.c.id)
            .limit(limit)
        )
        return list(rows.scalars())


async def _load_city(city: City, now: datetime) -> None:
    kit = city.kit("intake")
    for name, load in (
        ("directory.yaml", intake.load_directory),
        ("catalogue.yaml", intake.load_catalogue),
    ):
        document = Document(name=name, content=packaged(name).encode())
        async with kit.db.transaction() as tx:
            await load(tx, document=document, now=now)
    await city.settle()
    await furnish_hotline(city.kit("hotline"), now=now)


async def review_links(city: City, base: str) -> list[str]:
    """A link to try the review form with, while one is open."""
    kit = city.kit("evaluation")
    links = evaluation.Links(kit.secret, public_url=base)
    found = await _open_invitations(kit, now=await kit.db.now(), limit=1)
    return [links.link(each) for each in found]


async def citizens_numbers(city: City) -> list[tuple[str, str, str]]:
    """What to look up as a citizen: one that a unit has in hand, one that may be rated."""
    kit = city.kit("hotline")
    found = []
    async with kit.db.reading() as connection:
        for what, status in (("办理中", Status.SIGNED), ("已办结", Status.CLOSED)):
            rows = await connection.execute(
                select(ticket.c.ticket_no, ticket.c.query_code)
                .where(ticket.c.status == status)
                .order_by(ticket.c.registered_at.desc(), ticket.c.id)
                .limit(1)
            )
            found += [(what, row.ticket_no, row.query_code) for row in rows]
    return found
