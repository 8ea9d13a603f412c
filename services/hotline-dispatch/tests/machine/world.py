"""One ticket, a second to join it to, who acts on them, and what must hold after every step."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any
from uuid import UUID, uuid4

import httpx
import yaml
from sqlalchemy import delete, func, select, text

from tongban_common.errors import Refusal
from tongban_common.events import Envelope, shard_of
from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock
from tongban_common.timers import timer
from tongban_common.working_days import SHANGHAI, to_document
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain import callbacks, joining
from tongban_hotline_dispatch.domain.assignment import Clock as Watched
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations.performing import subject_of
from tongban_hotline_dispatch.store import ticket_move
from tongban_hotline_dispatch.store.tickets import Tickets

from .acts import ALL, LEAD, OTHER, PARENT, Act
from .oracle import counted_by_hand, differing

TICKETS = "/hotline/v1/tickets"
MINE = "/hotline/v1/public/ticket"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
FAR = datetime(2026, 11, 20, tzinfo=SHANGHAI)  # no jump leads beyond: the calendar is of 2026


# The same request again; its key with another body; a version that is over; and by somebody else:
# without the right, recused from the ticket, of the unit that is complained of.
HOWS = ("twice", "other body", "stale", "stranger", "recused", "accused")
RECUSED = "r-1"
STALE = {"precondition.changed_meanwhile", "ticket.not_your_unit"}
SHUT_OUT = {
    "stranger": {"auth.not_permitted"},
    "recused": {"guard.recused"},
    "accused": {"auth.not_permitted", "ticket.not_your_unit"},
}


@dataclass(frozen=True, slots=True)
class Send:
    act: int
    hours: int
    how: str  # plainly, or besides as HOWS have it
    is_legal: bool  # drawn among what the model accepts now; else among all


@dataclass(frozen=True, slots=True)
class Notice:
    """A working day to come becomes a day off."""

    ahead: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The other ticket is answered, and with it what was joined to it."""


class World:
    """One ticket, who acts on it, and what must be true of it after every step."""

    def __init__(self, service: Service, kit: Kit, client: Client, clock: Clock) -> None:
        self._service, self._kit, self._client, self._clock = service, kit, client, clock
        self._id = self._parent = UUID(int=0)
        self._numbers: dict[str, str] = {}
        self._accuses = False

    async def begin(self, kind: str, *, has_phone: bool, accuses: bool = False) -> None:
        self._clock.now, self._accuses = NOW, accuses
        async with self._kit.db.transaction() as tx:
            await tx.connection.execute(delete(timer))
        appeal = {
            "channel": "phone" if has_phone else "wechat",
            "target_name": "某某商店",
            "target_unit_code": OTHER if accuses else None,
            "appeal_type": kind,
            "title": "路灯不亮",
            "content": "桂花路口的路灯已三天不亮",
            "person": {"phone": "13812345678"} if has_phone else {},
        }
        self._parent = UUID((await self._registered(appeal))["id"])
        made = await self._registered(appeal)
        self._id = UUID(made["id"])
        self._numbers = {"X-Ticket-No": made["ticket_no"], "X-Query-Code": made["query_code"]}
        recused = await self._client.as_("supervisor").post(
            f"{TICKETS}/{self._id}/recusals", json={"staff": RECUSED, "reason": "kinship"}
        )
        assert recused.status_code == 201, recused.text

    async def _registered(self, appeal: Mapping[str, object]) -> dict[str, str]:
        made = await self._client.as_("agent").post(TICKETS, json=appeal)
        assert made.status_code == 201, made.text
        told: dict[str, str] = made.json()
        return told

    async def pass_time(self, hours: int) -> None:
        if self._clock.now + timedelta(hours=hours) < FAR:
            self._clock.forward(hours=hours)
        await self.sweep()

    async def legal(self) -> list[Act]:
        """What the model accepts now."""
        found, parent, rules = await self._ticket(), await self._other(), await self._rules()
        return [
            each for each in ALL if not isinstance(self._worked(each, found, parent, rules), str)
        ]

    async def deeds(self) -> set[str]:
        """Every act that ever moved the ticket."""
        async with self._kit.db.reading() as reads:
            rows = await reads.execute(
                select(ticket_move.c.act).where(ticket_move.c.ticket_id == self._id)
            )
            return set(rows.scalars())

    async def send(self, step: Send) -> None:
        await self.pass_time(step.hours)
        among = (await self.legal() if step.is_legal else None) or ALL
        await self.perform(among[step.act % len(among)], step.how)

    async def perform(self, act: Act, how: str = "plain") -> None:
        before = await self._ticket()
        expected = self._worked(act, before, await self._other(), await self._rules())
        answer = await self._post(act, before.version)
        await self._again(how, act, before.version, answer)
        after, told = await self._ticket(), told_of(act, answer)
        if isinstance(expected, str):
            assert told["code"] == expected, (act.path, answer.text)
            assert after == before
            return
        assert answer.status_code == 200, (act.path, before.status, answer.text)
        assert told["version"] == expected.version, (act.path, before.status, answer.text)
        assert told.get("status", expected.status) == expected.status
        wrong = differing(after, expected)
        assert wrong == [], (act.path, before.status, wrong)

    async def _again(self, how: str, act: Act, version: int, answer: httpx.Response) -> None:
        """What comes besides, and changes nothing. What was refused is not kept under its key."""
        before = await self._ticket()
        if how == "twice":
            again = await self._post(act, version, key=answer.request)
            assert again.status_code == answer.status_code
            assert without_trace(again) == without_trace(answer)
        elif how == "other body" and answer.status_code == 200:
            other = await self._post(act, version, key=answer.request, more={"note": "另有说明"})
            assert told_of(act, other)["code"] == "idempotency.key_reused"
        elif how == "stale":
            late = told_of(act, await self._post(act, version + 40))
            assert late["code"] in STALE, late
        elif (who := self._somebody(how, act)) is not None:
            refused = told_of(act, await self._post(act, version, who=who))
            assert refused["code"] in SHUT_OUT[how], refused
        assert (await self._ticket()) == before

    def _somebody(self, how: str, act: Act) -> Client | None:
        if how == "stranger":
            return self._client.as_("window_clerk", unit=LEAD)
        if how == "recused" and act.way != "citizen":
            return self._client.as_(act.role, subject=RECUSED, unit=act.unit)
        if how == "accused" and self._accuses:
            return self._client.as_("unit_officer", subject="u-7", unit=OTHER)
        return None

    async def parent_answers(self) -> None:
        """What the ticket is joined to is assigned, signed, answered and passed, once."""
        if (await self._other()).status is not Status.REGISTERED:
            return
        before = await self._ticket()
        for path, role, body in (
            ("assign", "dispatcher", {"unit_code": LEAD}),
            ("sign", "unit_officer", {}),
            ("reply", "unit_officer", {"text": "已修复"}),
            ("review/pass", "reviewer", {}),
        ):
            if path == "review/pass" and (await self._other()).status is not Status.REPLIED:
                continue  # a consultation's answer is not reviewed
            who = self._client.as_(role, unit=LEAD if role == "unit_officer" else None)
            address = f"{TICKETS}/{self._parent}"
            seen = (await self._client.as_("dispatcher").get(address)).headers["etag"]
            answer = await who.post(f"{address}/{path}", json=body, headers={"If-Match": seen})
            assert answer.status_code == 200, (path, answer.text)
        after = await self._ticket()
        if before.status is not Status.MERGED:
            assert after == before
        else:
            assert after.status in {Status.CALLBACK, Status.CLOSED}
            assert after.reply == (await self._other()).reply

    async def rated(self, level: int) -> None:
        """The evaluation service tells twice what the citizen said there."""
        review_id = str(uuid4())
        told = Envelope(
            id=f"e-{review_id}",
            source="/tongban/evaluation",
            type="tongban.evaluation.review-submitted.v1",
            subject=review_id,
            time=self._clock.now,
            topic="tongban.evaluation.review.v1",
            shard=shard_of(review_id),
            n=1,
            data={
                "review_id": review_id,
                "matter_kind": "ticket",
                "matter_id": str(self._id),
                "unit_code": LEAD,
                "window_code": None,
                "level": level,
                "channel": "sms",
                "tags": [],
                "tag_set_version": 1,
            },
        )
        for _ in range(2):
            await self._service.inbox(self._kit).apply([told])

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
            of_both = [(row.kind, row.subject, row.due_at) for row in rows]
            own = [each for each in of_both if not each[1].startswith(str(self._parent))]
            armed = {(kind, subject): due_at for kind, subject, due_at in own}
            assert len(armed) == len(own)  # never two of a kind
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
        await self._counts_add_up(found)
        await self._strangers_see_nothing(found)

    async def _clocks_agree_with_the_calendar(self, found: Ticket) -> None:
        calendar = await self._kit.calendars.current()
        for (clock, _), term in found.clocks().items():
            assert term.due_at == counted_by_hand(calendar, term), (clock, term)

    @staticmethod
    def _closed_by_a_rule(found: Ticket) -> None:
        """不经回访不得办结: called back, exempt, tried often enough, or never taken in."""
        if found.status not in {Status.CLOSED, Status.ARCHIVED} or found.disposition is not None:
            return
        is_heard = found.callback is not None and found.callback.is_done
        assert is_heard or not found.has_contact

    async def _counts_add_up(self, found: Ticket) -> None:
        """The parent's children; and the board's tally beside a count of the tickets themselves."""
        assert (await self._other()).children == (found.parent_id is not None)
        assert found.status is not Status.MERGED or found.parent_id == self._parent
        async with self._kit.db.reading() as reads:
            differs = await reads.execute(
                text(
                    "SELECT kind, key, day, sum(n) FROM ("
                    "  SELECT kind, key, day, n FROM board_tally"
                    "  UNION ALL"
                    "  SELECT m.kind, m.key, m.day, -1 FROM ticket t, board_marks(t) m"
                    ") AS both_ways GROUP BY 1, 2, 3 HAVING sum(n) <> 0"
                )
            )
            assert differs.all() == []

    async def _strangers_see_nothing(self, found: Ticket) -> None:
        other = self._client.as_("unit_officer", subject="u-9", unit="A9")
        assert (await other.get(f"{TICKETS}/{found.id}")).status_code == 404
        listed = await other.get(TICKETS)
        assert str(found.id) not in listed.text

    async def each_role_sees_what_is_its_own(self) -> None:
        """policies/access.yaml, role by role, from a unit that has nothing to do with it."""
        packaged = files("tongban_hotline_dispatch").joinpath("policies/access.yaml")
        for role, rights in yaml.safe_load(packaged.read_text(encoding="utf-8"))["roles"].items():
            may_read, is_hub = (
                not {"*", right}.isdisjoint(rights) for right in ("ticket:read", "ticket:all_units")
            )
            looks = self._client.as_(role, subject="u-9", unit="A9")
            one, listed = await looks.get(f"{TICKETS}/{self._id}"), await looks.get(TICKETS)
            expected = (200, True) if may_read and is_hub else (404 if may_read else 403, False)
            assert (one.status_code, str(self._id) in listed.text) == expected, role

    async def _ticket(self) -> Ticket:
        async with self._kit.db.transaction() as tx:
            return await Tickets(tx).get(self._id)

    async def _other(self) -> Ticket:
        async with self._kit.db.transaction() as tx:
            return await Tickets(tx).get(self._parent)

    async def _rules(self) -> Rules:
        return await operations.rules_at(self._kit, now=self._clock.now)

    def _worked(self, act: Act, before: Ticket, parent: Ticket, rules: Rules) -> Ticket | str:
        """What the model comes to: the ticket afterwards, or the code of the refusal."""
        pinned, now = rules.pinned(before.process_version), self._clock.now
        try:
            before.check_unit(act.unit)
            after = (
                joining.merge(before, parent, pinned, now)
                if act.path == "merge"
                else act.pure(before, pinned, now)
            )
        except Refusal as refusal:
            return refusal.code
        return callbacks.followed(before, after, pinned, now)

    async def _post(
        self,
        act: Act,
        version: int,
        *,
        key: httpx.Request | None = None,
        who: Client | None = None,
        more: Mapping[str, object] | None = None,
    ) -> httpx.Response:
        used = str(uuid4()) if key is None else key.headers["Idempotency-Key"]
        headers = {"If-Match": f'"{version}"', "Idempotency-Key": used}
        body: dict[str, Any] = {
            name: str(self._parent) if value is PARENT else value
            for name, value in {**act.body, **(more or {})}.items()
        }
        if act.way == "citizen":
            who = who or self._client
            return await who.post(f"{MINE}/{act.path}", json=body, headers=headers | self._numbers)
        who = who or self._client.as_(act.role, subject="x", unit=act.unit)
        if act.way == "desk":
            return await who.post(f"{TICKETS}/{self._id}/{act.path}", json=body, headers=headers)
        item = {"ticket_id": str(self._id), "version": version, **body}
        return await who.post(f"{TICKETS}/bulk/{act.path}", json={"items": [item]}, headers=headers)


def told_of(act: Act, answer: httpx.Response) -> dict[str, Any]:
    """The ticket's state as it was answered, or the code of the refusal."""
    told: dict[str, Any] = answer.json()
    if act.way == "bulk" and "results" in told:
        (told,) = told["results"]
    ticket: dict[str, Any] = told.get("ticket", told)
    return ticket


def without_trace(answer: httpx.Response) -> dict[str, object]:
    told: dict[str, object] = answer.json()
    return {name: value for name, value in told.items() if name != "trace_id"}
