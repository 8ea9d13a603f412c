"""The trouble of a run: which role is killed or frozen when, all drawn from the seed beforehand."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .processes import Suite, Supervised

ROLES = ("api", "relay", "consumer", "timers")
LEASE_SECONDS = 8  # of a relay: a longer freeze makes it a zombie


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One kill, or one freeze of `seconds`; `pick` chooses among the role's processes."""

    at: float
    role: str
    pick: float
    seconds: float | None = None


def plan(seed: str, *, kills: int, freezes: int, seconds: float) -> list[Episode]:
    """Every role in turn, at random moments; a frozen relay always outlasts its lease."""
    draw = random.Random(f"{seed}/trouble")  # noqa: S311 - not a secret
    lengths: list[tuple[str, float | None]] = [(role, None) for role in _in_turn(draw, kills)]
    lengths += [(role, draw.uniform(*_length(role))) for role in _in_turn(draw, freezes)]
    episodes = [
        Episode(
            at=draw.uniform(1, seconds - (length or 0)),
            role=role,
            pick=draw.random(),
            seconds=length,
        )
        for role, length in lengths
    ]
    return sorted(episodes, key=lambda episode: episode.at)


async def make(suite: Suite, episodes: Sequence[Episode], say: Callable[[str], None]) -> None:
    """Carry the plan out; returns when every frozen process goes on."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with asyncio.TaskGroup() as group:
        for episode in episodes:
            await asyncio.sleep(max(0.0, started + episode.at - loop.time()))
            victim = await _victim(suite, episode)
            what = "kill -9" if episode.seconds is None else f"freeze {episode.seconds:.1f} s"
            say(f"{what} {victim.program.name} (pid {victim.pid})")
            if episode.seconds is None:
                victim.kill9()
            else:
                group.create_task(victim.freeze(episode.seconds))
                await asyncio.sleep(0)  # frozen before the next one is chosen


def counted(episodes: Sequence[Episode]) -> tuple[int, int]:
    """Kills and freezes."""
    by_kind = Counter(episode.seconds is None for episode in episodes)
    return by_kind[True], by_kind[False]


async def _victim(suite: Suite, episode: Episode) -> Supervised:
    while not (candidates := suite.of_role(episode.role)):  # noqa: ASYNC110 - they tell nobody
        await asyncio.sleep(0.1)  # all of them are frozen or starting
    return candidates[int(episode.pick * len(candidates))]


def _in_turn(draw: random.Random, count: int) -> list[str]:
    """As many of each role as of any other, in random order."""
    roles = [ROLES[number % len(ROLES)] for number in range(count)]
    draw.shuffle(roles)
    return roles


def _length(role: str) -> tuple[float, float]:
    return (LEASE_SECONDS + 0.5, 12.0) if role == "relay" else (0.5, 12.0)
