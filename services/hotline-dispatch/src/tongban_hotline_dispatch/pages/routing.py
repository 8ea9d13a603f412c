"""The unit that is suggested for each ticket of the dispatcher's queue, and what he made of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tongban_common.db import Transaction
from tongban_common.http import Reads
from tongban_common.privacy import Sealer
from tongban_common.service import Parts
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.classifier import Message
from tongban_hotline_dispatch.operations.deciding import (
    BadSuggestion,
    Choice,
    Receipts,
    decide,
)
from tongban_hotline_dispatch.operations.suggesting import Suggester
from tongban_hotline_dispatch.store.routing import ROUTING, Proposed, told


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One unit, and why. Without a receipt it is the one that named itself on a return."""

    code: str
    name: str
    percent: int = 100
    words: Sequence[str] = ()
    basis: str = ""
    receipt: str = ""


async def proposals(
    reads: Reads, ticket_ids: Sequence[UUID], suggester: Suggester, kit: Parts, now: datetime
) -> Mapping[UUID, Proposal]:
    """By ticket, where there is one. A unit that the ticket is about is never proposed."""
    receipts, found = Receipts(kit.secret), {}
    for each in await told(reads, ticket_ids):
        message = Message(each.title, each.content)
        made = await suggester.suggest(message, place=None, now=now)
        first = next(iter(made.suggestion.units), None)
        if first is not None and first.code != each.target:
            found[each.id] = Proposal(
                code=first.code,
                name=made.units[first.code],
                percent=round(first.confidence * 100),
                words=first.words,
                basis=first.basis,
                receipt=receipts.of(made, now=now),
            )
    return found


@dataclass(frozen=True, slots=True)
class Seen:
    """The suggestions that a form was sent with."""

    receipts: Mapping[UUID, str]

    @classmethod
    def of(cls, sent: Iterable[str]) -> "Seen":
        """Each is a ticket's id, a colon and the receipt."""
        receipts = {}
        for each in sent:
            ticket_id, _, receipt = each.partition(":")
            try:
                receipts[UUID(ticket_id)] = receipt
            except ValueError:
                continue
        return cls(receipts)

    async def proposed(self, ticket_id: UUID, kit: Parts, now: datetime) -> Proposed | None:
        """Raises BadSuggestion for one that is not ours, or too old."""
        receipt = self.receipts.get(ticket_id)
        if receipt is None:
            return None
        policy = await kit.policy(ROUTING).at(now.astimezone(SHANGHAI).date())
        return Receipts(kit.secret).read(receipt, at=now, hours=policy.suggestion_hours.hours)

    async def keep(self, tx: Transaction, *, choice: Choice, kit: Parts, now: datetime) -> None:
        """What a classifier learns from; an old suggestion is none."""
        try:
            proposed = await self.proposed(choice.ticket_id, kit, now)
        except BadSuggestion:
            proposed = None
        await decide(tx, choice=choice, proposed=proposed, sealer=Sealer(kit.secret), now=now)
