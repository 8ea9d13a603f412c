import os
from collections.abc import AsyncIterator, Iterator, Mapping

import pytest

from tongban_common import migrations
from tongban_common.brokers import Broker, ensure_topics, remove_topics, start_broker
from tongban_common.issuer import DevelopmentIssuer
from tongban_common.settings import ServiceSettings
from tongban_common.testing import Clock, Postgres, fresh_database, settings_for
from tongban_suite.city import SERVICES

from .cities import PARTITIONS, TOPICS, Opened, Openings, TestCity, empty
from .steps import Town, moment


@pytest.fixture(scope="session")
async def migrated(postgres: Postgres, issuer: DevelopmentIssuer) -> Mapping[str, ServiceSettings]:
    """Five databases with tables and policies; what the tests put there is emptied by `emptied`."""
    made = {}
    for service in SERVICES:
        url = await fresh_database(postgres, f"tb_journey_{service.short}_{os.getpid()}")
        await migrations.upgrade(url, service.package)
        made[service.short] = settings_for(
            service, database_url=url, issuer=issuer, database_pool=5
        )
        kit = service.kit(made[service.short])
        await service.load_policies(kit)
        await kit.db.close()
    return made


@pytest.fixture
async def emptied(migrated: Mapping[str, ServiceSettings]) -> Mapping[str, ServiceSettings]:
    await empty(migrated)
    return migrated


@pytest.fixture(params=["in-process", pytest.param("kafka", marks=pytest.mark.kafka)])
def broker_of_test(request: pytest.FixtureRequest) -> Iterator[Broker | None]:
    """None for the in-process wire. A mock cannot delete topics, so each test has its own."""
    if request.param == "in-process":
        yield None
        return
    broker: Broker = request.getfixturevalue("broker")
    if broker.kind != "mock":
        yield broker
        return
    own = start_broker()
    yield own
    own.stop()


@pytest.fixture
async def reopen(
    broker_of_test: Broker | None, emptied: Mapping[str, ServiceSettings]
) -> AsyncIterator[Opened]:
    """Opens the suite over this test's databases, on the wire that the parameter names."""
    if broker_of_test is not None:
        await _empty_topics(broker_of_test)
    openings = Openings(emptied, broker_of_test)
    yield openings
    await openings.close()


@pytest.fixture
async def city(reopen: Opened) -> TestCity:
    return await reopen()


@pytest.fixture
def clock() -> Clock:
    return Clock(moment("09-01"))


@pytest.fixture
def town(city: TestCity, issuer: DevelopmentIssuer, clock: Clock) -> Town:
    return Town(city, issuer, clock)


async def _empty_topics(broker: Broker) -> None:
    if broker.kind == "mock":
        broker.create_topics(TOPICS, PARTITIONS)
        return
    await remove_topics(broker.bootstrap, TOPICS)
    await ensure_topics(broker.bootstrap, TOPICS, partitions=PARTITIONS)
