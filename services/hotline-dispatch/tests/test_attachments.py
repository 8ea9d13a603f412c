"""Files of a ticket: sealed, streamed, named anew; what must not come in is refused in words."""

import io
import zipfile
import zlib
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select, text

from tongban_common.db import Database
from tongban_common.policies import BadPolicy, packaged_text
from tongban_common.testing import Client
from tongban_hotline_dispatch.store.attachments import (
    PIECE,
    attachment,
    attachment_content,
    attachment_piece,
)
from tongban_hotline_dispatch.store.identity_policy import IDENTITY

TICKETS = "/hotline/v1/tickets"
PDF = b"%PDF-1.7\n" + b"page" * 100
JPG = b"\xff\xd8\xff\xe0" + b"photo" * 100
Made = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def supervisor(client: Client) -> Client:
    return client.as_("supervisor", subject="s-1")


@pytest.fixture
def made(hub: Client) -> Made:
    async def make(*, unit: str | None = "A3", **more: object) -> dict[str, Any]:
        body = {
            "channel": "phone",
            "appeal_type": "help",
            "target_name": "某单位",
            "title": "路灯不亮",
            "content": "三天不亮",
            "person": {"name": "张三丰", "phone": "13812345678"},
            **more,
        }
        ticket: dict[str, Any] = (await hub.post(TICKETS, json=body)).json()
        if unit is None:
            return ticket
        given = await hub.post(
            f"{TICKETS}/{ticket['id']}/assign",
            json={"unit_code": unit},
            headers={"If-Match": f'"{ticket["version"]}"'},
        )
        assert given.status_code == 200, given.text
        assigned: dict[str, Any] = given.json()
        return assigned

    return make


async def upload(
    who: Client,
    ticket: dict[str, Any],
    content: bytes = PDF,
    *,
    name: str = "证明.pdf",
    group: str = "handling",
    **headers: str,
) -> httpx.Response:
    return await who.post(
        f"{TICKETS}/{ticket['id']}/attachments",
        files={"file": (name, content, "application/octet-stream")},
        data={"group": group},
        headers=headers,
    )


async def test_a_file_comes_back_as_it_was_as_a_download_that_nobody_guesses_about(
    made: Made, officer: Client, hub: Client
) -> None:
    ticket = await made()

    added = await upload(officer, ticket, JPG, name="现场 照片.PNG")

    assert added.status_code == 201, added.text
    assert (added.json()["kind"], added.json()["name"]) == ("jpg", "现场 照片.jpg")
    path = f"{TICKETS}/{ticket['id']}/attachments"
    for who in (hub, officer):
        (line,) = (await who.get(path)).json()
        assert (line["group"], line["size"], line["unit_code"]) == ("handling", len(JPG), "A3")
        answer = await who.get(f"{path}/{line['id']}")
        assert answer.content == JPG
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        told = answer.headers["content-disposition"]
        assert told.startswith('attachment; filename="file.jpg"; ')
        assert unquote(told.partition("filename*=UTF-8''")[2]) == "现场 照片.jpg"


async def test_content_and_name_lie_under_seal_by_a_keyed_hash_and_once(
    made: Made, officer: Client, db: Database
) -> None:
    content = PDF + bytes(PIECE * 2)
    first, second = await made(), await made()

    for ticket in (first, first, second):
        added = await upload(officer, ticket, content, name="张三丰13812345678.pdf")
        assert added.json()["name"] == "张三丰***********.pdf"

    async with db.reading() as reads:
        assert (await reads.execute(select(func.count()).select_from(attachment))).scalar() == 3
        (kept,) = (await reads.execute(select(attachment_content))).all()
        pieces = (await reads.execute(select(attachment_piece))).all()
        names = (await reads.execute(select(attachment.c.name))).scalars().all()
    assert kept.size == len(content)
    assert len(pieces) == 3
    assert all(b"page" not in each.sealed and bytes(64) not in each.sealed for each in pieces)
    assert all("张三丰".encode() not in each for each in names)
    (line, _) = (await officer.get(f"{TICKETS}/{first['id']}/attachments")).json()
    answer = await officer.get(f"{TICKETS}/{first['id']}/attachments/{line['id']}")
    assert answer.content == content


async def test_a_piece_that_was_altered_or_moved_does_not_open(
    made: Made, officer: Client, db: Database
) -> None:
    ticket = await made()
    added = (await upload(officer, ticket, PDF + bytes(PIECE))).json()
    async with db.transaction() as tx:
        await tx.connection.execute(
            text("UPDATE attachment_piece SET sealed = set_byte(sealed, 40, 0) WHERE no = 0")
        )

    answer = await officer.get(f"{TICKETS}/{ticket['id']}/attachments/{added['id']}")

    assert answer.json()["code"] == "privacy.seal_broken"
    assert b"page" not in answer.content


def docx(**parts: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b"<Types/>")
        archive.writestr("word/document.xml", b"<w/>")
        for name, content in parts.items():
            archive.writestr(f"word/{name}", content)
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "status", "code"),
    [
        (b"", "空.pdf", 422, "attachment.empty"),
        (b"MZ\x90\x00", "假的.pdf", 415, "attachment.wrong_type"),
        (b"<html><script>", "页面.jpg", 415, "attachment.wrong_type"),
        (docx(**{"vbaProject.bin": b"x"}), "有宏.docx", 422, "attachment.has_macro"),
        (docx(bomb=bytes(201 << 20)), "炸弹.docx", 422, "attachment.unpacks_too_large"),
        (docx()[:50], "坏的.docx", 422, "attachment.broken"),
        (PDF + bytes(20 << 20), "太大.pdf", 413, "attachment.too_large"),
    ],
    ids=["empty", "program", "page", "macro", "bomb", "broken", "large"],
)
async def test_what_must_not_come_in_is_refused_in_chinese_and_leaves_nothing(
    made: Made, officer: Client, db: Database, content: bytes, name: str, status: int, code: str
) -> None:
    ticket = await made()

    refused = await upload(officer, ticket, content, name=name)

    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert refused.headers["content-type"] == "application/problem+json"
    assert any("\u4e00" <= sign <= "\u9fff" for sign in refused.json()["detail"])
    async with db.reading() as reads:
        for table in (attachment, attachment_content, attachment_piece):
            assert (await reads.execute(select(func.count()).select_from(table))).scalar() == 0


async def test_more_than_the_edge_takes_is_refused_while_it_is_read(
    made: Made, officer: Client
) -> None:
    refused = await upload(officer, await made(), bytes(65 << 20))

    assert (refused.status_code, refused.json()["code"]) == (413, "request.too_large")


@pytest.mark.parametrize(
    "name",
    ["a\x00b.pdf", "\u202efdp.exe", "../../../x.pdf", "", "名" * 5000 + ".pdf", "\\\\host\\c$\\x"],
)
async def test_no_file_name_does_harm(made: Made, officer: Client, name: str) -> None:
    added = await upload(officer, await made(), name=name or "x")

    assert added.status_code in {201, 400, 422}, added.text
    if added.status_code == 201:
        kept = added.json()["name"]
        assert kept.endswith(".pdf")
        assert not set(kept) & set('/\\:*?"<>|\x00\u202e')


async def raw(who: Client, ticket: dict[str, Any], disposition: bytes) -> httpx.Response:
    """A part whose name no client would write."""
    body = (
        b"--x\r\nContent-Disposition: form-data; name=group\r\n\r\nhandling\r\n"
        b"--x\r\nContent-Disposition: form-data; name=file; " + disposition + b"\r\n\r\n"
        b"%PDF-1.7\r\n--x--\r\n"
    )
    return await who.post(
        f"{TICKETS}/{ticket['id']}/attachments",
        content=body,
        headers={"content-type": "multipart/form-data; boundary=x"},
    )


@pytest.mark.parametrize(
    "disposition",
    [
        b'filename="\xed\xa0\x80\xed\xb0\x80.pdf"',
        b'filename="\xff\xfe.pdf"',
        b'filename="a\x00.pdf"',
        b"filename*=UTF-8''%ED%A0%80.pdf",
        b"no=file",
    ],
)
async def test_halves_of_a_character_and_the_like_in_a_name_are_no_fault_of_ours(
    made: Made, officer: Client, disposition: bytes
) -> None:
    answer = await raw(officer, await made(), disposition)

    assert answer.status_code in {201, 400, 422}, answer.text


async def test_a_body_that_is_no_upload_or_names_no_group_is_refused(
    made: Made, officer: Client
) -> None:
    ticket = await made()
    path = f"{TICKETS}/{ticket['id']}/attachments"

    plain = await officer.post(path, json={"file": "x"})
    groupless = await officer.post(path, files={"file": ("a.pdf", PDF)})
    strange = await upload(officer, ticket, group="secrets")
    broken = await officer.post(
        path, content=b"--x", headers={"content-type": "multipart/form-data; boundary=x"}
    )

    assert plain.status_code == 415
    assert groupless.status_code == 422
    assert strange.status_code == 422
    assert broken.status_code in {400, 422}


async def test_only_who_has_the_ticket_hands_in_and_sees_its_files(
    made: Made, officer: Client, client: Client, hub: Client
) -> None:
    ticket, other = await made(), await made(unit="A7")
    stranger = client.as_("unit_officer", subject="u-7", unit="A7")
    reviewer = client.as_("reviewer", subject="r-1")
    added = (await upload(officer, ticket)).json()
    path = f"{TICKETS}/{ticket['id']}/attachments"

    assert (await upload(stranger, ticket)).json()["code"] == "ticket.not_your_unit"
    assert (await upload(reviewer, ticket)).status_code == 403
    assert (await client.post(path, files={"file": ("a.pdf", PDF)})).status_code == 401
    for address in (path, f"{path}/{added['id']}"):
        assert (await stranger.get(address)).status_code == 404
        assert (await client.get(address)).status_code == 401
        assert (await reviewer.get(address)).status_code == 200
    elsewhere = f"{TICKETS}/{other['id']}/attachments/{added['id']}"
    refused = await hub.get(elsewhere)
    assert (refused.status_code, refused.json()["code"]) == (404, "attachment.not_found")
    theirs = await upload(officer, ticket, group="complainant")
    assert (theirs.status_code, theirs.json()["code"]) == (403, "attachment.not_for_units")


async def test_what_a_hidden_complainant_gave_is_seen_for_a_reason_and_on_record(
    made: Made, officer: Client, hub: Client, supervisor: Client
) -> None:
    ticket = await made(appeal_type="report")
    added = (await upload(hub, ticket, JPG, group="complainant")).json()
    await upload(officer, ticket)
    path = f"{TICKETS}/{ticket['id']}/attachments"

    assert [each["group"] for each in (await officer.get(path)).json()] == ["handling"]
    assert (await officer.get(f"{path}/{added['id']}")).status_code == 404
    assert "诉求人提供" not in (await officer.get(f"/hotline/tickets/{ticket['id']}")).text
    assert (await hub.get(f"{path}/{added['id']}")).status_code == 403
    baseless = await supervisor.get(f"{path}/{added['id']}")
    assert (baseless.status_code, baseless.json()["code"]) == (422, "identity.unknown_reason")
    given = await supervisor.get(f"{path}/{added['id']}", params={"reason": "inspection"})
    assert given.content == JPG
    (view,) = (await supervisor.get("/hotline/v1/identity-views")).json()["items"]
    assert (view["way"], view["fields"], view["reason"]) == (
        "attachment",
        ["attachment"],
        "inspection",
    )


async def test_what_everybody_may_see_of_an_open_complainant_needs_no_reason(
    made: Made, officer: Client, hub: Client
) -> None:
    ticket = await made()
    added = (await upload(hub, ticket, JPG, group="complainant")).json()

    answer = await officer.get(f"{TICKETS}/{ticket['id']}/attachments/{added['id']}")

    assert answer.content == JPG


async def test_sent_twice_under_one_key_it_is_there_once(made: Made, officer: Client) -> None:
    ticket = await made()
    body = (
        b"--x\r\nContent-Disposition: form-data; name=group\r\n\r\nhandling\r\n"
        b"--x\r\nContent-Disposition: form-data; name=file; filename=a.pdf\r\n\r\n"
        b"%PDF-1.7\r\n--x--\r\n"
    )
    headers = {"content-type": "multipart/form-data; boundary=x", "Idempotency-Key": "upload-0001"}
    path = f"{TICKETS}/{ticket['id']}/attachments"

    first = await officer.post(path, content=body, headers=headers)
    second = await officer.post(path, content=body, headers=headers)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert len((await officer.get(path)).json()) == 1


async def test_the_number_of_files_is_bounded(made: Made, officer: Client, db: Database) -> None:
    ticket = await made()
    added = (await upload(officer, ticket)).json()
    async with db.transaction() as tx:
        await tx.connection.execute(
            text(
                """
                INSERT INTO attachment
                SELECT gen_random_uuid(), ticket_id, group_code, kind, name, digest, added_at,
                  added_by, unit_code
                FROM attachment, generate_series(1, 59) WHERE id = :id
                """
            ),
            {"id": UUID(added["id"])},
        )

    refused = await upload(officer, ticket)

    assert (refused.status_code, refused.json()["code"]) == (409, "attachment.too_many")


async def test_a_unit_answers_with_its_files_on_one_form(
    made: Made, officer: Client, hub: Client
) -> None:
    ticket = await made()
    page = f"/hotline/tickets/{ticket['id']}"
    await officer.post(f"{page}/sign", data={"version": str(ticket["version"])})
    form = {
        "version": str(ticket["version"] + 1),
        "text": "已修复",
        "internal": "",
        "citations": "",
    }
    shown = (await officer.get(page)).text
    assert 'enctype="multipart/form-data"' in shown
    assert 'name="files_contact"' in shown
    bad = [("files_handling", ("有毒.pdf", b"MZ\x90", "application/pdf"))]

    refused = await officer.post(f"{page}/reply", data=form, files=bad)
    good = [
        ("files_handling", ("照片一.jpg", JPG, "image/jpeg")),
        ("files_handling", ("照片二.jpg", JPG + b"2", "image/jpeg")),
        ("files_contact", ("通话记录.pdf", PDF, "application/pdf")),
        ("files_credential", ("", b"", "application/octet-stream")),
    ]
    done = await officer.post(f"{page}/reply", data=form, files=good)

    assert refused.status_code == 415
    assert "不是可以接收的文件类型" in refused.text
    assert "已修复" in refused.text
    assert done.status_code == 303, done.text
    found = (await hub.get(f"{TICKETS}/{ticket['id']}/attachments")).json()
    assert {(each["group"], each["name"]) for each in found} == {
        ("contact", "通话记录.pdf"),
        ("handling", "照片一.jpg"),
        ("handling", "照片二.jpg"),
    }
    told = (await hub.get(page)).text
    assert "照片一.jpg" in told
    assert "联系证明" in told


async def test_a_reply_that_is_refused_leaves_no_file(
    made: Made, officer: Client, db: Database
) -> None:
    ticket = await made()
    page = f"/hotline/tickets/{ticket['id']}"
    form = {"version": "999", "text": "已修复", "internal": "", "citations": ""}

    stale = await officer.post(
        f"{page}/reply", data=form, files=[("files_handling", ("a.jpg", JPG, "image/jpeg"))]
    )

    assert stale.status_code == 412
    async with db.reading() as reads:
        assert (await reads.execute(select(func.count()).select_from(attachment))).scalar() == 0


async def test_one_more_file_from_the_page_and_the_count_on_the_desk(
    made: Made, officer: Client, client: Client
) -> None:
    ticket = await made()
    page = f"/hotline/tickets/{ticket['id']}"

    done = await officer.post(
        f"{page}/attachments",
        data={"group": "credential"},
        files={"file": ("凭证.pdf", PDF, "application/pdf")},
    )

    assert done.status_code == 303, done.text
    assert "凭证.pdf" in (await officer.get(page)).text
    assert "附件1" in (await officer.get("/hotline/desk/unit")).text
    reviewer = client.as_("reviewer", subject="r-1")
    assert "上传附件" not in (await reviewer.get(page)).text


def test_the_bomb_of_the_test_is_small_on_the_wire() -> None:
    assert len(zlib.compress(bytes(201 << 20))) < 1 << 20


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("megabytes: 20,", "megabytes: 100,"),
        ("most: 60,", "most: 0,"),
        ("allowed: [pdf,", "allowed: [exe,"),
        ("entries: 5000,", ""),
    ],
)
def test_a_faulty_limit_is_refused_with_its_line(old: str, new: str) -> None:
    document = packaged_text("tongban_hotline_dispatch", "identity.yaml")
    assert old in document

    with pytest.raises(BadPolicy, match=r"identity.yaml 第\d+行"):
        IDENTITY.parse(document.replace(old, new, 1), where="identity.yaml")
