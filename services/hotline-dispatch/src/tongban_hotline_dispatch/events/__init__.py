"""What the hotline announces, one module a subject. No personal data in any."""

from tongban_hotline_dispatch.events import callbacks, handling, reappraisals, tickets

PUBLISHED = (*tickets.PUBLISHED, *handling.PUBLISHED, *callbacks.PUBLISHED, *reappraisals.PUBLISHED)
