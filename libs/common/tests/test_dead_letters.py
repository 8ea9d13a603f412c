from uuid import uuid4

import pytest
import toy_service
from deliveries import Recorder, an_envelope, counted, relayed, values_seen
from toy_service import TOY, Counted

from tongban_common.dead_letters import dead_letter, waiting_letters
from tongban_common.service import Kit


async def test_a_poison_event_becomes_a_dead_letter_and_parks_its_aggregate_only(
    kit: Kit, recorder: Recorder
) -> None:
    sick, well = uuid4(), uuid4()
    await counted(kit.db, sick, 4)
    await counted(kit.db, well, 4)
    envelopes = await relayed(kit, recorder)
    toy_service.UNLUCKY["value"] = 2
    inbox = TOY.inbox(kit)

    await inbox.apply([each for each in envelopes if each.subject == str(sick)])
    toy_service.UNLUCKY["value"] = -1
    await inbox.apply([each for each in envelopes if each.subject == str(well)])

    assert await values_seen(kit.db, sick) == [1]
    assert await values_seen(kit.db, well) == [1, 2, 3, 4]
    letters = await waiting_letters(kit.db)
    assert [(each["reason"], each["state"]) for each in letters] == [
        ("poison", "dead"),
        ("behind", "parked"),
        ("behind", "parked"),
    ]
    assert letters[0]["detail"] == "Unlucky toy.unlucky"


async def test_replaying_a_dead_letter_applies_it_and_what_was_parked_behind_it(
    kit: Kit, recorder: Recorder
) -> None:
    counter_id = uuid4()
    await counted(kit.db, counter_id, 4)
    inbox = TOY.inbox(kit)
    toy_service.UNLUCKY["value"] = 2
    await inbox.apply(await relayed(kit, recorder))
    letter = (await waiting_letters(kit.db))[0]

    with pytest.raises(toy_service.Unlucky):
        await inbox.letters.replay(letter["id"])
    toy_service.UNLUCKY["value"] = -1
    applied = await inbox.letters.replay(letter["id"])

    assert applied == 3
    assert await values_seen(kit.db, counter_id) == [1, 2, 3, 4]
    assert await waiting_letters(kit.db) == []


async def test_skipping_a_dead_letter_releases_what_was_parked_behind_it(
    kit: Kit, recorder: Recorder
) -> None:
    counter_id = uuid4()
    await counted(kit.db, counter_id, 4)
    inbox = TOY.inbox(kit)
    toy_service.UNLUCKY["value"] = 2
    await inbox.apply(await relayed(kit, recorder))
    letter = (await waiting_letters(kit.db))[0]

    await inbox.letters.skip(letter["id"])

    assert await values_seen(kit.db, counter_id) == [1, 3, 4]


async def test_an_unknown_type_becomes_a_dead_letter_that_parks_nothing(kit: Kit) -> None:
    counter_id = uuid4()
    inbox = TOY.inbox(kit)

    await inbox.apply(
        [
            an_envelope("tongban.toy.invented.v1", 1, counter_id=str(counter_id)),
            an_envelope(Counted.type, 2, counter_id=str(counter_id), value=1),
        ]
    )

    assert await values_seen(kit.db, counter_id) == [1]
    assert [each["reason"] for each in await waiting_letters(kit.db)] == ["unknown_type"]


async def test_an_event_newer_than_the_consumer_knows_waits_as_a_dead_letter(kit: Kit) -> None:
    counter_id = uuid4()
    inbox = TOY.inbox(kit)

    await inbox.apply(
        [
            an_envelope("tongban.toy.counted.v2", 1, counter_id=str(counter_id)),
            an_envelope(Counted.type, 2, counter_id=str(counter_id), value=2),
        ]
    )

    assert await values_seen(kit.db, counter_id) == []
    assert [(each["reason"], each["state"]) for each in await waiting_letters(kit.db)] == [
        ("newer_version", "dead"),
        ("behind", "parked"),
    ]


async def test_an_event_that_does_not_fit_the_reading_names_the_field_and_never_the_value(
    kit: Kit,
) -> None:
    await TOY.inbox(kit).apply(
        [an_envelope(Counted.type, 1, counter_id=str(uuid4()), value="13812345678张三")]
    )

    (letter,) = await waiting_letters(kit.db)
    assert "value" in letter["detail"]
    assert "13812345678" not in letter["detail"]


async def test_undecodable_bytes_are_kept(kit: Kit) -> None:
    inbox = TOY.inbox(kit)

    await inbox.refuse(
        topic=toy_service.TOPIC, partition=1, offset=42, raw=b"\xff\x00", reason="not JSON"
    )

    async with kit.db.reading() as connection:
        letter = (await connection.execute(dead_letter.select())).one()
    assert (letter.body, letter.reason) == (b"\xff\x00", "undecodable")
