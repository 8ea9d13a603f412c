"""How a supervision goes out: record, notice, card, clock and events, in the caller's transaction.

It also winds the timer of a ticket's ladder; `performing` asks it to, with every move.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tongban_common import timers
from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_common.privacy import mask_text
from tongban_common.timers import Deadline
from tongban_common.web.filters import due_time, local_date
from tongban_common.working_days import SHANGHAI, Limit, WorkingCalendar
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.supervision import Deed, Order, Supervision, issued
from tongban_hotline_dispatch.domain.supervision_cards import Card
from tongban_hotline_dispatch.domain.supervision_ladder import Ladder, Step, spans
from tongban_hotline_dispatch.domain.supervision_rules import (
    FLAGGED,
    LevelRule,
    Pattern,
    Rung,
    SupervisionRules,
)
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.events import supervision as told
from tongban_hotline_dispatch.operations.assessment import note_input
from tongban_hotline_dispatch.store.assessment import Noted
from tongban_hotline_dispatch.store.duty_phones import falling_back
from tongban_hotline_dispatch.store.supervision import Climbed, Notice, Supervisions
from tongban_hotline_dispatch.store.supervision_cards import OF_CARD, Cards

LADDER = "ladder"  # the timer of a ticket's next rung; its subject is the ticket
REPLY = "supervision"  # the timer of a supervision's answer
MACHINE = "timer"
_MOST_NUMBERS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Wound:
    """What of a ticket's ladder is to be armed, or disarmed, beside its clocks."""

    armed: Sequence[Deadline] = ()
    gone: Sequence[tuple[str, str]] = ()


def winding(before: Ticket, after: Ticket, rules: Rules, now: datetime) -> Wound:
    """The ladder follows what it is counted from; nothing here is read from the database.

    Of a term that is over every rung looks unseen from here: the first one is armed, and when it
    fires the ladder goes on from where it really stands.
    """
    if rules.supervision is None:
        return Wound()
    was, runs = spans(before), spans(after)
    if was == runs:
        return Wound()
    calendar = rules.calendar
    ladder = Ladder(ticket=after, rules=rules.supervision, calendar=calendar, now=now, seen={})
    step = ladder.next()
    if step is not None:
        return Wound(armed=[rung_deadline(after.id, step, calendar)])
    return Wound(gone=[(str(after.id), LADDER)]) if was else Wound()


def rung_deadline(ticket_id: UUID, step: Step, calendar: WorkingCalendar) -> Deadline:
    """Start and limit are those of the term that the rung is counted on: `due_of` says the rest."""
    span, limit = step.span, step.span.limit
    return Deadline(
        kind=LADDER,
        subject=str(ticket_id),
        start_at=span.start_at,
        limit=Limit(amount=limit.amount, unit=limit.unit, clause=step.rung.clause),
        due_at=step.at,
        warn_at=None,
        calendar_version=calendar.version_for(
            span.start_at.astimezone(SHANGHAI).date(), step.at.astimezone(SHANGHAI).date()
        ),
    )


async def begin_climbing(tx: Transaction, ticket: Ticket, rules: Rules, *, now: datetime) -> None:
    """The lead's clock was missed: its ladder goes on from there."""
    known = rules.supervision
    if known is not None:
        ladder = Ladder(ticket=ticket, rules=known, calendar=rules.calendar, now=now, seen={})
        await arm_ladder(tx, ladder, now=now)


async def take_flag(
    tx: Transaction, ticket: Ticket, *, actor: str, rules: Rules, now: datetime
) -> None:
    """What the callback desk or the centre puts under supervision gets its record, without a card.

    Nothing is added where a supervision has put the flag there itself.
    """
    known, unit = rules.supervision, ticket.unit_code
    if known is None or unit is None or await Supervisions(tx).open_for(ticket.id, known.flagged):
        return
    order = Order(
        issuer=actor,
        cause=FLAGGED,
        legal_basis=known.flagged_reason.clause,
        units=(unit,),
        ticket_ids=(ticket.id,),
        level=known.flagged,
    )
    await Office(tx, rules=known, calendar=rules.calendar, now=now).issue(order, has_card=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What led to it, beside the order: a rung of a ticket's ladder, or a count."""

    rung: Rung | None = None
    step: Step | None = None
    values: Mapping[str, str] = field(default_factory=dict)


class Office:
    """Issues under the rules of one moment."""

    def __init__(
        self, tx: Transaction, *, rules: SupervisionRules, calendar: WorkingCalendar, now: datetime
    ) -> None:
        self._tx = tx
        self._rules = rules
        self._calendar = calendar
        self._now = now
        self._supervisions = Supervisions(tx)

    async def issue(
        self, order: Order, occasion: Occasion | None = None, *, has_card: bool = True
    ) -> Supervision:
        occasion = occasion or Occasion()
        made = issued(new_id(self._now), order, self._rules, self._calendar, self._now)
        await self._supervisions.add(made, actor=order.issuer)
        if occasion.step is not None:
            await self._link(made, occasion.step, order.ticket_ids[0])
        else:
            await self._supervisions.link(made.id, order.ticket_ids)
        if not made.is_hidden_from_units:  # of a clue, once it is approved
            await self.notify(made, occasion)
        self._tx.publish(self._announced(made))
        await wind_reply(self._tx, None, made, now=self._now)
        if has_card:
            await self._issue_cards(made)
        return made

    async def notify_again(self, made: Supervision, step: Step, ticket_id: UUID) -> None:
        """A further notice of what was issued before."""
        noticed = made.noted(Deed.NOTICE, {"rung": step.rung.code})
        await self._supervisions.save(noticed, actor=MACHINE, at=self._now)
        await self._link(noticed, step, ticket_id)
        await self.notify(noticed, Occasion(rung=step.rung, step=step, values=self._late(step)))
        self._tx.publish(
            told.SupervisionNoticed(
                occurred_at=self._now,
                supervision_id=made.id,
                level=made.level,
                cause=step.rung.code,
                unit_codes=list(made.units),
            )
        )

    async def climb(self, ticket: Ticket, step: Step, unit: str) -> Supervision:
        """What a rung of the ladder leads to."""
        order = Order(
            issuer=MACHINE,
            cause=step.rung.code,
            legal_basis=step.rung.clause,
            units=(unit,),
            ticket_ids=(ticket.id,),
            level=step.rung.level,
        )
        return await self.issue(order, Occasion(rung=step.rung, step=step, values=self._late(step)))

    async def _link(self, made: Supervision, step: Step, ticket_id: UUID) -> None:
        await self._supervisions.link_rung(made.id, Climbed(ticket_id=ticket_id, key=step.key))

    def _late(self, step: Step) -> Mapping[str, str]:
        due_at = step.span.due_at
        days = self._calendar.overdue_working_days(due_at, self._now)
        return {"due": due_time(due_at), "overdue_days": str(days)}

    async def notify(self, made: Supervision, occasion: Occasion) -> None:
        """The words are kept as they went out, with the version of their template."""
        rules, order = self._rules, made.order
        rule = None if order.level is None else rules.levels[order.level]
        code = rules.form_template if rule is None else rule.template
        if occasion.rung is not None:
            code = occasion.rung.template
        template = rules.template(code, is_of_term=occasion.step is not None)
        names = await self._supervisions.names(order.units)
        numbers = await self._supervisions.numbers(order.ticket_ids)
        values = {
            "unit": "、".join(names),
            "tickets": _listed(numbers),
            "level": "" if rule is None else rule.name,
            "form": "" if order.form is None else rules.forms[order.form].name,
            "date": local_date(self._now),
            "due": "—",
            "overdue_days": "0",
            "reply_due": due_time(None if made.reply_term is None else made.reply_term.due_at),
            "basis": order.legal_basis if occasion.rung is None else occasion.rung.clause,
            "cause": rules.cause_name(order.cause),
            "count": str(len(order.ticket_ids)),
            "words": mask_text(order.words or "", whole=True),
            **occasion.values,
        }
        await self._supervisions.add_notice(
            Notice(
                supervision_id=made.id,
                version=made.version,
                template=template.code,
                template_version=template.version,
                audience=await self._audience(order, rule, occasion.rung),
                at=self._now,
                body=template.render(values),
            )
        )

    async def _audience(
        self, order: Order, rule: LevelRule | None, rung: Rung | None
    ) -> tuple[str, ...]:
        """Whom it goes to: besides, the duty phone where nobody is in post (hotline.md 7)."""
        named = self._rules.form_audience if rule is None else rule.audience
        if rung is not None and rung.audience:
            named = rung.audience
        fallback = self._rules.fallback_audience
        if fallback is None or not await falling_back(
            self._tx.connection, order.units, at=self._now
        ):
            return named
        return (*named, fallback)

    def _announced(self, made: Supervision) -> told.OfSupervision:
        order, term = made.order, made.reply_term
        if made.is_hidden_from_units:
            return told.AccountabilityProposed(
                occurred_at=self._now,
                supervision_id=made.id,
                ground=order.cause,
                ticket_ids=list(order.ticket_ids),
                unit_codes=list(order.units),
            )
        return told.SupervisionIssued(
            occurred_at=self._now,
            supervision_id=made.id,
            kind=made.kind,
            level=order.level,
            form=order.form,
            cause=order.cause,
            ticket_ids=list(order.ticket_ids),
            unit_codes=list(order.units),
            reply_due=None if term is None else term.due_at.astimezone(SHANGHAI),
            is_published=made.is_published,
            policy_version=self._rules.label,
        )

    async def _issue_cards(self, made: Supervision) -> None:
        colour = None if made.level is None else self._rules.levels[made.level].card
        if colour is None:
            return
        cards = Cards(self._tx)
        for unit in made.units:
            card = Card(
                id=new_id(self._now),
                supervision_id=made.id,
                unit_code=unit,
                colour=colour,
                issued_at=self._now,
                issuer=made.order.issuer,
                contest_limit=self._rules.contest_limit,
            )
            await cards.add(card)
            await note_input(self._tx, noted_card(card), by=MACHINE, now=self._now)
            self._tx.publish(
                told.CardIssued(
                    occurred_at=self._now,
                    supervision_id=made.id,
                    card_id=card.id,
                    unit_code=unit,
                    colour=colour,
                    contest_due=card.contest_due(self._calendar),
                )
            )
        if await cards.may_count():
            for unit in made.units:
                await self._count_cards(OF_CARD[colour], unit)

    async def _count_cards(self, signal: str, unit: str) -> None:
        for pattern in self._rules.patterns:
            if pattern.signal == signal:
                await self.follow_pattern(pattern, unit=unit)

    async def follow_pattern(
        self, pattern: Pattern, *, unit: str | None = None
    ) -> list[Supervision]:
        """One supervision for each unit, or ticket, that has as many signals as the policy says."""
        caught = await Cards(self._tx).caught(pattern, self._now, unit=unit)
        made = []
        for each in caught:
            order = Order(
                issuer=MACHINE,
                cause=pattern.code,
                legal_basis=pattern.clause,
                units=(each.unit_code,),
                ticket_ids=each.ticket_ids,
                level=pattern.level,
            )
            values = {"count": str(each.count)}
            made.append(await self.issue(order, Occasion(values=values)))
        return made


async def arm_ladder(tx: Transaction, ladder: Ladder, *, now: datetime) -> None:
    """Set the one timer of a ticket's ladder to what comes next, if anything does."""
    step = ladder.next()
    if step is not None:
        deadline = rung_deadline(ladder.ticket.id, step, ladder.calendar)
        await timers.wind(tx, armed=[deadline], now=now)


async def wind_reply(
    tx: Transaction, before: Supervision | None, after: Supervision, *, now: datetime
) -> None:
    """The clock of an answer follows the state of its supervision."""
    was = None if before is None else before.running
    term = after.running
    if term == was:
        return
    subject = str(after.id)
    if term is None:
        await timers.wind(tx, gone=[(subject, REPLY)], now=now)
        return
    overtaken = await timers.wind(tx, armed=[_reply_deadline(subject, term)], now=now)
    for late in overtaken:
        tx.publish(reply_missed(after, now, late.due_at))


def reply_missed(one: Supervision, now: datetime, due_at: datetime) -> told.OfSupervision:
    return told.SupervisionReplyMissed(
        occurred_at=now,
        supervision_id=one.id,
        unit_codes=list(one.units),
        due=due_at.astimezone(SHANGHAI),
    )


def _reply_deadline(subject: str, term: Term) -> Deadline:
    return Deadline(
        kind=REPLY,
        subject=subject,
        start_at=term.start_at,
        limit=term.limit,
        due_at=term.due_at,
        warn_at=None,
        calendar_version=term.calendar_version,
    )


def noted_card(card: Card) -> Noted:
    """What the assessment takes points for, on the day of the card."""
    return Noted(
        kind=f"{card.colour}_card",
        unit_code=card.unit_code,
        on_day=card.issued_at.astimezone(SHANGHAI).date(),
        ref=str(card.id),
    )


def _listed(numbers: Sequence[str]) -> str:
    shown = "、".join(numbers[:_MOST_NUMBERS])
    return f"{shown}等{len(numbers)}件" if len(numbers) > _MOST_NUMBERS else shown or "（无）"
