"""归档 is immutable (hotline.md 3.2): every writing operation, tried on such a ticket."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select

from tongban_common.db import Database
from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain import closing
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import Step, rules_at
from tongban_hotline_dispatch.operations.performing import perform
from tongban_hotline_dispatch.store import Units, ticket, ticket_guard, ticket_move, ticket_note
from tongban_hotline_dispatch.store.reference import Unit

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
HEARD = Heard(resolved=Resolved.YES, result=Mark.SATISFIED, process=Mark.SATISFIED)
ROLES = [
    "agent",
    "dispatcher",
    "supervisor",
    "reviewer",
    "county_hub",
    "unit_officer",
    "unit_leader",
]
OF_UNITS = {"unit_officer", "unit_leader"}
Opened = Callable[..., Awaitable[Any]]
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
SCHEMA = Path(__file__).parents[3] / "contracts" / "hotline" / "openapi.json"
T = "/hotline/v1/tickets/{ticket_id}"
# Not a change of the ticket, each for its reason.
ALLOWED = {
    f"post {T}/reopen": "重启办理",
    f"post {T}/identity-views": "the record of a view",
    f"post {T}/reappraisals": "a record of its own, within the days of its rule",
    f"post {T}/recusals": "bars from seeing it, and changes nothing of it",
    f"post {T}/recusals/{{staff}}/lift": "as the recusal itself",
    f"post {T}/repeat": "REPEAT_NO_NEW of 2.4: counted, the result told; new facts are refused",
}
SAID: dict[str, Any] = {
    "unit_code": "A7",
    "suggested_unit": "A7",
    "parent_id": "01900000-0000-7000-8000-000000000000",
    "promised_on": "2026-12-01",
    "pause_reason": "HEARING",
    "disposition": "OUT_OF_DUTY",
    "items": ["01900000-0000-7000-8000-000000000000"],
    "fields": ["phone"],
    "officer": "u-9",
    "matter_code": None,
}
# Refusals of what was said, from before the ticket is looked at: they would prove nothing.
NEVER_LOOKED = {
    "request.invalid",
    "attachment.wrong_type",
    "routing.nothing_chosen",
    "ticket.not_found",
    "unit.not_found",
    "assignment.not_below",
}
TOLD = {"routing-decision": {"unit_code": "A7"}, "delegate": {"unit_code": "T3"}}
REASONS = {"recusals": "interest", "reopen": "new_facts", "identity-views": "callback"}


@pytest.fixture
async def archived(kit: Kit, opened: Opened, clock: Clock) -> Ticket:
    called = await opened(NOW)
    await called.reply(NOW + timedelta(hours=1))
    await called.attempts(NOW + timedelta(hours=2))
    await called.on_desk(NOW + timedelta(hours=3), lambda desk: desk.call_back(HEARD))
    clock.now = NOW + timedelta(days=10)
    rules = await rules_at(kit, now=clock.now)
    async with kit.db.transaction() as tx:
        step = Step(ticket_id=called.ticket.id, actor="timer")
        archived: Ticket = await perform(
            tx, step=step, command=closing.archive, rules=rules, now=clock.now
        )
    return archived


def operations_of(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """The writing ones that name a ticket in their address."""
    return [
        (method, path, operation)
        for path, at in document["paths"].items()
        for method, operation in at.items()
        if method in {"post", "put", "patch", "delete"} and path.startswith(T)
    ]


def filled(document: dict[str, Any], of: dict[str, Any], name: str, path: str) -> Any:
    """The least that the schema asks for."""
    while "$ref" in of:
        of = document["components"]["schemas"][of["$ref"].rpartition("/")[2]]
    if of.get("type") == "object" or "properties" in of:
        return {
            each: filled(document, of["properties"][each], each, path)
            for each in of.get("required", [])
        }
    if name == "reason":
        return REASONS.get(path.rpartition("/")[2], "说明理由")
    if name in SAID:
        return SAID[name]
    if of.get("type") == "array":
        return [filled(document, of["items"], "", path)]
    plain = {"integer": max(1, of.get("minimum", 1)), "boolean": True}
    return of.get("enum", [plain.get(of.get("type", ""), "说明情况")])[0]


async def kept(db: Database, of: Ticket) -> list[Any]:
    tables: tuple[Table, ...] = (ticket_guard, ticket_note, ticket_move)
    async with db.reading() as reads:
        rows = [(await reads.execute(select(ticket).where(ticket.c.id == of.id))).all()]
        for table in tables:
            found = select(table).where(table.c.ticket_id == of.id)
            rows.append((await reads.execute(found)).all())
    return rows


def check(reached: dict[str, set[str]]) -> None:
    """Each was refused to all, and for the ticket's sake to whoever has the right to it."""
    for name, codes in reached.items():
        codes -= {"auth.not_permitted"}
        assert codes, name
        assert all("." in code for code in codes), (name, codes)  # else it was done
        assert not codes & NEVER_LOOKED, (name, codes)


async def test_who_recuses_from_an_archived_ticket_sees_it_no_more(
    client: Client, archived: Ticket, db: Database
) -> None:
    """A conflict of interest that comes to light late bars from reading (济南市条例第三十二条)."""
    url = f"/hotline/v1/tickets/{archived.id}"
    agent = client.as_("agent", subject="a-1")
    center = client.as_("supervisor", subject="c-1")
    assert (await agent.get(url)).status_code == 200
    before = (await center.get(url)).json()
    async with db.reading() as reads:
        moves = len((await reads.execute(select(ticket_move))).all())

    done = await center.post(f"{url}/recusals", json={"staff": "a-1", "reason": "interest"})

    assert done.status_code == 201, done.text
    assert (await agent.get(url)).status_code == 404
    assert (await agent.get(f"/hotline/tickets/{archived.id}")).status_code == 404
    assert archived.ticket_no not in (await agent.get("/hotline/v1/tickets")).text
    assert (await center.get(url)).json() == before
    async with db.reading() as reads:
        assert len((await reads.execute(select(ticket_move))).all()) == moves
    lifted = await center.post(f"{url}/recusals/a-1/lift", json={"reason": "认定有误"})
    assert lifted.status_code == 200, lifted.text
    assert (await agent.get(url)).status_code == 200


async def test_every_operation_that_writes_is_refused_on_an_archived_ticket(
    client: Client, archived: Ticket, opened: Opened, db: Database
) -> None:
    document = json.loads(SCHEMA.read_text(encoding="utf-8"))
    other = (await opened(NOW)).ticket
    town = Unit(code="T3", name="柳巷街道", level="township", is_active=True, parent_code="A3")
    async with db.transaction() as tx:
        await Units(tx).keep(town)
    before = await kept(db, archived)
    reached: dict[str, set[str]] = {}

    for method, path, operation in operations_of(document):
        name = f"{method} {path}"
        if name in ALLOWED:
            continue
        content = operation.get("requestBody", {}).get("content", {})
        kind, of = next(iter(content.items()), ("", None))
        url = path.replace("{ticket_id}", str(archived.id)).replace("{staff}", "u-9")
        for role in ROLES:
            who = client.as_(role, subject="x-1", unit="A3" if role in OF_UNITS else None)
            match = {"If-Match": f'"{archived.version}"'}
            sent: dict[str, Any] = {"headers": match}
            if kind.startswith("multipart"):
                sent |= {"data": {"group": "handling"}, "files": {"file": ("a.pdf", PDF)}}
            elif of is not None and "anyOf" not in of["schema"]:
                body = filled(document, of["schema"], "", path)
                if "parent_id" in body:
                    body["parent_id"] = str(other.id)
                sent["json"] = body | TOLD.get(path.removeprefix(f"{T}/"), {})
            answer = await who.request(method.upper(), url, **sent)
            code = answer.json()["code"] if answer.is_client_error else str(answer.status_code)
            reached.setdefault(name, set()).add(code)

    assert len(reached) > 40
    check(reached)
    assert await kept(db, archived) == before
