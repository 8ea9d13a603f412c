"""What a file is, by its own bytes; never by its name or by what the sender calls it.

Only listed kinds are known: whatever is none of them is refused. An Office file is looked into: one
with a macro, a password, or that unpacks beyond all measure is not taken.
"""

import io
import re
import struct
import zipfile
from dataclasses import dataclass
from enum import StrEnum

from tongban_common.errors import RuleViolation, UnsupportedMedia


class WrongKind(UnsupportedMedia):
    code = "attachment.wrong_type"


class HasMacro(RuleViolation):
    code = "attachment.has_macro"


class IsEncrypted(RuleViolation):
    code = "attachment.encrypted"


class IsBroken(RuleViolation):
    code = "attachment.broken"


class UnpacksTooLarge(RuleViolation):
    code = "attachment.unpacks_too_large"


class FileKind(StrEnum):
    """The name is also the extension that a file of it is given."""

    PDF = "pdf"
    JPG = "jpg"
    PNG = "png"
    GIF = "gif"
    BMP = "bmp"
    WEBP = "webp"
    HEIC = "heic"
    TIFF = "tiff"
    DOCX = "docx"
    XLSX = "xlsx"
    PPTX = "pptx"
    DOC = "doc"
    XLS = "xls"
    PPT = "ppt"
    MP3 = "mp3"
    WAV = "wav"
    AMR = "amr"
    OGG = "ogg"
    M4A = "m4a"
    MP4 = "mp4"
    MOV = "mov"
    AVI = "avi"


MEDIA_TYPES: dict[FileKind, str] = {
    FileKind.PDF: "application/pdf",
    FileKind.JPG: "image/jpeg",
    FileKind.PNG: "image/png",
    FileKind.GIF: "image/gif",
    FileKind.BMP: "image/bmp",
    FileKind.WEBP: "image/webp",
    FileKind.HEIC: "image/heic",
    FileKind.TIFF: "image/tiff",
    FileKind.DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    FileKind.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    FileKind.PPTX: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    FileKind.DOC: "application/msword",
    FileKind.XLS: "application/vnd.ms-excel",
    FileKind.PPT: "application/vnd.ms-powerpoint",
    FileKind.MP3: "audio/mpeg",
    FileKind.WAV: "audio/wav",
    FileKind.AMR: "audio/amr",
    FileKind.OGG: "audio/ogg",
    FileKind.M4A: "audio/mp4",
    FileKind.MP4: "video/mp4",
    FileKind.MOV: "video/quicktime",
    FileKind.AVI: "video/x-msvideo",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacking:
    """How far an archive may go."""

    most_bytes: int
    most_entries: int


_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = b"PK\x03\x04"
_STARTS: tuple[tuple[bytes, FileKind], ...] = (
    (b"%PDF-", FileKind.PDF),
    (b"\xff\xd8\xff", FileKind.JPG),
    (b"\x89PNG\r\n\x1a\n", FileKind.PNG),
    (b"GIF87a", FileKind.GIF),
    (b"GIF89a", FileKind.GIF),
    (b"II*\x00", FileKind.TIFF),
    (b"MM\x00*", FileKind.TIFF),
    (b"#!AMR", FileKind.AMR),
    (b"OggS", FileKind.OGG),
    (b"ID3", FileKind.MP3),
)
_RIFF = {b"WEBP": FileKind.WEBP, b"WAVE": FileKind.WAV, b"AVI ": FileKind.AVI}
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"mif1", b"msf1"), FileKind.HEIC),
    **dict.fromkeys((b"M4A ", b"M4B "), FileKind.M4A),
    b"qt  ": FileKind.MOV,
}
_MOVIES = (b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"MSNV")
_PARTS = {"word/": FileKind.DOCX, "xl/": FileKind.XLSX, "ppt/": FileKind.PPTX}
_STREAMS = {
    "WordDocument": FileKind.DOC,
    "Workbook": FileKind.XLS,
    "Book": FileKind.XLS,
    "PowerPoint Document": FileKind.PPT,
}
_MACRO_STREAMS = ("VBA", "_VBA_PROJECT", "_VBA_PROJECT_CUR", "Macros")
_MACRO_PARTS = re.compile(
    r"vbaproject[^/]*\.bin$|vbadata\.xml$|/macrosheets/|/activex/", re.IGNORECASE
)
_MACRO_TYPES = (b"macroenabled", b"vbaproject", b"ms-excel.macrosheet", b"intlmacrosheet")
# A sheet of Excel 4.0 macros: the record BOUNDSHEET with 1 as the sheet's type.
_MACRO_SHEET = re.compile(rb"\x85\x00[\x08-\x60]\x00[\s\S]{4}[\x00-\x02]\x01")
_TYPES_PART = "[Content_Types].xml"
_MOST_OF_TYPES = 1 << 20
_ENTRY = 128  # of a compound file's directory, and what its sectors are multiples of
_BROKEN = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    ValueError,
    KeyError,
    EOFError,
    OSError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)


def kind_of(content: bytes, limits: Unpacking) -> FileKind:
    """Raises WrongKind, HasMacro, IsEncrypted, IsBroken, UnpacksTooLarge."""
    if content.startswith(_ZIP):
        return _office(content, limits)
    if content.startswith(_OLE):
        return _old_office(content)
    found = _by_start(content)
    if found is None:
        raise WrongKind("不是可以接收的文件类型（按文件内容识别，与文件名无关）")
    return found


def _by_start(content: bytes) -> FileKind | None:
    for start, kind in _STARTS:
        if content.startswith(start):
            return kind
    if content[:4] == b"RIFF":
        return _RIFF.get(content[8:12])
    if content[4:8] == b"ftyp":
        brand = content[8:12]
        is_movie = brand in _MOVIES or brand[:3] == b"3gp"
        return FileKind.MP4 if is_movie else _BRANDS.get(brand)
    if content[:2] == b"BM" and content[6:10] == bytes(4) and len(content) > 26:
        return FileKind.BMP
    is_frame = len(content) > 4 and content[0] == 0xFF and content[1] in {0xFB, 0xF3, 0xF2, 0xFA}
    return FileKind.MP3 if is_frame else None


def _office(content: bytes, limits: Unpacking, *, depth: int = 0) -> FileKind:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _checked(archive, limits, depth)
    except _BROKEN as fault:
        raise IsBroken("文件已损坏，无法读取") from fault


def _checked(archive: zipfile.ZipFile, limits: Unpacking, depth: int) -> FileKind:
    entries = archive.infolist()
    if len(entries) > limits.most_entries or sum(e.file_size for e in entries) > limits.most_bytes:
        raise UnpacksTooLarge("压缩文件展开后过大，未接收")
    if any(each.flag_bits & 1 for each in entries):
        raise IsEncrypted("加密的文件无法检查，请去掉密码后再上传")
    names = {each.filename for each in entries}
    kind = next((of for part, of in _PARTS.items() if any(n.startswith(part) for n in names)), None)
    if kind is None or _TYPES_PART not in names:
        raise WrongKind("不接收压缩包，请直接上传其中的文件")
    types = _read(archive, _TYPES_PART, _MOST_OF_TYPES).replace(b"\x00", b"").lower()
    if any(_MACRO_PARTS.search(f"/{name}") for name in names) or any(
        word in types for word in _MACRO_TYPES
    ):
        raise HasMacro("文件含有宏，未接收；请另存为不含宏的格式")
    for each in entries:
        if "/embeddings/" in f"/{each.filename}":
            _check_embedded(_read(archive, each.filename, limits.most_bytes), limits, depth)
    return kind


def _check_embedded(content: bytes, limits: Unpacking, depth: int) -> None:
    """A document inside the document may hold the macro. One within that is not looked for."""
    if depth > 1:
        raise HasMacro("文件层层嵌套，无法检查，未接收")
    if content.startswith(_ZIP):
        _office(content, limits, depth=depth + 1)
    elif content.startswith(_OLE):
        _check_streams(content)


def _read(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """No more than that, whatever the archive says of its size."""
    with archive.open(name) as part:
        read = part.read(most + 1)
    if len(read) > most:
        raise UnpacksTooLarge("压缩文件展开后过大，未接收")
    return read


def _old_office(content: bytes) -> FileKind:
    _check_streams(content)
    kind = next((of for stream, of in _STREAMS.items() if _has_stream(content, stream)), None)
    if kind is None:
        raise WrongKind("不是可以接收的文件类型（按文件内容识别，与文件名无关）")
    return kind


def _check_streams(content: bytes) -> None:
    if _has_stream(content, "EncryptedPackage"):
        raise IsEncrypted("加密的文件无法检查，请去掉密码后再上传")
    has_sheets = _has_stream(content, "Workbook") or _has_stream(content, "Book")
    has_code = any(_has_stream(content, each) for each in _MACRO_STREAMS)
    if has_code or (has_sheets and _MACRO_SHEET.search(content)):
        raise HasMacro("文件含有宏，未接收；请另存为不含宏的格式")


def _has_stream(content: bytes, name: str) -> bool:
    """Whether a compound file's directory has the name, found where an entry can stand: also in a
    file whose chains were tampered with. Names are compared as Office does, in either case."""
    written = f"{name}\0".encode("utf-16-le")
    for found in re.finditer(re.escape(written), content, re.IGNORECASE):
        start = found.start()
        size, type_ = content[start + 64 : start + 66], content[start + 66 : start + 67]
        is_entry = start % _ENTRY == 0 and size == len(written).to_bytes(2, "little")
        if is_entry and type_ in {b"\x01", b"\x02", b"\x05"}:
            return True
    return False
