"""What the hotline announces, one module a subject. No personal data in any."""

from tongban_hotline_dispatch.events import assessment, handling, tickets

PUBLISHED = (*tickets.PUBLISHED, *handling.PUBLISHED, *assessment.PUBLISHED)
