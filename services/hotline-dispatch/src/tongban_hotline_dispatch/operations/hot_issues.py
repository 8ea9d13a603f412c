"""Hot issues: the round that groups what came in, and what they look like at a moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from tongban_common.db import Transaction
from tongban_common.errors import NotFound
from tongban_common.service import Kit
from tongban_common.timers import Due, arm
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.hot_issues import (
    Counted,
    Entry,
    Grouping,
    Issue,
    day_of,
    days_of,
)
from tongban_hotline_dispatch.domain.likeness import likeness
from tongban_hotline_dispatch.domain.repeats import LikenessRules
from tongban_hotline_dispatch.events.likeness import HotIssueRaised
from tongban_hotline_dispatch.operations.likeness_index import next_round
from tongban_hotline_dispatch.store import hot_issues as store
from tongban_hotline_dispatch.store.hot_issues import HotIssues, Neighbour, Window
from tongban_hotline_dispatch.store.likeness import Connection
from tongban_hotline_dispatch.store.likeness_rules import LIKENESS

ROUND_SIZE = 200  # a round shares its transaction with other timers: it must not be long
TITLE_WORDS = 6


class HotIssueNotFound(NotFound):
    code = "hot_issue.not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class HotIssue:
    """One issue as it stands at a moment."""

    issue: Issue
    counted: Counted
    heat: int
    raised_at: datetime | None
    trend: Sequence[tuple[date, int]]
    told: store.Told

    @property
    def words(self) -> list[str]:
        return list(self.issue.centre)[:TITLE_WORDS]


async def rules_of(kit: Kit, *, now: datetime) -> LikenessRules:
    policy = await kit.policy(LIKENESS).at(now.astimezone(SHANGHAI).date())
    return policy.rules


async def lock_round(tx: Transaction, _: str) -> HotIssues:
    issues = HotIssues(tx)
    await issues.hold()
    return issues


async def round_over(
    tx: Transaction, _: HotIssues, due: Due, kit: Kit, most: int = ROUND_SIZE
) -> None:
    """Groups what waits; where more waits than one round takes, the next sweep goes on."""
    rules = await rules_of(kit, now=due.now)
    if await group(tx, rules, now=due.now, most=most) == most:
        await arm(tx, replace(next_round(rules, due.now), due_at=due.now))


async def group(
    tx: Transaction, rules: LikenessRules, *, now: datetime, most: int = ROUND_SIZE
) -> int:
    """One round: every waiting ticket to the issue that it belongs to. Returns how many waited."""
    issues = HotIssues(tx)
    await issues.hold()
    waiting = await issues.waiting(most)
    if not waiting:
        return 0
    grouping = Grouping(rules.grouping)
    heads: dict[UUID, UUID] = {}
    for each in waiting:
        near = await issues.near(each, rules)
        await _load(issues, grouping, near)
        grouping.place(each.entry, [found.entry for found in near])
        head = _head(each.entry, near, heads, rules.alike)
        if head is not None:
            heads[each.entry.ticket_id] = head
    await _save(issues, grouping)
    await issues.grouped(waiting, heads)
    await _raise(tx, grouping.changed, rules, now)
    return len(waiting)


async def hottest(
    reads: Connection, rules: LikenessRules, *, now: datetime
) -> list[tuple[UUID, Counted, int]]:
    """Every issue of the window with its heat, the hottest first."""
    window = Window(until=now, days=rules.heat.window_days)
    found = await store.counted(reads, window)
    hot = [(each, count, count.heat(rules.heat)) for each, count in found.items() if count.tickets]
    return sorted(hot, key=lambda each: (-each[2], each[0]))


async def raised(
    reads: Connection, rules: LikenessRules, *, now: datetime, most: int
) -> list[HotIssue]:
    """Those of the window that were raised, the hottest first."""
    window = Window(until=now, days=rules.heat.window_days)
    ids = await store.raised_since(reads, window.since, most)
    counts = await store.counted(reads, window, ids)
    hot = [(each, count, count.heat(rules.heat)) for each, count in counts.items() if count.tickets]
    return await described(reads, sorted(hot, key=lambda each: (-each[2], each[0])), rules, now=now)


async def described(
    reads: Connection,
    found: Sequence[tuple[UUID, Counted, int]],
    rules: LikenessRules,
    *,
    now: datetime,
) -> list[HotIssue]:
    window = Window(until=now, days=rules.heat.window_days)
    ids = [each for each, _, _ in found]
    kept = await store.kept(reads, ids)
    trends = await store.trends(reads, window, ids)
    days = days_of(day_of(now), window.days)
    return [
        HotIssue(
            issue=kept[issue_id].issue,
            counted=count,
            heat=heat,
            raised_at=kept[issue_id].raised_at,
            trend=[(day, trends[issue_id][day]) for day in days],
            told=await store.told(reads, window, issue_id),
        )
        for issue_id, count, heat in found
        if issue_id in kept
    ]


async def one(
    reads: Connection, issue_id: UUID, rules: LikenessRules, *, now: datetime
) -> HotIssue:
    """By its name, or by that of one which became part of it. Raises HotIssueNotFound."""
    lasting = await _lasting(reads, issue_id)
    window = Window(until=now, days=rules.heat.window_days)
    counts = await store.counted(reads, window, [lasting])
    count = counts.get(lasting, Counted(tickets=0, before=0, people=0, votes=0))
    found = [(lasting, count, count.heat(rules.heat))]
    return (await described(reads, found, rules, now=now))[0]


async def members(
    reads: Connection,
    issue_id: UUID,
    *,
    viewer: Viewer,
    after: tuple[object, ...] | None,
    limit: int,
) -> Sequence[store.Member]:
    """The newest first. Raises HotIssueNotFound."""
    lasting = await _lasting(reads, issue_id)
    return await store.tickets_of(reads, lasting, viewer, after, limit)


def page_of(
    found: Sequence[tuple[UUID, Counted, int]], after: tuple[object, ...] | None, limit: int
) -> list[tuple[UUID, Counted, int]]:
    """The hottest after a place in the list."""
    if after is not None:
        heat, name = int(str(after[0])), UUID(str(after[1]))
        found = [each for each in found if (-each[2], each[0]) > (-heat, name)]
    return list(found[:limit])


async def many_complainants(
    reads: Connection, rules: LikenessRules, *, now: datetime
) -> Sequence[tuple[UUID, int, Sequence[UUID]]]:
    """Issues that make a hard case by the number of people (济南市条例第二十六条), and tickets."""
    return await store.many_people(
        reads,
        since=now - rules.complainants_within,
        until=now,
        least=rules.complainants,
    )


async def _lasting(reads: Connection, issue_id: UUID) -> UUID:
    """Its own name, or that of the issue which it became part of. Raises HotIssueNotFound."""
    kept = (await store.kept(reads, [issue_id])).get(issue_id)
    if kept is None:
        raise HotIssueNotFound("没有这个热点")
    return kept.into_id or issue_id


async def _load(issues: HotIssues, grouping: Grouping, near: Sequence[Neighbour]) -> None:
    wanted = {grouping.issue_of(each.entry) for each in near} - grouping.issues.keys()
    ids = [each for each in wanted if each is not None]
    if ids:
        kept = await issues.issues(ids)
        grouping.issues |= {issue_id: each.issue for issue_id, each in kept.items()}


async def _save(issues: HotIssues, grouping: Grouping) -> None:
    await issues.keep([grouping.issues[each] for each in sorted(grouping.changed)])
    await issues.place(
        {ticket: grouping.lasting(issue) for ticket, issue in grouping.placed.items()}
    )
    for younger in grouping.united:
        await issues.unite(younger, grouping.lasting(younger))


def _head(
    new: Entry, near: Sequence[Neighbour], heads: Mapping[UUID, UUID], alike: float
) -> UUID | None:
    """The ticket that leads those which are nearly the same, if this is one of them."""
    scored = [
        (likeness(new.vector, each.entry.vector), -each.entry.at.timestamp(), each) for each in near
    ]
    score, _, nearest = max(scored, key=lambda each: each[:2], default=(0.0, 0.0, None))
    if nearest is None or score < alike:
        return None
    ticket_id = nearest.entry.ticket_id
    return heads.get(ticket_id) or nearest.head_id or ticket_id


async def _raise(tx: Transaction, changed: set[UUID], rules: LikenessRules, now: datetime) -> None:
    """热度达到规则所定的提请关注: once in a window."""
    window = Window(until=now, days=rules.heat.window_days)
    counts = await store.counted(tx.connection, window, sorted(changed))
    kept = await HotIssues(tx).issues(sorted(counts))
    for issue_id, count in sorted(counts.items()):
        heat, was = count.heat(rules.heat), kept[issue_id].raised_at
        if heat < rules.heat.raised_from or (was is not None and was > window.since):
            continue
        await HotIssues(tx).raised(issue_id, now)
        tx.publish(
            HotIssueRaised(
                occurred_at=now,
                issue_id=issue_id,
                heat=heat,
                tickets=count.tickets,
                people=count.people,
                votes=count.votes,
                before=count.before,
                first_at=kept[issue_id].issue.first_at,
            )
        )
