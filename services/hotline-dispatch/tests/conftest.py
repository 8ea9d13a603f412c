import pytest

from tongban_common.service import Service
from tongban_hotline_dispatch.main import SERVICE


@pytest.fixture(scope="session")
def service() -> Service:
    return SERVICE
