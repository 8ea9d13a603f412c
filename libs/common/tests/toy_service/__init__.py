"""A service of the tests: counters that announce, a consumer that keeps what it saw, a deadline."""

from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import Form, Response, UploadFile
from pydantic import BaseModel, Field
from pydantic_settings import SettingsConfigDict
from sqlalchemy import Column, DateTime, Integer, Table, Text, Uuid, select, tuple_

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body, FreeText
from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_common.errors import NotFound, RuleViolation
from tongban_common.events import Event, Reading
from tongban_common.foundation import named_metadata
from tongban_common.http import (
    IfMatch,
    Now,
    Paged,
    Reads,
    Router,
    Tx,
    check_version,
    tag,
)
from tongban_common.inbox import Subscription, ignore, on
from tongban_common.policies import Policy, PolicyKind
from tongban_common.service import Kit, Service
from tongban_common.settings import ServiceSettings
from tongban_common.timers import Deadline, Due, OnDue, arm, disarm, on_due
from tongban_common.working_days import Limit, Unit, WorkingCalendar

TOPIC = "tongban.toy.counter.v1"
metadata = named_metadata()
counter = Table(
    "counter",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("value", Integer, nullable=False),
    Column("due_at", DateTime(timezone=True)),
)
seen = Table(
    "seen",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("counter_id", Text, nullable=False),
    Column("value", Integer, nullable=False),
)


class ToySettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="TONGBAN_TOY_", extra="ignore", frozen=True)


class Counted(Event):
    """A counter moved on."""

    type: ClassVar[str] = "tongban.toy.counted.v1"
    topic: ClassVar[str] = TOPIC
    key: ClassVar[str] = "counter_id"

    counter_id: UUID
    value: int


class DeadlineMoved(Event):
    """A counter's deadline passed or moved."""

    type: ClassVar[str] = "tongban.toy.deadline.v1"
    topic: ClassVar[str] = TOPIC
    key: ClassVar[str] = "counter_id"

    counter_id: UUID
    outcome: str


class CountedReading(Reading):
    type: ClassVar[str] = "tongban.toy.counted.v1"
    topic: ClassVar[str] = TOPIC

    counter_id: UUID
    value: int


class CounterNotFound(NotFound):
    code = "toy.not_found"


class Unlucky(RuleViolation):
    code = "toy.unlucky"


async def count(tx: Transaction, *, counter_id: UUID, now: datetime) -> int:
    """Lock, move on, announce."""
    found = await tx.connection.execute(
        select(counter.c.value).where(counter.c.id == counter_id).with_for_update()
    )
    row = found.one_or_none()
    if row is None:
        raise CounterNotFound("没有这个计数器")
    value: int = row.value + 1
    await tx.connection.execute(
        counter.update().where(counter.c.id == counter_id).values(value=value)
    )
    tx.publish(Counted(counter_id=counter_id, value=value, occurred_at=now))
    return value


async def start(tx: Transaction, *, counter_id: UUID, now: datetime) -> None:
    await tx.connection.execute(counter.insert().values(id=counter_id, value=1))
    tx.publish(Counted(counter_id=counter_id, value=1, occurred_at=now))


async def promise(
    tx: Transaction, *, counter_id: UUID, days: int, calendar: WorkingCalendar, now: datetime
) -> datetime:
    limit = Limit(amount=days, unit=Unit.WORKING_DAYS, clause="测试")
    due_at = calendar.due(now, limit)
    await arm(
        tx,
        Deadline(
            kind="toy",
            subject=str(counter_id),
            start_at=now,
            limit=limit,
            due_at=due_at,
            warn_at=now + (due_at - now) * 0.8,
            calendar_version=calendar.version_for(now.date(), due_at.date()),
        ),
    )
    return due_at


async def keep(tx: Transaction, *, counter_id: UUID, now: datetime) -> None:
    await lock(tx, str(counter_id))
    await disarm(tx, subject=str(counter_id), now=now)


async def take(tx: Transaction, reading: CountedReading) -> None:
    """The effect of an event; the unlucky number fails every time."""
    row = {
        "event_id": reading.event_id,
        "counter_id": str(reading.counter_id),
        "value": reading.value,
    }
    await tx.connection.execute(seen.insert().values(row))
    if reading.value == UNLUCKY["value"]:
        raise Unlucky("不吉利的数")


UNLUCKY = {"value": -1}


async def lock(tx: Transaction, subject: str) -> UUID:
    await tx.connection.execute(
        select(counter.c.id).where(counter.c.id == UUID(subject)).with_for_update()
    )
    return UUID(subject)


async def missed(tx: Transaction, counter_id: UUID, due: Due) -> None:
    tx.publish(DeadlineMoved(counter_id=counter_id, outcome="missed", occurred_at=due.now))


async def approaching(tx: Transaction, counter_id: UUID, due: Due) -> None:
    tx.publish(DeadlineMoved(counter_id=counter_id, outcome="approaching", occurred_at=due.now))


async def rescheduled(tx: Transaction, counter_id: UUID, due: Due, old: datetime) -> None:
    outcome = f"{old.date()} to {due.due_at.date()}"
    tx.publish(DeadlineMoved(counter_id=counter_id, outcome=outcome, occurred_at=due.now))


router = Router(prefix="/toy/v1/counters", tags=["计数器"])


class Remark(Body):
    words: list[str] = Field(default_factory=list)


class StartRequest(Body):
    note: str | None = None
    remark: Remark = Remark()
    first: int = Field(default=1, ge=1, le=1)


class CounterView(BaseModel):
    id: UUID
    value: int


@router.post("", status_code=201, summary="新建")
async def create(
    body: StartRequest,
    response: Response,
    tx: Tx,
    now: Now,
    _: Principal = require("counter:start"),
) -> CounterView:
    counter_id = new_id(now)
    await start(tx, counter_id=counter_id, now=now)
    tag(response, 1)
    response.headers["Location"] = f"/toy/v1/counters/{counter_id}"
    return CounterView(id=counter_id, value=1)


@router.post("/{counter_id}/count", summary="加一")
async def move(
    counter_id: UUID,
    expected: IfMatch,
    response: Response,
    tx: Tx,
    now: Now,
    _: Principal = require("counter:count"),
) -> CounterView:
    value = await count(tx, counter_id=counter_id, now=now)
    check_version(expected=expected, actual=value - 1)
    tag(response, value)
    return CounterView(id=counter_id, value=value)


@router.post("/file", summary="载入")
async def load_file(file: UploadFile, _: Principal = require("counter:start")) -> int:
    return len(await file.read())


@router.post("/search", summary="查找")
async def search(words: Annotated[FreeText, Form(max_length=100)]) -> str:
    return words


class CounterPage(BaseModel):
    items: list[CounterView]
    next: str | None


@router.get("", summary="列表")
async def list_counters(page: Paged, reads: Reads) -> CounterPage:
    order = (counter.c.value, counter.c.id)
    statement = select(counter).order_by(*order).limit(page.limit)
    if page.after is not None:
        value, counter_id = page.after
        statement = statement.where(tuple_(*order) > (value, UUID(counter_id)))
    rows = (await reads.execute(statement)).all()
    items = [CounterView(id=row.id, value=row.value) for row in rows]
    last = items[-1] if len(items) == page.limit else None
    return CounterPage(items=items, next=last and page.next_cursor([last.value, str(last.id)]))


def _subscriptions(_: Kit) -> tuple[Subscription[Any], ...]:
    return (on(CountedReading, take), *ignore(TOPIC, "tongban.toy.deadline.v1"))


def _timers(_: Kit) -> tuple[OnDue[Any], ...]:
    return (
        on_due("toy", lock=lock, missed=missed, approaching=approaching, rescheduled=rescheduled),
    )


TOY = Service(
    short="toy",
    package="toy_service",
    title="计数器",
    settings=ToySettings,
    metadata=metadata,
    events=(Counted, DeadlineMoved),
    routers=(router,),
    subscriptions=_subscriptions,
    timers=_timers,
    policies=(PolicyKind("toy_service", "rule.yaml", Policy),),
)
