"""The tables of the hotline and the only writers to them."""

from tongban_hotline_dispatch.store.assignments import assignment
from tongban_hotline_dispatch.store.complainants import Complainant, Complainants, complainant
from tongban_hotline_dispatch.store.hot_issues import hot_issue
from tongban_hotline_dispatch.store.likeness import ticket_likeness
from tongban_hotline_dispatch.store.notes import Note, NoteKind, Notes, ticket_note
from tongban_hotline_dispatch.store.open311 import open311_key, open311_news, open311_request
from tongban_hotline_dispatch.store.reference import UnitNotFound, Units, metadata, unit
from tongban_hotline_dispatch.store.tickets import TicketNotFound, Tickets, ticket, ticket_move

__all__ = [
    "Complainant",
    "Complainants",
    "Note",
    "NoteKind",
    "Notes",
    "TicketNotFound",
    "Tickets",
    "UnitNotFound",
    "Units",
    "assignment",
    "complainant",
    "hot_issue",
    "metadata",
    "open311_key",
    "open311_news",
    "open311_request",
    "ticket",
    "ticket_likeness",
    "ticket_move",
    "ticket_note",
    "unit",
]
