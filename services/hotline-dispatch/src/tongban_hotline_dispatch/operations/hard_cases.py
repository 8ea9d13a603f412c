"""列为疑难 by itself (济南市条例第二十六条): long overdue, or brought by many people.

Looked for every night, with the patterns of supervision. Failed reworks make a hard case in the
move itself, in domain/closing.py; returns never do, for the second leads to a designated unit.
"""

from datetime import datetime, timedelta
from uuid import UUID

from tongban_common.db import Transaction
from tongban_hotline_dispatch.domain import closing
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.supervision_rules import LONG_OVERDUE, MANY_COMPLAINANTS
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations.hot_issues import many_complainants
from tongban_hotline_dispatch.operations.performing import Step, locked, settle
from tongban_hotline_dispatch.operations.supervision_issuing import MACHINE
from tongban_hotline_dispatch.store import hard_cases

MOST = 200  # of each cause in one night: the round shares its transaction with nothing, and ends
# By itself only what somebody has in hand: people may escalate from every open status.
_MAY = frozenset({Status.CONSULTING, Status.SIGNED, Status.REWORK, Status.CALLBACK})


async def look_for_hard_cases(tx: Transaction, rules: Rules, now: datetime) -> int:
    """How many there are anew."""
    causes = {**await _many(tx, rules, now), **await _overdue(tx, rules, now)}
    for ticket_id, cause in sorted(causes.items(), key=lambda each: str(each[0])):

        def escalate(ticket: Ticket, rules: Rules, at: datetime, cause: str = cause) -> Ticket:
            return closing.escalate(ticket, cause, rules, at)

        ticket = await locked(tx, Step(ticket_id=ticket_id, actor=MACHINE))
        if ticket.status in _MAY:  # it may have moved meanwhile
            await settle(tx, ticket, escalate, actor=MACHINE, rules=rules, now=now)
    return len(causes)


async def _overdue(tx: Transaction, rules: Rules, now: datetime) -> dict[UUID, str]:
    if rules.supervision is None:
        return {}
    days = rules.supervision.hard_after_days
    found = await hard_cases.long_overdue(
        tx.connection,
        LONG_OVERDUE,
        before=now - timedelta(days=days),  # working days are never fewer
        statuses=_MAY - {Status.CALLBACK},
        most=MOST,
    )
    return {
        each.ticket_id: LONG_OVERDUE
        for each in found
        if each.reply_due is not None
        and rules.calendar.overdue_working_days(each.reply_due, now) > days
    }


async def _many(tx: Transaction, rules: Rules, now: datetime) -> dict[UUID, str]:
    if rules.likeness is None:
        return {}
    issues = await many_complainants(tx.connection, rules.likeness, now=now)
    ids = {each for _, _, tickets in issues for each in tickets}
    found = await hard_cases.among(
        tx.connection, MANY_COMPLAINANTS, ids, statuses=_MAY - {Status.CALLBACK}, most=MOST
    )
    return {each.ticket_id: MANY_COMPLAINANTS for each in found}
