"""The use cases of exclusions: propose, hear, decide, draw a sample, look at it."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_common.http import check_version
from tongban_common.privacy import mask_text
from tongban_hotline_dispatch.domain import exclusions
from tongban_hotline_dispatch.domain.assessment import Standard
from tongban_hotline_dispatch.domain.assignment import Role
from tongban_hotline_dispatch.domain.exclusions import Act, Exclusion, Person, State
from tongban_hotline_dispatch.domain.periods import Period
from tongban_hotline_dispatch.domain.ticket import NotYourTicket
from tongban_hotline_dispatch.events import assessment as events
from tongban_hotline_dispatch.store import Tickets
from tongban_hotline_dispatch.store.exclusions import Audit, Exclusions, Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    ticket_id: UUID
    unit_code: str
    reason: str
    grounds: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Who acts on which proposal, and which version of it they saw."""

    exclusion_id: UUID
    by: Person
    seen_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Who draws, and by which seed: a number of public origin, or one drawn here."""

    by: str
    seed: str | None = None


async def propose(
    tx: Transaction, given: Proposal, *, by: Person, standard: Standard, now: datetime
) -> Exclusion:
    """申请: of the unit that has or had the ticket as lead; nothing personal is kept.

    Raises UnknownExclusionReason, EvidenceMissing, NotYourTicket, AlreadyProposed.
    """
    exclusions.check_proposal(given.reason, given.grounds, standard)
    ticket = await Tickets(tx).get(given.ticket_id)
    ticket.check_not_recused(by.subject)
    if not any(
        each.unit_code == given.unit_code and each.role is Role.LEAD for each in ticket.assignments
    ):
        raise NotYourTicket("该工单未由此单位主办")
    new = Exclusion(
        id=new_id(now),
        ticket_id=given.ticket_id,
        unit_code=given.unit_code,
        reason=given.reason,
        grounds=mask_text(given.grounds),
        evidence=tuple(mask_text(each) for each in given.evidence),
        proposed_by=by.subject,
        proposed_at=now,
    )
    await Exclusions(tx).add(new)
    tx.publish(events.ExclusionProposed(occurred_at=now, reason=new.reason, **_of(new)))
    return new


async def open_hearing(tx: Transaction, *, turn: Turn, on: date, now: datetime) -> Exclusion:
    moved = await _move(
        tx, turn, lambda found: found.open_hearing(on, by=turn.by), Act.OPEN_HEARING, now
    )
    tx.publish(events.ExclusionHearingOpened(occurred_at=now, hearing_on=on, **_of(moved)))
    return moved


async def hold_hearing(tx: Transaction, *, turn: Turn, record: str, now: datetime) -> Exclusion:
    kept = mask_text(record)
    moved = await _move(
        tx, turn, lambda found: found.hold_hearing(kept, by=turn.by), Act.HOLD_HEARING, now
    )
    tx.publish(events.ExclusionHearingHeld(occurred_at=now, **_of(moved)))
    return moved


async def approve(tx: Transaction, *, turn: Turn, standard: Standard, now: datetime) -> Exclusion:
    """Two people, one after the other. Raises SamePerson, OwnUnit, HearingNeeded."""
    found = await _get(tx, turn)
    moved = found.approve(by=turn.by, at=now, standard=standard)
    is_final = moved.state is State.APPROVED
    act = Act.APPROVE if is_final else Act.SECOND
    await Exclusions(tx).save(moved, act, by=turn.by.subject, at=now)
    if is_final:
        tx.publish(events.ExclusionApproved(occurred_at=now, reason=moved.reason, **_of(moved)))
    else:
        tx.publish(events.ExclusionSeconded(occurred_at=now, **_of(moved)))
    return moved


async def reject(tx: Transaction, *, turn: Turn, note: str, now: datetime) -> Exclusion:
    kept = mask_text(note)
    moved = await _move(
        tx, turn, lambda found: found.reject(kept, by=turn.by, at=now), Act.REJECT, now
    )
    tx.publish(events.ExclusionRejected(occurred_at=now, **_of(moved)))
    return moved


async def withdraw(tx: Transaction, *, turn: Turn, now: datetime) -> Exclusion:
    """By the unit that proposed it. Raises NotYourTicket."""

    def withdrawn(found: Exclusion) -> Exclusion:
        if turn.by.unit != found.unit_code and turn.by.subject != found.proposed_by:
            raise NotYourTicket("不是本单位的申请")
        return found.withdraw()

    moved = await _move(tx, turn, withdrawn, Act.WITHDRAW, now)
    tx.publish(events.ExclusionWithdrawn(occurred_at=now, **_of(moved)))
    return moved


async def draw(
    tx: Transaction, *, period: Period, lot: Lot, standard: Standard, now: datetime
) -> tuple[Audit, Sequence[UUID]]:
    """抽样, once for a period: what no earlier one drew. Raises AlreadyDrawn, NotBegun."""
    period.check_begun(now)
    population = await Exclusions(tx).approved_in(period)
    seed = secrets.token_hex(8) if lot.seed is None else lot.seed
    chosen = exclusions.sample(population, seed=seed, share=standard.audit_share)
    drawn = Audit(
        id=new_id(now),
        period_code=period.code,
        seed=seed,
        share=standard.audit_share,
        population=population,
        drawn_by=lot.by,
        drawn_at=now,
    )
    await Exclusions(tx).draw(drawn, chosen)
    tx.publish(
        events.ExclusionAuditDrawn(
            occurred_at=now,
            audit_id=drawn.id,
            period_code=period.code,
            seed=seed,
            population=len(population),
            exclusion_ids=tuple(chosen),
        )
    )
    return drawn, chosen


async def look_at(
    tx: Transaction, *, turn: Turn, is_right: bool, note: str, now: datetime
) -> Exclusion:
    """核查 by a third person; what is overturned counts from the next run on. Raises NotDrawn."""
    found = Finding(
        exclusion_id=turn.exclusion_id,
        is_right=is_right,
        note=mask_text(note),
        by=turn.by.subject,
        at=now,
    )
    act = Act.CONFIRM if is_right else Act.OVERTURN
    moved = await _move(tx, turn, lambda each: each.audit(is_right=is_right, by=turn.by), act, now)
    await Exclusions(tx).find(found)
    tx.publish(events.ExclusionAudited(occurred_at=now, is_right=is_right, **_of(moved)))
    return moved


async def _get(tx: Transaction, turn: Turn) -> Exclusion:
    found = await Exclusions(tx).get(turn.exclusion_id)
    if turn.seen_version is not None:
        check_version(expected=turn.seen_version, actual=found.version)
    return found


async def _move(
    tx: Transaction,
    turn: Turn,
    move: Callable[[Exclusion], Exclusion],
    act: Act,
    now: datetime,
) -> Exclusion:
    moved = move(await _get(tx, turn))
    await Exclusions(tx).save(moved, act, by=turn.by.subject, at=now)
    return moved


def _of(each: Exclusion) -> dict[str, UUID | str]:
    return {
        "exclusion_id": each.id,
        "ticket_id": each.ticket_id,
        "unit_code": each.unit_code,
    }
