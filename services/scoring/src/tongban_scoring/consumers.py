"""The Kafka edge: facts of the other services become entries and counts of matters handled."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from tongban_common.db import Transaction
from tongban_common.events import Reading
from tongban_common.inbox import Subscription, ignore, on
from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI
from tongban_scoring import operations
from tongban_scoring.operations import Fact
from tongban_scoring.store import Ledger, References, service_window, staff, unit
from tongban_scoring.store.ledger import Subject

DIRECTORY = "tongban.intake.directory.v1"
CASES = "tongban.intake.case.v1"
TICKETS = "tongban.hotline.ticket.v1"
RECTIFICATIONS = "tongban.evaluation.rectification.v1"


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


@dataclass(frozen=True, slots=True)
class _Facts:
    """Handlers that need the rule book."""

    kit: Kit

    async def case_overdue(self, tx: Transaction, missed: CaseDeadlineMissed) -> None:
        """第三章（七）2: one point a case, whoever is to blame for it."""
        if missed.kind != "promise":
            return
        fact = Fact(
            rule_id="BASE-7.2",
            subject=Subject(unit_code=missed.unit_code, window_code=missed.window_code),
            fact=f"case:{missed.case_id}",
            source=missed.event_id,
            occurred_at=missed.occurred_at,
        )
        rules = await operations.rules_at(self.kit, now=missed.occurred_at)
        await operations.record_fact(tx, fact=fact, rules=rules)

    async def case_completed(self, tx: Transaction, case: CaseCompleted) -> None:
        """第五章第三节（三）: by working day, once an inspector finds the window to blame."""
        if case.overdue_working_days < 1:
            return
        fact = Fact(
            rule_id="S3-3",
            subject=Subject(unit_code=case.unit_code, window_code=case.window_code),
            fact=f"case:{case.case_id}",
            source=case.event_id,
            occurred_at=case.occurred_at,
            quantity=Decimal(case.overdue_working_days),
            staff_code=case.staff_code,
        )
        rules = await operations.rules_at(self.kit, now=case.occurred_at)
        await operations.propose(tx, fact=fact, rules=rules)

    async def ticket_overdue(self, tx: Transaction, missed: TicketDeadlineMissed) -> None:
        """第五章第三节（五）: the first working day after the limit."""
        if missed.clock == "unit" and missed.unit_code is not None:
            await self._ticket(tx, missed, missed.unit_code, missed.ticket_id, 1)

    async def ticket_replied(self, tx: Transaction, reply: TicketReplied) -> None:
        """第五章第三节（五）: the working days after the first, known when the reply is there."""
        if reply.overdue_working_days > 1:
            more = reply.overdue_working_days - 1
            await self._ticket(tx, reply, reply.unit_code, reply.ticket_id, more)

    async def rectified(self, tx: Transaction, closed: RectificationClosed) -> None:
        """第五章第三节（七）: a bad review that was found to be true."""
        if not closed.is_substantiated:
            return
        fact = Fact(
            rule_id="S3-7a",
            subject=Subject(unit_code=closed.unit_code, window_code=closed.window_code),
            fact=f"review:{closed.review_id}",
            source=closed.event_id,
            occurred_at=closed.occurred_at,
            staff_code=closed.staff_code,
        )
        rules = await operations.rules_at(self.kit, now=closed.occurred_at)
        await operations.propose(tx, fact=fact, rules=rules)

    async def _ticket(
        self, tx: Transaction, event: Reading, unit_code: str, ticket_id: UUID, days: int
    ) -> None:
        fact = Fact(
            rule_id="S3-5",
            subject=Subject(unit_code=unit_code),
            fact=f"ticket:{ticket_id}",
            source=event.event_id,
            occurred_at=event.occurred_at,
            quantity=Decimal(days),
        )
        rules = await operations.rules_at(self.kit, now=event.occurred_at)
        await operations.record_fact(tx, fact=fact, rules=rules)


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
        ),
        *ignore(
            RECTIFICATIONS,
            "tongban.evaluation.rectification-opened.v1",
            "tongban.evaluation.deadline-approaching.v1",
            "tongban.evaluation.deadline-missed.v1",
            "tongban.evaluation.deadline-rescheduled.v1",
        ),
    )
