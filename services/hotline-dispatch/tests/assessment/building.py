"""Tickets on their way, and what a run says of their units."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

from tongban_common.http import PageRequest
from tongban_common.privacy import Signer
from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.asking import Decision, Request
from tongban_hotline_dispatch.domain.assignment import AskKind, Json, Reply
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import Desk, Step, assessment
from tongban_hotline_dispatch.store import Complainant
from tongban_hotline_dispatch.store import assessment_reads as reading
from tongban_hotline_dispatch.store.assessment import Noted, Run
from tongban_hotline_dispatch.store.assessment_reads import Asked, UnitLine

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
LATER = datetime(2026, 10, 20, 10, 0, tzinfo=SHANGHAI)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
INSTANT = timedelta(microseconds=1)
PERSON = Complainant(name="张三丰", phone="13812345678")
GOOD = Heard(resolved=Resolved.YES, result=Mark.SATISFIED, process=Mark.SATISFIED)
FAIR = Heard(resolved=Resolved.BASICALLY, result=Mark.BASICALLY, process=Mark.SATISFIED)
BAD = Heard(resolved=Resolved.NO, result=Mark.DISSATISFIED, process=Mark.BASICALLY)
SETTLED = Heard(
    resolved=Resolved.NO,
    result=Mark.DISSATISFIED,
    process=Mark.BASICALLY,
    no_redo="POLICY_FORBIDS",
)
GROUNDS: dict[AskKind, dict[str, Json]] = {
    AskKind.RETURN: {"reason": "非本单位职责", "citation": "三定规定", "suggested_unit": "A7"},
    AskKind.EXTENSION: {"reason": "情况复杂", "citation": "条例", "amount": 3},
    AskKind.SUSPENSION: {"reason": "送检", "pause_reason": "INSPECTION_APPRAISAL"},
    AskKind.TERMINATION: {"reason": "诉求人失联"},
}
ASSESSMENTS = "/hotline/v1/assessments"

Opened = Callable[..., Any]
Computed = Callable[..., Any]


class Case:
    """One ticket on its way, each act at a moment of its own."""

    def __init__(self, kit: Kit, ticket: Ticket, unit: str) -> None:
        self.kit, self.ticket, self.unit = kit, ticket, unit

    async def _go(self, at: datetime, act: Callable[[Any, Any, Any], Any]) -> None:
        rules = await operations.rules_at(self.kit, now=at)
        async with self.kit.db.transaction() as tx:
            self.ticket = await act(tx, rules, at)

    def _step(self, unit: str | None) -> Step:
        return Step(ticket_id=self.ticket.id, actor="x-1", unit=unit)

    async def sign(self, at: datetime) -> None:
        step = self._step(self.unit)
        await self._go(
            at, lambda tx, rules, now: operations.sign(tx, step=step, rules=rules, now=now)
        )

    async def reply(self, at: datetime, *, is_resolved: bool = True) -> None:
        step = self._step(self.unit)
        answer = Reply(internal="已修复", public="已修复", is_resolved=is_resolved)
        await self._go(
            at,
            lambda tx, rules, now: operations.reply(
                tx, step=step, answer=answer, rules=rules, now=now
            ),
        )

    async def assign(self, at: datetime, unit: str) -> None:
        step = self._step(None)
        self.unit = unit
        await self._go(
            at,
            lambda tx, rules, now: operations.assign(
                tx, step=step, unit_code=unit, rules=rules, now=now
            ),
        )

    async def desk(
        self, at: datetime, act: Callable[[Desk], Any], *, by_unit: bool = False
    ) -> None:
        step = self._step(self.unit if by_unit else None)
        await self._go(at, lambda tx, rules, now: act(Desk(tx, step=step, rules=rules, now=now)))

    async def contact(self, at: datetime) -> None:
        await self.desk(at, lambda desk: desk.contact(), by_unit=True)

    async def ask(self, at: datetime, kind: AskKind, *, granted: bool) -> None:
        asked = Request(kind=kind, by="u-1", grounds=GROUNDS[kind])
        decision = Decision(kind=kind, is_granted=granted, by="d-1", is_told=True)
        await self.desk(at, lambda desk: desk.ask(asked), by_unit=True)
        await self.desk(at + HOUR, lambda desk: desk.decide(decision))

    async def called_back(self, at: datetime, heard: Heard | None) -> None:
        await self.desk(at, lambda desk: desk.pass_review())
        if heard is not None:
            await self.desk(at + HOUR, lambda desk: desk.call_back(heard))
            return
        morning = datetime.combine(at.astimezone(SHANGHAI).date(), time(10), tzinfo=SHANGHAI) + DAY
        for hours in (0, 5, 24):  # in different parts of two days
            await self.desk(morning + hours * HOUR, lambda desk: desk.attempt_callback())
        await self.desk(morning + 24 * HOUR, lambda desk: desk.give_up_callback())

    async def whole(self, heard: Heard | None, *, contacts: bool = True) -> "Case":
        """Signed and contacted in an hour each, replied in a day, called back."""
        at = self.ticket.assigned_at or NOW
        await self.sign(at + HOUR)
        if contacts:
            await self.contact(at + 2 * HOUR)
        await self.reply(at + DAY)
        await self.called_back(at + DAY + HOUR, heard)
        return self


def two(line: UnitLine, measure: str) -> tuple[int | None, int] | None:
    found = line.figures.get(measure)
    return None if found is None else (found.numerator, found.denominator)


async def noted(kit: Kit, *facts: tuple[str, str], unit: str = "A3") -> None:
    async with kit.db.transaction() as tx:
        for kind, ref in facts:
            fact = Noted(kind=kind, unit_code=unit, on_day=date(2026, 9, 15), ref=ref)
            await assessment.note_input(tx, fact, by="test", now=LATER)


async def behind(kit: Kit, run: Run, asked: Asked, limit: int = 50) -> list[Any]:
    page = PageRequest(limit, None, Signer("x" * 32, purpose="cursor"), "")
    async with kit.db.reading() as reads:
        return await reading.behind(reads, run.id, asked, page, seen_by=Viewer(subject="s-1"))
