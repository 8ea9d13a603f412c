"""What a run stands on: a broker, a PostgreSQL that can fsync, migrated databases, settings."""

import asyncio
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import yaml
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tongban_common import migrations, policies
from tongban_common.brokers import Broker, remove_topics, start_broker
from tongban_common.clock import utc_now
from tongban_common.issuer import AUDIENCE, ISSUER, DevelopmentIssuer
from tongban_common.service import Kit, Service
from tongban_common.testing import Postgres, fresh_database, settings_for, start_postgres
from tongban_common.wire import InProcessWire
from tongban_evaluation.main import SERVICE as EVALUATION
from tongban_hotline_dispatch.main import SERVICE as HOTLINE
from tongban_hotline_dispatch.store.policies import LIMITS
from tongban_hotline_dispatch.store.supervision_policy import SUPERVISION, SupervisionPolicy
from tongban_intake.main import SERVICE as INTAKE
from tongban_intake.operations import Document, load_directory
from tongban_scoring.main import SERVICE as SCORING

from . import ledger
from .processes import Program

SERVICES: Mapping[str, Service] = {
    each.short: each for each in (INTAKE, HOTLINE, EVALUATION, SCORING)
}
TOPICS = sorted({topic for service in SERVICES.values() for topic in service.topics})
UNITS = ("HOUSING", "SOCIAL", "TRAFFIC", "MARKET")
COUNTY_UNIT = "TOWNS"  # below the county: what it contests goes over the county to the city
PARTITIONS = 4
SECRET = "a secret of the crash test only"


class NoWorld(Exception):
    """This machine cannot run a crash test."""


def directory(edition: int) -> bytes:
    """A small city; its names differ from one edition to the next, so that all is announced."""
    units = [
        {"code": code, "kind": "department", "level": "city", "division_code": "990100"}
        for code in UNITS
    ]
    units.append(
        {"code": COUNTY_UNIT, "kind": "department", "level": "county", "division_code": "990101"}
    )
    named = [{**unit, "name": f"{unit['code']} {edition}"} for unit in units]
    windows = [
        {"code": f"{code}-01", "unit_code": code, "name": f"窗口 {edition}", "kind": "department"}
        for code in UNITS
    ]
    divisions = [
        {"code": "990100", "name": "演示市", "level": "city"},
        {"code": "990101", "name": "演示县", "level": "county", "parent_code": "990100"},
    ]
    city = {"divisions": divisions, "units": named, "windows": windows}
    return yaml.safe_dump(city, allow_unicode=True).encode()


def one_hour_limits() -> policies.Policy:
    """The packaged limits of the hotline, under which everything is due in an hour."""
    document = yaml.safe_load(policies.packaged_text(LIMITS.package, LIMITS.file))
    rule = {"amount": 1, "unit": "hours", "clause": "压力测试：一律1小时"}
    document["version"] += 1
    document["in_force"] = "crash_test"
    document["sets"]["crash_test"] = {"title": "压力测试", "rules": [rule]}
    return LIMITS.parse(yaml.safe_dump(document, allow_unicode=True), where="crash test")


def cards_for_the_late() -> SupervisionPolicy:
    """The packaged rules of supervision, under which what is late has a yellow card at once."""
    document = yaml.safe_load(policies.packaged_text(SUPERVISION.package, SUPERVISION.file))
    document["version"] += 1
    document["levels"]["U1"]["card"] = "yellow"
    return SUPERVISION.parse(yaml.safe_dump(document, allow_unicode=True), where="crash test")


@dataclass(slots=True)
class World:
    """Servers that are up. `base` holds migrated, seeded databases that runs copy."""

    folder: Path
    postgres: Postgres
    broker: Broker
    issuer: DevelopmentIssuer
    reads: dict[str, tuple[str, ...]] = field(default_factory=dict)  # consumer → its topics
    keeps_logs: bool = False

    async def prepare(self) -> None:
        """The base databases: migrated, with policies, ledger and one edition of the directory."""
        kits = {name: await self._base(service) for name, service in SERVICES.items()}
        wire = InProcessWire()
        for name in ("hotline", "evaluation", "scoring"):
            inbox = SERVICES[name].inbox(kits[name])
            self.reads[name] = inbox.topics
            wire.connect(inbox)
        document = Document(name="directory.yaml", content=directory(0))
        async with kits["intake"].db.transaction() as tx:
            await load_directory(tx, document=document, now=utc_now())
        relay = INTAKE.relay(kits["intake"], wire)
        await relay.drain()
        await self._free_lease(kits["intake"])
        for kit in kits.values():
            await kit.db.close()

    async def databases(self, prefix: str, copied: Collection[str]) -> dict[str, str]:
        """Copies of the base for one run; the base itself where the run starts no process."""
        engine = create_async_engine(self.postgres.url, isolation_level="AUTOCOMMIT")
        made = {}
        async with engine.connect() as connection:
            for name in SERVICES:
                database = f"{prefix}_{name}" if name in copied else f"base_{name}"
                if name in copied:
                    copy = f'CREATE DATABASE "{database}" TEMPLATE base_{name}'
                    await connection.execute(text(copy))
                url = self.postgres.url.set(database=database)
                made[name] = url.render_as_string(hide_password=False)
        await engine.dispose()
        return made

    @asynccontextmanager
    async def durable(self) -> AsyncIterator[None]:
        """With fsync, which the server of the tests goes without; a given server has its own."""
        settings = ("fsync", "synchronous_commit", "full_page_writes")
        await self._alter([f"RESET {setting}" for setting in settings])
        try:
            yield
        finally:
            await self._alter([f"SET {setting} = off" for setting in settings])

    async def _alter(self, changes: Sequence[str]) -> None:
        if "wheel" not in self.postgres.reason:
            return
        engine = create_async_engine(self.postgres.url, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            for change in changes:
                await connection.execute(text(f"ALTER SYSTEM {change}"))
            await connection.execute(text("SELECT pg_reload_conf()"))
        await engine.dispose()

    async def empty_topics(self) -> None:
        await remove_topics(self.broker.bootstrap, TOPICS)

    async def _base(self, service: Service) -> Kit:
        url = await fresh_database(self.postgres, f"base_{service.short}")
        await migrations.upgrade(url, service.package)
        kit = service.kit(settings_for(service, database_url=url, issuer=self.issuer))
        await service.load_policies(kit)
        if service is HOTLINE:
            await policies.load(kit.db, [one_hour_limits(), cards_for_the_late()])
        async with kit.db.transaction() as tx:
            await ledger.install(tx.connection, service.short)
        return kit

    async def _free_lease(self, kit: Kit) -> None:
        async with kit.db.transaction() as tx:
            await tx.connection.execute(text("DELETE FROM relay_lease"))


@asynccontextmanager
async def a_world() -> AsyncIterator[World]:
    """Raises NoWorld without a broker that can do groups."""
    folder = Path(tempfile.mkdtemp(prefix="tb-crash-"))
    postgres, broker = await asyncio.gather(
        asyncio.to_thread(start_postgres), asyncio.to_thread(start_broker)
    )
    world = World(folder, postgres, broker, DevelopmentIssuer(folder / "issuer"))
    try:
        if not broker.can_rebalance:
            raise NoWorld(f"a real broker is needed: {broker.reason}")
        await world.prepare()
        yield world
    finally:
        await asyncio.gather(asyncio.to_thread(broker.stop), asyncio.to_thread(postgres.stop))
        if not world.keeps_logs:
            shutil.rmtree(folder, ignore_errors=True)


class Installation:
    """One run's databases, ports and settings: what its programs are started with."""

    def __init__(self, world: World, urls: Mapping[str, str], *, repairs: bool) -> None:
        self.world = world
        self.urls = urls
        self._repairs = repairs
        self._ports: dict[str, list[int]] = {name: [] for name in urls}

    def addresses(self, service: str) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self._ports[service]]

    def api(self, service: str, number: int = 1) -> Program:
        port = _free_port()
        self._ports[service].append(port)
        return self._program(service, "api", number, [_script(service), "api"], {"PORT": str(port)})

    def worker(
        self,
        service: str,
        role: str,
        number: int = 1,
        *,
        wrapper: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Program:
        """A worker by its console script, or by a wrapper module of this package."""
        script = [sys.executable, "-m", *wrapper, service] if wrapper else [_script(service)]
        program = self._program(service, role, number, [*script, "worker", "--role", role], {})
        return Program(
            name=program.name,
            role=role,
            command=program.command,
            environment={**program.environment, **(environment or {})},
        )

    def command(self, service: str, *arguments: str) -> Program:
        """Any other command of the console script."""
        return self._program(service, "command", 1, [_script(service), *arguments], {})

    def _program(
        self, service: str, role: str, number: int, command: list[str], more: Mapping[str, str]
    ) -> Program:
        prefix = f"TONGBAN_{service.upper()}_"
        settings = {**self._settings(service), **more}
        return Program(
            name=f"{service}-{role}-{number}",
            role=role,
            command=command,
            environment={f"{prefix}{name}": value for name, value in settings.items()},
        )

    def _settings(self, service: str) -> dict[str, str]:
        peers = {name: self.addresses(name)[0] for name in self._ports if self._ports[name]}
        token = self.world.issuer.token(subject="service", roles=["service"])
        return {
            "DATABASE_URL": self.urls[service],
            "DATABASE_POOL": "6",
            "KAFKA": self.world.broker.bootstrap,
            "KAFKA_PARTITIONS": str(PARTITIONS),
            "KAFKA_SESSION_TIMEOUT_MS": "6000",
            "SECRET": SECRET,
            "ISSUER": ISSUER,
            "AUDIENCE": AUDIENCE,
            "JWKS": str(self.world.issuer.jwks),
            "PEERS": orjson.dumps(peers if self._repairs else {}).decode(),
            "PEER_TOKEN": token,
            "HOST": "127.0.0.1",
            "POLL_SECONDS": "0.1",
        }


def _script(service: str) -> str:
    """The console script, beside this interpreter."""
    return str(Path(sys.executable).parent / f"tongban-{service}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
