import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from tongban_common import migrations
from tongban_common.issuer import DevelopmentIssuer
from tongban_common.settings import ServiceSettings
from tongban_common.testing import Postgres, fresh_database, settings_for, truncate
from tongban_suite.city import SERVICES, City

Emptied = Callable[[], AbstractAsyncContextManager[City]]


@pytest.fixture(scope="session")
async def city_settings(
    postgres: Postgres, issuer: DevelopmentIssuer
) -> Mapping[str, ServiceSettings]:
    made = {}
    for service in SERVICES:
        url = await fresh_database(postgres, f"tb_suite_{service.short}_{os.getpid()}")
        await migrations.upgrade(url, service.package)
        made[service.short] = settings_for(
            service, database_url=url, issuer=issuer, database_pool=5
        )
        kit = service.kit(made[service.short])
        await service.load_policies(kit)
        await kit.db.close()
    return made


@pytest.fixture(scope="session")
def emptied(city_settings: Mapping[str, ServiceSettings]) -> Emptied:
    """A city in which nothing happened yet, once for a test or for the tests of a file."""

    @asynccontextmanager
    async def made() -> AsyncIterator[City]:
        city = City(city_settings)
        for station in city.stations.values():
            await truncate(station.kit.db)
        yield city
        await city.close()

    return made


@pytest.fixture
async def city(emptied: Emptied) -> AsyncIterator[City]:
    async with emptied() as made:
        yield made
