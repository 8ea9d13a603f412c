"""The shared Alembic environment. A service's `env.py` is one call of `run`."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from alembic import command, context
from alembic.config import Config
from sqlalchemy import Connection, MetaData, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from tongban_common import (
    audit,
    calendars,
    dead_letters,
    idempotency,
    inbox,
    outbox,
    policies,
    timers,
)
from tongban_common.foundation import foundation

# Imported for their tables: every service's database has them.
FOUNDATION = (audit, calendars, dead_letters, idempotency, inbox, outbox, policies, timers)
_LOCK = 0x746F6E67  # "tong": one migration at a time per database


def run(metadata: MetaData) -> None:
    """Called by env.py: online only, on the connection that `upgrade` and its kin hand over."""
    connection: Connection | None = context.config.attributes.get("connection")
    if connection is None:
        raise RuntimeError("run migrations through the service's command: tongban-… migrate")
    context.configure(
        connection=connection,
        target_metadata=[metadata, foundation],
        compare_type=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def foundation_sql(version: str) -> list[str]:
    """The statements of one version of the foundation, for a service's migration to execute."""
    document = files("tongban_common").joinpath("foundation_sql", f"{version}.sql")
    return [part.strip() for part in document.read_text().split(";\n") if part.strip()]


async def upgrade(url: str, package: str, revision: str = "head") -> None:
    """Bring the database to a revision. Safe to call from several processes at once."""
    await _with_connection(url, package, lambda config: command.upgrade(config, revision))


async def downgrade(url: str, package: str, revision: str) -> None:
    await _with_connection(url, package, lambda config: command.downgrade(config, revision))


async def check(url: str, package: str) -> None:
    """Raises when the tables in code and the tables in the database differ."""
    await _with_connection(url, package, command.check)


def script_location(package: str) -> Path:
    """Beside the package's sources in a checkout, inside the package in an installation."""
    package_folder = Path(str(files(package)))
    inside = package_folder / "migrations"
    return inside if inside.is_dir() else package_folder.parents[1] / "migrations"


async def _with_connection(url: str, package: str, act: Callable[[Config], object]) -> None:
    config = Config()
    config.set_main_option("script_location", str(script_location(package)))
    config.set_main_option("path_separator", "os")
    engine = create_async_engine(url, poolclass=pool.NullPool)

    def migrate(connection: Connection) -> None:
        connection.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))
        connection.execute(text("SET lock_timeout = '5s'"))
        connection.commit()
        config.attributes["connection"] = connection
        try:
            act(config)
        finally:
            connection.rollback()
            connection.execute(text(f"SELECT pg_advisory_unlock({_LOCK})"))
            connection.commit()

    try:
        async with engine.connect() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()
