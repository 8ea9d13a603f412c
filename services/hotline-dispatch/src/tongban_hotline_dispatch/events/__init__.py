"""What the hotline announces, one module a subject. No personal data in any."""

from tongban_hotline_dispatch.events import contacts, handling, knowledge, tickets

PUBLISHED = (
    *tickets.PUBLISHED,
    *handling.PUBLISHED,
    *contacts.PUBLISHED,
    *knowledge.PUBLISHED,
)
