"""Wiring of publishing: its declaration, and the console script that its image runs."""

from tongban_common.cli import commands
from tongban_common.service import Service
from tongban_publishing import api, consumers, events, pages, store, timers
from tongban_publishing.settings import PublishingSettings
from tongban_publishing.store.policies import PUBLICATION

SERVICE = Service(
    short="publishing",
    package="tongban_publishing",
    title="政务公开",
    settings=PublishingSettings,
    metadata=store.metadata,
    events=events.PUBLISHED,
    routers=(api.router, api.drafts, api.feed, pages.router),
    subscriptions=consumers.subscriptions,
    timers=timers.handlers,
    policies=(PUBLICATION,),
)
cli = commands(SERVICE)
