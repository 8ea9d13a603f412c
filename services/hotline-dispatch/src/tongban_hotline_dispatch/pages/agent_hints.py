"""What stands beside the agent's form: who calls, what was brought before, where it belongs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tongban_common.privacy import Sealer
from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.classifier import Guess, Message
from tongban_hotline_dispatch.domain.elements import ELEMENT_NAMES
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.matters import Matter
from tongban_hotline_dispatch.domain.repeats import (
    ADVICE_NAMES,
    REASON_NAMES,
    Advice,
    Earlier,
    Likely,
)
from tongban_hotline_dispatch.domain.suggesting import Candidate
from tongban_hotline_dispatch.operations import hot_issues, likeness
from tongban_hotline_dispatch.operations.counter import caller_matters
from tongban_hotline_dispatch.operations.deciding import Receipts
from tongban_hotline_dispatch.operations.likeness_index import matter_of
from tongban_hotline_dispatch.operations.suggesting import Suggester
from tongban_hotline_dispatch.pages.agent_form import asked_of, code_in, phone_in
from tongban_hotline_dispatch.pages.desks import pages
from tongban_hotline_dispatch.pages.forms import Typed
from tongban_hotline_dispatch.store import Complainant
from tongban_hotline_dispatch.store.counter import CounterPolicy
from tongban_hotline_dispatch.store.likeness import Connection
from tongban_hotline_dispatch.store.matters import MatterFilters, matter_version_at, matters


@dataclass(frozen=True, slots=True, kw_only=True)
class Hinting:
    """By what the hints are made."""

    kit: Kit
    suggester: Suggester
    now: datetime
    policy: CounterPolicy
    viewer: Viewer


@dataclass(frozen=True, slots=True)
class Offered:
    """A matter or a unit that may be right, with the words that decided."""

    code: str
    name: str
    candidate: Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    has_phone: bool
    caller: Sequence[Earlier]
    likely: Sequence[Likely]
    categories: Sequence[Guess] = ()
    matters: Sequence[Offered] = ()
    units: Sequence[Offered] = ()
    receipt: str = ""
    named: Sequence[Matter] = ()  # of the catalogue, by the words that were typed
    chosen: Matter | None = None
    required: Sequence[tuple[str, str]] = ()  # name and clause


def is_about_anything(typed: Typed) -> bool:
    return any(typed.raw.get(name) for name in ("phone", "title", "content", "matter_code"))


async def hints(by: Hinting, typed: Typed) -> Hints:
    words = [typed.raw.get(name, "") for name in ("title", "content")]
    async with by.kit.db.reading() as reads:
        chosen, named = await _catalogued(reads, by, typed)
        phone = phone_in(typed)
        found = Hints(
            has_phone=bool(phone),
            caller=await caller_matters(
                reads,
                phone,
                viewer=by.viewer,
                sealer=Sealer(by.kit.secret),
                most=by.policy.agent.caller_matters,
            ),
            likely=await _likely(reads, by, typed) if any(words) else (),
            named=named,
            chosen=chosen,
            required=_required(by, typed),
        )
    return await _with_suggestion(by, found, typed) if any(words) else found


async def _likely(reads: Connection, by: Hinting, typed: Typed) -> list[Likely]:
    rules = await hot_issues.rules_of(by.kit, now=by.now)
    person = Complainant(phone=phone_in(typed) or None, address=typed.raw.get("address") or None)
    matter = matter_of(
        typed.raw.get("title", ""),
        typed.raw.get("content", ""),
        code_in(typed),
        person,
        rules=rules,
        sealer=Sealer(by.kit.secret),
    )
    return await likeness.duplicates(reads, matter, rules, viewer=by.viewer, now=by.now)


async def _catalogued(
    reads: Connection, by: Hinting, typed: Typed
) -> tuple[Matter | None, Sequence[Matter]]:
    """The matter of the code that was typed, or those whose names have the words."""
    version = await matter_version_at(reads, by.now.astimezone(SHANGHAI).date())
    said = typed.raw.get("matter_code", "").strip()
    if version is None or not said:
        return None, ()
    code = code_in(typed)
    filters = MatterFilters(prefix=code) if code else MatterFilters(words=said, leaves_only=True)
    found = await matters(
        reads, version, filters, after=None, limit=by.policy.agent.matters_offered
    )
    chosen = next((each for each in found if each.code == code), None)
    return chosen, () if chosen is not None else found


def _required(by: Hinting, typed: Typed) -> list[tuple[str, str]]:
    asked = asked_of(typed)
    if asked is None:
        return []
    needed = by.policy.elements.needed(asked)
    return [(ELEMENT_NAMES[each.element], each.clause) for each in needed]


async def _with_suggestion(by: Hinting, found: Hints, typed: Typed) -> Hints:
    message = Message(typed.raw.get("title", ""), typed.raw.get("content", ""))
    place = typed.raw.get("address", "")[:64] or None
    made = await by.suggester.suggest(message, place=place, now=by.now)
    offered = made.suggestion
    return Hints(
        has_phone=found.has_phone,
        caller=found.caller,
        likely=found.likely,
        categories=offered.categories,
        matters=[
            Offered(each.code, made.matters[each.code].full_name, each) for each in offered.matters
        ],
        units=[Offered(each.code, made.units[each.code], each) for each in offered.units],
        receipt=Receipts(by.kit.secret).of(made, now=by.now),
        named=found.named,
        chosen=found.chosen,
        required=found.required,
    )


pages.environment.globals.update(
    reason_names=REASON_NAMES, advice_names=ADVICE_NAMES, advices=Advice
)
