"""The runs: the suite under load and trouble, and the same under one planted bug."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tongban_common.clock import utc_now

from . import audits, mutant, reading, records, trouble
from .asking import Log
from .checker import Kind, Violation, check
from .clock import ShiftedClock
from .history import History
from .load import Load
from .processes import Suite, run_once
from .world import PARTITIONS, SERVICES, TOPICS, Installation, World, directory

Say = Callable[[str], None]
HOUR = timedelta(hours=1)  # the limit of every ticket in these runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How long, how much trouble, how soon a deadline runs out."""

    seconds: float
    kills: int
    freezes: int
    due_seconds: float
    recover_seconds: float = 120


FULL = Size(seconds=330, kills=40, freezes=10, due_seconds=30)
SHORT = Size(seconds=25, kills=12, freezes=4, due_seconds=8, recover_seconds=45)
CLIENTS, CITIZENS = 8, 3
AUDITS = (*audits.SUPERVISION, *audits.CALLBACKS, *audits.UPSTREAM, *records.RECORDS)
# Things told of whose words are few; of the others only what they are is counted.
NAMED = frozenset({"supervision", "card", "heard", "reappraisal", "contact", "knowledge"})
CLOCK_RATE = 0.03  # the sweeper's clock gains three seconds in a hundred


@dataclass(slots=True, kw_only=True)
class Result:
    history: History
    answers: Counter[str]
    unasked: Mapping[str, int]  # processes that ended though nobody killed them
    seeded: int  # events that were there before the run
    told: Counter[str] = field(default_factory=Counter)  # how much of what the desks heard
    audited: Sequence[Violation] = ()  # what the audits of the desks found
    violations: list[Violation] = field(init=False)

    def __post_init__(self) -> None:
        self.violations = [*check(self.history), *self.audited]

    @property
    def events(self) -> int:
        return len(self.history.facts) - self.seeded

    @property
    def redelivered(self) -> int:
        """What the broker holds more than once, and the inboxes had to absorb."""
        return len(self.history.records) - len({each.id for each in self.history.records})


class Run:
    """One run: its databases, its processes, its log."""

    def __init__(self, world: World, name: str, urls: Mapping[str, str], *, repairs: bool) -> None:
        self.world = world
        self.urls = urls
        self.folder = world.folder / name
        self.folder.mkdir()
        self.place = Installation(world, urls, repairs=repairs)
        self.suite = Suite(self.folder)
        self.log = Log(self.folder / "acknowledged.jsonl")
        self.told = Log(self.folder / "told.jsonl")

    def load(self, seed: str, *, due_seconds: float) -> Load:
        return Load(
            hotline=self.place.addresses("hotline"),
            evaluation=self.place.addresses("evaluation"),
            issuer=self.world.issuer,
            log=self.log,
            told=self.told,
            seed=seed,
            due_seconds=due_seconds,
        )

    async def ready(self) -> None:
        """Wait until every API answers."""
        addresses = [each for name in self.urls for each in self.place.addresses(name)]
        async with asyncio.timeout(60), httpx.AsyncClient(timeout=2) as http:
            for address in addresses:
                await _until_ready(http, f"{address}/readyz")

    async def recovered(self, consumers: Sequence[str], *, seconds: float) -> Counter[str]:
        """Wait until all is sent and applied and no ticket's clock runs; what is left, if any."""
        until = time.monotonic() + seconds
        reads = {name: self.world.reads[name] for name in consumers}
        while True:
            left = await reading.lag(self.urls, reads)
            if any(each.program.role == "timers" for each in self.suite.processes):
                left += await reading.armed(self.urls["hotline"])
            if not left or time.monotonic() > until:
                return left
            await asyncio.sleep(0.5)

    async def history(self, load: Load, clock: ShiftedClock, consumers: Sequence[str]) -> History:
        read_at = await reading.clock_of(self.urls["hotline"])
        produced = [await reading.producer(url) for url in self.urls.values()]
        return History(
            clock=clock,
            read_at=read_at,
            acks=reading.acks(self.log.file),
            refused=load.refused,
            moves=await reading.moves(self.urls),
            states=await reading.states(self.urls),
            facts=[fact for facts, _ in produced for fact in facts],
            shards=[shard for _, shards in produced for shard in shards],
            consumers=[
                await reading.consumer(name, self.urls[name], self.world.reads[name])
                for name in consumers
            ],
            timers=await reading.timers("hotline", self.urls["hotline"])
            + await reading.timers("evaluation", self.urls["evaluation"]),
            records=await reading.records(self.world.broker.bootstrap, TOPICS, PARTITIONS),
        )

    async def events(self) -> int:
        """How many events are stored."""
        return sum([len((await reading.producer(url))[0]) for url in self.urls.values()])

    async def _audited(self, told: Sequence[Mapping[str, object]]) -> list[Violation]:
        if not told:  # a run without desks
            return []
        found = await audits.look(self.urls["hotline"], told, AUDITS)
        return found + await audits.look(self.urls["evaluation"], told, records.RATINGS)

    async def result(
        self, load: Load, clock: ShiftedClock, consumers: Sequence[str], seeded: int
    ) -> Result:
        told = audits.read(self.told.file)
        return Result(
            told=_counted(told) + await audits.climbed(self.urls["hotline"]),
            audited=await self._audited(told),
            history=await self.history(load, clock, consumers),
            answers=load.answers,
            unasked=self.suite.unasked(),
            seeded=seeded,
        )


def _counted(told: Sequence[Mapping[str, object]]) -> Counter[str]:
    return Counter(
        f"{each['what']}.{each['said']}" if each["what"] in NAMED else str(each["what"])
        for each in told
    )


@asynccontextmanager
async def _run(
    world: World, name: str, services: Collection[str], *, repairs: bool
) -> AsyncIterator[Run]:
    await world.empty_topics()
    urls = await world.databases(name.replace("-", "_"), services)
    run = Run(world, name, urls, repairs=repairs)
    try:
        yield run
    finally:
        await run.suite.stop()
        run.log.close()
        run.told.close()


async def suite_run(world: World, size: Size, seed: str, say: Say) -> Result:
    """Load and trouble, recovery, and what was left behind."""
    clock = ShiftedClock(
        epoch=utc_now(), base=HOUR - timedelta(seconds=size.due_seconds), rate=CLOCK_RATE
    )
    async with world.durable(), _run(world, "suite", SERVICES, repairs=True) as run:
        seeded = await run.events()
        await _start_suite(run, clock)
        load = run.load(seed, due_seconds=size.due_seconds)
        episodes = trouble.plan(seed, kills=size.kills, freezes=size.freezes, seconds=size.seconds)
        ((shown,),) = await reading.rows(run.urls["hotline"], "SHOW fsync")
        say(
            f"{len(run.suite.processes)} processes, fsync {shown['fsync']}; "
            f"load for {size.seconds:.0f} s"
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run(clients=CLIENTS, citizens=CITIZENS, seconds=size.seconds))
            group.create_task(trouble.make(run.suite, episodes, say))
            group.create_task(_new_editions(run, size.seconds))
        say(f"{run.log.written} requests acknowledged; waiting for the rest to arrive")
        left = await run.recovered(CONSUMERS, seconds=size.recover_seconds)
        say("all is sent, applied and settled" if not left else f"not recovered: {dict(left)}")
        await asyncio.sleep(1)  # whatever is doubled now would be in flight
        return await run.result(load, clock, CONSUMERS, seeded)


CONSUMERS = ("hotline", "evaluation", "scoring")


async def _start_suite(run: Run, clock: ShiftedClock) -> None:
    """The APIs first: the load may begin while the workers start."""
    place = run.place
    apis = [
        place.api("intake"),
        place.api("hotline", 1),
        place.api("hotline", 2),
        place.api("evaluation"),
    ]
    workers = [
        place.worker(service, role, number)
        for service, role, number in (
            ("intake", "relay", 1),
            ("hotline", "relay", 1),
            ("hotline", "relay", 2),
            ("evaluation", "relay", 1),
            ("hotline", "consumer", 1),
            ("evaluation", "consumer", 1),
            ("evaluation", "consumer", 2),
            ("scoring", "consumer", 1),
            ("scoring", "consumer", 2),
            ("evaluation", "timers", 1),
        )
    ]
    sweepers = [
        place.worker(
            "hotline",
            "timers",
            number,
            wrapper=("tests.crash.shifted",),
            environment=clock.environment(),
        )
        for number in (1, 2)
    ]
    run.suite.start(apis)
    await run.ready()
    run.suite.start([*workers, *sweepers])


async def _new_editions(run: Run, seconds: float) -> None:
    """The directory changes under load, by intake's own command: events for three consumers."""
    for edition in (1, 2, 3):
        await asyncio.sleep(seconds / 4)
        file = run.folder / f"directory-{edition}.yaml"
        file.write_bytes(directory(edition))
        program = run.place.command("intake", "load-directory", str(file))
        await run_once(program, run.folder)


async def mutant_run(world: World, bug: str, seed: str) -> Result:
    """A short run of hotline and scoring under one planted bug, or under none."""
    async with _run(world, bug, ("hotline", "scoring"), repairs=False) as run:
        if bug == "identity-cursor":
            await _number_by_identity(run.urls["hotline"])
        seeded = await run.events()
        place = run.place
        wrapped = dict.fromkeys(MUTATED.get(bug, ()), ("tests.crash.mutant", bug))
        run.suite.start(
            [
                place.api("hotline"),
                place.worker("hotline", "relay", wrapper=wrapped.get("relay", ())),
                place.worker("scoring", "consumer", wrapper=wrapped.get("consumer", ())),
            ]
        )
        await run.ready()
        load = run.load(seed, due_seconds=0)
        await load.run(clients=CLIENTS, citizens=0, seconds=MUTANT_SECONDS, at_least=250)
        await _settled(run)
        return await run.result(load, ShiftedClock(epoch=utc_now()), ["scoring"], seeded)


NO_BUG = "no-bug"
MUTATED: Mapping[str, tuple[str, ...]] = {
    "cursor-before-send": ("relay",),
    "watermark-unchecked": ("consumer",),
    "offset-before-effects": ("consumer",),
    "identity-cursor": ("relay",),
}
CAUGHT_BY: Mapping[str, frozenset[Kind]] = {  # what each bug does, and the checker has to see
    "cursor-before-send": frozenset({Kind.LOST, Kind.GAPS}),
    "watermark-unchecked": frozenset({Kind.DOUBLED}),
    "offset-before-effects": frozenset({Kind.LOST, Kind.GAPS}),
    "identity-cursor": frozenset({Kind.LOST, Kind.GAPS}),
}
MUTANT_SECONDS = 3.0
SETTLE_SECONDS = 12.0
STILL_SECONDS = 2.5  # without any movement: a bug has stopped it


async def _number_by_identity(url: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for statement in mutant.IDENTITY_SQL:
            await connection.execute(text(statement))
    await engine.dispose()


async def _settled(run: Run) -> None:
    """Until all is applied, or nothing moves any more."""
    left, since, until = Counter[str](), time.monotonic(), time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < until and time.monotonic() < since + STILL_SECONDS:
        now_left = await run.recovered(["scoring"], seconds=0)
        if now_left != left:
            left, since = now_left, time.monotonic()
        if not left and time.monotonic() > since + 1.5:
            return
        await asyncio.sleep(0.25)


async def _until_ready(http: httpx.AsyncClient, address: str) -> None:
    while True:
        try:
            if (await http.get(address)).is_success:
                return
        except httpx.HTTPError:
            await asyncio.sleep(0.1)
