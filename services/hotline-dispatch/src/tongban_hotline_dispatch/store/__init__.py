"""The tables of the hotline and the only writers to them."""

from tongban_hotline_dispatch.store.assignments import assignment
from tongban_hotline_dispatch.store.callbacks import callback_task, ticket_review
from tongban_hotline_dispatch.store.complainants import Complainant, Complainants, complainant
from tongban_hotline_dispatch.store.notes import Note, NoteKind, Notes, ticket_note
from tongban_hotline_dispatch.store.open311 import open311_key, open311_news, open311_request
from tongban_hotline_dispatch.store.reappraisals import reappraisal
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
    "callback_task",
    "complainant",
    "metadata",
    "open311_key",
    "open311_news",
    "open311_request",
    "reappraisal",
    "ticket",
    "ticket_move",
    "ticket_note",
    "ticket_review",
    "unit",
]
