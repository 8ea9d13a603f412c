"""What happens instead of or beside an ordinary assignment, as announced. No personal data."""

from typing import ClassVar

from pydantic import AwareDatetime

from tongban_common.events import Event
from tongban_hotline_dispatch.events.tickets import OfTicket


class TicketGuided(OfTicket):
    """指导性派单: to a unit for its advice only; not assessed. ticket-assigned says the rest."""

    type: ClassVar[str] = "tongban.hotline.ticket-guided.v1"

    unit_code: str
    disposition: str


class DutyOfficerAlerted(OfTicket):
    """特急: the duty officer is called; what is due first is the dispatch."""

    type: ClassVar[str] = "tongban.hotline.duty-officer-alerted.v1"

    ticket_no: str
    dispatch_due: AwareDatetime | None


PUBLISHED: tuple[type[Event], ...] = (TicketGuided, DutyOfficerAlerted)
