"""What people do about supervisions: issue, answer, decide, close; cards; accountability clues."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from tongban_common import timers
from tongban_common.db import Transaction
from tongban_common.http import check_version
from tongban_common.timers import Deadline
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.supervision import (
    Decision,
    Deed,
    NotATarget,
    Order,
    Supervision,
)
from tongban_hotline_dispatch.domain.supervision_cards import Card, CardAct, CardLine
from tongban_hotline_dispatch.domain.supervision_rules import Level
from tongban_hotline_dispatch.events import supervision as told
from tongban_hotline_dispatch.operations.assessment import void_input
from tongban_hotline_dispatch.operations.performing import Step as Acting
from tongban_hotline_dispatch.operations.performing import locked
from tongban_hotline_dispatch.operations.supervision_issuing import (
    LADDER,
    Occasion,
    Office,
    noted_card,
    wind_reply,
)
from tongban_hotline_dispatch.operations.supervision_timers import flag_all, known
from tongban_hotline_dispatch.store import Units
from tongban_hotline_dispatch.store.supervision import SupervisionNotFound, Supervisions
from tongban_hotline_dispatch.store.supervision_cards import Cards


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Who acts on which supervision, for which unit, and which version of it they saw."""

    supervision_id: UUID
    actor: str
    unit: str | None = None  # None: acts for the hub
    seen_version: int | None = None  # None: whichever it is


async def issue(
    tx: Transaction, order: Order, *, rules: Rules, now: datetime, has_card: bool
) -> Supervision:
    """By hand, against active units; those of the tickets where none is named."""
    order = await _addressed(tx, order)
    order.check()
    made = await _office(tx, rules, now).issue(order, has_card=has_card)
    await flag_all(tx, [made], rules, now)
    return made


async def propose_clue(
    tx: Transaction, order: Order, *, rules: Rules, now: datetime
) -> Supervision:
    """提出问责线索: nothing goes out before another person approves."""
    order = replace(await _addressed(tx, order), level=Level.S5)
    return await _office(tx, rules, now).issue(order, has_card=False)


class SupervisionDesk:
    """One step of somebody on one supervision at some moment; each method is a step."""

    def __init__(self, tx: Transaction, *, visit: Visit, rules: Rules, now: datetime) -> None:
        self._tx = tx
        self._visit = visit
        self._rules = rules
        self._now = now

    async def answer(self, text: str) -> Supervision:
        """By a unit, for itself."""
        before = await self._held()
        unit = self._visit.unit
        if unit is None:
            raise NotATarget("督办件由被督办单位回复")
        after = await self._keep(before, before.answer(unit, text, self._now))
        last = after.answers[-1]
        self._tx.publish(
            told.SupervisionAnswered(
                occurred_at=self._now,
                supervision_id=after.id,
                unit_code=unit,
                is_late=last.is_late,
                is_complete=after.running is None,
            )
        )
        return after

    async def decide(self, *, is_accepted: bool, note: str | None) -> Supervision:
        """认可, or 退回: then the ladder of its tickets goes on as if nobody had answered."""
        before = await self._held()
        decision = self._decision(note, is_granted=is_accepted)
        decided = before.decide(decision, known(self._rules), self._rules.calendar)
        after = await self._keep(before, decided)
        term = after.running
        self._tx.publish(
            told.SupervisionDecided(
                occurred_at=self._now,
                supervision_id=after.id,
                is_accepted=is_accepted,
                reply_due=None if term is None else term.due_at.astimezone(SHANGHAI),
            )
        )
        if not is_accepted:
            await self._look_again(after.order.ticket_ids)
        return after

    async def close(self, note: str | None) -> Supervision:
        before = await self._held()
        after = await self._keep(before, before.close(note, self._now))
        self._tx.publish(
            told.SupervisionClosed(
                occurred_at=self._now,
                supervision_id=after.id,
                is_accepted=after.was_accepted,
                was_missed=after.was_missed,
            )
        )
        return after

    async def judge_clue(self, *, is_approved: bool, note: str | None) -> Supervision:
        before = await self._held()
        decision = self._decision(note, is_granted=is_approved)
        after = await self._keep(before, before.judge_clue(decision))
        if is_approved:
            await _office(self._tx, self._rules, self._now).notify(after, Occasion())
        self._tx.publish(
            told.AccountabilityDecided(
                occurred_at=self._now, supervision_id=after.id, is_approved=is_approved
            )
        )
        return after

    async def contest(self, card_id: UUID, words: str) -> Supervision:
        """申诉, by the unit that the card was given to."""
        before, card = await self._with_card(card_id)
        unit = self._visit.unit or ""
        line = self._line(CardAct.CONTEST, words=words, unit=unit)
        contested = card.contest(unit, line, self._rules.calendar)
        after = await self._keep_card(before, contested, Deed.CONTEST_CARD)
        self._tx.publish(
            told.CardContested(
                occurred_at=self._now,
                supervision_id=after.id,
                card_id=card.id,
                unit_code=card.unit_code,
            )
        )
        return after

    async def decide_card(
        self, card_id: UUID, *, is_revoked: bool, words: str | None
    ) -> Supervision:
        before, card = await self._with_card(card_id)
        act = CardAct.REVOKE if is_revoked else CardAct.UPHOLD
        decided = card.decide(self._line(act, words=words))
        after = await self._keep_card(before, decided, Deed.DECIDE_CARD)
        if is_revoked:
            await self._forget(card)
        self._tx.publish(
            told.CardDecided(
                occurred_at=self._now,
                supervision_id=after.id,
                card_id=card.id,
                unit_code=card.unit_code,
                colour=card.colour,
                is_revoked=is_revoked,
            )
        )
        return after

    async def waive(self, card_id: UUID, *, reason: str, words: str | None) -> Supervision:
        """免除: 不可抗力、系统故障、日历有误, as the policy lists them."""
        before, card = await self._with_card(card_id)
        line = self._line(CardAct.WAIVE, reason=reason, words=words)
        waived = card.waive(line, known(self._rules))
        after = await self._keep_card(before, waived, Deed.WAIVE_CARD)
        await self._forget(card)
        self._tx.publish(
            told.CardWaived(
                occurred_at=self._now,
                supervision_id=after.id,
                card_id=card.id,
                unit_code=card.unit_code,
                colour=card.colour,
                reason=reason,
            )
        )
        return after

    async def _held(self) -> Supervision:
        """Locked. Another unit's is as if it were not there, and so is what is about a ticket that
        one recused from. Raises SupervisionNotFound."""
        visit = self._visit
        found = await Supervisions(self._tx).get(visit.supervision_id)
        if await Supervisions(self._tx).is_kept_from(visit.actor, found.order.ticket_ids):
            raise SupervisionNotFound("没有这个督办件")
        if visit.unit is not None and (found.is_hidden_from_units or visit.unit not in found.units):
            raise SupervisionNotFound("没有这个督办件")
        if visit.seen_version is not None:
            check_version(expected=visit.seen_version, actual=found.version)
        return found

    async def _with_card(self, card_id: UUID) -> tuple[Supervision, Card]:
        found = await self._held()
        return found, await Cards(self._tx).get(found.id, card_id)

    async def _keep(self, before: Supervision, after: Supervision) -> Supervision:
        await Supervisions(self._tx).save(after, actor=self._visit.actor, at=self._now)
        await wind_reply(self._tx, before, after, now=self._now)
        return after

    async def _keep_card(self, before: Supervision, card: Card, deed: Deed) -> Supervision:
        await Cards(self._tx).append(card)
        facts = {"card_id": str(card.id), "colour": card.colour.value, "card": card.state.value}
        return await self._keep(before, before.noted(deed, facts))

    async def _forget(self, card: Card) -> None:
        """The assessment takes no points for it any more."""
        fact = noted_card(card)
        await void_input(self._tx, kind=fact.kind, ref=fact.ref, now=self._now)

    async def _look_again(self, ticket_ids: Iterable[UUID]) -> None:
        """The timer fires at once and climbs what is due by now."""
        limit, calendar = known(self._rules).reply_limit, self._rules.calendar
        today = self._now.astimezone(SHANGHAI).date()
        deadlines = [
            Deadline(
                kind=LADDER,
                subject=str(each),
                start_at=self._now,
                limit=limit,
                due_at=self._now,
                warn_at=None,
                calendar_version=calendar.version_for(today, today),
            )
            for each in sorted(ticket_ids, key=str)
        ]
        await timers.wind(self._tx, armed=deadlines, now=self._now)

    def _decision(self, note: str | None, *, is_granted: bool) -> Decision:
        return Decision(by=self._visit.actor, at=self._now, is_granted=is_granted, note=note)

    def _line(
        self,
        act: CardAct,
        *,
        words: str | None,
        unit: str | None = None,
        reason: str | None = None,
    ) -> CardLine:
        return CardLine(
            act=act,
            at=self._now,
            actor=self._visit.actor,
            unit_code=unit,
            reason=reason,
            words=words,
        )


def _office(tx: Transaction, rules: Rules, now: datetime) -> Office:
    return Office(tx, rules=known(rules), calendar=rules.calendar, now=now)


async def _addressed(tx: Transaction, order: Order) -> Order:
    """The tickets exist, the units are active; the leads' where none is named.

    Raises TicketNotFound, UnitNotFound.
    """
    leads = []
    for ticket_id in sorted(set(order.ticket_ids), key=str):
        ticket = await locked(tx, Acting(ticket_id=ticket_id, actor=order.issuer))
        leads += [ticket.unit_code] if ticket.unit_code is not None else []
    units = tuple(dict.fromkeys(order.units or leads))
    for code in units:
        await Units(tx).active(code)
    return replace(order, units=units, ticket_ids=tuple(dict.fromkeys(order.ticket_ids)))
