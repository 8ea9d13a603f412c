"""The end of a period: every window's card at once, and the announcement of all."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_scoring.domain.card import Paid, Scorecard, compute, rank
from tongban_scoring.domain.entries import Entry
from tongban_scoring.domain.period import Period
from tongban_scoring.domain.red_lines import Case
from tongban_scoring.events import FinishedCard, ScorecardsFinished
from tongban_scoring.operations.rules import Rules
from tongban_scoring.store.cards import Cards, WindowCard
from tongban_scoring.store.ledger import Ledger
from tongban_scoring.store.red_lines import RedLineCases
from tongban_scoring.store.reference import References


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """`period_id` is None when the period was finished before; nothing is done twice."""

    period_id: UUID | None
    scorecards: int


async def finish_period(
    tx: Transaction, *, period: Period, rules: Rules, now: datetime
) -> Finished:
    """结算: cards for the windows that handled anything or have an entry, ranked and graded.

    `rules` are those in force at `period.last_moment`.

    A fact of an earlier period that came to light after its end counts here (默认：补计入当期).
    """
    cards = Cards(tx)
    period_id = new_id(now)
    if not await cards.open_period(period_id, period, rules.book, now=now):
        return Finished(period_id=None, scorecards=0)
    ledger = Ledger(tx)
    entries = await ledger.countable(before=period.end)
    handled = await ledger.handled(period.starts_on, period.ends_on)
    units = await References(tx).unit_of_windows()
    reversed_ids = [each.reverses for each in entries if each.reverses is not None]
    paid = await cards.paid(reversed_ids)
    computed = _computed(entries, handled, rules, paid)
    ranked = _ranked(computed, handled, units, now)

    await cards.add(period_id, ranked)
    await _open_red_lines(tx, ranked, now)
    await ledger.mark_counted([each.id for each in entries], period.code)
    tx.publish(
        ScorecardsFinished(
            occurred_at=now,
            period_id=period_id,
            period_code=period.code,
            starts_on=period.starts_on.isoformat(),
            ends_on=period.ends_on.isoformat(),
            rule_book=rules.book.name,
            rule_book_version=rules.book.version,
            scorecards=tuple(_announced(each) for each in ranked),
        )
    )
    return Finished(period_id=period_id, scorecards=len(ranked))


async def _open_red_lines(tx: Transaction, ranked: Sequence[WindowCard], now: datetime) -> None:
    found = [(each, suspected) for each in ranked for suspected in each.card.red_line_cases]
    cases = [
        Case(
            id=new_id(now),
            red_line_id=suspected.red_line_id,
            label=suspected.label,
            window_code=each.window_code,
            staff_code=suspected.staff_code,
        )
        for each, suspected in found
    ]
    await RedLineCases(tx).add(cases, cards=[each.id for each, _ in found], now=now)


def _computed(
    entries: Sequence[Entry],
    handled: Mapping[str, int],
    rules: Rules,
    paid: Mapping[UUID, Paid],
) -> dict[str, Scorecard]:
    by_window: dict[str, list[Entry]] = defaultdict(list)
    for each in entries:
        by_window[each.window_code].append(each)
    return {
        window: compute(rules.book, by_window[window], paid)
        for window in sorted({*by_window, *handled})
    }


def _ranked(
    cards: Mapping[str, Scorecard],
    handled: Mapping[str, int],
    units: Mapping[str, str],
    now: datetime,
) -> list[WindowCard]:
    """A window that handled nothing is not ranked (默认：无办件的不参加排名)."""
    competing = [window for window in cards if handled.get(window, 0) > 0]
    standings = [cards[each].standing(handled[each]) for each in competing]
    places = dict(zip(competing, rank(standings), strict=True))
    return [
        WindowCard(
            id=new_id(now),
            window_code=window,
            unit_code=units.get(window, window),
            rank=places.get(window),
            handled=handled.get(window, 0),
            card=card,
        )
        for window, card in cards.items()
    ]


def _announced(each: WindowCard) -> FinishedCard:
    return FinishedCard(
        scorecard_id=each.id,
        window_code=each.window_code,
        unit_code=each.unit_code,
        score=f"{each.card.score.normalize():f}",
        grade=each.card.grade,
        rank=each.rank,
    )
