"""济南市条例第三十二条: the ticket is nowhere for the unit that it is about, for those below it,
and for whoever recused: every address that can be read is asked, and every search.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from tongban_common.db import Database
from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.store import Units
from tongban_hotline_dispatch.store.reference import Unit

API = "/hotline/v1"
NOW = datetime(2026, 9, 14, 10, 0, tzinfo=SHANGHAI)
LATER = datetime(2026, 10, 20, 10, 0, tzinfo=SHANGHAI)
NOBODY = str(UUID(int=7))
WORDS = "昆仑大厦电梯夹人"
APPEAL = {
    "channel": "phone",
    "appeal_type": "complaint",
    "target_name": "某单位",
    "title": WORDS,
    "content": f"{WORDS}已三天，无人修理",
    "person": {"name": "张三丰", "phone": "13812345678"},
}
BAD = {"resolved": "unresolved", "result_level": 1, "process_level": 1, "no_redo": "POLICY_FORBIDS"}
# Not a person's view: what services take from the outbox, to hand it on unit by unit.
MACHINES = {"/hotline/v1/outbox"}
QUERY = {
    "since": "2026-09-01",
    "until": "2026-10-31",
    "from": "2026-09-01",
    "q": "昆仑",
    "appeal_type": "complaint",
    "reason": "callback",
    "what": "open",
}
HUB = ("dispatcher", "supervisor", "reviewer", "inspector", "agent")


@pytest.fixture(autouse=True)
async def _city(db: Database, clock: Clock) -> None:
    """A7 over A3 over the town T3."""
    clock.now = NOW
    async with db.transaction() as tx:
        for code, level, parent in (
            ("A7", "city", None),
            ("A3", "county", "A7"),
            ("T3", "township", "A3"),
        ):
            new = Unit(code=code, name=code, level=level, is_active=True, parent_code=parent)
            await Units(tx).keep(new)


def read_paths(app: FastAPI) -> list[str]:
    """Every address of the service that can be read, page or API."""
    found = {
        str(each.path)
        for each in iter_route_contexts(app.routes)
        if isinstance(each.original_route, APIRoute) and "GET" in (each.methods or ())
    }
    return sorted(path for path in found - MACHINES if path.startswith("/hotline/"))


class Story:
    """A ticket that is in everything that there is: lists, desks, files, figures."""

    def __init__(self, ticket: dict[str, Any], ids: dict[str, str]) -> None:
        self.ticket, self.ids = ticket, ids

    def traces(self, answer: httpx.Response) -> list[str]:
        said = answer.text + answer.headers.get("location", "")
        marks = (self.ticket["id"], self.ticket["ticket_no"], WORDS)
        return [mark for mark in marks if mark in said]

    async def where(self, who: Client, app: FastAPI) -> dict[str, int]:
        """Every address that says something of the ticket, with the status."""
        found = {}
        for path in read_paths(app):
            answer = await who.get(self.filled(path), params=QUERY)
            assert answer.status_code < 500, path
            if answer.status_code == 422:
                answer = await who.get(self.filled(path))
            is_echo = answer.status_code >= 400 and "{ticket_id}" in path
            if self.traces(answer) and not is_echo:
                found[path] = answer.status_code
        number = {"no": self.ticket["ticket_no"]}
        for path, body in (
            ("ticket-searches", {"phone": "13812345678"}),
            ("ticket-searches", {"text": WORDS}),
            ("callers", {"phone": "13812345678"}),
            ("duplicates", {"title": WORDS, "content": WORDS, "phone": "13812345678"}),
        ):
            answer = await who.post(f"{API}/{path}", json=body)
            assert answer.status_code in {200, 403}, (path, answer.text)
            if self.traces(answer):
                found[f"POST {path} {next(iter(body))}"] = answer.status_code
        answer = await who.get("/hotline/desk/find", params=number)
        if answer.status_code == 303:
            found["by its number"] = 303
        return found

    def filled(self, path: str) -> str:
        for name, value in self.ids.items():
            path = path.replace(f"{{{name}}}", value)
        while "{" in path:
            before, _, after = path.partition("{")
            path = before + NOBODY + after.partition("}")[2]
        return path

    async def by_id(self, who: Client, app: FastAPI) -> dict[str, int]:
        return {
            path: (await who.get(self.filled(path), params=QUERY)).status_code
            for path in read_paths(app)
            if "{ticket_id}" in path
        }


async def act(who: Client, ticket_id: str, path: str, **body: object) -> dict[str, Any]:
    seen = (await who.get(f"{API}/tickets/{ticket_id}")).headers["ETag"]
    answer = await who.post(
        f"{API}/tickets/{ticket_id}/{path}", json=body, headers={"If-Match": seen}
    )
    assert answer.status_code in {200, 201, 204}, answer.text
    told: dict[str, Any] = answer.json() if answer.content else {}
    return told


async def made(who: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await who.post(f"{API}/{path}", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
async def story(hub: Client, client: Client, clock: Clock, service: Service, kit: Kit) -> Story:
    """T3 has the ticket: it answered late, was supervised, rated badly, contests that, is
    assessed."""
    town = client.as_("unit_officer", subject="u-t", unit="T3")
    center = client.as_("supervisor", subject="c-1")
    ticket = await made(hub, "tickets", APPEAL)
    key = ticket["id"]
    await act(hub, key, "assign", unit_code="T3")
    await act(town, key, "sign")
    file = await made(
        center,
        "supervisions",
        {"level": "S1", "cause": "UNSOLVED", "unit_codes": ["T3"], "ticket_ids": [key]},
    )
    attached = await town.post(
        f"{API}/tickets/{key}/attachments",
        files={"file": ("现场.pdf", b"%PDF-1.7 page", "application/octet-stream")},
        data={"group": "handling"},
    )
    assert attached.status_code == 201, attached.text
    clock.now = NOW + timedelta(days=30)
    await service.sweeper(kit).sweep(now=clock.now)
    await act(town, key, "reply", text="已修复")
    await act(hub, key, "review/pass")
    await act(hub, key, "callback/record", **BAD)
    contested = await made(
        town,
        f"tickets/{key}/reappraisals",
        {
            "tracks": ["satisfaction"],
            "ground": "POLICY_FORBIDS",
            "words": "诉求于法无据，已书面说明",
            "evidence": ["DC-2026-7"],
            "is_signed_off": True,
        },
    )
    out = {"ticket_id": key, "reason": "MALICIOUS", "grounds": "三个月内就同一事项来电四十次"}
    proposed = await made(town, "exclusions", out)
    look = {"fields": ["phone"], "reason": "callback"}
    looked = await center.post(f"{API}/tickets/{key}/identity-views", json=look)
    assert looked.status_code == 201, looked.text
    clock.now = LATER
    run = await made(center, "assessments", {"period": "2026-09"})
    ids = {
        "ticket_id": key,
        "supervision_id": file["id"],
        "reappraisal_id": contested["id"],
        "assessment_id": run["id"],
        "exclusion_id": proposed["id"],
        "attachment_id": attached.json()["id"],
        "unit_code": "T3",
        "measure": "on_time_close_rate",
        "form": "csv",
    }
    return Story(ticket, ids)


async def test_the_accused_unit_and_those_below_it_find_it_nowhere(
    story: Story, app: FastAPI, hub: Client, client: Client
) -> None:
    town = client.as_("unit_officer", "unit_leader", subject="u-t", unit="T3")
    before = await story.where(town, app)
    assert len(before) > 10, before

    named = await hub.put(
        f"{API}/tickets/{story.ids['ticket_id']}/target",
        json={"unit_code": "A3", "reason": "经核实被诉"},
    )

    assert named.status_code == 200, named.text
    for unit in ("T3", "A3"):
        for role in ("unit_officer", "unit_leader", "county_hub"):
            who = client.as_(role, subject="u-t", unit=unit)
            assert await story.where(who, app) == {}, (unit, role)
            assert set((await story.by_id(who, app)).values()) <= {403, 404}
    assert len(await story.where(hub, app)) > 5


async def test_who_recused_finds_it_nowhere(story: Story, app: FastAPI, client: Client) -> None:
    who = client.as_(*HUB, subject="h-9")
    before = await story.where(who, app)
    assert len(before) > 10, before

    done = await who.post(
        f"{API}/tickets/{story.ids['ticket_id']}/recusals", json={"reason": "kinship"}
    )

    assert done.status_code == 201, done.text
    assert await story.where(who, app) == {}
    assert set((await story.by_id(who, app)).values()) == {404}
