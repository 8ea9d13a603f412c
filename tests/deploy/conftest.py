"""What the tests of the production form share: the repository, and the services in it."""

from pathlib import Path

import pytest

from tongban_common.service import Service

SHORT_NAMES = ("intake", "hotline", "evaluation", "scoring", "publishing")


@pytest.fixture
def root() -> Path:
    return Path(__file__).parents[2]


@pytest.fixture
def services() -> dict[str, Service]:
    from tongban_suite.city import SERVICES

    return {service.short: service for service in SERVICES}


@pytest.fixture(params=SHORT_NAMES)
def each(request: pytest.FixtureRequest, services: dict[str, Service]) -> Service:
    """Each of the five in turn."""
    return services[request.param]
