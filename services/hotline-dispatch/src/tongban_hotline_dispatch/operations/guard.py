"""The dispatch guard: a unit never gets what is about itself, and who recused keeps away."""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime

from tongban_common.db import Transaction
from tongban_common.privacy import mask_text
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.assignment import Role
from tongban_hotline_dispatch.domain.guard import (
    AccusedUnit,
    AlreadyRecused,
    GuardAct,
    JoinedTicket,
    NotRecused,
    OwnRecusal,
)
from tongban_hotline_dispatch.domain.handling import ToUnit
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations.performing import Step, changeable, locked
from tongban_hotline_dispatch.store import Units
from tongban_hotline_dispatch.store.guard import GuardLine, Guards
from tongban_hotline_dispatch.store.reference import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Recusal:
    """Who is to keep away from a ticket, and why."""

    staff: str
    reason: str
    note: str | None = None


async def named_unit(
    tx: Transaction,
    code: str,
    now: datetime,
    *,
    role: Role = Role.LEAD,
    days: int | None = None,
) -> ToUnit:
    """Raises UnitNotFound."""
    reached = await Units(tx).reached(code, now.astimezone(SHANGHAI).date())
    return ToUnit(
        code=reached.unit.code,
        level=reached.unit.level,
        role=role,
        days=days,
        superiors=reached.superiors,
        by_duty_phone=reached.by_duty_phone,
    )


async def or_propose(tx: Transaction, doing: Awaitable[Ticket], rules: Rules) -> Ticket:
    """A refusal for the accused unit says who may get the ticket instead."""
    try:
        return await doing
    except AccusedUnit as refusal:
        raise await proposing(tx, refusal, rules) from None


async def proposing(tx: Transaction, refusal: AccusedUnit, rules: Rules) -> AccusedUnit:
    """第一个仍在的上级，或者规则所列的监督机构。"""
    target = str(refusal.facts["accused_unit"])
    oversight = () if rules.identity is None else rules.identity.oversight
    found = await _proposed(tx, target, oversight)
    instead = "、".join(each.name for each in found) or "热线管理机构指定的单位"
    return AccusedUnit(
        f"{refusal.message}；建议派给：{instead}",
        **{
            **refusal.facts,
            "proposed_units": [{"code": each.code, "name": each.name} for each in found],
        },
    )


async def name_target(
    tx: Transaction, *, step: Step, unit_code: str | None, reason: str, now: datetime
) -> Ticket:
    """被诉单位: from now on the unit and all below it neither see the ticket nor get it.

    Raises UnitNotFound, JoinedTicket, TicketArchived.
    """
    if unit_code is not None:
        await Units(tx).known(unit_code)
    ticket = await changeable(tx, step)
    if ticket.children or ticket.status is Status.MERGED:
        raise JoinedTicket("并单中的工单须先拆单，再改被诉单位")
    line = GuardLine(
        ticket_id=ticket.id,
        at=now,
        act=GuardAct.TARGET_NAMED,
        actor=step.actor,
        unit_code=unit_code,
        reason=mask_text(reason),
    )
    await Guards(tx).set_target(ticket.id, unit_code)
    await Guards(tx).add(line)
    return ticket.with_target(unit_code)


async def recuse(
    tx: Transaction, *, step: Step, wanted: Recusal, rules: Rules, now: datetime
) -> GuardLine:
    """回避: at once, and until it is lifted. Raises UnknownReason, AlreadyRecused.

    An archived ticket is not changed by it: who has a conflict of interest that came to light late
    sees it no more, all the same (济南市条例第三十二条).
    """
    if rules.identity is not None:
        rules.identity.recusal_reason(wanted.reason)
    ticket = await locked(tx, step)
    if wanted.staff in ticket.recused:
        raise AlreadyRecused("该人员已回避此工单")
    return await _noted(tx, ticket, step, GuardAct.RECUSED, wanted, now)


async def lift(tx: Transaction, *, step: Step, staff: str, reason: str, now: datetime) -> GuardLine:
    """解除回避, by somebody else. Raises NotRecused, OwnRecusal."""
    if staff == step.actor:
        raise OwnRecusal("本人的回避由他人决定解除")
    ticket = await locked(tx, step)
    if staff not in ticket.recused:
        raise NotRecused("该人员没有回避此工单")
    return await _noted(tx, ticket, step, GuardAct.LIFTED, Recusal(staff=staff, reason=reason), now)


async def _noted(
    tx: Transaction, ticket: Ticket, step: Step, act: GuardAct, of: Recusal, now: datetime
) -> GuardLine:
    kept = ticket.recused | {of.staff} if act is GuardAct.RECUSED else ticket.recused - {of.staff}
    line = GuardLine(
        ticket_id=ticket.id,
        at=now,
        act=act,
        actor=step.actor,
        staff=of.staff,
        reason=mask_text(of.reason),
        note=None if of.note is None else mask_text(of.note),
    )
    await Guards(tx).set_recused(ticket.id, sorted(kept))
    await Guards(tx).add(line)
    return line


async def _proposed(tx: Transaction, target: str, oversight: tuple[str, ...]) -> list[Unit]:
    """Active ones outside of what is accused, each once."""
    units = Units(tx)
    superior = await units.superior(target)
    wanted = [*([] if superior is None else [superior.code]), *oversight]
    found = []
    for code in dict.fromkeys(wanted):
        unit = await units.standing(code)
        if unit is not None and target not in {code, *(await units.superiors(code))}:
            found.append(unit)
    return found
