"""What a move of a page is: whose, when it is offered, what it asks for, what it does.

Whether one is offered now is asked of the transition tables; when it comes, the domain decides.
The rows are in move_table.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tongban_common.auth import Principal
from tongban_common.db import Transaction
from tongban_common.privacy import Sealer
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.asking import Decision, Request, latest_extension
from tongban_hotline_dispatch.domain.assignment import AskKind, Assignment, Reply, Role
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved
from tongban_hotline_dispatch.domain.moves import Act
from tongban_hotline_dispatch.domain.process_tables import ASSIGNMENT, TICKET
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import Desk, Step
from tongban_hotline_dispatch.operations.callbacks import CallbackDesk
from tongban_hotline_dispatch.pages.forms import Field
from tongban_hotline_dispatch.store import TicketNotFound
from tongban_hotline_dispatch.store.desk_lists import id_of

Said = dict[str, Any]  # a form's values by name: each move knows the types of its own fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """Somebody's step, in a transaction of its own."""

    tx: Transaction
    step: Step
    rules: Rules
    now: datetime
    sealer: Sealer
    who: Principal

    @property
    def desk(self) -> Desk:
        return Desk(self.tx, step=self.step, rules=self.rules, now=self.now)

    @property
    def calls(self) -> CallbackDesk:
        return CallbackDesk(self.tx, step=self.step, rules=self.rules, now=self.now)

    async def assign(self, unit_code: str, *, forced: bool = False) -> Ticket:
        return await operations.assign(
            self.tx,
            step=self.step,
            unit_code=unit_code,
            rules=self.rules,
            now=self.now,
            forced=forced,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The ticket as somebody sees it, with the share that is his."""

    ticket: Ticket
    share: Assignment | None  # of his unit; of the lead, for the hub
    rules: Rules
    now: datetime
    level: str | None = None  # of his unit


Does = Callable[[Acting, Said], Awaitable[Ticket]]
When = Callable[[Seen], bool]


def _always(_: Seen) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class PageMove:
    path: str
    name: str
    permission: str
    act: Act
    does: Does
    fields: tuple[Field, ...] = ()
    on_share: bool = False  # legal in the table of assignments, too
    when: When = _always
    buttons: tuple[tuple[str, str, str], ...] = ()  # name, value, label, where one is not enough
    is_main: bool = False  # opened at once

    def is_offered(self, seen: Seen, who: Principal) -> bool:
        if not who.may(f"ticket:{self.permission}"):
            return False
        if self.act not in TICKET.legal(seen.ticket.status):
            return False
        if self.on_share and not self._fits(seen.share):
            return False
        return self.when(seen)

    def _fits(self, share: Assignment | None) -> bool:
        return share is not None and self.act in ASSIGNMENT.legal(share.state)


def _reply(said: Said) -> Reply:
    return Reply(
        internal=said["internal"] or said["text"],
        public=said["text"],
        citations=said["citations"],
        evidence=said["evidence"],
        is_resolved=said["is_resolved"] != "no",
    )


_ANSWERED = {"yes": True, "no": False}


def heard(said: Said) -> Heard:
    return Heard(
        resolved=Resolved(said["resolved"]),
        result=Mark(said["result"]),
        process=Mark(said["process"]),
        no_redo=said["no_redo"],
        note=said["note"],
        replied=_ANSWERED.get(said["replied"] or ""),
    )


async def answer(acting: Acting, said: Said) -> Ticket:
    return await operations.reply(
        acting.tx, step=acting.step, answer=_reply(said), rules=acting.rules, now=acting.now
    )


async def sign(acting: Acting, _: Said) -> Ticket:
    return await operations.sign(acting.tx, step=acting.step, rules=acting.rules, now=acting.now)


async def close(acting: Acting, _: Said) -> Ticket:
    return await operations.close(acting.tx, step=acting.step, rules=acting.rules, now=acting.now)


async def merge(acting: Acting, said: Said) -> Ticket:
    parent_id = await id_of(acting.tx.connection, said["parent_no"])
    if parent_id is None:
        raise TicketNotFound("没有这个编号的主单")
    return await acting.desk.merge(parent_id)


def asking(kind: AskKind) -> Does:
    async def ask(acting: Acting, said: Said) -> Ticket:
        grounds = {
            name: value.isoformat() if hasattr(value, "isoformat") else value
            for name, value in said.items()
            if name != "is_signed_off"
        }
        request = Request(
            kind=kind,
            by=acting.who.subject,
            grounds=grounds,
            is_signed_off=said["is_signed_off"],
        )
        return await acting.desk.ask(request)

    return ask


def deciding(kind: AskKind) -> Does:
    async def decide(acting: Acting, said: Said) -> Ticket:
        decision = Decision(
            kind=kind,
            is_granted=said["granted"] == "yes",
            by=acting.who.subject,
            note=said["note"] or "",
            is_told=bool(said.get("is_told")),
            by_center=acting.who.may("ticket:center"),
        )
        return await acting.desk.decide(decision)

    return decide


def is_lead(seen: Seen) -> bool:
    return seen.share is not None and seen.share.role is Role.LEAD


def is_co(seen: Seen) -> bool:
    return seen.share is not None and not is_lead(seen)


def may_whistle(seen: Seen) -> bool:
    """A town, whoever leads: for the lead it is among its other moves."""
    whistle = seen.rules.process.whistle
    if whistle is None or seen.share is None or not seen.share.is_open:
        return False
    return is_co(seen) and seen.level in whistle.levels


def is_whistled(seen: Seen) -> bool:
    """Called to the spot, and not there yet."""
    share = seen.share
    return share is not None and share.report_term is not None and share.reported_at is None


def unsigned(seen: Seen) -> bool:
    return seen.share is not None and seen.share.signed_at is None


def may_ask(seen: Seen) -> bool:
    return seen.share is not None and seen.share.is_open and seen.share.asking is None


def lead_may_ask(seen: Seen) -> bool:
    return is_lead(seen) and may_ask(seen)


def may_return(seen: Seen) -> bool:
    share = seen.share
    if share is None or share.is_forced or share.return_term.has_run_out(at=seen.now):
        return False
    return lead_may_ask(seen)


def may_extend(seen: Seen) -> bool:
    share = seen.share
    if share is None or seen.now > latest_extension(share.reply_term, seen.rules):
        return False
    return may_ask(seen) and seen.rules.process.may_extend(seen.ticket.appeal)


def asked_for(kind: AskKind) -> When:
    return lambda seen: any(
        each.asking is not None and each.asking.kind is kind for each in seen.ticket.assignments
    )


def forces(seen: Seen) -> bool:
    """Whether the next assignment is by designation anyhow."""
    return seen.ticket.returns >= seen.rules.process.counts.returns_before_forced


def is_exempt(seen: Seen) -> bool:
    return seen.ticket.exemption(seen.rules.process) is not None


def calls_back(seen: Seen) -> bool:
    """Nobody is called before it opens, or when they rated it themselves."""
    current = seen.ticket.callback
    if current is None or current.is_done or current.own is not None:
        return False
    return current.opened_at <= seen.now


def decides_review(seen: Seen) -> bool:
    current = seen.ticket.callback
    return current is not None and not current.is_done and current.own is not None


def may_give_up(seen: Seen) -> bool:
    current = seen.ticket.callback
    if current is None or seen.rules.callback is None or not calls_back(seen):
        return False
    least = seen.rules.process.counts.callback_attempts
    wanted = seen.rules.callback.of(current).attempts
    return wanted.are_enough(current.attempts, least=least)
