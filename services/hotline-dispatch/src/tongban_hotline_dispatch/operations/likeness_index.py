"""A ticket becomes findable by what it is about, as it is taken in; what is quarantined never."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from tongban_common.db import Transaction
from tongban_common.privacy import Sealer
from tongban_common.timers import Deadline
from tongban_common.working_days import Limit, Unit
from tongban_hotline_dispatch.domain.likeness import Vector, vector_of
from tongban_hotline_dispatch.domain.repeats import (
    LikenessRules,
    Matter,
    Reason,
    judge,
    was_closed_lately,
)
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.search_terms import title_pairs
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.events.likeness import TicketLinked
from tongban_hotline_dispatch.store import Complainant
from tongban_hotline_dispatch.store.hot_issues import HotIssues
from tongban_hotline_dispatch.store.likeness import Likenesses, of_person, phone_key, place_key

ROUND = "hot-issues"
EVERYWHERE = "all"
_LOOKED_BACK = 20  # tickets of one person


def segment(text: str) -> Sequence[str]:
    """By the dictionary alone; read at the first use."""
    import rjieba

    found: Sequence[str] = rjieba.cut(text, hmm=False)
    return found


def matter_of(
    title: str,
    content: str,
    matter_code: str | None,
    person: Complainant,
    *,
    rules: LikenessRules,
    sealer: Sealer,
) -> Matter:
    return Matter(
        vector=vector_of(title, content, rules.wording, segment),
        matter_code=matter_code,
        person=phone_key(sealer, person.phone),
        place=place_key(sealer, person.address),
        pairs=title_pairs(title),
    )


def asked_words(asked: str, rules: LikenessRules) -> Vector:
    """What somebody looks for: pairs of characters for titles, telling words for contents."""
    pairs = title_pairs(asked)
    return {
        **vector_of(asked, "", rules.wording, segment),
        **dict.fromkeys(pairs, 1 / max(1, len(pairs))),
    }


async def take_in(
    tx: Transaction, ticket: Ticket, person: Complainant, rules: Rules, sealer: Sealer
) -> None:
    if rules.likeness is None:
        return
    at, appeal = ticket.registered_at, ticket.appeal
    matter = matter_of(
        appeal.title,
        appeal.content,
        appeal.matter_code,
        person,
        rules=rules.likeness,
        sealer=sealer,
    )
    store = Likenesses(tx, rules.likeness)
    await store.add(ticket.id, matter, at, next_round(rules.likeness, at))
    if matter.person is not None:
        await _link(tx, ticket.id, matter, rules.likeness, at)


async def forget(tx: Transaction, ticket_id: UUID, rules: Rules) -> None:
    """隔离封存: the words that it was found by go, and the issue is as if it had never been in."""
    if rules.likeness is None:
        return
    issues = HotIssues(tx)
    await issues.hold()  # before the row, as a round does
    issue_id = await Likenesses(tx, rules.likeness).forget(ticket_id)
    if issue_id is not None:
        await issues.rebuild(issue_id)


def next_round(rules: LikenessRules, at: datetime) -> Deadline:
    """When what came in is grouped."""
    return Deadline(
        kind=ROUND,
        subject=EVERYWHERE,
        start_at=at,
        limit=rules.round,
        due_at=at + _span(rules.round),
        warn_at=None,
        calendar_version="",  # minutes know no calendar
    )


def _span(limit: Limit) -> timedelta:
    minutes = limit.amount if limit.unit is Unit.MINUTES else limit.amount * 60
    return timedelta(minutes=minutes)


async def _link(
    tx: Transaction, ticket_id: UUID, matter: Matter, rules: LikenessRules, at: datetime
) -> None:
    """再次反映: with the newest ticket of the same person and matter that was closed lately."""
    if matter.person is None:
        return
    for earlier in await of_person(tx.connection, matter.person, ticket_id, _LOOKED_BACK):
        likely = judge(matter, earlier, rules, at)
        if likely is None or Reason.SAME_PERSON not in likely.reasons:
            continue
        if was_closed_lately(earlier, rules, at):
            await Likenesses(tx, rules).link(ticket_id, earlier.ticket_id)
            tx.publish(
                TicketLinked(occurred_at=at, ticket_id=ticket_id, earlier_id=earlier.ticket_id)
            )
            return
