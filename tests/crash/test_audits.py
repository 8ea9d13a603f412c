"""The audits of the desks: clean on a clean database, and each sees what is planted for it."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import insert, text

from tongban_common import migrations
from tongban_common.issuer import DevelopmentIssuer
from tongban_common.service import Kit
from tongban_common.testing import Postgres, fresh_database, settings_for
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.supervision_rules import Colour, Level
from tongban_hotline_dispatch.store.tickets import ticket

from . import audits, records
from .audits import Audit
from .runs import AUDITS
from .world import SERVICES, cards_for_the_late

ITEM = "01990000-0000-7000-8000-000000000001"


@pytest.fixture
async def hotline(postgres: Postgres, issuer: DevelopmentIssuer) -> AsyncIterator[Kit]:
    url = await fresh_database(postgres, "audited")
    service = SERVICES["hotline"]
    await migrations.upgrade(url, service.package)
    kit = service.kit(settings_for(service, database_url=url, issuer=issuer))
    yield kit
    await kit.db.close()


def told(what: str, *, ref: str = ITEM, n: int = 1, said: str = "", **more: object) -> Any:
    return {"what": what, "ref": ref, "n": n, "said": said, "more": more}


async def found(kit: Kit, lines: list[Any], some: tuple[Audit, ...] = AUDITS) -> set[str]:
    url = kit.settings.database_url
    return {each.witness.split(":")[0] for each in await audits.look(url, lines, some)}


async def test_nothing_told_and_nothing_there_is_clean(hotline: Kit) -> None:
    assert await found(hotline, []) == set()


@pytest.mark.parametrize(
    ("line", "audit"),
    [
        (told("supervision", said="issued"), "a step of a supervision that was told of is there"),
        (told("card", said="waived"), "what was said to a card is there once, with one event"),
        (told("heard", said="closed"), "what a caller heard is in one task, with one event"),
        (
            told("reappraisal", said="requested"),
            "a step of a reappraisal is there, with one event",
        ),
        (
            told("pushed", ref="GZ-1", said="GD-1"),
            "a number of the upper platform is one ticket, and all senders were told of it",
        ),
        (
            told("contact", said="appointed", tickets=[], officer="o"),
            "a contact that was told of was filed once, with one event",
        ),
        (
            told("contact", said="replaced", tickets=[ITEM], officer="o"),
            "a ticket that changed hands is in those of the successor, and of nobody else",
        ),
        (told("officer", said="o"), "a ticket that an officer took was taken once"),
        (
            told("knowledge", said="create", last=1),
            "an item is where its last acknowledged step left it",
        ),
        (told("look", said=ITEM, key="k"), "whatever was shown in clear is on record once"),
        (told("bulk", said="A3"), "a ticket that the bulk reports as done has one assignment"),
        (told("joined", said=ITEM), "who was joined still is, and got the answer of the parent"),
    ],
)
async def test_what_was_told_of_and_is_not_there_is_found(
    hotline: Kit, line: Any, audit: str
) -> None:
    assert audit in await found(hotline, [line])


async def test_two_callers_who_were_both_given_the_task_are_found(hotline: Kit) -> None:
    lines = [told("taken", said=who) for who in ("first", "second")]
    assert await found(hotline, lines) == {"a callback has one caller"}


async def test_one_key_that_made_two_records_of_a_look_is_found(hotline: Kit) -> None:
    lines = [told("look", ref=ref, said=ITEM, key="k") for ref in ("a", "b")]
    assert "an acknowledged look and its repetition are one record" in await found(hotline, lines)


@pytest.mark.parametrize(
    ("pulls", "receipted", "audit"),
    [
        ((1, 3), None, "an answer is handed out at every pull until its receipt"),
        ((1, 2, 3), 2, "an answer is handed out no more after its receipt"),
    ],
)
async def test_an_answer_that_skips_a_pull_or_comes_after_its_receipt_is_found(
    hotline: Kit, pulls: tuple[int, ...], receipted: int | None, audit: str
) -> None:
    lines = []
    for pull in (1, 2, 3):
        lines.append(told("pulled", ref="GZ-2", pull=pull))
        if pull in pulls:
            lines.append(told("pulled", ref="GZ-1", pull=pull))
        if pull == receipted:
            lines.append(told("receipt", ref="GZ-1", pull=pull))
    assert await found(hotline, lines, audits.UPSTREAM) == {audit}


async def test_a_version_of_an_item_that_is_missing_or_untold_is_found(hotline: Kit) -> None:
    planted = (
        "INSERT INTO knowledge_item (id, last_number, revision) VALUES (:id, 2, 3)",
        """
        INSERT INTO knowledge_version (item_id, number, state, title, title_key, content,
          unit_code, category, material, keywords, author, edited_at)
        VALUES (:id, 1, 'draft', '', '', '', '', '', 'law', '{}', 'client-1-writer', now())
        """,
    )
    async with hotline.db.transaction() as tx:
        for statement in planted:
            await tx.connection.execute(text(statement), {"id": ITEM})

    assert await found(hotline, [told("knowledge", said="create", last=2)], records.KNOWLEDGE) == {
        "the versions of an item have no gap",
        "an item is where its last acknowledged step left it",
        "each step of an item was told of once, and is one event, in their order",
    }


CHILD = ITEM[:-1] + "2"


async def plant(kit: Kit, ticket_id: str, **columns: object) -> None:
    values = {
        "id": ticket_id,
        "ticket_no": f"GD-{ticket_id[-1]}",
        "query_code": "1",
        "channel": "phone",
        "appeal_type": "help",
        "urgency": "normal",
        "title": "路灯不亮",
        "content": "路灯不亮",
        "wants_reply": True,
        "wants_callback": True,
        "has_contact": True,
        "registered_at": datetime(2026, 9, 21, tzinfo=SHANGHAI),
        "returns": 0,
        "rework_rounds": 0,
        "is_supervised": False,
        "children": 0,
        "version": 1,
        **columns,
    }
    async with kit.db.transaction() as tx:
        await tx.connection.execute(insert(ticket).values(values))


@pytest.mark.parametrize(
    ("parent", "child", "audit"),
    [
        (
            {"status": "assigned"},
            {"status": "merged", "parent_id": ITEM},
            "a parent counts those who are joined to it",
        ),
        (
            {"status": "assigned", "children": 1},
            {"status": "withdrawn"},
            "a parent counts those who are joined to it",
        ),
        (
            {"status": "callback", "children": 1},
            {"status": "merged", "parent_id": ITEM},
            "nobody waits for a parent that was answered or ended",
        ),
        (
            {"status": "assigned"},
            {"status": "closed"},
            "who can be called was called, or tried, before the close",
        ),
    ],
)
async def test_a_family_that_does_not_add_up_and_a_close_without_a_call_are_found(
    hotline: Kit, parent: dict[str, object], child: dict[str, object], audit: str
) -> None:
    await plant(hotline, ITEM, **parent)
    await plant(hotline, CHILD, **child)

    assert await found(hotline, [], records.FAMILIES) == {audit}


def test_what_is_late_has_a_card_under_the_rules_of_the_run() -> None:
    assert cards_for_the_late().levels[Level.U1].card is Colour.YELLOW


async def test_a_rating_that_evaluation_never_had_is_found(
    postgres: Postgres, issuer: DevelopmentIssuer
) -> None:
    url = await fresh_database(postgres, "audited_evaluation")
    await migrations.upgrade(url, SERVICES["evaluation"].package)

    (missing,) = await audits.look(url, [told("heard", said="closed")], records.RATINGS)

    assert missing.witness.endswith(f"{ITEM}: invitations 0, reviews 0")
