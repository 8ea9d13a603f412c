"""One service as a value: what it is made of, and how its processes are put together.

`main` of every service declares a `Service`; its console script, its image, the suite, the
contracts and the tests all build from that one declaration.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, FastAPI, Request
from sqlalchemy import MetaData

from tongban_common import outbox, policies
from tongban_common.auth import Authenticator, NobodySignsIn, StaffTokens
from tongban_common.calendars import Calendars
from tongban_common.db import Database
from tongban_common.events import Envelope, Event
from tongban_common.http import AppParts, create_app
from tongban_common.idempotency import Purge
from tongban_common.inbox import Inbox, Repair, Subscription
from tongban_common.operators import operator_router
from tongban_common.outbox import Relay
from tongban_common.policies import Policy, PolicyKind, PolicyShelf
from tongban_common.settings import ServiceSettings
from tongban_common.timers import OnDue, Sweeper
from tongban_common.wire import Wire

PolicyT = TypeVar("PolicyT", bound=Policy)


class Kit:
    """What the edges of one running service share: database, calendar, policies, settings."""

    def __init__(self, service: "Service", settings: ServiceSettings) -> None:
        self.settings = settings
        self.secret = settings.secret.get_secret_value()
        self.db = Database(settings.database_url, pool=settings.database_pool)
        self.calendars = Calendars(self.db)
        self._shelves = {kind.file: PolicyShelf(self.db, kind) for kind in service.policies}

    def policy(self, kind: PolicyKind[PolicyT]) -> PolicyShelf[PolicyT]:
        """The shelf of one of the service's own policy kinds."""
        shelf: PolicyShelf[PolicyT] = self._shelves[kind.file]
        return shelf


def _nothing(_: Kit) -> Mapping[str, object]:
    return {}


async def _nothing_more(_: Kit) -> None:
    """A service whose new database needs the policies alone."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """The declaration. Callables get the Kit, so that edges find calendar and policies."""

    short: str  # intake, hotline, evaluation, scoring, publishing
    package: str
    title: str
    settings: type[ServiceSettings]
    metadata: MetaData
    events: Sequence[type[Event]]
    routers: Sequence[APIRouter]
    subscriptions: Callable[[Kit], Sequence[Subscription[Any]]]
    timers: Callable[[Kit], Sequence[OnDue[Any]]]
    policies: Sequence[PolicyKind[Any]] = ()
    state: Callable[[Kit], Mapping[str, object]] = _nothing
    furnishing: Callable[[Kit], Awaitable[object]] = _nothing_more

    def kit(self, settings: ServiceSettings) -> Kit:
        return Kit(self, settings)

    def authenticator(self, settings: ServiceSettings) -> Authenticator:
        if settings.issuer is None or settings.jwks is None:
            return NobodySignsIn()
        return StaffTokens(
            issuer=settings.issuer,
            audience=settings.audience,
            jwks=settings.jwks,
            access=policies.access_of(self.package),
        )

    def app(self, kit: Kit, authenticator: Authenticator | None = None) -> FastAPI:
        """The HTTP application; routes find `kit` and what `state` adds on `app.state`."""
        return create_app(
            AppParts(
                short=self.short,
                title=self.title,
                routers=[*self.routers, operator_router(self.short)],
                db=kit.db,
                authenticator=authenticator or self.authenticator(kit.settings),
                settings=kit.settings,
                state={"kit": kit, "service": self, **self.state(kit)},
            )
        )

    def inbox(self, kit: Kit, repair: Repair | None = None) -> Inbox:
        return Inbox(
            kit.db, consumer=self.short, subscriptions=self.subscriptions(kit), repair=repair
        )

    def relay(self, kit: Kit, wire: Wire) -> Relay:
        return Relay(kit.db, wire, service=self.short)

    def sweeper(self, kit: Kit) -> Sweeper:
        purge = Purge(kit.db, days=kit.settings.idempotency_days)
        return Sweeper(kit.db, self.timers(kit), chore=purge)

    @property
    def topics(self) -> list[str]:
        """The topics that this service publishes to."""
        return sorted({event.topic for event in self.events})

    async def load_policies(self, kit: Kit) -> list[Policy]:
        """Put the packaged policies on the shelf; versions that are there already stay."""
        return await policies.load(kit.db, [kind.packaged() for kind in self.policies])

    async def furnish(self, kit: Kit) -> None:
        """What a new database starts with: the packaged policies, and what the service adds."""
        await self.load_policies(kit)
        await self.furnishing(kit)


ROLES = ("relay", "consumer", "timers")


async def run_worker(
    service: Service, settings: ServiceSettings, *, roles: Sequence[str], stop: asyncio.Event
) -> None:
    """The background process over Kafka: relay, consumer and timers, or some of them."""
    from tongban_common import kafka
    from tongban_common.peers import Peers

    if settings.kafka is None:
        raise ValueError("the worker needs the address of Kafka")
    kit = service.kit(settings)
    peers = Peers(settings)
    poll = settings.poll_seconds
    wire = kafka.KafkaWire(bootstrap=settings.kafka, partitions=settings.kafka_partitions)
    inbox = service.inbox(kit, repair=peers.missing)
    topics = partial(
        kafka.ensure_topics,
        settings.kafka,
        [*service.topics, *inbox.topics],
        partitions=settings.kafka_partitions,
        replicas=settings.kafka_replicas,
    )
    try:
        async with asyncio.TaskGroup() as group:
            if "timers" in roles:  # which need no broker
                group.create_task(service.sweeper(kit).run(stop=stop, poll_seconds=poll))
            await kafka.await_topics(topics, stop=stop)
            if "relay" in roles:
                relay = service.relay(kit, wire)
                group.create_task(relay.run(stop=stop, poll_seconds=poll))
            if "consumer" in roles and inbox.topics:
                group.create_task(
                    kafka.consume(
                        inbox,
                        bootstrap=settings.kafka,
                        group=service.short,
                        stop=stop,
                        session_timeout_ms=settings.kafka_session_timeout_ms,
                    )
                )
    finally:
        await wire.close()
        await peers.close()
        await kit.db.close()


class DirectRepair:
    """Gaps repaired straight from the producers' databases, where all run in one process."""

    def __init__(self) -> None:
        self._producers: dict[str, Kit] = {}

    def add(self, service: Service, kit: Kit) -> None:
        self._producers[service.short] = kit

    async def missing(self, topic: str, shard: int, after: int, upto: int) -> list[Envelope]:
        producer = topic.split(".")[1]
        async with self._producers[producer].db.reading() as connection:
            return await outbox.read_range(
                connection,
                source=f"/tongban/{producer}",
                topic=topic,
                shard=shard,
                after=after,
                upto=upto,
            )


async def kit_of(request: Request) -> Kit:  # async: a plain function would cost a thread
    """For endpoints: `Parts = Annotated[Kit, Depends(kit_of)]`."""
    kit: Kit = request.app.state.kit
    return kit


Parts = Annotated[Kit, Depends(kit_of)]
