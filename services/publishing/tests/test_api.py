import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import httpx
import pytest

from tongban_common.service import Kit
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_publishing import operations
from tongban_publishing.operations import Step

BULLETINS = "/publishing/v1/bulletins"
FEED = "/publishing/feed.atom"
NOW = datetime(2026, 7, 10, 9, 0, tzinfo=SHANGHAI)
ATOM = {"a": "http://www.w3.org/2005/Atom"}


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


async def act(who: Client, bulletin_id: UUID, move: str, version: int) -> httpx.Response:
    headers = {"If-Match": f'"{version}"'}
    body = {"reason": "数据有误"} if move == "withdraw" else None
    return await who.post(f"{BULLETINS}/{bulletin_id}/{move}", headers=headers, json=body)


async def test_a_bulletin_goes_from_draft_to_tombstone(
    client: Client, secrecy: Client, approver: Client, drafted: Any
) -> None:
    made = await drafted()
    url = f"{BULLETINS}/{made.id}"

    waiting = (await secrecy.get("/publishing/v1/drafts")).json()
    assert [(each["id"], each["status"]) for each in waiting] == [(str(made.id), "draft")]
    assert (await client.get(url)).status_code == 404

    reviewed = await act(secrecy, made.id, "review", 1)
    assert (reviewed.status_code, reviewed.headers["etag"]) == (200, '"2"')
    assert (await client.get(url)).status_code == 404

    approved = await act(approver, made.id, "approve", 2)
    assert approved.json()["published_at"] == "2026-07-10T09:00:00+08:00"
    read = await client.get(url)
    assert (read.status_code, read.headers["etag"]) == (200, '"3"')
    assert [(each["rank"], each["score"]) for each in read.json()["scores"]] == [
        (1, "97.5"),
        (2, "88"),
    ]
    assert (await secrecy.get("/publishing/v1/drafts")).json() == []

    assert (await act(approver, made.id, "withdraw", 3)).status_code == 200
    gone = await client.get(url)
    assert (gone.status_code, gone.json()["code"]) == (410, "bulletin.withdrawn")
    for said in ("2026年第2季度政务服务窗口考核通报", "2026年7月10日", "数据有误"):
        assert said in gone.json()["detail"]
    assert (await client.get(BULLETINS)).json()["items"] == []


async def test_the_same_person_twice_is_refused(client: Client, drafted: Any) -> None:
    made = await drafted()
    both = client.as_("secrecy_reviewer", "approver", subject="x-1")
    await act(both, made.id, "review", 1)

    refused = await act(both, made.id, "approve", 2)

    assert (refused.status_code, refused.json()["code"]) == (422, "publishing.same_person")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 428, "precondition.if_match_missing"),
        ({"If-Match": '"9"'}, 412, "precondition.changed_meanwhile"),
        ({"If-Match": "*"}, 400, "precondition.bad_if_match"),
    ],
)
@pytest.mark.parametrize("move", ["review", "approve", "withdraw"])
async def test_every_move_needs_the_version_that_was_seen(
    client: Client,
    drafted: Any,
    move: str,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    made = await drafted()
    admin = client.as_("admin", subject="x-1")
    body = {"reason": "数据有误"} if move == "withdraw" else None

    answer = await admin.post(f"{BULLETINS}/{made.id}/{move}", headers=headers, json=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_eight_approvals_with_one_version_have_one_winner(
    secrecy: Client, approver: Client, drafted: Any
) -> None:
    made = await drafted()
    await act(secrecy, made.id, "review", 1)

    answers = await asyncio.gather(*(act(approver, made.id, "approve", 2) for _ in range(8)))

    assert sorted(each.status_code for each in answers) == [200] + [412] * 7


@pytest.mark.parametrize(
    ("role", "move"),
    [
        ("approver", "review"),
        ("secrecy_reviewer", "approve"),
        ("secrecy_reviewer", "withdraw"),
        ("publisher", "review"),
        ("supervisor", "approve"),
        ("unit_officer", "withdraw"),
    ],
)
async def test_each_move_has_its_role(client: Client, drafted: Any, role: str, move: str) -> None:
    made = await drafted()

    assert (await act(client.as_(role), made.id, move, 1)).status_code == 403
    assert (await act(client, made.id, move, 1)).status_code == 401


async def test_drafts_are_for_staff(client: Client) -> None:
    assert (await client.get("/publishing/v1/drafts")).status_code == 401
    assert (await client.as_("unit_officer").get("/publishing/v1/drafts")).status_code == 403


async def test_a_move_out_of_order_is_refused(approver: Client, drafted: Any) -> None:
    made = await drafted()

    answer = await act(approver, made.id, "approve", 1)

    assert (answer.status_code, answer.json()["code"]) == (409, "bulletin.illegal_move")
    assert (answer.json()["status"], answer.json()["state"]) == (409, "draft")


@pytest.mark.parametrize("reason", ["", "  ", "有\x00误", "有\x1b误", "\u202e误有", "长" * 501])
async def test_a_withdrawal_needs_a_reason_that_can_be_shown(
    approver: Client, published: Any, reason: str
) -> None:
    made = await published()

    answer = await approver.post(
        f"{BULLETINS}/{made.id}/withdraw", headers={"If-Match": '"3"'}, json={"reason": reason}
    )

    assert answer.status_code in {400, 422}


async def test_the_list_is_paged_without_gaps_or_repeats(client: Client, published: Any) -> None:
    made = [await published(NOW, period=period) for period in (1, 2, 3)]

    seen: list[str] = []
    params: dict[str, Any] = {"limit": 2}
    while True:
        page = (await client.get(BULLETINS, params=params)).json()
        seen += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        params = {"limit": 2, "cursor": page["next"]}

    assert len(seen) == 3
    assert set(seen) == {str(each.id) for each in made}


async def feed_of(client: Client) -> ElementTree.Element:
    answer = await client.get(FEED)
    assert answer.headers["content-type"].startswith("application/atom+xml")
    return ElementTree.fromstring(answer.content)  # noqa: S314 - our own feed


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_the_feed_has_what_atom_asks_for(client: Client, published: Any, count: int) -> None:
    for period in range(1, count + 1):
        await published(NOW, period=period)

    feed = await feed_of(client)

    assert feed.tag == "{http://www.w3.org/2005/Atom}feed"
    entries = feed.findall("a:entry", ATOM)
    assert len(entries) == count
    assert feed.find("a:author/a:name", ATOM) is not None
    for each in (feed, *entries):
        for needed in ("id", "title", "updated"):
            assert each.findtext(f"a:{needed}", "", ATOM)
        assert each.findtext("a:id", "", ATOM).startswith("urn:")
        assert datetime.fromisoformat(each.findtext("a:updated", "", ATOM)).tzinfo is not None
        link = each.find("a:link", ATOM)
        assert link is not None
        assert link.attrib["href"].startswith("http")
    ids = [each.findtext("a:id", "", ATOM) for each in entries]
    assert len(ids) == len(set(ids))


async def test_a_withdrawn_entry_keeps_its_id_and_comes_first(
    client: Client, approver: Client, clock: Clock, published: Any
) -> None:
    made = await published(NOW)
    await published(NOW + timedelta(hours=1), period=2)
    before = (await feed_of(client)).findall("a:entry", ATOM)[1]
    clock.now = NOW + timedelta(days=1)

    await act(approver, made.id, "withdraw", 3)

    feed = await feed_of(client)
    after = feed.findall("a:entry", ATOM)[0]
    assert after.findtext("a:id", None, ATOM) == before.findtext("a:id", "", ATOM)
    assert after.findtext("a:title", "", ATOM).startswith("已撤回")
    assert after.findtext("a:summary", None, ATOM) == "撤回理由：数据有误"
    assert feed.findtext("a:updated", None, ATOM) == "2026-07-11T01:00:00Z"


async def test_a_stored_reason_with_any_character_leaves_the_feed_readable(
    client: Client, kit: Kit, published: Any
) -> None:
    made = await published(NOW)
    step = Step(bulletin_id=made.id, actor="a-1", seen_version=3)

    async with kit.db.transaction() as tx:
        reason = "<b>数据&有误</b>\x0b\x1f\uffff"
        await operations.withdraw(tx, step=step, reason=reason, now=NOW)

    (entry,) = (await feed_of(client)).findall("a:entry", ATOM)
    assert entry.findtext("a:summary", None, ATOM) == "撤回理由：<b>数据&有误</b>"
