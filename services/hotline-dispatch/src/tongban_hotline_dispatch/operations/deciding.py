"""What a person made of a suggestion: confirmed or corrected, kept masked, to learn from."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import orjson

from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_common.errors import RuleViolation
from tongban_common.privacy import Sealer, Signer
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.matters import Matter, MatterNotFound
from tongban_hotline_dispatch.domain.suggesting import Source
from tongban_hotline_dispatch.operations.matters import matter_in_force
from tongban_hotline_dispatch.operations.redaction import without_persons
from tongban_hotline_dispatch.operations.suggesting import Suggested
from tongban_hotline_dispatch.store import Tickets, Units
from tongban_hotline_dispatch.store.matters import matter_in, matter_version_at
from tongban_hotline_dispatch.store.routing import Decision, Decisions, Proposed, complainant_name

_PURPOSE = "routing suggestion"


class BadSuggestion(RuleViolation):
    code = "routing.bad_suggestion"


class NothingChosen(RuleViolation):
    code = "routing.nothing_chosen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a person chose for a ticket."""

    ticket_id: UUID
    matter_code: str | None
    unit_code: str | None
    actor: str


class Receipts:
    """A suggestion as a signed text: nothing is stored for it, and none can be made up."""

    def __init__(self, secret: str) -> None:
        self._signer = Signer(secret, purpose=_PURPOSE)

    def of(self, made: Suggested, *, now: datetime) -> str:
        matter = next(iter(made.suggestion.matters), None)
        unit = next(iter(made.suggestion.units), None)
        first = matter or unit
        told = {
            "at": now.isoformat(),
            "matter": matter and matter.code,
            "unit": unit and unit.code,
            "source": first and first.source,
            "confidence": first and round(first.confidence, 4),
            "with": dict(made.made_with),
        }
        return self._signer.token(orjson.dumps(told))

    def read(self, receipt: str, *, at: datetime, hours: int) -> Proposed:
        """Raises BadSuggestion for one that is not ours, or too old."""
        payload = self._signer.payload(receipt)
        if payload is None:
            raise BadSuggestion("派单建议的凭据无效")
        told = orjson.loads(payload)
        if at - datetime.fromisoformat(told["at"]) > timedelta(hours=hours):
            raise BadSuggestion(f"派单建议已超过{hours}小时，请重新获取")
        return Proposed(
            matter_code=told["matter"],
            unit_code=told["unit"],
            source=None if told["source"] is None else Source(told["source"]),
            confidence=None if told["confidence"] is None else Decimal(str(told["confidence"])),
            made_with=told["with"],
        )


async def decide(
    tx: Transaction,
    *,
    choice: Choice,
    proposed: Proposed | None,
    sealer: Sealer,
    now: datetime,
) -> Decision:
    """Raises NothingChosen, MatterNotInForce, UnitNotFound or TicketNotFound."""
    if choice.matter_code is None and choice.unit_code is None:
        raise NothingChosen("请选择事项或承办单位")
    ticket = await Tickets(tx).get(choice.ticket_id)
    ticket.check_not_recused(choice.actor)
    ticket.check_not_archived()
    today = now.astimezone(SHANGHAI).date()
    matter = await matter_in_force(tx, code=choice.matter_code, on=today)
    if choice.unit_code is not None:
        _, superiors = await Units(tx).active_with_superiors(choice.unit_code)
        ticket.check_not_accused(choice.unit_code, superiors)
    version = await matter_version_at(tx.connection, today)
    name = await complainant_name(tx, ticket.id, sealer)
    made = Decision(
        id=new_id(now),
        ticket_id=ticket.id,
        decided_at=now,
        actor=choice.actor,
        title=without_persons(ticket.appeal.title, name),
        content=without_persons(ticket.appeal.content, name),
        matter_version=version,
        matter_code=choice.matter_code,
        matter_path=() if matter is None else matter.path,
        unit_code=choice.unit_code,
        proposed=proposed,
        is_correction=await _is_correction(tx, choice, proposed, matter, version),
    )
    await Decisions(tx).add(made)
    return made


async def _is_correction(
    tx: Transaction,
    choice: Choice,
    proposed: Proposed | None,
    matter: Matter | None,
    version: int | None,
) -> bool | None:
    """A matter below the one proposed says the same more exactly, and corrects nothing."""
    if proposed is None or proposed.source is None:
        return None
    if proposed.unit_code and choice.unit_code and proposed.unit_code != choice.unit_code:
        return True
    if proposed.matter_code is None or choice.matter_code is None or matter is None:
        return bool(choice.matter_code) and proposed.matter_code != choice.matter_code
    try:
        head = (await matter_in(tx.connection, version, proposed.matter_code)).path
    except MatterNotFound:
        return True
    return matter.path[: len(head)] != head
