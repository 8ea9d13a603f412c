"""Case 11 (hotline.md 11): a rule changed on the way; what was assigned keeps the version it had.

Each new version is loaded by the command that a city uses, `policies load`.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete
from typer.testing import CliRunner

from tongban_common.policies import PolicyKind, packaged_text, policy
from tongban_common.service import Kit
from tongban_common.settings import ServiceSettings
from tongban_common.testing import Client, Clock
from tongban_hotline_dispatch.main import commands_of
from tongban_hotline_dispatch.store.callback_policy import CALLBACK
from tongban_hotline_dispatch.store.counter import COUNTER
from tongban_hotline_dispatch.store.identity_policy import IDENTITY
from tongban_hotline_dispatch.store.policies import LIMITS
from tongban_hotline_dispatch.store.process import PROCESS

from .building import (
    APPEAL,
    EXTENSION,
    RETURN,
    clock_of,
    done,
    end_of,
    go,
    on,
    refused,
    registered,
    seen,
)

API = "/hotline/v1"
NOW = on(9, 21)
_OWN = 99  # a version that no packaged file will have soon
Revised = Callable[..., Awaitable[None]]


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
async def revised(kit: Kit, settings: ServiceSettings, tmp_path: Path) -> AsyncIterator[Revised]:
    """`policies load` of a packaged file with some of its words changed, from the 22nd on."""

    async def load(kind: PolicyKind[Any], *changes: tuple[str, str]) -> None:
        text = packaged_text("tongban_hotline_dispatch", kind.file)
        text = re.sub(r"(?m)^version: \d+$", f"version: {_OWN}", text, count=1)
        text = re.sub(r"(?m)^effective_from: .*$", "effective_from: 2026-09-22", text, count=1)
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new, 1)
        file = tmp_path / kind.file
        file.write_text(text, encoding="utf-8")
        said = await asyncio.to_thread(
            CliRunner().invoke, commands_of(lambda _: settings), ["policies", "load", str(file)]
        )
        assert said.exit_code == 0, said.output
        kit.policy(kind)._versions.clear()  # as after the thirty seconds for which it is kept

    yield load
    async with kit.db.transaction() as tx:
        await tx.connection.execute(delete(policy).where(policy.c.version == _OWN))


async def assigned(hub: Client, **more: object) -> dict[str, Any]:
    return await done(hub, await registered(hub, **more), "assign", unit_code="A3")


async def test_case_11_the_limit_of_an_assignment_stays_and_a_later_one_has_the_new(
    hub: Client, officer: Client, clock: Clock, revised: Revised
) -> None:
    old = await assigned(hub)
    waiting = await registered(hub)
    before = await clock_of(hub, old, "unit")
    await revised(LIMITS, ("appeal_type: help, amount: 5", "appeal_type: help, amount: 3"))
    assert (await assigned(hub))["reply_due"] == end_of(9, 29)  # in force on the 22nd only
    clock.now = on(9, 22)

    new = await assigned(hub)
    await done(hub, waiting, "assign", unit_code="A3")

    assert await clock_of(hub, old, "unit") == before
    assert (await seen(hub, old))["reply_due"] == end_of(9, 29)
    assert [each["reply_due"] for each in (new, waiting)] == [end_of(9, 28)] * 2
    assert waiting["citizen_due"] == end_of(10, 8)  # 市民时钟: of the day it was registered on
    await done(officer, old, "sign")
    await done(officer, old, "extension", **EXTENSION)
    longer = await done(hub, old, "extension/decide", is_granted=True, is_told=True)
    assert longer["reply_due"] == end_of(10, 9)  # 5 and 3 working days


async def test_case_11_the_way_of_counting_stays_as_well(
    hub: Client, officer: Client, clock: Clock, revised: Revised
) -> None:
    old = await assigned(hub)
    await done(officer, old, "sign")
    await revised(LIMITS, ("day_end: {at: null,", 'day_end: {at: "18:00",'))
    clock.now = on(9, 22)

    new = await assigned(hub)
    await done(officer, old, "extension", **EXTENSION)
    longer = await done(hub, old, "extension/decide", is_granted=True, is_told=True)

    assert new["reply_due"] == "2026-09-30T18:00:00+08:00"
    assert longer["reply_due"] == end_of(10, 9)


_CAUSE = """required:
  - element: demand
    appeal_types: [report]
    clause: 举报写明要求（本地规定）
"""
STRICTER = (
    ("{amount: 1, unit: working_days, clause: 签收", "{amount: 4, unit: hours, clause: 签收"),
    (
        "{amount: 3, unit: working_days, clause: 重办",
        "{amount: 2, unit: working_days, clause: 重办",
    ),
    ("returns_before_forced: {value: 2,", "returns_before_forced: {value: 1,"),
    ("appeal_types: [consult]\n  urgencies", "appeal_types: [consult, help]\n  urgencies"),
)


async def test_case_11_stages_counts_and_exceptions_stay_and_a_later_ticket_has_the_new(
    hub: Client, officer: Client, clock: Clock, revised: Revised
) -> None:
    old, returned = await assigned(hub), await assigned(hub)
    signing = await clock_of(hub, old, "sign")
    await revised(PROCESS, *STRICTER)
    clock.now = on(9, 22)
    new, other = await assigned(hub), await assigned(hub)

    assert await clock_of(hub, old, "sign") == signing
    assert (await clock_of(hub, new, "sign"))["due_at"][:16] == "2026-09-22T14:00"
    for each in (returned, other):  # one return has been had, and the next unit is named
        await done(officer, each, "return", **RETURN)
        await done(hub, each, "return/decide", is_granted=True)
        await done(hub, each, "assign", unit_code="A7")
    forced = [
        [share["is_forced"] for share in (await seen(hub, each))["assignments"]]
        for each in (returned, other)
    ]
    assert forced == [[False, False], [False, True]]
    for each in (old, new):
        await done(officer, each, "sign")
    assert await refused(officer, new, "extension", **EXTENSION) == (422, "ask.not_allowed")
    assert (await go(officer, old, "extension", **EXTENSION)).status_code == 200
    for each, due in ((old, end_of(9, 28)), (new, end_of(9, 24))):
        await done(officer, each, "reply", text="已修复")
        again = await done(hub, each, "review/fail")
        assert (again["status"], again["reply_due"]) == ("rework", due)


async def test_case_11_an_open_callback_keeps_its_rules_and_a_later_one_has_the_new(
    hub: Client, officer: Client, clock: Clock, revised: Revised
) -> None:
    old, later = await assigned(hub), await assigned(hub)
    await answered(hub, officer, old)
    await revised(
        CALLBACK,
        ("days: {value: 2,", "days: {value: 1,"),
        ("call: {amount: 3, unit: working_days", "call: {amount: 1, unit: working_days"),
    )
    clock.now = on(9, 22)

    await answered(hub, officer, later)

    queue = (await hub.get(f"{API}/callbacks")).json()["items"]
    assert {each["ticket_id"]: each["call_due"] for each in queue} == {
        old["id"]: end_of(9, 24),
        later["id"]: end_of(9, 23),
    }
    for at in (on(9, 22, 11), on(9, 22, 15), on(9, 22, 19)):
        clock.now = at
        for each in (old, later):
            await done(hub, each, "callback/attempt")
    assert await refused(hub, old, "callback/give-up") == (422, "callback.too_few_attempts")
    assert (await done(hub, later, "callback/give-up"))["status"] == "closed"


async def answered(hub: Client, officer: Client, ticket: dict[str, Any]) -> None:
    for who, path, body in (
        (officer, "sign", {}),
        (officer, "reply", {"text": "已修复"}),
        (hub, "review/pass", {}),
    ):
        await done(who, ticket, path, **body)


async def test_case_11_what_follows_the_day_of_an_act_changes_nothing_of_what_was_done(
    hub: Client, officer: Client, clock: Clock, revised: Revised
) -> None:
    """隐藏身份 and required elements are of the day of registering, reasons of the day they are
    given."""
    report = {"appeal_type": "report", "target_name": "某公司"}
    old = await assigned(hub, **report)
    await revised(
        IDENTITY,
        ("appeal_types: [report]", "appeal_types: [suggestion]"),
        (
            "  other: {name: 其他可能",
            "  teacher: {name: 师生, clause: 本地规定}\n  other: {name: 其他可能",
        ),
    )
    await revised(COUNTER, ("required:\n", _CAUSE))
    recusal = {"staff": "d-7", "reason": "teacher"}
    early = await hub.post(f"{API}/tickets/{old['id']}/recusals", json=recusal)
    clock.now = on(9, 22)

    new = await registered(hub, **report, demand="查处")
    await done(hub, new, "assign", unit_code="A3")

    hidden = [(await seen(officer, each))["person"]["is_hidden"] for each in (old, new)]
    assert hidden == [True, False]
    later = await hub.post(f"{API}/tickets/{old['id']}/recusals", json=recusal)
    assert (early.status_code, later.status_code) == (422, 201)
    lacking = await hub.post(f"{API}/tickets", json={**APPEAL, **report})
    assert lacking.json()["code"] == "appeal.elements_missing"
    await done(officer, old, "sign")  # which was taken in without it
