"""Secret content is not stored in clear, whenever it is found out (hotline.md 2.4)."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Text, cast, func, select

from tongban_common.db import Database
from tongban_common.privacy import Sealer
from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock, in_clear
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.operations import hot_issues
from tongban_hotline_dispatch.store import ticket_likeness, ticket_note
from tongban_hotline_dispatch.store.likeness import likeness_word

API = "/hotline/v1"
TICKETS = f"{API}/tickets"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
SECRET = {
    "channel": "wechat",
    "appeal_type": "consult",
    "title": "绝密导弹基地搅拌站",
    "content": "导弹基地的坐标",
    "person": {"name": "李四", "phone": "13812345678"},
    "target_name": "绝密基地",
    "demand": "公开绝密坐标",
}
GOOD = {"resolved": "resolved", "result": "satisfied", "process": "satisfied"}
Json = dict[str, Any]


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


async def move(who: Client, made: Json, path: str, **body: object) -> Json:
    answer = await who.post(
        f"{TICKETS}/{made['id']}/{path}", json=body, headers={"If-Match": f'"{made["version"]}"'}
    )
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    made["version"] = found["version"]
    return found


async def new(hub: Client, **more: object) -> Json:
    answer = await hub.post(TICKETS, json={**SECRET, **more})
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def grouped(kit: Kit) -> None:
    rules = await hot_issues.rules_of(kit, now=NOW)
    async with kit.db.transaction() as tx:
        await hot_issues.group(tx, rules, now=NOW)


async def filled(hub: Client, officer: Client, made: Json) -> None:
    """Everything that words may be written into before a unit answers."""
    public = {"title": "绝密的标题", "content": "坐标的内容", "reason": "绝密的理由"}
    path = f"{TICKETS}/{made['id']}"
    assert (await hub.put(f"{path}/public-text", json=public)).status_code == 200
    decided = await hub.post(f"{path}/routing-decision", json={"unit_code": "A3"})
    assert decided.status_code == 201, decided.text
    await move(hub, made, "consult")
    await move(hub, made, "conclude", words="会商认为坐标属实")
    await move(hub, made, "supplement", words="绝密坐标在山后")
    recused = {"staff": "u-7", "reason": "demanded", "note": "绝密坐标的知情人"}
    assert (await hub.post(f"{path}/recusals", json=recused)).status_code in {200, 201}
    made["version"] = (await hub.get(path)).json()["version"]
    await move(hub, made, "assign", unit_code="A3")
    await move(officer, made, "sign")
    asked = {"reason": "坐标未核", "pause_reason": "INSPECTION_APPRAISAL", "is_signed_off": True}
    await move(officer, made, "suspension", **asked)
    supervisor = hub.as_("supervisor", subject="s-1")
    await move(supervisor, made, "suspension/decide", is_granted=False, note="绝密，不予挂起")


async def answered(hub: Client, officer: Client, made: Json) -> None:
    reply = {"text": "坐标已公开", "internal": "绝密坐标", "citations": ["绝密〔2026〕1号"]}
    await move(officer, made, "reply", **reply, evidence=["坐标图"])
    if (await hub.get(f"{TICKETS}/{made['id']}")).json()["status"] == "replied":
        await move(hub, made, "review/pass")
    await move(hub, made, "callback/complete", **GOOD, note="诉求人又说了坐标")


WORDS = ("坐标", "绝密", "导弹")


@pytest.mark.parametrize("found", ["at once", "reopened", "terminated"])
async def test_secret_content_is_found_by_nothing_and_in_no_table(
    service: Service, hub: Client, officer: Client, db: Database, kit: Kit, *, found: str
) -> None:
    await new(hub, title="基地边的搅拌站", content="粉尘", target_name=None, demand=None)
    made = await new(hub, **({"disposition": "SECRET_PRIVACY"} if found == "at once" else {}))
    if found != "at once":
        await grouped(kit)
        await filled(hub, officer, made)
        assert len(await in_clear(db, WORDS)) > 5
    if found == "reopened":
        await answered(hub, officer, made)
        await service.sweeper(kit).sweep(now=NOW + timedelta(seconds=1))  # a knowledge draft
        assert "knowledge_version" in await in_clear(db, WORDS)
        await move(hub, made, "reopen", reason="NEW_FACTS")
        await move(hub, made, "route-out", disposition="SECRET_PRIVACY")
    if found == "terminated":
        asked = {"reason": "涉及绝密坐标", "disposition": "SECRET_PRIVACY", "is_signed_off": True}
        await move(officer, made, "termination", **asked)
        supervisor = hub.as_("supervisor", subject="s-1")
        granted = {"is_granted": True, "note": "绝密属实"}
        await move(supervisor, made, "termination/decide", **granted)
    await grouped(kit)

    asked = {"title": SECRET["title"], "content": SECRET["content"]}
    likely = await hub.post(f"{API}/duplicates", json=asked)

    assert made["id"] not in {each["ticket_id"] for each in likely.json()}
    assert await in_clear(db, WORDS) == []
    shown = await hub.get(f"{TICKETS}/{made['id']}")
    assert (shown.status_code, shown.json()["title"]) == (200, "（内容已隔离封存）")
    async with db.reading() as connection:
        left = await connection.execute(
            select(func.count())
            .select_from(likeness_word)
            .where(likeness_word.c.no.not_in(select(ticket_likeness.c.no)))
        )
        assert left.scalar() == 0


async def test_what_was_taken_out_is_kept_under_seal(
    hub: Client, officer: Client, db: Database, kit: Kit
) -> None:
    made = await new(hub)
    await move(hub, made, "supplement", words="绝密坐标在山后")

    await move(hub, made, "route-out", disposition="SECRET_PRIVACY")

    async with db.reading() as connection:
        rows = await connection.execute(
            select(ticket_note).where(cast(ticket_note.c.kind, Text) == "quarantined")
        )
        note = rows.one()
    context = f"ticket_note:{made['id']}:{note.version}"
    kept = Sealer(kit.secret).open(note.sealed, context=context).splitlines()
    assert kept[:2] == [SECRET["title"], SECRET["content"]]
    assert set(kept[2:]) == {"绝密基地", "公开绝密坐标", "绝密坐标在山后"}
