"""One ticket: all that happened, its clocks, its units, and the moves that this person may make."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData, UploadFile

from tongban_common.auth import NotPermitted, Principal, require
from tongban_common.errors import Refusal
from tongban_common.http import ChangedMeanwhile, Now, Reads, Route, Router
from tongban_common.privacy import Sealer
from tongban_common.problems import status_of
from tongban_common.service import Kit, Parts
from tongban_hotline_dispatch import operations, queries
from tongban_hotline_dispatch.domain.assignment import CONTACT_WAY_NAMES, Assignment
from tongban_hotline_dispatch.domain.attachments import GROUP_NAMES, FileGroup
from tongban_hotline_dispatch.domain.identity import OF_A_TICKET, SEEN_NAMES
from tongban_hotline_dispatch.domain.moves import STATUS_NAMES, IllegalMove
from tongban_hotline_dispatch.domain.particulars import FLAG_NAMES, KIND_NAMES
from tongban_hotline_dispatch.domain.ticket import NotYourTicket, Ticket
from tongban_hotline_dispatch.operations import Rules, Step, acts_for, attachments, viewer_of
from tongban_hotline_dispatch.operations.attachments import Upload, is_kept_back
from tongban_hotline_dispatch.pages.desks import pages
from tongban_hotline_dispatch.pages.forms import Options, Typed, read
from tongban_hotline_dispatch.pages.move_table import BY_PATH, offered
from tongban_hotline_dispatch.pages.moves import Acting, PageMove, Seen
from tongban_hotline_dispatch.pages.officers import in_hand
from tongban_hotline_dispatch.pages.supervision import chips_of, heading_of
from tongban_hotline_dispatch.pages.ticket_view import clock_lines, happened, last_act
from tongban_hotline_dispatch.store import TicketNotFound
from tongban_hotline_dispatch.store import supervision_reads as reading
from tongban_hotline_dispatch.store.attachments import Attachment, of_ticket
from tongban_hotline_dispatch.store.callback_reads import rounds
from tongban_hotline_dispatch.store.duty_phones import duty_phones
from tongban_hotline_dispatch.store.first_contacts import contacts_of
from tongban_hotline_dispatch.store.sign_offs import WHAT_NAMES, pending
from tongban_hotline_dispatch.store.ticket_story import joined, story

router = Router(prefix="/hotline/tickets")


class _WithFiles(Route):
    """A form that may bring files; without any it is a plain one."""

    takes_upload = True  # read by the edge


moves = Router(prefix="/hotline/tickets")
moves.route_class = _WithFiles
WITH_FILES = ("reply", "co-reply")
_SUPERVISIONS = 50
UNIT_GROUPS = (FileGroup.CREDENTIAL, FileGroup.CONTACT, FileGroup.HANDLING)
# Where a form of a desk leads back to: a word of the form never becomes an address by itself.
BACK = {
    "unit": "/hotline/desk/unit?said=done",
    "asks": "/hotline/desk/dispatch?tab=asks&said=done",
    "callbacks": "/hotline/desk/callbacks?said=done",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A move that was not made: why, and what was typed for it."""

    move: PageMove
    typed: Typed
    code: int
    message: str
    is_changed: bool = False  # by somebody else, meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Who looks at which ticket, and when."""

    request: Request
    kit: Kit
    who: Principal
    ticket_id: UUID
    now: datetime
    why: bool = False


@router.get("/{ticket_id}", response_class=HTMLResponse, include_in_schema=False)
async def ticket_page(
    request: Request,
    ticket_id: UUID,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:read"),
    said: Annotated[str, Query(max_length=20)] = "",
    why: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """`why`: with every running clock explained, as the day on a desk's list leads to."""
    look = Look(request=request, kit=kit, who=who, ticket_id=ticket_id, now=now, why=bool(why))
    return await _shown(look, flash={"done": "已办理"}.get(said))


@moves.post("/{ticket_id}/{move}", response_class=HTMLResponse, include_in_schema=False)
async def act(
    request: Request,
    ticket_id: UUID,
    move: str,
    now: Now,
    kit: Parts,
    version: Annotated[int, Form(ge=1, le=1_000_000)],
    who: Principal = require("ticket:read"),
) -> Response:
    """Every move of every form; each needs the permission that its API route needs."""
    wanted = BY_PATH.get(move)
    if wanted is None:
        raise TicketNotFound("没有这个办理事项")
    if not who.may(f"ticket:{wanted.permission}"):
        raise NotPermitted("您没有办理此操作的权限")
    form = await request.form()
    typed = read(wanted.fields, form)
    look = Look(request=request, kit=kit, who=who, ticket_id=ticket_id, now=now)
    if typed.faults:
        message = "填写的内容有误，没有提交"
        return await _shown(look, Refused(move=wanted, typed=typed, code=422, message=message))
    try:
        files = await _files(look, wanted, form)
        await _made(look, wanted, typed, version, files)
    except (TicketNotFound, NotYourTicket):
        raise
    except Refusal as refusal:
        return await _shown(look, _refused(wanted, typed, refusal))
    back = BACK.get(str(form.get("back", "")))
    return RedirectResponse(back or f"/hotline/tickets/{ticket_id}?said=done", status_code=303)


async def _files(look: Look, move: PageMove, form: FormData) -> list[Upload]:
    """What was handed in with an answer, looked at. Raises what is wrong with one."""
    if move.path not in WITH_FILES or not look.who.may("ticket:attach"):
        return []
    rules = await attachments.attachment_rules(look.kit, now=look.now)
    found = []
    for group in UNIT_GROUPS:
        for each in form.getlist(f"files_{group}"):
            if isinstance(each, UploadFile) and (each.filename or each.size):
                content = await each.read()
                name = each.filename or ""
                found.append(await attachments.looked_at(group, name, content, rules))
    return found


async def _made(
    look: Look, move: PageMove, typed: Typed, version: int, files: Sequence[Upload]
) -> Ticket:
    """In a transaction of its own: what is refused leaves nothing behind, and the page is shown."""
    rules = await operations.rules_at(look.kit, now=look.now)
    step = Step(
        ticket_id=look.ticket_id,
        actor=look.who.subject,
        unit=acts_for(look.who),
        seen_version=version,
    )
    attachment_rules = await attachments.attachment_rules(look.kit, now=look.now)
    async with look.kit.db.transaction() as tx:
        for each in files:
            await attachments.attach(
                tx,
                step=replace(step, seen_version=None),
                upload=each,
                rules=attachment_rules,
                sealer=Sealer(look.kit.secret),
                now=look.now,
            )
        acting = Acting(
            tx=tx,
            step=step,
            rules=rules,
            now=look.now,
            sealer=Sealer(look.kit.secret),
            who=look.who,
        )
        return await move.does(acting, dict(typed.values))


def _refused(move: PageMove, typed: Typed, refusal: Refusal) -> Refused:
    return Refused(
        move=move,
        typed=typed,
        code=status_of(type(refusal)),
        message=refusal.message,
        is_changed=isinstance(refusal, (ChangedMeanwhile, IllegalMove)),
    )


async def _shown(
    look: Look, refused: Refused | None = None, *, flash: str | None = None
) -> HTMLResponse:
    rules = await operations.rules_at(look.kit, now=look.now)
    async with look.kit.db.reading() as reads:
        context = await _context(reads, look, rules, refused)
    return pages.render(
        look.request,
        "ticket.html",
        status=200 if refused is None else refused.code,
        flash=flash,
        refused=refused,
        **context,
    )


async def _context(
    reads: Reads, look: Look, rules: Rules, refused: Refused | None
) -> dict[str, object]:
    unit = acts_for(look.who)
    ticket = await queries.one(reads, look.ticket_id, seen_by=viewer_of(look.who))
    rules = rules.pinned(ticket.process_version)
    years = await queries.imported_years(reads)
    units = dict(await queries.units(reads))
    told = await story(reads, ticket.id)
    files = await of_ticket(reads, ticket.id, Sealer(look.kit.secret))
    parent, children = await joined(reads, ticket.id, ticket.parent_id)
    seen = Seen(
        ticket=ticket,
        share=_share(ticket, unit),
        rules=rules,
        now=look.now,
        level=await queries.level_of(reads, unit),
    )
    sealer = Sealer(look.kit.secret)
    clocks = clock_lines(ticket, units, lambda term: term.explain(rules.calendar, years), look.now)
    return {
        "ticket": ticket,
        "share": seen.share,
        "units": units,
        "person": await queries.person(reads, ticket, Sealer(look.kit.secret), seen_by=unit),
        "details": await queries.details(reads, ticket, sealer, seen_by=unit),
        "kind_names": KIND_NAMES,
        "contacts": await contacts_of(
            reads, ticket.id, sealer, is_kept=ticket.hides_identity and unit is not None
        ),
        "way_names": CONTACT_WAY_NAMES,
        "flag_names": FLAG_NAMES,
        "supervisions": await _supervisions(reads, look, rules),
        "to_sign": await pending(reads, viewer_of(look.who), most=1, ticket_id=ticket.id)
        if unit is not None
        else (),
        "what_names": WHAT_NAMES,
        "duty_phone": await _duty_phone(reads, ticket, look),
        "in_hand": await in_hand(reads, ticket, look.who, look.now, sealer=sealer),
        "rounds": await rounds(reads, ticket.id),
        "hides_notes": ticket.hides_identity and unit is not None,
        "is_overdue": ticket.is_overdue(at=look.now),
        "clocks": list(clocks),
        "why": look.why,
        "happened": happened(told, units, rules.process),
        "files": _shown_files(files, ticket, unit),
        "file_groups": GROUP_NAMES,
        "upload_groups": _upload_groups(look.who, unit),
        "with_files": WITH_FILES if look.who.may("ticket:attach") else (),
        "parent": parent,
        "children": children,
        "moves": offered(seen, look.who),
        "options": options_of(units, rules),
        "process": rules.process,
        "view_reasons": _view_reasons(rules) if look.who.may("ticket:unmask") else (),
        "seen": tuple((each, SEEN_NAMES[each]) for each in OF_A_TICKET),
        "recusal_reasons": _recusal_reasons(rules),
        "may_name_target": look.who.may("ticket:intake"),
        "may_recuse": look.who.may("ticket:recuse"),
        "meanwhile": _meanwhile(refused, ticket, last_act(told)),
    }


async def _duty_phone(reads: Reads, ticket: Ticket, look: Look) -> str | None:
    """For the hub, where the unit that leads has no contact in post."""
    if ticket.unit_code is None or ticket.is_ended or acts_for(look.who) is not None:
        return None
    found = await duty_phones(
        reads,
        unit_code=ticket.unit_code,
        page=None,
        at=look.now,
        sealer=Sealer(look.kit.secret),
    )
    return next((each.phone for each in found if each.is_fallback), None)


async def _supervisions(reads: Reads, look: Look, rules: Rules) -> list[tuple[object, ...]]:
    """Newest first, each as its own list shows it."""
    known = rules.supervision
    if known is None or not look.who.may("supervision:read"):
        return []
    wanted = reading.Filters(seen_by=viewer_of(look.who), ticket_id=look.ticket_id)
    found = await reading.newest(reads, filters=wanted, most=_SUPERVISIONS)
    return [
        (each, heading_of(each, known), chips_of(each, look.now), known.cause_name(each.cause))
        for each in found
    ]


def _shown_files(
    files: Sequence[Attachment], ticket: Ticket, unit: str | None
) -> list[tuple[Attachment, bool]]:
    """Each with whether it is given out for a reason only; such are not for units at all."""
    marked = [(each, is_kept_back(each, ticket)) for each in files]
    return [(each, is_back) for each, is_back in marked if unit is None or not is_back]


def _upload_groups(who: Principal, unit: str | None) -> Options:
    if not who.may("ticket:attach"):
        return ()
    groups = UNIT_GROUPS if unit is not None else tuple(FileGroup)
    return tuple((each, GROUP_NAMES[each]) for each in groups)


def _share(ticket: Ticket, unit: str | None) -> Assignment | None:
    try:
        return ticket.share_of(unit)
    except NotYourTicket:
        return None


def _view_reasons(rules: Rules) -> Options:
    if rules.identity is None:
        return ()
    return tuple((each.code, each.name) for each in rules.identity.reasons.values())


def _recusal_reasons(rules: Rules) -> Options:
    return () if rules.identity is None else tuple(rules.identity.recusal_reasons.items())


def options_of(units: dict[str, str], rules: Rules) -> dict[str, Options]:
    """What the selects of the moves offer."""
    process = rules.process
    cannot = {} if rules.callback is None else rules.callback.current.cannot_reasons
    return {
        "cannot_reasons": tuple(cannot.items()),
        "units": tuple(units.items()),
        "pause_reasons": tuple(process.pause_reasons.items()),
        "reopen_reasons": tuple(process.reopen_reasons.items()),
        "no_redo_reasons": tuple(process.no_redo_reasons.items()),
        "dispositions": tuple((each.code, each.name) for each in process.dispositions.values()),
    }


def _meanwhile(refused: Refused | None, ticket: Ticket, last: str) -> str | None:
    """What to say where somebody else was first."""
    if refused is None or not refused.is_changed:
        return None
    return f"这张工单刚被他人办理过（{last}），现为“{STATUS_NAMES[ticket.status]}”"
