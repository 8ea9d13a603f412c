"""The Kafka edge: what invites a review, a callback that is one, and the names of units."""

from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from tongban_common.db import Transaction
from tongban_common.events import Reading
from tongban_common.inbox import Subscription, ignore, on
from tongban_common.service import Kit
from tongban_evaluation import operations
from tongban_evaluation.domain.invitation import Matter, MatterKind
from tongban_evaluation.domain.review import Heard
from tongban_evaluation.store.keys import keep_key
from tongban_evaluation.store.policies import RuleBook, rule_book
from tongban_evaluation.store.units import keep_name

CASES = "tongban.intake.case.v1"
TICKETS = "tongban.hotline.ticket.v1"
DIRECTORY = "tongban.intake.directory.v1"
REACHED = "reached"


class CaseCompleted(Reading):
    type: ClassVar[str] = "tongban.intake.case-completed.v1"
    topic: ClassVar[str] = CASES

    case_id: UUID
    item_name: str
    unit_code: str
    window_code: str | None = None
    staff_code: str | None = None
    completed_at: AwareDatetime


class TicketClosed(Reading):
    type: ClassVar[str] = "tongban.hotline.ticket-closed.v1"
    topic: ClassVar[str] = TICKETS

    ticket_id: UUID
    ticket_no: str
    unit_code: str


class RatingInvited(Reading):
    """A reply to a ticket may be rated, before its callback."""

    type: ClassVar[str] = "tongban.hotline.rating-invited.v1"
    topic: ClassVar[str] = TICKETS

    ticket_id: UUID
    ticket_no: str
    unit_code: str


class CallbackCompleted(Reading):
    """What the callback desk of the hotline heard, or that it heard nothing."""

    type: ClassVar[str] = "tongban.hotline.callback-completed.v1"
    topic: ClassVar[str] = TICKETS

    ticket_id: UUID
    ticket_no: str = ""
    unit_code: str | None
    outcome: str = ""
    result_level: int | None = None
    is_final: bool = False

    @property
    def is_review(self) -> bool:
        """The ticket ends with it, and the desk itself took the answers down."""
        return self.is_final and self.outcome == REACHED


class RatingOffered(Reading):
    """Whoever shows the key of this digest is the ticket's complainant."""

    type: ClassVar[str] = "tongban.hotline.rating-offered.v1"
    topic: ClassVar[str] = TICKETS

    ticket_id: UUID
    key_digest: str


class UnitChanged(Reading):
    type: ClassVar[str] = "tongban.intake.unit-changed.v1"
    topic: ClassVar[str] = DIRECTORY

    unit_code: str
    name: str


@dataclass(frozen=True, slots=True)
class _Receiver:
    book: RuleBook

    async def complete_case(self, tx: Transaction, case: CaseCompleted) -> None:
        matter = Matter(
            kind=MatterKind.CASE,
            id=case.case_id,
            title=case.item_name,
            unit_code=case.unit_code,
            window_code=case.window_code,
            staff_code=case.staff_code,
        )
        await operations.invite(tx, matter=matter, book=self.book, finished_at=case.completed_at)

    async def close_ticket(self, tx: Transaction, ticket: TicketClosed) -> None:
        matter = _ticket(ticket.ticket_id, ticket.ticket_no, ticket.unit_code)
        await operations.invite(tx, matter=matter, book=self.book, finished_at=ticket.occurred_at)

    async def invite_to_rate(self, tx: Transaction, ticket: RatingInvited) -> None:
        matter = _ticket(ticket.ticket_id, ticket.ticket_no, ticket.unit_code)
        await operations.invite(tx, matter=matter, book=self.book, finished_at=ticket.occurred_at)

    async def take_callback(self, tx: Transaction, done: CallbackCompleted) -> None:
        if not done.is_review or done.unit_code is None or done.result_level is None:
            return
        await operations.record_callback(
            tx,
            matter=_ticket(done.ticket_id, done.ticket_no, done.unit_code),
            heard=Heard(level=done.result_level, ref=done.event_id),
            book=self.book,
            now=done.occurred_at,
        )


def _ticket(ticket_id: UUID, ticket_no: str, unit_code: str) -> Matter:
    return Matter(
        kind=MatterKind.TICKET, id=ticket_id, title=f"12345工单 {ticket_no}", unit_code=unit_code
    )


async def _keep_key(tx: Transaction, offered: RatingOffered) -> None:
    await keep_key(tx, digest=offered.key_digest, ticket_id=offered.ticket_id)


async def _name_unit(tx: Transaction, unit: UnitChanged) -> None:
    await keep_name(tx, code=unit.unit_code, name=unit.name)


def subscriptions(kit: Kit) -> tuple[Subscription[Any], ...]:
    receiver = _Receiver(rule_book(kit))
    return (
        on(CaseCompleted, receiver.complete_case),
        on(TicketClosed, receiver.close_ticket),
        on(RatingInvited, receiver.invite_to_rate),
        on(CallbackCompleted, receiver.take_callback),
        on(RatingOffered, _keep_key),
        on(UnitChanged, _name_unit),
        *ignore(
            CASES,
            "tongban.intake.case-accepted.v1",
            "tongban.intake.case-decided.v1",
            "tongban.intake.deadline-approaching.v1",
            "tongban.intake.deadline-missed.v1",
            "tongban.intake.deadline-rescheduled.v1",
        ),
        *ignore(
            TICKETS,
            "tongban.hotline.ticket-registered.v1",
            "tongban.hotline.ticket-assigned.v1",
            "tongban.hotline.ticket-signed.v1",
            "tongban.hotline.ticket-replied.v1",
            "tongban.hotline.deadline-approaching.v1",
            "tongban.hotline.deadline-missed.v1",
            "tongban.hotline.deadline-rescheduled.v1",
            "tongban.hotline.facts-requested.v1",
            "tongban.hotline.facts-supplemented.v1",
            "tongban.hotline.ticket-lapsed.v1",
            "tongban.hotline.ticket-routed-out.v1",
            "tongban.hotline.ticket-answered.v1",
            "tongban.hotline.consultation-opened.v1",
            "tongban.hotline.consultation-closed.v1",
            "tongban.hotline.ticket-forced.v1",
            "tongban.hotline.ticket-transferred.v1",
            "tongban.hotline.assignment-signed.v1",
            "tongban.hotline.assignment-auto-signed.v1",
            "tongban.hotline.assignment-contacted.v1",
            "tongban.hotline.assignment-added.v1",
            "tongban.hotline.assignment-replied.v1",
            "tongban.hotline.assignment-reported-in.v1",
            "tongban.hotline.unit-reached-by-duty-phone.v1",
            "tongban.hotline.return-requested.v1",
            "tongban.hotline.return-decided.v1",
            "tongban.hotline.extension-requested.v1",
            "tongban.hotline.extension-decided.v1",
            "tongban.hotline.suspension-requested.v1",
            "tongban.hotline.suspension-refused.v1",
            "tongban.hotline.clock-paused.v1",
            "tongban.hotline.clock-resumed.v1",
            "tongban.hotline.review-passed.v1",
            "tongban.hotline.review-failed.v1",
            "tongban.hotline.rework-started.v1",
            "tongban.hotline.phase-requested.v1",
            "tongban.hotline.phase-refused.v1",
            "tongban.hotline.ticket-phased.v1",
            "tongban.hotline.promise-lapsed.v1",
            "tongban.hotline.termination-requested.v1",
            "tongban.hotline.termination-refused.v1",
            "tongban.hotline.ticket-terminated.v1",
            "tongban.hotline.callback-opened.v1",
            "tongban.hotline.callback-attempted.v1",
            "tongban.hotline.callback-rated.v1",
            "tongban.hotline.supervision-opened.v1",
            "tongban.hotline.hard-case-opened.v1",
            "tongban.hotline.ticket-withdrawn.v1",
            "tongban.hotline.ticket-merged.v1",
            "tongban.hotline.ticket-unmerged.v1",
            "tongban.hotline.reply-inherited.v1",
            "tongban.hotline.ticket-reopened.v1",
            "tongban.hotline.ticket-archived.v1",
            "tongban.hotline.ticket-repeated.v1",
            "tongban.hotline.ticket-linked.v1",
            "tongban.hotline.ticket-guided.v1",
            "tongban.hotline.duty-officer-alerted.v1",
        ),
        *ignore(DIRECTORY, "tongban.intake.window-changed.v1", "tongban.intake.staff-changed.v1"),
    )
