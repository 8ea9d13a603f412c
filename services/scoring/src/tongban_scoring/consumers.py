"""The Kafka edge: facts of the other services become entries and counts of matters handled."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from tongban_common.db import Transaction
from tongban_common.events import Reading
from tongban_common.inbox import Subscription, ignore, on
from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI
from tongban_scoring import operations
from tongban_scoring.domain.rules import Feed
from tongban_scoring.operations import Fact
from tongban_scoring.store import (
    HotlineResult,
    HotlineResults,
    Ledger,
    References,
    service_window,
    staff,
    unit,
)
from tongban_scoring.store.cards import Cards
from tongban_scoring.store.ledger import Subject

DIRECTORY = "tongban.intake.directory.v1"
CASES = "tongban.intake.case.v1"
TICKETS = "tongban.hotline.ticket.v1"
RECTIFICATIONS = "tongban.evaluation.rectification.v1"
BULLETINS = "tongban.publishing.bulletin.v1"


class UnitChanged(Reading):
    type: ClassVar[str] = "tongban.intake.unit-changed.v1"
    topic: ClassVar[str] = DIRECTORY

    unit_code: str
    name: str
    is_active: bool


class WindowChanged(Reading):
    type: ClassVar[str] = "tongban.intake.window-changed.v1"
    topic: ClassVar[str] = DIRECTORY

    window_code: str
    unit_code: str
    name: str
    is_active: bool


class StaffChanged(Reading):
    type: ClassVar[str] = "tongban.intake.staff-changed.v1"
    topic: ClassVar[str] = DIRECTORY

    staff_code: str
    unit_code: str
    window_code: str | None
    is_active: bool


class CaseAccepted(Reading):
    type: ClassVar[str] = "tongban.intake.case-accepted.v1"
    topic: ClassVar[str] = CASES

    unit_code: str
    window_code: str


class CaseCompleted(Reading):
    type: ClassVar[str] = "tongban.intake.case-completed.v1"
    topic: ClassVar[str] = CASES

    case_id: UUID
    unit_code: str
    window_code: str
    staff_code: str | None = None
    overdue_working_days: int


class CaseDeadlineMissed(Reading):
    type: ClassVar[str] = "tongban.intake.deadline-missed.v1"
    topic: ClassVar[str] = CASES

    case_id: UUID
    unit_code: str
    window_code: str
    kind: str


class TicketAssigned(Reading):
    type: ClassVar[str] = "tongban.hotline.ticket-assigned.v1"
    topic: ClassVar[str] = TICKETS

    unit_code: str


class TicketReplied(Reading):
    type: ClassVar[str] = "tongban.hotline.ticket-replied.v1"
    topic: ClassVar[str] = TICKETS

    ticket_id: UUID
    unit_code: str
    overdue_working_days: int


class TicketDeadlineMissed(Reading):
    type: ClassVar[str] = "tongban.hotline.deadline-missed.v1"
    topic: ClassVar[str] = TICKETS

    ticket_id: UUID
    unit_code: str | None
    clock: str
    due: AwareDatetime


class RectificationClosed(Reading):
    type: ClassVar[str] = "tongban.evaluation.rectification-closed.v1"
    topic: ClassVar[str] = RECTIFICATIONS

    review_id: UUID
    unit_code: str
    window_code: str | None
    staff_code: str | None = None
    is_substantiated: bool
    root_cause: str | None = None


class AssessedUnit(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    unit_code: str
    group: str
    tier: str | None
    indicators: dict[str, str | None]
    needs_rectification: bool


class AssessmentFinished(Reading):
    """The hotline's units were assessed, or assessed anew."""

    type: ClassVar[str] = "tongban.hotline.assessment-finished.v1"
    topic: ClassVar[str] = "tongban.hotline.assessment.v1"

    assessment_id: UUID
    period_code: str
    starts_on: date
    ends_on: date
    policy_version: int
    run: int
    units: tuple[AssessedUnit, ...]


class BulletinPublished(Reading):
    """通报 is out: what it is about may be read by everybody."""

    type: ClassVar[str] = "tongban.publishing.bulletin-published.v1"
    topic: ClassVar[str] = BULLETINS

    bulletin_id: UUID
    period_code: str
    kind: str = "windows"


class BulletinWithdrawn(Reading):
    type: ClassVar[str] = "tongban.publishing.bulletin-withdrawn.v1"
    topic: ClassVar[str] = BULLETINS

    bulletin_id: UUID


async def publish_cards(tx: Transaction, published: BulletinPublished) -> None:
    if published.kind == "windows":  # the hotline's quarters have the same codes
        await Cards(tx).publish(published.period_code, published.bulletin_id)


async def withdraw_cards(tx: Transaction, withdrawn: BulletinWithdrawn) -> None:
    await Cards(tx).withdraw(withdrawn.bulletin_id)


async def keep_assessment(tx: Transaction, finished: AssessmentFinished) -> None:
    """Evidence for whoever scores; no points of anybody's card come of it."""
    period = finished.model_dump(exclude={"units", "occurred_at", "event_id"})
    found = [HotlineResult(**period, **each.model_dump()) for each in finished.units]
    await HotlineResults(tx).keep(finished.assessment_id, finished.run, found)


async def take_unit(tx: Transaction, changed: UnitChanged) -> None:
    await References(tx).keep(
        unit, changed.unit_code, name=changed.name, is_active=changed.is_active
    )


async def take_window(tx: Transaction, changed: WindowChanged) -> None:
    await References(tx).keep(
        service_window,
        changed.window_code,
        unit_code=changed.unit_code,
        name=changed.name,
        is_active=changed.is_active,
    )
    if changed.is_active:
        opened = Subject(unit_code=changed.unit_code, window_code=changed.window_code)
        await Ledger(tx).adopt(opened, since=changed.occurred_at)


async def take_staff(tx: Transaction, changed: StaffChanged) -> None:
    await References(tx).keep(
        staff,
        changed.staff_code,
        unit_code=changed.unit_code,
        window_code=changed.window_code,
        is_active=changed.is_active,
    )


async def count_case(tx: Transaction, case: CaseAccepted) -> None:
    subject = Subject(unit_code=case.unit_code, window_code=case.window_code)
    await Ledger(tx).count(subject, case.occurred_at.astimezone(SHANGHAI).date())


async def count_ticket(tx: Transaction, ticket: TicketAssigned) -> None:
    subject = Subject(unit_code=ticket.unit_code)
    await Ledger(tx).count(subject, ticket.occurred_at.astimezone(SHANGHAI).date())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What an event tells of a fact, whichever rules it touches."""

    event: Reading
    fact: str
    subject: Subject
    quantity: int = 1
    staff_code: str | None = None


@dataclass(frozen=True, slots=True)
class _Facts:
    """Handlers that need the rule book."""

    kit: Kit

    async def case_overdue(self, tx: Transaction, missed: CaseDeadlineMissed) -> None:
        subject = Subject(unit_code=missed.unit_code, window_code=missed.window_code)
        told = _Told(event=missed, fact=f"case:{missed.case_id}", subject=subject)
        await self._take(tx, told)

    async def case_completed(self, tx: Transaction, case: CaseCompleted) -> None:
        if case.overdue_working_days < 1:
            return
        told = _Told(
            event=case,
            fact=f"case:{case.case_id}",
            subject=Subject(unit_code=case.unit_code, window_code=case.window_code),
            quantity=case.overdue_working_days,
            staff_code=case.staff_code,
        )
        await self._take(tx, told)

    async def ticket_overdue(self, tx: Transaction, missed: TicketDeadlineMissed) -> None:
        """The first working day after the limit."""
        if missed.unit_code is None:
            return
        subject = Subject(unit_code=missed.unit_code)
        await self._take(
            tx, _Told(event=missed, fact=f"ticket:{missed.ticket_id}", subject=subject)
        )

    async def ticket_replied(self, tx: Transaction, reply: TicketReplied) -> None:
        """The working days after the first, known when the reply is there."""
        if reply.overdue_working_days < 2:
            return
        told = _Told(
            event=reply,
            fact=f"ticket:{reply.ticket_id}",
            subject=Subject(unit_code=reply.unit_code),
            quantity=reply.overdue_working_days - 1,
        )
        await self._take(tx, told)

    async def rectified(self, tx: Transaction, closed: RectificationClosed) -> None:
        told = _Told(
            event=closed,
            fact=f"review:{closed.review_id}",
            subject=Subject(unit_code=closed.unit_code, window_code=closed.window_code),
            staff_code=closed.staff_code,
        )
        await self._take(tx, told)

    async def _take(self, tx: Transaction, told: _Told) -> None:
        """The rule book says which rules an event touches, and how they count."""
        event = told.event
        rules = await operations.rules_at(self.kit, now=event.occurred_at)
        for rule in rules.book.touched_by(event.type, event.model_dump()):
            fact = Fact(
                rule_id=rule.id,
                subject=told.subject,
                fact=told.fact,
                source=event.event_id,
                occurred_at=event.occurred_at,
                quantity=Decimal(told.quantity),
                staff_code=told.staff_code,
            )
            if rule.feed is Feed.AUTO:
                await operations.record_fact(tx, fact=fact, rules=rules)
            else:
                await operations.propose(tx, fact=fact, rules=rules)


def subscriptions(kit: Kit) -> tuple[Subscription[Any], ...]:
    facts = _Facts(kit)
    return (
        on(UnitChanged, take_unit),
        on(WindowChanged, take_window),
        on(StaffChanged, take_staff),
        on(CaseAccepted, count_case),
        on(CaseDeadlineMissed, facts.case_overdue),
        on(CaseCompleted, facts.case_completed),
        on(TicketAssigned, count_ticket),
        on(TicketDeadlineMissed, facts.ticket_overdue),
        on(TicketReplied, facts.ticket_replied),
        on(RectificationClosed, facts.rectified),
        on(AssessmentFinished, keep_assessment),
        on(BulletinPublished, publish_cards),
        on(BulletinWithdrawn, withdraw_cards),
        *ignore(
            BULLETINS,
            "tongban.publishing.deadline-approaching.v1",
            "tongban.publishing.deadline-missed.v1",
            "tongban.publishing.deadline-rescheduled.v1",
        ),
        *ignore(
            CASES,
            "tongban.intake.case-decided.v1",
            "tongban.intake.deadline-approaching.v1",
            "tongban.intake.deadline-rescheduled.v1",
        ),
        *ignore(
            TICKETS,
            "tongban.hotline.ticket-registered.v1",
            "tongban.hotline.ticket-signed.v1",
            "tongban.hotline.ticket-closed.v1",
            "tongban.hotline.deadline-approaching.v1",
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
            "tongban.hotline.callback-completed.v1",
            "tongban.hotline.callback-rated.v1",
            "tongban.hotline.rating-invited.v1",
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
            "tongban.hotline.rating-offered.v1",
        ),
        *ignore(
            RECTIFICATIONS,
            "tongban.evaluation.rectification-opened.v1",
            "tongban.evaluation.deadline-approaching.v1",
            "tongban.evaluation.deadline-missed.v1",
            "tongban.evaluation.deadline-rescheduled.v1",
        ),
    )
