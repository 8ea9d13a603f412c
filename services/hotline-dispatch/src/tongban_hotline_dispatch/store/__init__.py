"""The tables of the hotline and the only writers to them."""

from tongban_hotline_dispatch.store.assessment import AssessmentNotFound, Assessments
from tongban_hotline_dispatch.store.assignments import assignment
from tongban_hotline_dispatch.store.attachments import attachment
from tongban_hotline_dispatch.store.bulletins import bulletin
from tongban_hotline_dispatch.store.callbacks import callback_task, ticket_review
from tongban_hotline_dispatch.store.complainants import Complainant, Complainants, complainant
from tongban_hotline_dispatch.store.contact_rounds import Rounds
from tongban_hotline_dispatch.store.contacts import Contacts
from tongban_hotline_dispatch.store.desks import board_tally
from tongban_hotline_dispatch.store.details import ticket_detail
from tongban_hotline_dispatch.store.dispatching import dispatch_catalogue, dispatch_rule
from tongban_hotline_dispatch.store.duty_phones import unit_duty_phone
from tongban_hotline_dispatch.store.exclusions import ExclusionNotFound, Exclusions
from tongban_hotline_dispatch.store.guard import ticket_guard
from tongban_hotline_dispatch.store.hot_issues import hot_issue
from tongban_hotline_dispatch.store.identity import identity_view
from tongban_hotline_dispatch.store.knowledge import Items
from tongban_hotline_dispatch.store.knowledge_duties import Duties
from tongban_hotline_dispatch.store.knowledge_index import SearchIndex
from tongban_hotline_dispatch.store.likeness import ticket_likeness
from tongban_hotline_dispatch.store.matters import matter, matter_catalogue
from tongban_hotline_dispatch.store.notes import Note, NoteKind, Notes, ticket_note
from tongban_hotline_dispatch.store.officers import Officers
from tongban_hotline_dispatch.store.open311 import open311_key, open311_news, open311_request
from tongban_hotline_dispatch.store.query_tries import query_try
from tongban_hotline_dispatch.store.reappraisals import reappraisal
from tongban_hotline_dispatch.store.reference import UnitNotFound, Units, metadata, unit
from tongban_hotline_dispatch.store.routing import routing_decision
from tongban_hotline_dispatch.store.supervision import supervision
from tongban_hotline_dispatch.store.supervision_cards import supervision_card
from tongban_hotline_dispatch.store.tickets import TicketNotFound, Tickets, ticket, ticket_move
from tongban_hotline_dispatch.store.upstream import upstream_push, upstream_report

__all__ = [
    "AssessmentNotFound",
    "Assessments",
    "Complainant",
    "Complainants",
    "Contacts",
    "Duties",
    "ExclusionNotFound",
    "Exclusions",
    "Items",
    "Note",
    "NoteKind",
    "Notes",
    "Officers",
    "Rounds",
    "SearchIndex",
    "TicketNotFound",
    "Tickets",
    "UnitNotFound",
    "Units",
    "assignment",
    "attachment",
    "board_tally",
    "bulletin",
    "callback_task",
    "complainant",
    "dispatch_catalogue",
    "dispatch_rule",
    "hot_issue",
    "identity_view",
    "matter",
    "matter_catalogue",
    "metadata",
    "open311_key",
    "open311_news",
    "open311_request",
    "query_try",
    "reappraisal",
    "routing_decision",
    "supervision",
    "supervision_card",
    "ticket",
    "ticket_detail",
    "ticket_guard",
    "ticket_likeness",
    "ticket_move",
    "ticket_note",
    "ticket_review",
    "unit",
    "unit_duty_phone",
    "upstream_push",
    "upstream_report",
]
