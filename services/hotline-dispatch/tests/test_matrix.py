"""Who may do what: every role of access.yaml tries every operation of the API and of the pages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from tongban_common.policies import access_of
from tongban_common.testing import Client
from tongban_hotline_dispatch.main import SERVICE

PACKAGE = "tongban_hotline_dispatch"
ACCESS = access_of(PACKAGE)
# Open to whoever comes, each for its reason; all else asks for a permission.
OPEN = {
    "/hotline/v1/public/": "the citizen's own: ticket number and query code",
    "/hotline/v1/progress": "the same, deprecated",
    "/hotline/progress": "the same, as a page",
    "/hotline/open311/v2": "its own keys (GeoReport v2); what it shows is public",
    "/hotline/v1/knowledge": "the knowledge base for everybody: what is in force",
    "/hotline/knowledge": "the same, as pages",
}
_UNITS = {"unit_officer", "unit_leader", "county_hub"}


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    permissions: frozenset[str]

    @property
    def address(self) -> str:
        """With something in each place that could stand there."""
        made = re.sub(r"\{(\w*id|key)(:\w+)?\}", str(UUID(int=7)), self.path)
        return re.sub(r"\{\w+(:\w+)?\}", "1", made)


def operations() -> list[Operation]:
    return [
        Operation(method=method, path=route.path, permissions=frozenset(asked(route.dependant)))
        for router in SERVICE.routers
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in sorted((route.methods or set()) - {"HEAD"})
    ]


def asked(dependant: Dependant) -> Iterator[str]:
    permission = getattr(dependant.call, "permission", None)
    if permission is not None:
        yield permission
    for each in dependant.dependencies:
        yield from asked(each)


def test_every_operation_asks_for_a_permission_or_is_open_for_a_reason() -> None:
    found = [each for each in operations() if not each.permissions]

    assert len(operations()) > 200
    assert [each.path for each in found if not each.path.startswith(tuple(OPEN))] == []
    assert [start for start in OPEN if not any(e.path.startswith(start) for e in found)] == []


@pytest.mark.parametrize("role", [None, *sorted(ACCESS)])
async def test_a_role_does_what_it_may_and_nothing_else(client: Client, role: str | None) -> None:
    """What it may not is refused everywhere; what it may is let through, once a permission."""
    unit = "A3" if role in _UNITS else None
    who = client if role is None else client.as_(role, subject="m-1", unit=unit)
    granted = ACCESS.get(role or "", frozenset())
    tried: set[frozenset[str]] = set()
    wrong = []
    for each in operations():
        may = "*" in granted or each.permissions <= granted
        if not each.permissions or (may and each.permissions in tried):
            continue
        if may:
            tried.add(each.permissions)
        answer = await who.request(each.method, each.address, json={})
        is_signing_in = "/sign-in" in answer.headers.get("location", "")
        is_kept_out = answer.status_code in {401, 403} or is_signing_in
        is_for_want = may and any(permission in answer.text for permission in each.permissions)
        if is_kept_out is may and (not may or is_for_want):
            wrong.append((each, answer.status_code))

    assert wrong == []


@pytest.mark.parametrize("role", ["admin", "agent", "dispatcher", "supervisor", "unit_officer"])
async def test_whatever_somebody_may_look_at_opens(client: Client, role: str) -> None:
    """Pages, lists and files, in an empty city, asked for without a word more."""
    who = client.as_(role, subject="m-1", unit="A3" if role in _UNITS else None)
    found = {}
    for each in operations():
        if each.method == "GET" and "{" not in each.path:
            found[each.path] = (await who.get(each.path)).status_code

    assert {path: status for path, status in found.items() if status >= 500} == {}
    assert sum(status == 200 for status in found.values()) > 20
