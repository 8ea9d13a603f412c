"""评价: the citizen's way from his ticket to its review, which the evaluation service keeps.

The hotline tells the digest of a key with the close; the citizen's page links to the review with
the key itself. No event and no member of staff has it, so nobody else can rate.
"""

import hashlib
from datetime import datetime
from uuid import UUID

from tongban_common.db import Transaction
from tongban_common.privacy import Signer
from tongban_hotline_dispatch.domain.citizens import may_be_rated
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.events.ratings import RatingOffered


class RatingKeys:
    def __init__(self, secret: str) -> None:
        self._signer = Signer(secret, purpose="rating")

    def link(self, ticket_id: UUID) -> str:
        """Of the review form; the evaluation service is behind the same address."""
        return f"/evaluation/t/{self._key(ticket_id)}"

    def digest(self, ticket_id: UUID) -> str:
        return hashlib.sha256(self._key(ticket_id).encode()).hexdigest()

    def _key(self, ticket_id: UUID) -> str:
        return self._signer.token(ticket_id.bytes)


def offer_rating(
    tx: Transaction, before: Ticket, after: Ticket, rules: Rules, now: datetime
) -> None:
    if rules.rating_digest is None or may_be_rated(before) or not may_be_rated(after):
        return
    digest = rules.rating_digest(after.id)
    tx.publish(RatingOffered(occurred_at=now, ticket_id=after.id, key_digest=digest))
