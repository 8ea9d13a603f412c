"""What the hotline announces, one module a subject. No personal data in any."""

from tongban_hotline_dispatch.events import dispositions, handling, likeness, tickets

PUBLISHED = (*tickets.PUBLISHED, *handling.PUBLISHED, *likeness.PUBLISHED, *dispositions.PUBLISHED)
