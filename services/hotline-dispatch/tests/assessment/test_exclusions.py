"""Exclusions: proposed by the unit, decided by two others, looked at by a third."""

import hashlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest

from tongban_common.clock import new_id
from tongban_common.testing import Client
from tongban_hotline_dispatch.domain import exclusions
from tongban_hotline_dispatch.domain.assessment import Indicator

from .building import GOOD, LATER, Computed, Opened, two

EXCLUSIONS = "/hotline/v1/exclusions"
GROUNDS = {"reason": "MALICIOUS", "grounds": "三个月内就同一事项来电四十次，联系电话13912345678"}
Proposed = Callable[..., Any]


class Paper:
    """One proposal on its way through the API."""

    def __init__(self, made: dict[str, Any]) -> None:
        self.id, self.version, self.last = made["id"], made["version"], made

    async def go(self, who: Client, path: str, **body: object) -> httpx.Response:
        answer = await who.post(
            f"{EXCLUSIONS}/{self.id}/{path}",
            json=body or None,
            headers={"If-Match": f'"{self.version}"'},
        )
        if answer.status_code == 200:
            self.last = answer.json()
            self.version = self.last["version"]
        return answer

    async def state(self, who: Client, path: str, **body: object) -> str:
        answer = await self.go(who, path, **body)
        return str(answer.json().get("state" if answer.status_code == 200 else "code"))


@pytest.fixture
def first(client: Client) -> Client:
    return client.as_("reviewer", subject="r-1")


@pytest.fixture
def second(client: Client) -> Client:
    return client.as_("supervisor", subject="s-1")


@pytest.fixture
def third(client: Client) -> Client:
    return client.as_("inspector", subject="i-1")


@pytest.fixture
def proposed(opened: Opened, officer: Client) -> Proposed:
    async def make(**more: object) -> Paper:
        case = await (await opened()).whole(GOOD)
        body = {"ticket_id": str(case.ticket.id), **GROUNDS, **more}
        answer = await officer.post(EXCLUSIONS, json=body)
        assert answer.status_code == 201, answer.text
        return Paper(answer.json())

    return make


async def test_two_different_people_agree_and_the_order_no_longer_counts(
    proposed: Proposed,
    opened: Opened,
    computed: Computed,
    first: Client,
    second: Client,
    announced: Any,
) -> None:
    paper = await proposed()
    await (await opened()).whole(GOOD)
    _, before = await computed()

    assert await paper.state(first, "approve") == "seconded"
    assert await paper.state(first, "approve") == "exclusion.same_person"
    assert await paper.state(second, "approve") == "approved"
    _, after = await computed()

    assert two(before["A3"], Indicator.ON_TIME_CLOSE) == (2, 2)
    assert two(after["A3"], Indicator.ON_TIME_CLOSE) == (1, 1)
    assert two(after["A3"], "exclusion_rate") == (1, 2)
    facts = [fact for fact, _ in await announced() if fact.startswith("exclusion")]
    assert sorted(facts) == ["exclusion-approved", "exclusion-proposed", "exclusion-seconded"]


async def test_nothing_personal_is_kept_of_the_grounds_nor_told(
    proposed: Proposed, announced: Any, second: Client
) -> None:
    paper = await proposed()

    full = (await second.get(f"{EXCLUSIONS}/{paper.id}")).json()

    assert "13912345678" not in str(full)
    assert "13912345678" not in str(await announced())
    assert [each["act"] for each in full["history"]] == ["proposed"]


async def test_neither_the_unit_nor_who_asked_decides(
    opened: Opened, client: Client, first: Client, officer: Client
) -> None:
    case = await (await opened()).whole(GOOD)
    body = {"ticket_id": str(case.ticket.id), "unit_code": "A3", **GROUNDS}
    paper = Paper((await first.post(EXCLUSIONS, json=body)).json())
    seconded = client.as_("reviewer", subject="r-9", unit="A3")

    assert (await paper.go(officer, "approve")).status_code == 403
    assert await paper.state(seconded, "approve") == "exclusion.own_unit"
    assert await paper.state(first, "approve") == "exclusion.same_person"
    assert await paper.state(first, "reject", words="不符") == "exclusion.same_person"


async def test_some_reasons_need_a_hearing_first(
    proposed: Proposed, first: Client, second: Client
) -> None:
    paper = await proposed(reason="UNREASONABLE")

    assert await paper.state(first, "approve") == "exclusion.hearing_needed"
    assert await paper.state(first, "hearing", on="2026-10-26") == "hearing"
    assert await paper.state(second, "approve") == "exclusion.hearing_needed"
    assert await paper.state(first, "hearing/held", words="听证认定不合理") == "proposed"
    assert await paper.state(first, "approve") == "seconded"
    # a hearing after one has agreed: he has to agree again
    assert await paper.state(second, "hearing", on="2026-10-27") == "hearing"
    assert await paper.state(second, "hearing/held", words="再次听证") == "proposed"
    assert await paper.state(second, "approve") == "seconded"
    assert await paper.state(first, "approve") == "approved"


async def test_a_proposal_is_made_once_by_the_lead_and_for_a_listed_reason(
    opened: Opened, officer: Client, client: Client
) -> None:
    case = await opened()
    body = {"ticket_id": str(case.ticket.id), **GROUNDS}
    stranger = client.as_("unit_officer", subject="u-7", unit="A7")

    async def code(who: Client, **more: object) -> str:
        return str((await who.post(EXCLUSIONS, json={**body, **more})).json().get("code"))

    assert await code(stranger) == "ticket.not_your_unit"
    assert await code(officer, reason="BORING") == "exclusion.unknown_reason"
    assert await code(officer, ticket_id=str(new_id(LATER))) == "ticket.not_found"
    assert await code(officer) == "None"
    assert await code(officer) == "exclusion.already_proposed"


async def test_what_was_rejected_or_withdrawn_counts_and_may_be_asked_again(
    proposed: Proposed, computed: Computed, first: Client, officer: Client, client: Client
) -> None:
    paper = await proposed()
    stranger = client.as_("unit_officer", subject="u-7", unit="A7")
    assert await paper.state(stranger, "withdraw") == "ticket.not_your_unit"
    assert await paper.state(officer, "withdraw") == "withdrawn"
    assert await paper.state(first, "approve") == "exclusion.illegal_move"
    body = {"ticket_id": paper.last["ticket_id"], **GROUNDS}
    again = Paper((await officer.post(EXCLUSIONS, json=body)).json())
    assert await again.state(first, "reject", words="证据不足") == "rejected"

    _, lines = await computed()

    assert two(lines["A3"], "exclusion_rate") == (0, 1)
    mine = (await officer.get(EXCLUSIONS, params={"state": "rejected"})).json()["items"]
    assert [each["id"] for each in mine] == [again.id]
    assert (await stranger.get(f"{EXCLUSIONS}/{again.id}")).status_code == 404


async def test_a_sample_is_drawn_once_anybody_can_draw_it_again_and_a_third_person_looks_at_it(
    proposed: Proposed, computed: Computed, first: Client, second: Client, third: Client
) -> None:
    papers = {}
    for _ in range(11):
        paper = await proposed()
        await paper.go(first, "approve")
        await paper.go(second, "approve")
        papers[paper.id] = paper
    audits = "/hotline/v1/exclusion-audits"
    drawn = await third.post(audits, json={"period": "2026-10", "seed": "双色球2026123期"})
    assert drawn.status_code == 201, drawn.text
    found = drawn.json()

    # a tenth of eleven, rounded up, by nothing but the seed
    by_hand = sorted(
        papers, key=lambda each: hashlib.sha256(f"双色球2026123期:{each}".encode()).digest()
    )[:2]
    assert [each["exclusion_id"] for each in found["items"]] == by_hand
    assert sorted(found["population"]) == sorted(papers)
    again = await third.post(audits, json={"period": "2026-10", "seed": "2"})
    assert again.json()["code"] == "exclusion.already_drawn"

    right, wrong = (papers[each] for each in by_hand)
    outside = next(each for each in papers.values() if each.id not in by_hand)
    note = {"note": "材料齐全"}
    assert await right.state(second, "audit", is_right=True, **note) == "exclusion.same_person"
    assert await right.state(third, "audit", is_right=True, **note) == "approved"
    assert await right.state(third, "audit", is_right=True, **note) == "exclusion.not_drawn"
    assert await wrong.state(third, "audit", is_right=False, **note) == "revoked"
    assert await outside.state(third, "audit", is_right=True, **note) == "exclusion.not_drawn"
    kept = (await third.get(f"{audits}/2026-10")).json()
    assert [each["result"] for each in kept["items"]] == ["confirmed", "overturned"]

    _, lines = await computed()
    assert two(lines["A3"], "exclusion_rate") == (10, 11)
    # what was drawn is not drawn twice
    quarter = (await third.post(audits, json={"period": "2026Q4"})).json()
    assert len(quarter["population"]) == 9
    assert (await third.get(f"{audits}/2026-12")).json()["code"] == "exclusion.not_drawn"


def test_every_state_but_the_last_ones_leads_on_and_every_act_has_a_row() -> None:
    sources = {state for row in exclusions.TABLE for state in row.sources}
    last = {exclusions.State.REJECTED, exclusions.State.WITHDRAWN, exclusions.State.REVOKED}
    assert sources == set(exclusions.State) - last
    assert {row.act for row in exclusions.TABLE} == set(exclusions.Act) - {exclusions.Act.PROPOSE}
    assert all(row.clause and row.actors for row in exclusions.TABLE)


@pytest.mark.parametrize(("count", "size"), [(0, 0), (1, 1), (10, 1), (11, 2), (20, 2)])
def test_a_sample_is_rounded_up_and_the_same_for_the_same_seed(count: int, size: int) -> None:
    population = [UUID(int=n) for n in range(count)]

    drawn = exclusions.sample(population, seed="7", share=Decimal("0.1"))

    assert len(drawn) == size
    assert drawn == exclusions.sample(population[::-1], seed="7", share=Decimal("0.1"))
