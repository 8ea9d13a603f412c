"""A hotline database filled with tickets as a city has them, at any stage, in minutes.

Some sixty tickets are led through the real operations, closed ones weeks ago and open ones just
now; `bench/multiplying.py` then copies their rows as often as it takes. `python -m bench generate`.
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from uuid import UUID

import asyncpg
from rich.console import Console
from rich.progress import Progress

from bench.likeness import City
from bench.multiplying import Copies, Drawn, Wording
from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_common.privacy import Sealer
from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain import closing
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.asking import Decision, Request
from tongban_hotline_dispatch.domain.assignment import AskKind, Reply
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.operations import Desk, Registration, Step
from tongban_hotline_dispatch.operations.likeness_index import matter_of
from tongban_hotline_dispatch.store import Complainant
from tongban_hotline_dispatch.store.likeness_rules import LIKENESS
from tongban_hotline_dispatch.store.reference import Unit, Units

HUB, OFFICER = "bench-hub", "bench-unit"
TEXTS = 10_000
BATCH = 10_000
PER_PERSON = 4
_AGO = timedelta(days=75)  # when the ended templates came in
_PACE = timedelta(hours=5)  # between the steps of an ended one
_JUST = timedelta(seconds=15)  # and of an open one
_LATELY = timedelta(minutes=5)  # within which the open ones came in: no clock of theirs is over
_VARIANTS = tuple(
    zip(
        (AppealType.HELP, AppealType.COMPLAINT, AppealType.SUGGESTION),
        (Channel.PHONE, Channel.WECHAT, Channel.WEBSITE),
        strict=True,
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many tickets, how many of them open, and how many of those past their due moment."""

    tickets: int
    open_share: float = 0.1
    breached: int = 0
    units: int = 100
    per_day: int = 3000

    @property
    def unit_codes(self) -> list[str]:
        return [f"U{number:03}" for number in range(self.units)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The steps of a template, and how many of a hundred open (or ended) tickets are like it."""

    name: str
    steps: tuple[str, ...]
    share: float
    is_open: bool = False
    wants_callback: bool = True


@dataclass(frozen=True, slots=True)
class Template:
    ticket_id: UUID
    recipe: Recipe
    registered_at: datetime
    ended_at: datetime


_WITH_UNIT = ("assign", "sign", "contact")
_ANSWERED = (*_WITH_UNIT, "reply")
_CALLED = (*_ANSWERED, "pass", "attempt", "heard")
_GONE = ("assign", "sign", "reply", "close")
RECIPES = (
    Recipe(name="closed", steps=_CALLED, share=25),
    Recipe(name="closed uncalled", steps=_GONE, share=15, wants_callback=False),
    Recipe(name="archived", steps=(*_GONE, "archive"), share=40, wants_callback=False),
    Recipe(name="reworked", steps=(*_CALLED[:-1], "unheard", *_CALLED[3:]), share=3),
    Recipe(name="late", steps=(*_WITH_UNIT, "late", "pass", "heard"), share=3),
    Recipe(name="answered", steps=("answer",), share=6),
    Recipe(name="routed out", steps=("route",), share=4),
    Recipe(name="withdrawn", steps=("withdraw",), share=2),
    Recipe(name="terminated", steps=("assign", "sign", "end?", "end!"), share=2),
    Recipe(name="registered", steps=(), share=12, is_open=True),
    Recipe(name="awaiting facts", steps=("facts",), share=2, is_open=True),
    Recipe(name="consulting", steps=("consult",), share=1, is_open=True),
    Recipe(name="assigned", steps=("assign",), share=20, is_open=True),
    Recipe(name="signed", steps=("assign", "sign"), share=20, is_open=True),
    Recipe(name="contacted", steps=_WITH_UNIT, share=25, is_open=True),
    Recipe(name="return asked", steps=("assign", "return?"), share=2, is_open=True),
    Recipe(name="suspended", steps=(*_WITH_UNIT, "pause?", "pause!"), share=2, is_open=True),
    Recipe(name="replied", steps=_ANSWERED, share=10, is_open=True),
    Recipe(name="called back", steps=(*_ANSWERED, "pass"), share=4, is_open=True),
    Recipe(name="rework", steps=(*_CALLED[:-1], "unheard"), share=2, is_open=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _At:
    """Who may act on a ticket at one moment."""

    tx: Transaction
    ticket_id: UUID
    rules: Rules
    sealer: Sealer
    now: datetime
    units: Sequence[str]

    @property
    def hub(self) -> Desk:
        return Desk(self.tx, step=self._step(), rules=self.rules, now=self.now)

    @property
    def own(self) -> Desk:
        return Desk(self.tx, step=self._step(self.units[0]), rules=self.rules, now=self.now)

    def _step(self, unit: str | None = None) -> Step:
        return Step(ticket_id=self.ticket_id, actor=OFFICER if unit else HUB, unit=unit)

    async def assign(self) -> object:
        return await operations.assign(
            self.tx, step=self._step(), unit_code=self.units[0], rules=self.rules, now=self.now
        )

    async def sign(self) -> object:
        step = self._step(self.units[0])
        return await operations.sign(self.tx, step=step, rules=self.rules, now=self.now)

    async def reply(self) -> object:
        step, answer = self._step(self.units[0]), Reply.of("已到现场处理完毕，感谢您的反映。")
        return await operations.reply(
            self.tx, step=step, answer=answer, rules=self.rules, now=self.now
        )

    async def close(self) -> object:
        return await operations.close(
            self.tx, step=self._step(), rules=self.rules, now=self.now, heard=None
        )

    async def archive(self) -> object:
        return await operations.perform(
            self.tx, step=self._step(), command=closing.archive, rules=self.rules, now=self.now
        )

    async def heard(self, *, is_good: bool) -> object:
        mark = Mark.SATISFIED if is_good else Mark.DISSATISFIED
        resolved = Resolved.YES if is_good else Resolved.NO
        return await self.hub.call_back(Heard(resolved=resolved, result=mark, process=mark))

    async def ask(self, kind: AskKind, **grounds: str) -> object:
        request = Request(kind=kind, by=OFFICER, grounds={"reason": "情况复杂", **grounds})
        return await self.own.ask(request)

    async def grant(self, kind: AskKind) -> object:
        return await self.hub.decide(Decision(kind=kind, is_granted=True, by=HUB))


_STEPS: Mapping[str, Callable[[_At], Awaitable[object]]] = {
    "facts": lambda at: at.hub.request_facts(),
    "consult": lambda at: at.hub.consult(),
    "answer": lambda at: at.hub.answer("可以凭身份证到政务服务中心办理。"),
    "route": lambda at: at.hub.route_out("OUT_OF_AREA", sealer=at.sealer),
    "withdraw": lambda at: at.hub.withdraw(),
    "assign": lambda at: at.assign(),
    "sign": lambda at: at.sign(),
    "contact": lambda at: at.own.contact(),
    "reply": lambda at: at.reply(),
    "late": lambda at: at.reply(),
    "pass": lambda at: at.hub.pass_review(),
    "attempt": lambda at: at.hub.attempt_callback(),
    "heard": lambda at: at.heard(is_good=True),
    "unheard": lambda at: at.heard(is_good=False),
    "close": lambda at: at.close(),
    "archive": lambda at: at.archive(),
    "return?": lambda at: at.ask(AskKind.RETURN, citation="三定规定", suggested_unit=at.units[-1]),
    "pause?": lambda at: at.ask(AskKind.SUSPENSION, pause_reason="INSPECTION_APPRAISAL"),
    "pause!": lambda at: at.grant(AskKind.SUSPENSION),
    "end?": lambda at: at.ask(AskKind.TERMINATION),
    "end!": lambda at: at.grant(AskKind.TERMINATION),
}
_WAITS = {"late": timedelta(days=20), "archive": timedelta(days=8)}


async def fill(kit: Kit, plan: Plan, *, now: datetime, quiet: bool = False) -> list[Template]:
    """Fill a migrated database. The templates are the first of its tickets."""
    await _furnish(kit, plan)
    templates = [each async for each in _templates(kit, plan, now)]
    connection = await asyncpg.connect(
        kit.settings.database_url.replace("+asyncpg", ""), statement_cache_size=200
    )
    copies = Copies(connection, Sealer(kit.secret))
    try:
        await copies.prepare([each.ticket_id for each in templates], _wordings(kit))
        drawn = _Draw(plan, templates, now, await copies.due_moments())
        with Progress(console=Console(stderr=True), disable=quiet) as bar:
            shown = bar.add_task("生成工单", total=drawn.number)
            for start in range(0, drawn.number, BATCH):
                some = [drawn.one(g) for g in range(start, min(start + BATCH, drawn.number))]
                await copies.add(some, persons=max(1, plan.tickets // PER_PERSON))
                bar.advance(shown, len(some))
        await copies.finish()
    finally:
        await connection.close()
    return templates


async def _furnish(kit: Kit, plan: Plan) -> None:
    from tongban_hotline_dispatch.main import SERVICE

    await SERVICE.load_policies(kit)
    async with kit.db.transaction() as tx:
        for code in plan.unit_codes:
            await Units(tx).keep(
                Unit(code=code, name=f"承办单位{code[1:]}", level="city", is_active=True)
            )


async def _templates(kit: Kit, plan: Plan, now: datetime) -> AsyncIterator[Template]:
    """Those that the plan has a use for."""
    sealer = Sealer(kit.secret)
    for recipe, variant in product(RECIPES, _VARIANTS):
        if plan.open_share == (0 if recipe.is_open else 1):
            continue
        pace = _JUST if recipe.is_open else _PACE
        moment = now - len(recipe.steps) * _JUST if recipe.is_open else now - _AGO
        rules = await operations.rules_at(kit, now=moment)
        new, begun = _registration(recipe, variant, moment), moment
        async with kit.db.transaction() as tx:
            await operations.register(tx, new=new, rules=rules, sealer=sealer, now=moment)
        for step in recipe.steps:
            moment += _WAITS.get(step, pace)
            async with kit.db.transaction() as tx:
                at = _At(
                    tx=tx,
                    ticket_id=new.ticket_id,
                    rules=rules,
                    sealer=sealer,
                    now=moment,
                    units=plan.unit_codes,
                )
                await _STEPS[step](at)
        yield Template(new.ticket_id, recipe, begun, moment)


def _registration(
    recipe: Recipe, variant: tuple[AppealType, Channel], moment: datetime
) -> Registration:
    kind, channel = variant
    return Registration(
        ticket_id=new_id(moment),
        query_code=operations.new_query_code(),
        appeal=Appeal(
            channel=channel,
            channel_order_no=None,
            appeal_type=kind,
            urgency=Urgency.NORMAL,
            matter_code=None,
            title="路灯不亮",
            content="小区门口的路灯不亮了，请处理。",
        ),
        person=Complainant(phone="13800000000"),
        actor=HUB,
        wants_callback=recipe.wants_callback,
    )


def titles(number: int) -> list[str]:
    """Of the first texts that any city of ours has."""
    return [title for title, _, _ in _city().matters(number)]


def _city() -> City:
    return City(LIKENESS.packaged().rules, places=TEXTS // 20)


def _wordings(kit: Kit) -> Iterator[Wording]:
    """What the tickets are about, each with what it is found by."""
    rules = LIKENESS.packaged().rules
    sealer = Sealer(kit.secret)
    for title, content, _ in _city().matters(TEXTS):
        matter = matter_of(title, content, None, Complainant(), rules=rules, sealer=sealer)
        words = list(matter.vector)
        telling = [*words[: rules.wording.telling], *matter.pairs]
        yield Wording(title, content, words, list(matter.vector.values()), telling)


class _Draw:
    """Which template, when and for which unit, for ticket after ticket, the oldest first.

    The ended ones come in evenly and are over by now; then the open ones, the breached first.
    """

    def __init__(
        self,
        plan: Plan,
        templates: Sequence[Template],
        now: datetime,
        dues: Mapping[UUID, datetime],
    ) -> None:
        self.number = plan.tickets - len(templates)
        self._random = random.Random(12345)
        self._plan = plan
        self._now = now
        self._dues = dues
        self._ended, self._open, self._late = (
            [(n, each) for n, each in enumerate(templates) if fits(each.recipe)]
            for fits in (
                lambda recipe: not recipe.is_open,
                lambda recipe: recipe.is_open,
                lambda recipe: recipe.name == "contacted",
            )
        )
        self._first_open = round(self.number * (1 - plan.open_share))
        took = [each.ended_at - each.registered_at for _, each in self._ended]
        self._last_ended = now - max(took, default=timedelta())

    def one(self, g: int) -> Drawn:
        place = g - self._first_open  # among the open ones
        if place < 0:
            n, template = self._choice(self._ended)
            at = self._last_ended + timedelta(days=place / self._plan.per_day)
            by = at - template.registered_at
        elif place < self._plan.breached:
            n, template = self._choice(self._late)
            over = timedelta(milliseconds=self._plan.breached - place)
            by = self._now - over - self._dues[template.ticket_id]
        else:
            n, template = self._choice(self._open)
            by = _LATELY * ((place + 1) / (self.number - self._first_open) - 1)
        at = template.registered_at + by
        return Drawn(
            number=g,
            ticket_id=new_id(at),
            ticket_no=f"{at.astimezone(SHANGHAI):%y%m%d%H%M%S}{g % 10**6:06}",
            query_code=f"{self._random.randrange(10**8):08}",
            template=n,
            wording=self._random.randrange(TEXTS),
            unit=self._random.choice(self._plan.unit_codes),
            by=by,
        )

    def _choice(self, of: Sequence[tuple[int, Template]]) -> tuple[int, Template]:
        weights = [each.recipe.share for _, each in of]
        return self._random.choices(of, weights=weights)[0]
