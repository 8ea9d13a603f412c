"""The command: a run under trouble, one under each planted bug; the last line has the counts."""

import argparse
import asyncio
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import Coroutine, Mapping
from typing import Any

from . import mutant
from .checker import Kind, Violation, count
from .runs import CAUGHT_BY, FULL, NO_BUG, SHORT, Result, Size, mutant_run, suite_run
from .world import NoWorld, a_world

_WITNESSES = 3  # of each kind


def main() -> int:
    options = _options()
    seed = options.seed or str(secrets.randbelow(10**6))
    print(f"crash-test: seed={seed}", flush=True)
    try:
        with asyncio.Runner() as runner:
            return runner.run(_until_told(_go(options, seed)))
    except NoWorld as fault:
        print(f"crash-test: {fault}", file=sys.stderr)
        return 2
    except (asyncio.CancelledError, KeyboardInterrupt):
        return 130


async def _until_told(work: Coroutine[Any, Any, int]) -> int:
    """SIGTERM ends the run as Ctrl-C does: with every process stopped."""
    task = asyncio.create_task(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


async def _go(options: argparse.Namespace, seed: str) -> int:
    started = time.monotonic()
    size = SHORT if options.short else FULL

    def say(what: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {what}", flush=True)

    async with a_world() as world:
        say(f"broker: {world.broker.kind}, postgresql: {world.postgres.reason}")
        result = await suite_run(world, size, seed, say)
        _tell(result)
        world.keeps_logs = options.keep or bool(result.violations)
        if world.keeps_logs:
            say(f"the processes' logs stay in {world.folder}")
        mutants = {}
        control = () if options.short else (NO_BUG,)
        for bug in (*control, *mutant.BUGS):
            say(f"planting: {bug}")
            mutants[bug] = (await mutant_run(world, bug, seed)).violations
    _tell_mutants(mutants)
    return _verdict(size, seed, result, mutants)


def _tell(result: Result) -> None:
    print(f"answers: {dict(sorted(result.answers.items()))}")
    made = Counter(f"{each.kind}.{each.said}" for each in result.history.acks)
    print(f"moves: {dict((made + result.told).most_common())}")
    if result.unasked:
        print(f"processes that ended by themselves: {dict(result.unasked)}")
    print(f"sent more than once, applied once: {result.redelivered} events")
    fired = sum(timer.state == "fired" for timer in result.history.timers)
    print(f"deadlines: {len(result.history.timers)} armed, {fired} missed")
    shown: Counter[Kind] = Counter()
    for each in result.violations:
        shown[each.kind] += 1
        if shown[each.kind] <= _WITNESSES:
            print(f"{each.kind}: {each.witness}")


def _tell_mutants(mutants: Mapping[str, list[Violation]]) -> None:
    print(f"{'planted bug':<24}{'caught':<8}{'violations found':<36}first witness")
    for bug, violations in mutants.items():
        found = " ".join(f"{kind}={number}" for kind, number in count(violations).items())
        caught = "–" if bug == NO_BUG else "yes" if _is_caught(bug, violations) else "NO"
        witness = violations[0].witness if violations else ""
        print(f"{bug:<24}{caught:<8}{found or 'none':<36}{witness}")


def _is_caught(bug: str, violations: list[Violation]) -> bool:
    return any(each.kind in CAUGHT_BY[bug] for each in violations)


def _verdict(size: Size, seed: str, result: Result, mutants: Mapping[str, list[Violation]]) -> int:
    counted = count(result.violations)
    caught = sum(_is_caught(bug, mutants[bug]) for bug in mutant.BUGS)
    counts = " ".join(f"{kind}={counted[kind]}" for kind in Kind)
    print(
        f"crash-test: seed={seed} kills={size.kills} freezes={size.freezes} "
        f"requests={len(result.history.acks)} events={result.events} {counts} "
        f"mutants caught={caught}/{len(mutant.BUGS)}"
    )
    is_clean = not result.violations and not mutants.get(NO_BUG)
    return 0 if is_clean and caught == len(mutant.BUGS) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--short", action="store_true", help="the two-minute form")
    parser.add_argument("--seed", help="repeat the decisions of an earlier run")
    parser.add_argument("--keep", action="store_true", help="keep the logs of a clean run, too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
