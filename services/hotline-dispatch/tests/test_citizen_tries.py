"""Who guesses numbers and codes of tickets learns nothing, and not for long."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from tongban_common.db import Database
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.store import query_try

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)
PAGE = "/hotline/progress"
MINE = "/hotline/v1/public/ticket"


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


def keys(made: Ticket) -> dict[str, str]:
    return {"X-Ticket-No": made.ticket_no, "X-Query-Code": made.query_code}


def form(made: Ticket, **more: str) -> dict[str, str]:
    return {"ticket_no": made.ticket_no, "query_code": made.query_code, **more}


async def test_a_wrong_number_and_a_wrong_code_get_the_same_answer(
    client: Client, filed: Any
) -> None:
    made = await filed(NOW)

    answers = [
        await client.post(PAGE, data=numbers)
        for numbers in (
            form(made, query_code="00000000"),
            form(made, ticket_no="260921100000999999"),
        )
    ]
    api = [
        await client.get(MINE, headers=numbers)
        for numbers in (
            {"X-Ticket-No": made.ticket_no, "X-Query-Code": "1"},
            {"X-Ticket-No": "260921100000999999", "X-Query-Code": made.query_code},
        )
    ]

    assert [each.status_code for each in (*answers, *api)] == [404] * 4
    first, second = (
        each.text.replace(number, "")
        for each, number in zip(answers, (made.ticket_no, "260921100000999999"), strict=True)
    )
    assert first == second
    assert {each.json()["code"] for each in api} == {"ticket.not_found"}


async def test_after_five_wrong_codes_nobody_gets_in_for_a_quarter_of_an_hour(
    client: Client, filed: Any, clock: Clock, db: Database
) -> None:
    made = await filed(NOW)
    other = await filed(NOW)
    wrong = keys(made) | {"X-Query-Code": "00000000"}

    codes = [(await client.get(MINE, headers=wrong)).status_code for _ in range(6)]
    right = await client.get(MINE, headers=keys(made))
    page = await client.post(PAGE, data=form(made))
    old_way = await client.get("/hotline/v1/progress", params=form(made))
    unknown = [
        (await client.get(MINE, headers=wrong | {"X-Ticket-No": "1"})).status_code for _ in range(6)
    ]
    clock.forward(minutes=15)

    assert codes == [*[404] * 5, 429]
    assert unknown == codes
    assert (right.status_code, right.json()["code"]) == (429, "progress.too_many_tries")
    assert (page.status_code, "15分钟后再试" in page.text) == (429, True)
    assert old_way.status_code == 429
    assert (await client.get(MINE, headers=keys(other))).status_code == 200
    assert (await client.get(MINE, headers=keys(made))).status_code == 200
    async with db.reading() as reads:
        left = await reads.execute(select(func.count()).select_from(query_try))
        assert left.scalar_one() == 0


async def test_guesses_side_by_side_are_counted_one_by_one(client: Client, filed: Any) -> None:
    made = await filed(NOW)
    wrong = keys(made) | {"X-Query-Code": "00000000"}

    answers = await asyncio.gather(*(client.get(MINE, headers=wrong) for _ in range(12)))

    assert sorted(each.status_code for each in answers) == [*[404] * 5, *[429] * 7]


@pytest.mark.parametrize(
    "numbers",
    [
        {"ticket_no": "长" * 41, "query_code": "1"},
        {"ticket_no": "' OR 1=1 --", "query_code": "%"},
        {"ticket_no": "<b>1</b>", "query_code": ""},
        {},
    ],
)
async def test_whatever_is_typed_as_a_number_is_only_not_found(
    client: Client, numbers: dict[str, str]
) -> None:
    answer = await client.post(PAGE, data=numbers)

    assert answer.status_code in {404, 422}
    assert "<b>1" not in answer.text


async def test_ten_lines_of_old_tries_do_not_stay(
    client: Client, clock: Clock, db: Database
) -> None:
    for number in range(10):
        await client.get(MINE, headers={"X-Ticket-No": str(number), "X-Query-Code": "1"})
    clock.now += timedelta(hours=1)
    await client.get(MINE, headers={"X-Ticket-No": "1", "X-Query-Code": "1"})

    async with db.reading() as reads:
        left = await reads.execute(select(func.count()).select_from(query_try))
        assert left.scalar_one() == 1
