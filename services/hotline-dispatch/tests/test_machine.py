"""The real API beside the pure model: any command, legal or not, at any time, by anybody.

Each drawn step is sent over HTTP and worked out by the domain on the ticket as it stands: both must
come to the same status and version, or to the same refusal. Between steps the clock jumps, notices
on holidays arrive, requests come twice or late; after each the invariants of the database hold.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from tongban_common.errors import Refusal
from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock
from tongban_common.timers import timer
from tongban_common.working_days import SHANGHAI, Unit, WorkingCalendar, to_document
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain import asking, closing, handling, intake
from tongban_hotline_dispatch.domain.asking import Decision, Request
from tongban_hotline_dispatch.domain.assignment import AskKind, Reply, Role
from tongban_hotline_dispatch.domain.assignment import Clock as Watched
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved
from tongban_hotline_dispatch.domain.handling import ToUnit
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations.performing import subject_of
from tongban_hotline_dispatch.operations.process import asking_one
from tongban_hotline_dispatch.store import Units, ticket_move
from tongban_hotline_dispatch.store.reference import Unit as Unit_
from tongban_hotline_dispatch.store.tickets import Tickets

TICKETS = "/hotline/v1/tickets"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
LEAD, OTHER, CO = "A3", "A7", "A8"
Pure = Callable[[Ticket, Rules, datetime], Ticket]


@dataclass(frozen=True, slots=True)
class Act:
    """A command as the API takes it, by whom, and as the model works it out."""

    role: str
    path: str
    body: Mapping[str, object]
    pure: Pure
    unit: str | None = None


def heard(*, is_good: bool) -> tuple[dict[str, object], Heard]:
    resolved = Resolved.YES if is_good else Resolved.NO
    mark = Mark.SATISFIED if is_good else Mark.DISSATISFIED
    body = {"resolved": resolved.value, "result": mark.value, "process": mark.value}
    return dict(body), Heard(resolved=resolved, result=mark, process=mark)


GOOD, GOOD_HEARD = heard(is_good=True)
BAD, BAD_HEARD = heard(is_good=False)
WORDS = {"words": "补充说明"}
TO_LEAD = ToUnit(code=LEAD, level="county")
TO_OTHER = ToUnit(code=OTHER, level="city")
TO_CO = ToUnit(code=CO, level="county", role=Role.CO, superiors=frozenset({LEAD}))


def hub(path: str, pure: Pure, **body: object) -> Act:
    return Act("dispatcher", path, body, pure)


def center(path: str, pure: Pure, **body: object) -> Act:
    return Act("supervisor", path, body, pure)


def unit(path: str, pure: Pure, code: str = LEAD, **body: object) -> Act:
    return Act("unit_officer", path, body, pure, code)


ACTS: tuple[Act, ...] = (
    hub("request-facts", intake.request_facts),
    hub("supplement", intake.supplement, **WORDS),
    hub("answer", lambda t, r, at: intake.answer_directly(t, Reply.of("补充说明"), r, at), **WORDS),
    hub("consult", intake.consult),
    hub("conclude", intake.conclude, **WORDS),
    hub("assign", lambda t, r, at: handling.assign(t, TO_LEAD, r, at), unit_code=LEAD),
    hub("assign", lambda t, r, at: handling.assign(t, TO_LEAD, r, at), unit_code=LEAD),
    hub("transfer", lambda t, r, at: handling.transfer(t, TO_OTHER, r, at), unit_code=OTHER),
    hub("transfer", lambda t, r, at: handling.transfer(t, TO_LEAD, r, at), unit_code=LEAD),
    center(
        "designate",
        lambda t, r, at: handling.assign(t, TO_LEAD, r, at, forced=True),
        unit_code=LEAD,
    ),
    unit("sign", lambda t, r, at: handling.sign(t, LEAD, r, at)),
    unit("sign", lambda t, r, at: handling.sign(t, CO, r, at), code=CO),
    unit("contact", lambda t, _, at: handling.contact(t, LEAD, at)),
    unit(
        "add-unit",
        lambda t, r, at: handling.add_unit(t, LEAD, TO_CO, r, at),
        unit_code=CO,
        role="co",
    ),
    unit("delegate", lambda t, r, at: handling.delegate(t, LEAD, TO_CO, r, at), unit_code=CO),
    unit("reply", lambda t, r, at: handling.reply(t, LEAD, Reply.of("办妥"), r, at), text="办妥"),
    unit("reply", lambda t, r, at: handling.reply(t, LEAD, Reply.of("办妥"), r, at), text="办妥"),
    unit(
        "reply",
        lambda t, r, at: handling.reply(t, CO, Reply.of("配合"), r, at),
        code=CO,
        text="配合",
    ),
    hub("review/pass", closing.pass_review),
    hub("review/fail", closing.fail_review),
    hub("callback/attempt", lambda t, _, at: closing.attempt(t, at)),
    hub("callback/complete", lambda t, r, at: closing.call_back(t, GOOD_HEARD, r, at), **GOOD),
    hub("callback/complete", lambda t, r, at: closing.call_back(t, BAD_HEARD, r, at), **BAD),
    hub("callback/give-up", lambda t, r, at: closing.lapse_callback(t, r, at, in_time=True)),
    hub("close", lambda t, r, at: closing.close(t, GOOD_HEARD, r, at), heard=GOOD),
    hub("close", lambda t, r, at: closing.close(t, None, r, at)),
    center("escalate", lambda t, r, at: closing.escalate(t, "LATE", r, at), reason="LATE"),
    center("supervise", lambda t, _, __: closing.supervise(t, "LATE"), reason="LATE"),
    hub("withdraw", intake.withdraw),
    center("reopen", lambda t, r, at: intake.reopen(t, "NEW_FACTS", r, at), reason="NEW_FACTS"),
)
GROUNDS: Mapping[AskKind, Mapping[str, Any]] = {
    AskKind.RETURN: {"reason": "非本单位职责", "citation": "三定规定", "suggested_unit": OTHER},
    AskKind.EXTENSION: {"reason": "情况复杂", "citation": "条例", "amount": 2},
    AskKind.SUSPENSION: {"reason": "送检", "pause_reason": "INSPECTION_APPRAISAL"},
    AskKind.PHASE: {"measures": "已围挡", "promised_on": "2026-12-31"},
    AskKind.TERMINATION: {"reason": "无法联系"},
}


def asks(kind: AskKind) -> Act:
    request = Request(kind=kind, by="x", grounds=GROUNDS[kind])
    body = {**GROUNDS[kind], "is_signed_off": True}
    return unit(kind.value, lambda t, r, at: asking.ask(t, LEAD, request, r, at), **body)


def decides(kind: AskKind, *, granted: bool) -> Act:
    told = {"is_told": True} if kind is AskKind.EXTENSION else {}
    decision = Decision(kind=kind, is_granted=granted, by="x", is_told=bool(told), by_center=True)

    def pure(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
        return asking.decide(ticket, asking_one(ticket, decision), decision, rules, at)

    return center(f"{kind.value}/decide", pure, is_granted=granted, **told)


ALL = (
    *ACTS,
    *(asks(kind) for kind in AskKind),
    *(decides(kind, granted=yes) for kind in AskKind for yes in (True, False)),
)


@dataclass(frozen=True, slots=True)
class Send:
    act: int
    hours: int
    how: str  # plainly; twice with one key; with a version that is over; by somebody without right


@dataclass(frozen=True, slots=True)
class Notice:
    """A working day to come becomes a day off."""

    ahead: int


STEPS = st.lists(
    st.one_of(
        st.builds(
            Send,
            st.integers(0, len(ALL) - 1),
            st.sampled_from([0, 0, 1, 5, 20, 70]),
            st.sampled_from(["plain", "plain", "plain", "twice", "stale", "stranger"]),
        ),
        st.builds(Notice, st.integers(1, 20)),
    ),
    min_size=10,
    max_size=35,
)


class World:
    """One ticket, who acts on it, and what must be true of it after every step."""

    def __init__(self, service: Service, kit: Kit, client: Client, clock: Clock) -> None:
        self._service, self._kit, self._client, self._clock = service, kit, client, clock
        self._id = UUID(int=0)

    async def begin(self, kind: str, *, has_phone: bool) -> None:
        self._clock.now = NOW
        async with self._kit.db.transaction() as tx:
            await tx.connection.execute(delete(timer))
        appeal = {
            "channel": "phone" if has_phone else "wechat",
            "target_name": "某某商店",
            "appeal_type": kind,
            "title": "路灯不亮",
            "content": "桂花路口的路灯已三天不亮",
            "person": {"phone": "13812345678"} if has_phone else {},
        }
        made = await self._client.as_("agent").post(TICKETS, json=appeal)
        assert made.status_code == 201, made.text
        self._id = UUID(made.json()["id"])

    async def send(self, step: Send) -> None:
        act = ALL[step.act]
        self._clock.forward(hours=step.hours)
        await self.sweep()
        before = await self._ticket()
        expected = await self._expected(act, before)
        answer = await self._post(act, before.version)
        await self._again(step, act, before.version, answer)
        if isinstance(expected, str):
            assert answer.json().get("code") == expected, (act.path, answer.text)
            assert (await self._ticket()) == before
            return
        assert answer.status_code == 200, (act.path, before.status, answer.text)
        told = answer.json()
        assert (told["status"], told["version"]) == (expected.status, expected.version)
        assert (await self._ticket()).clocks() == expected.clocks()

    async def _again(self, step: Send, act: Act, version: int, answer: httpx.Response) -> None:
        """The same request once more, one that comes too late, and one by somebody else."""
        if step.how == "twice":
            again = await self._post(act, version, key=answer.request)
            assert again.status_code == answer.status_code
            assert without_trace(again) == without_trace(answer)
        elif step.how == "stale":
            late = await self._post(act, version + 40)
            assert late.status_code in {403, 412}, late.text
        elif step.how == "stranger":
            nobody = self._client.as_("window_clerk", unit=LEAD)
            refused = await self._post(act, version, who=nobody)
            assert refused.status_code == 403

    async def import_notice(self, step: Notice) -> None:
        calendar = await self._kit.calendars.current()
        year = calendar.in_force(2026)
        day = self._clock.now.date() + timedelta(days=step.ahead)
        if day.year != 2026 or not calendar.is_working_day(day):
            return
        off = {**year.days_off, day: "测试放假"}
        weekends = year.working_weekends - {day}
        corrected = replace(year, version=year.version + 1, days_off=off, working_weekends=weekends)
        await self._kit.calendars.import_year(
            to_document(corrected),
            where="test",
            sweeper=self._service.sweeper(self._kit),
            now=self._clock.now,
        )

    async def sweep(self) -> None:
        while await self._service.sweeper(self._kit).sweep(now=self._clock.now):
            pass

    async def check(self) -> None:
        found, now = await self._ticket(), self._clock.now
        async with self._kit.db.reading() as reads:
            rows = await reads.execute(
                select(timer).where(timer.c.state == "armed", timer.c.kind.in_(list(Watched)))
            )
            armed = {(row.kind, row.subject): row.due_at for row in rows}
            moves = await reads.execute(
                select(func.count()).where(ticket_move.c.ticket_id == found.id)
            )
            assert moves.scalar_one() == found.version
        running = {
            (clock.value, subject_of(found.id, no)): term.due_at
            for (clock, no), term in found.clocks().items()
            if not term.has_run_out(at=now)
        }
        assert armed == running
        open_ones = [each for each in found.assignments if each.is_open]
        if found.status is not Status.SUSPENDED:
            for each in open_ones:
                is_over = each.reply_term.has_run_out(at=now)
                key = ("unit", subject_of(found.id, each.no))
                assert (key in armed) is not is_over
        await self._clocks_agree_with_the_calendar(found)
        self._closed_by_a_rule(found)
        await self._strangers_see_nothing(found)

    async def _clocks_agree_with_the_calendar(self, found: Ticket) -> None:
        calendar = await self._kit.calendars.current()
        for (clock, _), term in found.clocks().items():
            is_plain = not (term.pauses or term.cap_at or term.floor_at)
            if is_plain and term.limit.unit is Unit.WORKING_DAYS:
                assert term.due_at == counted_by_hand(calendar, term.start_at, term.limit.amount), (
                    clock
                )

    @staticmethod
    def _closed_by_a_rule(found: Ticket) -> None:
        """不经回访不得办结: called back, exempt, tried often enough, or never taken in."""
        if found.status not in {Status.CLOSED, Status.ARCHIVED} or found.disposition is not None:
            return
        is_heard = found.callback is not None and found.callback.is_done
        assert is_heard or not found.has_contact

    async def _strangers_see_nothing(self, found: Ticket) -> None:
        other = self._client.as_("unit_officer", subject="u-9", unit="A9")
        assert (await other.get(f"{TICKETS}/{found.id}")).status_code == 404
        listed = await other.get(TICKETS)
        assert str(found.id) not in listed.text

    async def _ticket(self) -> Ticket:
        async with self._kit.db.transaction() as tx:
            return await Tickets(tx).get(self._id)

    async def _expected(self, act: Act, before: Ticket) -> Ticket | str:
        """What the model comes to: the ticket afterwards, or the code of the refusal."""
        rules = (await operations.rules_at(self._kit, now=self._clock.now)).pinned(
            before.process_version
        )
        try:
            before.check_unit(act.unit)
            return act.pure(before, rules, self._clock.now)
        except Refusal as refusal:
            return refusal.code

    async def _post(
        self,
        act: Act,
        version: int,
        *,
        key: httpx.Request | None = None,
        who: Client | None = None,
    ) -> httpx.Response:
        who = who or self._client.as_(act.role, subject="x", unit=act.unit)
        used = str(uuid4()) if key is None else key.headers["Idempotency-Key"]
        return await who.post(
            f"{TICKETS}/{self._id}/{act.path}",
            json=act.body,
            headers={"If-Match": f'"{version}"', "Idempotency-Key": used},
        )


def without_trace(answer: httpx.Response) -> dict[str, object]:
    told: dict[str, object] = answer.json()
    return {name: value for name, value in told.items() if name != "trace_id"}


def counted_by_hand(calendar: WorkingCalendar, start_at: datetime, amount: int) -> datetime:
    """Day by day: the start does not count, the last ends at midnight."""
    day, left = start_at.astimezone(SHANGHAI).date(), amount
    while left:
        day += timedelta(days=1)
        left -= is_worked(calendar, day)
    return datetime(day.year, day.month, day.day, 23, 59, 59, 999999, tzinfo=SHANGHAI)


def is_worked(calendar: WorkingCalendar, day: date) -> bool:
    """From the notice's own lists, not by the calendar's tables."""
    year = calendar.in_force(day.year)
    if day.isoweekday() > 5:
        return day in year.working_weekends
    return day not in year.days_off


@pytest.fixture
async def world(service: Service, kit: Kit, client: Client, clock: Clock) -> World:
    async with kit.db.transaction() as tx:
        co = Unit_(code=CO, name="A8街道", level="county", is_active=True, parent_code=LEAD)
        await Units(tx).keep(co)
    return World(service, kit, client, clock)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS, kind=st.sampled_from(["consult", "help", "complaint"]), has_phone=st.booleans())
async def test_the_api_does_what_the_model_says_and_no_clock_is_lost(
    steps: list[Send | Notice],
    kind: str,
    has_phone: bool,
    world: World,
) -> None:
    await world.begin(kind, has_phone=has_phone)
    for step in steps:
        if isinstance(step, Notice):
            await world.import_notice(step)
        else:
            await world.send(step)
        await world.sweep()
        await world.check()
