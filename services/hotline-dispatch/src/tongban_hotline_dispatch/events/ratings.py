"""That a closed ticket may be rated, and by whom: whoever shows the key of this digest."""

from typing import ClassVar

from tongban_common.events import Event
from tongban_hotline_dispatch.events.tickets import OfTicket


class RatingOffered(OfTicket):
    """The citizen's page links to the review with a key; its digest lets nobody review."""

    type: ClassVar[str] = "tongban.hotline.rating-offered.v1"

    key_digest: str


PUBLISHED: tuple[type[Event], ...] = (RatingOffered,)
