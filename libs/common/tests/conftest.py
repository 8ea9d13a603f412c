from collections.abc import Iterator

import pytest
import toy_service
from deliveries import Recorder
from toy_service import TOY

from tongban_common.service import Service


@pytest.fixture(scope="session")
def service() -> Service:
    return TOY


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(autouse=True)
def _lucky() -> Iterator[None]:
    toy_service.UNLUCKY["value"] = -1
    yield
    toy_service.UNLUCKY["value"] = -1
