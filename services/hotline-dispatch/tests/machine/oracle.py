"""When a term is due, counted by hand, and how a ticket differs from what it should be."""

from dataclasses import fields, replace
from datetime import date, datetime, timedelta

from tongban_common.working_days import SHANGHAI, Unit, WorkingCalendar
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.ticket import Ticket

_SECONDS = {Unit.MINUTES: 60, Unit.HOURS: 3600}


def counted_by_hand(calendar: WorkingCalendar, term: Term) -> datetime:
    """The start and what stood still do not count; a day ends at midnight, and natural days on a
    worked one (民法典第二百零三条). The longer of this and the law's, at most the platform's.
    """
    due = (_elapsed if term.limit.unit in _SECONDS else _days)(calendar, term)
    if term.floor_at is not None:
        due = max(due, term.floor_at)
    return due if term.cap_at is None else min(due, term.cap_at)


def _elapsed(_: WorkingCalendar, term: Term) -> datetime:
    stood_still = sum((each.to_at - each.from_at for each in term.pauses), timedelta())
    amount = timedelta(seconds=_SECONDS[term.limit.unit]) * term.limit.amount
    return term.start_at + amount + stood_still


def _days(calendar: WorkingCalendar, term: Term) -> datetime:
    """A pause takes the days from the one it began on up to the one it ended on."""
    pauses = [
        tuple(each.astimezone(SHANGHAI).date() for each in (pause.from_at, pause.to_at))
        for pause in term.pauses
    ]
    is_natural = term.limit.unit is Unit.NATURAL_DAYS
    day, left = term.start_at.astimezone(SHANGHAI).date(), term.limit.amount
    while left:
        day += timedelta(days=1)
        is_still = any(first <= day < last for first, last in pauses)
        left -= not is_still and (is_natural or is_worked(calendar, day))
    while is_natural and not is_worked(calendar, day):
        day += timedelta(days=1)
    return datetime(day.year, day.month, day.day, 23, 59, 59, 999999, tzinfo=SHANGHAI)


def is_worked(calendar: WorkingCalendar, day: date) -> bool:
    """From the notice's own lists, not by the calendar's tables."""
    year = calendar.in_force(day.year)
    if day.isoweekday() > 5:
        return day in year.working_weekends
    return day not in year.days_off


def differing(kept: Ticket, expected: Ticket) -> list[tuple[str, object, object]]:
    """What of the ticket is not as the model has it."""
    one, other = plain(kept), plain(expected)
    return [
        (each.name, getattr(one, each.name), getattr(other, each.name))
        for each in fields(Ticket)
        if getattr(one, each.name) != getattr(other, each.name)
    ]


def plain(ticket: Ticket) -> Ticket:
    """Its last deed is kept with the moves; what a request is grounded on is the form's."""
    shares = (
        replace(share, asks=tuple(replace(each, grounds={}) for each in share.asks))
        for share in ticket.assignments
    )
    return replace(ticket, deed=None, assignments=tuple(shares))
