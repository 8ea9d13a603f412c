from sqlalchemy import text

from tongban_common import migrations
from tongban_common.db import Database
from tongban_common.testing import Postgres, fresh_database

PACKAGE = "tongban_publishing"


async def test_migrations_go_up_down_and_up_and_match_the_tables_in_code(
    postgres: Postgres,
) -> None:
    url = await fresh_database(postgres, "tb_publishing_migrations")

    await migrations.upgrade(url, PACKAGE)
    await migrations.check(url, PACKAGE)
    await migrations.downgrade(url, PACKAGE, "base")
    db = Database(url, pool=2)
    async with db.reading() as connection:
        left = await connection.execute(
            text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        )
        assert left.scalar() == 1  # alembic's own
    await db.close()
    await migrations.upgrade(url, PACKAGE)
