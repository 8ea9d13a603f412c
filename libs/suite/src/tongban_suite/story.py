"""What happens in the demo city: matters, reviews and rectifications, by chance of one seed."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from importlib.resources import files
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from tongban_common.clock import new_id
from tongban_common.policies import parse_document
from tongban_common.privacy import Sealer
from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI
from tongban_evaluation import operations as evaluation
from tongban_evaluation.domain.deadlines import Grade
from tongban_evaluation.domain.rectification import Answer, Findings, RootCause
from tongban_evaluation.domain.review import Channel as ReviewChannel
from tongban_evaluation.domain.review import Opinion
from tongban_evaluation.store.policies import rule_book
from tongban_evaluation.store.rectifications import rectification
from tongban_evaluation.store.reviews import invitation
from tongban_hotline_dispatch import operations as hotline
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType, Channel, Urgency
from tongban_hotline_dispatch.store import Complainant
from tongban_intake import operations as intake
from tongban_intake.domain.case import Applicant, DeliveryMethod, Result
from tongban_scoring import operations as scoring
from tongban_scoring.domain.entries import Evidence, Responsibility, State
from tongban_scoring.store import entry
from tongban_suite.city import City
from tongban_suite.contests import FORBIDDEN, contest
from tongban_suite.course import ACTOR, ASKED, REPLY, SETTLED_EVERY, Course, done_by
from tongban_suite.lanes import Lane
from tongban_suite.simulation import Simulation

TICKETS, CASES = 150, 80
DAYS = 91
ANSWERING = 0.6  # the share of the invited who review
ANSWERED_AFTER = (24 * SETTLED_EVERY, 120)  # hours: the invitation has come by then
NEGLECTED = 0.2  # the share of bad reviews whose unit lets the time run out
CONFIRMED = 0.7  # the share of the ledger's leads that an inspector confirms
_ATTRIBUTED = "S3-3"  # 超过承诺时限，须归责
# What lies on the desks as the demo opens: how far a matter of the last hours has come.
_DESKS = (
    *(("return", Urgency.NORMAL), ("extension", Urgency.NORMAL), ("replied", Urgency.NORMAL)) * 2,
    *(("signed", Urgency.URGENT), ("called", Urgency.NORMAL)) * 2,
    *(("marked", Urgency.NORMAL), ("contested", Urgency.NORMAL)) * 2,
    *(("waits", Urgency.NORMAL), ("waits", Urgency.URGENT), ("waits", Urgency.CRITICAL)) * 2,
)
_WAITING_MINUTES = 4  # between those that wait, so that not all of them wait too long
# 热点: what many bring in the last days, for the same reason.
_OUTBREAK, _OUTBREAK_TICKETS, _OUTBREAK_HOURS = "村道塌方需要抢修", 12, 70
_REPLIED = {"replied", "called", "marked", "contested"}
_CALLED = _REPLIED - {"replied"}
_MARKED = _CALLED - {"called"}
# Who calls again and again, so that the agent's desk has something to show.
CALLER = "13800001234"


class _Appeal(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: str
    type: AppealType
    title: str
    content: str


class _Appeals(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    appeals: list[_Appeal]


class Story:
    def __init__(self, city: City, seed: int, starts_on: date) -> None:
        self._city = city
        self._starts_on = starts_on
        self._tickets, self._cases, self._reviews, self._ledger = (
            Lane(random.Random(f"{seed} {name}"))
            for name in ("tickets", "cases", "reviews", "ledger")
        )
        self._hotline = city.kit("hotline")
        self._intake = city.kit("intake")
        self._book = rule_book(city.kit("evaluation"))
        self._appeals = _appeals()
        self._items = _items()

    async def tell(
        self, simulation: Simulation, until: datetime, after_each: Callable[[int], object]
    ) -> None:
        """Day by day: first what falls due, then what the lanes have on it."""
        self._plan(until)
        for number in range(1, DAYS + 2):
            day = datetime.combine(self._starts_on + timedelta(days=number), time(), SHANGHAI)
            ends_at = min(day, until)
            if number % SETTLED_EVERY == 0:
                await self._city.settle()
            async with asyncio.TaskGroup() as group:
                for lane in (self._tickets, self._cases, self._reviews, self._ledger):
                    group.create_task(lane.run(ends_at))
            await simulation.advance(ends_at)
            after_each(number)

    def _plan(self, until: datetime) -> None:
        for lane, times, begin in (
            (self._tickets, TICKETS, self._ticket),
            (self._cases, CASES, self._case),
        ):
            for _ in range(times):
                lane.at(self._moment(lane.chance), begin)
        for week in range(1, DAYS // 7 + 1):
            friday = self._starts_on + timedelta(days=7 * week - 1)
            self._ledger.at(datetime.combine(friday, time(16), SHANGHAI), self._inspect)
        behind = timedelta()
        for stage, urgency in reversed(_DESKS):
            behind += timedelta(minutes=_WAITING_MINUTES if stage == "waits" else 12)
            self._tickets.at(until - behind, partial(self._on_a_desk, stage, urgency))
        (outbreak,) = (each for each in self._appeals if each.title == _OUTBREAK)
        for _ in range(_OUTBREAK_TICKETS):
            hours = self._tickets.chance.uniform(5, _OUTBREAK_HOURS)
            self._tickets.at(until - timedelta(hours=hours), partial(self._ticket, about=outbreak))

    async def _on_a_desk(self, stage: str, urgency: Urgency, now: datetime) -> None:
        """One of the last hours, left where somebody has to do the next thing."""
        chance = self._tickets.chance
        helps = [each for each in self._appeals if each.type is AppealType.HELP]
        appeal = chance.choice(helps)
        phone = CALLER if stage in {"signed", "called"} else None
        ticket_id = await self._register(appeal, urgency, now, phone=phone)
        rules = await hotline.rules_at(self._hotline, now=now)
        step = hotline.Step(ticket_id=ticket_id, actor=ACTOR)
        async with self._hotline.db.transaction() as tx:
            desk = hotline.Desk(tx, step=step, rules=rules, now=now)
            if stage == "waits":
                return
            await hotline.assign(tx, step=step, unit_code=appeal.unit, rules=rules, now=now)
            if stage == "return":
                await desk.ask(ASKED[stage])
                return
            await hotline.sign(tx, step=step, rules=rules, now=now)
            if stage in ASKED:
                await desk.ask(ASKED[stage])
            if stage in _REPLIED:
                await hotline.reply(tx, step=step, answer=REPLY, rules=rules, now=now)
            if stage in _CALLED:
                await desk.pass_review()
            if stage in _MARKED:
                await desk.call_back(FORBIDDEN)
            if stage == "contested":
                await contest(self._hotline, tx, ticket_id, appeal.unit, now)

    async def _ticket(self, now: datetime, *, about: _Appeal | None = None) -> None:
        lane, chance = self._tickets, self._tickets.chance
        appeal = about or chance.choice(self._appeals)
        ticket_id = await self._register(appeal, Urgency.NORMAL, now)
        course = Course(
            kit=self._hotline,
            lane=lane,
            step=hotline.Step(ticket_id=ticket_id, actor=ACTOR),
            unit=appeal.unit,
            invited=partial(self._invited, chance, ticket_id),
        )
        lane.at(now + timedelta(minutes=chance.randint(5, 40)), course.assign)

    async def _register(
        self, appeal: _Appeal, urgency: Urgency, now: datetime, *, phone: str | None = None
    ) -> UUID:
        chance = self._tickets.chance
        new = hotline.Registration(
            ticket_id=new_id(now),
            query_code=hotline.new_query_code(),
            appeal=Appeal(
                channel=chance.choice(list(Channel)[:6]),
                channel_order_no=None,
                matter_code=None,
                appeal_type=appeal.type,
                urgency=urgency,
                title=appeal.title,
                content=appeal.content,
            ),
            person=Complainant(name=_name(chance), phone=phone or _phone(chance)),
            actor=ACTOR,
        )
        rules = await hotline.rules_at(self._hotline, now=now)
        async with self._hotline.db.transaction() as tx:
            await hotline.register(
                tx, new=new, rules=rules, sealer=Sealer(self._hotline.secret), now=now
            )
        return new.ticket_id

    async def _case(self, now: datetime) -> None:
        lane, chance = self._cases, self._cases.chance
        item, window, staff = chance.choice(self._items)
        rules = await intake.rules_at(self._intake, now=now)
        new = intake.NewCase(
            case_id=new_id(now),
            query_code=intake.new_query_code(),
            item_code=item,
            window_code=window,
            applicant=Applicant(
                name=_name(chance),
                id_type="111",
                id_number=f"9901{chance.randrange(10**14):014}",
                phone=_phone(chance),
            ),
            actor=ACTOR,
            staff_code=staff,
        )
        async with self._intake.db.transaction() as tx:
            case = await intake.accept(
                tx, new=new, rules=rules, sealer=Sealer(self._intake.secret), now=now
            )
        step = intake.Step(case_id=new.case_id, actor=ACTOR)

        async def finish(then: datetime) -> None:
            async with self._intake.db.transaction() as tx:
                await intake.decide(
                    tx, step=step, result=Result.APPROVED, grounds=None, rules=rules, now=then
                )
            async with self._intake.db.transaction() as tx:
                await intake.complete(tx, step=step, rules=rules, now=then)
            self._invited(chance, new.case_id, then)
            lane.at(then + timedelta(hours=26), hand_over)

        async def hand_over(then: datetime) -> None:
            async with self._intake.db.transaction() as tx:
                await intake.deliver(tx, step=step, method=DeliveryMethod.HANDED_OVER, now=then)

        lane.at(done_by(chance, now, case.promise.due_at), finish)

    def _invited(self, chance: random.Random, matter_id: UUID, then: datetime) -> datetime | None:
        """Most of those who are asked answer, some days later: when, if at all."""
        if chance.random() >= ANSWERING:
            return None
        later = then + timedelta(hours=chance.randint(*ANSWERED_AFTER))
        self._reviews.at(later, partial(self._review, matter_id))
        return later

    async def _review(self, matter_id: UUID, now: datetime) -> None:
        chance = self._reviews.chance
        kit = self._city.kit("evaluation")
        invitation_id = await _invitation_of(kit, matter_id)
        level = chance.choices((5, 4, 3, 2, 1), weights=(58, 20, 10, 7, 5))[0]
        opinion = Opinion(level=level, tags=_TAGS[level], channel=ReviewChannel.WEB)
        async with kit.db.transaction() as tx:
            review = await evaluation.submit(
                tx, invitation_id=invitation_id, opinion=opinion, book=self._book, now=now
            )
        opened = await _rectification_of(kit, review.id)
        if opened is not None and chance.random() > NEGLECTED:
            self._rectify(opened, now + timedelta(hours=20))

    def _rectify(self, rectification_id: UUID, begin: datetime) -> None:
        """Verified, put right, called back and closed, a day or two between each."""
        cause = self._reviews.chance.choice((RootCause.ATTITUDE, RootCause.EFFICIENCY))
        findings = Findings(
            is_factual=True,
            is_reasonable=True,
            note="经调取监控和系统记录，反映情况属实。",
            root_cause=cause,
            grade=Grade.SIMPLE,
        )
        steps: tuple[Callable[..., Any], ...] = (
            partial(evaluation.verify, findings=findings),
            partial(evaluation.rectify, measures="已对当事人员谈话提醒，并优化窗口排班。"),
            partial(evaluation.call_back, answer=Answer.SATISFIED, note=None),
            evaluation.close,
        )
        for version, step in enumerate(steps, start=1):
            act = partial(self._act, step, rectification_id, version)
            self._reviews.at(begin + timedelta(hours=30 * (version - 1)), act)

    async def _act(
        self, step: Callable[..., Any], rectification_id: UUID, version: int, now: datetime
    ) -> None:
        act = evaluation.Act(
            rectification_id=rectification_id, expected=version, actor=ACTOR, scope=None, at=now
        )
        async with self._city.kit("evaluation").db.transaction() as tx:
            await step(tx, act, book=self._book)

    async def _inspect(self, now: datetime) -> None:
        """Every week somebody decides about what the facts only suggest."""
        kit = self._city.kit("scoring")
        for entry_id, rule_id in await _proposed(kit):
            decision = scoring.Decision(
                entry_id=entry_id,
                actor=ACTOR,
                evidence=Evidence(text="经调阅办件流转记录和回访录音核实。"),
                responsibility=Responsibility.WINDOW if rule_id == _ATTRIBUTED else None,
            )
            decide = scoring.confirm if self._ledger.chance.random() < CONFIRMED else scoring.reject
            async with kit.db.transaction() as tx:
                await decide(tx, decision=decision, now=now)

    def _moment(self, chance: random.Random) -> datetime:
        """In office hours of some day of the quarter, working or not: the hotline never sleeps."""
        day = self._starts_on + timedelta(days=chance.randrange(DAYS))
        minutes = chance.randint(9 * 60, 17 * 60)
        return datetime.combine(day, time(), SHANGHAI) + timedelta(minutes=minutes)


def _name(chance: random.Random) -> str:
    return chance.choice("赵钱孙李周吴郑王") + chance.choice("伟芳娜敏静强磊洋")


def _phone(chance: random.Random) -> str:
    return f"138{chance.randrange(10**8):08}"


def _appeals() -> Sequence[_Appeal]:
    return parse_document(packaged("appeals.yaml"), _Appeals, where="appeals.yaml").appeals


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
    directory = parse_document(packaged("directory.yaml"), _Directory, where="directory.yaml")
    catalogue = parse_document(packaged("catalogue.yaml"), _Catalogue, where="catalogue.yaml")
    windows = {each.unit_code: each.code for each in directory.windows}
    clerks = {each.window_code: each.code for each in directory.staff}
    return [
        (item.code, windows[item.unit_code], clerks.get(windows[item.unit_code]))
        for item in catalogue.items
    ]


async def _invitation_of(kit: Kit, matter_id: UUID) -> UUID:
    async with kit.db.reading() as connection:
        query = select(invitation.c.id).where(invitation.c.matter_id == matter_id)
        found: UUID = (await connection.execute(query)).scalar_one()
    return found


async def _proposed(kit: Kit) -> Sequence[tuple[UUID, str]]:
    async with kit.db.reading() as connection:
        query = select(entry.c.id, entry.c.rule_id).where(entry.c.state == State.PROPOSED)
        rows = await connection.execute(query.order_by(entry.c.recorded_at, entry.c.id))
        return [(row.id, row.rule_id) for row in rows]


async def _rectification_of(kit: Kit, review_id: UUID) -> UUID | None:
    """The one that a bad review opened."""
    async with kit.db.reading() as connection:
        query = select(rectification.c.id).where(rectification.c.review_id == review_id)
        return (await connection.execute(query)).scalar_one_or_none()


def packaged(name: str) -> str:
    return files("tongban_suite").joinpath("data", name).read_text(encoding="utf-8")
