"""The demo city: a quarter of invented matters through all five services, ending today."""

import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from heapq import heappop, heappush
from importlib.resources import files
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import select

from tongban_common.clock import new_id
from tongban_common.policies import parse_document
from tongban_common.privacy import Sealer
from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI
from tongban_evaluation import operations as evaluation
from tongban_evaluation.domain.review import Channel as ReviewChannel
from tongban_evaluation.domain.review import Opinion
from tongban_evaluation.store.policies import rule_book
from tongban_evaluation.store.reviews import invitation
from tongban_hotline_dispatch import operations as hotline
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType, Channel, Urgency
from tongban_hotline_dispatch.store import Complainant
from tongban_intake import operations as intake
from tongban_intake.domain.case import Applicant, DeliveryMethod, Result
from tongban_intake.operations import Document
from tongban_scoring.domain.period import Period
from tongban_suite.city import City
from tongban_suite.quarters import finish_period
from tongban_suite.simulation import Simulation

SEED = 20211
TICKETS, CASES = 150, 80
DAYS = 91
_ACTOR = "demo"


class _Appeal(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: str
    type: AppealType
    title: str
    content: str


class _Appeals(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    appeals: list[_Appeal]


Act = Callable[[datetime], Coroutine[Any, Any, object]]


@dataclass
class _Agenda:
    """What is going to happen, by moment; doing one thing may put others on it."""

    _waiting: list[tuple[datetime, int, Act]] = field(default_factory=list)
    _count: int = 0

    def at(self, moment: datetime, act: Act) -> None:
        self._count += 1
        heappush(self._waiting, (moment, self._count, act))

    async def run(
        self, simulation: Simulation, until: datetime, after_each: Callable[[datetime], object]
    ) -> None:
        while self._waiting and self._waiting[0][0] < until:
            moment, _, act = heappop(self._waiting)
            await simulation.advance(max(moment, simulation.now))
            await act(simulation.now)
            after_each(moment)
        await simulation.advance(until)


async def build_demo(city: City, *, today: datetime, console: Console) -> None:
    """Load the city and live its quarter; matters of the last days stay open, as in life."""
    # The period ends yesterday, so that its bulletin is of today and the pages are alive.
    ends_on = today.astimezone(SHANGHAI).date() - timedelta(days=1)
    starts_on = ends_on - timedelta(days=DAYS - 1)
    start = datetime.combine(starts_on, time(8, 30), SHANGHAI)
    await _load_city(city, start)
    simulation = Simulation(city, start)
    story = _Story(city, random.Random(SEED), starts_on)
    story.plan()
    with Progress(console=console) as bar:
        task = bar.add_task("演示城市走过一个季度", total=DAYS)

        def show(moment: datetime) -> None:
            bar.update(task, completed=(moment.date() - starts_on).days)

        await _live(city, simulation, story, today, show)
        bar.update(task, completed=DAYS)
    period = Period(
        code=f"{starts_on:%Y%m%d}-{ends_on:%Y%m%d}", starts_on=starts_on, ends_on=ends_on
    )
    await finish_period(city, period, now=today)


async def _live(
    city: City,
    simulation: Simulation,
    story: "_Story",
    today: datetime,
    show: Callable[[datetime], None],
) -> None:
    """Matters, then the reviews of what was closed, then the rectifications of the bad ones."""
    await story.agenda.run(simulation, today, show)
    await city.settle()
    await story.review(today)
    await city.settle()


class _Story:
    def __init__(self, city: City, chance: random.Random, starts_on: date) -> None:
        self.agenda = _Agenda()
        self._city = city
        self._chance = chance
        self._starts_on = starts_on
        self._hotline = city.kit("hotline")
        self._intake = city.kit("intake")
        self._appeals = _appeals()
        self._items = _items()

    def plan(self) -> None:
        for _ in range(TICKETS):
            self.agenda.at(self._moment(), self._ticket)
        for _ in range(CASES):
            self.agenda.at(self._moment(), self._case)

    async def _ticket(self, now: datetime) -> None:
        appeal = self._chance.choice(self._appeals)
        rules = await hotline.rules_at(self._hotline, now=now)
        new = hotline.Registration(
            ticket_id=new_id(now),
            query_code=hotline.new_query_code(),
            appeal=Appeal(
                channel=self._chance.choice(list(Channel)[:6]),
                channel_order_no=None,
                matter_code=None,
                appeal_type=appeal.type,
                urgency=Urgency.NORMAL,
                title=appeal.title,
                content=appeal.content,
            ),
            person=Complainant(name=self._name(), phone=self._phone()),
            actor=_ACTOR,
        )
        async with self._hotline.db.transaction() as tx:
            await hotline.register(
                tx, new=new, rules=rules, sealer=Sealer(self._hotline.secret), now=now
            )
        step = hotline.Step(ticket_id=new.ticket_id, actor=_ACTOR)
        later = now + timedelta(minutes=self._chance.randint(5, 40))

        async def assign(then: datetime) -> None:
            async with self._hotline.db.transaction() as tx:
                ticket = await hotline.assign(
                    tx, step=step, unit_code=appeal.unit, rules=rules, now=then
                )
            due = ticket.reply_term.due_at if ticket.reply_term else then
            self.agenda.at(then + timedelta(hours=2), sign)
            self.agenda.at(self._done_by(then, due), answer)

        async def sign(then: datetime) -> None:
            async with self._hotline.db.transaction() as tx:
                await hotline.sign(tx, step=step, now=then)

        async def answer(then: datetime) -> None:
            calendar = await self._hotline.calendars.current()
            async with self._hotline.db.transaction() as tx:
                await hotline.reply(
                    tx,
                    step=step,
                    text="您反映的问题已现场核实并处理，感谢您的监督。",
                    calendar=calendar,
                    now=then,
                )
            self.agenda.at(then + timedelta(hours=20), close)

        async def close(then: datetime) -> None:
            async with self._hotline.db.transaction() as tx:
                await hotline.close(tx, step=step, now=then)

        self.agenda.at(later, assign)

    async def _case(self, now: datetime) -> None:
        item, window, staff = self._chance.choice(self._items)
        rules = await intake.rules_at(self._intake, now=now)
        new = intake.NewCase(
            case_id=new_id(now),
            query_code=intake.new_query_code(),
            item_code=item,
            window_code=window,
            applicant=Applicant(
                name=self._name(),
                id_type="111",
                id_number=f"9901{self._chance.randrange(10**14):014}",
                phone=self._phone(),
            ),
            actor=_ACTOR,
            staff_code=staff,
        )
        async with self._intake.db.transaction() as tx:
            case = await intake.accept(
                tx, new=new, rules=rules, sealer=Sealer(self._intake.secret), now=now
            )
        step = intake.Step(case_id=new.case_id, actor=_ACTOR)

        async def finish(then: datetime) -> None:
            async with self._intake.db.transaction() as tx:
                await intake.decide(
                    tx, step=step, result=Result.APPROVED, grounds=None, rules=rules, now=then
                )
            async with self._intake.db.transaction() as tx:
                await intake.complete(tx, step=step, rules=rules, now=then)
            self.agenda.at(then + timedelta(hours=26), hand_over)

        async def hand_over(then: datetime) -> None:
            async with self._intake.db.transaction() as tx:
                await intake.deliver(tx, step=step, method=DeliveryMethod.HANDED_OVER, now=then)

        self.agenda.at(self._done_by(now, case.promise.due_at), finish)

    async def review(self, now: datetime) -> None:
        """Some of the invited answer; a few are not content, and some of those are rectified."""
        kit = self._city.kit("evaluation")
        book = rule_book(kit)
        invited = await _open_invitations(kit, now=now, limit=400)
        for invitation_id in invited[: len(invited) * 2 // 3]:
            level = self._chance.choices((5, 4, 3, 2, 1), weights=(60, 22, 10, 5, 3))[0]
            opinion = Opinion(level=level, tags=_TAGS[level], channel=ReviewChannel.WEB)
            async with kit.db.transaction() as tx:
                await evaluation.submit(
                    tx, invitation_id=invitation_id, opinion=opinion, book=book, now=now
                )

    def _moment(self) -> datetime:
        """In office hours of some day of the quarter, working or not: the hotline never sleeps."""
        day = self._starts_on + timedelta(days=self._chance.randrange(DAYS))
        minutes = self._chance.randint(9 * 60, 17 * 60)
        return datetime.combine(day, time(), SHANGHAI) + timedelta(minutes=minutes)

    def _done_by(self, start: datetime, due: datetime) -> datetime:
        """Mostly in time; about one in eleven late."""
        if self._chance.random() < 0.09:
            return due + timedelta(hours=self._chance.randint(10, 60))
        return start + (due - start) * self._chance.uniform(0.15, 0.97)

    def _name(self) -> str:
        return self._chance.choice("赵钱孙李周吴郑王") + self._chance.choice("伟芳娜敏静强磊洋")

    def _phone(self) -> str:
        return f"138{self._chance.randrange(10**8):08}"


def _appeals() -> Sequence[_Appeal]:
    return parse_document(_data("appeals.yaml"), _Appeals, where="appeals.yaml").appeals


# One tag of each level, as the packaged set has them; the bad ones say why.
_TAGS: dict[int, tuple[str, ...]] = {5: ("517",), 4: ("413",), 3: (), 2: ("214",), 1: ("115",)}


class _Item(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    code: str
    unit_code: str


class _Catalogue(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    items: list[_Item]


class _Window(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    code: str
    unit_code: str


class _Clerk(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    code: str
    window_code: str


class _Directory(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    windows: list[_Window]
    staff: list[_Clerk]


def _items() -> Sequence[tuple[str, str, str | None]]:
    """Item, the window that takes it, and who sits there."""
    directory = parse_document(_data("directory.yaml"), _Directory, where="directory.yaml")
    catalogue = parse_document(_data("catalogue.yaml"), _Catalogue, where="catalogue.yaml")
    windows = {each.unit_code: each.code for each in directory.windows}
    clerks = {each.window_code: each.code for each in directory.staff}
    return [
        (item.code, windows[item.unit_code], clerks.get(windows[item.unit_code]))
        for item in catalogue.items
    ]


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


def _data(name: str) -> str:
    return files("tongban_suite").joinpath("data", name).read_text(encoding="utf-8")


async def _load_city(city: City, now: datetime) -> None:
    kit = city.kit("intake")
    for name, load in (
        ("directory.yaml", intake.load_directory),
        ("catalogue.yaml", intake.load_catalogue),
    ):
        document = Document(name=name, content=_data(name).encode())
        async with kit.db.transaction() as tx:
            await load(tx, document=document, now=now)
    await city.settle()


async def review_links(city: City, base: str) -> list[str]:
    """A link to try the review form with, while one is open."""
    kit = city.kit("evaluation")
    links = evaluation.Links(kit.secret, public_url=base)
    found = await _open_invitations(kit, now=await kit.db.now(), limit=1)
    return [links.link(each) for each in found]
