"""The wiring of evaluation: one declaration, from which its processes are built."""

from collections.abc import Mapping

from tongban_common.cli import commands
from tongban_common.service import Kit, Service
from tongban_evaluation import api, pages
from tongban_evaluation.consumers import subscriptions
from tongban_evaluation.events import EVENTS
from tongban_evaluation.operations import Links
from tongban_evaluation.settings import EvaluationSettings
from tongban_evaluation.store import metadata
from tongban_evaluation.store.policies import POLICIES, rule_book
from tongban_evaluation.timers import timers


def _state(kit: Kit) -> Mapping[str, object]:
    settings = EvaluationSettings.model_validate(kit.settings.model_dump())
    return {
        "book": rule_book(kit),
        "links": Links(kit.secret, public_url=settings.public_url),
    }


SERVICE = Service(
    short="evaluation",
    package="tongban_evaluation",
    title="政务服务好差评",
    settings=EvaluationSettings,
    metadata=metadata,
    events=EVENTS,
    routers=(*api.routers, pages.router),
    subscriptions=subscriptions,
    timers=timers,
    policies=POLICIES,
    state=_state,
)
cli = commands(SERVICE)
