"""Hot issues: grouped once however often, hot by people and votes, raised once, forgotten whole."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from typer.testing import CliRunner

from tongban_common.clock import new_id
from tongban_common.privacy import Sealer
from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock, truncate
from tongban_common.timers import Sweeper, on_due, timer
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.hot_issues import (
    Counted,
    Entry,
    Grouping,
    GroupingRules,
    HeatRules,
)
from tongban_hotline_dispatch.domain.likeness import heaviest, likeness
from tongban_hotline_dispatch.main import commands_of
from tongban_hotline_dispatch.operations import Registration, hot_issues
from tongban_hotline_dispatch.operations import likeness as likeness_operations
from tongban_hotline_dispatch.operations.likeness_index import ROUND
from tongban_hotline_dispatch.store import Complainant, ticket_likeness
from tongban_hotline_dispatch.store.likeness import Votes

API = "/hotline/v1/hot-issues"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
TEXTS = {
    "mixer": ("丽发新城附近搅拌站噪音扰民", "丽发新城旁边新建了混凝土搅拌站，粉尘和噪音严重"),
    "parking": ("伊景园滨河苑捆绑销售车位", "伊景园滨河苑购房须捆绑购买车位，广铁集团职工不满"),
    "lamp": ("桂花路口路灯不亮", "桂花路与人民路交叉口的路灯三天不亮"),
}


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


async def bring(kit: Kit, about: str, n: int, *, days_ago: int = 0, votes: int = 0) -> UUID:
    """A matter of person `n`."""
    at = NOW - timedelta(days=days_ago, minutes=n)
    title, content = TEXTS[about]
    new = Registration(
        ticket_id=new_id(at),
        query_code="12345678",
        appeal=Appeal(
            channel=Channel.PHONE,
            channel_order_no=None,
            appeal_type=AppealType.COMPLAINT,
            urgency=Urgency.NORMAL,
            matter_code="HB01",
            title=f"{title}（{n}）",
            content=content,
        ),
        person=Complainant(phone=f"138{n:08}"),
        actor="d-1",
    )
    rules = await operations.rules_at(kit, now=at)
    async with kit.db.transaction() as tx:
        await operations.register(tx, new=new, rules=rules, sealer=Sealer(kit.secret), now=at)
        if votes:
            counted = Votes(supports=votes, opposes=0)
            await likeness_operations.set_votes(tx, new.ticket_id, counted, rules=rules, now=at)
    return new.ticket_id


async def grouped(kit: Kit, *, most: int = 500, at: datetime = NOW) -> int:
    rules = await hot_issues.rules_of(kit, now=at)
    async with kit.db.transaction() as tx:
        return await hot_issues.group(tx, rules, now=at, most=most)


async def issues(kit: Kit) -> dict[UUID, set[UUID]]:
    async with kit.db.reading() as connection:
        rows = await connection.execute(
            select(ticket_likeness.c.issue_id, ticket_likeness.c.ticket_id).where(
                ticket_likeness.c.issue_id.is_not(None)
            )
        )
        found: dict[UUID, set[UUID]] = {}
        for row in rows:
            found.setdefault(row.issue_id, set()).add(row.ticket_id)
    return found


async def test_matters_about_the_same_are_one_issue_named_by_the_first(
    kit: Kit, hub: Client
) -> None:
    mixers = [await bring(kit, "mixer", n, days_ago=9 - n) for n in range(4)]
    parking = [await bring(kit, "parking", n, days_ago=5) for n in range(2)]
    await bring(kit, "lamp", 1)

    await grouped(kit)

    assert await issues(kit) == {mixers[0]: set(mixers), parking[0]: set(parking)}
    listed = (await hub.get(API)).json()["items"]
    assert [each["issue_id"] for each in listed] == [str(mixers[0]), str(parking[0])]
    first = listed[0]
    assert (first["tickets"], first["people"], first["before"]) == (4, 4, 0)
    assert first["heat"] == 4 + 4 + 4
    assert {"搅拌站", "丽发"} <= set(first["words"])
    assert len(first["trend"]) == 30
    assert sum(day["tickets"] for day in first["trend"]) == 4
    assert first["matters"] == {"HB01": 4}


async def test_votes_growth_and_people_make_the_heat(kit: Kit, hub: Client) -> None:
    for n in range(2):
        await bring(kit, "mixer", 1, days_ago=40 - n)
    for n in range(5):
        await bring(kit, "mixer", 1 + n % 2, days_ago=n, votes=49 if n == 0 else 0)
    await grouped(kit)

    (found,) = (await hub.get(API)).json()["items"]

    assert (found["tickets"], found["before"], found["people"], found["votes"]) == (5, 2, 2, 49)
    assert found["heat"] == 5 + 2 + 7 + 3
    assert found["growth"] == 3


async def test_an_issue_is_raised_once_in_a_window(
    kit: Kit, service: Service, announced: Any
) -> None:
    for n in range(12):
        await bring(kit, "mixer", n)
    await service.sweeper(kit).sweep(now=NOW + timedelta(minutes=6))
    await bring(kit, "mixer", 13)
    await service.sweeper(kit).sweep(now=NOW + timedelta(minutes=20))

    raised = [data for fact, data in await announced() if fact == "hot-issue-raised"]
    assert [(each["heat"], each["tickets"], each["people"]) for each in raised] == [(36, 12, 12)]


async def test_a_backlog_is_grouped_round_by_round_as_all_at_once(kit: Kit) -> None:
    for n in range(7):
        await bring(kit, "mixer" if n % 2 else "parking", n)

    assert [await grouped(kit, most=3) for _ in range(4)] == [3, 3, 1, 0]
    assert sorted(len(each) for each in (await issues(kit)).values()) == [3, 4]


async def test_what_one_round_does_not_take_is_taken_by_the_next_sweeps(
    kit: Kit,
) -> None:
    small = partial(hot_issues.round_over, kit=kit, most=3)
    sweeper = Sweeper(kit.db, [on_due(ROUND, lock=hot_issues.lock_round, missed=small)])
    for n in range(7):
        await bring(kit, "mixer", n)

    for second in range(4):
        await sweeper.sweep(now=NOW + timedelta(minutes=6, seconds=second))

    assert [len(each) for each in (await issues(kit)).values()] == [7]
    async with kit.db.reading() as connection:
        armed = await connection.execute(
            select(timer.c.id).where(timer.c.kind == ROUND, timer.c.state == "armed")
        )
    assert armed.all() == []


async def test_one_issue_shows_its_tickets_masked_and_page_by_page(
    kit: Kit, hub: Client, officer: Client
) -> None:
    made = [await bring(kit, "mixer", n) for n in range(3)]
    await grouped(kit)
    address = f"{API}/{made[0]}"

    seen = (await hub.get(address)).json()
    first = (await hub.get(f"{address}/tickets", params={"limit": 2})).json()
    rest = (
        await hub.get(f"{address}/tickets", params={"limit": 2, "cursor": first["next"]})
    ).json()

    assert seen["issue_id"] == str(made[0])
    shown = [each["ticket_id"] for each in (*first["items"], *rest["items"])]
    assert shown == [str(each) for each in made]
    assert (await officer.get(API)).status_code == 403
    assert (await hub.get(f"{API}/{new_id(NOW)}")).json()["code"] == "hot_issue.not_found"


async def test_five_people_with_one_matter_make_a_hard_case(kit: Kit) -> None:
    made = [await bring(kit, "mixer", n) for n in range(5)]
    for n in (1, 1, 1, 1, 1, 2):
        await bring(kit, "parking", n)
    await grouped(kit)
    rules = await hot_issues.rules_of(kit, now=NOW)

    async with kit.db.reading() as reads:
        found = await likeness_operations.many_complainants(reads, rules, now=NOW)
        later = await likeness_operations.many_complainants(
            reads, rules, now=NOW + timedelta(days=31)
        )

    assert [(issue, people, set(tickets)) for issue, people, tickets in found] == [
        (made[0], 5, set(made))
    ]
    assert later == []


async def test_what_is_quarantined_leaves_its_issue_as_if_it_had_never_been_in(
    kit: Kit, hub: Client
) -> None:
    made = [await bring(kit, "mixer", n) for n in range(3)]
    await grouped(kit)
    await hub.post(
        f"/hotline/v1/tickets/{made[0]}/route-out",
        json={"disposition": "SECRET_PRIVACY"},
        headers={"If-Match": '"1"'},
    )

    assert await issues(kit) == {made[0]: set(made[1:])}
    seen = (await hub.get(f"{API}/{made[0]}")).json()
    assert (seen["tickets"], seen["title"]) == (2, f"{TEXTS['mixer'][0]}（2）")


WORDS = [f"词{n}" for n in range(9)]
VECTORS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4, unique=True).map(
    lambda words: heaviest(dict.fromkeys(words, 1.0), 9)
)
RULES = GroupingRules(join=0.4, unite=0.7)


def run(entries: Sequence[Entry], order: Sequence[int]) -> list[frozenset[UUID]]:
    """What becomes of entries that come in as `order` has it, some more than once."""
    grouping = Grouping(RULES)
    seen: list[Entry] = []
    for number in order:
        new = entries[number]
        grouping.place(new, [each for each in seen if likeness(each.vector, new.vector) > 0])
        if new not in seen:
            seen.append(new)
    found: dict[UUID, set[UUID]] = {}
    for each in seen:
        issue = grouping.issue_of(each)
        if issue is not None:
            found.setdefault(issue, set()).add(each.ticket_id)
            assert issue in grouping.issues
    for issue_id, members in found.items():
        assert issue_id in members  # named by one of its own
        assert grouping.issues[issue_id].size == len(members)
        assert len(members) > 1
    return sorted((frozenset(each) for each in found.values()), key=sorted)


@given(vectors=st.lists(VECTORS, min_size=1, max_size=14), data=st.data())
def test_a_repeated_delivery_changes_no_issue(vectors: list[Any], data: st.DataObject) -> None:
    entries = [
        Entry(ticket_id=UUID(int=n + 1), at=NOW + timedelta(hours=n), vector=vector)
        for n, vector in enumerate(vectors)
    ]
    once = list(range(len(entries)))
    again = []
    for number in once:
        again.append(number)
        again += data.draw(st.lists(st.integers(0, number), max_size=3))

    assert run(entries, once) == run(entries, again)


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=6))
async def test_rounds_of_any_size_make_the_same_issues(kit: Kit, sizes: list[int]) -> None:
    """The same eight matters, cut into rounds in any way, with rounds that find nothing between."""
    await truncate(kit.db)
    made = [await bring(kit, "mixer" if n % 3 else "parking", n) for n in range(8)]
    for size in sizes:
        await grouped(kit, most=size)
        await grouped(kit, most=0)
    while await grouped(kit):
        pass

    expected = [{made[n] for n in range(8) if n % 3 == 0}, {made[n] for n in range(8) if n % 3}]
    found = sorted((await issues(kit)).values(), key=len)
    assert found == expected


def test_the_heat_adds_up_and_a_shrinking_issue_is_not_punished() -> None:
    rules = HeatRules(
        window_days=30,
        per_ticket=Decimal(1),
        per_person=Decimal(2),
        per_root_of_votes=Decimal("0.5"),
        per_growth=Decimal(1),
        raised_from=30,
    )

    assert Counted(tickets=3, before=9, people=2, votes=16).heat(rules) == 3 + 4 + 2
    assert Counted(tickets=3, before=1, people=0, votes=0).heat(rules) == 3 + 2


async def test_the_page_lists_the_issues_with_their_line_and_leads_to_their_tickets(
    kit: Kit, hub: Client
) -> None:
    made = [await bring(kit, "mixer", n, days_ago=n) for n in range(3)]
    await grouped(kit)

    listed = await hub.get("/hotline/hot-issues")
    one = await hub.get(f"/hotline/hot-issues/{made[2]}", follow_redirects=False)
    first = await hub.get(f"/hotline/hot-issues/{made[0]}")

    assert listed.status_code == first.status_code == 200
    assert "<polyline" in listed.text
    assert "搅拌站" in listed.text
    assert first.text.count("/hotline/tickets/") == 3
    assert one.status_code == 404


MESSAGES = (
    "title,content,received_at,complainant,supports,opposes\n"
    "丽发新城附近搅拌站噪音扰民,混凝土搅拌站粉尘噪音,2026-01-05T08:00:00+08:00,a,4,0\n"
    "丽发新城小区旁边的搅拌站太吵,搅拌站噪音粉尘,2026-01-06T08:00:00+08:00,b,,\n"
    "桂花路路灯不亮,路灯不亮13812345678,2026-01-07T08:00:00+08:00,c,0,0\n"
)


def test_a_file_of_messages_is_replayed_to_its_hottest_issues(tmp_path: Path) -> None:
    file = tmp_path / "messages.csv"
    file.write_text(MESSAGES, encoding="utf-8")

    said = CliRunner().invoke(commands_of(), ["hot-issues", str(file)], env={"COLUMNS": "200"})
    words = CliRunner().invoke(commands_of(), ["common-words", str(file)])

    assert said.exit_code == 0, said.output
    assert "3条留言，1个热点" in said.output
    assert "│ 8 " in said.output  # two tickets, two people, two for four votes, two more than none
    assert "搅拌站" in words.output
    assert "13812345678" not in words.output


@pytest.mark.parametrize("text", ["", "title\nx\n", "title,content,received_at\na,b,yesterday\n"])
def test_a_file_that_cannot_be_read_is_refused_in_words(tmp_path: Path, text: str) -> None:
    file = tmp_path / "messages.csv"
    file.write_text(text, encoding="utf-8")

    said = CliRunner().invoke(commands_of(), ["hot-issues", str(file)])

    assert said.exit_code == 1
    assert "Traceback" not in said.output
