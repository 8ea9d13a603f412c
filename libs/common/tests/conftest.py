import pytest
from toy_service import TOY

from tongban_common.service import Service


@pytest.fixture(scope="session")
def service() -> Service:
    return TOY
