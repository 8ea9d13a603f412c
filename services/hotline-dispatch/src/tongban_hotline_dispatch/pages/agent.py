"""坐席台: a call becomes a ticket in under a minute, by the keyboard, with or without the script.

The form is posted to itself: to look (what is known of the caller and the matter), to take over
what is suggested, or to register. The script only looks more often.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from tongban_common.auth import Principal, require
from tongban_common.clock import new_id
from tongban_common.errors import Refusal
from tongban_common.http import Now, Router, no_store
from tongban_common.privacy import Sealer, Signer
from tongban_common.problems import status_of
from tongban_common.service import Kit, Parts
from tongban_common.web.filters import due_time
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations, queries
from tongban_hotline_dispatch.domain.assignment import Clock
from tongban_hotline_dispatch.domain.citizens import clocks_of
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.particulars import Flag
from tongban_hotline_dispatch.operations import Rules, Step, likeness, viewer_of
from tongban_hotline_dispatch.operations.counter import Wish, take_in
from tongban_hotline_dispatch.operations.deciding import Receipts
from tongban_hotline_dispatch.operations.likeness import Filed
from tongban_hotline_dispatch.pages.agent_form import (
    BLANK,
    FIELDS,
    Filling,
    checked,
    registration,
)
from tongban_hotline_dispatch.pages.agent_hints import Hinting, hints, is_about_anything
from tongban_hotline_dispatch.pages.desks import pages
from tongban_hotline_dispatch.pages.forms import Typed, read
from tongban_hotline_dispatch.pages.ticket_view import CLOCK_NAMES
from tongban_hotline_dispatch.store.counter import COUNTER, CounterPolicy
from tongban_hotline_dispatch.store.routing import ROUTING, Proposed

router = Router(prefix="/hotline/desk/agent")
BY_NAME = {each.name: each for each in FIELDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitting:
    """Who sits at the counter, over which form, and when."""

    request: Request
    kit: Kit
    who: Principal
    now: datetime
    policy: CounterPolicy
    form_id: UUID

    @property
    def hinting(self) -> Hinting:
        return Hinting(
            kit=self.kit,
            suggester=self.request.app.state.suggester,
            now=self.now,
            policy=self.policy,
            viewer=viewer_of(self.who),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What was typed, and what the button that was pressed asks for."""

    typed: Typed
    asks: Mapping[str, str]

    @property
    def is_a_look(self) -> bool:
        return bool({"look", "take_matter", "take_unit"} & self.asks.keys())

    def uuid(self, name: str) -> UUID | None:
        try:
            return UUID(self.asks[name])
        except (KeyError, ValueError):
            return None


@router.get("", response_class=HTMLResponse, include_in_schema=False)
async def agent_page(
    request: Request, now: Now, kit: Parts, who: Principal = require("ticket:register")
) -> Response:
    sitting = await _sitting(request, kit, who, now, new_id(now))
    return await _form(sitting, BLANK)


@router.post("/hints", response_class=HTMLResponse, include_in_schema=False)
async def agent_hints(
    request: Request, now: Now, kit: Parts, who: Principal = require("ticket:register")
) -> Response:
    """What stands beside the form, for the script."""
    sent, form_id = await _sent(request, kit, now)
    sitting = await _sitting(request, kit, who, now, form_id)
    page = pages.render(request, "agent_hints.html", found=await hints(sitting.hinting, sent.typed))
    no_store(page)
    return page


@router.post("", response_class=HTMLResponse, include_in_schema=False)
async def register(
    request: Request, now: Now, kit: Parts, who: Principal = require("ticket:register")
) -> Response:
    sent, form_id = await _sent(request, kit, now)
    sitting = await _sitting(request, kit, who, now, form_id)
    if sent.is_a_look:
        return await _form(sitting, sent.typed)
    urged = sent.uuid("urge")
    typed = sent.typed
    if urged is None:
        typed = checked(typed, sitting.policy.elements)
        if typed.faults:
            return await _form(sitting, typed, status=422)
    rules = await operations.rules_at(kit, now=now)
    try:
        filed = await _taken(sitting, replace(sent, typed=typed), urged, rules)
    except Refusal as refusal:
        return await _form(sitting, typed, status=status_of(type(refusal)), fault=refusal.message)
    return await _done(sitting, filed, rules, line=typed.raw.get("line") or None)


async def _taken(sitting: Sitting, sent: Sent, urged: UUID | None, rules: Rules) -> Filed:
    """In a transaction of its own: what is refused leaves nothing behind, and the form is shown."""
    now, actor = sitting.now, sitting.who.subject
    proposed = await _proposed(sitting, sent.asks.get("receipt", ""))
    async with sitting.kit.db.transaction() as tx:
        if urged is not None:
            step = Step(ticket_id=urged, actor=actor)
            facts = sent.typed.raw.get("content") or None
            ticket, repeats = await likeness.repeat(
                tx, step=step, new_facts=facts, rules=rules, now=now
            )
            return Filed(ticket=ticket, repeats=repeats)
        unit = sent.typed.values.get("unit_code")
        wish = Wish(
            parent_id=sent.uuid("merge_into") if sitting.who.may("ticket:merge") else None,
            unit_code=unit if isinstance(unit, str) else None,
            proposed=proposed,
            assigns="assign" in sent.asks and sitting.who.may("ticket:assign"),
        )
        filling = Filling(ticket_id=sitting.form_id, actor=actor)
        return await take_in(
            tx,
            new=registration(sent.typed, filling),
            wish=wish,
            rules=rules,
            sealer=Sealer(sitting.kit.secret),
            now=now,
        )


async def _proposed(sitting: Sitting, receipt: str) -> Proposed | None:
    """What was suggested; one that is not ours, or too old, is as if nothing had been."""
    policy = await sitting.kit.policy(ROUTING).at(sitting.now.astimezone(SHANGHAI).date())
    try:
        return Receipts(sitting.kit.secret).read(
            receipt, at=sitting.now, hours=policy.suggestion_hours.hours
        )
    except Refusal:
        return None


async def _sent(request: Request, kit: Kit, now: datetime) -> tuple[Sent, UUID]:
    form = await request.form()
    typed = read(FIELDS, form)
    known = {name: value for name, value in form.items() if isinstance(value, str)}
    asks = {name: value for name, value in known.items() if name not in BY_NAME}
    raw = dict(typed.raw)
    for button, name in (("take_matter", "matter_code"), ("take_unit", "unit_code")):
        if button in asks:
            raw[name] = asks[button]
    payload = _forms(kit).payload(asks.get("form", ""))
    form_id = UUID(bytes=payload) if payload and len(payload) == 16 else new_id(now)
    return Sent(typed=replace(typed, raw=raw), asks=asks), form_id


def _forms(kit: Kit) -> Signer:
    return Signer(kit.secret, purpose="agent form")


async def _sitting(
    request: Request, kit: Kit, who: Principal, now: datetime, form_id: UUID
) -> Sitting:
    policy = await kit.policy(COUNTER).at(now.astimezone(SHANGHAI).date())
    return Sitting(request=request, kit=kit, who=who, now=now, policy=policy, form_id=form_id)


async def _form(sitting: Sitting, typed: Typed, *, status: int = 200, fault: str = "") -> Response:
    rules = await operations.rules_at(sitting.kit, now=sitting.now)
    async with sitting.kit.db.reading() as reads:
        units = tuple(await queries.units(reads))
    found = await hints(sitting.hinting, typed) if is_about_anything(typed) else None
    dispositions = rules.process.dispositions.values()
    shown = pages.render(
        sitting.request,
        "agent.html",
        status=status,
        fields=BY_NAME,
        flag_fields=[f"flag_{each}" for each in Flag],
        typed=typed,
        faults=typed.faults if status == 422 and not fault else {},
        fault=fault,
        found=found,
        form=_forms(sitting.kit).token(sitting.form_id.bytes),
        options={
            "units": units,
            "dispositions": tuple((each.code, each.name) for each in dispositions),
            "lines": tuple(
                (line, f"{line} {name}")
                for each in dispositions
                for line, name in each.lines.items()
            ),
        },
        situations=[each for each in dispositions if each.situation],
        may_assign=sitting.who.may("ticket:assign"),
    )
    no_store(shown)
    return shown


async def _done(sitting: Sitting, filed: Filed, rules: Rules, *, line: str | None) -> Response:
    """The number, the code, and what to tell the caller: the one page that shows the code."""
    async with sitting.kit.db.reading() as reads:
        ticket = await queries.one(reads, filed.ticket.id, seen_by=viewer_of(sitting.who))
        years = await queries.imported_years(reads)
        units = dict(await queries.units(reads))
    shown = pages.render(
        sitting.request,
        "agent_done.html",
        ticket=ticket,
        filed=filed,
        told=_told(sitting.policy, replace(filed, ticket=ticket), rules, line),
        unit_name=units.get(ticket.unit_code or ""),
        target_name=units.get(ticket.target_unit or "", ticket.target_unit),
        clocks=[
            (CLOCK_NAMES[clock], term, term.explain(rules.calendar, years))
            for clock, term in clocks_of(ticket)
            if clock is Clock.SUPPLEMENT or filed.repeats is None
        ],
    )
    no_store(shown)
    return shown


def _told(policy: CounterPolicy, filed: Filed, rules: Rules, line: str | None) -> str:
    """In the words of the policy."""
    ticket, repeats = filed.ticket, filed.repeats
    kind, words, due = "accepted", "", None
    if repeats is not None:
        kind = "repeated"
    elif ticket.status is Status.ROUTED_OUT:
        kind = "routed_out"
        words = rules.process.disposition(ticket.disposition or "").told(line)
    elif ticket.status is Status.ANSWERED:
        kind, words = "answered", ticket.own_answer or ""
    elif ticket.status is Status.AWAITING_FACTS:
        kind, due = "awaiting_facts", ticket.stage
    elif ticket.citizen_term is None:
        kind = "no_reply"
    else:
        due = ticket.citizen_term
    return policy.told.words()[kind].format(
        ticket_no=ticket.ticket_no,
        query_code=ticket.query_code,
        due="" if due is None else due_time(due.due_at),
        words=words,
        repeats=repeats or "",
    )
