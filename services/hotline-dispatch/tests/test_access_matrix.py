"""Nobody does what the policy matrix forbids: every role of access.yaml at every operation.

What an operation asks for is read from the route itself and held against `access_matrix.txt`, so
that no permission changes unseen. Who lacks it gets 403 before anything else is looked at; whoever
has it never gets 403 for the lack of it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from tongban_common.policies import access_of
from tongban_common.testing import Client
from tongban_hotline_dispatch.operations.knowledge import PERMISSION

ROLES = access_of("tongban_hotline_dispatch")
TABLE = Path(__file__).with_name("access_matrix.txt")
NOBODY = str(UUID(int=7))
# What asks for no permission: the public reads, citizens have both numbers, Open311's clients a
# key, and probes tell nothing.
OPEN = {
    "GET /livez",
    "GET /readyz",
    "GET /hotline/knowledge",
    "GET /hotline/knowledge/{item_id}",
    "GET /hotline/progress",
    "GET /hotline/v1/knowledge/public/{item_id}",
    "GET /hotline/v1/knowledge/search",
    "GET /hotline/v1/progress",
    "GET /hotline/v1/public/ticket",
    "GET /hotline/v1/public/ticket/deadlines",
    "POST /hotline/progress",
    "POST /hotline/progress/leave",
    "POST /hotline/progress/{path}",
    "POST /hotline/v1/public/ticket/reopening",
    "POST /hotline/v1/public/ticket/supplements",
    "POST /hotline/v1/public/ticket/withdrawal",
}
_OPEN311 = "/hotline/open311/v2/"
Operation = tuple[str, str]


def asked(dependant: Dependant) -> Iterator[str]:
    for each in dependant.dependencies:
        permission = getattr(each.call, "permission", None)
        if permission is not None:
            yield permission
        yield from asked(each)


def operations(app: FastAPI) -> dict[Operation, frozenset[str]]:
    """Every operation of the service, API and pages, with all that it asks for."""
    return {
        (method, str(each.path)): frozenset(asked(each.original_route.dependant))
        for each in iter_route_contexts(app.routes)
        if isinstance(each.original_route, APIRoute)
        for method in each.original_route.methods or ()
    }


def test_every_operation_asks_for_what_is_written_and_only_the_listed_for_nothing(
    app: FastAPI,
) -> None:
    found = {
        f"{method} {path}": " ".join(sorted(permissions))
        for (method, path), permissions in operations(app).items()
        if not path.startswith(_OPEN311)
    }
    documented = {
        f"{method.upper()} {path}"
        for path, operation in app.openapi()["paths"].items()
        for method in operation
    }

    lines = TABLE.read_text(encoding="utf-8").splitlines()
    written = dict(line.split(": ", 1) for line in lines)

    assert documented <= set(found)
    assert {name for name, permissions in found.items() if not permissions} == OPEN
    assert {name: permissions for name, permissions in found.items() if permissions} == written


def test_every_permission_that_is_asked_for_some_role_has_and_every_one_given_is_asked_for(
    app: FastAPI,
) -> None:
    needed = set().union(*operations(app).values())
    given = set().union(*(granted for role, granted in ROLES.items() if role != "admin"))

    assert needed - given == set()
    assert given - needed == set(PERMISSION.values()) - needed  # asked by the move, within


@pytest.fixture
async def ids(hub: Client, client: Client) -> dict[str, str]:
    """Of things that there are, by the names that paths have for them."""
    appeal = {
        "channel": "phone",
        "appeal_type": "help",
        "title": "路灯不亮",
        "content": "桂花路口的路灯已三天不亮",
        "person": {"phone": "13812345678"},
    }
    officer = client.as_("unit_officer", subject="u-1", unit="A3")
    contact = {
        "unit_code": "A3",
        "role": "liaison",
        "person": {"name": "李四", "mobile": "13987654321"},
        "completed_on": "2026-09-21",
    }
    center = client.as_("supervisor", subject="c-1")

    async def made(who: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await who.post(f"/hotline/v1/{path}", json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    ticket = await made(hub, "tickets", appeal)
    filed = await made(officer, "contacts", contact)
    return {
        "ticket_id": ticket["id"],
        "contact_id": filed["contact"]["id"],
        "assessment_id": (await made(center, "assessments", {"period": "2026-09"}))["id"],
        "unit_code": "A3",
        "form": "csv",
        "period": "2026-09",
        "period_code": "2026-09",
        "quarter": "2026Q3",
        "version": "1",
        "move": "submit",
    }


@dataclass(frozen=True, slots=True)
class Answer:
    name: str
    permissions: frozenset[str]
    status: int
    problem: dict[str, Any]


async def walked(who: Client, app: FastAPI, ids: dict[str, str]) -> list[Answer]:
    """What each operation that asks for something answers."""
    found = []
    for (method, path), permissions in sorted(operations(app).items()):
        if not permissions:
            continue
        answer = await who.request(method, filled(path, ids))
        found.append(answer_of(f"{method} {path}", permissions, answer))
    for move, permission in PERMISSION.items():
        path = filled("/hotline/v1/knowledge/{item_id}/", ids) + move
        answer = await who.post(path, json={}, headers={"If-Match": '"9"'})
        found.append(answer_of(f"POST {path}", frozenset({"knowledge:read", permission}), answer))
    return found


def answer_of(name: str, permissions: frozenset[str], answer: httpx.Response) -> Answer:
    is_problem = answer.headers.get("content-type", "").startswith("application/problem")
    return Answer(name, permissions, answer.status_code, answer.json() if is_problem else {})


def filled(path: str, ids: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)[^}]*\}", lambda part: ids.get(part[1], NOBODY), path)


@pytest.mark.parametrize("role", sorted(ROLES))
async def test_a_role_does_what_the_matrix_gives_it_and_nothing_else(
    app: FastAPI, client: Client, ids: dict[str, str], role: str
) -> None:
    granted = ROLES[role]
    who = client.as_(role, subject="who", unit="A3")
    wrong = []
    for each in await walked(who, app, ids):
        lacks = set() if "*" in granted else each.permissions - granted
        named = each.problem.get("permission")
        code = each.problem.get("code")
        if lacks:
            is_right = (each.status, code, named in lacks) == (403, "auth.not_permitted", True)
        else:
            is_right = each.status not in {401, 500} and named not in each.permissions | granted
        if not is_right:
            wrong.append((each.name, each.status, code, named))

    assert wrong == []


async def test_without_a_sign_in_nothing_of_it_is_answered(
    app: FastAPI, client: Client, ids: dict[str, str]
) -> None:
    answers = await walked(client, app, ids)

    assert {each.status for each in answers} == {401}
    assert len(answers) > len(app.openapi()["paths"])


@pytest.mark.parametrize("role", ["admin", "agent", "dispatcher", "supervisor", "unit_officer"])
async def test_whatever_somebody_may_look_at_opens(app: FastAPI, client: Client, role: str) -> None:
    """Pages, lists and files, in an empty city, asked for without a word more."""
    who = client.as_(role, subject="m-1", unit="A3" if role == "unit_officer" else None)
    paths = [path for method, path in operations(app) if method == "GET" and "{" not in path]

    found = {path: (await who.get(path)).status_code for path in paths}

    assert {path: status for path, status in found.items() if status >= 500} == {}
    assert sum(status == 200 for status in found.values()) > 20
