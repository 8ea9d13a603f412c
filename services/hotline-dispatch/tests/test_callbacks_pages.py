"""The pages of the callback desk and of reappraisals: by form, in Chinese, with what is typed."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tongban_common.db import Database
from tongban_common.testing import Client, Clock
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.appeal import AppealType
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved
from tongban_hotline_dispatch.store import identity_view
from tongban_hotline_dispatch.store.reference import Unit, Units

NOW = datetime(2026, 9, 14, 10, 0, tzinfo=SHANGHAI)
DAY = timedelta(days=1)
DESK, REAPPRAISALS = "/hotline/desk/callbacks", "/hotline/reappraisals"
BAD = Heard(
    resolved=Resolved.NO,
    result=Mark.DISSATISFIED,
    process=Mark.BASICALLY,
    no_redo="POLICY_FORBIDS",
)


@pytest.fixture(autouse=True)
async def _town(db: Database, clock: Clock) -> None:
    clock.now = NOW + 2 * DAY
    async with db.transaction() as tx:
        town = Unit(code="T1", name="柳镇", level="township", is_active=True, parent_code="A3")
        await Units(tx).keep(town)


@pytest.fixture
def caller(client: Client) -> Client:
    return client.as_("reviewer", subject="c-1")


async def test_a_call_goes_from_the_queue_over_the_number_to_the_answers(
    opened: Any, caller: Client
) -> None:
    case = await opened()
    ticket = await case.reply(NOW + DAY)
    one = f"{DESK}/{ticket.id}"

    queue = (await caller.get(DESK)).text
    taken = await caller.post(f"{one}/take")
    masked = (await caller.get(one)).text
    running = (await caller.get(f"/hotline/tickets/{ticket.id}")).text
    shown = await caller.post(f"{one}/number")
    said = {
        "version": str(ticket.version),
        "back": "callbacks",
        "resolved": "resolved",
        "result": "satisfied",
        "process": "dissatisfied",
        "replied": "no",
        "note": "诉求人电话13812345678",
    }
    done = await caller.post(f"/hotline/tickets/{ticket.id}/callback-complete", data=said)
    after = (await caller.get(one)).text
    whole = (await caller.get(f"/hotline/tickets/{ticket.id}")).text

    assert ("历次回访" in whole, "未接到承办单位联系" in whole) == (True, True)
    assert ticket.ticket_no in queue
    assert taken.headers["location"] == one
    assert "人工回访期限" in running
    assert "13812345678" not in masked
    assert "138****5678" in masked
    assert "13812345678" in shown.text
    assert shown.headers["cache-control"] == "no-store"
    assert done.headers["location"] == f"{DESK}?said=done"
    assert "没有待办的回访" in after
    assert ("已接通" in after, "不满意" in after) == (True, True)
    assert "13812345678" not in after


async def test_attempts_say_which_band_they_count_in_and_giving_up_is_offered_when_there_are_enough(
    opened: Any, caller: Client
) -> None:
    case = await opened()
    ticket = await case.reply(NOW + DAY)
    first = datetime(2026, 9, 16, 9, 0, tzinfo=SHANGHAI)
    await case.attempts(first, first + timedelta(hours=4), first + timedelta(hours=6))

    before = (await caller.get(f"{DESK}/{ticket.id}")).text
    await case.attempts(first + DAY)
    after = (await caller.get(f"{DESK}/{ticket.id}")).text

    assert "不在回访时段，不计次" in before
    assert ("上午" in before, "下午" in before) == (True, True)
    assert ("多次未接通" in before, "多次未接通" in after) == (False, True)


async def test_what_another_has_in_hand_is_not_offered(
    opened: Any, caller: Client, client: Client
) -> None:
    case = await opened()
    ticket = await case.reply(NOW + DAY)
    await caller.post(f"{DESK}/{ticket.id}/take")
    other = client.as_("agent", subject="c-2")

    queue, page = (await other.get(DESK)).text, (await other.get(f"{DESK}/{ticket.id}")).text
    number = await other.post(f"{DESK}/{ticket.id}/number", headers={"accept": "text/html"})

    assert "他人正在办理" in queue
    assert "登记回访结果" not in page
    assert number.status_code == 409
    assert "13812345678" not in number.text


async def test_the_number_is_shown_to_who_has_the_call_and_the_look_is_on_record(
    opened: Any, caller: Client, db: Database, client: Client
) -> None:
    case = await opened()
    one = f"{DESK}/{(await case.reply(NOW + DAY)).id}"

    before = await caller.post(f"{one}/number", headers={"accept": "text/html"})
    await caller.post(f"{one}/take")
    await caller.post(f"{one}/number")
    views = (await client.as_("inspector").get("/hotline/identity-views")).text

    assert (before.status_code, "13812345678" in before.text) == (409, False)
    async with db.reading() as reads:
        (view,) = (await reads.execute(select(identity_view))).all()
    assert (view.actor, view.reason, view.fields) == ("c-1", "callback", ["name", "phone"])
    assert "回访核查" in views


async def test_a_note_is_kept_from_units_where_the_person_hides(
    opened: Any, caller: Client, officer: Client
) -> None:
    case = await opened(appeal_type=AppealType.REPORT)
    ticket = await case.reply(NOW + DAY)
    said = Heard(
        resolved=Resolved.NO, result=Mark.DISSATISFIED, process=Mark.BASICALLY, note="我是老张"
    )
    await case.on_desk(NOW + 2 * DAY, lambda desk: desk.call_back(said))
    path = f"/hotline/tickets/{ticket.id}"

    hub, unit = (await caller.get(path)).text, (await officer.get(path)).text

    assert ("我是老张" in hub, "我是老张" in unit, "历次回访" in unit) == (True, False, True)


async def test_the_desks_lead_to_the_callbacks_and_the_reappraisals(client: Client) -> None:
    unit = (await client.as_("unit_officer", unit="A3").get("/hotline/desk/unit")).text
    hub = (await client.as_("reviewer").get("/hotline/desk/callbacks")).text

    assert f'href="{DESK}" aria-current="page"' in hub
    assert f'href="{REAPPRAISALS}"' in hub
    assert (f'href="{DESK}"' in unit, f'href="{REAPPRAISALS}"' in unit) == (False, True)


@pytest.mark.parametrize(("role", "status"), [("inspector", 403), ("unit_officer", 403)])
async def test_the_desk_is_for_who_calls(client: Client, role: str, status: int) -> None:
    unit = "A3" if role == "unit_officer" else None

    assert (await client.as_(role, unit=unit).get(DESK)).status_code == status


async def test_a_reappraisal_goes_by_forms_from_the_town_to_the_city(
    opened: Any, client: Client
) -> None:
    case = await opened(unit="T1")
    await case.reply(NOW + DAY, unit="T1")
    ticket = await case.on_desk(NOW + 2 * DAY, lambda desk: desk.call_back(BAD))
    town = client.as_("unit_officer", subject="t-1", unit="T1")
    county = client.as_("reviewer", subject="k-1")
    city = client.as_("supervisor", subject="s-1")
    typed = {
        "ticket": str(ticket.id),
        "on_result": "yes",
        "ground": "POLICY_FORBIDS",
        "words": "政策不允许",
        "evidence": "说明记录\n政策文件",
    }

    offered = (await town.get(REAPPRAISALS)).text
    unsigned = await town.post(f"{REAPPRAISALS}/new", data=typed)
    made = await town.post(f"{REAPPRAISALS}/new", data={**typed, "is_signed_off": "yes"})
    address = made.headers["location"]
    asked = (await county.get(address)).text
    reviewed = await county.post(
        f"{address}/review", data={"version": "1", "is_passed": "yes", "words": "属实"}
    )
    page = (await city.get(address)).text
    judged = {"version": "2", "is_assessable": "no", "is_reasonable": "no", "words": "依据充分"}
    lacking = await city.post(f"{address}/decide", data=judged)
    done = await city.post(f"{address}/decide", data={**judged, "satisfaction": "pass"})
    result = (await town.get(address)).text

    assert f"/hotline/reappraisals/new?ticket={ticket.id}" in offered
    assert (unsigned.status_code, "政策不允许" in unsigned.text) == (422, True)
    assert made.status_code == 303, made.text
    assert "县级复核结论" in asked
    assert reviewed.status_code == 303, reviewed.text
    assert ("满意度复核结论" in page, "解决情况复核结论" in page) == (True, False)
    assert (lacking.status_code, "依据充分" in lacking.text) == (422, True)
    assert done.status_code == 303, done.text
    assert ("复核通过" in result, "不计入考核" in result) == (True, True)
    assert f"new?ticket={ticket.id}" not in (await town.get(REAPPRAISALS)).text


async def test_a_refused_application_says_why_and_keeps_what_was_typed(
    opened: Any, client: Client, clock: Clock
) -> None:
    case = await opened(unit="A7")
    await case.reply(NOW + DAY, unit="A7")
    ticket = await case.on_desk(NOW + 2 * DAY, lambda desk: desk.call_back(BAD))
    own = client.as_("unit_officer", subject="u-7", unit="A7")
    other = client.as_("unit_officer", subject="u-3", unit="A3")
    clock.now = NOW + 7 * DAY
    typed = {
        "ticket": str(ticket.id),
        "on_result": "yes",
        "ground": "POLICY_FORBIDS",
        "words": "<b>政策不允许</b>",
        "evidence": "无",
        "is_signed_off": "yes",
    }

    late = await own.post(f"{REAPPRAISALS}/new", data=typed)
    strange = await other.post(f"{REAPPRAISALS}/new", data=typed)

    assert (late.status_code, "已超过申请期限" in late.text) == (422, True)
    assert "&lt;b&gt;政策不允许" in late.text
    assert strange.status_code == 404


async def test_the_county_s_centre_reviews_what_units_below_it_contest_and_nothing_else(
    opened: Any, client: Client
) -> None:
    """三级复核: the unit applies, its county reviews, the city decides (hotline.md section 5)."""
    case = await opened(unit="T1")
    await case.reply(NOW + DAY, unit="T1")
    ticket = await case.on_desk(NOW + 2 * DAY, lambda desk: desk.call_back(BAD))
    town = client.as_("unit_officer", subject="t-1", unit="T1")
    api = "/hotline/v1/reappraisals"
    asked = {
        "tracks": ["satisfaction"],
        "ground": "POLICY_FORBIDS",
        "words": "政策不允许",
        "evidence": ["说明记录"],
        "is_signed_off": True,
    }
    made = await town.post(f"/hotline/v1/tickets/{ticket.id}/reappraisals", json=asked)
    assert made.status_code == 201, made.text
    one = made.json()["id"]
    county = client.as_("county_hub", subject="k-1", unit="A3")
    other = client.as_("county_hub", subject="k-2", unit="A7")
    its_own = client.as_("county_hub", subject="k-3", unit="T1")
    seen, passed = {"If-Match": '"1"'}, {"is_passed": True, "note": "属实"}

    assert [len((await who.get(api)).json()["items"]) for who in (county, other)] == [1, 0]
    assert (await other.get(f"{api}/{one}")).status_code == 404
    for stranger in (other, its_own):
        refused = await stranger.post(f"{api}/{one}/review", json=passed, headers=seen)
        assert refused.json()["code"] == "reappraisal.not_your_unit"
    assert "县级复核结论" not in (await its_own.get(f"{REAPPRAISALS}/{one}")).text
    page = (await county.get(f"{REAPPRAISALS}/{one}")).text
    reviewed = await county.post(
        f"{REAPPRAISALS}/{one}/review", data={"version": "1", "is_passed": "yes", "words": "属实"}
    )

    assert "县级复核结论" in page
    assert reviewed.status_code == 303, reviewed.text
    after = (await county.get(f"{api}/{one}")).json()
    assert after["state"] == "at_city"
    # the city's decision is not the county's, and no ticket is its to read
    decided = await county.post(f"{api}/{one}/decide", json={}, headers=seen)
    assert decided.status_code == 403
    assert (await county.get(f"/hotline/v1/tickets/{ticket.id}")).status_code == 403
