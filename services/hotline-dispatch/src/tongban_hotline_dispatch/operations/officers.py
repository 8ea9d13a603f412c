"""Who of the unit works on its share of a ticket (经办人): taken in hand, and handed over."""

from datetime import datetime

from tongban_common.db import Transaction
from tongban_common.errors import Conflict
from tongban_hotline_dispatch.operations.performing import Step, locked
from tongban_hotline_dispatch.store.officers import SETTLED, Officers, Share


class NothingInHand(Conflict):
    code = "ticket.nothing_in_hand"


async def take_in_hand(tx: Transaction, *, step: Step, officer: str, now: datetime) -> None:
    """经办: this officer of the unit works on its share from now on; the hub names the lead's.

    Raises NotYourTicket, NothingInHand.
    """
    ticket = await locked(tx, step)
    ticket.check_not_recused(officer)
    if ticket.lead is None and step.unit is None:
        raise NothingInHand("该工单没有在办的承办单位")
    share = ticket.share_of(step.unit)
    if share.state in SETTLED:
        raise NothingInHand("该承办单已办结")
    held = Share(ticket_id=ticket.id, no=share.no)
    await Officers(tx).give([held], unit=share.unit_code, to=officer, by=step.actor, now=now)


async def hand_over(
    tx: Transaction, *, unit: str, from_: str, to: str, by: str, now: datetime
) -> int:
    """Every open share of the unit in one officer's hands goes to another's. Returns how many."""
    officers = Officers(tx)
    shares = await officers.open_of(unit, from_)
    await officers.give(shares, unit=unit, to=to, by=by, now=now)
    return len(shares)
