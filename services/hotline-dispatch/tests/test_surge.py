"""Surge profiles: loaded by a command, in force in their window only, the most specific first."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tongban_common.policies import BadPolicy, load, packaged_text
from tongban_common.service import Kit, Service
from tongban_common.settings import ServiceSettings
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI, Limit, Unit
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.surge import Surge, surge_limit
from tongban_hotline_dispatch.main import commands_of
from tongban_hotline_dispatch.store.surge import SURGE

TICKETS = "/hotline/v1/tickets"
NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
PROFILE = """
  - name: 台风应急
    matter: TF
    words: [台风, 内涝]
    from_at: 2026-09-21T00:00:00+08:00
    to_at: 2026-09-24T00:00:00+08:00
    limits:
      dispatch: {amount: 15, unit: minutes, clause: 15分钟内派单}
      reply: {amount: 30, unit: minutes, clause: 30分钟内响应}
"""
TYPHOON = {
    "channel": "wechat",
    "appeal_type": "help",
    "title": "树倒了",
    "content": "台风吹倒了树，压住了车",
}


def document(*profiles: str, version: int = 2) -> str:
    text = packaged_text("tongban_hotline_dispatch", "surge.yaml")
    listed = "profiles:" + ("".join(profiles) or " []\n")
    return text.replace("version: 1", f"version: {version}").replace("profiles: []", listed)


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


def test_none_ships_in_force() -> None:
    assert SURGE.packaged().surges == ()


async def test_a_surge_holds_in_its_window_for_its_matters_and_explains_itself(
    hub: Client, kit: Kit, clock: Clock
) -> None:
    clock.now = NOW - timedelta(days=1)
    before = (await hub.post(TICKETS, json=TYPHOON)).json()
    await load(kit.db, [SURGE.parse(document(PROFILE), where="surge.yaml")])
    kit.policy(SURGE)._versions.clear()

    answers = {}
    for days, body in (
        (-1, TYPHOON),
        (0, TYPHOON),
        (0, {**TYPHOON, "content": "风平浪静"}),
        (0, {**TYPHOON, "content": "风平浪静", "matter_code": "TF-02"}),
        (3, TYPHOON),
    ):
        clock.now = NOW + timedelta(days=days)
        made = (await hub.post(TICKETS, json=body)).json()
        answers[days, body["content"], body.get("matter_code")] = made
    short = [each["citizen_due"][:16] == "2026-09-21T10:30" for each in answers.values()]
    assert short == [False, True, False, True, False]

    clock.now = NOW
    made = answers[0, TYPHOON["content"], None]
    for each in (before, made):  # registered before the surge and assigned within it
        done = await hub.post(
            f"{TICKETS}/{each['id']}/assign",
            json={"unit_code": "A3"},
            headers={"If-Match": '"1"'},
        )
        assert done.json()["reply_due"][:16] == "2026-09-21T10:30"
    explained = (await hub.get(f"{TICKETS}/{made['id']}/deadlines")).json()
    unit = next(each for each in explained if each["clock"] == "unit")
    assert "30分钟内响应（台风应急，2026-09-21 00:00至2026-09-24 00:00）" in str(unit)


async def test_a_profile_is_loaded_by_the_command(
    settings: ServiceSettings, service: Service, kit: Kit, tmp_path: Path
) -> None:
    file = tmp_path / "surge.yaml"
    file.write_text(document(PROFILE, version=9), encoding="utf-8")

    said = await asyncio.to_thread(
        CliRunner().invoke, commands_of(lambda _: settings), ["policies", "load", str(file)]
    )

    assert said.exit_code == 0, said.output
    kit.policy(SURGE)._versions.clear()
    assert [each.version for each in await kit.policy(SURGE).all()][-1] == 9


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("to_at: 2026-09-24", "to_at: 2026-09-20", "起止时间颠倒"),
        ("dispatch: {", "lunch: {", "没有这些环节：lunch"),
        ("clause: 30分钟内响应", "clause: ''", "clause"),
        ("words: [台风, 内涝]", "words: ['']", "词不能为空"),
    ],
)
def test_a_faulty_profile_is_refused(old: str, new: str, said: str) -> None:
    assert old in PROFILE

    with pytest.raises(BadPolicy, match=said):
        SURGE.parse(document(PROFILE.replace(old, new)), where="surge.yaml")


def test_two_profiles_that_say_different_things_at_once_are_refused() -> None:
    other = PROFILE.replace("台风应急", "另一个")
    narrower = other.replace("matter: TF", "matter: TF-01")

    text = document(PROFILE, other)
    first, second = (
        next(n for n, line in enumerate(text.splitlines(), 1) if line == f"  - name: {name}")
        for name in ("台风应急", "另一个")
    )
    said = f"第{second}行 .*在同一时段对同一事项规定了同一时限（另一处在第{first}行）"
    with pytest.raises(BadPolicy, match=said):
        SURGE.parse(text, where="surge.yaml")
    assert len(SURGE.parse(document(PROFILE, narrower), where="surge.yaml").surges) == 2


def surge(name: str, matter: str, days: int = 3, **more: Any) -> Surge:
    limit = Limit(amount=days, unit=Unit.HOURS, clause=name)
    return Surge(
        name=name,
        matter=matter,
        from_at=NOW,
        to_at=NOW + timedelta(days=days),
        limits={"reply": limit},
        **more,
    )


def about(matter: str | None, content: str = "台风") -> Appeal:
    return Appeal(
        channel=Channel.PHONE,
        channel_order_no=None,
        appeal_type=AppealType.HELP,
        urgency=Urgency.NORMAL,
        matter_code=matter,
        title="",
        content=content,
    )


@given(order=st.permutations(range(5)))
def test_the_most_specific_profile_decides_in_whatever_order_they_stand(order: list[int]) -> None:
    profiles = [
        surge("全部", ""),
        surge("大类", "TF"),
        surge("小类", "TF-01"),
        surge("小类短", "TF-01", days=1),
        surge("按词", "", words=frozenset({"台风"})),
    ]
    shuffled = [profiles[n] for n in order]

    def chosen(matter: str | None, content: str = "台风", days: int = 0) -> str | None:
        at = NOW + timedelta(days=days)
        found = surge_limit(shuffled, "reply", about(matter, content), at)
        return None if found is None else found.clause.partition("（")[0]

    assert chosen("TF-01") == "小类短"
    assert chosen("TF-01", days=2) == "小类"
    assert chosen("TF-02") == "大类"
    assert chosen("XX") == "按词"
    assert chosen(None, "晴") == "全部"
    assert chosen("TF-01", days=3) is None
    assert surge_limit(shuffled, "sign", about("TF-01"), NOW) is None
