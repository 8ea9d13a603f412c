"""What the hotline announces, one module a subject. No personal data in any."""

from tongban_common.events import Event
from tongban_hotline_dispatch.events import handling, supervision, tickets

PUBLISHED: tuple[type[Event], ...] = (
    *tickets.PUBLISHED,
    *handling.PUBLISHED,
    *supervision.PUBLISHED,
)
