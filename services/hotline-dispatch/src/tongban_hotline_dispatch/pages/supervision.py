"""What people look at of supervision: the list with its colours, one record with its notices."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tongban_common.auth import NotPermitted, Principal, require
from tongban_common.bodies import FreeText
from tongban_common.http import Now, Paged, Reads, Router, Tx
from tongban_common.privacy import mask_text
from tongban_common.service import Parts
from tongban_common.web import templates
from tongban_hotline_dispatch import operations, queries
from tongban_hotline_dispatch.domain.supervision import (
    DEED_NAMES,
    STATE_NAMES,
    Supervision,
    SupervisionState,
)
from tongban_hotline_dispatch.domain.supervision_cards import (
    CARD_STATE_NAMES,
    COLOUR_NAMES,
    Card,
    CardState,
)
from tongban_hotline_dispatch.domain.supervision_rules import (
    Kind,
    Level,
    SupervisionRules,
)
from tongban_hotline_dispatch.operations import Rules, acts_for, viewer_of
from tongban_hotline_dispatch.operations.supervision import SupervisionDesk, Visit
from tongban_hotline_dispatch.operations.supervision_timers import known
from tongban_hotline_dispatch.pages.desks import CARD_TONES
from tongban_hotline_dispatch.store import supervision_reads as reading
from tongban_hotline_dispatch.store.supervision import SupervisionNotFound

router = Router(prefix="/hotline/supervisions")
pages = templates("tongban_hotline_dispatch")
pages.environment.filters["mask_text"] = mask_text
_STATE = SupervisionState


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """The one form of every step, as it was filled in."""

    words: str | None
    card_id: UUID | None
    reason: str

    @property
    def card(self) -> UUID:
        """Raises SupervisionNotFound."""
        if self.card_id is None:
            raise SupervisionNotFound("没有这张牌")
        return self.card_id


Does = Callable[[SupervisionDesk, Filled], Awaitable[Supervision]]


@dataclass(frozen=True, slots=True)
class Move:
    """A button: what it does, who may press it, and in which state it is shown."""

    code: str
    name: str
    permission: str
    does: Does
    states: frozenset[SupervisionState] = frozenset()
    cards: frozenset[CardState] = frozenset()


def _on_card(*states: CardState) -> frozenset[CardState]:
    return frozenset(states)


MOVES: Mapping[str, Move] = {
    each.code: each
    for each in (
        Move(
            "answer",
            "回复",
            "supervision:answer",
            lambda d, f: d.answer(f.words or ""),
            frozenset({_STATE.ISSUED}),
        ),
        Move(
            "accept",
            "认可回复",
            "supervision:decide",
            lambda d, f: d.decide(is_accepted=True, note=f.words),
            frozenset({_STATE.ANSWERED}),
        ),
        Move(
            "reject",
            "退回回复",
            "supervision:decide",
            lambda d, f: d.decide(is_accepted=False, note=f.words),
            frozenset({_STATE.ANSWERED}),
        ),
        Move(
            "close",
            "办结",
            "supervision:decide",
            lambda d, f: d.close(f.words),
            frozenset({_STATE.ISSUED, _STATE.ACCEPTED}),
        ),
        Move(
            "approve",
            "批准移送",
            "accountability:decide",
            lambda d, f: d.judge_clue(is_approved=True, note=f.words),
            frozenset({_STATE.PROPOSED}),
        ),
        Move(
            "refuse",
            "不予移送",
            "accountability:decide",
            lambda d, f: d.judge_clue(is_approved=False, note=f.words),
            frozenset({_STATE.PROPOSED}),
        ),
        Move(
            "contest",
            "申诉",
            "card:contest",
            lambda d, f: d.contest(f.card, f.words or ""),
            cards=_on_card(CardState.VALID),
        ),
        Move(
            "uphold",
            "维持",
            "card:decide",
            lambda d, f: d.decide_card(f.card, is_revoked=False, words=f.words),
            cards=_on_card(CardState.CONTESTED),
        ),
        Move(
            "revoke",
            "撤销",
            "card:decide",
            lambda d, f: d.decide_card(f.card, is_revoked=True, words=f.words),
            cards=_on_card(CardState.CONTESTED),
        ),
        Move(
            "waive",
            "免除",
            "card:decide",
            lambda d, f: d.waive(f.card, reason=f.reason, words=f.words),
            cards=_on_card(CardState.VALID, CardState.CONTESTED, CardState.UPHELD),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Happened:
    """A line of the history as the timeline shows it."""

    at: datetime
    title: str
    actor: str


async def _rules_in_force(kit: Parts, now: Now) -> Rules:
    return await operations.rules_at(kit, now=now)


InForce = Annotated[Rules, Depends(_rules_in_force)]


def _filters(
    who: Principal = require("supervision:read"),
    level: Annotated[str, Query(max_length=4)] = "",
    state: Annotated[str, Query(max_length=20)] = "",
    unit: Annotated[str, Query(max_length=64)] = "",
) -> reading.Filters:
    """A form sends what was left open as an empty text."""
    return reading.Filters(
        seen_by=acts_for(who),
        unit_code=unit or None,
        level=Level(level) if level in set(Level) else None,
        state=_STATE(state) if state in set(_STATE) else None,
    )


@router.get("", response_class=HTMLResponse, include_in_schema=False)
async def supervision_list(
    request: Request,
    page: Paged,
    reads: Reads,
    now: Now,
    rules: InForce,
    filters: Annotated[reading.Filters, Depends(_filters)],
) -> HTMLResponse:
    found = await reading.lines(reads, filters=filters, page=page)
    units = dict(await queries.units(reads))
    last = found[-1] if len(found) == page.limit else None
    return pages.render(
        request,
        "supervision_list.html",
        supervisions=[
            (each, heading_of(each, known(rules)), chips_of(each, now)) for each in found
        ],
        unit_names=units,
        causes=known(rules).cause_name,
        states=STATE_NAMES,
        levels=_level_names(known(rules)),
        units=list(units.items()) if filters.seen_by is None else (),
        filters=filters,
        next_cursor=last and page.next_cursor(last.key),
    )


@router.get("/{supervision_id}", response_class=HTMLResponse, include_in_schema=False)
async def supervision_page(
    request: Request,
    supervision_id: UUID,
    reads: Reads,
    now: Now,
    kit: Parts,
    rules: InForce,
    who: Principal = require("supervision:read"),
    said: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    record = await reading.one(reads, supervision_id, viewer=viewer_of(who))
    one, used = record.supervision, known(rules)
    calendar = await kit.calendars.current()
    term = one.reply_term
    imported = await queries.imported_years(reads)
    return pages.render(
        request,
        "supervision_one.html",
        record=record,
        one=one,
        heading=heading_of(one, used),
        cause=used.cause_name(one.order.cause),
        states=STATE_NAMES,
        audiences=used.audiences,
        is_late=one.was_missed or (one.running is not None and one.running.has_run_out(at=now)),
        explanation=None if term is None else term.explain(calendar, imported),
        cards=[
            (
                each,
                COLOUR_NAMES[each.colour],
                CARD_TONES[each.colour] if each.counts else "neutral",
                CARD_STATE_NAMES[each.state],
                each.contest_due(calendar),
            )
            for each in record.cards
        ],
        card_moves=_card_moves(record.cards, who),
        card_options=[
            (str(each.id), f"{COLOUR_NAMES[each.colour]}（{record.unit_names[each.unit_code]}）")
            for each in record.cards
        ],
        waivers=[(code, each.name) for code, each in used.waivers.items()],
        moves=[each for each in MOVES.values() if one.state in each.states and _may(who, each)],
        happened=[Happened(each.at, DEED_NAMES[each.deed], each.actor) for each in record.history],
        flash={"done": "已办理"}.get(said),
    )


@router.post("/{supervision_id}/{move}", response_class=HTMLResponse, include_in_schema=False)
async def act(
    supervision_id: UUID,
    move: str,
    rules: InForce,
    tx: Tx,
    now: Now,
    version: Annotated[int, Form(ge=1, le=1_000_000)],
    text: Annotated[FreeText, Form(max_length=20_000)] = "",
    words: Annotated[FreeText, Form(max_length=2000)] = "",
    card_id: Annotated[UUID | None, Form()] = None,
    reason: Annotated[FreeText, Form(max_length=64)] = "",
    who: Principal = require("supervision:read"),
) -> Response:
    """One form for every step; each needs the permission that its API route needs."""
    chosen = MOVES.get(move)
    if chosen is None:
        raise SupervisionNotFound("没有这个办理事项")
    if not _may(who, chosen):
        raise NotPermitted("您没有办理此操作的权限")
    visit = Visit(
        supervision_id=supervision_id,
        actor=who.subject,
        unit=acts_for(who),
        seen_version=version,
    )
    filled = Filled(words=(text or words).strip() or None, card_id=card_id, reason=reason)
    await chosen.does(SupervisionDesk(tx, visit=visit, rules=rules, now=now), filled)
    return RedirectResponse(f"/hotline/supervisions/{supervision_id}?said=done", status_code=303)


def _may(who: Principal, move: Move) -> bool:
    return who.may(move.permission)


def _card_moves(cards: Sequence[Card], who: Principal) -> list[Move]:
    states = {each.state for each in cards}
    return [each for each in MOVES.values() if states & each.cards and _may(who, each)]


def _level_names(rules: SupervisionRules) -> list[tuple[str, str]]:
    return [(level.value, rule.name) for level, rule in rules.levels.items()]


def heading_of(one: Supervision | reading.SupervisionLine, rules: SupervisionRules) -> str:
    if one.kind is Kind.INSPECTION or one.level is None:
        form = one.order.form if isinstance(one, Supervision) else one.form
        return "督查" if form is None else f"督查（{rules.forms[form].name}）"
    return rules.levels[one.level].name


def chips_of(line: reading.SupervisionLine, now: datetime) -> list[tuple[str, str]]:
    late = [("逾期未回复", "danger")] if line.is_late(now) else []
    return [*((COLOUR_NAMES[each], CARD_TONES[each]) for each in line.colours), *late]
