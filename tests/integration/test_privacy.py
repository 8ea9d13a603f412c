"""Who a citizen is, and what they wrote, stays where it was written."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from urllib.parse import quote

import pytest
import structlog
from sqlalchemy import select, text

from tongban_common.dead_letters import dead_letter
from tongban_common.events import Envelope
from tongban_common.telemetry import configure_logging

from .cities import TestCity
from .steps import Document, Town, moment

# None of it looks like a number that the log masks by its pattern: it must never get there.
CANARY = {
    "name": "欧阳金丝雀",
    "phone": "0854-7654321",
    "address": "金丝雀巷9弄7号",
    "id_number": "CANARY77ID",
}
LETTER = (
    f"我是{CANARY['name']}，电话{CANARY['phone']}，住{CANARY['address']}，证号{CANARY['id_number']}"
)
SIGNS = [
    form
    for value in CANARY.values()
    for form in (
        value,
        quote(value),
        json.dumps(value).strip('"'),
        repr(value.encode()).strip("b'"),
    )
]


@pytest.fixture
def log() -> Iterator[None]:
    """As in production: one JSON document a line, on standard output."""
    configure_logging(service="journey", json=True)
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def signs_in(*texts: str) -> list[str]:
    return [sign for sign in SIGNS if any(sign in each for each in texts)]


async def test_who_a_citizen_is_gets_into_no_event_letter_log_or_metric(
    town: Town,
    log: None,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await town.open()
    town.clock.now = moment("09-17")
    ticket = await a_complaint_of_a_citizen(town)
    case = await a_case_of_the_citizen(town)
    await town.settle()
    await requests_that_fail(town)
    await an_event_that_breaks(town, ticket)
    await a_database_that_breaks(town)
    await town.until(moment("10-12"))
    await town.finished()
    await town.published()
    metrics = (await town.ask("/metrics", role="operator")).text

    known = await town.ask(f"/intake/v1/cases/{case['id']}/applicant", role="window_lead")
    assert known.json()["name"] == CANARY["name"]  # it is inside
    events = [each.to_bytes().decode() for each in await town.city.envelopes()]
    letters = await dead_letters(town.city)
    told = capsys.readouterr()
    written = told.out + told.err + caplog.text
    assert len(events) > 40
    assert len(letters) == 2  # the broken one, and what came of the same ticket after it
    for line in ("http.request", "inbox.dead_letter", "http.unexpected"):
        assert line in written
    assert "http_server_request_duration_seconds_count" in metrics
    assert signs_in(*events) == []
    assert signs_in(*letters) == []
    assert signs_in(metrics) == []
    assert signs_in(written) == []


async def a_complaint_of_a_citizen(town: Town) -> Document:
    person = {name: CANARY[name] for name in ("name", "phone", "address")}
    ticket = await town.registered(
        title=LETTER, content=LETTER, person=person, wants_callback=False
    )
    ticket = await town.signed(await town.assigned(ticket, "DONGHU"))
    ticket = await town.closed(await town.replied(ticket, LETTER), was_called=False)
    await town.settle()
    await town.reviewed("ticket", ticket, 1, tags=["115"], comment=LETTER)
    (one,) = await town.rectifications()
    one = await town.rectified(await town.verified(one, "DONGHU", note=LETTER), "DONGHU")
    await town.settled(await town.called_back(one))
    return await town.registered(content=LETTER, person=person)


async def a_case_of_the_citizen(town: Town) -> Document:
    applicant = {
        "name": CANARY["name"],
        "id_type": "111",
        "id_number": CANARY["id_number"],
        "phone": CANARY["phone"],
    }
    case = await town.completed(await town.decided(await town.accepted(applicant=applicant)))
    return await town.delivered(case)


async def requests_that_fail(town: Town) -> None:
    """Bad bodies, unknown addresses, wrong codes: what was sent comes back to nobody."""
    answers = [
        await town.public.post("/evaluation/v1/reviews", json={"token": LETTER, "level": LETTER}),
        await town.public.post("/evaluation/v1/reviews", content=LETTER.encode()),
        await town.public.get(
            "/hotline/v1/progress", params={"ticket_no": LETTER[:40], "query_code": "1"}
        ),
        await town.public.post(
            "/hotline/progress", data={"ticket_no": LETTER[:40], "query_code": LETTER[:20]}
        ),
        await town.public.get(f"/hotline/{quote(LETTER)}"),
        await town.public.get(f"/intake/v1/cases/{quote(LETTER)}"),
    ]
    assert [each.status_code for each in answers] == [422, 415, 404, 404, 404, 401]
    assert signs_in(*(each.text for each in answers)) == []


async def an_event_that_breaks(town: Town, ticket: Document) -> None:
    """On its way, one event got something of the citizen into it, and cannot be read."""
    ticket = await town.signed(await town.assigned(ticket, "SOCIAL"))
    ticket = await town.closed(await town.replied(ticket))

    def broken(batch: Sequence[Envelope]) -> Sequence[Envelope]:
        return [
            replace(each, data={**each.data, "unit_code": [LETTER]})
            if (each.subject, each.type) == (ticket["id"], "tongban.hotline.ticket-closed.v1")
            else each
            for each in batch
        ]

    town.city.trouble = broken
    await town.settle()
    town.city.trouble = None


async def a_database_that_breaks(town: Town) -> None:
    """A row that the database refuses: its message quotes the whole row."""
    db = town.city.kit("hotline").db
    async with db.transaction() as tx:
        await tx.connection.execute(
            text("ALTER TABLE ticket ADD CONSTRAINT broken CHECK (title = '') NOT VALID")
        )
    try:
        body = {"channel": "website", "appeal_type": "help", "title": LETTER, "content": LETTER}
        said = await town.act("/hotline/v1/tickets", body, role="dispatcher", code=500)
    finally:
        async with db.transaction() as tx:
            await tx.connection.execute(text("ALTER TABLE ticket DROP CONSTRAINT broken"))
    assert said["code"] == "internal"
    assert signs_in(str(said)) == []


async def dead_letters(city: TestCity) -> list[str]:
    """What was noted of each, beside the envelope itself, which is kept as it came."""
    found: list[str] = []
    for each in city.stations.values():
        async with each.kit.db.reading() as connection:
            rows = (await connection.execute(select(dead_letter))).mappings()
        found += [str({key: row[key] for key in row if key != "body"}) for row in rows]
    return found
