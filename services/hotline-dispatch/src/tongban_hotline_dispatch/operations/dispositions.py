"""Instead of an ordinary assignment: guided by a unit, handed to an emergency line, evidenced."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from tongban_common import audit
from tongban_common.db import Transaction
from tongban_common.errors import BadInput, RuleViolation
from tongban_common.privacy import Sealer
from tongban_common.service import Kit
from tongban_hotline_dispatch.domain import handling
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.process import Disposition
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.events.dispositions import TicketGuided
from tongban_hotline_dispatch.operations.guard import named_unit, or_propose
from tongban_hotline_dispatch.operations.hot_issues import rules_of
from tongban_hotline_dispatch.operations.identity import note_evidence
from tongban_hotline_dispatch.operations.performing import Step, perform
from tongban_hotline_dispatch.operations.tickets import Registration, new_query_code, register
from tongban_hotline_dispatch.store import Complainant
from tongban_hotline_dispatch.store import evidence as store
from tongban_hotline_dispatch.store.evidence import Evidence
from tongban_hotline_dispatch.store.likeness import phone_key

EMERGENCY = "EMERGENCY"
UNRECORDED = "（一键转接，未记录内容）"


class NotForGuidance(RuleViolation):
    code = "disposition.not_for_guidance"


class NoEvidence(RuleViolation):
    code = "evidence.not_malicious"


class UnknownEvidenceReason(BadInput):
    code = "evidence.unknown_reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A person's tickets in clear, and the digest by which the file is known later."""

    rows: Sequence[Evidence]
    digest: str


def listed(rules: Rules) -> list[Disposition]:
    """What cannot wait first, then by code: the order of a stored document is none."""
    found = rules.process.dispositions.values()
    return sorted(found, key=lambda each: (not each.is_immediate, each.code))


async def guide(
    tx: Transaction, *, step: Step, unit_code: str, given: Disposition, rules: Rules, now: datetime
) -> Ticket:
    """仅供指导: the unit advises the person; nothing is assessed. Raises NotForGuidance."""
    if not given.may_guide:
        raise NotForGuidance(f"{given.name}不派单")
    to = await named_unit(tx, unit_code, now)

    def command(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
        return replace(handling.assign(ticket, to, rules, at), disposition=given.code)

    doing = perform(tx, step=step, command=command, rules=rules, now=now)
    ticket = await or_propose(tx, doing, rules)
    tx.publish(
        TicketGuided(
            occurred_at=now, ticket_id=ticket.id, unit_code=to.code, disposition=given.code
        )
    )
    return ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """一键转接: the line, and what is known of who called."""

    ticket_id: UUID
    line: str
    words: str
    person: Complainant
    actor: str


async def hand_over(
    tx: Transaction, *, call: Emergency, rules: Rules, sealer: Sealer, now: datetime
) -> Ticket:
    """The call is with the line already; this keeps the record. Raises UnknownReason."""
    new = Registration(
        ticket_id=call.ticket_id,
        query_code=new_query_code(),
        appeal=Appeal(
            channel=Channel.PHONE,
            channel_order_no=None,
            appeal_type=AppealType.HELP,
            urgency=Urgency.CRITICAL,
            matter_code=None,
            title=f"紧急警情转接{call.line}",
            content=call.words or UNRECORDED,
        ),
        person=call.person,
        actor=call.actor,
        disposition=EMERGENCY,
        line=call.line,
    )
    return await register(tx, new=new, rules=rules, sealer=sealer, now=now)


async def evidence(
    kit: Kit, *, ticket_id: UUID, reason: str, actor: str, rules: Rules, now: datetime
) -> Pack:
    """The tickets of whoever brought this one, in clear, for the police. Who took it, why and
    which file it was stand in the audit before anything leaves.

    Raises TicketNotFound, NoEvidence, UnknownEvidenceReason.
    """
    likeness = await rules_of(kit, now=now)
    if reason not in likeness.evidence_reasons:
        raise UnknownEvidenceReason(f"理由应为：{'、'.join(likeness.evidence_reasons)}")
    sealer = Sealer(kit.secret)
    async with kit.db.transaction() as tx:
        own = await store.one(tx.connection, ticket_id, sealer)
        given = rules.process.dispositions.get(own.disposition or "")
        if given is None or not given.makes_evidence:
            raise NoEvidence("只有恶意占用热线的工单可以导出证据")
        person = phone_key(sealer, own.person.phone)
        rows = [own] if person is None else await store.of_person(tx.connection, person, sealer)
        digest = hashlib.sha256(repr(rows).encode()).hexdigest()
        await audit.record(
            tx,
            actor=actor,
            action="evidence.taken_in_clear",
            subject=str(ticket_id),
            at=now,
            reason=reason,
            tickets=str(len(rows)),
            digest=digest,
        )
        await note_evidence(tx, taken=rows, about=ticket_id, actor=actor, reason=reason, now=now)
    return Pack(rows=rows, digest=digest)
