"""What each notice of the ladder says: every kind of it, as it goes out, from its template."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tongban_common.service import Kit, Service
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.operations import Step
from tongban_hotline_dispatch.operations.process import Desk
from tongban_hotline_dispatch.store import Complainant
from tongban_hotline_dispatch.store.supervision import supervision_notice

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
PATH = "/hotline/v1/supervisions"
PERSON = Complainant(name="张三丰", phone="13812345678")


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
def center(client: Client) -> Client:
    return client.as_("supervisor", subject="c-1")


async def notices(kit: Kit) -> Mapping[str, str]:
    """The last of each template."""
    async with kit.db.reading() as reads:
        rows = await reads.execute(select(supervision_notice).order_by(supervision_notice.c.at))
        return {row.template: row.body for row in rows}


async def test_each_rung_of_an_overdue_ticket_says_what_it_is_and_by_which_clause(
    service: Service, kit: Kit, filed: Any
) -> None:
    ticket = await filed(NOW, unit="A3", person=PERSON)
    for days in range(40):
        await service.sweeper(kit).sweep(now=NOW + timedelta(days=days))

    found = await notices(kit)

    expected = {
        "remind": ("工单办理提醒", "2026年9月29日 24:00", "到期前1个工作日提醒"),
        "urge": ("工单催办", "（2026年9月29日 24:00）已过", "到期即催办"),
        "urge_letter": ("催办通知书", "抄送：分管领导、效能监督组", "逾期第一日书面催办"),
        "letter": ("督办通知书", "逾期1个工作日", "逾期超过1个工作日书面督办"),
        "bulletin": ("通报", "已逾期6个工作日，现予红牌通报", "逾期超过5个工作日无说明的通报"),
    }
    assert found.keys() == expected.keys()
    for template, said in expected.items():
        for part in (*said, "A3政府", ticket.ticket_no):
            assert part in found[template], template
        assert "张三丰" not in found[template]
        assert "{" not in found[template]


async def test_the_written_urge_is_copied_to_the_leader_in_charge_and_the_oversight_group(
    service: Service, kit: Kit, filed: Any, center: Client
) -> None:
    """催办通知书: 抄送分管领导和监督组 (hotline.md 4.2, U1); the first urge is not."""
    await filed(NOW, unit="A3", person=PERSON)
    for days in range(12):
        await service.sweeper(kit).sweep(now=NOW + timedelta(days=days))

    async with kit.db.reading() as reads:
        rows = await reads.execute(select(supervision_notice))
        told = {row.template: list(row.audience) for row in rows}
    assert told["urge"] == ["operator", "liaison"]
    assert told["urge_letter"] == ["operator", "liaison", "leader_in_charge", "oversight"]
    assert told["letter"] == ["leader_in_charge"]
    urge = (await center.get(PATH, params={"level": "U1"})).json()["items"][0]
    page = await center.get(f"/hotline/supervisions/{urge['id']}")
    assert "承办单位联络员、承办单位分管领导、效能监督组" in page.text


async def test_a_hard_case_that_stays_unsolved_is_told_that_it_is_listed(
    service: Service, kit: Kit, filed: Any
) -> None:
    ticket = await filed(NOW, unit="A3", person=PERSON)
    rules = await operations.rules_at(kit, now=NOW)
    async with kit.db.transaction() as tx:
        step = Step(ticket_id=ticket.id, actor="c-1")
        await operations.sign(tx, step=step, rules=rules, now=NOW)
        await Desk(tx, step=step, rules=rules, now=NOW).escalate("DISPUTE")
    for days in range(40):
        await service.sweeper(kit).sweep(now=NOW + timedelta(days=days))

    found = await notices(kit)

    assert f"疑难工单{ticket.ticket_no}" in found["listed"]
    assert "列为疑难超过15个工作日未决的挂牌督办" in found["listed"]


@pytest.mark.parametrize(
    ("level", "template", "said"),
    [
        ("U1", "urge_otherwise", "因领导批示件予以催办"),
        ("S1", "letter_otherwise", "现予督办。请于2026年9月24日 24:00前书面回复"),
        ("S2", "bulletin_otherwise", "现予通报。请于2026年9月24日 24:00前书面回复"),
        ("S3", "interview", "因领导批示件（共1件）"),
        ("S4", "listed", "现予挂牌督办"),
    ],
)
async def test_what_is_issued_by_hand_says_nothing_of_a_term_that_did_not_run_out(
    center: Client, kit: Kit, filed: Any, level: str, template: str, said: str
) -> None:
    ticket = await filed(NOW, unit="A3")
    body = {
        "level": level,
        "cause": "LEADER_BATCH",
        "ticket_ids": [str(ticket.id)],
        "words": "联系13812345678",
    }
    answer = await center.post(PATH, json=body)
    assert answer.status_code == 201, answer.text

    ((code, text),) = (await notices(kit)).items()

    assert code == template
    for part in (said, "A3政府", ticket.ticket_no, "参照市民热线工作标准"):
        assert part in text
    for wrong in ("5678", "逾期", "已过", "仍未答复", "{"):
        assert wrong not in text


async def test_a_pattern_of_red_cards_tells_the_interview_and_how_many(
    center: Client, kit: Kit, clock: Clock
) -> None:
    red = {"level": "S2", "cause": "LEADER_BATCH", "unit_codes": ["A3"], "has_card": True}
    for _ in range(3):
        clock.forward(days=1)
        assert (await center.post(PATH, json=red)).status_code == 201

    text = (await notices(kit))["interview"]

    for part in (
        "约谈通知书",
        "因多次红牌（共3件）",
        "2026年9月30日 24:00",
        "三个月内三张红牌约谈",
    ):
        assert part in text


async def test_an_inspection_and_a_clue_have_words_of_their_own(
    center: Client, client: Client, kit: Kit
) -> None:
    inspector = client.as_("inspector", subject="i-1")
    asked = {"form": "data", "cause": "UNSOLVED", "unit_codes": ["A3"]}
    assert (await inspector.post(f"{PATH}/inspections", json=asked)).status_code == 201
    clue = {"ground": "FRAUD", "unit_codes": ["A3"], "words": "答复与现场不符"}
    made = (await center.post(f"{PATH}/accountability", json=clue)).json()
    approved = await inspector.post(
        f"{PATH}/{made['id']}/approve", json={}, headers={"If-Match": f'"{made["version"]}"'}
    )
    assert approved.status_code == 200, approved.text

    found = await notices(kit)

    assert "以“调阅资料、数据”方式开展督查" in found["inspection"]
    for part in ("问责线索移送单", "情形：弄虚作假", "答复与现场不符"):
        assert part in found["clue"]


async def test_no_template_is_left_untried(kit: Kit) -> None:
    """Every one of the policy stands in a test above."""
    rules = (await operations.rules_at(kit, now=NOW)).supervision
    assert rules is not None
    assert set(rules.templates) == {
        *("remind", "urge", "urge_letter", "letter", "bulletin", "listed", "interview"),
        *("urge_otherwise", "letter_otherwise", "bulletin_otherwise", "inspection", "clue"),
    }
