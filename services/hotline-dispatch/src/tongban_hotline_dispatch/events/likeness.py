"""Matters brought again, and hot issues, as the hotline announces them. No personal data."""

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from tongban_common.events import Event
from tongban_hotline_dispatch.events.tickets import OfTicket

HOT_ISSUE = "tongban.hotline.hot-issue.v1"


class TicketRepeated(OfTicket):
    """重复反映: the citizen brought it again; the unit is urged."""

    type: ClassVar[str] = "tongban.hotline.ticket-repeated.v1"

    unit_code: str | None
    repeats: int
    has_new_facts: bool


class TicketLinked(OfTicket):
    """再次反映: it takes up a ticket that was closed not long ago."""

    type: ClassVar[str] = "tongban.hotline.ticket-linked.v1"

    earlier_id: UUID


class HotIssueRaised(Event):
    """热点: the heat of an issue passed what the policy sets. The issue says which tickets."""

    type: ClassVar[str] = "tongban.hotline.hot-issue-raised.v1"
    topic: ClassVar[str] = HOT_ISSUE
    key: ClassVar[str] = "issue_id"

    issue_id: UUID
    heat: int
    tickets: int
    people: int
    votes: int
    before: int
    first_at: AwareDatetime


PUBLISHED: tuple[type[Event], ...] = (TicketRepeated, TicketLinked, HotIssueRaised)
