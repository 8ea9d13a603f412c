"""The ledger of a real inbox: clean after redelivery, and not blind behind a unique key."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import text

from tongban_common import migrations
from tongban_common.events import Envelope
from tongban_common.issuer import DevelopmentIssuer
from tongban_common.service import Kit
from tongban_common.testing import Postgres, fresh_database, settings_for

from . import ledger, reading
from .checker import Kind, check
from .history import Ack, Consumer, Fact, History, Move, Shard
from .test_checker import CLOCK, TICKETS, T, a_fact, found
from .world import SERVICES


@pytest.fixture
async def evaluation(postgres: Postgres, issuer: DevelopmentIssuer) -> AsyncIterator[Kit]:
    """A migrated database of evaluation, with the ledger in it."""
    service = SERVICES["evaluation"]
    url = await fresh_database(postgres, "crash_ledger_evaluation")
    await migrations.upgrade(url, service.package)
    kit = service.kit(settings_for(service, database_url=url, issuer=issuer))
    await service.load_policies(kit)
    async with kit.db.transaction() as tx:
        await ledger.install(tx.connection, "evaluation")
    yield kit
    await kit.db.close()


async def the_consumer(kit: Kit) -> Consumer:
    return await reading.consumer("evaluation", kit.settings.database_url, [TICKETS])


def envelopes(facts: Iterable[Fact]) -> list[Envelope]:
    return [
        Envelope(
            id=fact.id,
            source="/tongban/hotline",
            type=fact.type,
            subject=fact.subject,
            time=fact.at,
            topic=fact.topic,
            shard=fact.shard,
            n=fact.n,
            data=fact.data,
        )
        for fact in facts
    ]


def two_closed_tickets() -> History:
    """As the producer has them; what the consumer has is read from its database."""
    facts = [
        replace(
            a_fact(n, "ticket-closed", ticket_id=str(UUID(int=n)), ticket_no=f"T{n}"),
            subject=str(UUID(int=n)),
        )
        for n in (1, 2)
    ]
    moves = [Move(kind="ticket", id=fact.subject, version=1, said="closed") for fact in facts]
    return History(
        clock=CLOCK,
        read_at=T,
        facts=facts,
        moves=moves,
        acks=[
            Ack(kind="ticket", id=move.id, version=1, said="closed", key=move.id) for move in moves
        ],
        shards=[Shard(topic=TICKETS, shard=7, n=2, sent=2)],
    )


async def test_the_ledger_of_a_real_inbox_is_clean_also_after_redelivery(evaluation: Kit) -> None:
    history = two_closed_tickets()
    inbox = SERVICES["evaluation"].inbox(evaluation)

    await inbox.apply(envelopes(history.facts))
    await inbox.apply(envelopes(history.facts))

    history.consumers = [await the_consumer(evaluation)]
    assert check(history) == []


async def test_the_ledger_sees_an_effect_that_a_unique_key_hides(evaluation: Kit) -> None:
    history = two_closed_tickets()
    inbox = SERVICES["evaluation"].inbox(evaluation)
    await inbox.apply(envelopes(history.facts))
    async with evaluation.db.transaction() as tx:
        await tx.connection.execute(text("UPDATE inbox_watermark SET applied = 1"))

    await inbox.apply(envelopes(history.facts))

    history.consumers = [await the_consumer(evaluation)]
    assert history.consumers[0].present.total() == 2
    assert found(history) == {Kind.REORDERED: 1, Kind.DOUBLED: 1}
