"""Whole journeys of a citizen's matter through the five services, on either wire."""

from decimal import Decimal
from xml.etree import ElementTree

from tongban_evaluation.store.reviews import invitation
from tongban_evaluation.store.units import unit as evaluation_unit
from tongban_hotline_dispatch.store.reference import unit as hotline_unit
from tongban_publishing.store.bulletins import name
from tongban_scoring.store.reference import service_window, staff
from tongban_scoring.store.reference import unit as scoring_unit

from .effects import CLEAN, announced, count, evidence_of, leftovers, timers
from .steps import EVIDENCE, FREIGHT_LICENCE, Document, Town, due_days, moment, points, score

ATOM = "{http://www.w3.org/2005/Atom}"
LOADED = {
    "intake.unit-changed": 11,
    "intake.window-changed": 9,
    "intake.staff-changed": 5,
    "intake.item-changed": 5,
}
ONE_TICKET = {
    "hotline.ticket-registered": 1,
    "hotline.ticket-assigned": 1,
    "hotline.ticket-signed": 1,
    "hotline.assignment-contacted": 1,
    "hotline.ticket-replied": 1,
    "hotline.review-passed": 1,
    "hotline.callback-opened": 1,
    "hotline.rating-invited": 1,
    "hotline.callback-completed": 1,
    "hotline.ticket-closed": 1,
    "hotline.rating-offered": 1,
    "hotline.ticket-archived": 1,
}
ONE_CASE = {"intake.case-accepted": 1, "intake.case-decided": 1, "intake.case-completed": 1}
BULLETIN = {"scoring.scorecards-finished": 1, "publishing.bulletin-published": 1}


async def test_directory_and_catalogue_loaded_in_intake_are_known_everywhere(town: Town) -> None:
    loaded = await town.open()

    read_models = {
        "hotline": {hotline_unit: 11},
        "evaluation": {evaluation_unit: 11},
        "scoring": {scoring_unit: 11, service_window: 9, staff: 5},
        "publishing": {name: 20},
    }
    assert loaded["directory"]["changed"] == {
        "divisions": 5,
        "units": 11,
        "windows": 9,
        "staff": 5,
    }
    assert loaded["catalogue"]["changed"] == {"items": 5}
    assert await announced(town.city) == LOADED
    for short, tables in read_models.items():
        for table, rows in tables.items():
            assert await count(town.city, short, table) == rows, f"{short}.{table.name}"
    assert await leftovers(town.city) == CLEAN


async def test_matters_done_in_time_end_in_a_bulletin_without_deductions(town: Town) -> None:
    await town.open()
    ticket, case = await done_in_time(town)
    assert due_days(await town.invitation("ticket", ticket), "due_at") == ["10-22"]
    assert due_days(await town.invitation("case", case), "due_at") == ["09-29"]
    assert (await town.reviewed("ticket", ticket, 5, tags=["517"]))["level"] == 5
    assert (await town.reviewed("case", case, 4, tags=["413"]))["level"] == 4
    await town.settle()
    rated = (await town.ask(f"/hotline/v1/tickets/{ticket['id']}", role="dispatcher")).json()
    assert rated["status"] == "closed"  # who rated it themselves is not called
    assert await town.rectifications() == []

    await town.until(moment("10-08"))
    cards = await town.finished()
    assert set(cards) == {"DONGHU-01", "MARKET-01"}
    for card in cards.values():
        assert (score(card), card["grade"], card["rank"]) == (Decimal(100), "优秀", 1)
        assert (card["deduction"], card["points"], card["handled"]) == ("0.00", [], 1)
    (draft,) = await town.drafts()
    assert due_days(draft, "due_at") == ["10-20"]
    await is_published_by_two_people(town, draft)

    told = {"hotline.deadline-approaching": 1, "evaluation.review-submitted": 2}
    told["hotline.supervision-issued"] = 2  # reminders: over half and four fifths of the limit
    assert await announced(town.city) == LOADED | ONE_TICKET | ONE_CASE | BULLETIN | told
    assert await count(town.city, "evaluation", invitation) == 2
    no_deadlines = {"archive", "ladder"}  # 归档 and reminders are what a timer does
    for short in town.city.stations:
        ended = {each for each in await timers(town.city, short) if each[0] not in no_deadlines}
        assert {state for _, state in ended} <= {"disarmed"}, short
    assert await leftovers(town.city) == CLEAN


async def done_in_time(town: Town) -> tuple[Document, Document]:
    """A ticket and a case, over a working weekend (20th) and before a holiday (25th to 27th)."""
    town.clock.now = moment("09-17")
    ticket = await town.signed(await town.assigned(await town.registered(), "DONGHU"))
    case = await town.accepted()
    assert due_days(ticket, "reply_due", "citizen_due") == ["09-23", "09-28"]
    assert due_days(case, "promise_due", "legal_due") == ["09-23", "10-21"]

    await town.until(moment("09-21"))
    case = await town.completed(await town.decided(case))
    assert due_days(case, "delivery_due") == ["10-12"]
    await town.until(moment("09-22"))
    case = await town.delivered(case)
    ticket = await town.passed(await town.replied(ticket))
    assert (ticket["is_overdue"], ticket["status"], case["status"]) == (
        False,
        "callback",
        "delivered",
    )
    await town.settle()
    return ticket, case


async def is_published_by_two_people(town: Town, draft: Document) -> None:
    """保密审查, then 签发 by somebody else; then everybody reads it."""
    path = f"/publishing/v1/bulletins/{draft['id']}"
    page = f"/publishing/bulletins/{draft['id']}"
    await town.ask(page, code=404)
    both = town.public.as_("secrecy_reviewer", "approver", subject="p-1")
    checked = await both.post(f"{path}/review", headers={"If-Match": '"1"'})
    alone = await both.post(f"{path}/approve", headers={"If-Match": '"2"'})
    assert (checked.status_code, alone.status_code) == (200, 422)
    assert alone.json()["code"] == "publishing.same_person"

    said = await town.act(f"{path}/approve", role="approver", version=2)
    await town.settle()

    assert said["index_no"] == "11990100000000505E/202610-00001"
    title = "2026年第3季度政务服务窗口考核通报"
    assert f'href="{page}"' in (await town.ask("/")).text
    shown = (await town.ask(page)).text
    for words in (title, said["index_no"], "东湖区综合窗口", "市场监管窗口", "优秀"):
        assert words in shown
    feed = ElementTree.fromstring((await town.ask("/publishing/feed.atom")).content)  # noqa: S314 - ours
    (entry,) = feed.findall(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}id") == f"urn:uuid:{draft['id']}"
    assert entry.findtext(f"{ATOM}title") == title


async def test_a_missed_deadline_costs_points_with_its_clause_in_the_bulletin(town: Town) -> None:
    await town.open()
    food = await done_late(town)

    assert await town.city.sweep(town.clock.now) == 0  # each fired once
    told = await announced(town.city)
    assert told["hotline.deadline-missed"] == 2  # the unit's clock, the citizen's
    assert told["intake.deadline-missed"] == 2
    assert await ledger(town, "SOCIAL-01") == {
        ("S3-5", "confirmed", 1),  # when the limit ran out
        ("S3-5", "confirmed", 2),  # the working days after that, when the reply was there
    }
    assert await ledger(town, "TRAFFIC-01") == {
        ("BASE-7.2", "confirmed", 1),
        ("S3-3", "expired", 1),  # nobody confirmed it within five working days
    }
    await blamed_on_the_window(town, food)
    await town.until(moment("10-08"))
    cards = await town.finished()

    assert {window: (score(card), card["rank"]) for window, card in cards.items()} == {
        "TRAFFIC-01": (Decimal(99), 1),
        "MARKET-01": (Decimal(98), 2),
        "SOCIAL-01": (Decimal(97), 3),
    }
    assert points(cards["TRAFFIC-01"]) == {"BASE-7.2": -1}
    assert points(cards["MARKET-01"]) == {"S3-3": -2, "BASE-7.2": 0}  # one fact costs once
    assert points(cards["SOCIAL-01"]) == {"S3-5": -3}
    assert await clauses(town, cards["MARKET-01"]) == {
        "第三章（七）2",
        "第五章“执行公开办事制度…”（三）",
    }
    assert await clauses(town, cards["SOCIAL-01"]) == {"第五章“执行公开办事制度…”（五）"}
    bulletin = await town.published()
    assert {each["window_name"]: each["score"] for each in bulletin["scores"]} == {
        "交通窗口": "99",
        "市场监管窗口": "98",
        "社保窗口": "97",
    }
    page = (await town.ask(f"/publishing/bulletins/{bulletin['id']}")).text
    for shown in ("97", "98", "99"):
        assert f"<strong>{shown}</strong>" in page
    assert await leftovers(town.city) == CLEAN


async def done_late(town: Town) -> Document:
    """One working day late, two, and three; the case that is two days late."""
    town.clock.now = moment("09-07")
    freight = await town.accepted(FREIGHT_LICENCE, "TRAFFIC-01", "S-003")
    assert due_days(freight, "promise_due") == ["09-17"]
    town.clock.now = moment("09-17")
    ticket = await town.signed(await town.assigned(await town.registered(), "SOCIAL"))
    food = await town.accepted()
    await town.until(moment("09-18"))
    await town.completed(await town.decided(freight))
    await town.settle()
    await town.until(moment("09-28"))
    await town.completed(await town.decided(food))
    await town.until(moment("09-29"))
    ticket = await town.closed(await town.replied(ticket))
    assert ticket["is_overdue"] is True
    await town.settle()
    return food


async def ledger(town: Town, window: str) -> set[tuple[str, str, int]]:
    return {
        (each["rule_id"], each["state"], int(Decimal(each["quantity"])))
        for each in await town.entries(window)
    }


async def blamed_on_the_window(town: Town, case: Document) -> None:
    """What an overdue case costs by days is for an inspector to decide, with evidence."""
    found = {each["rule_id"]: each for each in await town.entries(case["window_code"])}
    candidate = found["S3-3"]
    assert (candidate["state"], Decimal(candidate["quantity"])) == ("proposed", Decimal(2))
    assert found["BASE-7.2"]["state"] == "confirmed"
    assert {each["fact"] for each in found.values()} == {f"case:{case['id']}"}
    refused = await town.judged(candidate, "confirm", code=422)
    assert refused["code"] == "entry.attribution_missing"

    decided = await town.judged(candidate, "attribute", responsibility="window")

    assert decided["state"] == "confirmed"
    assert await evidence_of(town.city, candidate["id"]) == EVIDENCE


async def clauses(town: Town, card: Document) -> set[str]:
    """The clauses of the points; the page of the card shows each of them."""
    page = (await town.ask(f"/scoring/scorecards/{card['id']}", role="inspector")).text
    found = {each["clause"] for each in card["points"]}
    assert all(each in page for each in found)
    return found


async def test_a_bad_review_is_rectified_and_costs_points_when_it_was_true(town: Town) -> None:
    await town.open()
    found = await two_bad_reviews(town)
    await it_was_true(town, found["DONGHU"])
    await it_was_not(town, found["MARKET"])
    await town.settle()

    assert await town.entries("MARKET-01") == []
    (candidate,) = await town.entries("DONGHU-01")
    assert (candidate["rule_id"], candidate["state"]) == ("S3-7a", "proposed")
    await town.judged(candidate, "confirm")
    told = await announced(town.city)
    assert told["evaluation.rectification-opened"] == told["evaluation.rectification-closed"] == 2
    assert told["evaluation.deadline-missed"] == 1

    await town.until(moment("10-08"))
    cards = await town.finished()
    assert {window: (score(card), card["rank"]) for window, card in cards.items()} == {
        "MARKET-01": (Decimal(100), 1),
        "DONGHU-01": (Decimal(99), 2),
    }
    assert points(cards["DONGHU-01"]) == {"S3-7a": -1}
    assert await clauses(town, cards["DONGHU-01"]) == {"第五章“执行公开办事制度…”（七）"}
    bulletin = await town.published()
    assert [each["score"] for each in bulletin["scores"]] == ["100", "99"]
    assert await leftovers(town.city) == CLEAN


async def two_bad_reviews(town: Town) -> dict[str, Document]:
    """Of a ticket and of a case; what they open, by unit."""
    town.clock.now = moment("09-14")
    ticket = await town.registered(wants_callback=False)
    ticket = await town.signed(await town.assigned(ticket, "DONGHU"))
    ticket = await town.closed(await town.replied(ticket), was_called=False)
    case = await town.completed(await town.decided(await town.accepted()))
    await town.settle()
    town.clock.now = moment("09-15")
    await town.reviewed("ticket", ticket, 1, tags=["115"], comment="一直推来推去")
    await town.reviewed("case", case, 2, tags=["214"])
    found = {each["unit_code"]: each for each in await town.rectifications()}
    assert {unit: (each["level"], each["status"]) for unit, each in found.items()} == {
        "DONGHU": (1, "opened"),
        "MARKET": (2, "opened"),
    }
    assert due_days(found["DONGHU"], "due_at") == due_days(found["MARKET"], "due_at") == ["09-16"]
    return found


async def it_was_true(town: Town, one: Document) -> None:
    """核实、整改、回访: the reviewer is not content at first, and is heard once more."""
    one = await town.verified(one, "DONGHU")
    assert (one["stage"], due_days(one, "due_at")) == ("rectify", ["09-21"])
    one = await town.rectified(one, "DONGHU")
    assert (one["stage"], due_days(one, "due_at")) == ("callback", ["09-18"])
    one = await town.called_back(one, "unsatisfied")
    assert (one["status"], one["hearing"], due_days(one, "due_at")) == ("opened", 2, ["09-16"])
    one = await town.rectified(await town.verified(one, "DONGHU"), "DONGHU")
    one = await town.called_back(one)
    assert (one["status"], one["stage"]) == ("called_back", None)
    assert (await town.settled(one))["status"] == "closed"


async def it_was_not(town: Town, one: Document) -> None:
    """查不属实的，解释后回访; the verification comes a day late, which is told."""
    await town.until(moment("09-17"))
    one = await town.verified(one, "MARKET", is_true=False)
    assert (one["stage"], due_days(one, "due_at")) == ("callback", ["09-21"])
    one = await town.settled(await town.called_back(one))
    assert one["status"] == "closed"
