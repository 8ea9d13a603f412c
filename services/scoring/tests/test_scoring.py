from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from tongban_common.db import Database
from tongban_common.events import Envelope, shard_of
from tongban_common.outbox import outbox
from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_scoring import operations
from tongban_scoring.domain.entries import Evidence, Responsibility, State
from tongban_scoring.domain.period import Period, quarter_of
from tongban_scoring.main import SERVICE
from tongban_scoring.store import entry, scorecard, scorecard_line

DAY = datetime(2026, 8, 3, 10, 0, tzinfo=SHANGHAI)
QUARTER = quarter_of(date(2026, 8, 3))
AFTER = datetime(2026, 10, 1, 0, 1, tzinfo=SHANGHAI)
Send = Callable[..., object]


class Sender:
    """Delivers events as a wire would, numbered densely per shard."""

    def __init__(self, kit: Kit) -> None:
        self._inbox = SERVICE.inbox(kit)
        self._n: dict[tuple[str, int], int] = {}
        self.last: Envelope | None = None

    async def __call__(
        self, type_: str, topic: str, subject: str, *, at: datetime = DAY, **data: object
    ) -> None:
        place = topic, shard_of(subject)
        self._n[place] = self._n.get(place, 0) + 1
        self.last = Envelope(
            id=str(uuid4()),
            source="/tongban/test",
            type=type_,
            subject=subject,
            time=at,
            topic=topic,
            shard=place[1],
            n=self._n[place],
            data=data,
        )
        await self._inbox.apply([self.last])

    async def again(self) -> None:
        assert self.last is not None
        await self._inbox.apply([self.last])

    async def hotline(
        self, fact: str, ticket_id: UUID, *, at: datetime = DAY, **data: object
    ) -> None:
        topic = "tongban.hotline.ticket.v1"
        data = {"ticket_id": str(ticket_id), "unit_code": "A3", **data}
        await self(f"tongban.hotline.{fact}.v1", topic, str(ticket_id), at=at, **data)

    async def intake(self, fact: str, case_id: UUID, *, at: datetime = DAY, **data: object) -> None:
        topic = "tongban.intake.case.v1"
        data = {"case_id": str(case_id), "unit_code": "A3", "window_code": "A3-01", **data}
        await self(f"tongban.intake.{fact}.v1", topic, str(case_id), at=at, **data)


@pytest.fixture
async def send(kit: Kit) -> Sender:
    sender = Sender(kit)
    topic = "tongban.intake.directory.v1"
    await sender(
        "tongban.intake.unit-changed.v1", topic, "A3", unit_code="A3", name="A3区", is_active=True
    )
    for code in ("A3-02", "A3-01"):
        await sender(
            "tongban.intake.window-changed.v1",
            topic,
            "A3",
            window_code=code,
            unit_code="A3",
            name=code,
            is_active=True,
        )
    return sender


async def overdue_ticket(send: Sender, *, days: int, at: datetime = DAY) -> UUID:
    ticket_id = uuid4()
    await send.hotline("ticket-assigned", ticket_id, at=at)
    await send.hotline("deadline-missed", ticket_id, at=at, clock="unit", due=at.isoformat())
    await send.hotline("ticket-replied", ticket_id, at=at, overdue_working_days=days)
    return ticket_id


async def finish(kit: Kit, period: Period = QUARTER, now: datetime = AFTER) -> operations.Finished:
    rules = await operations.rules_at(kit, now=period.last_moment)
    async with kit.db.transaction() as tx:
        return await operations.finish_period(tx, period=period, rules=rules, now=now)


async def the_card(db: Database) -> tuple[Decimal, str, str]:
    async with db.reading() as connection:
        row = (await connection.execute(select(scorecard))).one()
        return row.score, row.grade, row.formula


async def test_a_late_ticket_costs_its_window_a_point_a_working_day(kit: Kit, send: Sender) -> None:
    await overdue_ticket(send, days=3)

    finished = await finish(kit)

    assert finished.scorecards == 1
    assert await the_card(kit.db) == (Decimal("97.00"), "优秀", "100 + 0 − 3 = 97")
    async with kit.db.reading() as connection:
        card = (await connection.execute(select(scorecard))).one()
        lines = (await connection.execute(select(scorecard_line))).all()
        announced = (await connection.execute(select(outbox))).one()
    assert card.window_code == "A3-01"
    assert [line.rule_id for line in lines] == ["S3-5", "S3-5"]
    assert announced.type == "tongban.scoring.scorecards-finished.v1"
    assert announced.data["scorecards"][0]["score"] == "97"


async def test_a_fact_told_twice_counts_once(kit: Kit, send: Sender) -> None:
    ticket_id = uuid4()
    await send.hotline("deadline-missed", ticket_id, clock="unit", due=DAY.isoformat())

    await send.again()
    await send.again()

    async with kit.db.reading() as connection:
        assert (await connection.execute(select(func.count()).select_from(entry))).scalar() == 1


async def test_the_citizens_clock_costs_nothing(kit: Kit, send: Sender) -> None:
    await send.hotline("deadline-missed", uuid4(), clock="citizen", due=DAY.isoformat())

    async with kit.db.reading() as connection:
        assert (await connection.execute(select(func.count()).select_from(entry))).scalar() == 0


async def the_entry(kit: Kit, rule_id: str) -> UUID:
    async with kit.db.reading() as connection:
        found = await connection.execute(select(entry.c.id).where(entry.c.rule_id == rule_id))
        return UUID(str(found.scalar_one()))


async def late_case(send: Sender, days: int) -> UUID:
    case_id = uuid4()
    await send.intake("case-accepted", case_id)
    await send.intake("deadline-missed", case_id, kind="promise", due=DAY.isoformat())
    await send.intake(
        "case-completed", case_id, overdue_working_days=days, staff_code="S-1", item_name="x"
    )
    return case_id


async def test_a_late_case_costs_one_point_until_the_window_is_found_to_blame(
    kit: Kit, send: Sender
) -> None:
    await late_case(send, 3)

    await finish(kit)

    assert (await the_card(kit.db))[0] == Decimal("99.00")


async def test_a_confirmed_attribution_replaces_the_point_by_the_working_days(
    kit: Kit, send: Sender
) -> None:
    await late_case(send, 3)
    decision = operations.Decision(
        entry_id=await the_entry(kit, "S3-3"),
        actor="inspector-1",
        evidence=Evidence(text="窗口积压，值班记录第7号"),
        responsibility=Responsibility.WINDOW,
    )
    async with kit.db.transaction() as tx:
        await operations.confirm(tx, decision=decision, now=DAY)

    await finish(kit)

    assert (await the_card(kit.db))[0] == Decimal("97.00")


async def test_a_candidate_expires_when_nobody_confirms_it(kit: Kit, send: Sender) -> None:
    await late_case(send, 2)

    await SERVICE.sweeper(kit).sweep(now=DAY + timedelta(days=14))

    async with kit.db.reading() as connection:
        states = await connection.execute(
            select(entry.c.rule_id, entry.c.state).order_by(entry.c.rule_id)
        )
        assert [tuple(row) for row in states] == [
            ("BASE-7.2", State.CONFIRMED),
            ("S3-3", State.EXPIRED),
        ]


async def test_a_true_bad_review_is_proposed_and_a_false_one_is_not(kit: Kit, send: Sender) -> None:
    topic = "tongban.evaluation.rectification.v1"
    for is_substantiated in (True, False):
        rectification_id = str(uuid4())
        await send(
            "tongban.evaluation.rectification-closed.v1",
            topic,
            rectification_id,
            rectification_id=rectification_id,
            review_id=str(uuid4()),
            unit_code="A3",
            window_code="A3-01",
            is_substantiated=is_substantiated,
            root_cause="attitude",
        )

    async with kit.db.reading() as connection:
        found = (await connection.execute(select(entry))).one()
    assert (found.rule_id, found.state) == ("S3-7a", "proposed")


async def test_a_period_is_finished_once(kit: Kit, send: Sender) -> None:
    await overdue_ticket(send, days=1)

    first, second = await finish(kit), await finish(kit)

    assert first.period_id is not None
    assert second == operations.Finished(period_id=None, scorecards=0)
    async with kit.db.reading() as connection:
        assert (await connection.execute(select(func.count()).select_from(outbox))).scalar() == 1


async def test_a_fact_that_comes_to_light_late_counts_in_the_next_period(
    kit: Kit, send: Sender
) -> None:
    await overdue_ticket(send, days=1)
    await finish(kit)
    await overdue_ticket(send, days=1)

    following = quarter_of(date(2026, 11, 1))
    await finish(kit, following, datetime(2027, 1, 1, tzinfo=SHANGHAI))

    async with kit.db.reading() as connection:
        counted = await connection.execute(select(entry.c.counted_in).order_by(entry.c.counted_in))
        assert list(counted.scalars()) == ["2026Q3", "2026Q4"]


async def test_a_window_that_handled_nothing_has_a_card_without_a_rank(
    kit: Kit, send: Sender
) -> None:
    await send.hotline("deadline-missed", uuid4(), clock="unit", due=DAY.isoformat())

    await finish(kit)

    async with kit.db.reading() as connection:
        assert (await connection.execute(select(scorecard.c.rank))).scalar_one() is None


RECORD = {
    "rule_id": "S4-2",
    "unit_code": "A3",
    "window_code": "A3-01",
    "staff_code": "S-1",
    "occurred_at": "2026-08-03T10:00:00+08:00",
    "fact": "巡查-20260803",
    "evidence": {"text": "巡查照片第3号", "references": ["sha256:00"]},
}


async def test_an_inspector_records_with_evidence_and_others_do_not(
    client: Client, send: Sender
) -> None:
    inspector = client.as_("inspector", subject="i-1")

    made = await inspector.post("/scoring/v1/entries", json=RECORD)
    bare = await inspector.post("/scoring/v1/entries", json={**RECORD, "evidence": {"text": " "}})
    unknown = await inspector.post("/scoring/v1/entries", json={**RECORD, "rule_id": "S9-9"})
    beyond = await inspector.post("/scoring/v1/entries", json={**RECORD, "amount": "3"})
    clerk = await client.as_("window_clerk").post("/scoring/v1/entries", json=RECORD)

    assert made.status_code == 201, made.text
    assert bare.status_code == 422
    assert (unknown.status_code, unknown.json()["code"]) == (422, "rules.unknown")
    assert (beyond.status_code, beyond.json()["code"]) == (422, "rules.amount_out_of_range")
    assert clerk.status_code == 403


async def test_a_wrong_entry_is_reversed_and_counts_for_nothing(
    kit: Kit, client: Client, clock: Clock, send: Sender
) -> None:
    inspector = client.as_("inspector", subject="i-1")
    made = (await inspector.post("/scoring/v1/entries", json=RECORD)).json()
    url = f"/scoring/v1/entries/{made['id']}/reverse"
    headers = {"If-Match": '"1"'}

    first = await inspector.post(url, json={"text": "认错了窗口"}, headers=headers)
    second = await inspector.post(url, json={"text": "认错了窗口"}, headers=headers)
    await finish(kit)

    assert first.status_code == 201
    assert (second.status_code, second.json()["code"]) == (409, "entry.recorded_already")
    assert (await the_card(kit.db))[0] == Decimal("100.00")


async def test_cards_and_rules_are_public_and_name_no_staff(
    kit: Kit, client: Client, clock: Clock, send: Sender
) -> None:
    await client.as_("inspector").post("/scoring/v1/entries", json=RECORD)
    await overdue_ticket(send, days=2)
    clock.now = AFTER
    answer = await client.as_("inspector").post(
        "/scoring/v1/periods",
        json={"code": "2026Q3", "starts_on": "2026-07-01", "ends_on": "2026-09-30"},
    )
    assert answer.status_code == 201, answer.text
    topic, bulletin_id = "tongban.publishing.bulletin.v1", str(uuid4())
    await send(
        "tongban.publishing.bulletin-published.v1",
        topic,
        bulletin_id,
        bulletin_id=bulletin_id,
        period_code="2026Q3",
    )

    (card,) = (await client.get("/scoring/v1/scorecards", params={"period": "2026Q3"})).json()
    whole = await client.get(f"/scoring/v1/scorecards/{card['id']}")
    listed = await client.get("/scoring/scorecards")
    page = await client.get(f"/scoring/scorecards/{card['id']}")
    book = await client.get("/scoring/rules")

    assert card["score"] == "97.00"
    assert len(whole.json()["points"]) == 3
    assert "S-1" not in whole.text + page.text
    assert "97" in listed.text
    assert "第五章“执行公开办事制度…”（五）" in page.text
    assert "工作时间打游戏" in book.text


async def test_a_period_cannot_be_finished_before_it_ends(client: Client) -> None:
    answer = await client.as_("inspector").post(
        "/scoring/v1/periods",
        json={"code": "2026Q3", "starts_on": "2026-07-01", "ends_on": "2026-09-30"},
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "period.bad")


async def test_the_ledger_page_leads_through_the_decisions(
    kit: Kit, client: Client, send: Sender
) -> None:
    await late_case(send, 2)
    inspector = client.as_("inspector", subject="i-1")
    entry_id = await the_entry(kit, "S3-3")

    shown = await inspector.get("/scoring/entries")
    done = await inspector.post(
        f"/scoring/entries/{entry_id}/attribute",
        data={"version": "1", "evidence": "值班记录第7号", "responsibility": "window"},
    )
    bare = await inspector.post(
        f"/scoring/entries/{entry_id}/confirm", data={"version": "2", "evidence": "再次"}
    )

    assert "S3-3" in shown.text
    assert done.status_code == 303
    assert bare.status_code == 409
