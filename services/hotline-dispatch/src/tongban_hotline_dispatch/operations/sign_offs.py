"""分管领导审签 (hotline.md 3.3, rows 7 and 14): one writes it, and it goes as another signs it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from tongban_common import audit
from tongban_common.db import Transaction
from tongban_common.errors import Conflict, RuleViolation
from tongban_hotline_dispatch.domain.asking import NotAllowed, Request
from tongban_hotline_dispatch.domain.assignment import AskKind, Assignment, Reply, SignOff
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations.performing import Step, locked
from tongban_hotline_dispatch.operations.process import Desk
from tongban_hotline_dispatch.operations.tickets import reply
from tongban_hotline_dispatch.store.sign_offs import Draft, Drafts, What


class NothingToSign(Conflict):
    code = "sign_off.nothing"


class SamePerson(RuleViolation):
    code = "sign_off.same_person"


async def propose(
    tx: Transaction, *, step: Step, what: What, text: Mapping[str, Any], now: datetime
) -> Ticket:
    """送审签: kept with the share, in place of what had been written before. The clocks go on."""
    ticket = await locked(tx, step)
    share = ticket.share_of(step.unit)
    if not share.is_open:
        raise NotAllowed("已答复的工单无须再送审签")
    await Drafts(tx, ticket.id, share.no).put(Draft(what=what, by=step.actor, at=now, text=text))
    await audit.record(
        tx, actor=step.actor, action="sign_off.proposed", subject=str(ticket.id), at=now, what=what
    )
    return ticket


async def sign_off(tx: Transaction, *, step: Step, rules: Rules, now: datetime) -> Ticket:
    """审签: what was written is asked or answered as it stands, with who signed it off and when.

    Raises NothingToSign, SamePerson, and whatever the move itself raises.
    """
    ticket, share, draft = await _waiting(tx, step)
    if draft.by == step.actor:
        raise SamePerson("须由起草人以外的分管领导审签")
    await Drafts(tx, ticket.id, share.no).clear()
    signed = SignOff(by=step.actor, at=now)
    await audit.record(
        tx,
        actor=step.actor,
        action="sign_off.signed",
        subject=str(ticket.id),
        at=now,
        what=draft.what,
        by=draft.by,
    )
    if draft.what == "reply":
        answer = replace(_reply(draft.text), signed_off=signed)
        return await reply(tx, step=step, answer=answer, rules=rules, now=now)
    asked = Request(kind=AskKind.RETURN, by=draft.by, grounds=draft.text, signed_off=signed)
    return await Desk(tx, step=step, rules=rules, now=now).ask(asked)


async def refuse(tx: Transaction, *, step: Step, now: datetime) -> Ticket:
    """不予审签: it is taken back, and nothing leaves the unit."""
    ticket, share, draft = await _waiting(tx, step)
    await Drafts(tx, ticket.id, share.no).clear()
    await audit.record(
        tx,
        actor=step.actor,
        action="sign_off.refused",
        subject=str(ticket.id),
        at=now,
        what=draft.what,
        by=draft.by,
    )
    return ticket


async def _waiting(tx: Transaction, step: Step) -> tuple[Ticket, Assignment, Draft]:
    ticket = await locked(tx, step)
    share = ticket.share_of(step.unit)
    draft = await Drafts(tx, ticket.id, share.no).get()
    if draft is None:
        raise NothingToSign("没有待审签的内容")
    return ticket, share, draft


def _reply(text: Mapping[str, Any]) -> Reply:
    return Reply(
        internal=text["internal"] or text["text"],
        public=text["text"],
        citations=tuple(text["citations"]),
        evidence=tuple(text["evidence"]),
        is_resolved=text["is_resolved"],
    )
