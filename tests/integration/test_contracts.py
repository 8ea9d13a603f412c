from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from fastapi.routing import iter_route_contexts
from openapi_spec_validator import validate

from tongban_common import contracts
from tongban_common.events import Event
from tongban_common.inbox import Subscription
from tongban_common.service import Service
from tongban_suite.city import SERVICES

FOLDER = Path(__file__).parents[2] / "contracts"
EVENTS = [(service, event) for service in SERVICES for event in service.events]
SETTINGS = {"database_url": "postgresql+asyncpg:///none", "secret": "only to build the service"}


def subscriptions_of(service: Service) -> list[Subscription[Any]]:
    kit = service.kit(service.settings.model_validate(SETTINGS))
    return list(service.subscriptions(kit))


SUBSCRIPTIONS = [(service, each) for service in SERVICES for each in subscriptions_of(service)]
READ = [(service, each) for service, each in SUBSCRIPTIONS if each.reading is not None]


def example_of(type_: str) -> dict[str, Any]:
    short = type_.split(".")[1]
    file = FOLDER / short / "events" / f"{type_}.example.json"
    example: dict[str, Any] = orjson.loads(file.read_bytes())
    return example


@pytest.mark.parametrize(("service", "event"), EVENTS, ids=[event.type for _, event in EVENTS])
def test_an_event_writes_exactly_its_published_example(
    service: Service, event: type[Event]
) -> None:
    example = example_of(event.type)

    made = event.model_validate({**example, "occurred_at": "2026-09-30T02:00:00Z"})

    assert orjson.loads(made.model_dump_json()) == example


@pytest.mark.parametrize(
    ("service", "subscription"),
    READ,
    ids=[f"{service.short} reads {each.event_type}" for service, each in READ],
)
def test_every_reading_accepts_the_published_example(
    service: Service, subscription: Subscription[Any]
) -> None:
    assert subscription.reading is not None
    example = example_of(subscription.event_type)

    subscription.reading.model_validate(
        {**example, "occurred_at": "2026-09-30T02:00:00Z", "event_id": "e-1"}
    )


def test_every_subscribed_type_has_a_publisher_on_that_topic() -> None:
    published = {(event.topic, event.type) for _, event in EVENTS}

    assert {(each.topic, each.event_type) for _, each in SUBSCRIPTIONS} <= published


def test_every_type_of_a_subscribed_topic_is_read_or_ignored_on_purpose() -> None:
    by_topic: dict[str, set[str]] = {}
    for _, event in EVENTS:
        by_topic.setdefault(event.topic, set()).add(event.type)

    for service in SERVICES:
        known = [each for owner, each in SUBSCRIPTIONS if owner is service]
        for topic in {each.topic for each in known}:
            named = {each.event_type for each in known if each.topic == topic}
            assert by_topic[topic] == named, f"{service.short} on {topic}"


@pytest.mark.parametrize(("service", "event"), EVENTS, ids=[event.type for _, event in EVENTS])
def test_a_type_says_its_service_and_its_topic_an_aggregate(
    service: Service, event: type[Event]
) -> None:
    assert event.type.startswith(f"tongban.{service.short}.")
    assert event.type.endswith(".v1")
    assert event.topic.startswith(f"tongban.{service.short}.")
    assert event.key in event.model_fields


@pytest.mark.parametrize("service", SERVICES, ids=[service.short for service in SERVICES])
def test_the_openapi_document_is_valid_3_1(service: Service) -> None:
    document = orjson.loads((FOLDER / service.short / "openapi.json").read_bytes())

    assert document["openapi"].startswith("3.1")
    validate(document)


OPEN = {
    "POST /hotline/v1/public/ticket/supplements",
    "POST /hotline/v1/public/ticket/withdrawal",
    "POST /hotline/v1/public/ticket/reopening",
    "POST /intake/v1/progress",
    "POST /evaluation/v1/reviews",
}


@pytest.mark.parametrize("service", SERVICES, ids=[service.short for service in SERVICES])
def test_only_reads_and_what_is_named_here_are_open_to_everybody(service: Service) -> None:
    app = service.app(service.kit(service.settings.model_validate(SETTINGS)))

    seen = 0
    for each in iter_route_contexts(app.routes):
        guarded = _permissions(each.original_route)
        for method in each.methods or ():
            seen += 1
            if method in {"GET", "HEAD"} or guarded:
                continue
            path = str(each.path)
            is_page = "/v1/" not in path
            assert f"{method} {path}" in OPEN or is_page, f"{method} {path} asks for no permission"
    assert seen > len(app.openapi()["paths"])


def _permissions(route: Any) -> list[str]:
    dependant = getattr(route, "dependant", None)
    return [] if dependant is None else list(_asked(dependant))


def _asked(dependant: Any) -> Iterator[str]:
    for each in dependant.dependencies:
        if hasattr(each.call, "permission"):
            yield each.call.permission
        yield from _asked(each)


OLD = {
    "type": "object",
    "required": ["a"],
    "properties": {"a": {"type": "string", "enum": ["x", "y"]}, "b": {"type": "integer"}},
}


@pytest.mark.parametrize(
    ("change", "is_compatible"),
    [
        ({"properties": {**OLD["properties"], "c": {"type": "string"}}}, True),  # type: ignore[dict-item]
        ({"properties": {"a": OLD["properties"]["a"]}}, False),  # type: ignore[index]
        ({"properties": {"a": {"type": "string", "enum": ["x"]}, "b": {"type": "integer"}}}, False),
        ({"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}, False),
        ({"required": []}, False),
        ({}, True),
    ],
    ids=["field added", "field removed", "value removed", "type changed", "made optional", "same"],
)
def test_an_incompatible_change_of_an_event_is_seen(
    change: dict[str, Any], is_compatible: bool
) -> None:
    assert (contracts.incompatibilities(OLD, {**OLD, **change}) == []) is is_compatible
