"""What the hotline announces, one module a subject. No personal data in any."""

from tongban_common.events import Event
from tongban_hotline_dispatch.events import (
    assessment,
    callbacks,
    contacts,
    dispositions,
    handling,
    knowledge,
    likeness,
    ratings,
    reappraisals,
    supervision,
    tickets,
)

PUBLISHED: tuple[type[Event], ...] = (
    *tickets.PUBLISHED,
    *handling.PUBLISHED,
    *callbacks.PUBLISHED,
    *reappraisals.PUBLISHED,
    *contacts.PUBLISHED,
    *knowledge.PUBLISHED,
    *supervision.PUBLISHED,
    *likeness.PUBLISHED,
    *dispositions.PUBLISHED,
    *assessment.PUBLISHED,
    *ratings.PUBLISHED,
)
