"""The database can be built, taken down and built again, and is what the code says."""

import os

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tongban_common import migrations
from tongban_common.service import Service
from tongban_common.testing import Postgres, fresh_database


async def test_up_down_up_and_nothing_drifts(service: Service, postgres: Postgres) -> None:
    url = await fresh_database(postgres, f"tb_evaluation_migrations_{os.getpid()}")

    await migrations.upgrade(url, service.package)
    await migrations.downgrade(url, service.package, "base")
    assert await tables(url) == {"alembic_version"}
    await migrations.upgrade(url, service.package)

    await migrations.check(url, service.package)


async def tables(url: str) -> set[str]:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        names = await connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        )
        found = {name for (name,) in names}
    await engine.dispose()
    return found
