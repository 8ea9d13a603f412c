"""What the tests share: round rules for the domain; events in, events out, and a bad review."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from tongban_common.db import Database
from tongban_common.events import Envelope, shard_of
from tongban_common.outbox import outbox
from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI, Limit, Unit, WorkingCalendar, bundled
from tongban_evaluation.domain.deadlines import Limits
from tongban_evaluation.domain.invitation import Invitation, Matter, MatterKind, invite
from tongban_evaluation.domain.rectification import Rules
from tongban_evaluation.domain.tags import Level, Retired, Scale, Tag
from tongban_evaluation.main import SERVICE

Deliver = Callable[..., Awaitable[Envelope]]
Announced = Callable[[], Awaitable[list[tuple[str, dict[str, Any]]]]]
Token = Callable[..., Awaitable[str]]


@pytest.fixture(scope="session")
def service() -> Service:
    return SERVICE


@pytest.fixture
def deliver(service: Service, kit: Kit, now: datetime) -> Deliver:
    """Hands one event of another service to the inbox, numbered as its producer would."""
    inbox = service.inbox(kit)
    numbers: Counter[tuple[str, int]] = Counter()

    async def one(topic: str, type_: str, subject: str, **data: object) -> Envelope:
        place = (topic, shard_of(subject))
        numbers[place] += 1
        envelope = Envelope(
            id=f"{topic}-{place[1]}-{numbers[place]}",
            source=f"/tongban/{topic.split('.')[1]}",
            type=f"tongban.{topic.split('.')[1]}.{type_}.v1",
            subject=subject,
            time=now,
            topic=topic,
            shard=place[1],
            n=numbers[place],
            data=data,
        )
        await inbox.apply([envelope])
        return envelope

    return one


@pytest.fixture
def announced(db: Database) -> Announced:
    """What is committed for the others to hear: type and data, in order of commit."""

    async def read() -> list[tuple[str, dict[str, Any]]]:
        async with db.reading() as connection:
            rows = await connection.execute(
                select(outbox.c.type, outbox.c.data).order_by(outbox.c.stored_at, outbox.c.n)
            )
            return [(row.type.split(".")[2], row.data) for row in rows]

    return read


@pytest.fixture
def token(deliver: Deliver, client: Client) -> Token:
    """Completes a case and gives the token of its invitation, as a member of staff reads it."""

    async def invited(number: int = 1, unit_code: str = "U1") -> str:
        case_id = UUID(int=number)
        await deliver(
            "tongban.intake.case.v1",
            "case-completed",
            str(case_id),
            case_id=str(case_id),
            item_code="I1",
            item_name="食品经营许可",
            unit_code=unit_code,
            window_code="W1",
            staff_code="S1",
            result="approved",
            completed_at="2026-09-30T10:00:00+08:00",
            is_overdue=False,
            overdue_working_days=0,
        )
        answer = await client.as_("center_admin").get(f"/evaluation/v1/invitations/case/{case_id}")
        assert answer.status_code == 200, answer.text
        link: str = answer.json()["link"]
        return link.rpartition("/")[2]

    return invited


@pytest.fixture
async def rectification_id(token: Token, client: Client) -> str:
    """A bad review of unit U1, and the rectification that it opened."""
    review = {"token": await token(), "level": 2, "tags": ["209"], "comment": "等了两个小时"}
    answer = await client.post("/evaluation/v1/reviews", json=review)
    assert answer.status_code == 201, answer.text
    listed = await client.as_("center_admin").get("/evaluation/v1/rectifications")
    found: str = listed.json()["items"][0]["id"]
    return found


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 9, 30, 10, 0, tzinfo=SHANGHAI)


@pytest.fixture
def calendar() -> WorkingCalendar:
    return bundled()


@pytest.fixture
def limits() -> Limits:
    def days(amount: int, unit: Unit = Unit.WORKING_DAYS) -> Limit:
        return Limit(amount=amount, unit=unit, clause="测试")

    return Limits(
        version=1,
        review_onsite=days(5),
        review_online=days(30, Unit.NATURAL_DAYS),
        verify=days(1),
        rectify_simple=days(5),
        rectify_complex=days(15),
        rectify_again=days(7),
        callback=days(3),
        warn_after=Decimal("0.8"),
    )


@pytest.fixture
def rules(limits: Limits, calendar: WorkingCalendar) -> Rules:
    return Rules(limits=limits, calendar=calendar)


@pytest.fixture
def scale() -> Scale:
    names = {5: "非常满意", 4: "满意", 3: "基本满意", 2: "不满意", 1: "非常不满意"}
    tags = [
        Tag(code="510", name="一次办结", level=5, is_basic=True, valid_from=date(2020, 5, 1)),
        Tag(code="209", name="超时", level=2, is_basic=True, valid_from=date(2020, 5, 1)),
        Tag(code="210", name="重复提交", level=2, is_basic=False, valid_from=date(2020, 5, 1)),
        Tag(
            code="211",
            name="旧说法",
            level=2,
            is_basic=False,
            valid_from=date(2020, 5, 1),
            valid_to=date(2024, 12, 31),
        ),
    ]
    return Scale(
        version=7,
        levels={
            number: Level(number=number, name=name, is_bad=number < 3, needs_reason=number < 3)
            for number, name in names.items()
        },
        tags={tag.code: tag for tag in tags},
        retired=(Retired(first=101, last=107),),
        comment_max=500,
    )


@pytest.fixture
def matter() -> Matter:
    return Matter(
        kind=MatterKind.CASE,
        id=UUID(int=1),
        title="食品经营许可",
        unit_code="U1",
        window_code="W1",
        staff_code="S1",
    )


@pytest.fixture
def invitation(
    matter: Matter, limits: Limits, calendar: WorkingCalendar, now: datetime
) -> Invitation:
    return invite(matter, invitation_id=UUID(int=2), limits=limits, calendar=calendar, at=now)


@pytest.fixture
def clock(now: datetime) -> Clock:
    """The time at the edges of the app: the day before the National Day holiday."""
    return Clock(now)
