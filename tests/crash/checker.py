"""The history checker: what the databases hold against what the clients were told.

Each check yields violations with a minimal witness: one line that names the aggregate, the shard
and the number, from which the rows can be found. It never guesses: the clients ask until they know
the answer, so whatever nobody was told of is a violation too.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from .effects import ONCE, REPLACED, expected
from .history import Batch, Consumer, Fact, History, Move, Name, Place, Timer


class Kind(StrEnum):
    LOST = "lost"  # an event or effect that should be there is not
    DOUBLED = "doubled"  # an effect twice, or one that no event and no client asked for
    REORDERED = "reordered"  # an aggregate's events or effects not in their order
    GAPS = "gaps"  # a hole in a shard's sequence, in an outbox or on the way
    EARLY = "early"  # a deadline told of before its moment
    TWICE = "twice"  # a deadline told of twice, or after its matter was settled
    UNACKNOWLEDGED = "unacknowledged"  # a 2xx without its row, or a request refused in error


@dataclass(frozen=True, slots=True)
class Violation:
    kind: Kind
    witness: str
    count: int = 1


TICKET_EVENTS = {
    said: f"tongban.hotline.ticket-{said}.v1"
    for said in (
        "registered",
        "assigned",
        "signed",
        "replied",
        "closed",
        "merged",
        "unmerged",
        "withdrawn",
    )
} | {"reply_inherited": "tongban.hotline.reply-inherited.v1"}
EVENT_OF: dict[str, dict[str, str]] = {  # what an aggregate's moves announce, where they do
    "ticket": TICKET_EVENTS,
    "review": dict.fromkeys(("submitted", "recorded"), "tongban.evaluation.review-submitted.v1"),
    "rectification": {
        "open": "tongban.evaluation.rectification-opened.v1",
        "close": "tongban.evaluation.rectification-closed.v1",
    },
}
# What no client asks for: made by a consumer of events, or by a clock that ran out.
OURS = frozenset(
    {("rectification", "open"), ("review", "recorded")}
    | {("ticket", said) for said in ("callback_opened", "reply_inherited", "supervision_opened")}
)
CLOCK_OF = {"hotline": "clock", "evaluation": "stage", "intake": "kind"}  # field of the events


def check(history: History) -> list[Violation]:
    """Every violation, of every kind."""
    return [violation for rule in RULES for violation in rule(history)]


def count(violations: Iterable[Violation]) -> Counter[Kind]:
    counted: Counter[Kind] = Counter()
    for each in violations:
        counted[each.kind] += each.count
    return counted


def acknowledged_is_durable(history: History) -> Iterator[Violation]:
    """Every 2xx has its row, in the words that the client was told."""
    moves = {(each.kind, each.id, each.version): each.said for each in history.moves}
    for ack in history.acks:
        found = moves.get((ack.kind, ack.id, ack.version))
        if found != ack.said:
            told = f"{ack.kind} {ack.id} version {ack.version} was acknowledged as {ack.said}"
            yield Violation(Kind.UNACKNOWLEDGED, f"{told}, and is {found}")
    for refused in history.refused:
        yield Violation(Kind.UNACKNOWLEDGED, refused)


def acknowledged_is_all(history: History) -> Iterator[Violation]:
    """One key made one thing, and nothing is there that no client was told of."""
    made: dict[str, tuple[str, str, int]] = {}
    for ack in history.acks:
        thing = (ack.kind, ack.id, ack.version)
        if made.setdefault(ack.key, thing) != thing:
            yield Violation(Kind.DOUBLED, f"key {ack.key} made {made[ack.key]} and {thing}")
    told = set(made.values())
    for move in history.moves:
        is_clients = (move.kind, move.said) not in OURS
        if is_clients and (move.kind, move.id, move.version) not in told:
            said = f"{move.kind} {move.id} version {move.version} ({move.said})"
            yield Violation(Kind.DOUBLED, f"{said} is there and nobody was told")


def moves_are_whole(history: History) -> Iterator[Violation]:
    """An aggregate's history counts from 1 without a hole, and its row is where it ends."""
    moves = _moves(history)
    for state in history.states:
        own = moves.get((state.kind, state.id), [])
        versions = [move.version for move in own]
        if versions != list(range(1, state.version + 1)):
            witness = f"{state.kind} {state.id} has version {state.version} and moves {versions}"
            yield Violation(Kind.LOST, witness)
        said = [
            move.status or move.said
            for move in own
            if move.status is not None or (move.kind, move.said) not in OURS
        ]
        if state.said is not None and said and said[-1] != state.said:
            witness = f"{state.kind} {state.id} is {state.said}, its last move {said[-1]}"
            yield Violation(Kind.UNACKNOWLEDGED, witness)


def moves_are_announced(history: History) -> Iterator[Violation]:
    """One event for each move that announces one, in the order of the moves; and no other event."""
    facts: dict[str, list[Fact]] = defaultdict(list)
    announced = {type_ for of_kind in EVENT_OF.values() for type_ in of_kind.values()}
    for fact in sorted(history.facts, key=lambda fact: (fact.topic, fact.shard, fact.n)):
        if fact.type in announced:
            facts[fact.subject].append(fact)
    for (kind, id_), own in _moves(history).items():
        wanted = list(_announced(kind, own))
        found = [fact.type for fact in facts.pop(id_, [])]
        yield from _differences(f"events of {kind} {id_}", wanted, found)
    for id_, orphans in facts.items():
        yield Violation(Kind.DOUBLED, f"{orphans[0]} has no move {id_}", len(orphans))


def _announced(kind: str, moves: Iterable[Move]) -> Iterator[str]:
    """What a move says by its own event, and that it closed the ticket, whatever it was."""
    before = None
    for move in moves:
        if move.said in EVENT_OF[kind]:
            yield EVENT_OF[kind][move.said]
        if move.status == "closed" != before and move.said != "closed":
            yield TICKET_EVENTS["closed"]
        before = move.status


def outboxes_are_dense(history: History) -> Iterator[Violation]:
    """The numbers of a shard are 1, 2, 3 … up to its counter."""
    numbers: dict[Place, set[int]] = defaultdict(set)
    for fact in history.facts:
        numbers[fact.place].add(fact.n)
    for shard in history.shards:
        found = numbers[shard.topic, shard.shard]
        wrong = found ^ set(range(1, shard.n + 1))
        if wrong:
            witness = f"outbox {shard.topic} shard {shard.shard} up to {shard.n}: {_some(wrong)}"
            yield Violation(Kind.GAPS, witness, len(wrong))


def outboxes_are_sent(history: History) -> Iterator[Violation]:
    for shard in history.shards:
        if shard.sent != shard.n:
            witness = f"{shard.topic} shard {shard.shard}: sent {shard.sent} of {shard.n}"
            yield Violation(Kind.LOST, witness, abs(shard.n - shard.sent))


def wire_is_true(history: History) -> Iterator[Violation]:
    """The broker has only committed events, and first sees those of a shard one after another."""
    stored = {fact.id for fact in history.facts}
    last: dict[Place, int] = {}
    for record in history.records:
        if record.id not in stored:
            witness = f"{record.topic} shard {record.shard} n {record.n} was never committed"
            yield Violation(Kind.DOUBLED, witness)
        place = (record.topic, record.shard)
        before = last.get(place, record.n - 1)
        if record.n > before + 1:
            witness = f"broker {record.topic} shard {record.shard}: {record.n} after {before}"
            yield Violation(Kind.GAPS, witness, record.n - before - 1)
        last[place] = max(before, record.n)


def consumers_have_all(history: History) -> Iterator[Violation]:
    """Each consumer's watermarks stand at the end of each shard of its topics."""
    for consumer in history.consumers:
        for shard in history.shards:
            if shard.topic not in consumer.topics:
                continue
            applied = consumer.applied.get((shard.topic, shard.shard), 0)
            where = f"{consumer.name} of {shard.topic} shard {shard.shard}"
            if applied < shard.n:
                yield Violation(
                    Kind.LOST, f"{where}: applied {applied} of {shard.n}", shard.n - applied
                )
            elif applied > shard.n:
                yield Violation(Kind.DOUBLED, f"{where}: applied {applied}, there are {shard.n}")
        for gap in consumer.gaps:
            yield Violation(Kind.GAPS, f"{consumer.name} met a gap: {gap}")
        for letter in consumer.letters:
            yield Violation(Kind.LOST, f"{consumer.name} has a dead letter: {letter}")


def watermarks_advance(history: History) -> Iterator[Violation]:
    """A watermark goes on from where it stood, and never back."""
    for consumer in history.consumers:
        last: dict[Place, int] = {}
        for advance in (each for batch in consumer.batches for each in batch.advances):
            place = (advance.topic, advance.shard)
            stood = last.get(place, advance.before)
            if advance.before != stood or advance.after <= advance.before:
                witness = f"{consumer.name} of {place}: {advance.before} → {advance.after}"
                yield Violation(Kind.REORDERED, f"{witness}, it stood at {stood}")
            last[place] = advance.after


def effects_are_once(history: History) -> Iterator[Violation]:
    """Each transaction of a consumer has the effects of the events it covers, in their order."""
    facts = {(fact.topic, fact.shard, fact.n): fact for fact in history.facts}
    for consumer in history.consumers:
        covered: Counter[str] = Counter()
        for batch in consumer.batches:
            own = [facts[place] for place in _places(batch) if place in facts]
            covered.update(str(fact) for fact in own)
            yield from _batch(consumer, batch, own)
        for fact, times in covered.items():
            if times > 1:
                yield Violation(Kind.DOUBLED, f"{consumer.name} applied {fact} {times} times")


def effects_are_there(history: History) -> Iterator[Violation]:
    """At the end the tables hold what all events together call for, whatever the ledger says."""
    for consumer in history.consumers:
        wanted = _wanted_at_the_end(consumer, history.facts)
        for key, missing in (wanted - consumer.present).items():
            yield Violation(Kind.LOST, f"{consumer.name} has not {key}", missing)
        for key, extra in (consumer.present - wanted).items():
            yield Violation(Kind.DOUBLED, f"{consumer.name} has {key} {extra} times more", extra)


def deadlines_are_once(history: History) -> Iterator[Violation]:
    """A timer that fired was told of once, any other never; a warning likewise."""
    for told, was_due in (("missed", _has_fired), ("approaching", _has_warned)):
        facts = _deadline_facts(history, told)
        for timer in history.timers:
            found = facts[timer.service, timer.subject, timer.kind, timer.due_at.timestamp()]
            wanted = int(was_due(timer))
            what = f"{timer.kind} of {timer.subject} ({timer.state}) was told as {told}"
            if len(found) > wanted:
                yield Violation(Kind.TWICE, f"{what} {len(found)} times", len(found) - wanted)
            elif len(found) < wanted:
                yield Violation(Kind.LOST, f"{what} never")


def deadlines_are_settled(history: History) -> Iterator[Violation]:
    """Nothing that is over due waits on, and nothing is told of once the ticket was replied to."""
    now = history.clock.at(history.read_at)
    for timer in history.timers:
        if timer.state == "armed" and timer.due_at < now:
            yield Violation(Kind.LOST, f"{timer.kind} of {timer.subject} never fired")
    replied = {
        fact.subject: fact.n for fact in history.facts if fact.type == TICKET_EVENTS["replied"]
    }
    for fact in history.facts:
        is_missed = fact.type == "tongban.hotline.deadline-missed.v1"
        is_missed = is_missed and fact.data["clock"] in {"unit", "citizen"}
        if is_missed and fact.n > replied.get(fact.subject, fact.n):
            yield Violation(Kind.TWICE, f"{fact} came after the reply")


def deadlines_are_not_early(history: History) -> Iterator[Violation]:
    """By the sweeper's own time, and by the database's real clock and the known offset."""
    warned = {
        (timer.service, timer.subject, timer.kind, timer.due_at.timestamp()): timer.warn_at
        for timer in history.timers
    }
    for told in ("missed", "approaching"):
        for name, facts in _deadline_facts(history, told).items():
            for fact in facts:
                moment = warned.get(name) if told == "approaching" else _due(fact)
                latest = min(fact.at, history.clock.at(fact.stored_at))
                if moment is not None and latest < moment:
                    yield Violation(Kind.EARLY, f"{fact}: {moment - latest} before its moment")


Rule = Callable[[History], Iterator[Violation]]
RULES: tuple[Rule, ...] = (
    acknowledged_is_durable,
    acknowledged_is_all,
    moves_are_whole,
    moves_are_announced,
    outboxes_are_dense,
    outboxes_are_sent,
    wire_is_true,
    consumers_have_all,
    watermarks_advance,
    effects_are_once,
    effects_are_there,
    deadlines_are_once,
    deadlines_are_settled,
    deadlines_are_not_early,
)


def _places(batch: Batch) -> Iterator[tuple[str, int, int]]:
    """The events that a transaction covers: topic, shard and number."""
    for each in batch.advances:
        for n in range(each.before + 1, each.after + 1):
            yield each.topic, each.shard, n


def _batch(consumer: Consumer, batch: Batch, covered: list[Fact]) -> Iterator[Violation]:
    by_subject: dict[str, list[str]] = defaultdict(list)
    for fact in sorted(covered, key=lambda fact: (fact.topic, fact.shard, fact.n)):
        by_subject[fact.subject] += expected(consumer.name, fact)
    wanted = Counter(key for keys in by_subject.values() for key in keys)
    tried = Counter(batch.effects)
    for key, missing in (wanted - tried).items():
        yield Violation(Kind.LOST, f"{consumer.name} counted {key} as applied", missing)
    for key, extra in (tried - wanted).items():
        yield Violation(Kind.DOUBLED, f"{consumer.name} applied {key} once more", extra)
    place = {key: at for at, key in enumerate(batch.effects) if tried[key] == 1}
    for subject, keys in by_subject.items():
        for first, then in pairwise(key for key in keys if key in place):
            if place[first] > place[then]:
                witness = f"{consumer.name} applied {then} before {first} of {subject}"
                yield Violation(Kind.REORDERED, witness)


def _wanted_at_the_end(consumer: Consumer, facts: Iterable[Fact]) -> Counter[str]:
    wanted: Counter[str] = Counter()
    latest: dict[tuple[str, str], str] = {}
    for fact in sorted(facts, key=lambda fact: (fact.topic, fact.shard, fact.n)):
        for key in expected(consumer.name, fact):
            table, code = key.split(":")[:2]
            if table in REPLACED:
                latest[table, code] = key
            elif table in ONCE:
                wanted[key] = 1
            else:
                wanted[key] += 1
    wanted.update(latest.values())
    return wanted


def _differences(what: str, wanted: list[str], found: list[str]) -> Iterator[Violation]:
    missing, extra = Counter(wanted) - Counter(found), Counter(found) - Counter(wanted)
    if missing:
        yield Violation(Kind.LOST, f"{what} lack {dict(missing)}", missing.total())
    if extra:
        yield Violation(Kind.DOUBLED, f"{what} have also {dict(extra)}", extra.total())
    if not missing and not extra and wanted != found:
        yield Violation(Kind.REORDERED, f"{what} are {found}, the moves {wanted}")


def _moves(history: History) -> dict[Name, list[Move]]:
    moves: dict[Name, list[Move]] = defaultdict(list)
    for move in sorted(history.moves, key=lambda move: move.version):
        moves[move.kind, move.id].append(move)
    return moves


DeadlineName = tuple[str, str, str, float]  # service, subject, clock, due


def _deadline_facts(history: History, told: str) -> dict[DeadlineName, list[Fact]]:
    """Events of deadlines by the timer that they tell of."""
    facts: dict[DeadlineName, list[Fact]] = defaultdict(list)
    for fact in history.facts:
        service = fact.topic.split(".")[1]
        if fact.type == f"tongban.{service}.deadline-{told}.v1":
            clock = fact.data[CLOCK_OF[service]]
            facts[service, fact.subject, clock, _due(fact).timestamp()].append(fact)
    return facts


def _due(fact: Fact) -> datetime:
    return datetime.fromisoformat(fact.data["due"])


def _has_fired(timer: Timer) -> bool:
    return timer.state == "fired"


def _has_warned(timer: Timer) -> bool:
    return timer.is_warned


def _some(numbers: set[int]) -> str:
    shown = sorted(numbers)[:5]
    return f"{shown}{' …' if len(numbers) > 5 else ''}"
