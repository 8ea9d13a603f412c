"""What a file is, by its bytes: good ones of every kind, and what must not come in."""

import contextlib
import io
import struct
import zipfile
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban_common.errors import Refusal
from tongban_hotline_dispatch.domain.attachments import clean_name
from tongban_hotline_dispatch.domain.file_kinds import (
    FileKind,
    HasMacro,
    IsBroken,
    IsEncrypted,
    Unpacking,
    UnpacksTooLarge,
    WrongKind,
    kind_of,
)

LIMITS = Unpacking(most_bytes=10 << 20, most_entries=100)
TYPES = b'<Types><Default Extension="xml" ContentType="application/xml"/></Types>'


def zipped(parts: Mapping[str, bytes], *, types: bytes = TYPES) -> bytes:
    """An OOXML file of these parts."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", types)
        for name, content in parts.items():
            archive.writestr(name, content)
    return made.getvalue()


def compound(*streams: str, tail: bytes = b"") -> bytes:
    """An OLE file with these names in its directory."""
    entries = b""
    for name in ("Root Entry", *streams):
        written = name.encode("utf-16-le") + b"\x00\x00"
        type_ = 5 if name == "Root Entry" else 2
        head = written.ljust(64, b"\x00") + struct.pack("<HB", len(written), type_)
        entries += head.ljust(128, b"\x00")
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(512, b"\x00") + entries + tail


DOCX = zipped({"word/document.xml": b"<w/>"})
DOC = compound("WordDocument")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.7\n", FileKind.PDF),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", FileKind.JPG),
        (b"\x89PNG\r\n\x1a\n", FileKind.PNG),
        (b"GIF89a", FileKind.GIF),
        (b"BM" + struct.pack("<IHH", 100, 0, 0) + bytes(40), FileKind.BMP),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", FileKind.WEBP),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", FileKind.WAV),
        (b"RIFF\x00\x00\x00\x00AVI LIST", FileKind.AVI),
        (b"\x00\x00\x00\x18ftypheic", FileKind.HEIC),
        (b"\x00\x00\x00\x18ftypisom", FileKind.MP4),
        (b"\x00\x00\x00\x18ftyp3gp5", FileKind.MP4),
        (b"\x00\x00\x00\x18ftypqt  ", FileKind.MOV),
        (b"\x00\x00\x00\x18ftypM4A ", FileKind.M4A),
        (b"#!AMR\n", FileKind.AMR),
        (b"OggS\x00", FileKind.OGG),
        (b"ID3\x04", FileKind.MP3),
        (b"\xff\xfb\x90\x64\x00", FileKind.MP3),
        (b"II*\x00\x08\x00", FileKind.TIFF),
        (DOCX, FileKind.DOCX),
        (zipped({"xl/workbook.xml": b"<x/>"}), FileKind.XLSX),
        (zipped({"ppt/presentation.xml": b"<p/>"}), FileKind.PPTX),
        (DOC, FileKind.DOC),
        (compound("Workbook"), FileKind.XLS),
        (compound("PowerPoint Document"), FileKind.PPT),
    ],
    ids=lambda given: given.value if isinstance(given, FileKind) else "",
)
def test_a_file_is_known_by_its_bytes(content: bytes, kind: FileKind) -> None:
    assert kind_of(content, LIMITS) is kind


@pytest.mark.parametrize(
    "content",
    [
        b"MZ\x90\x00\x03\x00",
        b"\x7fELF\x02\x01",
        b"#!/bin/sh\nrm -rf /",
        b"<html><script>alert(1)</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>",
        b"plain text",
        b"\x00",
        b"Rar!\x1a\x07\x00",
        b"7z\xbc\xaf\x27\x1c",
        zipped({"evil.exe": b"MZ"}),
        compound("\x05SummaryInformation"),
        b"RIFF\x00\x00\x00\x00ACON",
        b"\x00\x00\x00\x18ftypevil",
    ],
)
def test_anything_else_is_refused_whatever_it_is_called(content: bytes) -> None:
    with pytest.raises(WrongKind):
        kind_of(content, LIMITS)


@pytest.mark.parametrize(
    "content",
    [
        zipped({"word/document.xml": b"", "word/vbaProject.bin": b"x"}),
        zipped({"word/document.xml": b"", "WORD/VBAPROJECT.BIN": b"x"}),
        zipped({"xl/workbook.xml": b"", "xl/macrosheets/sheet1.xml": b"x"}),
        zipped({"xl/workbook.xml": b"", "xl/activeX/activeX1.bin": b"x"}),
        zipped(
            {"word/document.xml": b"", "word/renamed.dat": b"x"},
            types=b'<Types><Override PartName="/word/renamed.dat" '
            b'ContentType="application/vnd.ms-office.vbaProject"/></Types>',
        ),
        zipped({"word/document.xml": b""}, types=b"<x>MacroEnabled.main+xml</x>"),
        zipped(
            {"word/document.xml": b""},
            types="<x>application/vnd.ms-word.document.macroEnabled</x>".encode("utf-16"),
        ),
        zipped({"word/document.xml": b"", "word/embeddings/a.bin": compound("VBA")}),
        zipped(
            {
                "ppt/presentation.xml": b"",
                "ppt/embeddings/a.xlsm": zipped({"xl/vbaProject.bin": b"x"}),
            }
        ),
        compound("WordDocument", "Macros", "VBA"),
        compound("WordDocument", "_VBA_PROJECT"),
        compound("Workbook", "_VBA_PROJECT_CUR"),
        compound("Workbook", "_vba_project_cur"),
        compound("Workbook", tail=b"\x85\x00\x0e\x00\x10\x20\x00\x00\x00\x01\x06\x00Macro1"),
    ],
)
def test_an_office_file_with_a_macro_is_refused(content: bytes) -> None:
    with pytest.raises(HasMacro):
        kind_of(content, LIMITS)


def test_a_document_that_only_speaks_of_macros_is_taken() -> None:
    words = "_VBA_PROJECT Macros VBA".encode("utf-16-le")
    assert kind_of(compound("WordDocument", tail=words), LIMITS) is FileKind.DOC
    sheet = zipped({"xl/workbook.xml": b"vbaProject", "xl/embeddings/b.xlsx": DOCX})
    assert kind_of(sheet, LIMITS) is FileKind.XLSX


def test_a_bomb_is_refused_by_what_it_says_and_by_what_it_does() -> None:
    with pytest.raises(UnpacksTooLarge):
        kind_of(zipped({"word/document.xml": bytes(11 << 20)}), LIMITS)
    with pytest.raises(UnpacksTooLarge):
        kind_of(zipped({f"word/{n}.xml": b"" for n in range(101)}), LIMITS)
    with pytest.raises(UnpacksTooLarge):
        kind_of(zipped({"word/d.xml": b""}, types=bytes(2 << 20)), LIMITS)
    inner = DOCX
    for _ in range(5):
        inner = zipped({"word/document.xml": b"", "word/embeddings/a.docx": inner})
    with pytest.raises(HasMacro, match="嵌套"):
        kind_of(inner, LIMITS)


def test_an_archive_that_lies_about_its_size_is_refused() -> None:
    content = zipped({"word/document.xml": b"", "word/embeddings/a.bin": bytes(1 << 20)})
    size = struct.pack("<I", 1 << 20)
    with pytest.raises((UnpacksTooLarge, IsBroken)):
        kind_of(content.replace(size, struct.pack("<I", 16)), LIMITS)


def test_what_cannot_be_looked_into_is_refused() -> None:
    with pytest.raises(IsEncrypted):
        kind_of(compound("EncryptedPackage", "EncryptionInfo"), LIMITS)
    locked = bytearray(DOCX)
    for at in range(len(locked) - 4):
        if locked[at : at + 4] == b"PK\x01\x02":
            locked[at + 8] |= 1
    with pytest.raises(IsEncrypted):
        kind_of(bytes(locked), LIMITS)
    for content in (DOCX[:-30], DOCX[:40], b"PK\x03\x04", b"PK\x03\x04" + b"\xff" * 500):
        with pytest.raises(IsBroken):
            kind_of(content, LIMITS)


@given(st.binary(max_size=400), st.integers(0, 300))
def test_no_bytes_make_it_fail_otherwise(noise: bytes, at: int) -> None:
    for start in (b"", b"PK\x03\x04", DOCX[:at], DOC[:512] + noise[:20], b"RIFF", b"BM"):
        with contextlib.suppress(Refusal):
            kind_of(start + noise, LIMITS)


@given(st.text(max_size=300))
def test_no_name_leaves_its_folder_or_deceives(given_name: str) -> None:
    name = clean_name(given_name, FileKind.PDF)

    assert name.endswith(".pdf")
    assert 4 < len(name) <= 84
    assert not set(name) & set('<>:"/\\|?*\x00\n\r\u202e')
    name.encode()


@pytest.mark.parametrize(
    ("given_name", "cleaned"),
    [
        ("现场照片.jpg", "现场照片.pdf"),
        ("../../etc/passwd", "passwd.pdf"),
        ("C:\\Users\\me\\证明.docx", "证明.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.pdf"),
        ("a\x00b.pdf", "ab.pdf"),
        ("\ud800\ud800.pdf", "附件.pdf"),
        ("", "附件.pdf"),
        ("...", "附件.pdf"),
        (".htaccess", "附件.pdf"),
        ('a<b>:"c|?*.png', "a_b_c.pdf"),
        ("x" * 500 + ".png", "x" * 80 + ".pdf"),
    ],
)
def test_a_name_is_cleaned(given_name: str, cleaned: str) -> None:
    assert clean_name(given_name, FileKind.PDF) == cleaned
