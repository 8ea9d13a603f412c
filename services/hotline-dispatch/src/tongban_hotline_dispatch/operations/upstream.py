"""Tickets pushed down by an upper platform (上级平台), and what goes back up."""

import json
from collections.abc import Sequence
from datetime import datetime

from tongban_common.db import Transaction
from tongban_common.errors import Conflict, RuleViolation
from tongban_common.privacy import Sealer
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.domain.upstream_rules import NotAPlatform, Platform, UpstreamRules
from tongban_hotline_dispatch.operations.tickets import Registration, register
from tongban_hotline_dispatch.store import Tickets
from tongban_hotline_dispatch.store.tickets import AlreadyTakenIn
from tongban_hotline_dispatch.store.upstream import (
    Pushed,
    acknowledge,
    add_push,
    pushed,
)


class NumberReused(Conflict):
    code = "upstream.number_reused"


class TooMany(RuleViolation):
    code = "upstream.too_many"


def upstream_of(rules: Rules) -> UpstreamRules:
    if rules.upstream is None:
        raise NotAPlatform("没有登记上级平台")
    return rules.upstream


def check_batch(rules: Rules, length: int) -> None:
    """Raises TooMany."""
    most = upstream_of(rules).most
    if length > most:
        raise TooMany(f"一次不超过{most}件", most=most)


async def push(
    tx: Transaction, *, new: Registration, rules: Rules, sealer: Sealer, now: datetime
) -> tuple[Ticket, bool]:
    """交办: the ticket, and whether it is new. The same message again leads to the same ticket;
    raises NumberReused when it says something else."""
    number = new.appeal.channel_order_no
    if number is None:
        raise AssertionError("what is pushed has its platform's number")
    digest = _digest(new, sealer)
    known = await pushed(tx, new.appeal.channel, number)
    if known is None:
        try:
            ticket = await register(tx, new=new, rules=rules, sealer=sealer, now=now)
        except AlreadyTakenIn:  # its twin was faster, and is committed
            known = await pushed(tx, new.appeal.channel, number)
            if known is None:
                raise
        else:
            await add_push(tx, ticket.id, digest=digest, at=now, by=new.actor)
            return ticket, True
    return await _again(tx, known, digest), False


async def acknowledged(
    tx: Transaction,
    *,
    platform: Platform,
    keys: Sequence[tuple[str, int]],
    rules: Rules,
    now: datetime,
) -> Sequence[tuple[str, int]]:
    """回执: what is acknowledged is not handed out again. Returns those that there are not."""
    check_batch(rules, len(keys))
    known = await acknowledge(tx, platform.channel, keys, now) if keys else set()
    return [each for each in keys if each not in known]


async def _again(tx: Transaction, known: Pushed, digest: bytes) -> Ticket:
    if known.digest is not None and known.digest != digest:
        raise NumberReused(
            "这个编号已交办过内容不同的诉求；补充情况请作补充，另一件诉求请用另一个编号"
        )
    return await Tickets(tx).get(known.ticket_id)


def _digest(new: Registration, sealer: Sealer) -> bytes:
    """Of all that was said; what the message leaves to us, such as the ids, is not in it."""
    appeal = new.appeal
    said = [
        appeal.appeal_type,
        appeal.urgency,
        appeal.matter_code,
        appeal.title,
        appeal.content,
        appeal.upstream_due and appeal.upstream_due.timestamp(),
        appeal.statutory_due and appeal.statutory_due.timestamp(),
        new.person.name,
        new.person.phone,
        new.person.address,
        new.wants_reply,
        new.wants_callback,
    ]
    if new.target_unit is not None or new.hides_identity is not None:  # else as it always was
        said += [new.target_unit, new.hides_identity]
    return sealer.index(json.dumps(said, ensure_ascii=False), context="upstream_push")
