"""Any walk of any tickets, counted in SQL, against the same counted from what each step left."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from tongban_common.errors import Refusal
from tongban_common.service import Kit
from tongban_hotline_dispatch.domain.appeal import AppealType
from tongban_hotline_dispatch.domain.assignment import AskKind, Assignment, Role
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved
from tongban_hotline_dispatch.domain.moves import Act, State, Status
from tongban_hotline_dispatch.domain.periods import Period
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.store import Complainant
from tongban_hotline_dispatch.store.assessment import assessment_figure

from .building import BAD, FAIR, GOOD, LATER, NOW, PERSON, SETTLED, Case, Computed

GROUP = {"A3": "county", "A7": "department", "T1": "town"}
Total = tuple[str, str, str, str]  # group, unit, type, measure
Totals = dict[Total, tuple[int, int]]


@dataclass
class Walk:
    """One ticket, and how it stood after each step."""

    case: Case
    log: list[tuple[datetime, Ticket]] = field(default_factory=list)


async def step(walk: Walk, name: str, at: datetime) -> None:
    case = walk.case
    heard = {"good": GOOD, "fair": FAIR, "bad": BAD, "settled": SETTLED}
    asks = {
        "returns": (AskKind.RETURN, True),
        "keeps": (AskKind.RETURN, False),
        "extends": (AskKind.EXTENSION, True),
        "suspends": (AskKind.SUSPENSION, True),
        "ends": (AskKind.TERMINATION, True),
    }
    if name in heard:
        await case.desk(at, lambda desk: desk.call_back(heard[name]))
    elif name in asks:
        kind, granted = asks[name]
        await case.ask(at, kind, granted=granted)
    elif name in {"A3", "A7", "T1"}:
        await case.assign(at, name)
    elif name == "replies":
        await case.reply(at)
    elif name == "admits":
        await case.reply(at, is_resolved=False)
    elif name == "signs":
        await case.sign(at)
    elif name == "contacts":
        await case.contact(at)
    else:
        moves: Mapping[str, Any] = {
            "transfers": lambda desk: desk.transfer("A7"),
            "passes": lambda desk: desk.pass_review(),
            "fails": lambda desk: desk.fail_review(),
            "withdraws": lambda desk: desk.withdraw(),
            "resumes": lambda desk: desk.resume(),
            "escalates": lambda desk: desk.escalate("OVERDUE"),
            "reopens": lambda desk: desk.reopen("NEW_FACTS"),
        }
        await case.desk(at, moves[name])


ANSWERED = ("signs", "contacts", "replies", "passes")
# What tends to happen together, and what may come in between.
PARTS = [
    *((*ANSWERED, heard) for heard in ("good", "fair", "settled")),
    *((*ANSWERED, "bad") for _ in range(3)),
    ("replies", "passes", "bad"),
    ("signs", "admits", "passes", "settled"),
    ("replies", "fails"),
    ("signs", "suspends"),
    ("signs", "keeps"),
    ("signs", "extends"),
    ("returns", "A3"),
    ("escalates", "T1"),
    ("reopens", "A7"),
    *((name,) for name in ("signs", "contacts", "transfers", "resumes", "ends", "withdraws")),
]
PART = st.tuples(st.sampled_from(PARTS), st.sampled_from([1, 24, 100, 300]))
TICKET = st.tuples(
    st.sampled_from(sorted(GROUP)),
    st.sampled_from([AppealType.HELP, AppealType.COMPLAINT]),
    st.sampled_from([PERSON, PERSON, PERSON, Complainant(name="无名")]),
    st.lists(PART, max_size=4),
)


def transitions(
    walk: Walk, no: int
) -> Iterator[tuple[datetime, Act | None, Assignment, Assignment, Ticket]]:
    """What each step did to one assignment."""
    for (_, before), (at, after) in zip(walk.log, walk.log[1:], strict=False):
        if after is not before and len(before.assignments) >= no:  # nothing was done if refused
            act = None if after.deed is None else after.deed.act
            yield at, act, before.assignment(no), after.assignment(no), after


@dataclass
class Share:
    """One lead's assignment by what was seen of it."""

    now: Assignment
    due: datetime
    replied_at: datetime | None = None
    gone_at: datetime | None = None
    reworks: int = 0
    heard: Heard | None = None
    false_resolved: int = 0


def seen(walk: Walk, share: Assignment) -> Share:
    found = Share(now=share, due=share.reply_term.due_at)
    for at, act, was, became, ticket in transitions(walk, share.no):
        if became.state is State.REPLIED and act is Act.REPLY and found.replied_at is None:
            found.replied_at, found.due = at, was.reply_term.due_at
        if was.state is State.REPLIED and became.state is State.REWORK:
            found.reworks += 1
        if not became.is_live and was.is_live:
            found.gone_at = at
        is_heard = act is Act.CALL_BACK and ticket.callback is not None
        if is_heard and was.is_live and ticket.callback is not None:
            found.heard = ticket.callback.heard
            claims = was.state is State.REPLIED and was.reply is not None and was.reply.is_resolved
            if claims and found.heard is not None and found.heard.resolved is Resolved.NO:
                found.false_resolved += 1
    return found


def counts(share: Share, ticket: Ticket) -> dict[str, tuple[int, int]]:
    now = share.now
    heard = share.heard
    on_time = share.replied_at is not None and share.replied_at <= share.due
    signed = now.signed_at is not None and now.signed_at <= now.sign_term.due_at
    rejected = sum(a.kind is AskKind.RETURN and a.is_granted is False for a in now.asks)
    contacted = (
        now.contacted_at is not None
        and now.contact_term is not None
        and now.contacted_at <= now.contact_term.due_at
    )
    found = {
        "exclusion_rate": (0, 1),
        "on_time_sign_rate": (int(signed), 1),
        "on_time_close_rate": (int(on_time), 1),
        "return_rate": (rejected, 1),
        "extension_rate": (int(now.extensions > 0), 1),
    }
    if heard is not None:
        found["response_rate"] = (int(contacted), 1)
        found["resolution_rate"] = (int(heard.resolved is not Resolved.NO), 1)
        found["satisfaction_rate"] = (int(heard.result is not Mark.DISSATISFIED), 1)
    if now.state is State.DONE:
        found["first_time_close_rate"] = (int(share.reworks == 0), 1)
        found["rework_rate"] = (int(share.reworks > 0), 1)
    tallies = {
        "overdue": int(not on_time),
        "return_rejected": rejected,
        "false_resolved": share.false_resolved,
    }
    return found | {name: (count, 0) for name, count in tallies.items() if count}


def of_walk(walk: Walk, period: Period) -> Iterator[tuple[str, str, dict[str, tuple[int, int]]]]:
    ticket = walk.log[-1][1]
    leads = [each for each in ticket.assignments if each.role is Role.LEAD]
    for lead in leads:
        share = seen(walk, lead)
        if not period.starts_at <= share.due < period.ends_at or share.due > LATER:
            continue
        is_last = lead is leads[-1]
        ended = ticket.status in {Status.WITHDRAWN, Status.TERMINATED}
        if lead.state is State.RETURNED:
            continue
        late_when_gone = share.gone_at is not None and share.gone_at > share.due
        if lead.state is State.CANCELLED and not (late_when_gone or (is_last and ended)):
            continue
        if ticket.status is Status.SUSPENDED and is_last and share.replied_at is None:
            continue
        excluded = ended or not ticket.has_contact
        found = {"exclusion_rate": (1, 1)} if excluded else counts(share, ticket)
        yield lead.unit_code, ticket.appeal.appeal_type.value, found


def totals(walks: list[Walk], period: Period) -> Totals:
    numerators, denominators = Counter[Total](), Counter[Total]()
    for walk in walks:
        for unit, kind, found in of_walk(walk, period):
            for measure, (n, d) in found.items():
                for key in ((unit, kind), (unit, ""), ("", kind), ("", "")):
                    total = (GROUP[unit], *key, measure)
                    numerators[total] += n
                    denominators[total] += d
    return {key: (numerators[key], denominators[key]) for key in denominators}


def _steps(parts: list[tuple[tuple[str, ...], int]]) -> Iterator[tuple[str, int]]:
    """A wait before each part, an hour between its steps."""
    for names, hours in parts:
        yield from ((name, 2 if place else hours) for place, name in enumerate(names))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(tickets=st.lists(TICKET, min_size=1, max_size=5))
async def test_whatever_happened_the_figures_are_those_of_the_brute_force_count(
    tickets: list[Any], kit: Kit, filed: Any, computed: Computed
) -> None:
    async with kit.db.transaction() as tx:
        for table in ("assessment_item", "assessment_figure", "assessment_unit"):
            await tx.connection.execute(text(f"TRUNCATE {table}"))
        await tx.connection.execute(
            text("TRUNCATE ticket, assignment, ticket_move, timer, assessment CASCADE")
        )
    walks = []
    for unit, kind, person, parts in tickets:
        case = Case(kit, await filed(NOW, unit=unit, appeal_type=kind, person=person), unit)
        walk = Walk(case=case, log=[(NOW, case.ticket)])
        at = NOW
        for name, hours in _steps(parts):
            at += timedelta(hours=hours)
            try:
                await step(walk, name, at)
            except Refusal:
                continue
            finally:
                walk.log.append((at, case.ticket))
        walks.append(walk)

    for code in ("2026-09", "2026-10", "2026"):
        run, _ = await computed(code)
        async with kit.db.reading() as reads:
            query = select(assessment_figure).where(assessment_figure.c.run_id == run.id)
            rows = (await reads.execute(query)).all()
        figures = {
            (r.group_code, r.unit_code, r.appeal_type, r.measure): (r.numerator, r.denominator)
            for r in rows
        }
        assert figures == totals(walks, Period.of(code))
        for row in rows:
            exact = row.denominator and round(Decimal(row.numerator) / row.denominator, 6)
            is_told = row.denominator > 0 and not row.is_withheld
            assert row.rate == (exact if is_told else None)
