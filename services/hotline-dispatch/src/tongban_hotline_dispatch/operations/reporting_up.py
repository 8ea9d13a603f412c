"""What becomes of a ticket from above is kept to be pulled up, with the move that it tells of."""

from datetime import datetime

from tongban_common.db import Transaction
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.domain.upstream import Outcome, outcome
from tongban_hotline_dispatch.store.upstream import Report, add_report

_REPLIES = frozenset({Outcome.REPLIED, Outcome.CLOSED, Outcome.PHASED})


async def report_up(
    tx: Transaction, before: Ticket, after: Ticket, rules: Rules, now: datetime
) -> None:
    """In the transaction of the move: no outcome is without its report."""
    number = after.appeal.channel_order_no
    if number is None or rules.upstream is None:
        return
    told = outcome(before, after)
    if told is None or not rules.upstream.is_upper(after.appeal.channel):
        return
    report = Report(
        ticket_id=after.id,
        version=after.version,
        channel=after.appeal.channel,
        channel_order_no=number,
        outcome=told,
        words=_words(after, told, rules),
        unit_code=after.unit_code,
        promised_on=after.phase.promised_on.isoformat() if after.phase else None,
        at=now,
    )
    await add_report(tx, report)


def _words(after: Ticket, told: Outcome, rules: Rules) -> str | None:
    if told in _REPLIES:
        return after.reply
    if told is Outcome.ROUTED_OUT and after.disposition is not None:
        line = after.deed.facts.get("line") if after.deed else None
        given = rules.process.disposition(after.disposition)
        return given.told(line if isinstance(line, str) else None)
    return None
