"""What a callback says to the evaluation service and to supervision. No personal data."""

from typing import ClassVar
from uuid import UUID

from tongban_common.events import Event
from tongban_hotline_dispatch.domain.callback import Mark
from tongban_hotline_dispatch.events.tickets import OfTicket


class RatingInvited(OfTicket):
    """邀评: there is a reply to rate; whoever rates by the invitation is not asked again."""

    type: ClassVar[str] = "tongban.hotline.rating-invited.v1"

    ticket_no: str
    unit_code: str


class CallbackRated(OfTicket):
    """诉求人自行评价不满意: the desk decides whether it is done again."""

    type: ClassVar[str] = "tongban.hotline.callback-rated.v1"

    unit_code: str
    review_id: UUID
    level: int
    result: Mark


PUBLISHED: tuple[type[Event], ...] = (RatingInvited, CallbackRated)
