"""The time edge: what happens when a clock of a ticket is nearly, or over, due."""

from functools import partial
from typing import Any

from tongban_common.service import Kit
from tongban_common.timers import OnDue, on_due
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.assignment import Clock
from tongban_hotline_dispatch.operations import (
    consultations,
    contact_nights,
    contact_rounds,
    hot_issues,
    knowledge,
    knowledge_drafts,
    knowledge_duties,
    likeness_index,
    reappraisals,
    supervision_issuing,
    supervision_timers,
)


def handlers(kit: Kit) -> tuple[OnDue[Any], ...]:
    return (
        _hot_issues(kit),
        *_ticket_clocks(kit),
        *_contact_rounds(kit),
        *_knowledge(kit),
        *_supervision(kit),
        _reappraisals(kit),
    )


def _reappraisals(kit: Kit) -> OnDue[Any]:
    return on_due(
        reappraisals.TIMER,
        lock=reappraisals.lock,
        missed=partial(reappraisals.miss, kit=kit),
        rescheduled=reappraisals.reschedule,
    )


def _hot_issues(kit: Kit) -> OnDue[Any]:
    return on_due(
        likeness_index.ROUND,
        lock=hot_issues.lock_round,
        missed=partial(hot_issues.round_over, kit=kit),
    )


def _ticket_clocks(kit: Kit) -> tuple[OnDue[Any], ...]:
    return tuple(
        on_due(
            clock,
            lock=operations.lock_ticket,
            missed=partial(operations.miss, kit=kit),
            approaching=operations.warn,
            rescheduled=operations.reschedule,
            due_of=operations.due_of,
        )
        for clock in Clock
    )


def _contact_rounds(kit: Kit) -> tuple[OnDue[Any], ...]:
    return (
        on_due(
            contact_nights.NIGHTLY,
            lock=contact_rounds.lock_night,
            missed=partial(contact_rounds.nightly, kit=kit),
        ),
        on_due(
            contact_rounds.CONFIRMATION,
            lock=contact_rounds.lock_round,
            missed=contact_rounds.miss_round,
            rescheduled=contact_rounds.redate_round,
        ),
    )


def _knowledge(kit: Kit) -> tuple[OnDue[Any], ...]:
    return (
        on_due(
            knowledge.REVIEW,
            lock=knowledge.lock_item,
            missed=knowledge.miss,
            approaching=knowledge.warn,
            rescheduled=knowledge.reschedule,
        ),
        on_due(
            knowledge_duties.DUTY,
            lock=knowledge_duties.lock_duty,
            missed=partial(knowledge_duties.miss_duty, kit=kit),
            rescheduled=knowledge_duties.redate_duty,
        ),
        on_due(
            knowledge_duties.WEEK,
            lock=knowledge_duties.lock_week,
            missed=partial(knowledge_duties.week_over, kit=kit),
        ),
        on_due(
            consultations.DRAFT,
            lock=knowledge_drafts.lock_ticket,
            missed=partial(knowledge_drafts.make_draft, kit=kit),
        ),
    )


def _supervision(kit: Kit) -> tuple[OnDue[Any], ...]:
    return (
        on_due(
            supervision_issuing.LADDER,
            lock=partial(supervision_timers.lock_ladder, kit=kit),
            missed=partial(supervision_timers.climb, kit=kit),
            due_of=supervision_timers.due_of_rung,
        ),
        on_due(
            supervision_issuing.REPLY,
            lock=supervision_timers.lock_supervision,
            missed=supervision_timers.miss_reply,
            rescheduled=supervision_timers.redate_reply,
        ),
        on_due(
            supervision_timers.ROUND,
            lock=supervision_timers.lock_round,
            missed=partial(supervision_timers.nightly, kit=kit),
        ),
    )
