import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI

NOW = datetime(2026, 7, 10, 9, 0, tzinfo=SHANGHAI)
HTML = {"accept": "text/html"}


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


async def test_the_portal_shows_the_ways_in_and_a_quiet_empty_state(client: Client) -> None:
    page = (await client.get("/")).text

    for path in ("/hotline/progress", "/intake/progress", "/scoring/scorecards"):
        assert f'href="{path}"' in page
    assert "还没有发布过通报" in page
    assert "/sign-in" not in page


async def test_the_portal_offers_signing_in_only_where_the_suite_has_it(
    app: FastAPI, client: Client
) -> None:
    app.state.sign_in = True

    assert 'href="/sign-in"' in (await client.get("/")).text


async def test_the_portal_lists_what_can_be_read(
    client: Client, approver: Client, published: Any
) -> None:
    gone, made = await published(NOW), await published(NOW, period=2)
    url = f"/publishing/bulletins/{gone.id}"
    await approver.post(f"{url}/withdraw", data={"version": "3", "reason": "数据有误"})

    page = (await client.get("/")).text

    assert made.title in page
    assert gone.title not in page


async def test_a_bulletin_shows_ranks_grades_scorecards_and_its_approval(
    client: Client, published: Any
) -> None:
    made = await published(NOW)

    page = (await client.get(f"/publishing/bulletins/{made.id}")).text

    assert 'href="/scoring/scorecards/019807cd-1111-7000-8000-000000000001"' in page
    for said in ("97.5", "优秀", "良好", "<svg", "保密审查员", "签发人", made.index_no):
        assert said in page
    for hidden in ("r-1", "a-1", "<form"):
        assert hidden not in page


@pytest.mark.parametrize(
    "scores", [("98.5", "58"), ("100", "99.5"), ("97.5", "97.5"), ("3.5", "-41.25")]
)
async def test_every_dot_of_the_ranking_lies_within_its_chart(
    client: Client, published: Any, card: Any, scores: tuple[str, str]
) -> None:
    cards = [card(place, score=score) for place, score in enumerate(scores, start=1)]
    made = await published(NOW, scorecards=cards)

    page = (await client.get(f"/publishing/bulletins/{made.id}")).text
    best, worst = (float(place) for place in re.findall(r'<circle[^>]* cx="([-\d.]+)%"', page))

    assert 0 <= worst <= best <= 100


async def test_the_list_of_bulletins_is_paged(client: Client, published: Any) -> None:
    for period in (1, 2, 3):
        await published(NOW, period=period)

    first = (await client.get("/publishing/bulletins", params={"limit": 2})).text
    empty = (await client.get("/publishing/bulletins", params={"limit": 200})).text

    assert "下一页" in first
    assert "下一页" not in empty
    assert "/publishing/feed.atom" in first


async def test_two_people_lead_a_draft_through_its_forms(
    client: Client, secrecy: Client, approver: Client, drafted: Any
) -> None:
    made = await drafted()
    url, draft = f"/publishing/bulletins/{made.id}", f"/publishing/drafts/{made.id}"

    assert f"{url}/review" in (await secrecy.get(draft)).text
    assert "<form method" not in (await approver.get(draft)).text.partition("<main")[2]
    reviewed = await secrecy.post(f"{url}/review", data={"version": "1"})
    stale = await approver.post(f"{url}/approve", data={"version": "1"})
    assert f"{url}/approve" in (await approver.get(draft)).text
    approved = await approver.post(f"{url}/approve", data={"version": "2"})

    assert (reviewed.status_code, stale.status_code) == (303, 412)
    assert (approved.status_code, approved.headers["location"]) == (303, url)
    assert (await approver.get(draft)).headers["location"] == url
    assert f"{url}/withdraw" in (await approver.get(url)).text
    assert (await client.get(url)).status_code == 200


async def test_the_same_person_is_told_so_on_a_page(client: Client, drafted: Any) -> None:
    made = await drafted()
    both = client.as_("admin", subject="x-1")
    url = f"/publishing/bulletins/{made.id}"
    await both.post(f"{url}/review", data={"version": "1"})

    refused = await both.post(f"{url}/approve", data={"version": "2"}, headers=HTML)

    assert (refused.status_code, "不得为同一人" in refused.text) == (422, True)


@pytest.mark.parametrize(
    ("move", "data", "status"),
    [
        ("destroy", {"version": "3"}, 404),
        ("review", {"version": "3"}, 403),
        ("withdraw", {"version": "3", "reason": " "}, 422),
        ("withdraw", {"version": "3", "reason": "有\x00误"}, 422),
        ("withdraw", {"reason": "数据有误"}, 422),
    ],
)
async def test_a_bad_form_is_refused(
    approver: Client, published: Any, move: str, data: dict[str, str], status: int
) -> None:
    made = await published(NOW)

    answer = await approver.post(f"/publishing/bulletins/{made.id}/{move}", data=data)

    assert answer.status_code == status


async def test_a_withdrawn_bulletin_leaves_title_day_and_reason(
    client: Client, approver: Client, published: Any
) -> None:
    made = await published(NOW)
    url = f"/publishing/bulletins/{made.id}"

    answer = await approver.post(f"{url}/withdraw", data={"version": "3", "reason": "数据有误"})
    gone = await client.get(url, headers=HTML)

    assert answer.status_code == 303
    assert gone.status_code == 410
    for said in (made.title, "2026年7月10日", "数据有误"):
        assert said in gone.text
    assert "97.5" not in gone.text


async def test_the_drafts_say_until_when_and_which_are_late(
    secrecy: Client, clock: Clock, drafted: Any
) -> None:
    made = await drafted()

    calm = (await secrecy.get("/publishing/drafts")).text
    clock.now = NOW + timedelta(days=5)
    late = (await secrecy.get("/publishing/drafts")).text

    assert made.title in calm
    assert "2026年7月14日 24:00" in calm
    assert "超期" not in calm
    assert "超期" in late


async def test_drafts_ask_to_sign_in(client: Client, drafted: Any) -> None:
    made = await drafted()

    for path in ("/publishing/drafts", f"/publishing/drafts/{made.id}"):
        assert (await client.get(path, headers=HTML)).status_code == 401
    assert (await client.get(f"/publishing/bulletins/{made.id}", headers=HTML)).status_code == 404
