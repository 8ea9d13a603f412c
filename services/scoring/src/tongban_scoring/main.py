"""Wiring of scoring: its declaration, and the console script that its image runs."""

from tongban_common.cli import commands
from tongban_common.service import Service
from tongban_scoring import api, consumers, events, pages, store, timers
from tongban_scoring.settings import ScoringSettings
from tongban_scoring.store.policies import RULE_BOOK

SERVICE = Service(
    short="scoring",
    package="tongban_scoring",
    title="考核",
    settings=ScoringSettings,
    metadata=store.metadata,
    events=events.PUBLISHED,
    routers=(*api.routers, pages.router),
    subscriptions=consumers.subscriptions,
    timers=timers.handlers,
    policies=(RULE_BOOK,),
)
cli = commands(SERVICE)
