import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select, text
from toy_service import TOY, DeadlineMoved, keep, promise, start

from tongban_common.db import Database, Transaction
from tongban_common.outbox import outbox
from tongban_common.service import Kit
from tongban_common.timers import BATCH, Due, Sweeper, next_due, on_due, timer
from tongban_common.working_days import SHANGHAI, bundled

START = datetime(2026, 9, 30, 10, 0, tzinfo=SHANGHAI)


async def promised(db: Database, *, days: int = 5, at: datetime = START) -> tuple[UUID, datetime]:
    counter_id = uuid4()
    async with db.transaction() as tx:
        await start(tx, counter_id=counter_id, now=at)
        due = await promise(tx, counter_id=counter_id, days=days, calendar=bundled(), now=at)
    return counter_id, due


async def outcomes(db: Database, counter_id: UUID) -> list[str]:
    async with db.reading() as connection:
        rows = await connection.execute(
            select(outbox.c.data)
            .where(outbox.c.type == DeadlineMoved.type, outbox.c.subject == str(counter_id))
            .order_by(outbox.c.n)
        )
        return [row.data["outcome"] for row in rows]


async def test_a_deadline_fires_once_and_never_early(kit: Kit) -> None:
    counter_id, due = await promised(kit.db)
    sweeper = TOY.sweeper(kit)

    await sweeper.sweep(now=due)
    assert await outcomes(kit.db, counter_id) == ["approaching"]

    for _ in range(3):
        await sweeper.sweep(now=due + timedelta(microseconds=1))
    assert await outcomes(kit.db, counter_id) == ["approaching", "missed"]


async def test_a_deadline_is_announced_as_approaching_once(kit: Kit) -> None:
    counter_id, due = await promised(kit.db)
    warn = START + (due - START) * 0.8
    sweeper = TOY.sweeper(kit)

    await sweeper.sweep(now=warn - timedelta(seconds=1))
    assert await outcomes(kit.db, counter_id) == []

    await sweeper.sweep(now=warn)
    await sweeper.sweep(now=warn + timedelta(hours=1))
    assert await outcomes(kit.db, counter_id) == ["approaching"]


async def test_a_disarmed_deadline_never_fires(kit: Kit) -> None:
    counter_id, due = await promised(kit.db)
    async with kit.db.transaction() as tx:
        await keep(tx, counter_id=counter_id, now=due)

    await TOY.sweeper(kit).sweep(now=due + timedelta(days=1))

    assert await outcomes(kit.db, counter_id) == []


async def test_a_matter_closed_late_is_still_reported_as_missed(kit: Kit) -> None:
    counter_id, due = await promised(kit.db)
    late = due + timedelta(seconds=1)
    async with kit.db.transaction() as tx:
        await keep(tx, counter_id=counter_id, now=late)

    await TOY.sweeper(kit).sweep(now=late)

    assert (await outcomes(kit.db, counter_id)).count("missed") == 1


async def test_closing_and_firing_at_the_same_moment_have_exactly_one_winner(kit: Kit) -> None:
    matters = [await promised(kit.db) for _ in range(60)]
    due = matters[0][1]
    moment = due + timedelta(microseconds=1)

    async def close(counter_id: UUID) -> None:
        async with kit.db.transaction() as tx:
            await keep(tx, counter_id=counter_id, now=due)

    await asyncio.gather(
        *(close(counter_id) for counter_id, _ in matters),
        TOY.sweeper(kit).sweep(now=moment),
        TOY.sweeper(kit).sweep(now=moment),
    )

    async with kit.db.reading() as connection:
        rows = (await connection.execute(select(timer.c.subject, timer.c.state))).all()
    for row in rows:
        fired = (await outcomes(kit.db, UUID(row.subject))).count("missed")
        assert (row.state, fired) in {("fired", 1), ("disarmed", 0)}


async def test_two_sweepers_side_by_side_fire_each_deadline_once(kit: Kit) -> None:
    matters = [await promised(kit.db, days=1) for _ in range(250)]
    moment = matters[0][1] + timedelta(seconds=1)

    await asyncio.gather(*(TOY.sweeper(kit).sweep(now=moment) for _ in range(3)))
    await TOY.sweeper(kit).sweep(now=moment)

    for counter_id, _ in matters:
        assert (await outcomes(kit.db, counter_id)).count("missed") == 1


async def test_a_new_calendar_version_moves_open_deadlines_and_says_so(kit: Kit) -> None:
    counter_id, due = await promised(kit.db)
    calendar = bundled()
    year = calendar.years[2026]
    extended = calendar.with_year(
        type(year)(
            year=2026,
            version=year.version + 1,
            status=year.status,
            notice="测试通知",
            published_on=None,
            days_off={**year.days_off, due.astimezone(SHANGHAI).date(): "加放一天"},
            working_weekends=year.working_weekends,
        )
    )
    sweeper = TOY.sweeper(kit)

    moved = await sweeper.redate(extended, now=START)
    again = await sweeper.redate(extended, now=START)

    assert (moved, again) == (1, 0)
    assert await outcomes(kit.db, counter_id) == ["2026-10-13 to 2026-10-14"]


async def test_the_next_due_moment_is_known(kit: Kit) -> None:
    _, due = await promised(kit.db)

    async with kit.db.reading() as connection:
        moment = await next_due(connection)

    assert moment == (START + (due - START) * 0.8).astimezone(UTC)


async def test_a_sweep_locks_a_batch_and_leaves_the_rest_to_others(kit: Kit) -> None:
    many = text(
        """
        INSERT INTO timer (kind, subject, start_at, amount, unit, clause, calendar_version,
          due_at, state)
        SELECT 'bulk', g::text, :at, 1, 'hours', 'test', '', :at, 'armed'
        FROM generate_series(1, :number) g
        """
    )
    held = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
    number = 30 * BATCH
    async with kit.db.transaction() as tx:
        await tx.connection.execute(many, {"at": START, "number": number})
        await tx.connection.execute(text("ANALYZE timer"))
    claims: list[int] = []
    told: list[str] = []

    async def nothing(_tx: Transaction, _subject: str) -> None:
        """A matter that nobody else moves."""

    async def tell(tx: Transaction, _matter: object, due: Due) -> None:
        told.append(due.subject)
        if len(told) % BATCH == 1:
            claims.append((await tx.connection.execute(held)).scalar_one())
            await asyncio.sleep(0.05)  # the other has its turn meanwhile

    sweepers = [Sweeper(kit.db, [on_due("bulk", lock=nothing, missed=tell)]) for _ in range(2)]
    moment = START + timedelta(hours=1)
    swept = await asyncio.gather(*(each.sweep(now=moment) for each in sweepers))

    assert max(claims) <= 2 * BATCH
    assert min(swept) > number / 4
    assert sorted(told, key=int) == [str(n) for n in range(1, number + 1)]
