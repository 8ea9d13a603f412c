"""Whom the matter is about and who recused find it by no operation that reads (hotline.md 2.5)."""

import io
import zipfile
from typing import Any

import pytest
from fastapi.routing import APIRoute

from tongban_common.db import Database
from tongban_common.testing import Client
from tongban_hotline_dispatch.main import SERVICE
from tongban_hotline_dispatch.store.reference import Unit, Units

TICKETS = "/hotline/v1/tickets"
MARK = "窗口人员推诿七七四九"
APPEAL = {
    "channel": "phone",
    "appeal_type": "complaint",
    "target_name": "某办事处",
    "title": MARK,
    "content": f"{MARK}，昨天下午办理时被无故推诿",
    "person": {"name": "张三丰", "phone": "13812345678"},
}
BAD = {"resolved": "unresolved", "result": "dissatisfied", "process": "basically"}


@pytest.fixture(autouse=True)
async def _tree(db: Database) -> None:
    """A7 over A3 over T3."""
    async with db.transaction() as tx:
        for code, level, parent in (("A3", "county", "A7"), ("T3", "township", "A3")):
            new = Unit(code=code, name=code, level=level, is_active=True, parent_code=parent)
            await Units(tx).keep(new)


@pytest.fixture
async def known(hub: Client, client: Client) -> list[Any]:
    """Two matters of T3 with what may hang on one: a supervision, a bad mark, a reply."""
    town = client.as_("unit_officer", subject="u-t", unit="T3")
    center = client.as_("supervisor", subject="c-1")
    found = []
    for _ in range(2):
        ticket = (await hub.post(TICKETS, json=APPEAL)).json()
        for who, path, body in (
            (hub, "assign", {"unit_code": "T3"}),
            (town, "sign", {}),
            (town, "contact", {}),
            (town, "reply", {"text": f"{MARK}：已批评教育"}),
            (hub, "review/pass", {}),
            (hub, "callback/complete", BAD),
        ):
            seen = (await hub.get(f"{TICKETS}/{ticket['id']}")).headers["etag"]
            address = f"{TICKETS}/{ticket['id']}/{path}"
            answer = await who.post(address, json=body, headers={"If-Match": seen})
            assert answer.status_code == 200, (path, answer.text)
        issued = await center.post(
            "/hotline/v1/supervisions",
            json={"level": "S1", "cause": "OVERDUE", "ticket_ids": [ticket["id"]]},
        )
        assert issued.status_code == 201, issued.text
        found.append({**answer.json(), "supervision": issued.json()["id"]})
    return found


async def read(who: Client, ticket: Any) -> dict[str, str]:
    """What every operation that reads tells: of the ticket where it asks for one, or of all."""
    told = {}
    for router in SERVICE.routers:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            path = route.path.replace("{ticket_id}", ticket["id"])
            path = path.replace("{supervision_id}", ticket["supervision"])
            if "GET" not in (route.methods or ()) or "{" in path:
                continue
            answer = await who.get(path)
            assert answer.status_code < 500, path
            is_shown = answer.status_code == 200
            is_its_own = path != route.path  # whatever is said there is said of this ticket
            told[route.path] = ticket["id"] * is_its_own + _text(answer.content) if is_shown else ""
    return told


def _text(body: bytes) -> str:
    if not body.startswith(b"PK"):
        return body.decode("utf-8", "replace")
    with zipfile.ZipFile(io.BytesIO(body)) as book:
        return "".join(book.read(name).decode("utf-8", "replace") for name in book.namelist())


def where(told: dict[str, str], ticket: Any) -> list[str]:
    marks = (ticket["id"], ticket["ticket_no"])
    return sorted(path for path, text in told.items() if any(mark in text for mark in marks))


async def test_the_accused_unit_and_those_below_it_find_it_nowhere(
    hub: Client, client: Client, known: list[Any]
) -> None:
    about, other = known
    town = client.as_("unit_officer", subject="u-t", unit="T3")
    before = where(await read(town, about), about)
    body = {"unit_code": "A3", "reason": "经核实被诉"}
    assert (await hub.put(f"{TICKETS}/{about['id']}/target", json=body)).status_code == 200

    after = await read(town, about)

    assert len(before) > 10
    # What was issued to the unit itself stays its own to answer and to contest.
    own = [path for path in before if "supervision_id" in path]
    assert where(after, about) == own
    assert where(await read(town, other), other) == before


async def test_who_recused_finds_it_nowhere(hub: Client, client: Client, known: list[Any]) -> None:
    about, other = known
    center = client.as_("supervisor", subject="d-1")  # the same person
    colleague = client.as_("dispatcher", subject="d-2")
    before = where(await read(hub, about), about)
    body = {"reason": "kinship"}
    assert (await hub.post(f"{TICKETS}/{about['id']}/recusals", json=body)).status_code == 201

    after = await read(hub, about)
    record = f"/hotline/v1/supervisions/{about['supervision']}"
    moved = await center.post(f"{record}/close", json={"note": "已办"}, headers={"If-Match": '"1"'})

    assert (moved.status_code, moved.json()["code"]) == (404, "supervision.not_found")
    assert len(before) > 10
    assert where(after, about) == []
    assert where(await read(hub, other), other) == before
    assert where(await read(colleague, about), about) == before
