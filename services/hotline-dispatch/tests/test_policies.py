from datetime import date
from typing import Any

import pytest
import yaml

from tongban_common.errors import Refusal
from tongban_common.policies import BadPolicy, access_of, packaged_text
from tongban_common.service import Kit
from tongban_common.working_days import Unit
from tongban_hotline_dispatch.domain.appeal import AppealType, Urgency
from tongban_hotline_dispatch.domain.deadlines import Facts
from tongban_hotline_dispatch.store.counter import COUNTER
from tongban_hotline_dispatch.store.policies import LIMITS
from tongban_hotline_dispatch.store.process import PROCESS

PACKAGE = "tongban_hotline_dispatch"
C, H, S, X, R, *_ = AppealType  # 咨询 求助 建议 投诉 举报
TABLE = {
    "guizhou_default": {(C, "city"): 1, (C, "county"): 2, (H, "city"): 5, (S, "county"): 5}
    | {(X, "city"): 10, (X, "county"): 12, (R, "city"): 10, (R, "county"): 12},
    "five_day": dict.fromkeys(((kind, "county") for kind in AppealType), 5),
    "graded_2_24_7_15": {(C, "city"): 7, (H, "city"): 7, (X, "city"): 15},
    "two_ten_fifteen": {(C, "city"): 2, (H, "city"): 10, (S, "city"): 10, (X, "city"): 15},
    "three_seven_fifteen": {(C, "city"): 3, (H, "city"): 7, (S, "city"): 7, (R, "city"): 15},
}


def changed(old: str, new: str) -> str:
    text = packaged_text(PACKAGE, "limits.yaml")
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize("name", TABLE)
def test_every_set_that_ships_has_the_limits_of_its_source(name: str) -> None:
    text = changed("in_force: guizhou_default", f"in_force: {name}")
    limits = LIMITS.parse(text, where="limits.yaml").limits()

    for (kind, level), amount in TABLE[name].items():
        facts = Facts(appeal_type=kind, urgency=Urgency.NORMAL, level=level)
        assert limits.pick(facts).amount == amount, (kind, level)
    for urgency, hours in ((Urgency.URGENT, 24), (Urgency.CRITICAL, 2)):
        limit = limits.pick(Facts(appeal_type=X, urgency=urgency, level="county"))
        assert (limit.amount, limit.unit) == (hours, Unit.HOURS)


def test_no_set_is_left_out() -> None:
    assert set(LIMITS.packaged().sets) == set(TABLE)
    assert LIMITS.packaged().in_force == "guizhou_default"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("in_force: guizhou_default", "in_force: nowhere", "nowhere"),
        ("amount: 1,", "amount: 0,", "第23行"),
        ("clause: 遵义市12345热线办理时限：咨询类1个工作日", "clause: ''", "第23行"),
        ("appeal_type: suggestion", "appeal_type: gossip", "第26行"),
        ("level: county, amount: 2", "amount: 2", "同一条件有多条时限"),
        ("appeal_type: help, ", "urgency: normal, appeal_type: help, ", "没有这些诉求类型的时限"),
        ("working_days: 2", "working_days: -1", "citizen_slack.working_days"),
        ('share: "0.5"', 'share: "1.5"', "warn_points.hours.share"),
        ("version: 2", "version: 2\nsurprise: 2", "surprise"),
    ],
    ids=[
        "没有的时限组",
        "时限为零",
        "没有出处",
        "未知类型",
        "同一条件两条时限",
        "类型没有一般时限",
        "负数",
        "提醒晚于期限",
        "不认识的键",
    ],
)
def test_a_faulty_document_is_refused_with_its_place(old: str, new: str, said: str) -> None:
    with pytest.raises(BadPolicy, match=said):
        LIMITS.parse(changed(old, new), where="limits.yaml")


async def test_the_packaged_policy_is_in_force_since_the_calendar_begins(kit: Kit) -> None:
    policy = await kit.policy(LIMITS).at(date(2004, 1, 1))

    assert policy.limits().policy == "hotline-limits/guizhou_default@2"
    with pytest.raises(Refusal):
        await kit.policy(LIMITS).at(date(2003, 12, 31))


def test_every_permission_that_a_route_asks_for_is_granted_to_somebody() -> None:
    access = access_of(PACKAGE)
    granted = set().union(*access.values())

    assert {"outbox:read"} <= access["service"]
    assert {"metrics:read", "outbox:read"} <= access["operator"]
    moves = {f"ticket:{move}" for move in ("register", "assign", "sign", "reply", "close")}
    assert moves | {"ticket:read", "ticket:import", "ticket:all_units"} <= granted
    assert "ticket:all_units" not in access["unit_officer"]


def test_the_documents_are_plain_yaml() -> None:
    for name in ("limits.yaml", "access.yaml"):
        assert isinstance(yaml.safe_load(packaged_text(PACKAGE, name)), dict)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  reopen:\n", "  reopened:\n", "缺少这些环节的时限：reopen"),
        ("trigger: earlier_of", "trigger: sometimes", "callback.trigger"),
        ("when: no_contact", "when: bored", "callback.exempt"),
        (
            "{amount: 1, unit: working_days, clause: 办后审核",
            "{urgency: urgent, amount: 1, unit: working_days, clause: 办后审核",
            "review 没有一般时限",
        ),
        ("rework_rounds: {value: 2,", "rework_rounds: {value: -1,", "counts.rework_rounds.value"),
        ("words: 您的来电没有实质诉求，已作记录。", "words: ''", "dispositions.NO_SUBSTANCE.words"),
        ("levels: [township, village]", "levels: [twonship]", r"第\d+行 not_delegable\.0\.levels"),
    ],
    ids=["缺环节", "未知触发", "未知事由", "没有一般时限", "负数", "没有告知的话", "没有的层级"],
)
def test_a_faulty_process_is_refused_with_its_place(old: str, new: str, said: str) -> None:
    text = packaged_text(PACKAGE, "process.yaml")
    assert old in text

    with pytest.raises(BadPolicy, match=said):
        PROCESS.parse(text.replace(old, new, 1), where="process.yaml")


def test_the_role_of_those_who_answer_calls_may_be_outsourced() -> None:
    """Answering may be, handling may not (国办函〔2025〕66号(三)): it decides nothing."""
    granted = access_of(PACKAGE)["agent"]
    handling = ("decide", "close", "assign", "reopen", "supervise", "unmask", "exclusion", "card")
    assert [each for each in granted if any(word in each for word in handling)] == [
        "routing:decide"  # records what he chose for a message; it moves no ticket
    ]


def test_the_policy_is_refused_where_it_would_ask_for_no_contact_or_tell_what_is_not() -> None:
    document = yaml.safe_load(packaged_text("tongban_hotline_dispatch", "counter.yaml"))

    def faults(**changed: Any) -> str:
        with pytest.raises(Exception, match="counter") as refused:
            COUNTER.parse(yaml.safe_dump({**document, **changed}), where="counter.yaml")
        return str(refused.value)

    assert "没有要求联系电话" in faults(required=document["required"][1:])
    assert "只能用这些占位" in faults(told={**document["told"], "accepted": "{name}"})
    assert "element" in faults(required=[*document["required"], {"element": "x", "clause": "y"}])
