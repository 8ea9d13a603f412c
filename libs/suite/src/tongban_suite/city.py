"""The five services in one process: their parts, the wire that joins them, their one address."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from tongban_common import migrations
from tongban_common.inbox import Inbox
from tongban_common.outbox import Relay
from tongban_common.service import DirectRepair, Kit, Service
from tongban_common.settings import ServiceSettings
from tongban_common.timers import Sweeper, next_due
from tongban_common.wire import InProcessWire
from tongban_evaluation.main import SERVICE as EVALUATION
from tongban_hotline_dispatch.main import SERVICE as HOTLINE
from tongban_intake.main import SERVICE as INTAKE
from tongban_publishing.main import SERVICE as PUBLISHING
from tongban_scoring.main import SERVICE as SCORING

SERVICES: tuple[Service, ...] = (INTAKE, HOTLINE, EVALUATION, SCORING, PUBLISHING)


@dataclass(frozen=True, slots=True)
class Station:
    """One running service."""

    service: Service
    kit: Kit
    inbox: Inbox
    relay: Relay
    sweeper: Sweeper


class City:
    """The whole suite over five databases, joined by the in-process wire."""

    def __init__(self, settings: Mapping[str, ServiceSettings]) -> None:
        self.wire = InProcessWire()
        repair = DirectRepair()
        self.stations: dict[str, Station] = {}
        for service in SERVICES:
            kit = service.kit(settings[service.short])
            inbox = service.inbox(kit, repair=repair.missing)
            repair.add(service, kit)
            self.wire.connect(inbox)
            self.stations[service.short] = Station(
                service, kit, inbox, service.relay(kit, self.wire), service.sweeper(kit)
            )

    def kit(self, short: str) -> Kit:
        return self.stations[short].kit

    async def settle(self) -> int:
        """Deliver every event, and the events that those cause, until all is quiet."""
        total = 0
        heard: dict[str, int] = {}  # how much it had taken in when it last had nothing to say
        while True:
            waiting = [
                (short, each)
                for short, each in self.stations.items()
                if heard.get(short) != each.inbox.outcomes.total()
            ]
            if not waiting:
                return total
            for short, each in waiting:
                heard[short] = each.inbox.outcomes.total()
                total += await each.relay.drain()

    async def sweep(self, now: datetime) -> int:
        """Fire and warn what lies before `now`."""

        async def swept(station: Station) -> int:
            due = await _next_due(station)
            return 0 if due is None or due > now else await station.sweeper.sweep(now=now)

        return sum(await asyncio.gather(*map(swept, self.stations.values())))

    async def next_due(self) -> datetime | None:
        """The earliest moment at which any service's timers have something to do."""
        moments = await asyncio.gather(*map(_next_due, self.stations.values()))
        return min((moment for moment in moments if moment is not None), default=None)

    async def work(self, *, stop: asyncio.Event, poll_seconds: float) -> None:
        """The background of a running suite: relays and timers, until told to stop."""
        async with asyncio.TaskGroup() as group:
            for each in self.stations.values():
                group.create_task(each.relay.run(stop=stop, poll_seconds=poll_seconds))
                group.create_task(each.sweeper.run(stop=stop, poll_seconds=poll_seconds * 5))

    async def close(self) -> None:
        for each in self.stations.values():
            await each.kit.db.close()


async def _next_due(station: Station) -> datetime | None:
    async with station.kit.db.reading() as connection:
        return await next_due(connection)


async def prepare(settings: Mapping[str, ServiceSettings]) -> None:
    """Migrate the five databases and give them what they start with."""
    for service in SERVICES:
        made = settings[service.short]
        await migrations.upgrade(made.database_url, service.package)
        kit = service.kit(made)
        await service.furnish(kit)
        await kit.db.close()


FRONT_PATHS = frozenset({"/sign-in", "/sign-out"})


class Gateway:
    """One address for five services: by the first part of the path, the portal for the rest."""

    def __init__(self, apps: Mapping[str, FastAPI], front: FastAPI | None) -> None:
        self._apps = dict(apps)
        self._front = front
        self._front_paths = FRONT_PATHS if front is not None else frozenset()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        app = self._app_of(scope["path"])
        await app(scope, receive, send)

    def _app_of(self, path: str) -> ASGIApp:
        if self._front is not None and path in self._front_paths:
            return self._front
        first = path.split("/", 2)[1] if path.startswith("/") else ""
        return self._apps.get(first, self._apps["publishing"])

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await send({"type": "lifespan.shutdown.complete"})
                return
